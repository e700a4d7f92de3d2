# what tools/ builds, installs and checks
bin_PROGRAMS += tools/zmq
tools_zmq_SOURCES = \
	tools/zmq.c \
	tools/zmq_ping.c \
	tools/zmq_pub.c \
	tools/zmq_stat.c \
	tools/zmq_sub.c \
	tools/zmq_token.c \
	tools/tool.c tools/tool.h
tools_zmq_LDADD = libzcast.a $(CZMQ_LIBS) $(ZMQ_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = tools/bash-completion/zmq

EXTRA_DIST += tools/feed-metrics tools/quickstart
