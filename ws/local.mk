# what ws/ builds, installs and checks
noinst_LIBRARIES += libzws.a
libzws_a_SOURCES = \
	ws/head.c ws/head.h
