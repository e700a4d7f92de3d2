/*  barriers.h - matches the nonces of subscriptions with the nonces of SYNCs. They come over two
 *  connections, in either order. No I/O. */
#ifndef ZC_BARRIERS_H
#define ZC_BARRIERS_H

#include "broker/outbox.h"

typedef struct zc_barriers zc_barriers_t;

/*  `answer` is called for a SYNC whose nonce was seen, `expire` for one that has waited too
 *  long. `topics` are as in the request. */
typedef void (*zc_barriers_fn) (void *arg, const zc_route_t *route, zc_slice_t topics);
zc_barriers_t *zc_barriers_new (zc_barriers_fn answer, zc_barriers_fn expire, void *arg);
void zc_barriers_destroy (zc_barriers_t **self_p);

/*  A subscription to the nonce has arrived: zc_barriers_turn answers the SYNCs that wait for it. */
void zc_barriers_seen (zc_barriers_t *self, zc_slice_t nonce, uint64_t now_ms);
/*  Answers a SYNC at once where its nonce was seen; else the SYNC waits (all of it is copied).
 *  False where too many wait already. */
bool zc_barriers_ask (zc_barriers_t *self, zc_slice_t nonce, const zc_route_t *route,
                      zc_slice_t topics, uint64_t now_ms);
/*  Answers SYNCs whose nonce has arrived, a bounded number, and forgets nonces and SYNCs older
 *  than ten seconds. */
void zc_barriers_turn (zc_barriers_t *self, uint64_t now_ms);
/*  Whether there are more SYNCs to answer. */
bool zc_barriers_ready (const zc_barriers_t *self);
/*  The number of SYNCs that aren't answered yet. */
size_t zc_barriers_waiting (const zc_barriers_t *self);

#endif
