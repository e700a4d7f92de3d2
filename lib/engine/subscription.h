/*  subscription.h - one topic of a worker. It is subscribed at the broker as long as a channel
 *  follows it. The subscription knows which messages are complete, asks history for missing
 *  ones, and hands messages to the channels, its followers, by six hooks. */
#ifndef ZC_SUBSCRIPTION_H
#define ZC_SUBSCRIPTION_H

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
    /*  Messages between the two positions are gone from history. */
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

/*  Adds a follower, and subscribes to the topic where it is the first one. *slot is the
 *  follower's place. */
zc_subscription_t *zc_subscription_follow (zc_subscriptions_t *set, zc_slice_t topic,
                                           void *follower, size_t *slot);
/*  Removes a follower. After the last one the topic is unsubscribed, and the subscription is
 *  gone. */
void zc_subscription_leave (zc_subscription_t *self, size_t *slot);
/*  A live message of this topic. */
void zc_subscription_message (zc_subscription_t *self, const zc_message_t *message);
/*  A SYNC was answered: `last` was the topic's last position when everything up to `head` had
 *  been published. */
void zc_subscription_synced (zc_subscription_t *self, zc_id_t last, zc_id_t head);
/*  Wants a SYNC about this topic. */
void zc_subscription_want_sync (zc_subscription_t *self);
zc_slice_t zc_subscription_topic (const zc_subscription_t *self);
const zc_order_t *zc_subscription_order (const zc_subscription_t *self);
/*  Keeps the topic's newest message from now on, for policy `latest`. */
void zc_subscription_keep_latest (zc_subscription_t *self);
/*  NULL where no message is kept. */
const zc_message_t *zc_subscription_latest (const zc_subscription_t *self);

#endif
