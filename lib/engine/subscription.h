/*  subscription.h - one topic of a worker: subscribed at the broker as long as somebody follows it;
 *  what is complete of it, what of it is asked of history, and who gets its messages.
 *
 *  Who follows is a channel, seen here by six hooks only. */
#ifndef ZC_SUBSCRIPTION_H
#define ZC_SUBSCRIPTION_H

#include "lib/engine/shared.h"
#include "lib/order/order.h"

typedef struct zc_subscription zc_subscription_t;
/*  All of a hub's. */
typedef struct zc_subscriptions zc_subscriptions_t;

typedef struct {
    /*  A live message: to be delivered, or held back while the topic isn't LIVE. False where there
     *  is no more room to hold it back: it must come from history later. */
    bool (*message) (void *follower, const zc_message_t *message);
    /*  A message from history, to be held back whatever the room. */
    void (*history) (void *follower, const zc_message_t *message);
    /*  Whether the next page of history can be held back, or released at once. */
    bool (*takes_page) (const void *follower, const zc_order_t *order);
    /*  Between the two positions something is gone from history. */
    void (*gap) (void *follower, zc_slice_t topic, zc_id_t since, zc_id_t from);
    /*  The topic has become LIVE, or has ceased to be. */
    void (*live) (void *follower, bool live);
    /*  An answer of the broker's has moved on what is known of the topic. Nothing up to `begin`
     *  will come; ZC_ID_NONE: that isn't the topic's first answer. */
    void (*answered) (void *follower, zc_id_t begin);
} zc_follower_t;

zc_subscriptions_t *zc_subscriptions_new (zc_shared_t *shared, const zc_upstream_t *upstream,
                                          const zc_follower_t *hooks);
/*  The link may be gone already: nothing is unsubscribed from now on. */
void zc_subscriptions_close (zc_subscriptions_t *self);
/*  Nobody follows any more. */
void zc_subscriptions_destroy (zc_subscriptions_t **self_p);
/*  NULL where nobody follows the topic. */
zc_subscription_t *zc_subscriptions_find (const zc_subscriptions_t *self, zc_slice_t topic);
/*  Wants a SYNC about every topic. */
void zc_subscriptions_want_all (zc_subscriptions_t *self);
/*  Wants a SYNC about each LIVE topic on which nothing came for so long: what the broker says of it
 *  lets the ids of idle clients go on. */
void zc_subscriptions_want_quiet (zc_subscriptions_t *self, unsigned quiet_ms);
/*  The clock was set back: counts from here. */
void zc_subscriptions_restart_clock (zc_subscriptions_t *self);
/*  Asks for further pages of repairs whose followers had no room. */
void zc_subscriptions_go_on (zc_subscriptions_t *self);
/*  The questions were forgotten. */
void zc_subscriptions_disconnected (zc_subscriptions_t *self);
/*  The broker's positions went back: nothing is known of any topic. */
void zc_subscriptions_begin_anew (zc_subscriptions_t *self);

/*  Subscribes where nobody does yet. *slot is the follower's number for this topic. */
zc_subscription_t *zc_subscription_follow (zc_subscriptions_t *set, zc_slice_t topic,
                                           void *follower, size_t *slot);
/*  Unsubscribes after the last one; the subscription is gone then. */
void zc_subscription_leave (zc_subscription_t *self, size_t *slot);
/*  A live message of this topic. */
void zc_subscription_message (zc_subscription_t *self, const zc_message_t *message);
/*  The answer to a SYNC: the topic's last position, when all was published up to `head`. */
void zc_subscription_synced (zc_subscription_t *self, zc_id_t last, zc_id_t head);
/*  Wants a SYNC about this topic. */
void zc_subscription_want_sync (zc_subscription_t *self);
zc_slice_t zc_subscription_topic (const zc_subscription_t *self);
const zc_order_t *zc_subscription_order (const zc_subscription_t *self);
/*  Keeps its newest message from now on, for policy `latest`. */
void zc_subscription_keep_latest (zc_subscription_t *self);
/*  NULL where it keeps none. */
const zc_message_t *zc_subscription_latest (const zc_subscription_t *self);

#endif
