/*  incoming.h - from Redis to the broker: subscriptions, the mapping of channels to topics,
 *  acknowledged publishing, and the messages that other sites relay. */
#ifndef ZC_INCOMING_H
#define ZC_INCOMING_H

#include "lib/redis/address.h"
#include "bridge/mapping.h"
#include "bridge/outlet.h"
#include "lib/peer/publisher.h"

typedef struct zc_incoming zc_incoming_t;

typedef struct {
    const zc_address_t *address; /* borrowed */
    const char *control;         /* the broker's control endpoint */
    const char *site;            /* our name among sites; borrowed */
    const zc_outlet_t *relay;    /* topics shared with other sites, or NULL; borrowed */
    const zc_outlet_t *outlet; /* our own channels: messages there are echoes; or NULL; borrowed */
    const char *outgoing_prefix; /* of the channels that bridges send on; borrowed */
    size_t queue_bytes;          /* bytes that may wait for the broker; beyond, the oldest go */
} zc_incoming_config_t;

typedef struct {
    uint64_t received;  /* messages from Redis */
    uint64_t invalid;   /* channels that give no topic, and relay messages that are no envelopes */
    uint64_t echoes;    /* our own messages that came back */
    uint64_t gaps;      /* times that subscriptions, and messages with them, were lost */
    uint64_t forbidden; /* times that Redis newly refused a subscription */
} zc_incoming_stats_t;

/*  Takes the mapping. NULL with errno if an endpoint is malformed. */
zc_incoming_t *zc_incoming_new (void *context, const zc_incoming_config_t *config,
                                zc_mapping_t **mapping_p);
void zc_incoming_destroy (zc_incoming_t **self_p);
/*  Takes another mapping, and subscribes and unsubscribes the difference. */
void zc_incoming_remap (zc_incoming_t *self, zc_mapping_t **mapping_p);
/*  Takes no more messages from Redis. Those already taken are still published. */
void zc_incoming_close (zc_incoming_t *self);

const zc_incoming_stats_t *zc_incoming_stats (const zc_incoming_t *self);
const zc_publisher_t *zc_incoming_publisher (const zc_incoming_t *self);
/*  The state: "away"; "subscribing"; "refused" if Redis refuses some subscription; or "connected"
 *  if Redis has confirmed all subscriptions. `complaint` is the current problem, "" if there is
 *  none; borrowed until the next call. */
const char *zc_incoming_state (const zc_incoming_t *self, const char **complaint);
/*  The number of subscriptions that are wanted, and in *confirmed the number that Redis has
 *  confirmed. */
size_t zc_incoming_subscriptions (const zc_incoming_t *self, size_t *confirmed);

/*  For the owner's zmq_poll: 0 to 3 items; the timeout in ms; and the call after the poll. */
size_t zc_incoming_pollitems (zc_incoming_t *self, zmq_pollitem_t items[4]);
long zc_incoming_timeout (const zc_incoming_t *self);
void zc_incoming_run (zc_incoming_t *self);

#endif
