/*  incoming.h - from Redis to the broker: subscriptions, the mapping of channels to topics,
 *  acknowledged publishing, and the messages that other sites relay. */
#ifndef ZC_INCOMING_H
#define ZC_INCOMING_H

#include "lib/redis/address.h"
#include "bridge/mapping.h"
#include "bridge/outlet.h"
#include "bridge/streams.h"
#include "lib/peer/publisher.h"

typedef struct zc_incoming zc_incoming_t;

typedef struct {
    const zc_address_t *address; /* borrowed */
    const char *control;         /* the broker's control endpoint */
    const char *site;            /* our name among sites; borrowed */
    const zc_outlet_t *relay;    /* topics shared with other sites, or NULL; borrowed */
    const zc_outlet_t *outlet; /* our own channels: messages there are echoes; or NULL; borrowed */
    const char *outgoing_prefix; /* of the channels that bridges send on; borrowed */
    const char *stream_field;    /* zc_streams_config_t */
    bool streams_earliest;       /* the same */
    size_t queue_bytes;          /* bytes that may wait for the broker; beyond, the oldest go */
} zc_incoming_config_t;

typedef struct {
    uint64_t received;  /* messages of channels */
    uint64_t invalid;   /* channels that give no topic, and relay messages that are no envelopes */
    uint64_t echoes;    /* our own messages that came back */
    uint64_t gaps;      /* times that subscriptions, and messages with them, were lost */
    uint64_t forbidden; /* times that Redis newly refused a subscription */
} zc_incoming_stats_t;

/*  Takes the mappings of channels and of Streams. NULL with errno if an endpoint is malformed. */
zc_incoming_t *zc_incoming_new (void *context, const zc_incoming_config_t *config,
                                zc_mapping_t **mapping_p, zc_mapping_t **streams_p);
void zc_incoming_destroy (zc_incoming_t **self_p);
/*  Takes other mappings, and subscribes and unsubscribes the difference. */
void zc_incoming_remap (zc_incoming_t *self, zc_mapping_t **mapping_p, zc_mapping_t **streams_p);
/*  The line of our broker's positions. A site that relays messages of the same line is on the same
 *  log, or at the same broker, where these messages are already: they are refused. */
void zc_incoming_set_line (zc_incoming_t *self, zc_slice_t line);
/*  While it stands by, it takes nothing. When it works again, it goes on where another bridge of
 * this site has left off; `missed`: what was published on channels meanwhile may be lost. */
void zc_incoming_work (zc_incoming_t *self, bool works, bool missed);
/*  Takes no more messages from Redis. Those already taken are still published. */
void zc_incoming_close (zc_incoming_t *self);

const zc_incoming_stats_t *zc_incoming_stats (const zc_incoming_t *self);
const zc_publisher_t *zc_incoming_publisher (const zc_incoming_t *self);
const zc_streams_t *zc_incoming_streams (const zc_incoming_t *self);
/*  The state: "away"; "subscribing"; "refused" if Redis refuses some subscription or Stream; or
 *  "connected" if Redis has confirmed all subscriptions. `complaint` is the current problem, "" if
 * there is none; borrowed until the next call. */
const char *zc_incoming_state (const zc_incoming_t *self, const char **complaint);
/*  The number of subscriptions that are wanted, and in *confirmed the number that Redis has
 *  confirmed. */
size_t zc_incoming_subscriptions (const zc_incoming_t *self, size_t *confirmed);

/*  Whether the broker has answered everything, and Redis has the places of Streams. */
bool zc_incoming_is_idle (const zc_incoming_t *self);

/*  For the owner's zmq_poll, with ZC_STREAMS_ITEMS more for each Stream; the timeout in ms; and the
 * call after the poll. */
size_t zc_incoming_pollitems (zc_incoming_t *self, zmq_pollitem_t *items);
long zc_incoming_timeout (const zc_incoming_t *self);
void zc_incoming_run (zc_incoming_t *self);

#endif
