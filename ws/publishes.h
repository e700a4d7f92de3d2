/*  publishes.h - the messages of a WebSocket client that wait for the broker's answer. */
#ifndef ZC_PUBLISHES_H
#define ZC_PUBLISHES_H

#include "lib/front/posting.h"

typedef struct zc_publishes zc_publishes_t;

/*  `ref` is the one given to zc_publishes_send; both are borrowed for the call, in which the
 *  publishes may be destroyed. */
typedef void (*zc_publishes_fn) (void *arg, const char *ref, const zc_receipt_t *receipt);

/*  `front` is borrowed. */
zc_publishes_t *zc_publishes_new (zc_front_t *front, zc_publishes_fn fn, void *arg);
/*  Later answers are ignored. */
void zc_publishes_destroy (zc_publishes_t **self_p);

/*  How many wait. */
unsigned zc_publishes_count (const zc_publishes_t *self);

/*  Sends a message (copied); `ref` may be NULL. `fn` is called once for it; at once if it can't
 *  be sent, for example because 64 others wait. */
void zc_publishes_send (zc_publishes_t *self, const char *ref, zc_slice_t topic, zc_slice_t payload,
                        zc_slice_t headers);

#endif
