/*  outgoing.h - from the broker to Redis: topics that go out, without a hole, in order, and again
 *  from where it left off after a restart. */
#ifndef ZC_OUTGOING_H
#define ZC_OUTGOING_H

#include "bridge/address.h"
#include "bridge/outlet.h"
#include "lib/peer/subscriber.h"

typedef struct zc_outgoing zc_outgoing_t;

typedef struct {
    const zc_address_t *address; /* borrowed */
    const char *subscribe;       /* the broker's */
    const char *control;         /* the broker's */
    const char *site;            /* our name among sites; borrowed */
    const zc_outlet_t *outlet;   /* borrowed */
    bool envelope;               /* for other sites; else the bare payload */
    size_t queue_bytes;          /* messages that wait for Redis; beyond it the broker waits */
} zc_outgoing_config_t;

typedef struct {
    uint64_t relayed;        /* Redis has them */
    uint64_t skipped;        /* came from Redis: not sent there again */
    uint64_t refused;        /* by Redis for good, and lost: larger than it takes */
    uint64_t forbidden;      /* times that Redis has forbidden a channel */
    uint64_t unkept;         /* times that it didn't keep the position */
    uint64_t gaps;           /* times that something was gone from the broker's history */
    uint64_t waiting, bytes; /* now */
    uint64_t held;           /* of those that wait: for a channel that is forbidden */
} zc_outgoing_stats_t;

zc_outgoing_t *zc_outgoing_new (void *context, const zc_outgoing_config_t *config);
void zc_outgoing_destroy (zc_outgoing_t **self_p);
/*  Takes nothing more from the broker; what has been taken still goes out. */
void zc_outgoing_close (zc_outgoing_t *self);

const zc_outgoing_stats_t *zc_outgoing_stats (const zc_outgoing_t *self);
/*  "on": what comes goes out; "held": but for channels that are forbidden; "stopped": nothing does;
 *  "starting": nothing does yet. `complaint` is what is wrong, in any state; "" where nothing is;
 *  borrowed until the next call. */
const char *zc_outgoing_state (const zc_outgoing_t *self, const char **complaint);
/*  Redis has everything, and knows the position. */
bool zc_outgoing_is_idle (const zc_outgoing_t *self);

/*  For the owner's zmq_poll. */
#define ZC_OUTGOING_ITEMS 7
size_t zc_outgoing_pollitems (zc_outgoing_t *self, zmq_pollitem_t items[ZC_OUTGOING_ITEMS]);
long zc_outgoing_timeout (const zc_outgoing_t *self);
void zc_outgoing_run (zc_outgoing_t *self);

#endif
