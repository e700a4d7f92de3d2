/*  channel.h - a set of topics in one encoding, and the feed that its clients follow.
 *
 *  The feed is in the order of ids over all topics of the channel: one id says all that a client
 *  needs to come back with. A channel lives as long as it has clients, and `linger` longer. */
#ifndef ZC_CHANNEL_H
#define ZC_CHANNEL_H

#include "lib/base/heap.h"
#include "lib/engine/feed.h"
#include "lib/engine/subscription.h"

/*  All channels of a hub. */
typedef struct zc_channels zc_channels_t;

/*  Those of a channel's clients that don't follow its feed: of zc_join_t, which join.c puts in and
 *  takes out. */
typedef struct {
    zc_slots_t all;
    zc_slots_t due;  /* to be tried when the channel is settled */
    zc_heap_t ahead; /* wait for the feed, by the position that it must reach */
} zc_joins_t;

zc_channels_t *zc_channels_new (zc_shared_t *shared, const zc_upstream_t *upstream);
/*  Their clients have left before. Unsubscribes nothing: the link may be gone already, and takes
 *  its subscriptions with it. */
void zc_channels_destroy (zc_channels_t **self_p);
/*  Lets go of what is kept for those who come back, the oldest first, until no more than `goal`
 *  bytes are held in all. */
void zc_channels_let_go (zc_channels_t *self, size_t goal);
/*  Lets go of what none of its clients waits for. */
void zc_channel_let_go (zc_channel_t *self);
/*  Of all channels' topics. */
zc_subscriptions_t *zc_channels_subscriptions (zc_channels_t *self);
/*  The channel with these topics, in any order and with repeats; made where there is none. */
zc_channel_t *zc_channels_get (zc_channels_t *self, const zc_encoding_t *encoding,
                               const zc_slice_t *topics, size_t count);
/*  Iterates: *at starts at 0. Don't make or destroy channels meanwhile. */
zc_channel_t *zc_channels_next (const zc_channels_t *self, size_t *at);
/*  A channel of which something has changed that may let held messages or joins go on; NULL when
 *  none is left. */
zc_channel_t *zc_channels_next_unsettled (zc_channels_t *self);
/*  The suspicion is over: channels of several topics may go on. */
void zc_channels_unsettle_held (zc_channels_t *self);
void zc_channel_unsettle (zc_channel_t *self);
/*  Takes over what the configuration says. */
void zc_channels_configure (zc_channels_t *self);
/*  Looks after what has to be done in time. Returns a channel with clients that don't follow its
 *  feed and are due something: a heartbeat, which the others have had; or what they were given goes
 *  out, though their first event isn't there yet. NULL when there is none left. */
typedef enum { ZC_DUE_HEARTBEAT, ZC_DUE_OPEN } zc_due_t;
zc_channel_t *zc_channels_next_due (zc_channels_t *self, zc_due_t *what);
/*  The clock was set back: counts from here. */
void zc_channels_restart_clock (zc_channels_t *self);

void zc_channel_destroy (zc_channel_t **self_p);
/*  Its questions were forgotten. */
void zc_channel_disconnected (zc_channel_t *self);
/*  Its topics begin anew: so does its feed, which nobody follows any more. */
void zc_channel_begin_anew (zc_channel_t *self);
/*  Whether it is so new that the first event of its clients is a moment away, if the broker
 * answers.
 */
bool zc_channel_opening (const zc_channel_t *self);

/*  It has no feed, and every topic is confirmed. */
bool zc_channel_can_begin (const zc_channel_t *self);
/*  Begins its feed. `oldest` is where its clients left off, ZC_ID_MAX where none says: history is
 *  asked once for all of them. */
void zc_channel_begin (zc_channel_t *self, zc_id_t oldest);
/*  Hands over what was held back, as far as possible. False where it has no feed. */
bool zc_channel_settle (zc_channel_t *self);
/*  What verified positions allow: moves the feed's last id on without bytes. */
void zc_channel_advance (zc_channel_t *self);

void zc_channel_add (zc_channel_t *self, zc_client_t *client);
void zc_channel_remove (zc_channel_t *self, zc_client_t *client);
/*  Tells those that follow the feed whether the worker's broker answers. */
void zc_channel_stale (zc_channel_t *self, bool stale);
/*  The first event of a client that is owed no verdict, or not yet: it tells where that client is,
 *  which can come back to that before it has had any message. */
void zc_channel_greet (zc_channel_t *self, zc_client_t *client, zc_id_t position);

/*  What it is. */

zc_shared_t *zc_channel_shared (const zc_channel_t *self);
const zc_encoding_t *zc_channel_encoding (const zc_channel_t *self);
/*  Sorted, none twice (borrowed). */
const zc_slice_t *zc_channel_topics (const zc_channel_t *self, size_t *count);
/*  The same with LF between them (borrowed). */
zc_slice_t zc_channel_topic_list (const zc_channel_t *self);
/*  Of the topic with this index. */
zc_subscription_t *zc_channel_subscription (const zc_channel_t *self, size_t index);
/*  What happens to clients that are too slow. */
zc_slow_t zc_channel_policy (const zc_channel_t *self);
/*  NULL as long as it hasn't got one. */
zc_feed_t *zc_channel_feed (const zc_channel_t *self);
const zc_audience_t *zc_channel_audience (const zc_channel_t *self);
zc_joins_t *zc_channel_joins (zc_channel_t *self);

#endif
