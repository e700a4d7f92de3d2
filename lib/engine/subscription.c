/*  subscription.c - does what the order of a topic decides.
 *
 *  zc_subscription_message asks the order whether a message comes next, and hands it to the
 *  topic's channels. Everything else is for a topic on which messages are missing. */
#include "lib/engine/subscription.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/table.h"
#include "lib/base/timeouts.h"
#include "lib/engine/selection.h"
#include "lib/wire/answer.h"

struct zc_subscription {
    zc_node_t node;
    zc_slice_t topic;       /* key; owned; the name of a selector */
    zc_selected_t selected; /* all zero for a topic; its selector is owned */
    zc_subscriptions_t *set;
    zc_order_t order;
    uint64_t fetch;       /* token of the repair under way, or 0 */
    zc_subject_t subject; /* in the SYNC that is wanted or under way */
    bool keeps_latest;
    zc_message_t *latest; /* owned; the newest message */
    zc_slots_t followers;
    size_t clients;      /* of all followers */
    size_t place;        /* in the order by clients; 0: it has none */
    size_t waiting;      /* slot among the repairs that wait for room */
    zc_timeout_t quiet;  /* when to ask whether a message was missed */
    zc_id_t told;        /* the end of the last gap that the followers were told */
    zc_id_t quiet_since; /* `complete` when that timeout began */
    /*  Of a selector: */
    size_t among;   /* slot among all selectors */
    size_t listing; /* slot among those that want a list of topics, or are in the one asked for */
    bool asked;     /* it is in the latter */
    zc_id_t missed; /* the newest position listed that isn't known to have come */
};

struct zc_subscriptions {
    zc_shared_t *shared;
    zc_upstream_t upstream;
    const zc_follower_t *hooks; /* borrowed; the same for every follower */
    zc_table_t table;           /* owns zc_subscription_t */
    zc_slots_t waiting;         /* of zc_subscription_t: those whose followers have no room */
    zc_heap_t popular;          /* of zc_subscription_t: those with clients, the most first */
    zc_timeouts_t timeouts;     /* of zc_subscription_t; one kind */
    zc_selection_t *selection;  /* owned: the selectors by topic */
    zc_slots_t selectors;       /* of zc_subscription_t: the same selectors */
    zc_slots_t wanting, asked;  /* of zc_subscription_t: selectors that want a list of topics; and
                                   those in the list under way */
    uint64_t doubts,
        doubts_asked; /* suspicions, and how many there were when the list was asked for */
};

/*  The set. */

static void *s_find_named (void *set, zc_slice_t topic)
{
    return zc_table_get (&((zc_subscriptions_t *)set)->table, topic);
}

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
    self->selection = zc_selection_new (s_find_named, self);
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
    zc_heap_clear (&self->popular);
    zc_slots_clear (&self->selectors);
    zc_slots_clear (&self->wanting);
    zc_slots_clear (&self->asked);
    zc_selection_destroy (&self->selection);
    free (self);
    *self_p = NULL;
}

zc_subscription_t *zc_subscriptions_find (const zc_subscriptions_t *self, zc_slice_t topic)
{
    return zc_table_get (&self->table, topic);
}

/*  Followers. */

/*  Wants a list of the selector's topics. */
static void s_want_list (zc_subscription_t *self)
{
    if (!self->listing)
        zc_slots_add (&self->set->wanting, self, &self->listing);
}

static void s_begin_quiet (zc_subscription_t *self)
{
    self->quiet_since = self->order.complete;
    zc_timeouts_start (&self->set->timeouts, &self->quiet, 0, self->set->shared->now_ms);
}

/*  Its SYNC shows that the subscription is live; for that, any topic will do. If a topic has the
 * name with which the selector begins, they share a subscription: the broker counts each. */
static void s_begin_selector (zc_subscription_t *self)
{
    zc_subscriptions_t *set = self->set;
    const char *error;
    self->selected.selector = zc_selector_of (self->topic, &error);
    self->selected.item = self;
    if (!self->selected.selector)
        abort (); /* whoever follows it has checked the name */
    zc_slice_t beginning = zc_selector_beginning (self->selected.selector);
    self->subject.name = beginning.len ? beginning : (zc_slice_t){"*", 1};
    self->order.doubted = set->shared->losses.suspect;
    zc_slots_add (&set->selectors, self, &self->among);
    set->shared->stats.selectors++;
    if (zc_selection_add (set->selection, &self->selected) &&
        !zc_subscriptions_find (set, beginning))
        set->upstream.subscribe (set->upstream.self, beginning.at, beginning.len);
}

static void s_end_selector (zc_subscription_t *self)
{
    zc_subscriptions_t *set = self->set;
    zc_slice_t beginning = zc_selector_beginning (self->selected.selector);
    if (zc_selection_remove (set->selection, &self->selected) &&
        !zc_subscriptions_find (set, beginning))
        set->upstream.unsubscribe (set->upstream.self, beginning.at, beginning.len);
    zc_slots_take (&set->selectors, &self->among);
    zc_slots_take (self->asked ? &set->asked : &set->wanting, &self->listing);
    set->shared->stats.selectors--;
    zc_selector_destroy (&self->selected.selector);
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
    if (zc_names_selector (topic)) {
        s_begin_selector (self);
    } else {
        zc_selection_name (set->selection, self->topic, self);
        set->shared->stats.topics++;
        if (!zc_selection_begins (set->selection, self->topic))
            set->upstream.subscribe (set->upstream.self, copy, topic.len);
    }
    zc_questions_want (set->shared->questions, &self->subject);
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
    if (self->order.state != ZC_ORDER_LIVE)
        self->told = ZC_ID_NONE; /* the new one hasn't heard of it */
    return self;
}

void zc_subscription_leave (zc_subscription_t *self, size_t *slot)
{
    zc_subscriptions_t *set = self->set;
    zc_slots_take (&self->followers, slot);
    if (self->followers.count)
        return;
    zc_table_remove (&set->table, &self->node);
    if (self->selected.selector) {
        s_end_selector (self);
    } else {
        zc_selection_name (set->selection, self->topic, NULL);
        if (!zc_selection_begins (set->selection, self->topic))
            set->upstream.unsubscribe (set->upstream.self, self->topic.at, self->topic.len);
        set->shared->stats.topics--;
    }
    zc_questions_cancel (set->shared->questions, self->fetch);
    zc_questions_unwant (set->shared->questions, &self->subject);
    zc_slots_take (&set->waiting, &self->waiting);
    zc_heap_take (&set->popular, &self->place);
    zc_timeouts_stop (&set->timeouts, &self->quiet);
    zc_slots_clear (&self->followers);
    free (self->latest);
    free ((char *)(uintptr_t)self->topic.at);
    free (self);
}

void zc_subscription_count (zc_subscription_t *self, int clients)
{
    zc_heap_t *popular = &self->set->popular;
    self->clients += (size_t)clients;
    uint64_t order = UINT64_MAX - self->clients;
    if (!self->clients)
        zc_heap_take (popular, &self->place);
    else if (self->place)
        zc_heap_set (popular, &self->place, order);
    else
        zc_heap_add (popular, self, order, &self->place);
}

size_t zc_subscription_clients (const zc_subscription_t *self)
{
    return self->clients;
}

size_t zc_subscriptions_popular (const zc_subscriptions_t *self, zc_subscription_t **popular,
                                 size_t max)
{
    void *items[ZC_HEAP_FIRST_MAX];
    size_t count = zc_heap_firsts (&self->popular, items, max);
    for (size_t i = 0; i < count; i++)
        popular[i] = items[i];
    return count;
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

/*  Nothing is known to be missing; it isn't known either that nothing is. */
static bool s_waits_for_list (const zc_subscription_t *self)
{
    return self->order.doubted && self->order.need <= zc_order_known (&self->order);
}

/*  Requests the next page of a repair if the followers have room; otherwise
 *  zc_subscriptions_go_on tries again later. */
static void s_repair_further (zc_subscription_t *self)
{
    zc_questions_t *questions = self->set->shared->questions;
    if (self->fetch || self->order.state != ZC_ORDER_REPAIR || !zc_questions_can_ask (questions) ||
        s_waits_for_list (self))
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
    if (end->floor > known && end->floor > self->told) {
        self->told = end->floor;
        self->set->shared->stats.gaps++;
        zc_incidents_add (&self->set->shared->incidents, ZC_LOSS_HISTORY, self->set->shared->now_ms,
                          self->topic, NULL);
        for (size_t i = 0; i < self->followers.count; i++)
            hooks->gap (self->followers.at[i].item,
                        self->selected.selector ? (zc_slice_t){"", 0} : self->topic, known,
                        end->floor);
    }
    /* of a topic, everything up to the floor is gone; of a selector's topics, some may have
     * messages before the floor of another one */
    bool gone = end->floor > end->head && !self->selected.selector;
    zc_order_reached (&self->order, gone ? end->floor : end->head);
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

static void s_message (zc_subscription_t *self, const zc_message_t *message)
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

/*  Notes which of the topic's messages came without a hole. */
static void s_note (zc_topic_route_t *route, const zc_message_t *message)
{
    if (message->id <= route->last)
        return;
    if (message->prev > route->last || route->last == ZC_ID_NONE)
        route->since = message->prev;
    route->last = message->id;
}

bool zc_subscriptions_message (zc_subscriptions_t *self, const zc_message_t *message)
{
    if (self->selectors.count == 0) {
        zc_subscription_t *named = zc_subscriptions_find (self, message->topic);
        if (named)
            s_message (named, message);
        return named != NULL;
    }
    zc_topic_route_t *route = zc_selection_route (self->selection, message->topic);
    s_note (route, message);
    if (route->named)
        s_message (route->named, message);
    for (size_t i = 0; i < route->count; i++)
        s_message (route->items[i], message);
    return route->named || route->count;
}

void zc_subscription_synced (zc_subscription_t *self, zc_id_t last, zc_id_t head)
{
    zc_order_state_t was = self->order.state;
    if (self->selected.selector) {
        if (was != ZC_ORDER_NEW)
            return; /* the list of topics tells what is missing */
        last = head;
    }
    if (zc_order_synced (&self->order, last, head))
        s_begin_repair (self);
    else
        s_tell (self, was);
    s_repair_further (self);
    if (self->order.doubted)
        s_want_list (self);
    zc_id_t begin = was == ZC_ORDER_NEW ? last : ZC_ID_NONE;
    for (size_t i = 0; i < self->followers.count; i++)
        self->set->hooks->answered (self->followers.at[i].item, begin);
}

void zc_subscription_want_sync (zc_subscription_t *self)
{
    if (self->selected.selector && self->order.state != ZC_ORDER_NEW)
        s_want_list (self);
    else
        zc_questions_want (self->set->shared->questions, &self->subject);
}

void zc_subscriptions_want_all (zc_subscriptions_t *self)
{
    zc_table_cursor_t at = {0};
    zc_subscription_t *one;
    while ((one = zc_table_next (&self->table, &at)))
        zc_questions_want (self->shared->questions, &one->subject);
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
    zc_subscriptions_unlisted (self);
}

void zc_subscriptions_begin_anew (zc_subscriptions_t *self)
{
    zc_table_cursor_t at = {0};
    zc_subscription_t *one;
    zc_selection_forget (self->selection);
    while ((one = zc_table_next (&self->table, &at))) {
        zc_order_state_t was = one->order.state;
        zc_order_begin_anew (&one->order);
        one->told = ZC_ID_NONE;
        one->order.doubted = one->selected.selector != NULL; /* until the connection is checked */
        free (one->latest);
        one->latest = NULL;
        s_tell (one, was);
    }
}

/*  Lists of topics. */

void zc_subscriptions_doubt (zc_subscriptions_t *self)
{
    self->doubts++;
    for (size_t i = 0; i < self->selectors.count; i++) {
        zc_subscription_t *one = self->selectors.at[i].item;
        if (zc_order_doubt (&one->order))
            s_tell (one, ZC_ORDER_LIVE);
        s_want_list (one);
    }
}

static zc_slice_t s_beginning (const void *item)
{
    const zc_subscription_t *self = item;
    return zc_selector_beginning (self->selected.selector);
}

/*  Moves those that want a list to those that are in it. A selector whose SYNC isn't answered
 * stays, as it wants one then. Returns the position from which on all of them need it. */
static zc_id_t s_gather (zc_subscriptions_t *self)
{
    zc_id_t since = ZC_ID_MAX;
    for (size_t i = self->wanting.count; i > 0; i--) {
        zc_subscription_t *one = self->wanting.at[i - 1].item;
        if (one->order.state == ZC_ORDER_NEW)
            continue;
        zc_slots_take (&self->wanting, &one->listing);
        zc_slots_add (&self->asked, one, &one->listing);
        one->asked = true;
        one->missed = ZC_ID_NONE;
        if (zc_order_known (&one->order) < since)
            since = zc_order_known (&one->order);
    }
    return since;
}

void zc_subscriptions_list (zc_subscriptions_t *self)
{
    zc_slice_t prefixes[ZC_PREFIXES_MAX];
    zc_questions_t *questions = self->shared->questions;
    if (self->wanting.count == 0 || self->shared->losses.suspect ||
        zc_questions_listing (questions) || !zc_questions_trusted (questions))
        return;
    zc_id_t since = s_gather (self);
    if (self->asked.count == 0)
        return;
    size_t count = zc_selection_beginnings (&self->asked, s_beginning, prefixes, ZC_PREFIXES_MAX);
    self->doubts_asked = self->doubts;
    zc_questions_list (questions, since, prefixes, count);
}

void zc_subscriptions_unlisted (zc_subscriptions_t *self)
{
    zc_subscription_t *one;
    while ((one = zc_slots_pop (&self->asked))) {
        one->asked = false;
        s_want_list (one);
    }
}

/*  Whether all messages of the topic between the two positions came live. */
static bool s_came (const zc_topic_route_t *route, zc_id_t after, zc_id_t last)
{
    return route->since <= after && route->last >= last;
}

/*  Something was published on the topic at `last`. */
static void s_listed (zc_subscriptions_t *self, zc_slice_t topic, zc_id_t last)
{
    const zc_topic_route_t *route = zc_selection_route (self->selection, topic);
    for (size_t i = 0; i < route->count; i++) {
        zc_subscription_t *one = route->items[i];
        zc_id_t known = zc_order_known (&one->order);
        if (one->asked && last > known && last > one->missed && !s_came (route, known, last))
            one->missed = last;
    }
}

/*  The broker has forgotten topics on which something was published after what is known here. If
 *  nothing points to a loss, that is no sign of one; but `head` can't be relied on. */
static void s_take_list (zc_subscription_t *self, zc_id_t head, zc_id_t forgotten)
{
    zc_order_state_t was = self->order.state;
    bool unsure = forgotten > zc_order_known (&self->order);
    if (self->order.doubted) {
        zc_id_t last = unsure && forgotten > self->missed ? forgotten : self->missed;
        zc_order_is_sure (&self->order, last, head);
        s_tell (self, was);
        self->set->shared->stats.holes += last > ZC_ID_NONE;
    } else if (self->missed > ZC_ID_NONE || !unsure) {
        if (zc_order_synced (&self->order, self->missed, head))
            s_begin_repair (self);
    }
    s_repair_further (self);
    for (size_t i = 0; i < self->followers.count; i++)
        self->set->hooks->answered (self->followers.at[i].item, ZC_ID_NONE);
}

void zc_subscriptions_listed (zc_subscriptions_t *self, zc_id_t head, zc_id_t forgotten,
                              zc_slice_t listed)
{
    zc_id_t last;
    zc_slice_t topic;
    if (self->doubts != self->doubts_asked) { /* the list doesn't tell of the latest loss */
        zc_subscriptions_unlisted (self);
        return;
    }
    while (zc_listed_next (&listed, &last, &topic))
        s_listed (self, topic, last);
    zc_subscription_t *one;
    while ((one = zc_slots_pop (&self->asked))) {
        one->asked = false;
        s_take_list (one, head, forgotten);
    }
}

/*  Accessors. */

bool zc_subscription_has (const zc_subscription_t *self, zc_slice_t topic)
{
    return self->selected.selector ? zc_selector_match (self->selected.selector, topic)
                                   : zc_slice_compare (self->topic, topic) == 0;
}

bool zc_subscription_is_selector (const zc_subscription_t *self)
{
    return self->selected.selector != NULL;
}

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
