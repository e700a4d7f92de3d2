/*  channel.c - a set of topics in one encoding and view, its feed and its clients.
 *
 *  The feed is in the order of ids over all its topics, so that one id is all that a client
 *  needs to come back with. To keep that order, a channel holds messages back while one of its
 *  topics is being repaired; channels without that topic flow on. A channel of several topics
 *  also holds messages back while the hub suspects a loss, because the next message of one topic
 *  doesn't show the hole of another. The bytes held back are bounded; messages beyond the bound
 *  are fetched from history later.
 *
 *  All clients of a channel have the same view: what one may see, all may. A message that they may
 *  not see leaves no bytes in the feed, and is never held back. */
#include "lib/engine/channel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/table.h"
#include "lib/base/timeouts.h"
#include "lib/wire/selector.h"
#include "lib/wire/update.h"

#define S_HOLD_MIN (1024 * 1024)

typedef enum {
    S_NEW,      /* some topic isn't confirmed yet; there is no feed */
    S_BACKFILL, /* the messages that its first clients missed are being fetched */
    S_LIVE,
} s_state_t;

/*  The timeouts of a channel. */
enum {
    S_HEARTBEAT,    /* it has clients, and nothing was appended lately */
    S_LINGER,       /* it has no clients */
    S_RETAIN,       /* its feed holds messages, and the first may be too old by then */
    S_RETAIN_AGAIN, /* its feed still holds messages */
    S_OPENING,      /* the head of a stream waits for its first event */
};
#define S_RETAIN_AGAIN_MS 1000 /* at least; or an eighth of `retain`, if that is more */
#define S_OPENING_MS 1000

typedef struct {
    zc_subscription_t *subscription;
    const zc_order_t *order; /* the subscription's */
    size_t slot;             /* the channel's, among the subscription's followers */
} s_topic_t;

typedef struct {
    zc_id_t since, from;
    zc_slice_t topic; /* borrowed from the subscription */
} s_gap_t;

struct zc_channel {
    zc_node_t node;
    zc_slice_t key; /* encoding, topics and view; owned */
    zc_channels_t *set;
    zc_shared_t *shared;
    const zc_encoding_t *encoding;
    s_state_t state;
    zc_slow_t policy;
    s_topic_t *topics; /* owned array, sorted by name */
    zc_slice_t *names; /* owned array; borrowed from the subscriptions */
    size_t topic_count;
    zc_view_t view;         /* its text is at the end of key */
    zc_grants_t *granted;   /* owned; those of the view; NULL: none */
    zc_buf_t topic_list;    /* names with LF between them, for fetch */
    zc_feed_t *feed;        /* owned; NULL until LIVE */
    zc_id_t start;          /* until LIVE: every later message is in pending or will come */
    unsigned holds;         /* topics that are not LIVE */
    zc_audience_t audience; /* its clients */
    zc_joins_t joins;       /* those of its clients that don't follow the feed */
    zc_kept_t **pending;    /* owned array: held back */
    size_t pending_count, pending_cap, pending_bytes;
    bool unsorted; /* pending isn't in the order of ids */
    s_gap_t *gaps; /* owned: each is stated when the feed gets there */
    size_t gap_count, gap_cap;
    uint64_t fetch; /* token of a backfill, or 0 */
    zc_id_t backfill_since;
    zc_timeout_t life;     /* HEARTBEAT, LINGER */
    zc_timeout_t retained; /* RETAIN, RETAIN_AGAIN */
    zc_timeout_t opening;  /* OPENING: while the channel is that new */
    uint64_t trim_at;      /* the feed may be too large once its head is here */
    size_t memory;         /* bytes of the feed, as last counted */
    size_t unsettled;      /* slot in the set's list */
};

struct zc_channels {
    zc_shared_t *shared;
    zc_subscriptions_t *subscriptions; /* owned */
    zc_table_t table;                  /* owns zc_channel_t */
    zc_slots_t unsettled;              /* of zc_channel_t */
    zc_timeouts_t timeouts;            /* of zc_channel_t: their lives and their feeds' ages */
};

static int s_compare_slices (const void *a, const void *b)
{
    const zc_slice_t *left = a, *right = b;
    return zc_slice_compare (*left, *right);
}

/*  Sorts the topics and removes doubles; returns how many are left. */
static size_t s_normalise (zc_slice_t *topics, size_t count)
{
    qsort (topics, count, sizeof *topics, s_compare_slices);
    size_t kept = 1;
    for (size_t i = 1; i < count; i++)
        if (s_compare_slices (&topics[kept - 1], &topics[i]) != 0)
            topics[kept++] = topics[i];
    return kept;
}

/*  The topics of a selector are those that begin as it does, and more; no newest message of each is
 *  kept. */
static zc_slow_t s_policy_of (const zc_hub_config_t *config, zc_slice_t name)
{
    if (!config->slow_policy)
        return ZC_SLOW_DISCONNECT;
    if (!zc_names_selector (name))
        return config->slow_policy (config->slow_arg, name);
    const char *error;
    zc_selector_t *selector = zc_selector_of (name, &error);
    zc_slow_t policy = config->slow_policy (config->slow_arg, zc_selector_beginning (selector));
    zc_selector_destroy (&selector);
    return policy == ZC_SLOW_LATEST ? ZC_SLOW_SKIP : policy;
}

static zc_slow_t s_policy (const zc_hub_config_t *config, const zc_slice_t *topics, size_t count)
{
    zc_slow_t policy = ZC_SLOW_LATEST;
    for (size_t i = 0; i < count; i++) {
        zc_slow_t one = s_policy_of (config, topics[i]);
        policy = one < policy ? one : policy;
    }
    return policy;
}

static void s_configure (zc_channel_t *self)
{
    self->policy = s_policy (&self->shared->config, self->names, self->topic_count);
    for (size_t i = 0; i < self->topic_count && self->policy == ZC_SLOW_LATEST; i++)
        zc_subscription_keep_latest (self->topics[i].subscription);
}

static void s_attach (zc_channel_t *self, size_t index, zc_slice_t name)
{
    s_topic_t *topic = &self->topics[index];
    topic->subscription =
        zc_subscription_follow (self->set->subscriptions, name, self, &topic->slot);
    topic->order = zc_subscription_order (topic->subscription);
    self->names[index] = zc_subscription_topic (topic->subscription);
    self->holds += topic->order->state != ZC_ORDER_LIVE;
    if (topic->order->complete > self->start)
        self->start = topic->order->complete;
    /* other channels have had this part of a page; this one hasn't */
    if (topic->order->handed > self->start)
        self->start = topic->order->handed;
    if (index)
        zc_buf_addc (&self->topic_list, '\n');
    zc_buf_add (&self->topic_list, name.at, name.len);
}

static zc_channel_t *s_new (zc_channels_t *set, const zc_encoding_t *encoding, zc_slice_t key,
                            const zc_slice_t *topics, size_t count, const zc_view_t *view)
{
    zc_channel_t *self = calloc (1, sizeof *self);
    char *key_copy = malloc (key.len);
    if (!self || !key_copy)
        abort ();
    memcpy (key_copy, key.at, key.len);
    self->key = (zc_slice_t){key_copy, key.len};
    self->view.grants = (zc_slice_t){key_copy + key.len - view->grants.len, view->grants.len};
    self->view.selective = view->selective;
    self->granted = zc_grants_of_view (self->view.grants);
    self->set = set;
    self->shared = set->shared;
    self->encoding = encoding;
    self->topics = calloc (count, sizeof *self->topics);
    self->names = calloc (count, sizeof *self->names);
    if (!self->topics || !self->names)
        abort ();
    self->topic_count = count;
    zc_timeouts_start (&set->timeouts, &self->life, S_LINGER, self->shared->now_ms);
    zc_timeouts_start (&set->timeouts, &self->opening, S_OPENING, self->shared->now_ms);
    for (size_t i = 0; i < count; i++)
        s_attach (self, i, topics[i]);
    s_configure (self);
    zc_table_add (&set->table, self);
    self->shared->stats.channels++;
    return self;
}

zc_channel_t *zc_channels_get (zc_channels_t *set, const zc_encoding_t *encoding,
                               const zc_slice_t *topics, size_t count, const zc_view_t *view)
{
    static const zc_view_t nothing = {.selective = false};
    view = view ? view : &nothing;
    zc_slice_t *sorted = malloc (count * sizeof *sorted);
    if (!sorted)
        abort ();
    memcpy (sorted, topics, count * sizeof *sorted);
    count = s_normalise (sorted, count);
    zc_buf_t key = ZC_BUF_INIT;
    zc_buf_adds (&key, encoding->name);
    for (size_t i = 0; i < count; i++) {
        zc_buf_addc (&key, '\n');
        zc_buf_add (&key, sorted[i].at, sorted[i].len);
    }
    zc_buf_adds (&key, view->selective ? "\n\x02s" : "\n\x02"); /* which begins no topic */
    zc_buf_add (&key, view->grants.at, view->grants.len);
    zc_slice_t name = {(const char *)key.data, key.len};
    zc_channel_t *self = zc_table_get (&set->table, name);
    if (!self)
        self = s_new (set, encoding, name, sorted, count, view);
    free (sorted);
    zc_buf_clear (&key);
    return self;
}

static void s_clear_held (zc_channel_t *self)
{
    for (size_t i = 0; i < self->pending_count; i++)
        zc_held_release (&self->shared->held, self->pending[i]);
    free (self->pending);
    free (self->gaps);
    self->pending = NULL;
    self->gaps = NULL;
    self->pending_count = self->pending_cap = self->pending_bytes = 0;
    self->gap_count = self->gap_cap = 0;
    self->unsorted = false;
}

/*  Keeps the sum of all feeds' bytes up to date. */
static void s_count_memory (zc_channel_t *self)
{
    size_t memory = self->feed ? zc_feed_memory (self->feed) : 0;
    self->shared->held.feeds += memory - self->memory;
    self->memory = memory;
}

static void s_end_feed (zc_channel_t *self)
{
    zc_feed_destroy (&self->feed);
    s_count_memory (self);
    zc_timeouts_stop (&self->set->timeouts, &self->retained);
    self->trim_at = 0;
}

static void s_destroy (zc_channel_t **self_p)
{
    zc_channel_t *self = *self_p;
    if (!self)
        return;
    assert (self->audience.count == 0 && self->joins.all.count == 0);
    zc_shared_t *shared = self->shared;
    zc_table_remove (&self->set->table, &self->node);
    shared->stats.channels--;
    zc_questions_cancel (shared->questions, self->fetch);
    zc_rounds_forget (shared->rounds, &self->audience);
    zc_slots_take (&self->set->unsettled, &self->unsettled);
    zc_timeouts_stop (&self->set->timeouts, &self->life);
    zc_timeouts_stop (&self->set->timeouts, &self->opening);
    for (size_t i = 0; i < self->topic_count; i++)
        zc_subscription_leave (self->topics[i].subscription, &self->topics[i].slot);
    s_clear_held (self);
    s_end_feed (self);
    zc_slots_clear (&self->joins.all);
    zc_slots_clear (&self->joins.due);
    zc_heap_clear (&self->joins.ahead);
    zc_buf_clear (&self->topic_list);
    free (self->topics);
    free (self->names);
    zc_grants_destroy (&self->granted);
    free ((char *)(uintptr_t)self->key.at);
    free (self);
    *self_p = NULL;
}

void zc_channel_disconnected (zc_channel_t *self)
{
    self->fetch = 0;
    zc_channel_unsettle (self);
}

void zc_channel_begin_anew (zc_channel_t *self)
{
    s_end_feed (self);
    s_clear_held (self);
    self->state = S_NEW;
    self->start = ZC_ID_NONE;
    zc_channel_unsettle (self);
}

/*  Clients. */

/*  The channel has one client more, or less. */
static void s_count (zc_channel_t *self, int clients)
{
    for (size_t i = 0; i < self->topic_count; i++)
        zc_subscription_count (self->topics[i].subscription, clients);
}

void zc_channel_add (zc_channel_t *self, zc_client_t *client)
{
    client->channel = self;
    if (self->audience.count == 0)
        zc_timeouts_start (&self->set->timeouts, &self->life, S_HEARTBEAT, self->shared->now_ms);
    zc_audience_add (&self->audience, client);
    s_count (self, 1);
}

void zc_channel_remove (zc_channel_t *self, zc_client_t *client)
{
    zc_audience_remove (&self->audience, client);
    s_count (self, -1);
    client->channel = NULL;
    client->feed = NULL;
    if (self->audience.count == 0)
        zc_timeouts_start (&self->set->timeouts, &self->life, S_LINGER, self->shared->now_ms);
}

/*  Messages. */

/*  Bytes were appended to the feed. The heartbeat is put off once for each tick of the hub,
 *  however many messages a busy channel gets in between. */
static void s_appended (zc_channel_t *self)
{
    zc_timeouts_t *timeouts = &self->set->timeouts;
    uint64_t now = self->shared->now_ms;
    if (self->life.kind == S_HEARTBEAT && self->life.since != (uint32_t)now)
        zc_timeouts_start (timeouts, &self->life, S_HEARTBEAT, now);
    if (!self->retained.on)
        zc_timeouts_start (timeouts, &self->retained, S_RETAIN, now);
    s_count_memory (self);
    zc_rounds_add (self->shared->rounds, &self->audience);
}

static size_t s_retain (const zc_channel_t *self)
{
    const zc_hub_config_t *config = &self->shared->config;
    return config->retain > config->max_lag ? config->retain : config->max_lag;
}

static void s_trim_large (zc_channel_t *self);

/*  The names are in order, and those of selectors, which begin with a control character, come
 *  first. */
static bool s_has (const zc_channel_t *self, zc_slice_t topic)
{
    size_t i = 0;
    for (; i < self->topic_count && zc_names_selector (self->names[i]); i++)
        if (zc_subscription_has (self->topics[i].subscription, topic))
            return true;
    return i < self->topic_count && bsearch (&topic, self->names + i, self->topic_count - i,
                                             sizeof *self->names, s_compare_slices);
}

/*  Whether the channel has a topic of the update that comes before the message's own: then it shows
 *  the message on that topic. */
static bool s_is_repeat (const zc_channel_t *self, const zc_message_t *message)
{
    zc_slice_t rest = message->topics, topic;
    char text[ZC_TOPIC_MAX];
    while (zc_update_next (&rest, text, &topic) && zc_slice_compare (topic, message->topic) != 0)
        if (s_has (self, topic))
            return zc_update_names (rest, message->topic);
    return false;
}

static bool s_is_granted (const zc_channel_t *self, const zc_message_t *message)
{
    zc_slice_t rest = message->topics, topic;
    char text[ZC_TOPIC_MAX];
    if (!self->granted)
        return false;
    if (zc_grants_allow (self->granted, ZC_GRANT_SUBSCRIBE, message->topic))
        return true;
    while (zc_update_next (&rest, text, &topic))
        if (zc_grants_allow (self->granted, ZC_GRANT_SUBSCRIBE, topic))
            return true;
    return false;
}

/*  The rules say that the message's topic isn't for everyone. */
static bool s_is_restricted (zc_shared_t *shared, const zc_message_t *message)
{
    if (!shared->restricts)
        return false;
    if (shared->restricts_id != message->id) {
        shared->restricted = shared->restricts (shared->restricts_arg, message->topic);
        shared->restricts_id = message->id;
    }
    return shared->restricted;
}

bool zc_channel_shows (const zc_channel_t *self, const zc_message_t *message)
{
    if (!message->private_ && !message->topics.len && !self->view.selective)
        return true;
    if (message->topics.len && s_is_repeat (self, message))
        return false;
    bool asks =
        message->private_ || (self->view.selective && s_is_restricted (self->shared, message));
    return !asks || s_is_granted (self, message);
}

/*  The feed is complete up to a message that it doesn't show. */
static void s_pass_over (zc_channel_t *self, const zc_message_t *message)
{
    self->shared->stats.withheld++;
    zc_feed_advance (self->feed, message->id);
    if (self->joins.ahead.count)
        zc_channel_unsettle (self);
}

static void s_append (zc_channel_t *self, const zc_message_t *message)
{
    zc_hub_stats_t *stats = &self->shared->stats;
    bool late = message->id <= zc_feed_last (self->feed);
    if (late &&
        (message->id <= zc_feed_start (self->feed) || zc_feed_has (self->feed, message->id))) {
        stats->duplicates++;
        return;
    }
    const zc_buf_t *bytes = zc_encoder_bytes (self->shared->encoder, self->encoding, message);
    /* happens only with a broker that doesn't state its drops; late is better than never */
    if (late) {
        stats->late++;
        zc_feed_append_control (self->feed, bytes->data, bytes->len);
    } else {
        zc_feed_append (self->feed, bytes->data, bytes->len, message->id);
    }
    stats->delivered += self->audience.count;
    stats->wanted += self->audience.count;
    zc_ages_add (&self->shared->ages, zc_id_ms (message->id), self->audience.count);
    s_appended (self);
    if (self->joins.ahead.count)
        zc_channel_unsettle (self);
    if (zc_feed_head (self->feed) >= self->trim_at)
        s_trim_large (self);
}

static bool s_held (const zc_channel_t *self)
{
    return self->state != S_LIVE || self->holds > 0 ||
           (self->shared->losses.suspect && self->topic_count > 1);
}

/*  Whether the topic's next messages from history go to the feed at once, because no topic of
 *  the channel is less complete. */
static bool s_waits_for (const zc_channel_t *self, const zc_order_t *order)
{
    if (self->state != S_LIVE || (self->shared->losses.suspect && self->topic_count > 1))
        return false;
    for (size_t i = 0; i < self->topic_count; i++)
        if (self->topics[i].order->state == ZC_ORDER_REPAIR &&
            self->topics[i].order->complete < order->complete)
            return false;
    return true;
}

static bool s_has_room (const zc_channel_t *self)
{
    const zc_hub_config_t *config = &self->shared->config;
    size_t least = 4 * config->max_lag > S_HOLD_MIN ? 4 * config->max_lag : S_HOLD_MIN;
    return self->pending_bytes < (config->max_hold ? config->max_hold : least) &&
           zc_held_has_room (&self->shared->held);
}

static bool s_takes_page (const void *follower, const zc_order_t *order)
{
    const zc_channel_t *self = follower;
    return s_has_room (self) || s_waits_for (self, order);
}

static void s_keep (zc_channel_t *self, const zc_message_t *message)
{
    if (self->pending_count == self->pending_cap) {
        self->pending_cap = self->pending_cap ? self->pending_cap * 2 : 16;
        self->pending = realloc (self->pending, self->pending_cap * sizeof *self->pending);
        if (!self->pending)
            abort ();
    }
    if (self->pending_count && message->id <= self->pending[self->pending_count - 1]->message->id)
        self->unsorted = true;
    self->pending[self->pending_count++] = zc_held_keep (&self->shared->held, message);
    self->pending_bytes += zc_message_size (message);
}

/*  A message from history. */
static void s_hold (void *follower, const zc_message_t *message)
{
    if (zc_channel_shows (follower, message))
        s_keep (follower, message);
}

static bool s_message (void *follower, const zc_message_t *message)
{
    zc_channel_t *self = follower;
    bool shows = zc_channel_shows (self, message);
    if (!s_held (self) && self->pending_count == 0 && !zc_shared_full (self->shared)) {
        if (shows)
            s_append (self, message);
        else
            s_pass_over (self, message);
        return true;
    }
    if (!shows)
        return true;
    if (!s_has_room (self))
        return false;
    s_keep (self, message);
    if (!s_held (self))
        zc_channel_unsettle (self);
    return true;
}

static void s_gap (void *follower, zc_slice_t topic, zc_id_t since, zc_id_t from)
{
    zc_channel_t *self = follower;
    if (self->gap_count == self->gap_cap) {
        self->gap_cap = self->gap_cap ? self->gap_cap * 2 : 4;
        self->gaps = realloc (self->gaps, self->gap_cap * sizeof *self->gaps);
        if (!self->gaps)
            abort ();
    }
    self->gaps[self->gap_count++] = (s_gap_t){since, from, topic};
}

static void s_live (void *follower, bool live)
{
    zc_channel_t *self = follower;
    self->holds += live ? -1u : 1u;
    zc_channel_unsettle (self);
}

static bool s_waits (const zc_channel_t *self)
{
    return self->joins.ahead.count || self->pending_count || self->gap_count ||
           self->state != S_LIVE;
}

static void s_answered (void *follower, zc_id_t begin)
{
    zc_channel_t *self = follower;
    if (self->start < begin)
        self->start = begin;
    if (s_waits (self))
        zc_channel_unsettle (self);
}

static const zc_follower_t s_follower = {s_message, s_hold, s_takes_page,
                                         s_gap,     s_live, s_answered};

/*  Releasing the messages that were held back. */

static int s_compare_kept (const void *a, const void *b)
{
    zc_id_t left = (*(zc_kept_t *const *)a)->message->id;
    zc_id_t right = (*(zc_kept_t *const *)b)->message->id;
    return (left > right) - (left < right);
}

static int s_compare_gaps (const void *a, const void *b)
{
    const s_gap_t *left = a, *right = b;
    return (left->since > right->since) - (left->since < right->since);
}

static void s_state_gap (zc_channel_t *self, const s_gap_t *gap)
{
    if (gap->from <= self->start)
        return; /* the feed begins after this gap */
    char since[ZC_ID_SIZE];
    zc_verdict_t verdict = {.gap = true,
                            .since = {since, zc_id_format (gap->since, since)},
                            .from = gap->from,
                            .topic = gap->topic};
    verdict.position = zc_feed_last (self->feed);
    zc_buf_t bytes = ZC_BUF_INIT;
    self->encoding->verdict (&bytes, &verdict);
    zc_feed_append_gap (self->feed, bytes.data, bytes.len, gap->from);
    zc_buf_clear (&bytes);
    s_appended (self);
}

/*  States the gaps that begin before `id`. A message that history still has from within a gap
 *  comes after the gap's statement. */
static void s_state_gaps (zc_channel_t *self, zc_id_t id)
{
    size_t done = 0;
    while (done < self->gap_count && self->gaps[done].since < id)
        s_state_gap (self, &self->gaps[done++]);
    if (done) {
        self->gap_count -= done;
        memmove (self->gaps, self->gaps + done, self->gap_count * sizeof *self->gaps);
    }
}

/*  The position up to which nothing is missing on any topic. */
static zc_id_t s_least_known (const zc_channel_t *self)
{
    zc_id_t least = ZC_ID_MAX;
    for (size_t i = 0; i < self->topic_count; i++) {
        zc_id_t known = zc_order_known (self->topics[i].order);
        if (known < least)
            least = known;
    }
    return least;
}

/*  Messages from history may be ahead of messages of other topics that are still on their way
 *  live. A position is safe once a later message has come live, or once the broker has said of
 *  every topic that it has nothing more up to that position. */
static zc_id_t s_safe (const zc_channel_t *self)
{
    if (self->topic_count == 1)
        return ZC_ID_MAX;
    zc_id_t least = s_least_known (self);
    return least > self->shared->losses.received ? least : self->shared->losses.received;
}

/*  The position up to which held messages can be handed over. */
static zc_id_t s_limit (const zc_channel_t *self)
{
    if (self->shared->losses.suspect && self->topic_count > 1)
        return ZC_ID_NONE;
    zc_id_t limit = s_safe (self);
    for (size_t i = 0; i < self->topic_count && self->holds; i++) {
        const zc_order_t *order = self->topics[i].order;
        if (order->state == ZC_ORDER_NEW)
            return ZC_ID_NONE;
        if (order->state == ZC_ORDER_REPAIR && order->complete < limit)
            limit = order->complete;
    }
    return limit;
}

/*  The first `count` held messages have been handed over. */
static void s_let_go_of_pending (zc_channel_t *self, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        self->pending_bytes -= zc_message_size (self->pending[i]->message);
        zc_held_release (&self->shared->held, self->pending[i]);
    }
    self->pending_count -= count;
    if (self->pending_count > 0) {
        memmove (self->pending, self->pending + count, self->pending_count * sizeof *self->pending);
        return;
    }
    free (self->pending);
    self->pending = NULL;
    self->pending_cap = 0;
}

static void s_release (zc_channel_t *self)
{
    zc_id_t limit = s_limit (self), before = ZC_ID_NONE;
    if (limit == ZC_ID_NONE || (self->pending_count == 0 && self->gap_count == 0))
        return;
    if (self->unsorted)
        qsort (self->pending, self->pending_count, sizeof *self->pending, s_compare_kept);
    self->unsorted = false;
    if (self->gap_count > 1)
        qsort (self->gaps, self->gap_count, sizeof *self->gaps, s_compare_gaps);
    size_t done = 0;
    for (; done < self->pending_count && !zc_shared_full (self->shared); done++) {
        const zc_message_t *message = self->pending[done]->message;
        if (message->id > limit)
            break;
        s_state_gaps (self, message->id);
        if (message->id > self->start && message->id != before)
            s_append (self, message);
        before = message->id;
    }
    if (done < self->pending_count && self->pending[done]->message->id <= limit)
        zc_channel_unsettle (self); /* the bytes that the feed has must be sent first */
    else
        s_state_gaps (self, limit);
    s_let_go_of_pending (self, done);
}

/*  From NEW to LIVE. */

/*  The broker has confirmed every topic, so its start is known. The channel doesn't wait for the
 *  repair of a topic: a channel that isn't LIVE releases nothing, so it might never have the
 *  room that the repair needs. */
static bool s_confirmed (const zc_channel_t *self)
{
    for (size_t i = 0; i < self->topic_count && self->holds; i++)
        if (self->topics[i].order->state == ZC_ORDER_NEW)
            return false;
    return true;
}

static void s_go_live (zc_channel_t *self)
{
    self->state = S_LIVE;
    self->feed = zc_feed_new (self->start);
}

static void s_backfill_message (void *asker, const zc_message_t *message)
{
    s_hold (asker, message);
}

static void s_backfill_end (void *asker, const zc_page_end_t *end)
{
    zc_channel_t *self = asker;
    self->fetch = 0;
    /* otherwise there is more than a page, or a gap to state, or the broker is late; and each
     * client resumes by itself */
    if (end->remaining == 0 && end->head >= self->start && end->floor <= self->backfill_since &&
        self->backfill_since < self->start)
        self->start = self->backfill_since;
    s_go_live (self);
    zc_channel_unsettle (self);
}

static void s_backfill_failed (void *asker)
{
    zc_channel_disconnected (asker);
}

static const zc_fetcher_t s_backfiller = {ZC_FETCH_BEGINNING, s_backfill_message, s_backfill_end,
                                          s_backfill_failed};

/*  Fetches once, for all of the channel's first clients, the messages that they missed. */
static bool s_backfill (zc_channel_t *self, zc_id_t oldest)
{
    zc_questions_t *questions = self->shared->questions;
    if (oldest >= self->start || !zc_questions_can_ask (questions))
        return false;
    char since[ZC_ID_SIZE];
    zc_slice_t text = {since, zc_id_format (oldest, since)};
    self->state = S_BACKFILL;
    self->backfill_since = oldest;
    self->fetch = zc_questions_fetch (questions, &s_backfiller, self, text, false,
                                      zc_channel_topic_list (self));
    return true;
}

void zc_channel_advance (zc_channel_t *self)
{
    if (s_held (self) || self->pending_count)
        return;
    zc_id_t last = zc_feed_last (self->feed);
    zc_feed_advance (self->feed, s_least_known (self));
    if (self->joins.ahead.count && zc_feed_last (self->feed) > last)
        zc_channel_unsettle (self);
}

/*  It may be long until a live message shows that the held messages are safe, so the broker is
 *  asked. */
static void s_ask_for_safety (zc_channel_t *self)
{
    zc_id_t newest = self->pending[self->pending_count - 1]->message->id; /* sorted by s_release */
    for (size_t i = 0; i < self->topic_count; i++)
        if (zc_order_known (self->topics[i].order) < newest)
            zc_subscription_want_sync (self->topics[i].subscription);
}

void zc_channel_unsettle (zc_channel_t *self)
{
    if (!self->unsettled)
        zc_slots_add (&self->set->unsettled, self, &self->unsettled);
}

bool zc_channel_can_begin (const zc_channel_t *self)
{
    bool waits = self->state == S_NEW || (self->state == S_BACKFILL && self->fetch == 0);
    return waits && !(self->shared->losses.suspect && self->topic_count > 1) && s_confirmed (self);
}

void zc_channel_begin (zc_channel_t *self, zc_id_t oldest)
{
    if (!s_backfill (self, oldest))
        s_go_live (self);
}

bool zc_channel_settle (zc_channel_t *self)
{
    if (self->state != S_LIVE)
        return false;
    s_release (self);
    if (self->pending_count && !s_held (self))
        s_ask_for_safety (self);
    zc_channel_advance (self);
    return true;
}

/*  Upkeep. */

void zc_channel_greet (zc_channel_t *self, zc_client_t *client, zc_id_t position)
{
    zc_buf_t bytes = ZC_BUF_INIT;
    if (!self->encoding->tells_position)
        return;
    self->encoding->heartbeat (&bytes, position);
    zc_client_add (client, bytes.data, bytes.len);
    zc_rounds_ready (self->shared->rounds, client);
    zc_buf_clear (&bytes);
}

/*  Applies the slow policy to every client beyond max_lag; then old bytes may go. */
static void s_trim (zc_channel_t *self, zc_id_t oldest)
{
    uint64_t head = zc_feed_head (self->feed), reader = head;
    zc_rounds_check (self->shared->rounds, &self->audience); /* some clients may leave */
    for (size_t i = 0; i < self->audience.count; i++) {
        const zc_client_t *client = self->audience.clients[i];
        if (client->join || client->cursor == head)
            continue;
        oldest = ZC_ID_NONE;
        if (client->cursor < reader)
            /* may be inside a message; the rest of that message counts as lag */
            reader = client->cursor;
        if (!client->blocked && head - client->cursor > s_retain (self))
            return; /* the client isn't slow: this round hasn't reached it yet */
    }
    zc_feed_trim (self->feed, s_retain (self), oldest, reader);
    s_count_memory (self);
}

/*  A look at the size costs a step for each client, so the next look comes after half of
 *  `retain` more has been appended. */
static void s_trim_large (zc_channel_t *self)
{
    size_t retain = s_retain (self), size;
    size = (size_t)(zc_feed_head (self->feed) - zc_feed_tail (self->feed));
    if (size > retain * 3 / 2) {
        s_trim (self, ZC_ID_NONE);
        self->trim_at = zc_feed_head (self->feed) + retain / 2;
    } else {
        self->trim_at = zc_feed_tail (self->feed) + retain * 3 / 2 + 1;
    }
}

/*  Drops messages that are older than `retain`. */
static void s_trim_old (zc_channel_t *self)
{
    uint64_t now = self->shared->now_ms, retain = self->shared->config.retain_ms;
    s_trim (self, zc_id_from_ms (retain < now ? now - retain : 0));
    if (zc_feed_tail (self->feed) < zc_feed_head (self->feed))
        zc_timeouts_start (&self->set->timeouts, &self->retained, S_RETAIN_AGAIN, now);
    else
        zc_timeouts_stop (&self->set->timeouts, &self->retained);
}

/*  The heartbeat of the clients that follow the feed. */
static void s_heartbeat (zc_channel_t *self)
{
    zc_timeouts_start (&self->set->timeouts, &self->life, S_HEARTBEAT, self->shared->now_ms);
    if (!self->feed)
        return;
    zc_buf_t bytes = ZC_BUF_INIT;
    zc_channel_advance (self);
    self->encoding->heartbeat (&bytes, zc_feed_last (self->feed));
    zc_feed_append_control (self->feed, bytes.data, bytes.len);
    s_appended (self);
    zc_buf_clear (&bytes);
}

void zc_channel_stale (zc_channel_t *self, bool stale)
{
    if (!self->feed || !self->encoding->stale)
        return;
    zc_buf_t bytes = ZC_BUF_INIT;
    self->encoding->stale (&bytes, stale, zc_feed_last (self->feed));
    zc_feed_append_control (self->feed, bytes.data, bytes.len);
    s_appended (self);
    zc_buf_clear (&bytes);
}

void zc_channel_let_go (zc_channel_t *self)
{
    if (!self->feed)
        return;
    s_trim (self, ZC_ID_MAX);
    if (zc_feed_tail (self->feed) == zc_feed_head (self->feed))
        zc_timeouts_stop (&self->set->timeouts, &self->retained);
}

bool zc_channel_opening (const zc_channel_t *self)
{
    return self->opening.on;
}

/*  All channels. */

zc_channels_t *zc_channels_new (zc_shared_t *shared, const zc_upstream_t *upstream)
{
    zc_channels_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->shared = shared;
    self->subscriptions = zc_subscriptions_new (shared, upstream, &s_follower);
    zc_table_init (&self->table);
    zc_timeouts_init (&self->timeouts);
    zc_channels_configure (self);
    return self;
}

void zc_channels_configure (zc_channels_t *self)
{
    const zc_hub_config_t *config = &self->shared->config;
    unsigned again = config->retain_ms / 8;
    zc_timeouts_set (&self->timeouts, S_HEARTBEAT, config->heartbeat_ms ? config->heartbeat_ms : 1);
    zc_timeouts_set (&self->timeouts, S_LINGER, config->linger_ms);
    zc_timeouts_set (&self->timeouts, S_RETAIN, config->retain_ms);
    zc_timeouts_set (&self->timeouts, S_RETAIN_AGAIN,
                     again > S_RETAIN_AGAIN_MS ? again : S_RETAIN_AGAIN_MS);
    zc_timeouts_set (&self->timeouts, S_OPENING, S_OPENING_MS);
    zc_table_cursor_t at = {0};
    zc_channel_t *channel;
    while ((channel = zc_channels_next (self, &at)))
        s_configure (channel);
}

void zc_channels_restart_clock (zc_channels_t *self)
{
    zc_timeouts_restart (&self->timeouts, self->shared->now_ms);
}

zc_channel_t *zc_channels_next_due (zc_channels_t *self, zc_due_t *what)
{
    zc_timeout_t *timeout;
    zc_channel_t *channel;
    while ((timeout = zc_timeouts_due (&self->timeouts, self->shared->now_ms))) {
        switch (timeout->kind) {
        case S_HEARTBEAT:
            channel = ZC_TIMEOUT_OWNER (timeout, zc_channel_t, life);
            s_heartbeat (channel);
            *what = ZC_DUE_HEARTBEAT;
            return channel;
        case S_OPENING:
            zc_timeouts_stop (&self->timeouts, timeout);
            *what = ZC_DUE_OPEN;
            return ZC_TIMEOUT_OWNER (timeout, zc_channel_t, opening);
        case S_LINGER:
            channel = ZC_TIMEOUT_OWNER (timeout, zc_channel_t, life);
            s_destroy (&channel);
            break;
        default:
            s_trim_old (ZC_TIMEOUT_OWNER (timeout, zc_channel_t, retained));
        }
    }
    return NULL;
}

void zc_channels_destroy (zc_channels_t **self_p)
{
    zc_channels_t *self = *self_p;
    if (!self)
        return;
    zc_subscriptions_close (self->subscriptions);
    zc_table_cursor_t at = {0};
    zc_channel_t *channel;
    while ((channel = zc_channels_next (self, &at)))
        s_destroy (&channel);
    zc_subscriptions_destroy (&self->subscriptions);
    zc_table_clear (&self->table);
    zc_slots_clear (&self->unsettled);
    free (self);
    *self_p = NULL;
}

zc_subscriptions_t *zc_channels_subscriptions (zc_channels_t *self)
{
    return self->subscriptions;
}

zc_channel_t *zc_channels_next (const zc_channels_t *self, zc_table_cursor_t *at)
{
    return zc_table_next (&self->table, at);
}

zc_channel_t *zc_channels_next_unsettled (zc_channels_t *self)
{
    return zc_slots_pop (&self->unsettled);
}

void zc_channels_unsettle_held (zc_channels_t *self)
{
    zc_table_cursor_t at = {0};
    zc_channel_t *channel;
    while ((channel = zc_channels_next (self, &at)))
        if (s_waits (channel))
            zc_channel_unsettle (channel);
}

void zc_channels_let_go (zc_channels_t *self, size_t goal)
{
    const zc_held_t *held = &self->shared->held;
    for (unsigned kind = S_RETAIN_AGAIN; kind >= S_RETAIN; kind--) {
        zc_timeout_t *next = zc_timeouts_first (&self->timeouts, kind);
        while (next && zc_held_bytes (held) > goal) {
            zc_channel_t *channel = ZC_TIMEOUT_OWNER (next, zc_channel_t, retained);
            next = zc_timeouts_next (next);
            zc_channel_let_go (channel);
        }
    }
}

/*  Accessors. */

zc_shared_t *zc_channel_shared (const zc_channel_t *self)
{
    return self->shared;
}

const zc_encoding_t *zc_channel_encoding (const zc_channel_t *self)
{
    return self->encoding;
}

const zc_slice_t *zc_channel_topics (const zc_channel_t *self, size_t *count)
{
    *count = self->topic_count;
    return self->names;
}

zc_slice_t zc_channel_topic_list (const zc_channel_t *self)
{
    return (zc_slice_t){(const char *)self->topic_list.data, self->topic_list.len};
}

zc_subscription_t *zc_channel_subscription (const zc_channel_t *self, size_t index)
{
    return self->topics[index].subscription;
}

const zc_view_t *zc_channel_view (const zc_channel_t *self)
{
    return &self->view;
}

zc_slow_t zc_channel_policy (const zc_channel_t *self)
{
    return self->policy;
}

zc_feed_t *zc_channel_feed (const zc_channel_t *self)
{
    return self->feed;
}

const zc_audience_t *zc_channel_audience (const zc_channel_t *self)
{
    return &self->audience;
}

zc_joins_t *zc_channel_joins (zc_channel_t *self)
{
    return &self->joins;
}
