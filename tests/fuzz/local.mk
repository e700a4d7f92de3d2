# Fuzz targets: NOUN_fuzz.c, and what it found or began with in corpus/NOUN. Configured with --enable-fuzzers they are
# libFuzzer programs (`make fuzz`); else replay.c feeds them their corpus, as tests. A new one: its name here, and two lines below.
FUZZ_TARGETS = \
	tests/fuzz/id_fuzz \
	tests/fuzz/line_fuzz \
	tests/fuzz/text_fuzz \
	tests/fuzz/selector_fuzz \
	tests/fuzz/message_fuzz \
	tests/fuzz/options_fuzz \
	tests/fuzz/fcgi_fuzz \
	tests/fuzz/head_fuzz \
	tests/fuzz/handover_fuzz \
	tests/fuzz/bequest_fuzz \
	tests/fuzz/chunked_fuzz \
	tests/fuzz/proxy_fuzz \
	tests/fuzz/forwarded_fuzz \
	tests/fuzz/publication_fuzz \
	tests/fuzz/frames_fuzz \
	tests/fuzz/ask_fuzz \
	tests/fuzz/answer_fuzz \
	tests/fuzz/worker_fuzz \
	tests/fuzz/publisher_fuzz \
	tests/fuzz/subscriber_fuzz \
	tests/fuzz/report_fuzz \
	tests/fuzz/records_fuzz \
	tests/fuzz/position_fuzz \
	tests/fuzz/environment_fuzz \
	tests/fuzz/meter_fuzz \
	tests/fuzz/bridge_fuzz \
	tests/fuzz/reply_fuzz \
	tests/fuzz/log_fuzz \
	tests/fuzz/log_line_fuzz \
	tests/fuzz/traceparent_fuzz \
	tests/fuzz/token_fuzz \
	tests/fuzz/certificate_fuzz \
	tests/fuzz/eventstream_fuzz \
	tests/fuzz/doctor_head_fuzz \
	tests/fuzz/doctor_socket_fuzz \
	tests/fuzz/since_fuzz \
	tests/fuzz/format_fuzz \
	tests/fuzz/ndjson_fuzz \
	tests/fuzz/instruction_fuzz
FUZZ_LIBS = libzcast.a $(CZMQ_LIBS) $(ZMQ_LIBS) $(LOOP_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS) $(FUZZER_LIBS)

check_PROGRAMS += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/input.h tests/fuzz/program.h

if FUZZERS
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/replay.c
TESTS += $(FUZZ_TARGETS)
endif

tests_fuzz_instruction_fuzz_SOURCES = tests/fuzz/instruction_fuzz.c $(FUZZ_MAIN)
tests_fuzz_instruction_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_traceparent_fuzz_SOURCES = tests/fuzz/traceparent_fuzz.c $(FUZZ_MAIN)
tests_fuzz_traceparent_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_log_line_fuzz_SOURCES = tests/fuzz/log_line_fuzz.c $(FUZZ_MAIN)
tests_fuzz_log_line_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_id_fuzz_SOURCES = tests/fuzz/id_fuzz.c $(FUZZ_MAIN)
tests_fuzz_id_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_line_fuzz_SOURCES = tests/fuzz/line_fuzz.c $(FUZZ_MAIN)
tests_fuzz_line_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_selector_fuzz_SOURCES = tests/fuzz/selector_fuzz.c $(FUZZ_MAIN)
tests_fuzz_selector_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_text_fuzz_SOURCES = tests/fuzz/text_fuzz.c $(FUZZ_MAIN)
tests_fuzz_text_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_message_fuzz_SOURCES = tests/fuzz/message_fuzz.c $(FUZZ_MAIN)
tests_fuzz_message_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_options_fuzz_SOURCES = tests/fuzz/options_fuzz.c $(FUZZ_MAIN)
tests_fuzz_options_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_fcgi_fuzz_SOURCES = tests/fuzz/fcgi_fuzz.c $(FUZZ_MAIN)
tests_fuzz_fcgi_fuzz_LDADD = fcgi/libparts.a $(FUZZ_LIBS)

tests_fuzz_head_fuzz_SOURCES = tests/fuzz/head_fuzz.c $(FUZZ_MAIN)
tests_fuzz_head_fuzz_LDADD = ws/libparts.a $(FUZZ_LIBS) $(WSLAY_LIBS) $(ZLIB_LIBS)

tests_fuzz_bequest_fuzz_SOURCES = tests/fuzz/bequest_fuzz.c $(FUZZ_MAIN)
tests_fuzz_bequest_fuzz_LDADD = broker/libbroker.a $(FUZZ_LIBS)

tests_fuzz_handover_fuzz_SOURCES = tests/fuzz/handover_fuzz.c $(FUZZ_MAIN)
tests_fuzz_handover_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_publication_fuzz_SOURCES = tests/fuzz/publication_fuzz.c $(FUZZ_MAIN)
tests_fuzz_publication_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_chunked_fuzz_SOURCES = tests/fuzz/chunked_fuzz.c $(FUZZ_MAIN)
tests_fuzz_chunked_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_proxy_fuzz_SOURCES = tests/fuzz/proxy_fuzz.c $(FUZZ_MAIN)
tests_fuzz_proxy_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_forwarded_fuzz_SOURCES = tests/fuzz/forwarded_fuzz.c $(FUZZ_MAIN)
tests_fuzz_forwarded_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_frames_fuzz_SOURCES = tests/fuzz/frames_fuzz.c $(FUZZ_MAIN)
tests_fuzz_frames_fuzz_LDADD = ws/libparts.a $(FUZZ_LIBS) $(WSLAY_LIBS) $(ZLIB_LIBS)

tests_fuzz_ask_fuzz_SOURCES = tests/fuzz/ask_fuzz.c $(FUZZ_MAIN)
tests_fuzz_ask_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_answer_fuzz_SOURCES = tests/fuzz/answer_fuzz.c $(FUZZ_MAIN)
tests_fuzz_answer_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_worker_fuzz_SOURCES = tests/fuzz/worker_fuzz.c $(FUZZ_MAIN)
tests_fuzz_worker_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_publisher_fuzz_SOURCES = tests/fuzz/publisher_fuzz.c $(FUZZ_MAIN)
tests_fuzz_publisher_fuzz_LDADD = $(FUZZ_LIBS)
tests_fuzz_publisher_fuzz_LDFLAGS = -Wl,--wrap=zc_mono_ms

tests_fuzz_subscriber_fuzz_SOURCES = tests/fuzz/subscriber_fuzz.c $(FUZZ_MAIN)
tests_fuzz_subscriber_fuzz_LDADD = $(FUZZ_LIBS)
tests_fuzz_subscriber_fuzz_LDFLAGS = -Wl,--wrap=zc_mono_ms,--wrap=zmq_msg_recv,--wrap=zmq_msg_more

tests_fuzz_report_fuzz_SOURCES = tests/fuzz/report_fuzz.c $(FUZZ_MAIN)
tests_fuzz_report_fuzz_LDADD = broker/libbroker.a $(FUZZ_LIBS)

tests_fuzz_records_fuzz_SOURCES = tests/fuzz/records_fuzz.c $(FUZZ_MAIN)
tests_fuzz_records_fuzz_LDADD = broker/libbroker.a $(FUZZ_LIBS)

tests_fuzz_environment_fuzz_SOURCES = tests/fuzz/environment_fuzz.c $(FUZZ_MAIN)
tests_fuzz_environment_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_position_fuzz_SOURCES = tests/fuzz/position_fuzz.c $(FUZZ_MAIN)
tests_fuzz_position_fuzz_LDADD = broker/libbroker.a $(FUZZ_LIBS)

tests_fuzz_reply_fuzz_SOURCES = tests/fuzz/reply_fuzz.c $(FUZZ_MAIN)
tests_fuzz_reply_fuzz_LDADD = bridge/libbridge.a $(FUZZ_LIBS) $(HIREDIS_LIBS)

tests_fuzz_log_fuzz_SOURCES = tests/fuzz/log_fuzz.c $(FUZZ_MAIN)
tests_fuzz_log_fuzz_LDADD = broker/libbroker.a $(FUZZ_LIBS) $(HIREDIS_LIBS)

tests_fuzz_meter_fuzz_SOURCES = tests/fuzz/meter_fuzz.c $(FUZZ_MAIN)
tests_fuzz_meter_fuzz_LDADD = broker/libbroker.a $(FUZZ_LIBS)
tests_fuzz_bridge_fuzz_SOURCES = tests/fuzz/bridge_fuzz.c $(FUZZ_MAIN)
tests_fuzz_bridge_fuzz_LDADD = bridge/libbridge.a $(FUZZ_LIBS) $(HIREDIS_LIBS)

tests_fuzz_token_fuzz_SOURCES = tests/fuzz/token_fuzz.c $(FUZZ_MAIN)
tests_fuzz_token_fuzz_LDADD = $(FUZZ_LIBS)
tests_fuzz_certificate_fuzz_SOURCES = tests/fuzz/certificate_fuzz.c $(FUZZ_MAIN)
tests_fuzz_certificate_fuzz_LDADD = $(FUZZ_LIBS)

tests_fuzz_eventstream_fuzz_SOURCES = tests/fuzz/eventstream_fuzz.c $(FUZZ_MAIN)
tests_fuzz_eventstream_fuzz_LDADD = tools/libparts.a $(FUZZ_LIBS)

tests_fuzz_doctor_head_fuzz_SOURCES = tests/fuzz/doctor_head_fuzz.c $(FUZZ_MAIN)
tests_fuzz_doctor_head_fuzz_LDADD = tools/libparts.a $(FUZZ_LIBS)

tests_fuzz_doctor_socket_fuzz_SOURCES = tests/fuzz/doctor_socket_fuzz.c $(FUZZ_MAIN)
tests_fuzz_doctor_socket_fuzz_LDADD = tools/libparts.a $(FUZZ_LIBS)

tests_fuzz_since_fuzz_SOURCES = tests/fuzz/since_fuzz.c $(FUZZ_MAIN)
tests_fuzz_since_fuzz_LDADD = tools/libparts.a $(FUZZ_LIBS)

tests_fuzz_format_fuzz_SOURCES = tests/fuzz/format_fuzz.c $(FUZZ_MAIN)
tests_fuzz_format_fuzz_LDADD = tools/libparts.a $(FUZZ_LIBS)

tests_fuzz_ndjson_fuzz_SOURCES = tests/fuzz/ndjson_fuzz.c $(FUZZ_MAIN)
tests_fuzz_ndjson_fuzz_LDADD = tools/libparts.a $(FUZZ_LIBS)

# Each target for FUZZ_SECONDS. What it learns stays in fuzz/ of the build folder; what makes it fail too, and ends this.
FUZZ_SECONDS = 20
fuzz: $(FUZZ_TARGETS)
	@if test -z "$(FUZZER_LIBS)"; then echo "configure with CC=clang --enable-fuzzers"; exit 1; fi
	@set -e; for target in $(FUZZ_TARGETS); do \
	    name=`basename $$target _fuzz`; $(MKDIR_P) fuzz/$$name; echo "fuzz $$name"; \
	    ./$$target -max_total_time=$(FUZZ_SECONDS) -timeout=20 -print_final_stats=1 -verbosity=0 \
	        -artifact_prefix=fuzz/$$name- fuzz/$$name $(srcdir)/tests/fuzz/corpus/$$name; \
	done

clean-fuzz:
	rm -rf fuzz

clean-local: clean-fuzz

.PHONY: fuzz clean-fuzz
