/*  private.h - the broker's own state, for broker.c (the way of a message) and control.c
 * (requests).
 */
#ifndef ZC_PRIVATE_H
#define ZC_PRIVATE_H

#include "broker/broker.h"
#include "broker/dedup.h"
#include "broker/endpoints.h"
#include "broker/gate.h"
#include "broker/replays.h"
#include "broker/stats.h"
#include "broker/barriers.h"
#include "broker/late.h"

/*  A request whose answer waits for history. */
typedef struct {
    zc_node_t node; /* of those that wait for another's message */
    zc_id_t id;     /* which */
    bool conflict;  /* another message has its own id or key */
    zc_route_t route;
} zc_origin_t;

struct zc_broker {
    zc_broker_config_t config;
    void *context, *xsub, *xpub, *router;
    zc_endpoints_t *endpoints;
    zc_gate_t *gate;
    zc_backlog_t *backlog; /* of xpub */
    zc_history_t *history;
    zc_topics_t *topics;
    zc_dedup_t *dedup;
    zc_stats_t *stats;
    zc_broker_figures_t *counters;
    /*  control.c */
    zc_outbox_t *outbox;
    zc_replays_t *replays;
    zc_barriers_t *barriers;
    zc_late_t *late;
    zc_id_t doubt;         /* positions before this may be another line's as well */
    zc_id_t missed;        /* up to here ours were given, as workers know, which we don't have */
    uint64_t missed_at_ms; /* since when that is known */
    zmq_msg_t *frames;     /* of the request being handled */
    zc_slice_t *slices;    /* the same, as bytes */
    zc_table_t copies; /* PUBLISHes whose name was published before, and isn't settled yet, by id */
    /*  broker.c */
    zc_item_t item; /* the message being taken in */
    int source;     /* the connection that it came on, where its frame doesn't say; or -1 */
    zmq_msg_t headers;
    zc_digest_t digest; /* of the message that zc_broker_seen looked at last */
    zc_buf_t meta;
    zc_id_t last;    /* the last position given */
    zc_id_t head;    /* the last one delivered */
    zc_id_t dropped; /* the last one that some subscriber may have lost to its full queue */
    bool suspect;    /* one may still be losing, in silence: see s_drop in broker.c */
    uint64_t suspect_ms, suspect_at_ms;  /* how often, and when next, `dropped` is moved on */
    uint64_t wall_ms, mono_ms;           /* read once a turn */
    uint64_t started_ms;                 /* monotonic */
    uint64_t rate_ms, rate_count, crowd; /* messages a second lately, and since when */
};

/*  Whether it was published before, within the window: then *id is where. */
zc_seen_t zc_broker_seen (zc_broker_t *self, const zc_message_t *message, zc_id_t *id);

/*  Orders and keeps one message that zc_broker_seen has just found to be new, and answers `origin`
 *  (taken; may be NULL) when that is done. Takes the frames. `headers` is within a frame that lives
 *  until the return. */
void zc_broker_publish (zc_broker_t *self, zmq_msg_t *topic, zmq_msg_t *payload,
                        const zc_message_t *message, zc_slice_t headers, zc_origin_t *origin);

/*  control.c */
void zc_control_start (zc_broker_t *self);
void zc_control_stop (zc_broker_t *self);
/*  Handles requests, a bounded number. True where more may wait. */
bool zc_control_serve (zc_broker_t *self);
/*  Once a turn: jobs, answers that wait, nonces. */
void zc_control_turn (zc_broker_t *self);
/*  How long the loop may sleep for control's sake, in milliseconds. */
int zc_control_wait_ms (const zc_broker_t *self);
/*  A message that requests wait for is settled. */
void zc_control_settled (zc_broker_t *self, zc_item_t *item, bool kept);

#endif
