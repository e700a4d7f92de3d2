/*  join.c - clients that don't follow their channel's feed yet.
 *
 *  Resuming is: a position, pages of history as private bytes while the position is older than the
 *  feed, and then a cursor. The next page is asked for when the last one has been sent, so that a
 *  long replay costs a page of memory whatever its length, and goes at the client's own speed. A
 *  client that doesn't take its page while more than max_lag goes to the feed is a slow one. */
#include "lib/engine/hub_private.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"

static void s_mark (zc_join_t *self)
{
    const zc_feed_t *feed = self->client->channel->feed;
    self->mark = feed ? zc_feed_head (feed) : 0;
}

zc_join_t *zc_join_new (zc_client_t *client, zc_join_kind_t kind)
{
    zc_join_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->kind = kind;
    self->client = client;
    client->join = self;
    zc_join_enter (self);
    return self;
}

void zc_join_enter (zc_join_t *self)
{
    zc_vector_add (&self->client->channel->joins, self);
    s_mark (self);
}

void zc_join_reset (zc_join_t *self)
{
    self->fetch = 0;
    self->page_count = 0;
    zc_buf_clear (&self->page);
}

zc_id_t zc_join_take_rest (zc_client_t *client)
{
    const zc_feed_t *feed = client->channel->feed;
    size_t len;
    zc_client_add (client, "", 0); /* the rest of the message it is in */
    const uint8_t *rest = zc_feed_bytes (feed, client->cursor, &len);
    zc_client_add (client, rest, len);
    client->cursor += len;
    return zc_feed_last (feed);
}

void zc_join_begin_anew (zc_join_t *self, zc_id_t future)
{
    self->kind = ZC_JOIN_RESUME;
    if (self->known && self->at < future)
        self->at = future;
    self->checked = self->guess = self->fresh = false;
    s_mark (self);
}

void zc_join_destroy (zc_join_t **self_p)
{
    zc_join_t *self = *self_p;
    if (!self)
        return;
    zc_channel_t *channel = self->client->channel;
    zc_hub_forget_ask (channel->hub, self->fetch);
    zc_vector_drop (&channel->joins, self);
    self->client->join = NULL;
    zc_buf_clear (&self->page);
    free (self->since);
    free (self);
    *self_p = NULL;
}

static void s_follow (zc_join_t *self, uint64_t position)
{
    zc_client_t *client = self->client;
    zc_channel_t *channel = client->channel;
    zc_join_destroy (&self);
    client->cursor = position;
    zc_hub_ready (channel->hub, client);
}

static void s_add_verdict (zc_join_t *self, const zc_verdict_t *verdict, zc_buf_t *bytes)
{
    self->client->channel->encoding->verdict (bytes, verdict);
    if (verdict->gap)
        self->client->channel->hub->stats.gaps++;
    self->verdict = false;
}

static void s_add (zc_join_t *self, zc_buf_t *bytes)
{
    zc_client_add (self->client, bytes->data, bytes->len);
    zc_hub_ready (self->client->channel->hub, self->client);
    zc_buf_clear (bytes);
}

static zc_slice_t s_since (const zc_join_t *self)
{
    return (zc_slice_t){self->since, self->since_len};
}

static void s_fetch (zc_join_t *self)
{
    zc_channel_t *channel = self->client->channel;
    char text[ZC_ID_SIZE];
    zc_slice_t since = s_since (self);
    if (self->known)
        since = (zc_slice_t){text, zc_id_format (self->at, text)};
    zc_slice_t topics = {(const char *)channel->topic_list.data, channel->topic_list.len};
    if (!channel->hub->connected)
        return; /* tried again when it is */
    channel->hub->stats.resumed_broker += self->verdict;
    self->fetch = zc_hub_ask_fetch (channel->hub, ZC_ASK_PAGE, self, since, topics);
}

/*  The feed isn't as far as the client is: something is still on its way, or nothing was published
 *  there. The broker's last positions tell. */
static void s_wait_for_feed (zc_join_t *self)
{
    zc_channel_t *channel = self->client->channel;
    for (size_t i = 0; i < channel->topic_count; i++) {
        zc_topic_t *topic = channel->topics[i];
        if (topic->complete < self->at && topic->verified < self->at)
            zc_hub_want_sync (channel->hub, topic);
    }
    zc_hub_send_sync (channel->hub);
}

static void s_later_gap (zc_join_t *self, zc_id_t floor, zc_buf_t *bytes)
{
    char since[ZC_ID_SIZE];
    zc_verdict_t verdict = {.gap = true,
                            .since = {since, zc_id_format (self->at, since)},
                            .from = floor,
                            .position = floor};
    s_add_verdict (self, &verdict, bytes);
}

/*  A feed may lack something, too: what was gone from history when its worker asked for it. */
static void s_verdict_from_feed (zc_join_t *self, uint64_t count)
{
    zc_channel_t *channel = self->client->channel;
    zc_id_t gap = zc_feed_gap (channel->feed);
    zc_buf_t bytes = ZC_BUF_INIT;
    if (self->verdict) {
        zc_verdict_t verdict = {.gap = gap > self->at,
                                .since = s_since (self),
                                .from = gap,
                                .replayed = count,
                                .position = self->at};
        channel->hub->stats.resumed_feed++;
        s_add_verdict (self, &verdict, &bytes);
    } else if (gap > self->at && !self->fresh) {
        s_later_gap (self, gap, &bytes);
    } else if (self->guess) {
        zc_channel_greet (channel, self->client, self->at);
    }
    if (bytes.len)
        s_add (self, &bytes);
}

static void s_try_resume (zc_join_t *self)
{
    zc_channel_t *channel = self->client->channel;
    zc_feed_t *feed = channel->feed;
    if (!self->known && !self->earliest && zc_channel_finds_own_ids (channel) &&
        zc_feed_find (feed, zc_feed_hash (self->since, self->since_len), &self->at) == 0)
        self->known = true;
    uint64_t position, count;
    if (self->known && zc_feed_seek (feed, self->at, &position, &count) == 0) {
        s_verdict_from_feed (self, count);
        s_follow (self, position);
    } else if (self->known && self->checked && self->at > zc_feed_last (feed)) {
        s_wait_for_feed (self);
    } else if (!self->client->private_) {
        s_fetch (self);
    } else if (!self->checked) {
        s_fetch (self); /* the response head is on its way: no reason to wait for it */
    }
}

/*  What only this client gets isn't worth what pays where many get it. */
static const zc_buf_t *s_encode (zc_channel_t *channel, const zc_message_t *message)
{
    const zc_encoding_t *encoding = channel->encoding;
    return zc_hub_encode (channel->hub, encoding->alone ? encoding->alone : encoding, message);
}

void zc_join_page_message (zc_join_t *self, const zc_message_t *message)
{
    const zc_buf_t *bytes = s_encode (self->client->channel, message);
    zc_buf_add (&self->page, bytes->data, bytes->len);
    self->page_count++;
}

/*  The first event of a client that came with a last id. */
static void s_first_verdict (zc_join_t *self, zc_id_t head, zc_id_t floor, bool unknown,
                             uint64_t remaining, zc_buf_t *bytes)
{
    zc_verdict_t verdict = {.since = s_since (self),
                            .replayed = self->page_count + remaining,
                            .position = self->at,
                            .from = floor};
    bool future = self->known && self->at > head;
    verdict.gap = unknown || future || (floor > self->at && !self->earliest);
    if (future)
        verdict.from = head;
    if (verdict.gap)
        verdict.position = verdict.from;
    s_add_verdict (self, &verdict, bytes);
}

void zc_join_page_end (zc_join_t *self, zc_id_t head, zc_id_t floor, zc_id_t since, bool unknown,
                       uint64_t remaining)
{
    zc_buf_t bytes = ZC_BUF_INIT;
    self->fetch = 0;
    self->checked = true;
    if (!self->known) {
        self->at = unknown ? ZC_ID_NONE : since;
        self->known = true;
    }
    if (self->verdict)
        s_first_verdict (self, head, floor, unknown, remaining, &bytes);
    else if (floor > self->at && !self->fresh)
        s_later_gap (self, floor, &bytes);
    else if (self->at > head && !self->guess)
        s_later_gap (self, head, &bytes); /* a broker that lost its past came back */
    if (self->at > head)
        self->at = head;
    zc_buf_add (&bytes, self->page.data, self->page.len);
    zc_join_reset (self);
    if (bytes.len)
        s_add (self, &bytes);
    s_mark (self);
    if (head > self->at)
        self->at = head;
    self->earliest = false;
    zc_join_try (self);
}

/*  Policies `skip` and `latest`. */

static int s_compare_latest (const void *a, const void *b)
{
    const zc_topic_t *left = *(zc_topic_t *const *)a, *right = *(zc_topic_t *const *)b;
    return (left->latest->id > right->latest->id) - (left->latest->id < right->latest->id);
}

static uint64_t s_latest (zc_join_t *self, zc_buf_t *bytes)
{
    zc_channel_t *channel = self->client->channel;
    zc_topic_t **topics = malloc (channel->topic_count * sizeof *topics);
    if (!topics)
        abort ();
    size_t count = 0;
    for (size_t i = 0; i < channel->topic_count; i++) {
        const zc_message_t *latest = channel->topics[i]->latest;
        if (latest && latest->id > self->at && latest->id <= zc_feed_last (channel->feed))
            topics[count++] = channel->topics[i];
    }
    qsort (topics, count, sizeof *topics, s_compare_latest);
    for (size_t i = 0; i < count; i++) {
        const zc_buf_t *one = s_encode (channel, topics[i]->latest);
        zc_buf_add (bytes, one->data, one->len);
    }
    free (topics);
    return count;
}

static void s_try_skip (zc_join_t *self)
{
    zc_channel_t *channel = self->client->channel;
    if (self->client->private_)
        return; /* it hasn't taken the rest of the message it was in */
    char since[ZC_ID_SIZE];
    zc_buf_t bytes = ZC_BUF_INIT, latest = ZC_BUF_INIT;
    zc_verdict_t verdict = {.gap = true,
                            .since = {since, zc_id_format (self->at, since)},
                            .from = zc_feed_last (channel->feed),
                            .position = zc_feed_last (channel->feed)};
    if (channel->policy == ZC_SLOW_LATEST) {
        verdict.replayed = s_latest (self, &latest);
        verdict.position = self->at; /* should it go away before it has the newest ones */
    }
    s_add_verdict (self, &verdict, &bytes);
    zc_buf_add (&bytes, latest.data, latest.len);
    zc_buf_clear (&latest);
    s_add (self, &bytes);
    s_follow (self, zc_feed_head (channel->feed));
}

size_t zc_join_lag (const zc_join_t *self)
{
    const zc_feed_t *feed = self->client->channel->feed;
    if (!feed || self->kind == ZC_JOIN_SKIP || !self->checked || self->verdict || self->fetch ||
        self->mark >= zc_feed_newest (feed))
        return 0;
    if (self->at >= zc_feed_last (feed))
        return 0; /* what it was given goes further than the feed */
    return (size_t)(zc_feed_head (feed) - self->mark);
}

void zc_join_skip (zc_client_t *client)
{
    zc_join_t *self = client->join;
    client->channel->hub->stats.slow_skipped++;
    if (self) { /* the page that it was given ends at `at` */
        self->kind = ZC_JOIN_SKIP;
        return;
    }
    zc_client_add (client, "", 0); /* the rest of the message it is in */
    zc_id_t at = zc_feed_id_at (client->channel->feed, client->cursor);
    self = zc_join_new (client, ZC_JOIN_SKIP);
    self->at = at;
    self->known = self->checked = true;
}

void zc_join_try (zc_join_t *self)
{
    if (!self->client->channel->feed || self->fetch)
        return;
    if (self->kind == ZC_JOIN_SKIP)
        s_try_skip (self);
    else
        s_try_resume (self);
}
