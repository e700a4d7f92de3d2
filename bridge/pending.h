/*  pending.h - what goes out to Redis and isn't known to be there: messages in the order of their
 *  positions, and what has become of each. No I/O.
 *
 *    queued -> sent -> answered -> (confirmed: gone)
 *      ^        |  `-> held, while its channel is forbidden; one of each is tried now and then
 *      `--------'  the connection is lost: also what was answered and not confirmed
 *
 *  A channel keeps its order: behind a message that is held, all of its channel are. */
#ifndef ZC_PENDING_H
#define ZC_PENDING_H

#include <stdbool.h>
#include "lib/base/text.h"
#include "lib/wire/id.h"

typedef struct zc_pending zc_pending_t;
typedef struct zc_parcel zc_parcel_t; /* one message; valid until it is confirmed or removed */

zc_pending_t *zc_pending_new (void);
void zc_pending_destroy (zc_pending_t **self_p);

/*  Adds a copy. `before`: the position up to which nothing is missing without this message. */
void zc_pending_add (zc_pending_t *self, zc_id_t before, zc_slice_t channel, zc_slice_t payload);
/*  The next to be sent, which then counts as sent; NULL where there is none. */
zc_parcel_t *zc_pending_next (zc_pending_t *self);
zc_slice_t zc_parcel_channel (const zc_parcel_t *self);
zc_slice_t zc_parcel_payload (const zc_parcel_t *self);

/*  What became of one that was sent. Redis has answered that it has it: where it was held, what was
 *  held behind it is queued. */
void zc_pending_answered (zc_pending_t *self, zc_parcel_t *parcel);
/*  Its channel is forbidden. Returns how many of its messages are held now. */
size_t zc_pending_hold (zc_pending_t *self, zc_parcel_t *parcel);
/*  It can never be sent. */
void zc_pending_remove (zc_pending_t *self, zc_parcel_t *parcel);

/*  All that was answered is there: it is gone. Returns how many messages. */
size_t zc_pending_confirm (zc_pending_t *self);
/*  Nothing that was sent counts: it is to be sent again, in order. */
void zc_pending_rewind (zc_pending_t *self);
/*  Queues the first message of each forbidden channel (of a hundred; then it is the next ones'
 *  turn) that isn't on its way. Returns how many. */
size_t zc_pending_try_held (zc_pending_t *self);

/*  The position up to which nothing is missing without what is pending; false where nothing is. */
bool zc_pending_position (const zc_pending_t *self, zc_id_t *position);
size_t zc_pending_count (const zc_pending_t *self);
size_t zc_pending_bytes (const zc_pending_t *self);
size_t zc_pending_sent_bytes (const zc_pending_t *self); /* sent, and not answered */
size_t zc_pending_held (const zc_pending_t *self);       /* messages */

#endif
