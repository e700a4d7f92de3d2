# what ws/ builds, installs and checks
noinst_LIBRARIES += ws/libparts.a
ws_libparts_a_SOURCES = \
	ws/head.c ws/head.h \
	ws/frame.c ws/frame.h \
	ws/encoding.c ws/encoding.h \
	ws/receiver.c ws/receiver.h \
	ws/command.c ws/command.h
