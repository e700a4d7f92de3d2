# what tools/ builds, installs and checks
# What has no I/O is a library, so that the tests link what the program runs.
noinst_LIBRARIES += tools/libparts.a
tools_libparts_a_SOURCES = \
	tools/doctor.c tools/doctor.h \
	tools/doctor_advice.c tools/doctor_advice.h \
	tools/doctor_head.c tools/doctor_head.h \
	tools/doctor_report.c tools/doctor_report.h \
	tools/doctor_socket.c tools/doctor_socket.h \
	tools/eventstream.c tools/eventstream.h \
	tools/format.c tools/format.h \
	tools/human.c tools/human.h \
	tools/ndjson.c tools/ndjson.h \
	tools/samples.c tools/samples.h \
	tools/since.c tools/since.h

bin_PROGRAMS += tools/zmq
tools_zmq_SOURCES = \
	tools/columns.c tools/columns.h \
	tools/doctor_probe.c tools/doctor_probe.h \
	tools/http.c tools/http.h \
	tools/http_pub.c tools/http_pub.h \
	tools/http_sub.c tools/http_sub.h \
	tools/listing.c tools/listing.h \
	tools/locate.c tools/locate.h \
	tools/printer.c tools/printer.h \
	tools/progress.c tools/progress.h \
	tools/zmq.c \
	tools/zmq_bench.c \
	tools/zmq_completion.c \
	tools/zmq_context.c \
	tools/zmq_history.c \
	tools/zmq_doctor.c \
	tools/zmq_keygen.c \
	tools/zmq_latency.c \
	tools/zmq_ping.c \
	tools/zmq_pub.c \
	tools/zmq_purge.c \
	tools/zmq_revoke.c \
	tools/zmq_stat.c \
	tools/zmq_sub.c \
	tools/zmq_top.c \
	tools/zmq_topics.c \
	tools/zmq_token.c \
	tools/tool.c tools/tool.h
tools_zmq_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
tools_zmq_LDADD = tools/libparts.a libzcast.a $(CURL_LIBS) $(CZMQ_LIBS) $(ZMQ_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

# What shells need is written by the program itself, from its tables of options.
COMPLETIONS = tools/completion/zmq tools/completion/_zmq tools/completion/zmq.fish
bashcompletiondir = $(datadir)/bash-completion/completions
nodist_bashcompletion_DATA = tools/completion/zmq
zshcompletiondir = $(datadir)/zsh/site-functions
nodist_zshcompletion_DATA = tools/completion/_zmq
fishcompletiondir = $(datadir)/fish/vendor_completions.d
nodist_fishcompletion_DATA = tools/completion/zmq.fish
CLEANFILES += $(COMPLETIONS)

tools/completion/zmq: tools/zmq$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) tools/completion && tools/zmq completion bash > $@.new && mv $@.new $@
tools/completion/_zmq: tools/zmq$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) tools/completion && tools/zmq completion zsh > $@.new && mv $@.new $@
tools/completion/zmq.fish: tools/zmq$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) tools/completion && tools/zmq completion fish > $@.new && mv $@.new $@

EXTRA_DIST += tools/quickstart
