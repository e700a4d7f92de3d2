/*  subscriptions.c - a list of a few entries, searched from front to back. */
#include "bridge/subscriptions.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define S_AGAIN_MIN_MS 500 /* after a refusal */
#define S_AGAIN_MAX_MS 15000

typedef enum { S_WANTED, S_ASKED, S_CONFIRMED, S_REFUSED } s_state_t;

struct zc_redis_subscription {
    TAILQ_ENTRY (zc_redis_subscription) entry;
    s_state_t state;
    bool pattern;
    bool listed;       /* between begin and end: it is still wanted */
    bool removed;      /* not wanted any more; freed once its answer has come */
    bool missed;       /* it was confirmed, and then lost */
    char *reason;      /* owned; of the last refusal, until Redis confirms it; NULL: none */
    uint64_t again_at; /* S_REFUSED: monotonic ms */
    unsigned again_ms;
    size_t len;
    char name[];
};

struct zc_redis_subscriptions {
    TAILQ_HEAD (, zc_redis_subscription) all; /* owned */
    zc_redis_subscription_t *unwanted;        /* owned; the last one that _next_unwanted returned */
};

zc_redis_subscriptions_t *zc_redis_subscriptions_new (void)
{
    zc_redis_subscriptions_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    TAILQ_INIT (&self->all);
    return self;
}

static void s_free (zc_redis_subscription_t *subscription)
{
    if (!subscription)
        return;
    free (subscription->reason);
    free (subscription);
}

void zc_redis_subscriptions_destroy (zc_redis_subscriptions_t **self_p)
{
    zc_redis_subscriptions_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    zc_redis_subscription_t *subscription;
    while ((subscription = TAILQ_FIRST (&self->all))) {
        TAILQ_REMOVE (&self->all, subscription, entry);
        s_free (subscription);
    }
    s_free (self->unwanted);
    free (self);
}

/*  Wanted subscriptions ------------------------------------------------------------------------ */

static zc_redis_subscription_t *s_find (const zc_redis_subscriptions_t *self, zc_slice_t name,
                                        bool pattern)
{
    zc_redis_subscription_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    if (at->pattern == pattern && zc_slice_compare (zc_redis_subscription_name (at), name) == 0)
        break;
    return at;
}

void zc_redis_subscriptions_begin (zc_redis_subscriptions_t *self)
{
    zc_redis_subscription_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    at->listed = false;
}

void zc_redis_subscriptions_want (zc_redis_subscriptions_t *self, zc_slice_t name, bool pattern)
{
    zc_redis_subscription_t *found = s_find (self, name, pattern);
    if (found) {
        found->listed = true;
        return;
    }
    zc_redis_subscription_t *made = calloc (1, sizeof *made + name.len);
    if (!made)
        abort ();
    made->listed = true;
    made->pattern = pattern;
    made->len = name.len;
    memcpy (made->name, name.at, name.len);
    TAILQ_INSERT_TAIL (&self->all, made, entry);
}

void zc_redis_subscriptions_end (zc_redis_subscriptions_t *self)
{
    zc_redis_subscription_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    at->removed = !at->listed;
}

/*  Due commands -------------------------------------------------------------------------------- */

static bool s_is_due (const zc_redis_subscription_t *subscription, uint64_t now_ms)
{
    return !subscription->removed &&
           (subscription->state == S_WANTED ||
            (subscription->state == S_REFUSED && now_ms >= subscription->again_at));
}

zc_redis_subscription_t *zc_redis_subscriptions_next (zc_redis_subscriptions_t *self,
                                                      uint64_t now_ms)
{
    zc_redis_subscription_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    if (s_is_due (at, now_ms)) {
        at->state = S_ASKED;
        break;
    }
    return at;
}

/*  A subscription that was requested waits for its answer first, which tells whether Redis has
 *  it. */
zc_redis_subscription_t *zc_redis_subscriptions_next_unwanted (zc_redis_subscriptions_t *self)
{
    s_free (self->unwanted);
    self->unwanted = NULL;
    for (zc_redis_subscription_t *at = TAILQ_FIRST (&self->all), *next; at; at = next) {
        next = TAILQ_NEXT (at, entry);
        if (!at->removed || at->state == S_ASKED)
            continue;
        TAILQ_REMOVE (&self->all, at, entry);
        if (at->state == S_CONFIRMED)
            return self->unwanted = at;
        s_free (at);
    }
    return NULL;
}

uint64_t zc_redis_subscriptions_due (const zc_redis_subscriptions_t *self)
{
    uint64_t due = UINT64_MAX;
    const zc_redis_subscription_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    {
        uint64_t when = at->removed              ? UINT64_MAX
                        : at->state == S_WANTED  ? 0
                        : at->state == S_REFUSED ? at->again_at
                                                 : UINT64_MAX;
        due = when < due ? when : due;
    }
    return due;
}

zc_slice_t zc_redis_subscription_name (const zc_redis_subscription_t *self)
{
    return (zc_slice_t){self->name, self->len};
}

bool zc_redis_subscription_is_pattern (const zc_redis_subscription_t *self)
{
    return self->pattern;
}

/*  Redis' answers ------------------------------------------------------------------------------ */

bool zc_redis_subscription_was_refused (const zc_redis_subscription_t *self)
{
    return self->reason != NULL;
}

bool zc_redis_subscriptions_confirmed (zc_redis_subscriptions_t *self,
                                       zc_redis_subscription_t *subscription)
{
    (void)self;
    bool missed = subscription->missed;
    subscription->state = S_CONFIRMED;
    subscription->missed = false;
    subscription->again_ms = 0;
    free (subscription->reason);
    subscription->reason = NULL;
    return missed;
}

bool zc_redis_subscriptions_refused (zc_redis_subscriptions_t *self,
                                     zc_redis_subscription_t *subscription, const char *reason,
                                     uint64_t now_ms)
{
    (void)self;
    bool news = !subscription->reason || strcmp (subscription->reason, reason) != 0;
    unsigned again = subscription->again_ms ? subscription->again_ms * 2 : S_AGAIN_MIN_MS;
    subscription->state = S_REFUSED;
    subscription->again_ms = again > S_AGAIN_MAX_MS ? S_AGAIN_MAX_MS : again;
    subscription->again_at = now_ms + subscription->again_ms;
    free (subscription->reason);
    if (!(subscription->reason = strdup (reason)))
        abort ();
    return news;
}

bool zc_redis_subscriptions_gone (zc_redis_subscriptions_t *self, zc_slice_t name, bool pattern)
{
    zc_redis_subscription_t *found = s_find (self, name, pattern);
    if (!found || found->state != S_CONFIRMED)
        return false;
    found->state = S_WANTED;
    found->missed = true;
    return true;
}

void zc_redis_subscriptions_lost (zc_redis_subscriptions_t *self)
{
    zc_redis_subscription_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    {
        at->missed = at->missed || at->state == S_CONFIRMED;
        at->state = S_WANTED;
    }
    zc_redis_subscriptions_next_unwanted (self); /* frees those: Redis has forgotten them, too */
}

/*  Figures ------------------------------------------------------------------------------------- */

static size_t s_count (const zc_redis_subscriptions_t *self, s_state_t state)
{
    size_t count = 0;
    const zc_redis_subscription_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    count += !at->removed && at->state == state;
    return count;
}

size_t zc_redis_subscriptions_wanted (const zc_redis_subscriptions_t *self)
{
    size_t count = 0;
    const zc_redis_subscription_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    count += !at->removed;
    return count;
}

size_t zc_redis_subscriptions_count_confirmed (const zc_redis_subscriptions_t *self)
{
    return s_count (self, S_CONFIRMED);
}

size_t zc_redis_subscriptions_count_refused (const zc_redis_subscriptions_t *self,
                                             const char **reason)
{
    size_t count = 0;
    *reason = "";
    const zc_redis_subscription_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    {
        if (at->removed || !at->reason)
            continue;
        count++;
        *reason = at->reason;
    }
    return count;
}
