# The pure parts of zcast-fcgi are a library, so that the tests link what the program runs.
noinst_LIBRARIES += fcgi/libparts.a
fcgi_libparts_a_SOURCES = \
	fcgi/framing.c fcgi/framing.h \
	fcgi/params.c fcgi/params.h \
	fcgi/record.c fcgi/record.h

sbin_PROGRAMS += fcgi/zcast-fcgi
fcgi_zcast_fcgi_SOURCES = \
	fcgi/cgi.c fcgi/cgi.h \
	fcgi/conn.c fcgi/conn.h \
	fcgi/main.c \
	fcgi/server.c fcgi/server.h
fcgi_zcast_fcgi_LDADD = fcgi/libparts.a libzcast.a $(CZMQ_LIBS) $(ZMQ_LIBS) $(LOOP_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)
