/*  channel.h - a set of topics in one encoding, as clients with one view of them see it, and the
 * feed that they follow.
 *
 *  The feed is in the order of ids over all topics of the channel: one id is all that a client
 *  needs to come back with. A channel lives as long as it has clients, and `linger` longer. */
#ifndef ZC_CHANNEL_H
#define ZC_CHANNEL_H

#include "lib/access/grants.h"
#include "lib/base/heap.h"
#include "lib/base/table.h"
#include "lib/engine/feed.h"
#include "lib/engine/subscription.h"

/*  All channels of a hub. */
typedef struct zc_channels zc_channels_t;

/*  A channel's clients that don't follow its feed: objects of zc_join_t, which join.c adds and
 *  takes out. */
typedef struct {
    zc_slots_t all;
    zc_slots_t due;  /* tried when the channel is settled */
    zc_heap_t ahead; /* wait until the feed reaches a position; sorted by it */
} zc_joins_t;

zc_channels_t *zc_channels_new (zc_shared_t *shared, const zc_upstream_t *upstream);
/*  Their clients have left before. No topic is unsubscribed: the link may be gone already, and
 *  its subscriptions with it. */
void zc_channels_destroy (zc_channels_t **self_p);
/*  Frees bytes that are kept for clients that may come back, the oldest first, until no more
 *  than `goal` bytes are held in all. */
void zc_channels_let_go (zc_channels_t *self, size_t goal);
/*  Frees bytes that none of the channel's clients waits for. */
void zc_channel_let_go (zc_channel_t *self);
/*  The subscriptions of all channels' topics. */
zc_subscriptions_t *zc_channels_subscriptions (zc_channels_t *self);
/*  The channel with these topics, in any order and with repeats; it is made where there is none.
 *  `view` is what its clients may see; NULL: nothing is granted to them. */
zc_channel_t *zc_channels_get (zc_channels_t *self, const zc_encoding_t *encoding,
                               const zc_slice_t *topics, size_t count, const zc_view_t *view);
/*  Iterates: *at starts at 0. Don't make or destroy channels meanwhile. */
zc_channel_t *zc_channels_next (const zc_channels_t *self, zc_table_cursor_t *at);
/*  A channel in which something has changed that may let held messages or joins go on; NULL when
 *  none is left. */
zc_channel_t *zc_channels_next_unsettled (zc_channels_t *self);
/*  The suspicion of losses.h is over: channels of several topics may go on. */
void zc_channels_unsettle_held (zc_channels_t *self);
void zc_channel_unsettle (zc_channel_t *self);
/*  Takes over the configuration. */
void zc_channels_configure (zc_channels_t *self);
/*  To be called in time: returns a channel with clients that don't follow its feed and are due a
 *  heartbeat, which its other clients have got; or whose first bytes are sent now, though their
 *  first event isn't there yet. NULL when none is left. */
typedef enum { ZC_DUE_HEARTBEAT, ZC_DUE_OPEN } zc_due_t;
zc_channel_t *zc_channels_next_due (zc_channels_t *self, zc_due_t *what);
/*  The clock was set back: times are counted from now. */
void zc_channels_restart_clock (zc_channels_t *self);

/*  The channel's questions to the broker were forgotten. */
void zc_channel_disconnected (zc_channel_t *self);
/*  The channel's topics begin anew: so does its feed, which no client follows any more. */
void zc_channel_begin_anew (zc_channel_t *self);
/*  Whether the channel is so new that the first event of its clients is a moment away, if the
 *  broker answers. */
bool zc_channel_opening (const zc_channel_t *self);

/*  Whether the channel has no feed, and every topic is confirmed. */
bool zc_channel_can_begin (const zc_channel_t *self);
/*  Begins the channel's feed. `oldest` is the oldest position that a client comes back with,
 *  ZC_ID_MAX where none has one: history is asked once for all of them. */
void zc_channel_begin (zc_channel_t *self, zc_id_t oldest);
/*  Appends the messages that were held back, as far as possible. False where the channel has no
 *  feed. */
bool zc_channel_settle (zc_channel_t *self);
/*  Moves the feed's last id on to the verified positions, without bytes. */
void zc_channel_advance (zc_channel_t *self);

void zc_channel_add (zc_channel_t *self, zc_client_t *client);
void zc_channel_remove (zc_channel_t *self, zc_client_t *client);
/*  Tells the clients that follow the feed whether the worker's broker answers. */
void zc_channel_stale (zc_channel_t *self, bool stale);
/*  Sends the first event to a client that is owed no verdict, or not yet. It tells the client's
 *  position, so that the client can come back with it before it has got a message. */
void zc_channel_greet (zc_channel_t *self, zc_client_t *client, zc_id_t position);

/*  Its properties. */

zc_shared_t *zc_channel_shared (const zc_channel_t *self);
const zc_encoding_t *zc_channel_encoding (const zc_channel_t *self);
/*  The topics, sorted, without repeats (borrowed). */
const zc_slice_t *zc_channel_topics (const zc_channel_t *self, size_t *count);
/*  The topics with LF between them (borrowed). */
zc_slice_t zc_channel_topic_list (const zc_channel_t *self);
/*  What its clients may see (borrowed). */
const zc_view_t *zc_channel_view (const zc_channel_t *self);
/*  Whether the channel's clients get a message on one of its topics. Of an update with several
 *  topics they get the message on the first one that the channel has. */
bool zc_channel_shows (const zc_channel_t *self, const zc_message_t *message);
/*  The subscription of the topic with this index. */
zc_subscription_t *zc_channel_subscription (const zc_channel_t *self, size_t index);
/*  The policy for clients that are too slow. */
zc_slow_t zc_channel_policy (const zc_channel_t *self);
/*  NULL as long as the channel has no feed. */
zc_feed_t *zc_channel_feed (const zc_channel_t *self);
const zc_audience_t *zc_channel_audience (const zc_channel_t *self);
zc_joins_t *zc_channel_joins (zc_channel_t *self);

#endif
