/*  streams.h - from Redis Streams to the broker: each is read from the place where the bridge left
 *  off, which Redis keeps. Every entry that is there is published once. */
#ifndef ZC_STREAMS_H
#define ZC_STREAMS_H

#include <zmq.h>
#include "bridge/mapping.h"
#include "lib/redis/address.h"

typedef struct zc_streams zc_streams_t;
/*  An entry on its way to the broker. */
typedef struct zc_origin zc_origin_t;

#define ZC_STREAMS_MAX 256 /* each has a connection of its own */

typedef struct {
    const zc_address_t *address; /* borrowed */
    const char *site;            /* under which places are kept; borrowed */
    const char *field;           /* of the entries, that is the payload; borrowed */
    bool earliest;               /* where a Stream begins that has no place: with its first entry */
    size_t reply_max;            /* bytes of entries that are read at once */
    void *arg;
    /*  Whether no more entries are to be read for now. */
    bool (*full) (void *arg);
    /*  An entry to publish; then zc_streams_published is called, in the order of the calls. */
    void (*publish) (void *arg, zc_slice_t topic, zc_slice_t payload, zc_slice_t headers,
                     zc_origin_t *origin);
} zc_streams_config_t;

typedef struct {
    uint64_t entries; /* that were read */
    uint64_t invalid; /* of these, that make no message */
    uint64_t missed;  /* that were removed before they were read */
    uint64_t refused; /* times that Redis newly refused to let a Stream be read */
    uint64_t unkept;  /* times that Redis didn't keep a place */
} zc_streams_stats_t;

/*  `mapping` has the names of the Streams and their topics; taken. */
zc_streams_t *zc_streams_new (const zc_streams_config_t *config, zc_mapping_t **mapping_p);
void zc_streams_destroy (zc_streams_t **self_p);
/*  Takes another mapping. A Stream that stays goes on as before. */
void zc_streams_remap (zc_streams_t *self, zc_mapping_t **mapping_p);
/*  Reads nothing and keeps no place while it stands by; begins again at the place that Redis has
 * then, since another bridge may have moved it. */
void zc_streams_work (zc_streams_t *self, bool works);
/*  Reads no more entries. Places of those that were read are still kept. */
void zc_streams_close (zc_streams_t *self);

/*  The broker has taken the message, or refused it for good. */
void zc_streams_published (zc_streams_t *self, zc_origin_t *origin);

const zc_streams_stats_t *zc_streams_stats (const zc_streams_t *self);
size_t zc_streams_count (const zc_streams_t *self, size_t *reading);
/*  A problem of some Stream, in a sentence; "" if there is none. Borrowed until the next call.
 *  *refused: Redis won't let it be read. */
const char *zc_streams_complaint (const zc_streams_t *self, bool *refused);
/*  Whether Redis has kept the places of all entries that were published, or won't. */
bool zc_streams_is_idle (const zc_streams_t *self);

/*  For the owner's zmq_poll: at most ZC_STREAMS_ITEMS for each Stream. */
#define ZC_STREAMS_ITEMS 2
size_t zc_streams_pollitems (zc_streams_t *self, zmq_pollitem_t *items);
long zc_streams_timeout (const zc_streams_t *self);
void zc_streams_run (zc_streams_t *self);

#endif
