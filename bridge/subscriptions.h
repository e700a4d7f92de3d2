/*  subscriptions.h - the subscriptions that a bridge wants, and those that Redis has confirmed. No
 *  I/O.
 *
 *    wanted -> asked -> confirmed
 *      ^         `----> refused: asked again, less and less often
 *      `-- the connection is lost */
#ifndef ZC_SUBSCRIPTIONS_H
#define ZC_SUBSCRIPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/text.h"

typedef struct zc_redis_subscriptions zc_redis_subscriptions_t;
typedef struct zc_redis_subscription zc_redis_subscription_t;

zc_redis_subscriptions_t *zc_redis_subscriptions_new (void);
void zc_redis_subscriptions_destroy (zc_redis_subscriptions_t **self_p);

/*  Sets a new list: the subscriptions wanted between `begin` and `end`, and no others. Repeats are
 *  folded. A subscription that was wanted before keeps its state. _next_unwanted gives those that
 *  aren't wanted any more. */
void zc_redis_subscriptions_begin (zc_redis_subscriptions_t *self);
void zc_redis_subscriptions_want (zc_redis_subscriptions_t *self, zc_slice_t name, bool pattern);
void zc_redis_subscriptions_end (zc_redis_subscriptions_t *self);

/*  The next subscription to ask for; it counts as asked from now on. NULL if there is none. Valid
 *  until its answer has been told, or until _lost. */
zc_redis_subscription_t *zc_redis_subscriptions_next (zc_redis_subscriptions_t *self,
                                                      uint64_t now_ms);
/*  The next subscription that Redis may have, and that isn't wanted any more: to be unsubscribed.
 *  Valid until the next call. */
zc_redis_subscription_t *zc_redis_subscriptions_next_unwanted (zc_redis_subscriptions_t *self);
/*  When the next subscription is to be asked for, monotonic ms. UINT64_MAX: not before something
 *  happens. */
uint64_t zc_redis_subscriptions_due (const zc_redis_subscriptions_t *self);

zc_slice_t zc_redis_subscription_name (const zc_redis_subscription_t *self);
bool zc_redis_subscription_is_pattern (const zc_redis_subscription_t *self);

/*  The answers of Redis. `confirmed` returns whether messages were missed, because the subscription
 *  had been there before and was lost. `refused` keeps the reason, and returns whether the refusal
 *  is new. */
bool zc_redis_subscriptions_confirmed (zc_redis_subscriptions_t *self,
                                       zc_redis_subscription_t *subscription);
bool zc_redis_subscriptions_refused (zc_redis_subscriptions_t *self,
                                     zc_redis_subscription_t *subscription, const char *reason,
                                     uint64_t now_ms);
/*  Whether the subscription was refused until now; to be asked before `confirmed` is called. */
bool zc_redis_subscription_was_refused (const zc_redis_subscription_t *self);
/*  Redis has ended a subscription that nobody asked it to end: it is asked for anew. False if there
 *  is no such subscription. */
bool zc_redis_subscriptions_gone (zc_redis_subscriptions_t *self, zc_slice_t name, bool pattern);
/*  The connection is lost: all subscriptions have to be asked for again. */
void zc_redis_subscriptions_lost (zc_redis_subscriptions_t *self);

size_t zc_redis_subscriptions_wanted (const zc_redis_subscriptions_t *self);
size_t zc_redis_subscriptions_count_confirmed (const zc_redis_subscriptions_t *self);
/*  The number of subscriptions that are refused now, and the reason of one of them ("" if there is
 *  none; borrowed). */
size_t zc_redis_subscriptions_count_refused (const zc_redis_subscriptions_t *self,
                                             const char **reason);

#endif
