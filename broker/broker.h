/*  broker.h - the broker: it orders and stamps messages from publishers, keeps them, and sends
 *  them to subscribers; on control it answers requests (doc/protocol.md). */
#ifndef ZC_BROKER_H
#define ZC_BROKER_H

#include "broker/flow.h"
#include "broker/intake.h"
#include "broker/log/sequencer.h"
#include "lib/config/options.h"

/*  What a predecessor left besides history, topics and listening sockets. */
typedef struct {
    zc_dedup_t *dedup; /* taken */
    zc_id_t head, dropped;
    uint64_t started_ms;
} zc_estate_t;

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
    /*  NULL: there was no predecessor. Else zc_broker_adopt gives the listening sockets. */
    const zc_estate_t *estate;
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

/*  Runs until `stop`, which is called whenever `fd` is readable, returns true. `became_ready` is
 *  called once zc_broker_ready has become true, if it wasn't at the beginning. */
void zc_broker_run (zc_broker_t *self, int fd, bool (*stop) (void *arg),
                    void (*became_ready) (void *arg), void *arg);
/*  Before the end: finishes the work that is under way, within a few seconds. */
void zc_broker_drain (zc_broker_t *self);
/*  For a successor. Lets publishers end their connections, accepts nobody, and finishes the work
 *  that is under way, within about a second. Returns false if some is left. Nothing more is done
 *  until zc_broker_resume; zc_broker_leave says instead that the successor does it, and then the
 *  broker can only be destroyed. */
bool zc_broker_pause (zc_broker_t *self);
void zc_broker_resume (zc_broker_t *self);
void zc_broker_leave (zc_broker_t *self);
/*  Takes a listening socket of the predecessor. Returns 0, or -1 with errno. */
int zc_broker_adopt (zc_broker_t *self, zc_intake_role_t role, const char *address, int fd);
zc_flow_t *zc_broker_flow (zc_broker_t *self);
/*  Whether the broker has all that it can have: with a log, all that was in it. */
bool zc_broker_ready (const zc_broker_t *self);

#endif
