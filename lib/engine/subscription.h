/*  subscription.h - one topic of a worker, or one selector. It is subscribed at the broker as long
 * as a channel follows it. The subscription knows which messages are complete, asks history for
 *  missing ones, and hands messages to the channels, its followers, by six hooks.
 *
 *  A selector has one order for all its topics, as their positions have one order. So nothing is
 * kept of a single topic, and a topic that nobody has seen before is complete because the selector
 * is. Only one thing is harder to see: the next message of one topic doesn't show the hole of
 * another. So a selector isn't LIVE from the moment at which a loss is suspected (losses.h) until
 * the broker has listed the topics on which something was published since, and each of these
 * messages is known to have come. */
#ifndef ZC_SUBSCRIPTION_H
#define ZC_SUBSCRIPTION_H

#include "lib/base/heap.h"
#include "lib/engine/shared.h"
#include "lib/order/order.h"

typedef struct zc_subscription zc_subscription_t;
/*  All subscriptions of a hub. */
typedef struct zc_subscriptions zc_subscriptions_t;

typedef struct {
    /*  A live message, to be delivered, or held back while the topic isn't LIVE. False where
     *  there is no more room to hold it back: it must then come from history later. */
    bool (*message) (void *follower, const zc_message_t *message);
    /*  A message from history, to be held back whatever the room. */
    void (*history) (void *follower, const zc_message_t *message);
    /*  Whether the next page of history can be held back, or released at once. */
    bool (*takes_page) (const void *follower, const zc_order_t *order);
    /*  Messages between the two positions are gone from history. `topic` is empty for a
     *  selector. */
    void (*gap) (void *follower, zc_slice_t topic, zc_id_t since, zc_id_t from);
    /*  The topic has become LIVE, or has ceased to be LIVE. */
    void (*live) (void *follower, bool live);
    /*  The broker has answered, and more is known of the topic. No message up to `begin` will
     *  come; ZC_ID_NONE: this isn't the first answer about the topic. */
    void (*answered) (void *follower, zc_id_t begin);
} zc_follower_t;

zc_subscriptions_t *zc_subscriptions_new (zc_shared_t *shared, const zc_upstream_t *upstream,
                                          const zc_follower_t *hooks);
/*  No topic is unsubscribed from now on: the link may be gone already. */
void zc_subscriptions_close (zc_subscriptions_t *self);
/*  There are no followers any more. */
void zc_subscriptions_destroy (zc_subscriptions_t **self_p);
/*  Hands a live message to the subscriptions of its topic. False where there is none. */
bool zc_subscriptions_message (zc_subscriptions_t *self, const zc_message_t *message);
/*  A message may have been lost. To be called each time that a suspicion begins, before another
 *  message is handed on. */
void zc_subscriptions_doubt (zc_subscriptions_t *self);
/*  Asks the broker for the topics of the selectors that want it, unless a loss is suspected. */
void zc_subscriptions_list (zc_subscriptions_t *self);
/*  The answer: on the topics in `listed` something was published; on others, up to `head`, at most
 *  before `forgotten`. */
void zc_subscriptions_listed (zc_subscriptions_t *self, zc_id_t head, zc_id_t forgotten,
                              zc_slice_t listed);
/*  No answer comes. */
void zc_subscriptions_unlisted (zc_subscriptions_t *self);
/*  NULL where the topic has no follower. */
zc_subscription_t *zc_subscriptions_find (const zc_subscriptions_t *self, zc_slice_t topic);
/*  Wants a SYNC about every topic. */
void zc_subscriptions_want_all (zc_subscriptions_t *self);
/*  Wants a SYNC about each LIVE topic on which no message came for that long: the answers move
 *  on the ids of idle clients. */
void zc_subscriptions_want_quiet (zc_subscriptions_t *self, unsigned quiet_ms);
/*  The clock was set back: times are counted from now. */
void zc_subscriptions_restart_clock (zc_subscriptions_t *self);
/*  Asks for further pages of repairs whose followers had no room. */
void zc_subscriptions_go_on (zc_subscriptions_t *self);
/*  The questions to the broker were forgotten. */
void zc_subscriptions_disconnected (zc_subscriptions_t *self);
/*  The broker's positions went back: nothing is known of any topic. */
void zc_subscriptions_begin_anew (zc_subscriptions_t *self);

/*  Adds a follower, and subscribes to the topic, or to the beginning of the selector with this name
 *  (which is valid), where it is the first one. *slot is the
 *  follower's place. */
zc_subscription_t *zc_subscription_follow (zc_subscriptions_t *set, zc_slice_t topic,
                                           void *follower, size_t *slot);
/*  Removes a follower. After the last one the topic is unsubscribed, and the subscription is
 *  gone. */
void zc_subscription_leave (zc_subscription_t *self, size_t *slot);
/*  A SYNC was answered: `last` was the topic's last position when everything up to `head` had
 *  been published. */
void zc_subscription_synced (zc_subscription_t *self, zc_id_t last, zc_id_t head);
/*  Wants a SYNC about this topic. */
void zc_subscription_want_sync (zc_subscription_t *self);
zc_slice_t zc_subscription_topic (const zc_subscription_t *self);
bool zc_subscription_is_selector (const zc_subscription_t *self);
const zc_order_t *zc_subscription_order (const zc_subscription_t *self);
/*  One client more (1), or less (-1), has this topic. */
void zc_subscription_count (zc_subscription_t *self, int clients);
size_t zc_subscription_clients (const zc_subscription_t *self);
/*  Writes up to `max` (at most ZC_HEAP_FIRST_MAX) of the topics and selectors that most clients
 *  have, the most first. Returns how many. */
size_t zc_subscriptions_popular (const zc_subscriptions_t *self, zc_subscription_t **popular,
                                 size_t max);
/*  Whether this is the topic, or matches the selector. */
bool zc_subscription_has (const zc_subscription_t *self, zc_slice_t topic);
/*  Keeps the topic's newest message from now on, for policy `latest`. Not for selectors. */
void zc_subscription_keep_latest (zc_subscription_t *self);
/*  NULL where no message is kept. */
const zc_message_t *zc_subscription_latest (const zc_subscription_t *self);

#endif
