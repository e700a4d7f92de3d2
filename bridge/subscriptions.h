/*  subscriptions.h - what a bridge wants to be subscribed to, and what Redis has confirmed of it.
 * No I/O.
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

/*  Another list: what is wanted between `begin` and `end` (repeats are folded), and no more. What
 *  was wanted before keeps its state; what isn't wanted any more is told by _next_unwanted. */
void zc_redis_subscriptions_begin (zc_redis_subscriptions_t *self);
void zc_redis_subscriptions_want (zc_redis_subscriptions_t *self, zc_slice_t name, bool pattern);
void zc_redis_subscriptions_end (zc_redis_subscriptions_t *self);

/*  The next one to be asked for, which then counts as asked; NULL where there is none. It is valid
 *  until its answer has been told, or until _lost. */
zc_redis_subscription_t *zc_redis_subscriptions_next (zc_redis_subscriptions_t *self,
                                                      uint64_t now_ms);
/*  The next one that Redis may have, and that isn't wanted any more: to be unsubscribed, and valid
 *  until the next call. */
zc_redis_subscription_t *zc_redis_subscriptions_next_unwanted (zc_redis_subscriptions_t *self);
/*  When there will be one to be asked for, monotonic ms; UINT64_MAX: not before something happens.
 */
uint64_t zc_redis_subscriptions_due (const zc_redis_subscriptions_t *self);

zc_slice_t zc_redis_subscription_name (const zc_redis_subscription_t *self);
bool zc_redis_subscription_is_pattern (const zc_redis_subscription_t *self);

/*  The answers. Confirmed: returns whether something was missed, since it had been there before and
 *  was lost. Refused: for a reason, which is kept; returns whether that is news. */
bool zc_redis_subscriptions_confirmed (zc_redis_subscriptions_t *self,
                                       zc_redis_subscription_t *subscription);
bool zc_redis_subscriptions_refused (zc_redis_subscriptions_t *self,
                                     zc_redis_subscription_t *subscription, const char *reason,
                                     uint64_t now_ms);
/*  Whether it was refused until now, in the call before `confirmed`. */
bool zc_redis_subscription_was_refused (const zc_redis_subscription_t *self);
/*  Nobody has asked for it, and it is gone: it is asked for anew. False where it isn't there. */
bool zc_redis_subscriptions_gone (zc_redis_subscriptions_t *self, zc_slice_t name, bool pattern);
/*  The connection: all has to be asked for again. */
void zc_redis_subscriptions_lost (zc_redis_subscriptions_t *self);

size_t zc_redis_subscriptions_wanted (const zc_redis_subscriptions_t *self);
size_t zc_redis_subscriptions_count_confirmed (const zc_redis_subscriptions_t *self);
/*  How many are refused now, and the reason of one of them ("" where there is none; borrowed). */
size_t zc_redis_subscriptions_count_refused (const zc_redis_subscriptions_t *self,
                                             const char **reason);

#endif
