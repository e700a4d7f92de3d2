/*  subscriber.h - follows topics on the broker without a hole. It joins while messages flow,
 *  starts from history where asked, finds dropped messages by `prev`, SYNC and reconnects, and
 *  fetches them; it reports messages that history no longer has as a gap.
 *
 *  It is for a program that follows some topics for itself (the command line, the Redis relay);
 *  workers that serve clients use lib/engine/hub.h. There is no thread: the owner polls. */
#ifndef ZC_SUBSCRIBER_H
#define ZC_SUBSCRIBER_H

#include <stdbool.h>
#include <zmq.h>
#include "lib/wire/message.h"

typedef struct zc_subscriber zc_subscriber_t;

typedef struct {
    const char *subscribe; /* the broker's XPUB endpoint, or those of several (places.h) */
    const char *control;   /* the broker's ROUTER endpoint, or those of as many */
    const char *since;     /* an id, a publisher's own id, "earliest"; NULL: from now on */
    int hwm;               /* messages queued in ZeroMQ; 0: 300 */
    void *arg;
    /*  Called for each message once, in the order of its topic. */
    void (*message) (void *arg, const zc_message_t *message);
    /*  Messages that were published on the topic, or on topics that begin with it, in (from, to]
     *  are gone, if there were any. With `to` before `from` the broker is behind: its ids have
     *  gone back, or `since` is from the future. Then messages up to `to` may be missing. May be
     *  NULL. */
    void (*gap) (void *arg, zc_slice_t topic, bool prefix, zc_id_t from, zc_id_t to);
    /*  true: subscriptions are live, and complete from here on; false: the connection to the
     *  broker is lost. May be NULL. */
    void (*live) (void *arg, bool live);
    /*  The broker refuses a request for good, with a code and a sentence. */
    void (*refused) (void *arg, zc_slice_t code, zc_slice_t text);
} zc_subscriber_config_t;

typedef struct {
    uint64_t received, duplicates, malformed; /* messages */
    uint64_t holes, gaps, fetched, losses;    /* losses: connections that broke */
} zc_subscriber_stats_t;

/*  NULL with errno where an endpoint is malformed, or the lists don't have as many of them. */
zc_subscriber_t *zc_subscriber_new (void *context, const zc_subscriber_config_t *config);
void zc_subscriber_destroy (zc_subscriber_t **self_p);

/*  Follows a topic; to be called before the first run. With `prefix` it follows every topic that
 *  begins with this one and has messages after `since` (a position or "earliest"; else after the
 *  beginning): 10,000 topics without holes, and further ones as ZeroMQ brings them. A gap on
 *  topics that the broker has forgotten is reported for the prefix. */
void zc_subscriber_add (zc_subscriber_t *self, zc_slice_t topic, bool prefix);
/*  Stops taking messages, until it is called with false. Messages that ZeroMQ drops meanwhile
 *  are fetched later. */
void zc_subscriber_pause (zc_subscriber_t *self, bool pause);

/*  The `subscribe` endpoint of the broker that it follows, or looks for, now; borrowed until the
 *  next run. */
const char *zc_subscriber_place (const zc_subscriber_t *self);
/*  Whether the `subscribe` endpoint is connected; `live` shows that `control` answers, too. */
bool zc_subscriber_is_connected (const zc_subscriber_t *self);
/*  The time (monotonic ms) when bytes last moved to or from `control`; 0: nothing has been asked
 *  yet. */
uint64_t zc_subscriber_moved_ms (const zc_subscriber_t *self);
const zc_subscriber_stats_t *zc_subscriber_stats (const zc_subscriber_t *self);
/*  The position to go on from after a restart: all messages up to it, on all topics, were handed
 *  over or reported as gone. It goes back where the broker's ids do. During a call of `message`
 *  it includes that message. ZC_ID_NONE: not known yet. */
zc_id_t zc_subscriber_position (const zc_subscriber_t *self);

/*  The line of the broker's positions; empty until it is known. Borrowed until the next run. */
zc_slice_t zc_subscriber_line (const zc_subscriber_t *self);

/*  For the owner's zmq_poll: the items to poll (2 to 4), and for how many milliseconds at most.
 *  After that zc_subscriber_run handles all that has arrived; it never blocks. */
size_t zc_subscriber_pollitems (zc_subscriber_t *self, zmq_pollitem_t items[4]);
long zc_subscriber_timeout (const zc_subscriber_t *self);
void zc_subscriber_run (zc_subscriber_t *self);

#endif
