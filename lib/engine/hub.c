/*  hub.c - topics: what is complete, what is missing, and what is asked of the broker.
 *
 *  The way of a message: zc_hub_message finds its topic, compares prev with what is complete, and
 *  hands it to the topic's channels. Everything else here is for the case that something is
 *  missing: ZeroMQ drops in silence, and three things make that visible. A message whose prev is
 *  beyond what is complete; a `dropped` position in a message or an answer that is newer than what
 *  was reconciled; and a reconnect. */
#include "lib/engine/hub_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define S_SYNC_TOPICS 1000 /* topics in one question */
#define S_POSITION_MS 1000 /* how often the broker is asked for its head and drops */
#define S_AHEAD 4          /* clients that a round looks ahead */
/*  Pages under way. The broker serves them in turn: with more, each only takes longer, those too
 *  that live messages are held back for. */
#define S_FETCHES 64

void zc_vector_add (zc_vector_t *self, void *item)
{
    if (self->count == self->cap) {
        self->cap = self->cap ? self->cap * 2 : 4;
        self->items = realloc (self->items, self->cap * sizeof *self->items);
        if (!self->items)
            abort ();
    }
    self->items[self->count++] = item;
}

void zc_vector_drop (zc_vector_t *self, const void *item)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->items[i] == item) {
            self->items[i] = self->items[--self->count];
            return;
        }
    }
}

void zc_vector_clear (zc_vector_t *self)
{
    free (self->items);
    *self = (zc_vector_t){0};
}

static void s_free_ask (zc_ask_t *ask)
{
    zc_vector_clear (&ask->topics);
    zc_buf_clear (&ask->since);
    free (ask);
}

static void s_forget_asks (zc_hub_t *self)
{
    size_t at = 0;
    zc_ask_t *ask;
    while ((ask = zc_table_next (&self->asks, &at)))
        s_free_ask (ask);
    zc_table_clear (&self->asks);
    for (size_t i = 0; i < ZC_ASK_KINDS; i++)
        self->lines[i] = (zc_line_t){NULL, &self->lines[i].first};
    self->fetching = 0;
}

zc_hub_t *zc_hub_new (const zc_hub_config_t *config, const zc_upstream_t *upstream)
{
    zc_hub_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->config = *config;
    self->upstream = *upstream;
    zc_table_init (&self->topics);
    zc_table_init (&self->channels);
    zc_table_init (&self->asks);
    s_forget_asks (self);
    return self;
}

static void s_unsubscribe_nothing (void *self, const char *topic, size_t len)
{
    (void)self;
    (void)topic;
    (void)len;
}

static void s_destroy_channels (zc_hub_t *self)
{
    /* the link may be gone already, and takes its subscriptions with it */
    self->upstream.unsubscribe = s_unsubscribe_nothing;
    size_t at = 0;
    zc_channel_t *channel;
    while ((channel = zc_table_next (&self->channels, &at))) {
        zc_channel_destroy (&channel);
        at = 0;
    }
}

void zc_hub_destroy (zc_hub_t **self_p)
{
    zc_hub_t *self = *self_p;
    if (!self)
        return;
    s_destroy_channels (self);
    s_forget_asks (self);
    for (size_t i = 0; i < ZC_ENCODINGS_MAX; i++)
        zc_buf_clear (&self->encoded[i].bytes);
    zc_vector_t *lists[] = {&self->dirty, &self->flushing, &self->sync_wanted, &self->unsettled,
                            &self->ready};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        zc_vector_clear (lists[i]);
    zc_table_clear (&self->topics);
    zc_table_clear (&self->channels);
    zc_table_clear (&self->asks);
    free (self);
    *self_p = NULL;
}

void zc_hub_configure (zc_hub_t *self, const zc_hub_config_t *config)
{
    self->config = *config;
    size_t at = 0;
    zc_channel_t *channel;
    while ((channel = zc_table_next (&self->channels, &at)))
        zc_channel_configure (channel);
}

/*  Topics. */

zc_topic_t *zc_hub_topic (zc_hub_t *self, zc_slice_t name)
{
    zc_topic_t *topic = zc_table_get (&self->topics, name);
    if (topic)
        return topic;
    topic = calloc (1, sizeof *topic);
    char *copy = malloc (name.len);
    if (!topic || !copy)
        abort ();
    memcpy (copy, name.at, name.len);
    topic->name = (zc_slice_t){copy, name.len};
    zc_table_add (&self->topics, topic);
    self->stats.topics++;
    self->upstream.subscribe (self->upstream.self, copy, name.len);
    zc_hub_want_sync (self, topic);
    return topic;
}

void zc_hub_topic_release (zc_hub_t *self, zc_topic_t *topic, zc_channel_t *channel)
{
    zc_vector_drop (&topic->channels, channel);
    if (topic->channels.count)
        return;
    self->upstream.unsubscribe (self->upstream.self, topic->name.at, topic->name.len);
    zc_table_remove (&self->topics, topic);
    self->stats.topics--;
    zc_hub_forget_ask (self, topic->fetch);
    zc_vector_drop (&self->sync_wanted, topic);
    size_t at = 0;
    zc_ask_t *ask;
    while ((ask = zc_table_next (&self->asks, &at))) {
        for (size_t k = 0; k < ask->topics.count; k++)
            if (ask->topics.items[k] == topic)
                ask->topics.items[k] = NULL;
    }
    zc_vector_clear (&topic->channels);
    free (topic->latest);
    free ((char *)(uintptr_t)topic->name.at);
    free (topic);
}

static void s_set_state (zc_topic_t *topic, zc_topic_state_t state)
{
    bool was = topic->state == ZC_TOPIC_LIVE, is = state == ZC_TOPIC_LIVE;
    topic->state = state;
    for (size_t i = 0; i < topic->channels.count; i++) {
        zc_channel_t *channel = topic->channels.items[i];
        channel->holds += (unsigned)was - (unsigned)is;
        zc_channel_unsettle (channel);
    }
}

/*  Questions. */

static zc_ask_t *s_ask (zc_hub_t *self, zc_ask_kind_t kind, void *about)
{
    zc_ask_t *ask = calloc (1, sizeof *ask);
    if (!ask)
        abort ();
    ask->token = ++self->next_token;
    ask->key = (zc_slice_t){(const char *)&ask->token, sizeof ask->token};
    ask->kind = kind;
    ask->about = about;
    zc_table_add (&self->asks, ask);
    return ask;
}

static zc_ask_t *s_find_ask (const zc_hub_t *self, uint64_t token)
{
    return zc_table_get (&self->asks, (zc_slice_t){(const char *)&token, sizeof token});
}

static void s_leave_line (zc_hub_t *self, zc_ask_t *ask)
{
    *ask->from = ask->next;
    if (ask->next)
        ask->next->from = ask->from;
    else
        self->lines[ask->kind].end = ask->from;
    ask->from = NULL;
}

void zc_hub_forget_ask (zc_hub_t *self, uint64_t token)
{
    zc_ask_t *ask = s_find_ask (self, token);
    if (!ask)
        return;
    if (ask->from)
        s_leave_line (self, ask);
    else if (ask->kind != ZC_ASK_SYNC)
        self->fetching--;
    zc_table_remove (&self->asks, ask);
    s_free_ask (ask);
}

uint64_t zc_hub_ask_fetch (zc_hub_t *self, zc_ask_kind_t kind, void *about, zc_slice_t since,
                           zc_slice_t topics)
{
    zc_ask_t *ask = s_ask (self, kind, about);
    zc_buf_add (&ask->since, since.at, since.len);
    ask->names = topics;
    ask->from = self->lines[kind].end;
    *ask->from = ask;
    self->lines[kind].end = &ask->next;
    return ask->token;
}

static void s_send_fetches (zc_hub_t *self)
{
    for (size_t kind = 0; kind < ZC_ASK_KINDS; kind++) {
        zc_ask_t *ask;
        while (self->connected && self->fetching < S_FETCHES && (ask = self->lines[kind].first)) {
            s_leave_line (self, ask);
            self->fetching++;
            self->stats.fetches++;
            zc_slice_t since = {(const char *)ask->since.data, ask->since.len};
            self->upstream.fetch (self->upstream.self, ask->token, since, ask->names.at,
                                  ask->names.len);
        }
    }
}

static void s_ask_repair (zc_hub_t *self, zc_topic_t *topic)
{
    char since[ZC_ID_SIZE];
    zc_slice_t text = {since, zc_id_format (topic->complete, since)};
    topic->fetch = zc_hub_ask_fetch (self, ZC_ASK_REPAIR, topic, text, topic->name);
}

/*  Asks for the next page of a repair where its channels can take it; s_go_on_repairing
 *  tries again later where they haven't. */
static void s_repair_further (zc_hub_t *self, zc_topic_t *topic)
{
    if (topic->fetch || !self->connected)
        return;
    for (size_t i = 0; i < topic->channels.count; i++)
        if (!zc_channel_takes_page (topic->channels.items[i], topic))
            return;
    s_ask_repair (self, topic);
}

void zc_hub_topic_repair (zc_hub_t *self, zc_topic_t *topic, zc_id_t need)
{
    if (need > topic->need)
        topic->need = need;
    if (topic->state == ZC_TOPIC_LIVE) {
        self->stats.holes++;
        topic->need = need;
        topic->seen = topic->complete;
        s_set_state (topic, ZC_TOPIC_REPAIR);
    }
    if (topic->state == ZC_TOPIC_REPAIR)
        s_repair_further (self, topic);
}

void zc_hub_want_sync (zc_hub_t *self, zc_topic_t *topic)
{
    if (!topic->asked) {
        topic->asked = true;
        zc_vector_add (&self->sync_wanted, topic);
    }
}

static void s_send_one_sync (zc_hub_t *self, void **topics, size_t count)
{
    zc_buf_t list = ZC_BUF_INIT;
    zc_ask_t *ask = s_ask (self, ZC_ASK_SYNC, NULL);
    ask->head = self->head;
    for (size_t i = 0; i < count; i++) {
        zc_topic_t *topic = topics[i];
        topic->asked = true;
        zc_vector_add (&ask->topics, topic);
        if (i)
            zc_buf_addc (&list, '\n');
        zc_buf_add (&list, topic->name.at, topic->name.len);
    }
    self->syncing++;
    self->stats.syncs++;
    self->upstream.sync (self->upstream.self, ask->token, (const char *)list.data, list.len);
    zc_buf_clear (&list);
}

/*  One round at a time: what is wanted meanwhile waits and goes out together. */
void zc_hub_send_sync (zc_hub_t *self)
{
    if (!self->connected || self->syncing || (!self->reconcile && !self->sync_wanted.count))
        return;
    zc_vector_t topics = self->sync_wanted;
    self->sync_wanted = (zc_vector_t){0};
    self->reconciling = self->reconcile;
    self->reconcile = false;
    self->round_dropped = ZC_ID_MAX;
    self->last = ZC_ID_NONE;
    if (self->reconciling) {
        topics.count = 0;
        size_t at = 0;
        zc_topic_t *topic;
        while ((topic = zc_table_next (&self->topics, &at)))
            zc_vector_add (&topics, topic);
    }
    size_t done = 0;
    do {
        size_t count = topics.count - done < S_SYNC_TOPICS ? topics.count - done : S_SYNC_TOPICS;
        s_send_one_sync (self, count > 0 ? topics.items + done : NULL, count);
        done += count;
    } while (done < topics.count);
    zc_vector_clear (&topics);
}

/*  Encoding. */

const zc_buf_t *zc_hub_encode (zc_hub_t *self, const zc_encoding_t *encoding,
                               const zc_message_t *message)
{
    zc_encoded_t *slot = self->encoded;
    while (slot->encoding && slot->encoding != encoding)
        slot++;
    assert (slot < self->encoded + ZC_ENCODINGS_MAX);
    if (slot->encoding && slot->id == message->id)
        return &slot->bytes;
    if (slot->bytes.cap > 262144)
        zc_buf_clear (&slot->bytes); /* a large message; others needn't keep its memory */
    slot->encoding = encoding;
    slot->id = message->id;
    slot->bytes.len = 0;
    encoding->message (&slot->bytes, message);
    return &slot->bytes;
}

/*  Messages. */

static void s_keep_latest (zc_topic_t *topic, const zc_message_t *message)
{
    if (topic->keeps_latest && (!topic->latest || topic->latest->id < message->id)) {
        free (topic->latest);
        topic->latest = zc_message_copy (message);
    }
}

static void s_deliver (zc_hub_t *self, zc_topic_t *topic, const zc_message_t *message)
{
    bool room = true;
    for (size_t i = 0; i < topic->channels.count; i++)
        room &= zc_channel_message (topic->channels.items[i], message);
    s_keep_latest (topic, message);
    if (room) {
        if (topic->state == ZC_TOPIC_LIVE)
            topic->complete = message->id;
        else
            topic->seen = message->id;
    } else {
        zc_hub_topic_repair (self, topic, message->id);
    }
}

/*  Has the broker dropped something since we last made sure that it didn't concern us? Where the
 *  last message that came is the one it dropped for another subscriber, we have it. */
static void s_check_dropped (zc_hub_t *self, const zc_message_t *message)
{
    if (message->dropped <= self->dropped)
        return;
    if (message->dropped != self->received) {
        self->suspect = true;
        self->reconcile = true;
    }
    self->dropped = message->dropped;
}

/*  The broker says once that our queue is full; what it drops after that has the same `dropped`.
 *  When we reconciled, had it sent us something newer than what had come? Then that comes next:
 *  else the queue was still full, and more may have been lost since. */
static void s_check_proof (zc_hub_t *self, const zc_message_t *message)
{
    if (self->proof == ZC_ID_NONE || message->id < self->proof)
        return;
    if (message->id != self->proof) {
        self->suspect = true;
        self->reconcile = true;
    }
    self->proof = ZC_ID_NONE;
}

void zc_hub_message (zc_hub_t *self, const zc_message_t *message)
{
    zc_topic_t *topic = zc_table_get (&self->topics, message->topic);
    self->stats.received++;
    s_check_dropped (self, message);
    s_check_proof (self, message);
    self->received = message->id;
    if (message->id > self->head)
        self->head = message->id;
    if (!topic) {
        self->stats.unmatched++;
    } else if (topic->state == ZC_TOPIC_LIVE) {
        if (message->id <= topic->complete) {
            self->stats.duplicates++;
            return;
        }
        if (message->prev > topic->complete)
            zc_hub_topic_repair (self, topic, message->prev);
        s_deliver (self, topic, message);
    } else if (message->id <= topic->seen || message->id <= topic->complete) {
        self->stats.duplicates++; /* or in a gap that was stated: then it comes too late */
    } else {
        if (message->prev > topic->seen && message->prev > topic->need)
            topic->need = message->prev;
        s_deliver (self, topic, message);
    }
}

/*  History reaches up to `upto`: together with what came live, is the topic complete? */
static void s_conclude (zc_hub_t *self, zc_topic_t *topic, zc_id_t upto)
{
    if (topic->complete < upto)
        topic->complete = upto;
    if (topic->need > topic->complete) {
        if (topic->state != ZC_TOPIC_REPAIR)
            s_set_state (topic, ZC_TOPIC_REPAIR);
        s_repair_further (self, topic);
        return;
    }
    if (topic->seen > topic->complete)
        topic->complete = topic->seen;
    topic->need = topic->seen = ZC_ID_NONE;
    s_set_state (topic, ZC_TOPIC_LIVE);
}

static void s_synced_topic (zc_hub_t *self, zc_topic_t *topic, zc_id_t last, zc_id_t head)
{
    topic->asked = false;
    switch (topic->state) {
    case ZC_TOPIC_NEW:
        for (size_t i = 0; i < topic->channels.count; i++) {
            zc_channel_t *channel = topic->channels.items[i];
            if (channel->start < last)
                channel->start = last;
        }
        topic->verified = head;
        s_conclude (self, topic, last);
        break;
    case ZC_TOPIC_LIVE:
        if (last > topic->complete)
            zc_hub_topic_repair (self, topic, last);
        else if (topic->verified < head)
            topic->verified = head;
        break;
    case ZC_TOPIC_REPAIR:
        zc_hub_topic_repair (self, topic, last);
        break;
    }
    for (size_t i = 0; i < topic->channels.count; i++) {
        zc_channel_t *channel = topic->channels.items[i];
        if (channel->joins.count || channel->pending_count || channel->state != ZC_CHANNEL_LIVE)
            zc_channel_unsettle (channel);
    }
}

static void s_end_suspicion (zc_hub_t *self)
{
    self->suspect = false;
    size_t at = 0;
    zc_channel_t *channel;
    while ((channel = zc_table_next (&self->channels, &at)))
        if (channel->pending_count || channel->gaps.count || channel->joins.count ||
            channel->state != ZC_CHANNEL_LIVE)
            zc_channel_unsettle (channel);
}

static void s_sync_round_over (zc_hub_t *self)
{
    if (self->reconciling) {
        if (self->round_dropped > self->dropped)
            self->dropped = self->round_dropped;
        self->proof = self->last > self->received ? self->last : ZC_ID_NONE;
        self->reconciling = false;
        if (self->suspect && !self->reconcile)
            s_end_suspicion (self);
    } else if (self->round_dropped > self->dropped && self->round_dropped != ZC_ID_MAX) {
        self->suspect = true;
        self->reconcile = true;
    }
}

void zc_hub_disconnected (zc_hub_t *self)
{
    self->connected = false;
    s_forget_asks (self);
    self->syncing = 0;
    self->sync_wanted.count = 0;
    size_t at = 0;
    zc_topic_t *topic;
    while ((topic = zc_table_next (&self->topics, &at))) {
        topic->fetch = 0;
        topic->asked = false;
    }
    at = 0;
    zc_channel_t *channel;
    while ((channel = zc_table_next (&self->channels, &at))) {
        channel->fetch = 0;
        for (size_t i = 0; i < channel->joins.count; i++) {
            zc_join_t *join = channel->joins.items[i];
            join->checked = false;
            zc_join_reset (join);
        }
        zc_channel_unsettle (channel);
    }
    /* before it is connected again nothing that comes is taken for gapless */
    self->suspect = true;
    self->reconcile = true;
}

/*  Nothing of a topic's past means anything to the broker any more. */
static void s_forget_past (zc_topic_t *topic)
{
    topic->complete = topic->verified = topic->handed = ZC_ID_NONE;
    topic->need = topic->seen = ZC_ID_NONE;
    free (topic->latest);
    topic->latest = NULL;
    s_set_state (topic, ZC_TOPIC_NEW);
}

/*  The broker's positions are behind those that it had given: it has lost its history, and its
 *  clock was set back. By what is complete, all that comes would be repeats until the clock has
 *  caught up. Clients are at a position from the future then, for which there is an answer. */
static void s_begin_anew (zc_hub_t *self, zc_id_t head)
{
    zc_id_t future = self->head;
    zc_hub_disconnected (self);
    self->head = self->idle_head = head;
    self->received = self->dropped = self->proof = ZC_ID_NONE;
    for (size_t i = 0; i < ZC_ENCODINGS_MAX; i++)
        self->encoded[i].id = ZC_ID_NONE;
    size_t at = 0;
    zc_topic_t *topic;
    while ((topic = zc_table_next (&self->topics, &at)))
        s_forget_past (topic);
    at = 0;
    zc_channel_t *channel;
    while ((channel = zc_table_next (&self->channels, &at)))
        zc_channel_begin_anew (channel, future);
    self->connected = true;
    zc_hub_settle (self);
}

void zc_hub_synced (zc_hub_t *self, uint64_t token, zc_id_t head, zc_id_t dropped,
                    const zc_id_t *last, size_t count)
{
    zc_ask_t *ask = s_find_ask (self, token);
    if (!ask || ask->kind != ZC_ASK_SYNC)
        return;
    if (head < ask->head) {
        s_begin_anew (self, head);
        return;
    }
    if (head > self->head)
        self->head = head;
    if (dropped < self->round_dropped)
        self->round_dropped = dropped;
    for (size_t i = 0; i < count; i++)
        if (last[i] > self->last)
            self->last = last[i];
    zc_vector_t topics = ask->topics;
    ask->topics = (zc_vector_t){0};
    zc_hub_forget_ask (self, token);
    for (size_t i = 0; i < topics.count && i < count; i++)
        if (topics.items[i])
            s_synced_topic (self, topics.items[i], last[i], head);
    zc_vector_clear (&topics);
    if (--self->syncing == 0)
        s_sync_round_over (self);
    zc_hub_settle (self);
}

static void s_fetched_topic_message (zc_hub_t *self, zc_topic_t *topic, const zc_message_t *message)
{
    if (message->id <= topic->handed)
        return; /* a page that broke off had it */
    topic->handed = message->id;
    self->stats.repaired++;
    for (size_t i = 0; i < topic->channels.count; i++)
        zc_channel_hold (topic->channels.items[i], message);
    s_keep_latest (topic, message);
}

void zc_hub_fetched_message (zc_hub_t *self, uint64_t token, const zc_message_t *message)
{
    zc_ask_t *ask = s_find_ask (self, token);
    if (!ask)
        return;
    if (ask->kind == ZC_ASK_REPAIR)
        s_fetched_topic_message (self, ask->about, message);
    else if (ask->kind == ZC_ASK_BACKFILL)
        zc_channel_hold (ask->about, message);
    else if (ask->kind == ZC_ASK_PAGE)
        zc_join_page_message (ask->about, message);
}

static void s_repaired (zc_hub_t *self, zc_topic_t *topic, zc_id_t head, zc_id_t floor)
{
    topic->fetch = 0;
    if (floor > topic->complete) {
        self->stats.gaps++;
        for (size_t i = 0; i < topic->channels.count; i++)
            zc_channel_gap (topic->channels.items[i], topic, topic->complete, floor);
    }
    s_conclude (self, topic, head > floor ? head : floor);
    for (size_t i = 0; i < topic->channels.count; i++)
        zc_channel_unsettle (topic->channels.items[i]);
}

void zc_hub_fetched (zc_hub_t *self, uint64_t token, zc_id_t head, zc_id_t floor, zc_id_t since,
                     bool unknown, uint64_t remaining)
{
    zc_ask_t *ask = s_find_ask (self, token);
    if (!ask)
        return;
    zc_ask_kind_t kind = ask->kind;
    void *about = ask->about;
    zc_hub_forget_ask (self, token);
    if (kind == ZC_ASK_REPAIR)
        s_repaired (self, about, head, floor);
    else if (kind == ZC_ASK_BACKFILL)
        zc_channel_backfilled (about, floor, remaining);
    else if (kind == ZC_ASK_PAGE)
        zc_join_page_end (about, head, floor, since, unknown, remaining);
    zc_hub_settle (self);
}

/*  Nothing is taken for verified by the round that it belongs to. */
static void s_sync_failed (zc_hub_t *self, const zc_vector_t *topics)
{
    for (size_t i = 0; i < topics->count; i++)
        if (topics->items[i])
            ((zc_topic_t *)topics->items[i])->asked = false;
    self->suspect = true;
    self->reconcile = true;
    self->round_dropped = ZC_ID_NONE;
    if (--self->syncing == 0)
        s_sync_round_over (self);
}

void zc_hub_failed (zc_hub_t *self, uint64_t token)
{
    zc_ask_t *ask = s_find_ask (self, token);
    if (!ask)
        return;
    zc_ask_kind_t kind = ask->kind;
    void *about = ask->about;
    if (kind == ZC_ASK_SYNC)
        s_sync_failed (self, &ask->topics);
    zc_hub_forget_ask (self, token);
    if (kind == ZC_ASK_REPAIR) {
        ((zc_topic_t *)about)->fetch = 0;
        s_repair_further (self, about);
    } else if (kind == ZC_ASK_BACKFILL) {
        ((zc_channel_t *)about)->fetch = 0;
        zc_channel_unsettle (about);
    } else if (kind == ZC_ASK_PAGE) {
        zc_join_reset (about);
        zc_join_try (about);
    }
    zc_hub_settle (self);
}

void zc_hub_settle (zc_hub_t *self)
{
    for (size_t i = 0; i < self->unsettled.count; i++) {
        zc_channel_t *channel = self->unsettled.items[i];
        if (channel) {
            channel->unsettled = false;
            zc_channel_settle (channel);
        }
    }
    self->unsettled.count = 0;
    s_send_fetches (self);
    zc_hub_send_sync (self);
}

/*  A repair goes on page by page, as long as its channels can take the next one. */
static void s_go_on_repairing (zc_hub_t *self)
{
    size_t at = 0;
    zc_topic_t *topic;
    while ((topic = zc_table_next (&self->topics, &at))) {
        if (topic->state == ZC_TOPIC_REPAIR)
            s_repair_further (self, topic);
    }
}

/*  The link. */

void zc_hub_connected (zc_hub_t *self)
{
    self->connected = true;
    self->suspect = true;
    self->reconcile = true;
    self->stats.reconnects++;
    zc_hub_settle (self);
}

/*  Clients. */

static zc_id_t s_now_position (const zc_hub_t *self)
{
    zc_id_t clock = zc_id_from_ms (self->config.wall_ms ? self->config.wall_ms () : self->now_ms);
    return clock > self->head ? clock - 1 : self->head; /* all of this millisecond still counts */
}

static char *s_copy_text (zc_slice_t text)
{
    char *copy = malloc (text.len + 1);
    if (!copy)
        abort ();
    if (text.len)
        memcpy (copy, text.at, text.len);
    copy[text.len] = 0;
    return copy;
}

static bool s_is_earliest (zc_slice_t text)
{
    return text.len == 8 && memcmp (text.at, "earliest", 8) == 0;
}

static void s_resume (zc_client_t *client, zc_slice_t last_id)
{
    zc_join_t *join = zc_join_new (client, ZC_JOIN_RESUME);
    bool sound = last_id.len <= ZC_EVENT_ID_MAX && zc_text_plain (last_id.at, last_id.len);
    join->since = s_copy_text (sound ? last_id : (zc_slice_t){"", 0});
    join->since_len = sound ? last_id.len : 0;
    join->verdict = true;
    join->earliest = s_is_earliest (last_id);
    if (!sound) {
        join->at = ZC_ID_MAX; /* like one from the future: a gap, and nothing to replay */
        join->known = true;
    } else if (!join->earliest) {
        join->known = zc_id_parse (last_id.at, last_id.len, &join->at) == 0;
    }
    zc_join_try (join);
}

void zc_hub_join (zc_hub_t *self, zc_client_t *client, const zc_encoding_t *encoding,
                  const zc_slice_t *topics, size_t count, zc_slice_t last_id)
{
    zc_channel_t *channel = zc_channel_get (self, encoding, topics, count);
    zc_channel_add (channel, client);
    self->stats.clients++;
    self->stats.clients_total++;
    client->join = NULL;
    if (last_id.len) {
        s_resume (client, last_id);
    } else if (channel->feed) {
        client->cursor = zc_feed_head (channel->feed);
        zc_channel_greet (channel, client, zc_feed_last (channel->feed));
    } else {
        zc_join_t *join = zc_join_new (client, ZC_JOIN_RESUME);
        join->at = s_now_position (self);
        join->known = join->guess = true;
        join->fresh = self->stats.reconnects == 0;
    }
    zc_channel_unsettle (channel);
    zc_hub_settle (self);
}

void zc_hub_move (zc_hub_t *self, zc_client_t *client, const zc_slice_t *topics, size_t count)
{
    zc_channel_t *old = client->channel;
    zc_channel_t *channel = zc_channel_get (self, old->encoding, topics, count);
    if (channel == old)
        return;
    zc_join_t *join = client->join;
    zc_id_t at = ZC_ID_NONE;
    if (join) {
        zc_hub_forget_ask (self, join->fetch);
        zc_join_reset (join);
        zc_vector_drop (&old->joins, join);
    } else {
        at = zc_join_take_rest (client);
    }
    zc_channel_remove (old, client);
    zc_channel_add (channel, client);
    if (join) {
        zc_join_enter (join);
    } else {
        join = zc_join_new (client, ZC_JOIN_RESUME);
        join->at = at;
        join->known = join->checked = true;
    }
    zc_channel_unsettle (channel);
    zc_hub_settle (self);
}

void zc_hub_leave (zc_hub_t *self, zc_client_t *client)
{
    if (client->join)
        zc_join_destroy (&client->join);
    if (client->channel) {
        zc_channel_remove (client->channel, client);
        self->stats.clients--;
    }
    if (client->dirty) {
        zc_vector_drop (&self->ready, client);
        client->dirty = false;
    }
    zc_client_clear (client);
}

size_t zc_hub_topics (const zc_client_t *client, const zc_slice_t **topics)
{
    *topics = client->channel ? client->channel->names : NULL;
    return client->channel ? client->channel->topic_count : 0;
}

/*  One that only waits for the newest message isn't slow, however large that is. */
static bool s_lags (const zc_client_t *client, size_t max_lag)
{
    if (client->join)
        return zc_join_lag (client->join) > max_lag;
    return zc_client_lag (client) > max_lag &&
           client->cursor < zc_feed_newest (client->channel->feed);
}

void zc_hub_check_lag (zc_hub_t *self, zc_client_t *client)
{
    if (!client->blocked || client->leaving || !s_lags (client, self->config.max_lag))
        return;
    if (client->channel->policy != ZC_SLOW_DISCONNECT) {
        zc_join_skip (client);
        return;
    }
    self->stats.slow_dropped++;
    client->leaving = true;
    zc_hub_leave (self, client);
    client->transport->gone (client, ZC_GONE_SLOW);
}

void zc_hub_client_drained (zc_hub_t *self, zc_client_t *client)
{
    if (client->join)
        zc_join_try (client->join);
    zc_hub_settle (self);
}

void zc_hub_ready (zc_hub_t *self, zc_client_t *client)
{
    if (!client->dirty) {
        client->dirty = true;
        zc_vector_add (&self->ready, client);
    }
}

zc_client_t *zc_hub_next_ready (zc_hub_t *self)
{
    if (self->ready.count == 0)
        return NULL;
    zc_client_t *client = self->ready.items[--self->ready.count];
    client->dirty = false;
    return client;
}

/*  Rounds. */

bool zc_hub_dirty (const zc_hub_t *self)
{
    return self->dirty.count > 0;
}

bool zc_hub_in_round (const zc_hub_t *self)
{
    return self->flushing.count > 0;
}

void zc_hub_begin_round (zc_hub_t *self)
{
    assert (self->flushing.count == 0);
    zc_vector_t empty = self->flushing;
    self->flushing = self->dirty;
    self->dirty = empty;
    for (size_t i = 0; i < self->flushing.count; i++) {
        zc_channel_t *channel = self->flushing.items[i];
        if (channel) {
            channel->dirty = false;
            channel->flushing = true;
            channel->flush_left = channel->clients.count;
        }
    }
}

static zc_client_t *s_next_in_channel (zc_hub_t *self, zc_channel_t *channel)
{
    while (channel->flush_left > 0) {
        if (channel->flush_left > S_AHEAD) /* a send has just thrown everything out of the cache */
            __builtin_prefetch (channel->clients.items[channel->flush_left - S_AHEAD]);
        zc_client_t *client = channel->clients.items[--channel->flush_left];
        if (client->blocked)
            zc_hub_check_lag (self, client); /* may be gone after that */
        else if (!client->leaving)
            return client;
    }
    return NULL;
}

zc_client_t *zc_hub_next_to_flush (zc_hub_t *self)
{
    while (self->flushing.count > 0) {
        zc_channel_t *channel = self->flushing.items[self->flushing.count - 1];
        zc_client_t *client = channel ? s_next_in_channel (self, channel) : NULL;
        if (client)
            return client;
        if (channel)
            channel->flushing = false;
        self->flushing.count--;
    }
    return NULL;
}

/*  Upkeep. */

static void s_tick_channel (const zc_hub_t *self, zc_channel_t *channel, bool trim)
{
    const zc_hub_config_t *config = &self->config;
    if (channel->clients.count == 0 && self->now_ms - channel->empty_ms >= config->linger_ms) {
        zc_channel_destroy (&channel);
        return;
    }
    if (channel->clients.count && self->now_ms - channel->touched_ms >= config->heartbeat_ms)
        zc_channel_heartbeat (channel);
    if (trim && channel->feed && zc_feed_tail (channel->feed) < zc_feed_head (channel->feed)) {
        uint64_t age = config->retain_ms < self->now_ms ? self->now_ms - config->retain_ms : 0;
        zc_channel_trim (channel, zc_id_from_ms (age));
    }
}

/*  Quiet topics are asked about, so that the ids of their idle clients go on. */
static void s_ask_about_quiet (zc_hub_t *self)
{
    size_t at = 0;
    zc_topic_t *topic;
    while ((topic = zc_table_next (&self->topics, &at)))
        if (topic->state == ZC_TOPIC_LIVE && topic->complete <= self->idle_head)
            zc_hub_want_sync (self, topic);
    self->idle_head = self->head;
    self->idle_ms = self->now_ms;
}

static bool s_due (uint64_t now_ms, uint64_t *last_ms, unsigned interval_ms)
{
    if (now_ms >= *last_ms && now_ms - *last_ms < interval_ms)
        return false;
    *last_ms = now_ms;
    return true;
}

void zc_hub_tick (zc_hub_t *self, uint64_t now_ms)
{
    bool backwards = now_ms < self->now_ms;
    self->now_ms = now_ms;
    bool second = s_due (now_ms, &self->position_ms, S_POSITION_MS);
    zc_vector_t channels = {0};
    size_t at = 0;
    zc_channel_t *channel;
    while ((channel = zc_table_next (&self->channels, &at)))
        zc_vector_add (&channels, channel);
    for (size_t i = 0; i < channels.count; i++) {
        channel = channels.items[i];
        if (backwards) { /* the clock was set: count again from here */
            channel->touched_ms = now_ms;
            channel->empty_ms = channel->clients.count ? 0 : now_ms;
        }
        s_tick_channel (self, channel, second);
    }
    zc_vector_clear (&channels);
    if (self->connected) {
        s_go_on_repairing (self);
        if (s_due (now_ms, &self->idle_ms, self->config.heartbeat_ms / 2 + 1))
            s_ask_about_quiet (self);
        if (second && !self->syncing && !self->sync_wanted.count && !self->reconcile) {
            self->round_dropped = ZC_ID_MAX;
            s_send_one_sync (self, NULL, 0);
        }
    }
    zc_hub_settle (self);
}

const zc_hub_stats_t *zc_hub_stats (zc_hub_t *self)
{
    self->stats.feed_bytes = 0;
    size_t at = 0;
    zc_channel_t *channel;
    while ((channel = zc_table_next (&self->channels, &at)))
        if (channel->feed)
            self->stats.feed_bytes += zc_feed_memory (channel->feed);
    return &self->stats;
}

size_t zc_hub_slowest (zc_hub_t *self, zc_client_t **clients, size_t max)
{
    size_t found = 0, at = 0;
    zc_channel_t *channel;
    while ((channel = zc_table_next (&self->channels, &at))) {
        for (size_t i = 0; i < channel->clients.count; i++) {
            zc_client_t *client = channel->clients.items[i];
            size_t lag = zc_client_lag (client), place = found;
            if (lag == 0)
                continue;
            while (place > 0 && zc_client_lag (clients[place - 1]) < lag) {
                if (place < max)
                    clients[place] = clients[place - 1];
                place--;
            }
            if (place < max) {
                clients[place] = client;
                found += found < max;
            }
        }
    }
    return found;
}
