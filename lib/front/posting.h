/*  posting.h - one message on its way to the broker, for somebody who waits for the answer: by HTTP
 *  or on a WebSocket. */
#ifndef ZC_POSTING_H
#define ZC_POSTING_H

#include "lib/front/front.h"

typedef struct zc_posting zc_posting_t;

/*  What became of it. Slices are borrowed for the call. */
typedef struct {
    unsigned
        status; /* as HTTP says it: 200, 400, 409, 413, or 503, after which it can be sent again */
    zc_slice_t code; /* one word for programs; "" where it was taken */
    zc_slice_t text; /* one sentence; where it was taken, the id */
} zc_receipt_t;

/*  Called once; the posting is gone then. */
typedef void (*zc_posting_fn) (void *arg, const zc_receipt_t *receipt);

/*  Sends it (copied). NULL where it can't be sent: *refused then says why, and `fn` is not called.
 * A 503 whose code is `timeout` leaves open whether it was published: with a key it can be sent
 * again without being published twice. */
zc_posting_t *zc_posting_new (zc_front_t *front, zc_slice_t topic, zc_slice_t payload,
                              zc_slice_t headers, zc_posting_fn fn, void *arg,
                              zc_receipt_t *refused);
/*  Nobody waits any more: `fn` is not called. It may be published all the same. */
void zc_posting_forget (zc_posting_t **self_p);

#endif
