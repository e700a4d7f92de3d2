# The pure parts of zcast-fcgi are a library, so that the tests link what the program runs.
noinst_LIBRARIES += fcgi/libparts.a
fcgi_libparts_a_SOURCES = \
	fcgi/framing.c fcgi/framing.h \
	fcgi/params.c fcgi/params.h \
	fcgi/record.c fcgi/record.h \
	fcgi/request.c fcgi/request.h \
	fcgi/response.c fcgi/response.h
