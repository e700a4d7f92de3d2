/*  channel.h - a set of topics in one encoding, and the feed that its clients follow.
 *
 *  The feed is in the order of ids over all topics of the channel: one id says all that a client
 *  needs to come back with. A channel lives as long as it has clients, and `linger` longer. */
#ifndef ZC_CHANNEL_H
#define ZC_CHANNEL_H

#include "lib/engine/feed.h"
#include "lib/engine/subscription.h"

/*  All channels of a hub. */
typedef struct zc_channels zc_channels_t;

zc_channels_t *zc_channels_new (zc_shared_t *shared, const zc_upstream_t *upstream);
/*  Their clients have left before. Unsubscribes nothing: the link may be gone already, and takes
 *  its subscriptions with it. */
void zc_channels_destroy (zc_channels_t **self_p);
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

void zc_channel_destroy (zc_channel_t **self_p);
/*  Takes over what the configuration says about its topics. */
void zc_channel_configure (zc_channel_t *self);
/*  Its questions were forgotten. */
void zc_channel_disconnected (zc_channel_t *self);
/*  Its topics begin anew: so does its feed, which nobody follows any more. */
void zc_channel_begin_anew (zc_channel_t *self);
/*  Heartbeats, linger, retention; `trim`: old bytes may go, too. Its linger over, it is gone
 *  afterwards. True where its clients are due a heartbeat; those that follow the feed have had it.
 */
bool zc_channel_tick (zc_channel_t **self_p, bool trim);
/*  Whether it is so new that the first event of its clients is a moment away, if the broker
 * answers. zc_channel_open is true once, when that time is over. */
bool zc_channel_opening (const zc_channel_t *self);
bool zc_channel_open (zc_channel_t *self);
/*  The clock was set back: counts from here. */
void zc_channel_restart_clock (zc_channel_t *self);

/*  Has no feed: zc_channel_settle wants to know the oldest position that its clients have. */
bool zc_channel_is_new (const zc_channel_t *self);
/*  Goes on as far as possible: begins where every topic is confirmed, and hands over what was held
 *  back. `oldest` is where the clients of a new channel left off, ZC_ID_MAX where none says:
 * history is asked once for all of them. Returns whether it has a feed. */
bool zc_channel_settle (zc_channel_t *self, zc_id_t oldest);
/*  What verified positions allow: moves the feed's last id on without bytes. */
void zc_channel_advance (zc_channel_t *self);

void zc_channel_add (zc_channel_t *self, zc_client_t *client);
void zc_channel_remove (zc_channel_t *self, zc_client_t *client);
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
/*  Its clients that don't follow the feed: of zc_join_t, which join.c puts in and takes out. */
zc_slots_t *zc_channel_joins (zc_channel_t *self);
/*  Whether its feed says what a publisher's own id means. Topics may share one, and then it is the
 *  earliest of them, which a feed of several can't know: it may lie before the feed. */
bool zc_channel_finds_own_ids (const zc_channel_t *self);

#endif
