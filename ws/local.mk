# The parts without I/O are a library, so that the tests link what the program runs.
noinst_LIBRARIES += ws/libparts.a
ws_libparts_a_SOURCES = \
	ws/command.c ws/command.h \
	ws/encoding.c ws/encoding.h \
	ws/frame.c ws/frame.h \
	ws/head.c ws/head.h \
	ws/receiver.c ws/receiver.h
