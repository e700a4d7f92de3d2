/*  publisher.h - publishes with acknowledgement: a queue that outlasts the broker's absence,
 *  many requests in flight, each message in order and once.
 *
 *  Every message carries an idempotency key (the caller's `id` or `key` header, or a `key` made
 *  here), so a message that is sent again after a lost connection isn't published twice. The
 *  order is kept then, too. Only where the broker refuses a message for now (`busy`, `history`)
 *  may messages behind it, already on their way, be published before it. There is no thread: the
 *  owner polls. */
#ifndef ZC_PUBLISHER_H
#define ZC_PUBLISHER_H

#include <stdbool.h>
#include <zmq.h>
#include "lib/wire/id.h"
#include "lib/base/text.h"

typedef struct zc_publisher zc_publisher_t;

/*  The outcome of a message. Messages are reported in the order in which they were added. Slices
 *  are borrowed for the call. */
typedef struct {
    zc_slice_t topic;
    zc_slice_t payload; /* empty if the payload was too large to be kept */
    size_t size;        /* of the payload, in bytes */
    zc_slice_t code;    /* OK, or the code of the final refusal, or "dropped" (zc_publisher_drop) */
    zc_slice_t text;    /* the id, or a sentence */
    void *tag;          /* of zc_publisher_add_tagged; or NULL */
} zc_published_t;

typedef struct {
    const char *control; /* the broker's ROUTER endpoint, or those of several (places.h) */
    unsigned window;     /* requests in flight; 0: 200 */
    unsigned
        answer_timeout; /* ms after which a connection without any answer is given up; 0: 10 s */
    size_t max_bytes; /* a message that takes more of the queue by itself is refused; 0: no limit */
    void *arg;
    void (*published) (void *arg, const zc_published_t *published);
    /*  The broker refuses a message for now (`busy`, `history`), and will be asked again. May be
     *  NULL. */
    void (*put_off) (void *arg, zc_slice_t code, zc_slice_t text);
    /*  The connection came up, or was lost, or the first attempt failed. May be NULL. */
    void (*connected) (void *arg, bool connected);
} zc_publisher_config_t;

typedef struct {
    uint64_t published, refused, dropped; /* outcomes */
    uint64_t repeated;                    /* sent once more */
    uint64_t losses;                      /* connections that broke */
    uint64_t waiting, bytes;              /* in the queue now, with those in flight */
} zc_publisher_stats_t;

/*  NULL with errno if the endpoint is malformed. */
zc_publisher_t *zc_publisher_new (void *context, const zc_publisher_config_t *config);
/*  Messages still in the queue are forgotten without a report. */
void zc_publisher_destroy (zc_publisher_t **self_p);

/*  Queues a copy of a message. A message that is known to be too large for the broker is queued
 *  without its payload, to be refused: the broker would end the connection, and the messages
 *  behind it would wait for ever. `headers` are lines as in lib/wire/message.h, may be empty,
 *  and get a `key` line where they have neither `id` nor `key`. */
void zc_publisher_add (zc_publisher_t *self, zc_slice_t topic, zc_slice_t payload,
                       zc_slice_t headers);
/*  The same for a message that is never dropped; its outcome comes with `tag`, which isn't NULL. */
void zc_publisher_add_tagged (zc_publisher_t *self, zc_slice_t topic, zc_slice_t payload,
                              zc_slice_t headers, void *tag);
/*  Drops the oldest message without a tag that isn't on its way, and reports it at once as
 * "dropped". Returns false if there is none. */
bool zc_publisher_drop (zc_publisher_t *self);

/*  The endpoint of the broker that it publishes at, or looks for, now; borrowed until the next
 *  run. */
const char *zc_publisher_place (const zc_publisher_t *self);
bool zc_publisher_is_connected (const zc_publisher_t *self);
const zc_publisher_stats_t *zc_publisher_stats (const zc_publisher_t *self);
/*  Milliseconds that the oldest message has waited; 0 if there is none. */
uint64_t zc_publisher_age (const zc_publisher_t *self);
/*  The same, but counted from when bytes last moved on the connection: a large message may take
 *  long over a narrow link. */
uint64_t zc_publisher_quiet_ms (zc_publisher_t *self);

/*  For the owner's zmq_poll: the items to poll (0 to 2), and for how many milliseconds at most
 *  (-1: no limit). After that zc_publisher_run sends and reports all that is possible; it never
 *  blocks. */
size_t zc_publisher_pollitems (zc_publisher_t *self, zmq_pollitem_t items[2]);
long zc_publisher_timeout (const zc_publisher_t *self);
void zc_publisher_run (zc_publisher_t *self);

#endif
