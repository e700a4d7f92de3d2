/*  outgoing.h - from the broker to Redis: sends the messages of some topics in order and without a
 *  hole, and goes on after a restart at the position where it stopped. */
#ifndef ZC_OUTGOING_H
#define ZC_OUTGOING_H

#include "lib/redis/address.h"
#include "bridge/outlet.h"
#include "lib/peer/subscriber.h"

typedef struct zc_outgoing zc_outgoing_t;

typedef struct {
    const zc_address_t *address; /* borrowed */
    const char *subscribe;       /* the broker's subscribe endpoint */
    const char *control;         /* the broker's control endpoint */
    const char *site;            /* our name among sites; borrowed */
    const zc_outlet_t *outlet;   /* borrowed */
    bool envelope;               /* in an envelope, for other sites; else the bare payload */
    size_t queue_bytes;          /* bytes that may wait for Redis; beyond, the broker waits */
} zc_outgoing_config_t;

typedef struct {
    uint64_t relayed;        /* messages that Redis has */
    uint64_t skipped;        /* messages that came from Redis, and aren't sent there again */
    uint64_t refused;        /* messages lost because Redis refused them for good: too large */
    uint64_t forbidden;      /* times that Redis forbade a channel */
    uint64_t unkept;         /* times that Redis didn't keep the position */
    uint64_t gaps;           /* times that messages were gone from the broker's history */
    uint64_t waiting, bytes; /* messages that wait now, and their bytes */
    uint64_t held;           /* those of them that wait for a channel that is forbidden */
} zc_outgoing_stats_t;

zc_outgoing_t *zc_outgoing_new (void *context, const zc_outgoing_config_t *config);
void zc_outgoing_destroy (zc_outgoing_t **self_p);
/*  Takes no more messages from the broker. Those already taken still go out. */
void zc_outgoing_close (zc_outgoing_t *self);

/*  The line of our broker's positions; empty until it is known. Borrowed until the next run. */
zc_slice_t zc_outgoing_line (const zc_outgoing_t *self);
const zc_outgoing_stats_t *zc_outgoing_stats (const zc_outgoing_t *self);
/*  The state. "on": messages go out; "held": all but those of forbidden channels; "stopped": none,
 *  because Redis takes none, or because held messages fill the queue; "starting": none yet.
 *  `complaint` is the current problem, in any state; "" if there is none; borrowed until the next
 *  call. */
const char *zc_outgoing_state (const zc_outgoing_t *self, const char **complaint);
/*  Whether Redis has all messages, and the position. */
bool zc_outgoing_is_idle (const zc_outgoing_t *self);

/*  For the owner's zmq_poll. */
#define ZC_OUTGOING_ITEMS 8
size_t zc_outgoing_pollitems (zc_outgoing_t *self, zmq_pollitem_t items[ZC_OUTGOING_ITEMS]);
long zc_outgoing_timeout (const zc_outgoing_t *self);
void zc_outgoing_run (zc_outgoing_t *self);

#endif
