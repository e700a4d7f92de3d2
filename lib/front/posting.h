/*  posting.h - one message on its way to the broker, for a client that waits for the answer, by
 *  HTTP or on a WebSocket. */
#ifndef ZC_POSTING_H
#define ZC_POSTING_H

#include "lib/front/front.h"

typedef struct zc_posting zc_posting_t;

/*  The result. Slices are borrowed for the call. */
typedef struct {
    unsigned status; /* of HTTP: 200, 400, 409, 413, or 503, after which it can be sent again */
    zc_slice_t code; /* one word for programs; "" if the broker took the message */
    zc_slice_t text; /* one sentence; if the broker took the message, the id */
} zc_receipt_t;

/*  Called once. The posting is gone afterwards. */
typedef void (*zc_posting_fn) (void *arg, const zc_receipt_t *receipt);

/*  Sends a message (copied). NULL if it can't be sent: *refused then says why, and `fn` is not
 *  called. A 503 whose code is `timeout` leaves open whether the message was published; a message
 *  with a key can be sent again without being published twice. Among several brokers that is done
 *  here, where the connection is lost before the answer came. */
zc_posting_t *zc_posting_new (zc_front_t *front, zc_slice_t topic, zc_slice_t payload,
                              zc_slice_t headers, zc_posting_fn fn, void *arg,
                              zc_receipt_t *refused);
/*  The client has stopped waiting: `fn` is not called. The message may be published all the
 *  same. */
void zc_posting_forget (zc_posting_t **self_p);

#endif
