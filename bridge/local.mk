# what bridge/ builds, installs and checks
noinst_LIBRARIES += bridge/libbridge.a
bridge_libbridge_a_SOURCES = \
	bridge/envelope.c bridge/envelope.h \
	bridge/entries.c bridge/entries.h \
	bridge/glob.c bridge/glob.h \
	bridge/incoming.c bridge/incoming.h \
	bridge/lease.c bridge/lease.h \
	bridge/mapping.c bridge/mapping.h \
	bridge/outgoing.c bridge/outgoing.h \
	bridge/outlet.c bridge/outlet.h \
	bridge/pending.c bridge/pending.h \
	bridge/streams.c bridge/streams.h \
	bridge/subscriptions.c bridge/subscriptions.h

sbin_PROGRAMS += bridge/zcast-redis
bridge_zcast_redis_SOURCES = bridge/main.c
bridge_zcast_redis_LDADD = bridge/libbridge.a libzcast.a $(HIREDIS_LIBS) $(CZMQ_LIBS) $(CRYPTO_LIBS) \
	$(ZMQ_LIBS) $(JANSSON_LIBS)
