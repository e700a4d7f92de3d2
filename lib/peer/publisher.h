/*  publisher.h - publishes with acknowledgement: a queue that survives the broker's absence, many
 *  requests in flight, each message in order and once.
 *
 *  Every message carries an idempotency key (the caller's `id` or `key` header, or a `key` made
 *  here), so a message that is sent again after a lost connection is not published twice. Order is
 * kept also then; only where the broker refuses one message for now (`busy`, `history`) may
 * messages behind it, already on their way, be published before it. No thread; the owner polls. */
#ifndef ZC_PUBLISHER_H
#define ZC_PUBLISHER_H

#include <stdbool.h>
#include <zmq.h>
#include "lib/wire/id.h"
#include "lib/base/text.h"

typedef struct zc_publisher zc_publisher_t;

/*  What became of a message. Messages are reported in the order they were added. Slices are
 *  borrowed for the call. */
typedef struct {
    zc_slice_t topic;
    zc_slice_t payload; /* empty where it was so large that it wasn't kept */
    size_t size;        /* of the payload, in bytes */
    zc_slice_t code;    /* OK, or why it is refused for good; "dropped": zc_publisher_drop */
    zc_slice_t text;    /* the id; else a sentence */
} zc_published_t;

typedef struct {
    const char *control; /* the broker's ROUTER endpoint */
    unsigned window;     /* requests in flight; 0: 200 */
    unsigned
        answer_timeout; /* ms; a connection without any answer for so long is given up; 0: 10 s */
    size_t max_bytes;   /* what takes more of the queue by itself is refused; 0: no limit */
    void *arg;
    void (*published) (void *arg, const zc_published_t *published);
    /*  The broker refuses a message for now (`busy`, `history`), and is asked again. May be NULL.
     */
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

/*  NULL with errno where the endpoint is malformed. */
zc_publisher_t *zc_publisher_new (void *context, const zc_publisher_config_t *config);
/*  Messages still in the queue are forgotten without a report. */
void zc_publisher_destroy (zc_publisher_t **self_p);

/*  Queues a copy, or, where it is known to be too large for the broker, only that it is refused:
 * the broker would end the connection, and whatever is behind it would wait for ever. `headers` are
 *  lines as in lib/wire/message.h, may be empty, and get a `key` line where they have neither `id`
 *  nor `key`. */
void zc_publisher_add (zc_publisher_t *self, zc_slice_t topic, zc_slice_t payload,
                       zc_slice_t headers);
/*  Forgets the oldest message that is not on its way, reported (at once) as "dropped". False where
 *  there is none. */
bool zc_publisher_drop (zc_publisher_t *self);

bool zc_publisher_is_connected (const zc_publisher_t *self);
const zc_publisher_stats_t *zc_publisher_stats (const zc_publisher_t *self);
/*  Milliseconds that the oldest message has waited; 0 where there is none. */
uint64_t zc_publisher_age (const zc_publisher_t *self);
/*  The same, but counted from when anything last moved on the connection: a large message may take
 *  long over a narrow link. */
uint64_t zc_publisher_quiet_ms (zc_publisher_t *self);

/*  For the owner's zmq_poll: what to poll (0..2 items), and how many milliseconds at most (-1: no
 *  limit). Then zc_publisher_run sends and reports what there is; it never blocks. */
size_t zc_publisher_pollitems (zc_publisher_t *self, zmq_pollitem_t items[2]);
long zc_publisher_timeout (const zc_publisher_t *self);
void zc_publisher_run (zc_publisher_t *self);

#endif
