/*  incoming.h - from Redis to the broker: subscriptions, channel to topic, acknowledged publishing,
 *  and what other sites relay. */
#ifndef ZC_INCOMING_H
#define ZC_INCOMING_H

#include "bridge/address.h"
#include "bridge/mapping.h"
#include "bridge/outlet.h"
#include "lib/peer/publisher.h"

typedef struct zc_incoming zc_incoming_t;

typedef struct {
    const zc_address_t *address; /* borrowed */
    const char *control;         /* the broker's */
    const char *site;            /* our name among sites; borrowed */
    const zc_outlet_t *relay;    /* topics shared with other sites, or NULL; borrowed */
    const zc_outlet_t *outlet; /* channels that we send on: what comes there is our own; or NULL */
    const char *outgoing_prefix; /* of the channels that bridges send on; borrowed */
    size_t queue_bytes;          /* messages that wait for the broker; beyond it the oldest goes */
} zc_incoming_config_t;

typedef struct {
    uint64_t received; /* messages from Redis */
    uint64_t invalid;  /* channels that make no topic, relay messages that are none */
    uint64_t echoes;   /* our own, come back */
    uint64_t gaps; /* times that subscriptions were lost: what was published meanwhile is gone */
    uint64_t forbidden; /* times that Redis refused a subscription which it hadn't refused before */
} zc_incoming_stats_t;

/*  Takes the mapping. NULL with errno where the endpoint is malformed. */
zc_incoming_t *zc_incoming_new (void *context, const zc_incoming_config_t *config,
                                zc_mapping_t **mapping_p);
void zc_incoming_destroy (zc_incoming_t **self_p);
/*  Takes another mapping: subscribes and unsubscribes the difference. */
void zc_incoming_remap (zc_incoming_t *self, zc_mapping_t **mapping_p);
/*  Takes nothing more from Redis; what has been taken is still published. */
void zc_incoming_close (zc_incoming_t *self);

const zc_incoming_stats_t *zc_incoming_stats (const zc_incoming_t *self);
const zc_publisher_t *zc_incoming_publisher (const zc_incoming_t *self);
/*  "away", "subscribing", "refused" (some subscription is), or "connected": all of them are
 *  confirmed. `complaint` is what is wrong, "" where nothing is; borrowed until the next call. */
const char *zc_incoming_state (const zc_incoming_t *self, const char **complaint);
/*  How many subscriptions there should be, and how many Redis has confirmed. */
size_t zc_incoming_subscriptions (const zc_incoming_t *self, size_t *confirmed);

/*  For the owner's zmq_poll: 0..3 items. */
size_t zc_incoming_pollitems (zc_incoming_t *self, zmq_pollitem_t items[3]);
long zc_incoming_timeout (const zc_incoming_t *self);
void zc_incoming_run (zc_incoming_t *self);

#endif
