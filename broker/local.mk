# what broker/ builds, installs and checks
sbin_PROGRAMS += broker/zcast-broker
noinst_LIBRARIES += broker/libbroker.a
broker_libbroker_a_SOURCES = \
	broker/broker.c broker/broker.h broker/flow.h \
	broker/certificates.c broker/certificates.h \
	broker/gate.c broker/gate.h \
	broker/zap.c broker/zap.h \
	broker/acceptors.c broker/acceptors.h \
	broker/endpoints.c broker/endpoints.h \
	broker/intake.c broker/intake.h \
	broker/meter.c broker/meter.h \
	broker/backlog.c broker/backlog.h \
	broker/dialogue.c broker/dialogue.h \
	broker/outbox.c broker/outbox.h \
	broker/peers.c broker/peers.h \
	broker/replays.c broker/replays.h \
	broker/barriers.c broker/barriers.h \
	broker/late.c broker/late.h \
	broker/instructions.c broker/instructions.h \
	broker/stats.c broker/stats.h \
	broker/history/history.h \
	broker/history/memory.c broker/history/memory.h \
	broker/history/lmdb.c broker/history/lmdb.h \
	broker/history/batch.h \
	broker/history/store.c broker/history/store.h \
	broker/history/layout.c broker/history/layout.h \
	broker/history/tables.c broker/history/tables.h \
	broker/history/writer.c broker/history/writer.h \
	broker/history/trim.c broker/history/trim.h \
	broker/history/reader.c broker/history/reader.h \
	broker/history/check.c broker/history/check.h \
	broker/history/upgrade.c broker/history/upgrade.h \
	broker/history/position.c broker/history/position.h \
	broker/log/entry.c broker/log/entry.h \
	broker/log/script.c broker/log/script.h \
	broker/log/sequencer.c broker/log/sequencer.h \
	broker/log/state.c broker/log/state.h \
	broker/busy.c broker/busy.h \
	broker/topics.c broker/topics.h \
	broker/dedup.c broker/dedup.h \
	broker/bequest.c broker/bequest.h \
	broker/predecessor.c broker/predecessor.h \
	broker/successor.c broker/successor.h
broker_zcast_broker_SOURCES = broker/main.c
broker_zcast_broker_LDADD = broker/libbroker.a libzcast.a $(HIREDIS_LIBS) $(CZMQ_LIBS) $(ZMQ_LIBS) $(LMDB_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS) -lpthread

# The script that runs in Redis, as a string.
broker/log/script.$(OBJEXT): broker/log/script.inc
broker/log/script.inc: broker/log/script.lua
	$(AM_V_GEN)$(MKDIR_P) broker/log && sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' "$(srcdir)/broker/log/script.lua" > $@.new && mv $@.new $@
CLEANFILES += broker/log/script.inc
EXTRA_DIST += broker/log/script.lua
