# The parts without I/O are a library, so that the tests link what the program runs.
noinst_LIBRARIES += ws/libparts.a
ws_libparts_a_SOURCES = \
	ws/close.h \
	ws/command.c ws/command.h \
	ws/deflate.c ws/deflate.h \
	ws/encoding.c ws/encoding.h \
	ws/extension.c ws/extension.h \
	ws/frame.c ws/frame.h \
	ws/publishes.c ws/publishes.h \
	ws/receiver.c ws/receiver.h \
	ws/upgrade.c ws/upgrade.h

noinst_LIBRARIES += ws/libserver.a
ws_libserver_a_SOURCES = \
	ws/handshake.c ws/handshake.h \
	ws/http.c ws/http.h \
	ws/server.c ws/server.h \
	ws/session.c ws/session.h \
	ws/shared.h \
	ws/stream.c ws/stream.h \
	ws/talk.c ws/talk.h \
	ws/travel.c ws/travel.h \
	ws/websocket.c ws/websocket.h

sbin_PROGRAMS += ws/zcast-ws
ws_zcast_ws_SOURCES = ws/zcast-ws.c
ws_zcast_ws_LDADD = ws/libserver.a ws/libparts.a libzcast.a \
	$(WSLAY_LIBS) $(ZLIB_LIBS) $(CZMQ_LIBS) $(ZMQ_LIBS) $(LOOP_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)
