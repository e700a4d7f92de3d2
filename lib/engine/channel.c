/*  channel.c - a set of topics in one encoding, its feed and its clients.
 *
 *  The feed is in the order of ids over all its topics, so that one id says all a client needs to
 *  come back with. Therefore a channel holds messages back while one of its topics is being
 *  repaired (channels without that topic flow on), and, if it has several topics, while the hub
 *  suspects that something was lost: the next message of one topic doesn't show the hole of
 * another. What is held back is bounded; beyond that it's left to a repair from history. */
#include "lib/engine/hub_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define S_HOLD_MIN (1024 * 1024)

static int s_compare_slices (const void *a, const void *b)
{
    const zc_slice_t *left = a, *right = b;
    return zc_slice_compare (*left, *right);
}

/*  Sorts and folds; returns how many are left. */
static size_t s_normalise (zc_slice_t *topics, size_t count)
{
    qsort (topics, count, sizeof *topics, s_compare_slices);
    size_t kept = 1;
    for (size_t i = 1; i < count; i++)
        if (s_compare_slices (&topics[kept - 1], &topics[i]) != 0)
            topics[kept++] = topics[i];
    return kept;
}

static zc_slow_t s_policy (zc_hub_t *hub, const zc_slice_t *topics, size_t count)
{
    zc_slow_t policy = ZC_SLOW_LATEST;
    for (size_t i = 0; i < count; i++) {
        zc_slow_t one = hub->config.slow_policy
                            ? hub->config.slow_policy (hub->config.slow_arg, topics[i])
                            : ZC_SLOW_DISCONNECT;
        policy = one < policy ? one : policy;
    }
    return policy;
}

void zc_channel_configure (zc_channel_t *self)
{
    self->policy = s_policy (self->hub, self->names, self->topic_count);
    for (size_t i = 0; i < self->topic_count && self->policy == ZC_SLOW_LATEST; i++)
        self->topics[i]->keeps_latest = true;
}

static void s_attach (zc_channel_t *self, size_t index, zc_slice_t name)
{
    zc_topic_t *topic = zc_hub_topic (self->hub, name);
    self->topics[index] = topic;
    self->names[index] = topic->name;
    zc_vector_add (&topic->channels, self);
    if (topic->state != ZC_TOPIC_LIVE) {
        self->holds++;
        /* what came live meanwhile is held in other channels: this one needs it from history */
        if (topic->need < topic->seen)
            topic->need = topic->seen;
    }
    if (topic->state != ZC_TOPIC_NEW && topic->complete > self->start)
        self->start = topic->complete;
    if (topic->handed > self->start) /* this part of a page only the other channels have had */
        self->start = topic->handed;
    zc_buf_add (&self->topic_list, name.at, name.len);
    zc_buf_addc (&self->topic_list, '\n');
}

static zc_channel_t *s_new (zc_hub_t *hub, const zc_encoding_t *encoding, zc_slice_t key,
                            const zc_slice_t *topics, size_t count)
{
    zc_channel_t *self = calloc (1, sizeof *self);
    char *key_copy = malloc (key.len);
    if (!self || !key_copy)
        abort ();
    memcpy (key_copy, key.at, key.len);
    self->key = (zc_slice_t){key_copy, key.len};
    self->hub = hub;
    self->encoding = encoding;
    self->topics = calloc (count, sizeof *self->topics);
    self->names = calloc (count, sizeof *self->names);
    if (!self->topics || !self->names)
        abort ();
    self->topic_count = count;
    self->touched_ms = self->empty_ms = hub->now_ms;
    for (size_t i = 0; i < count; i++)
        s_attach (self, i, topics[i]);
    zc_channel_configure (self);
    self->topic_list.len--; /* the last LF */
    zc_table_add (&hub->channels, self);
    hub->stats.channels++;
    return self;
}

zc_channel_t *zc_channel_get (zc_hub_t *hub, const zc_encoding_t *encoding,
                              const zc_slice_t *topics, size_t count)
{
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
    zc_slice_t name = {(const char *)key.data, key.len};
    zc_channel_t *self = zc_table_get (&hub->channels, name);
    if (!self)
        self = s_new (hub, encoding, name, sorted, count);
    free (sorted);
    zc_buf_clear (&key);
    return self;
}

static void s_forget (zc_vector_t *list, const zc_channel_t *self)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == self)
            list->items[i] = NULL;
}

static void s_clear_held (zc_channel_t *self)
{
    for (size_t i = 0; i < self->pending_count; i++)
        free (self->pending[i]);
    for (size_t i = 0; i < self->gaps.count; i++)
        free (self->gaps.items[i]);
    free (self->pending);
    self->pending = NULL;
    self->pending_count = self->pending_cap = self->pending_bytes = 0;
    self->unsorted = false;
    zc_vector_clear (&self->gaps);
}

void zc_channel_destroy (zc_channel_t **self_p)
{
    zc_channel_t *self = *self_p;
    if (!self)
        return;
    assert (self->clients.count == 0 && self->joins.count == 0);
    zc_hub_t *hub = self->hub;
    zc_table_remove (&hub->channels, self);
    hub->stats.channels--;
    zc_hub_forget_ask (hub, self->fetch);
    if (self->dirty)
        s_forget (&hub->dirty, self);
    if (self->flushing)
        s_forget (&hub->flushing, self);
    if (self->unsettled)
        s_forget (&hub->unsettled, self);
    for (size_t i = 0; i < self->topic_count; i++)
        zc_hub_topic_release (hub, self->topics[i], self);
    s_clear_held (self);
    zc_vector_clear (&self->clients);
    zc_vector_clear (&self->joins);
    zc_buf_clear (&self->topic_list);
    zc_feed_destroy (&self->feed);
    free (self->topics);
    free (self->names);
    free ((char *)(uintptr_t)self->key.at);
    free (self);
    *self_p = NULL;
}

void zc_channel_begin_anew (zc_channel_t *self, zc_id_t future)
{
    for (size_t i = 0; self->feed && i < self->clients.count; i++) {
        zc_client_t *client = self->clients.items[i];
        if (!client->join) {
            zc_id_t at = zc_join_take_rest (client);
            zc_join_t *join = zc_join_new (client, ZC_JOIN_RESUME);
            join->at = at;
            join->known = true;
        }
    }
    zc_feed_destroy (&self->feed);
    for (size_t i = 0; i < self->joins.count; i++)
        zc_join_begin_anew (self->joins.items[i], future);
    s_clear_held (self);
    self->state = ZC_CHANNEL_NEW;
    self->start = ZC_ID_NONE;
    zc_channel_unsettle (self);
}

zc_feed_t *zc_channel_feed (const zc_channel_t *self)
{
    return self->feed;
}

/*  Clients. */

void zc_channel_add (zc_channel_t *self, zc_client_t *client)
{
    client->channel = self;
    client->slot = (uint32_t)self->clients.count;
    zc_vector_add (&self->clients, client);
    self->empty_ms = 0;
}

void zc_channel_remove (zc_channel_t *self, zc_client_t *client)
{
    zc_client_t *last = self->clients.items[--self->clients.count];
    self->clients.items[client->slot] = last;
    last->slot = client->slot;
    /* a round goes downwards, so what takes the place has been passed already, or comes again */
    if (self->flush_left > self->clients.count)
        self->flush_left = self->clients.count;
    client->channel = NULL;
    if (self->clients.count == 0) {
        zc_vector_clear (&self->clients);
        self->empty_ms = self->hub->now_ms;
    }
}

/*  Messages. */

void zc_channel_mark_dirty (zc_channel_t *self)
{
    self->touched_ms = self->hub->now_ms;
    if (!self->dirty && self->clients.count > 0) {
        self->dirty = true;
        zc_vector_add (&self->hub->dirty, self);
    }
}

bool zc_channel_finds_own_ids (const zc_channel_t *self)
{
    return self->topic_count == 1;
}

static size_t s_retain (const zc_channel_t *self)
{
    const zc_hub_config_t *config = &self->hub->config;
    return config->retain > config->max_lag ? config->retain : config->max_lag;
}

static void s_append (zc_channel_t *self, const zc_message_t *message)
{
    zc_hub_t *hub = self->hub;
    bool late = message->id <= zc_feed_last (self->feed);
    if (late &&
        (message->id <= zc_feed_start (self->feed) || zc_feed_has (self->feed, message->id))) {
        hub->stats.duplicates++;
        return;
    }
    const zc_buf_t *bytes = zc_hub_encode (hub, self->encoding, message);
    bool found = message->event_id.len && zc_channel_finds_own_ids (self);
    uint64_t hash = found ? zc_feed_hash (message->event_id.at, message->event_id.len) : 0;
    if (late) { /* can only be without a broker that states its drops; better late than never */
        hub->stats.late++;
        zc_feed_append_control (self->feed, bytes->data, bytes->len);
    } else {
        zc_feed_append (self->feed, bytes->data, bytes->len, message->id, hash);
    }
    hub->stats.delivered += self->clients.count;
    hub->stats.wanted += self->clients.count;
    zc_channel_mark_dirty (self);
    if (self->joins.count)
        zc_channel_unsettle (self);
    if (zc_feed_head (self->feed) - zc_feed_tail (self->feed) > s_retain (self) * 3 / 2)
        zc_channel_trim (self, ZC_ID_NONE);
}

static bool s_held (const zc_channel_t *self)
{
    return self->state != ZC_CHANNEL_LIVE || self->holds > 0 ||
           (self->hub->suspect && self->topic_count > 1);
}

/*  What history gives of this topic next goes to the feed at once: everything that is held back
 *  waits for nothing earlier. */
static bool s_waits_for (const zc_channel_t *self, const zc_topic_t *topic)
{
    if (self->state != ZC_CHANNEL_LIVE || (self->hub->suspect && self->topic_count > 1))
        return false;
    for (size_t i = 0; i < self->topic_count; i++)
        if (self->topics[i]->state == ZC_TOPIC_REPAIR &&
            self->topics[i]->complete < topic->complete)
            return false;
    return true;
}

static bool s_has_room (const zc_channel_t *self)
{
    const zc_hub_config_t *config = &self->hub->config;
    size_t least = 4 * config->max_lag > S_HOLD_MIN ? 4 * config->max_lag : S_HOLD_MIN;
    return self->pending_bytes < (config->max_hold ? config->max_hold : least);
}

bool zc_channel_takes_page (const zc_channel_t *self, const zc_topic_t *topic)
{
    return s_has_room (self) || s_waits_for (self, topic);
}

void zc_channel_hold (zc_channel_t *self, const zc_message_t *message)
{
    if (self->pending_count == self->pending_cap) {
        self->pending_cap = self->pending_cap ? self->pending_cap * 2 : 16;
        self->pending = realloc (self->pending, self->pending_cap * sizeof *self->pending);
        if (!self->pending)
            abort ();
    }
    if (self->pending_count && message->id <= self->pending[self->pending_count - 1]->id)
        self->unsorted = true;
    self->pending[self->pending_count++] = zc_message_copy (message);
    self->pending_bytes += sizeof *message + message->payload.len + message->meta.len;
}

bool zc_channel_message (zc_channel_t *self, const zc_message_t *message)
{
    if (!s_held (self) && self->pending_count == 0) {
        s_append (self, message);
        return true;
    }
    if (!s_has_room (self))
        return false;
    zc_channel_hold (self, message);
    if (!s_held (self))
        zc_channel_unsettle (self);
    return true;
}

void zc_channel_gap (zc_channel_t *self, zc_topic_t *topic, zc_id_t since, zc_id_t from)
{
    zc_gap_t *gap = malloc (sizeof *gap);
    if (!gap)
        abort ();
    *gap = (zc_gap_t){since, from, topic};
    zc_vector_add (&self->gaps, gap);
}

/*  Releasing what was held back. */

static int s_compare_messages (const void *a, const void *b)
{
    const zc_message_t *left = *(zc_message_t *const *)a, *right = *(zc_message_t *const *)b;
    return (left->id > right->id) - (left->id < right->id);
}

static int s_compare_gaps (const void *a, const void *b)
{
    const zc_gap_t *left = *(zc_gap_t *const *)a, *right = *(zc_gap_t *const *)b;
    return (left->since > right->since) - (left->since < right->since);
}

static void s_state_gap (zc_channel_t *self, const zc_gap_t *gap)
{
    if (gap->from <= self->start)
        return; /* from before this feed */
    char since[ZC_ID_SIZE];
    zc_verdict_t verdict = {.gap = true,
                            .since = {since, zc_id_format (gap->since, since)},
                            .from = gap->from,
                            .topic = gap->topic->name};
    verdict.position = zc_feed_last (self->feed);
    zc_buf_t bytes = ZC_BUF_INIT;
    self->encoding->verdict (&bytes, &verdict);
    zc_feed_append_gap (self->feed, bytes.data, bytes.len, gap->from);
    zc_buf_clear (&bytes);
    zc_channel_mark_dirty (self);
}

/*  States the gaps that begin before `id`: ahead of what was saved from within them. */
static void s_state_gaps (zc_channel_t *self, zc_id_t id)
{
    size_t done = 0;
    while (done < self->gaps.count && ((zc_gap_t *)self->gaps.items[done])->since < id) {
        s_state_gap (self, self->gaps.items[done]);
        free (self->gaps.items[done++]);
    }
    if (done) {
        self->gaps.count -= done;
        memmove (self->gaps.items, self->gaps.items + done,
                 self->gaps.count * sizeof *self->gaps.items);
    }
}

static zc_id_t s_known (const zc_topic_t *topic)
{
    return topic->verified > topic->complete ? topic->verified : topic->complete;
}

/*  What history gave may be ahead of what is still on its way live, on other topics. A position is
 *  safe once something later has come live, or the broker has said of every topic that there is
 *  nothing more up to it. */
static zc_id_t s_safe (const zc_channel_t *self)
{
    if (self->topic_count == 1)
        return ZC_ID_MAX;
    zc_id_t least = ZC_ID_MAX;
    for (size_t i = 0; i < self->topic_count; i++)
        if (s_known (self->topics[i]) < least)
            least = s_known (self->topics[i]);
    return least > self->hub->received ? least : self->hub->received;
}

/*  The position up to which nothing is missing on any topic. */
static zc_id_t s_limit (const zc_channel_t *self)
{
    if (self->hub->suspect && self->topic_count > 1)
        return ZC_ID_NONE;
    zc_id_t limit = s_safe (self);
    for (size_t i = 0; i < self->topic_count && self->holds; i++) {
        const zc_topic_t *topic = self->topics[i];
        if (topic->state == ZC_TOPIC_NEW)
            return ZC_ID_NONE;
        if (topic->state == ZC_TOPIC_REPAIR && topic->complete < limit)
            limit = topic->complete;
    }
    return limit;
}

static void s_release (zc_channel_t *self)
{
    zc_id_t limit = s_limit (self);
    if (limit == ZC_ID_NONE || (self->pending_count == 0 && self->gaps.count == 0))
        return;
    if (self->unsorted)
        qsort (self->pending, self->pending_count, sizeof *self->pending, s_compare_messages);
    self->unsorted = false;
    if (self->gaps.count > 1)
        qsort (self->gaps.items, self->gaps.count, sizeof *self->gaps.items, s_compare_gaps);
    size_t done = 0;
    for (; done < self->pending_count && self->pending[done]->id <= limit; done++) {
        zc_message_t *message = self->pending[done];
        s_state_gaps (self, message->id);
        if (message->id > self->start && (done == 0 || message->id != self->pending[done - 1]->id))
            s_append (self, message);
    }
    s_state_gaps (self, limit);
    for (size_t i = 0; i < done; i++) {
        self->pending_bytes -=
            sizeof **self->pending + self->pending[i]->payload.len + self->pending[i]->meta.len;
        free (self->pending[i]);
    }
    self->pending_count -= done;
    if (self->pending_count > 0)
        memmove (self->pending, self->pending + done, self->pending_count * sizeof *self->pending);
    if (self->pending_count == 0) {
        free (self->pending);
        self->pending = NULL;
        self->pending_cap = 0;
    }
}

/*  From NEW to LIVE. */

/*  The broker has confirmed every topic, so its start is known. A topic that is being repaired is
 *  no reason to wait: a channel that isn't LIVE releases nothing, and might never have the room
 *  that the repair needs. */
static bool s_confirmed (const zc_channel_t *self)
{
    for (size_t i = 0; i < self->topic_count && self->holds; i++)
        if (self->topics[i]->state == ZC_TOPIC_NEW)
            return false;
    return true;
}

static void s_go_live (zc_channel_t *self)
{
    self->state = ZC_CHANNEL_LIVE;
    self->feed = zc_feed_new (self->start);
}

/*  What its first clients missed is fetched once, for all of them, where they know their place. */
static bool s_backfill (zc_channel_t *self)
{
    zc_id_t oldest = ZC_ID_MAX;
    for (size_t i = 0; i < self->joins.count; i++) {
        const zc_join_t *join = self->joins.items[i];
        if (join->kind == ZC_JOIN_RESUME && join->known && !join->earliest && join->at < oldest)
            oldest = join->at;
    }
    if (oldest >= self->start || !self->hub->connected)
        return false;
    char since[ZC_ID_SIZE];
    zc_slice_t text = {since, zc_id_format (oldest, since)};
    zc_slice_t topics = {(const char *)self->topic_list.data, self->topic_list.len};
    self->state = ZC_CHANNEL_BACKFILL;
    self->backfill_since = oldest;
    self->fetch = zc_hub_ask_fetch (self->hub, ZC_ASK_BACKFILL, self, text, topics);
    return true;
}

void zc_channel_backfilled (zc_channel_t *self, zc_id_t floor, uint64_t remaining)
{
    self->fetch = 0;
    /* more than a page, or a gap to be stated: then each client resumes by itself */
    if (remaining == 0 && floor <= self->backfill_since && self->backfill_since < self->start)
        self->start = self->backfill_since;
    s_go_live (self);
    zc_channel_unsettle (self);
}

void zc_channel_advance (zc_channel_t *self)
{
    if (s_held (self) || self->pending_count)
        return;
    zc_id_t least = ZC_ID_MAX;
    for (size_t i = 0; i < self->topic_count; i++)
        if (s_known (self->topics[i]) < least)
            least = s_known (self->topics[i]);
    zc_feed_advance (self->feed, least);
}

/*  Nothing may come live soon to show that what is held back is safe: the broker knows. */
static void s_ask_for_safety (zc_channel_t *self)
{
    zc_id_t newest = self->pending[self->pending_count - 1]->id; /* sorted by s_release */
    for (size_t i = 0; i < self->topic_count; i++)
        if (s_known (self->topics[i]) < newest)
            zc_hub_want_sync (self->hub, self->topics[i]);
}

void zc_channel_unsettle (zc_channel_t *self)
{
    if (!self->unsettled) {
        self->unsettled = true;
        zc_vector_add (&self->hub->unsettled, self);
    }
}

void zc_channel_settle (zc_channel_t *self)
{
    bool suspect = self->hub->suspect && self->topic_count > 1;
    if (self->state == ZC_CHANNEL_BACKFILL && self->fetch == 0)
        self->state = ZC_CHANNEL_NEW; /* the link was lost meanwhile */
    if (self->state == ZC_CHANNEL_NEW && !suspect && s_confirmed (self) && !s_backfill (self))
        s_go_live (self);
    if (self->state != ZC_CHANNEL_LIVE)
        return;
    s_release (self);
    if (self->pending_count && !s_held (self))
        s_ask_for_safety (self);
    zc_channel_advance (self);
    for (size_t i = self->joins.count; i-- > 0;)
        if (i < self->joins.count)
            zc_join_try (self->joins.items[i]);
}

/*  Upkeep. */

void zc_channel_greet (zc_channel_t *self, zc_client_t *client, zc_id_t position)
{
    zc_buf_t bytes = ZC_BUF_INIT;
    if (!self->encoding->tells_position)
        return;
    self->encoding->heartbeat (&bytes, position);
    zc_client_add (client, bytes.data, bytes.len);
    zc_hub_ready (self->hub, client);
    zc_buf_clear (&bytes);
}

/*  Who doesn't follow the feed waits for the broker, which may be away for long: what carries it
 *  must see that it lives. */
static void s_heartbeat_joins (zc_channel_t *self)
{
    zc_buf_t bytes = ZC_BUF_INIT;
    self->encoding->heartbeat (&bytes, ZC_ID_NONE);
    for (size_t i = 0; i < self->joins.count; i++) {
        zc_client_t *client = ((zc_join_t *)self->joins.items[i])->client;
        if (zc_client_lag (client) == 0) {
            zc_client_add (client, bytes.data, bytes.len);
            zc_hub_ready (self->hub, client);
        }
    }
    zc_buf_clear (&bytes);
    self->touched_ms = self->hub->now_ms;
}

void zc_channel_heartbeat (zc_channel_t *self)
{
    if (self->feed) {
        zc_buf_t bytes = ZC_BUF_INIT;
        zc_channel_advance (self);
        self->encoding->heartbeat (&bytes, zc_feed_last (self->feed));
        zc_feed_append_control (self->feed, bytes.data, bytes.len);
        zc_channel_mark_dirty (self);
        zc_buf_clear (&bytes);
    }
    s_heartbeat_joins (self);
}

void zc_channel_trim (zc_channel_t *self, zc_id_t oldest)
{
    uint64_t head = zc_feed_head (self->feed), reader = head;
    for (size_t i = self->clients.count; i-- > 0;)
        zc_hub_check_lag (self->hub, self->clients.items[i]); /* one may go: downwards */
    for (size_t i = 0; i < self->clients.count; i++) {
        const zc_client_t *client = self->clients.items[i];
        if (client->join || client->cursor == head)
            continue;
        oldest = ZC_ID_NONE;
        if (client->cursor < reader)
            reader = client->cursor; /* may be within a message, of which the rest counts as lag */
        if (!client->blocked && head - client->cursor > s_retain (self))
            return; /* not slow: this round hasn't got to it yet */
    }
    zc_feed_trim (self->feed, s_retain (self), oldest, reader);
}
