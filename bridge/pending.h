/*  pending.h - the messages that go out to Redis and aren't yet known to be there, in the order of
 *  their positions, and the state of each. No I/O.
 *
 *    queued -> sent -> answered -> (confirmed: gone)
 *      ^        |  `-> held, while its channel is forbidden; one of each channel is tried at times
 *      `--------'  the connection is lost: also messages that were answered and not confirmed
 *
 *  A channel keeps its order: behind a message that is held, all messages of its channel are
 *  held. */
#ifndef ZC_PENDING_H
#define ZC_PENDING_H

#include <stdbool.h>
#include "lib/base/text.h"
#include "lib/wire/id.h"

typedef struct zc_pending zc_pending_t;
typedef struct zc_parcel zc_parcel_t; /* one message; valid until it is confirmed or removed */

zc_pending_t *zc_pending_new (void);
void zc_pending_destroy (zc_pending_t **self_p);

/*  Adds a message (copied). `before`: the position up to which no message is missing, even without
 *  this one. */
void zc_pending_add (zc_pending_t *self, zc_id_t before, zc_slice_t channel, zc_slice_t payload);
/*  The next message to send; it counts as sent from now on. NULL if there is none. */
zc_parcel_t *zc_pending_next (zc_pending_t *self);
zc_slice_t zc_parcel_channel (const zc_parcel_t *self);
zc_slice_t zc_parcel_payload (const zc_parcel_t *self);

/*  For a message that was sent: Redis has answered that it has the message. If the message was
 *  held, the messages held behind it are queued. */
void zc_pending_answered (zc_pending_t *self, zc_parcel_t *parcel);
/*  Its channel is forbidden. Returns how many messages of the channel are held now. */
size_t zc_pending_hold (zc_pending_t *self, zc_parcel_t *parcel);
/*  The message can never be sent. */
void zc_pending_remove (zc_pending_t *self, zc_parcel_t *parcel);

/*  All messages that were answered are confirmed, and removed. Returns how many. */
size_t zc_pending_confirm (zc_pending_t *self);
/*  No message that was sent counts as sent any more: all of them are sent again, in order. */
void zc_pending_rewind (zc_pending_t *self);
/*  Queues the first message of each forbidden channel, unless it is already on its way. At most a
 *  hundred channels have their turn at once; the next call goes on with the next ones. Returns how
 *  many messages. */
size_t zc_pending_try_held (zc_pending_t *self);

/*  The position up to which no message is missing, even without the pending ones. False if none is
 *  pending. */
bool zc_pending_position (const zc_pending_t *self, zc_id_t *position);
size_t zc_pending_count (const zc_pending_t *self);
size_t zc_pending_bytes (const zc_pending_t *self);
size_t zc_pending_sent_bytes (const zc_pending_t *self); /* bytes sent and not yet answered */
size_t zc_pending_held (const zc_pending_t *self);       /* messages */

#endif
