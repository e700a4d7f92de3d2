/*  subscriber.h - follows topics on the broker without a hole: joins while messages flow, starts
 *  from history where asked, finds what ZeroMQ dropped by `prev`, SYNC and reconnects, and fetches
 *  it. What is gone from history is stated.
 *
 *  For a program that follows some topics for itself (the command line, the Redis relay); workers
 *  that serve clients have lib/engine/hub.h. No thread; the owner polls. */
#ifndef ZC_SUBSCRIBER_H
#define ZC_SUBSCRIBER_H

#include <stdbool.h>
#include <zmq.h>
#include "lib/wire/message.h"

typedef struct zc_subscriber zc_subscriber_t;

typedef struct {
    const char *subscribe; /* the broker's XPUB endpoint */
    const char *control;   /* the broker's ROUTER endpoint */
    const char *since;     /* an id, a publisher's own id, "earliest"; NULL: from now on */
    int hwm;               /* messages queued in ZeroMQ; 0: 300 */
    void *arg;
    /*  Each message once, in order of its topic. */
    void (*message) (void *arg, const zc_message_t *message);
    /*  What was published on the topic, or on topics that begin with it, in (from, to], if
     *  anything, is gone. With `to` before `from`, the broker is behind: its ids have gone back, or
     *  `since` is from the future. Then what was published up to `to` may be missing. May be NULL.
     */
    void (*gap) (void *arg, zc_slice_t topic, bool prefix, zc_id_t from, zc_id_t to);
    /*  true: subscriptions are live and complete from here on; false: the broker is gone. May be
     *  NULL. */
    void (*live) (void *arg, bool live);
    /*  The broker refuses what is asked for (code and sentence); asking again won't help. */
    void (*refused) (void *arg, zc_slice_t code, zc_slice_t text);
} zc_subscriber_config_t;

typedef struct {
    uint64_t received, duplicates, malformed; /* messages */
    uint64_t holes, gaps, fetched, losses;    /* losses: connections that broke */
} zc_subscriber_stats_t;

/*  NULL with errno where an endpoint is malformed. */
zc_subscriber_t *zc_subscriber_new (void *context, const zc_subscriber_config_t *config);
void zc_subscriber_destroy (zc_subscriber_t **self_p);

/*  Before the first run. With `prefix` it stands for every topic that begins with it, and that
 *  something is published on after `since` (a position or "earliest"; else after the beginning):
 *  10,000 of them without holes, and more as ZeroMQ brings them. A gap on what the broker has
 *  forgotten is stated for the prefix. */
void zc_subscriber_add (zc_subscriber_t *self, zc_slice_t topic, bool prefix);
/*  Stops taking messages, until set to false. What ZeroMQ then drops is fetched later. */
void zc_subscriber_pause (zc_subscriber_t *self, bool pause);

/*  With `subscribe`; whether `control` answers shows when it is live. */
bool zc_subscriber_is_connected (const zc_subscriber_t *self);
bool zc_subscriber_is_live (const zc_subscriber_t *self);
/*  Milliseconds of the monotonic clock when something last moved on its way to or from `control`;
 *  0: nothing has been asked yet. */
uint64_t zc_subscriber_moved_ms (const zc_subscriber_t *self);
const zc_subscriber_stats_t *zc_subscriber_stats (const zc_subscriber_t *self);
/*  All messages up to here, on all topics, have been handed over, or stated to be gone: where to go
 *  on after a restart. It goes back where the broker's ids do. In a call of `message` it counts
 *  that one. ZC_ID_NONE: not known yet. */
zc_id_t zc_subscriber_position (const zc_subscriber_t *self);

/*  For the owner's zmq_poll: what to poll (2..4 items), and how many milliseconds at most. Then
 *  zc_subscriber_run handles what there is; it never blocks. */
size_t zc_subscriber_pollitems (zc_subscriber_t *self, zmq_pollitem_t items[4]);
long zc_subscriber_timeout (const zc_subscriber_t *self);
void zc_subscriber_run (zc_subscriber_t *self);

#endif
