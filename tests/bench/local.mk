# The bench: `make bench`, `make bench-quick`. Its programs are built when they are asked for.
BENCH_BUILT = tests/bench/load tests/bench/floor tests/bench/threaded_fcgi tests/bench/broker_bench tests/bench/publish_bench
EXTRA_PROGRAMS += $(BENCH_BUILT)
CLEANFILES += $(BENCH_BUILT)

tests_bench_load_SOURCES = tests/bench/load.c tests/bench/load.h tests/bench/load_clients.c \
	tests/bench/load_publisher.c tests/bench/load_account.c
tests_bench_load_LDADD = libzcast.a $(ZMQ_LIBS)

tests_bench_floor_SOURCES = tests/bench/floor.c

tests_bench_threaded_fcgi_SOURCES = tests/bench/threaded_fcgi.c
tests_bench_threaded_fcgi_LDADD = $(FCGI_LIBS) $(ZMQ_LIBS) -lpthread

tests_bench_broker_bench_SOURCES = tests/bench/broker_bench.c
tests_bench_broker_bench_LDADD = $(CZMQ_LIBS) $(ZMQ_LIBS)

tests_bench_publish_bench_SOURCES = tests/bench/publish_bench.c
tests_bench_publish_bench_LDADD = $(ZMQ_LIBS)

BENCH_FILES = tests/bench/run.py tests/bench/cases.py tests/bench/place.py tests/bench/report.py \
	tests/bench/plot.py tests/bench/flame.py tests/bench/profile.py \
	tests/bench/performance.template.md \
	tests/bench/peers/axum/Cargo.lock tests/bench/peers/axum/Cargo.toml tests/bench/peers/axum/src/main.rs \
	tests/bench/peers/centrifuge/go.mod tests/bench/peers/centrifuge/go.sum tests/bench/peers/centrifuge/main.go \
	tests/bench/systems/__init__.py tests/bench/systems/axum.py tests/bench/systems/centrifuge.py tests/bench/systems/floor.py \
	tests/bench/systems/nchan.py \
	tests/bench/systems/pushpin.py tests/bench/systems/threaded.py tests/bench/systems/ws_example.py \
	tests/bench/systems/zcast_broker.py tests/bench/systems/zcast_fcgi.py \
	tests/bench/systems/zcast_ws.py
EXTRA_DIST += doc/performance.json
EXTRA_DIST += $(BENCH_FILES) tests/bench/hot.c tests/bench/hot.expected.json tests/bench/quick.py

# More than an hour; `make bench BENCH_FLAGS='--quick --case 1'` for a part of it.
bench: all $(BENCH_BUILT)
	ZCAST_BUILD=$(abs_top_builddir) /usr/bin/python3 $(top_srcdir)/tests/bench/run.py $(BENCH_FLAGS)

# Instruction counts of the hot paths against hot.expected.json: under two minutes, any machine.
bench-quick:
	ZCAST_BUILD=$(abs_top_builddir) /usr/bin/python3 $(top_srcdir)/tests/bench/quick.py

.PHONY: bench bench-quick
