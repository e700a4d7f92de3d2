/*  broker.h - the broker: it orders and stamps messages from publishers, keeps them, and sends
 *  them to subscribers; on control it answers requests (doc/protocol.md). */
#ifndef ZC_BROKER_H
#define ZC_BROKER_H

#include "broker/history/history.h"
#include "broker/log/sequencer.h"
#include "lib/config/options.h"

typedef struct {
    const char *publish, *subscribe, *control; /* endpoints */
    const zc_options_t *options; /* borrowed for the broker's life; for broker/gate.h */
    int publish_hwm, subscribe_hwm, control_hwm; /* messages queued for or from each peer */
    uint64_t subscribe_bytes;                    /* that may wait for one subscriber; 0: no limit */
    int io_threads;
    size_t max_payload;
    size_t max_topics;
    uint32_t max_subscriptions; /* of one peer */
    uint64_t dedup_window_ms;
    size_t dedup_max;
    zc_history_limits_t limits;
    const char *revocations; /* the file that has them; NULL: none */
    zc_sequencer_t *log;     /* joined; taken; NULL: the broker gives positions */
} zc_broker_config_t;

typedef struct zc_broker zc_broker_t;

/*  Takes the history, and the topics that are known from it; `last` is the last position given
 *  before. The strings of config are borrowed for the call. Returns NULL with one sentence in
 *  `error`. */
zc_broker_t *zc_broker_new (const zc_broker_config_t *config, zc_history_t **history_p,
                            zc_topics_t **topics_p, zc_id_t last, char *error, size_t size);
void zc_broker_destroy (zc_broker_t **self_p);
/*  Changes the settings that can change while the broker runs: limits, max_payload, dedup,
 *  max_topics. */
void zc_broker_configure (zc_broker_t *self, const zc_broker_config_t *config);

/*  Runs until `stop`, which is called whenever `signal_fd` is readable, returns true; then
 *  finishes the work that is under way, within a few seconds. `became_ready` is called once
 *  zc_broker_ready has become true, if it wasn't at the beginning. */
void zc_broker_run (zc_broker_t *self, int signal_fd, bool (*stop) (void *arg),
                    void (*became_ready) (void *arg), void *arg);
/*  Whether the broker has all that it can have: with a log, all that was in it. */
bool zc_broker_ready (const zc_broker_t *self);

#endif
