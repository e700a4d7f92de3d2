/*  syncs.h - nonces: which a subscription has shown, and which a SYNC waits for. They come over two
 *  connections, in either order. No I/O. */
#ifndef ZC_SYNCS_H
#define ZC_SYNCS_H

#include "broker/outbox.h"

typedef struct zc_syncs zc_syncs_t;

/*  `answer` is called for a SYNC whose nonce was seen; `expire` for one that waited too long.
 * Topics as in the request. */
typedef void (*zc_syncs_fn) (void *arg, const zc_route_t *route, zc_slice_t topics);
zc_syncs_t *zc_syncs_new (zc_syncs_fn answer, zc_syncs_fn expire, void *arg);
void zc_syncs_destroy (zc_syncs_t **self_p);

/*  A subscription to the nonce has arrived: zc_syncs_turn answers what waits for it. */
void zc_syncs_seen (zc_syncs_t *self, zc_slice_t nonce, uint64_t now_ms);
/*  Answers at once where the nonce was seen, else waits (everything is copied). False where too
 *  many wait already. */
bool zc_syncs_ask (zc_syncs_t *self, zc_slice_t nonce, const zc_route_t *route, zc_slice_t topics,
                   uint64_t now_ms);
/*  Answers SYNCs whose nonce has arrived, a bounded number, and forgets what is older than ten
 *  seconds. */
void zc_syncs_turn (zc_syncs_t *self, uint64_t now_ms);
/*  There are more to answer. */
bool zc_syncs_ready (const zc_syncs_t *self);
/*  Those that aren't answered yet. */
size_t zc_syncs_waiting (const zc_syncs_t *self);

#endif
