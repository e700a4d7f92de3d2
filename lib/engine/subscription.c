/*  subscription.c - does what the order of a topic decides.
 *
 *  zc_subscription_message asks the order whether a message comes next, and hands it to the
 *  topic's channels. Everything else is for a topic on which messages are missing. */
#include "lib/engine/subscription.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/table.h"
#include "lib/base/timeouts.h"

struct zc_subscription {
    zc_node_t node;
    zc_slice_t topic; /* key; owned */
    zc_subscriptions_t *set;
    zc_order_t order;
    uint64_t fetch;       /* token of the repair under way, or 0 */
    zc_subject_t subject; /* in the SYNC that is wanted or under way */
    bool keeps_latest;
    zc_message_t *latest; /* owned; the newest message */
    zc_slots_t followers;
    size_t waiting;      /* slot among the repairs that wait for room */
    zc_timeout_t quiet;  /* when to ask whether a message was missed */
    zc_id_t quiet_since; /* `complete` when that timeout began */
};

struct zc_subscriptions {
    zc_shared_t *shared;
    zc_upstream_t upstream;
    const zc_follower_t *hooks; /* borrowed; the same for every follower */
    zc_table_t table;           /* owns zc_subscription_t */
    zc_slots_t waiting;         /* of zc_subscription_t: those whose followers have no room */
    zc_timeouts_t timeouts;     /* of zc_subscription_t; one kind */
};

/*  The set. */

zc_subscriptions_t *zc_subscriptions_new (zc_shared_t *shared, const zc_upstream_t *upstream,
                                          const zc_follower_t *hooks)
{
    zc_subscriptions_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->shared = shared;
    self->upstream = *upstream;
    self->hooks = hooks;
    zc_table_init (&self->table);
    zc_timeouts_init (&self->timeouts);
    return self;
}

static void s_unsubscribe_nothing (void *self, const char *topic, size_t len)
{
    (void)self;
    (void)topic;
    (void)len;
}

void zc_subscriptions_close (zc_subscriptions_t *self)
{
    self->upstream.unsubscribe = s_unsubscribe_nothing;
}

void zc_subscriptions_destroy (zc_subscriptions_t **self_p)
{
    zc_subscriptions_t *self = *self_p;
    if (!self)
        return;
    zc_table_clear (&self->table);
    zc_slots_clear (&self->waiting);
    free (self);
    *self_p = NULL;
}

zc_subscription_t *zc_subscriptions_find (const zc_subscriptions_t *self, zc_slice_t topic)
{
    return zc_table_get (&self->table, topic);
}

/*  Followers. */

static void s_begin_quiet (zc_subscription_t *self)
{
    self->quiet_since = self->order.complete;
    zc_timeouts_start (&self->set->timeouts, &self->quiet, 0, self->set->shared->now_ms);
}

static zc_subscription_t *s_new (zc_subscriptions_t *set, zc_slice_t topic)
{
    zc_subscription_t *self = calloc (1, sizeof *self);
    char *copy = malloc (topic.len);
    if (!self || !copy)
        abort ();
    memcpy (copy, topic.at, topic.len);
    self->topic = (zc_slice_t){copy, topic.len};
    self->set = set;
    self->subject.about = self;
    self->subject.name = self->topic;
    zc_table_add (&set->table, self);
    set->shared->stats.topics++;
    set->upstream.subscribe (set->upstream.self, copy, topic.len);
    zc_subscription_want_sync (self);
    s_begin_quiet (self);
    return self;
}

zc_subscription_t *zc_subscription_follow (zc_subscriptions_t *set, zc_slice_t topic,
                                           void *follower, size_t *slot)
{
    zc_subscription_t *self = zc_subscriptions_find (set, topic);
    if (!self)
        self = s_new (set, topic);
    zc_slots_add (&self->followers, follower, slot);
    /* live messages since then are held in other channels; this channel needs them from history */
    zc_order_need_held (&self->order);
    return self;
}

void zc_subscription_leave (zc_subscription_t *self, size_t *slot)
{
    zc_subscriptions_t *set = self->set;
    zc_slots_take (&self->followers, slot);
    if (self->followers.count)
        return;
    set->upstream.unsubscribe (set->upstream.self, self->topic.at, self->topic.len);
    zc_table_remove (&set->table, &self->node);
    set->shared->stats.topics--;
    zc_questions_cancel (set->shared->questions, self->fetch);
    zc_questions_unwant (set->shared->questions, &self->subject);
    zc_slots_take (&set->waiting, &self->waiting);
    zc_timeouts_stop (&set->timeouts, &self->quiet);
    zc_slots_clear (&self->followers);
    free (self->latest);
    free ((char *)(uintptr_t)self->topic.at);
    free (self);
}

/*  Tells the followers if a change of the order has begun or ended LIVE. */
static void s_tell (zc_subscription_t *self, zc_order_state_t was)
{
    bool live = self->order.state == ZC_ORDER_LIVE;
    if (live == (was == ZC_ORDER_LIVE))
        return;
    for (size_t i = 0; i < self->followers.count; i++)
        self->set->hooks->live (self->followers.at[i].item, live);
}

/*  Repair. */

static void s_page_message (void *asker, const zc_message_t *message);
static void s_page_end (void *asker, const zc_page_end_t *end);
static void s_page_failed (void *asker);

static const zc_fetcher_t s_repair = {ZC_FETCH_REPAIR, s_page_message, s_page_end, s_page_failed};

static bool s_has_room (const zc_subscription_t *self)
{
    for (size_t i = 0; i < self->followers.count; i++)
        if (!self->set->hooks->takes_page (self->followers.at[i].item, &self->order))
            return false;
    return true;
}

/*  Requests the next page of a repair if the followers have room; otherwise
 *  zc_subscriptions_go_on tries again later. */
static void s_repair_further (zc_subscription_t *self)
{
    zc_questions_t *questions = self->set->shared->questions;
    if (self->fetch || self->order.state != ZC_ORDER_REPAIR || !zc_questions_can_ask (questions))
        return;
    if (!s_has_room (self)) {
        if (!self->waiting)
            zc_slots_add (&self->set->waiting, self, &self->waiting);
        return;
    }
    char since[ZC_ID_SIZE];
    zc_slice_t text = {since, zc_id_format (zc_order_known (&self->order), since)};
    self->fetch = zc_questions_fetch (questions, &s_repair, self, text, true, self->topic);
}

static void s_begin_repair (zc_subscription_t *self)
{
    self->set->shared->stats.holes++;
    s_tell (self, ZC_ORDER_LIVE);
}

static void s_keep_latest (zc_subscription_t *self, const zc_message_t *message)
{
    if (self->keeps_latest && (!self->latest || self->latest->id < message->id)) {
        free (self->latest);
        self->latest = zc_message_copy (message);
    }
}

static void s_page_message (void *asker, const zc_message_t *message)
{
    zc_subscription_t *self = asker;
    if (!zc_order_fetched (&self->order, message->id))
        return; /* an earlier page that broke off had this message */
    self->set->shared->stats.repaired++;
    for (size_t i = 0; i < self->followers.count; i++)
        self->set->hooks->history (self->followers.at[i].item, message);
    s_keep_latest (self, message);
}

static void s_page_end (void *asker, const zc_page_end_t *end)
{
    zc_subscription_t *self = asker;
    const zc_follower_t *hooks = self->set->hooks;
    zc_id_t known = zc_order_known (&self->order);
    self->fetch = 0;
    if (end->floor > known) {
        self->set->shared->stats.gaps++;
        for (size_t i = 0; i < self->followers.count; i++)
            hooks->gap (self->followers.at[i].item, self->topic, known, end->floor);
    }
    zc_order_reached (&self->order, end->head > end->floor ? end->head : end->floor);
    s_tell (self, ZC_ORDER_REPAIR);
    s_repair_further (self);
    for (size_t i = 0; i < self->followers.count; i++)
        hooks->answered (self->followers.at[i].item, ZC_ID_NONE);
}

static void s_page_failed (void *asker)
{
    zc_subscription_t *self = asker;
    self->fetch = 0;
    s_repair_further (self);
}

/*  Messages and answers. */

void zc_subscription_message (zc_subscription_t *self, const zc_message_t *message)
{
    switch (zc_order_message (&self->order, message->id, message->prev)) {
    case ZC_ORDER_REPEAT:
        self->set->shared->stats.duplicates++;
        return;
    case ZC_ORDER_HOLE:
        s_begin_repair (self);
        s_repair_further (self);
        break;
    case ZC_ORDER_NEXT:
        break;
    }
    bool room = true;
    for (size_t i = 0; i < self->followers.count; i++)
        room &= self->set->hooks->message (self->followers.at[i].item, message);
    s_keep_latest (self, message);
    if (room) {
        zc_order_took (&self->order, message->id);
    } else {
        if (zc_order_need (&self->order, message->id))
            s_begin_repair (self);
        s_repair_further (self);
    }
}

void zc_subscription_synced (zc_subscription_t *self, zc_id_t last, zc_id_t head)
{
    zc_order_state_t was = self->order.state;
    if (zc_order_synced (&self->order, last, head))
        s_begin_repair (self);
    else
        s_tell (self, was);
    s_repair_further (self);
    zc_id_t begin = was == ZC_ORDER_NEW ? last : ZC_ID_NONE;
    for (size_t i = 0; i < self->followers.count; i++)
        self->set->hooks->answered (self->followers.at[i].item, begin);
}

void zc_subscription_want_sync (zc_subscription_t *self)
{
    zc_questions_want (self->set->shared->questions, &self->subject);
}

void zc_subscriptions_want_all (zc_subscriptions_t *self)
{
    zc_table_cursor_t at = {0};
    zc_subscription_t *one;
    while ((one = zc_table_next (&self->table, &at)))
        zc_subscription_want_sync (one);
}

void zc_subscriptions_want_quiet (zc_subscriptions_t *self, unsigned quiet_ms)
{
    zc_timeout_t *timeout;
    zc_timeouts_set (&self->timeouts, 0, quiet_ms);
    while ((timeout = zc_timeouts_due (&self->timeouts, self->shared->now_ms))) {
        zc_subscription_t *one = ZC_TIMEOUT_OWNER (timeout, zc_subscription_t, quiet);
        if (one->order.state == ZC_ORDER_LIVE && one->order.complete == one->quiet_since)
            zc_subscription_want_sync (one);
        s_begin_quiet (one);
    }
}

void zc_subscriptions_restart_clock (zc_subscriptions_t *self)
{
    zc_timeouts_restart (&self->timeouts, self->shared->now_ms);
}

void zc_subscriptions_go_on (zc_subscriptions_t *self)
{
    for (size_t left = self->waiting.count; left > 0; left--) {
        zc_subscription_t *one = self->waiting.at[left - 1].item;
        zc_slots_take (&self->waiting, &one->waiting);
        s_repair_further (one); /* it may be added again, behind those that are left */
    }
}

void zc_subscriptions_disconnected (zc_subscriptions_t *self)
{
    zc_table_cursor_t at = {0};
    zc_subscription_t *one;
    while ((one = zc_table_next (&self->table, &at)))
        one->fetch = 0;
}

void zc_subscriptions_begin_anew (zc_subscriptions_t *self)
{
    zc_table_cursor_t at = {0};
    zc_subscription_t *one;
    while ((one = zc_table_next (&self->table, &at))) {
        zc_order_state_t was = one->order.state;
        zc_order_begin_anew (&one->order);
        free (one->latest);
        one->latest = NULL;
        s_tell (one, was);
    }
}

/*  Accessors. */

zc_slice_t zc_subscription_topic (const zc_subscription_t *self)
{
    return self->topic;
}

const zc_order_t *zc_subscription_order (const zc_subscription_t *self)
{
    return &self->order;
}

void zc_subscription_keep_latest (zc_subscription_t *self)
{
    self->keeps_latest = true;
}

const zc_message_t *zc_subscription_latest (const zc_subscription_t *self)
{
    return self->latest;
}
