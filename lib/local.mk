noinst_LIBRARIES += libzcast.a
libzcast_a_SOURCES = \
	lib/buf.c lib/buf.h \
	lib/id.c lib/id.h \
	lib/text.c lib/text.h \
	lib/query.c lib/query.h \
	lib/message.c lib/message.h \
	lib/encoding.c lib/encoding.h \
	lib/sse.c lib/sse.h \
	lib/feed.c lib/feed.h \
	lib/client.c lib/client.h \
	lib/table.c lib/table.h \
	lib/hub.c lib/hub.h lib/hub_private.h \
	lib/channel.c \
	lib/join.c \
	lib/pump.c lib/pump.h lib/ring.c lib/ring.h \
	lib/control.c lib/control.h \
	lib/link.c lib/link.h \
	lib/monitor.c lib/monitor.h \
	lib/redial.c lib/redial.h \
	lib/publisher.c lib/publisher.h \
	lib/subscriber.c lib/subscriber.h \
	lib/options.c lib/options.h lib/options_private.h \
	lib/options_file.c lib/options_line.c \
	lib/option_set.c lib/option_value.c lib/option_help.c lib/zpl.c lib/zpl.h \
	lib/log.c lib/log.h \
	lib/daemon.c lib/daemon.h lib/listen.c lib/processes.c \
	lib/limit.c lib/limit.h \
	lib/watch.c lib/watch.h \
	lib/worker.c lib/worker.h
