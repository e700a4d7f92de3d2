/*  join.c - clients that don't follow their channel's feed yet.
 *
 *  A client that resumes has a position. While that position is older than the feed, it gets
 *  pages of history as private bytes; then it gets a cursor. The next page is requested when the
 *  last one has been sent, so a replay of any length costs the memory of one page, and goes at
 *  the client's own speed. A client that doesn't take its page while more than max_lag goes to
 *  the feed is slow. */
#include "lib/engine/join.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"

typedef enum {
    /* comes back with `at` (or its own id in `since`): by the feed, or by pages of history */
    S_RESUME,
    S_SKIP, /* fell behind at `at`: jumps to the newest message once it can be sent something */
} s_kind_t;

struct zc_join {
    s_kind_t kind;
    zc_client_t *client;
    size_t slot;  /* among the channel's joins */
    size_t due;   /* among the joins to be tried */
    size_t ahead; /* among the joins that wait for the feed to reach `at` */
    char *since;  /* owned: the last id as the client sent it; NULL for a move or a skip */
    size_t since_len;
    zc_id_t at;    /* the client has everything up to here */
    uint64_t mark; /* the feed's head when the client was last given bytes */
    bool known;    /* `at` is valid; false for an own id that wasn't looked up yet */
    bool earliest; /* the client asked for all messages that there are */
    bool fresh;    /* came before there ever was a broker: it can't have missed anything */
    bool astray; /* `at` is of a line that has ended: all messages of today's line come after it */
    bool guess;  /* `at` is by our clock, which may be ahead of the broker's, */
    bool paged;  /* until a page has shown the broker's position */
    zc_id_t clock;      /* our clock when the client came */
    bool verdict;       /* the client is still owed its verdict */
    zc_id_t told;       /* the end of the last gap that it was told */
    bool checked;       /* the broker knows positions up to `at` */
    uint64_t fetch;     /* token of the page under way, or 0 */
    zc_buf_t page;      /* encoded messages of that page */
    zc_id_t page_first; /* id of its first message */
    uint64_t page_count;
    /*  While the messages of all pages are counted, before any of them is sent. */
    bool counting;
    uint64_t counted, first_count; /* on the pages before this one; on the first page */
    zc_id_t counted_to;            /* the end of the last of them */
    zc_page_end_t first_end;       /* of the first page */
};

static zc_shared_t *s_shared (const zc_join_t *self)
{
    return zc_channel_shared (self->client->channel);
}

static void s_mark (zc_join_t *self)
{
    const zc_feed_t *feed = zc_channel_feed (self->client->channel);
    self->mark = feed ? zc_feed_head (feed) : 0;
}

static void s_enter (zc_join_t *self)
{
    zc_slots_add (&zc_channel_joins (self->client->channel)->all, self, &self->slot);
    s_mark (self);
}

/*  Takes the join out of the sets that are to be tried. */
static void s_rest (zc_join_t *self)
{
    zc_joins_t *joins = zc_channel_joins (self->client->channel);
    zc_slots_take (&joins->due, &self->due);
    zc_heap_take (&joins->ahead, &self->ahead);
}

/*  Takes the join out of its channel. */
static void s_exit (zc_join_t *self)
{
    s_rest (self);
    zc_slots_take (&zc_channel_joins (self->client->channel)->all, &self->slot);
}

static zc_join_t *s_new (zc_client_t *client, s_kind_t kind)
{
    zc_join_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->kind = kind;
    self->client = client;
    client->join = self;
    client->feed = NULL;
    s_enter (self);
    return self;
}

static void s_clear_page (zc_join_t *self)
{
    s_shared (self)->held.pages -= self->page.cap;
    zc_buf_clear (&self->page);
}

/*  Forgets the page under way; no more of it will come. */
static void s_reset (zc_join_t *self)
{
    self->fetch = 0;
    self->page_count = 0;
    s_clear_page (self);
}

static void s_destroy (zc_join_t *self)
{
    zc_questions_cancel (s_shared (self)->questions, self->fetch);
    s_clear_page (self);
    s_exit (self);
    self->client->join = NULL;
    free (self->since);
    free (self);
}

/*  Makes private the rest of the feed that a client hasn't had. Returns where the rest ends. */
static zc_id_t s_take_rest (zc_client_t *client)
{
    const zc_feed_t *feed = zc_channel_feed (client->channel);
    size_t len;
    zc_client_add (client, "", 0); /* the rest of its current message */
    const uint8_t *rest = zc_feed_bytes (feed, client->cursor, &len);
    zc_client_add (client, rest, len);
    client->cursor += len;
    return zc_feed_last (feed);
}

static void s_follow (zc_client_t *client, uint64_t position)
{
    client->feed = zc_channel_feed (client->channel);
    client->cursor = position;
}

static void s_end (zc_join_t *self, uint64_t position)
{
    zc_client_t *client = self->client;
    s_destroy (self);
    s_follow (client, position);
    zc_rounds_ready (zc_channel_shared (client->channel)->rounds, client);
}

/*  The position that the client can come back with now, or ZC_ID_NONE if the broker wouldn't
 *  know any. */
static zc_id_t s_position (const zc_join_t *self)
{
    zc_id_t came;
    if (self->verdict) /* a verdict speaks of the id that the client came with */
        return zc_id_parse (self->since, self->since_len, &came) == 0 ? came : ZC_ID_NONE;
    return self->checked ? self->at : ZC_ID_NONE;
}

static void s_note (const zc_join_t *self, zc_loss_t why)
{
    const zc_client_t *client = self->client;
    zc_shared_t *shared = zc_channel_shared (client->channel);
    size_t count;
    zc_incidents_add (&shared->incidents, why, shared->now_ms,
                      *zc_channel_topics (client->channel, &count), client);
}

/*  `why` is of a gap. */
static void s_add_verdict (zc_join_t *self, const zc_verdict_t *verdict, zc_loss_t why,
                           zc_buf_t *bytes)
{
    zc_channel_encoding (self->client->channel)->verdict (bytes, verdict);
    if (verdict->gap) {
        s_shared (self)->stats.gaps++;
        s_note (self, why);
        self->told = verdict->from > self->told ? verdict->from : self->told;
    }
    self->verdict = false;
}

static void s_add (zc_join_t *self, zc_buf_t *bytes)
{
    zc_client_add (self->client, bytes->data, bytes->len);
    zc_rounds_ready (s_shared (self)->rounds, self->client);
    zc_buf_clear (bytes);
}

static zc_slice_t s_since (const zc_join_t *self)
{
    return (zc_slice_t){self->since, self->since_len};
}

/*  Pages. */

static void s_page_message (void *asker, const zc_message_t *message);
static void s_page_end (void *asker, const zc_page_end_t *end);
static void s_page_failed (void *asker);

static const zc_fetcher_t s_pages = {ZC_FETCH_RESUME, s_page_message, s_page_end, s_page_failed};

static void s_fetch (zc_join_t *self)
{
    zc_shared_t *shared = s_shared (self);
    char text[ZC_ID_SIZE];
    zc_slice_t since = s_since (self);
    zc_id_t at = self->counting ? self->counted_to : self->at;
    if (self->known)
        since = (zc_slice_t){text, zc_id_format (self->astray ? ZC_ID_NONE : at, text)};
    if (!zc_questions_can_ask (shared->questions))
        return; /* it is tried again when that is possible */
    shared->stats.resumed_broker += self->verdict && !self->counting;
    /*  A position that a client brings may be of any line. */
    bool ours = self->paged || (!self->since && !self->guess);
    self->fetch = zc_questions_fetch (shared->questions, &s_pages, self, since, ours,
                                      zc_channel_topic_list (self->client->channel));
}

/*  The client is ahead of the feed: messages are still on their way, or nothing was published up
 *  to the client's position. The broker's last positions tell which. */
static void s_wait_for_feed (zc_join_t *self)
{
    zc_channel_t *channel = self->client->channel;
    size_t count;
    if (!self->ahead)
        zc_heap_add (&zc_channel_joins (channel)->ahead, self, self->at, &self->ahead);
    zc_channel_topics (channel, &count);
    for (size_t i = 0; i < count; i++) {
        zc_subscription_t *subscription = zc_channel_subscription (channel, i);
        if (zc_order_known (zc_subscription_order (subscription)) < self->at)
            zc_subscription_want_sync (subscription);
    }
}

/*  The id of a verdict must be before all messages that follow, because a client that saw
 *  nothing after the verdict may come back with it. The end of a gap may be later: the missing
 *  messages of one topic can be newer than the oldest message of another. */
static zc_id_t s_before_page (const zc_join_t *self, zc_id_t position)
{
    bool beyond = self->page_count && self->page_first <= position;
    return beyond ? self->page_first - 1 : position;
}

static void s_later_gap (zc_join_t *self, zc_id_t from, zc_id_t position, zc_loss_t why,
                         zc_buf_t *bytes)
{
    char since[ZC_ID_SIZE];
    zc_verdict_t verdict = {.gap = true,
                            .since = {since, zc_id_format (self->at, since)},
                            .from = from,
                            .position = position};
    s_add_verdict (self, &verdict, why, bytes);
}

/*  A feed may have a gap, too: messages that history no longer had when the worker fetched them. */
static void s_verdict_from_feed (zc_join_t *self, uint64_t count)
{
    zc_channel_t *channel = self->client->channel;
    zc_id_t gap = zc_feed_gap (zc_channel_feed (channel));
    zc_buf_t bytes = ZC_BUF_INIT;
    if (self->verdict) {
        zc_verdict_t verdict = {.gap = gap > self->at,
                                .since = s_since (self),
                                .from = gap,
                                .replayed = count,
                                .position = self->at};
        s_shared (self)->stats.resumed_feed++;
        s_add_verdict (self, &verdict, ZC_LOSS_HISTORY, &bytes);
    } else if (gap > self->at && !self->fresh) {
        s_later_gap (self, gap, self->at, ZC_LOSS_HISTORY,
                     &bytes); /* messages from within the gap may follow */
    } else if (self->guess) {
        zc_channel_greet (channel, self->client, self->at);
    }
    if (bytes.len)
        s_add (self, &bytes);
}

/*  The position that a client brought may be of a line that has ended. Only history can tell. */
static bool s_is_doubtful (const zc_join_t *self)
{
    return self->since && self->known && !self->paged && self->at < s_shared (self)->doubt;
}

static void s_try_resume (zc_join_t *self)
{
    zc_channel_t *channel = self->client->channel;
    zc_feed_t *feed = zc_channel_feed (channel);
    uint64_t position, count;
    if (self->astray || s_is_doubtful (self)) {
        if (!self->client->private_)
            s_fetch (self);
        return;
    }
    if (self->known && self->at > zc_feed_last (feed))
        /* the broker may have said that there is nothing up to `at` */
        zc_channel_advance (channel);
    if (self->guess && !self->paged && self->at > zc_feed_last (feed))
        self->at = zc_feed_last (feed); /* like a client that comes now: history isn't needed */
    if (self->known && zc_feed_seek (feed, self->at, &position, &count) == 0) {
        s_verdict_from_feed (self, count);
        s_end (self, position);
    } else if (self->known && self->checked && self->at > zc_feed_last (feed)) {
        s_wait_for_feed (self);
    } else if (!self->client->private_) {
        s_fetch (self);
    } else if (!self->checked) {
        s_fetch (self); /* the response head is on its way; the page needn't wait for it */
    }
}

/*  Only this client gets these bytes, so an encoding that pays off for many clients isn't used. */
static const zc_buf_t *s_encode (zc_channel_t *channel, const zc_message_t *message)
{
    const zc_encoding_t *encoding = zc_channel_encoding (channel);
    return zc_encoder_bytes (zc_channel_shared (channel)->encoder,
                             encoding->alone ? encoding->alone : encoding, message);
}

static void s_page_message (void *asker, const zc_message_t *message)
{
    zc_join_t *self = asker;
    if (!zc_channel_shows (self->client->channel, message))
        return;
    if (self->counting) {
        self->page_count++;
        return;
    }
    const zc_buf_t *bytes = s_encode (self->client->channel, message);
    size_t cap = self->page.cap;
    zc_buf_add (&self->page, bytes->data, bytes->len);
    s_shared (self)->held.pages += self->page.cap - cap;
    if (self->page_count++ == 0)
        self->page_first = message->id;
}

/*  The first event of a client that came with a last id. */
static void s_first_verdict (zc_join_t *self, const zc_page_end_t *end, uint64_t replayed,
                             zc_buf_t *bytes)
{
    zc_verdict_t verdict = {
        .since = s_since (self), .replayed = replayed, .position = self->at, .from = end->floor};
    bool future = self->known && self->at > end->head;
    verdict.gap = end->unknown || future || (end->floor > self->at && !self->earliest);
    if (future)
        verdict.from = end->head;
    if (verdict.gap)
        verdict.position = verdict.from;
    verdict.position = s_before_page (self, verdict.position);
    s_add_verdict (self, &verdict,
                   future         ? ZC_LOSS_AHEAD
                   : end->unknown ? ZC_LOSS_UNKNOWN
                                  : ZC_LOSS_HISTORY,
                   bytes);
}

/*  The messages of the line that has ended are gone: tells the client so. */
static void s_from_another_line (zc_join_t *self, zc_id_t floor, zc_buf_t *bytes)
{
    s_later_gap (self, floor, s_before_page (self, floor), ZC_LOSS_LINE, bytes);
    self->at = floor;
    self->astray = false;
}

static void s_try (zc_join_t *self);

/*  A verdict says how many messages follow. If the client may not see all of them, only their pages
 *  tell, so they are counted first, and fetched again. */
static void s_begin_to_count (zc_join_t *self, const zc_page_end_t *end)
{
    self->counting = true;
    self->first_end = *end;
    self->first_count = self->counted = self->page_count;
    self->counted_to = end->head;
    s_reset (self);
    s_fetch (self);
}

static void s_count_on (zc_join_t *self, const zc_page_end_t *end)
{
    zc_buf_t bytes = ZC_BUF_INIT;
    self->counted += self->page_count;
    self->counted_to = end->head;
    s_reset (self);
    if (end->remaining > 0) {
        s_fetch (self);
        return;
    }
    self->counting = false;
    self->page_count = self->first_count;
    s_first_verdict (self, &self->first_end, self->counted, &bytes);
    self->page_count = 0;
    if (self->first_end.floor > self->told)
        self->told = self->first_end.floor;
    s_add (self, &bytes);
    s_mark (self);
    s_try (self);
}

static bool s_must_count (const zc_join_t *self, const zc_page_end_t *end)
{
    const zc_view_t *view = zc_channel_view (self->client->channel);
    return self->verdict && end->remaining > 0 && (!end->plain || view->selective);
}

static void s_page_end (void *asker, const zc_page_end_t *end)
{
    zc_join_t *self = asker;
    zc_buf_t bytes = ZC_BUF_INIT;
    self->fetch = 0;
    self->checked = self->paged = true;
    if (!self->known) {
        self->at = end->unknown ? ZC_ID_NONE : end->since;
        self->known = true;
    }
    if (self->counting) {
        s_count_on (self, end);
        return;
    }
    if (s_must_count (self, end)) {
        s_begin_to_count (self, end);
        return;
    }
    if (self->verdict)
        s_first_verdict (self, end, self->page_count + end->remaining, &bytes);
    else if (self->astray)
        s_from_another_line (self, end->floor, &bytes);
    else if (end->floor > self->at && end->floor > self->told && !self->fresh)
        s_later_gap (self, end->floor, s_before_page (self, end->floor), ZC_LOSS_HISTORY, &bytes);
    else if (self->at > end->head && !self->guess)
        s_later_gap (self, end->head, end->head, ZC_LOSS_AHEAD,
                     &bytes); /* the broker came back without its latest messages */
    if (self->at > end->head)
        self->at = end->head;
    zc_buf_add (&bytes, self->page.data, self->page.len);
    s_reset (self);
    if (bytes.len)
        s_add (self, &bytes);
    s_mark (self);
    if (end->head > self->at)
        self->at = end->head;
    self->earliest = false;
    s_try (self);
}

static void s_page_failed (void *asker)
{
    s_reset (asker);
    s_try (asker);
}

/*  Policies `skip` and `latest`. */

static int s_compare_latest (const void *a, const void *b)
{
    const zc_message_t *left = *(const zc_message_t *const *)a;
    const zc_message_t *right = *(const zc_message_t *const *)b;
    return (left->id > right->id) - (left->id < right->id);
}

static uint64_t s_latest (zc_join_t *self, zc_buf_t *bytes)
{
    zc_channel_t *channel = self->client->channel;
    zc_id_t last = zc_feed_last (zc_channel_feed (channel));
    size_t topics, count = 0;
    zc_channel_topics (channel, &topics);
    const zc_message_t **messages = malloc (topics * sizeof *messages);
    if (!messages)
        abort ();
    for (size_t i = 0; i < topics; i++) {
        const zc_message_t *latest = zc_subscription_latest (zc_channel_subscription (channel, i));
        if (latest && latest->id > self->at && latest->id <= last &&
            zc_channel_shows (channel, latest))
            messages[count++] = latest;
    }
    qsort (messages, count, sizeof *messages, s_compare_latest);
    for (size_t i = 0; i < count; i++) {
        const zc_buf_t *one = s_encode (channel, messages[i]);
        zc_buf_add (bytes, one->data, one->len);
    }
    free (messages);
    return count;
}

static void s_try_skip (zc_join_t *self)
{
    const zc_feed_t *feed = zc_channel_feed (self->client->channel);
    if (self->client->private_)
        return; /* it hasn't taken the rest of its current message */
    char since[ZC_ID_SIZE];
    zc_buf_t bytes = ZC_BUF_INIT, latest = ZC_BUF_INIT;
    zc_verdict_t verdict = {.gap = true,
                            .since = {since, zc_id_format (self->at, since)},
                            .from = zc_feed_last (feed),
                            .position = zc_feed_last (feed)};
    if (zc_channel_policy (self->client->channel) == ZC_SLOW_LATEST) {
        verdict.replayed = s_latest (self, &latest);
        /* the client may be cut off before it has the newest messages */
        verdict.position = self->at;
    }
    s_add_verdict (self, &verdict, ZC_LOSS_SKIPPED, &bytes);
    zc_buf_add (&bytes, latest.data, latest.len);
    zc_buf_clear (&latest);
    s_add (self, &bytes);
    s_end (self, zc_feed_head (feed));
}

size_t zc_join_lag (const zc_client_t *client)
{
    const zc_join_t *self = client->join;
    const zc_feed_t *feed = zc_channel_feed (client->channel);
    if (!feed || self->kind == S_SKIP || !self->checked || self->verdict || self->fetch ||
        self->mark >= zc_feed_newest (feed))
        return 0;
    if (self->at >= zc_feed_last (feed))
        return 0; /* the client has more than the feed */
    return (size_t)(zc_feed_head (feed) - self->mark);
}

void zc_join_skip (zc_client_t *client)
{
    zc_join_t *self = client->join;
    zc_channel_shared (client->channel)->stats.slow_skipped++;
    if (self) { /* the page that it was given ends at `at` */
        self->kind = S_SKIP;
        return;
    }
    zc_client_add (client, "", 0); /* the rest of its current message */
    zc_id_t at = zc_feed_id_at (zc_channel_feed (client->channel), client->cursor);
    self = s_new (client, S_SKIP);
    self->at = at;
    self->known = self->checked = true;
}

/*  Goes on as far as possible; the join is gone once the client follows the feed. A join that
 *  still has to wait waits for one event, and is tried again when that event comes: there is a
 *  feed (it is in `due`), the broker answers (s_page_end) or is connected (zc_join_connected),
 *  the client's socket has room (zc_join_drained), or the feed reaches a position
 *  (s_wait_for_feed). */
static void s_try (zc_join_t *self)
{
    zc_channel_t *channel = self->client->channel;
    s_rest (self);
    if (!zc_channel_feed (channel))
        zc_slots_add (&zc_channel_joins (channel)->due, self, &self->due);
    else if (self->fetch)
        return;
    else if (self->kind == S_SKIP)
        s_try_skip (self);
    else
        s_try_resume (self);
}

void zc_join_drained (zc_client_t *client)
{
    if (client->join)
        s_try (client->join);
}

/*  Coming, moving, leaving. */

/*  Messages of this millisecond are still to come. */
static zc_id_t s_clock_position (const zc_shared_t *shared)
{
    const zc_hub_config_t *config = &shared->config;
    return zc_id_from_ms (config->wall_ms ? config->wall_ms () : shared->now_ms) - 1;
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

static void s_resume (zc_client_t *client, zc_slice_t last_id)
{
    zc_join_t *self = s_new (client, S_RESUME);
    bool sound = last_id.len <= ZC_EVENT_ID_MAX && zc_text_plain (last_id.at, last_id.len);
    self->since = s_copy_text (sound ? last_id : (zc_slice_t){"", 0});
    self->since_len = sound ? last_id.len : 0;
    self->verdict = true;
    self->earliest = zc_slice_is (last_id, "earliest");
    if (!sound) {
        self->at = ZC_ID_MAX; /* like a position in the future: a gap, and nothing to replay */
        self->known = true;
    } else if (!self->earliest) {
        self->known = zc_id_parse (last_id.at, last_id.len, &self->at) == 0;
    }
    s_try (self);
}

/*  Without a feed, the client waits for all messages from now on. */
static void s_begin (zc_client_t *client, const zc_shared_t *shared)
{
    zc_join_t *self = s_new (client, S_RESUME);
    self->clock = s_clock_position (shared);
    self->at = self->clock > shared->losses.head ? self->clock : shared->losses.head;
    self->known = self->guess = true;
    self->fresh = shared->stats.reconnects == 0;
    s_try (self);
}

static void s_count (zc_shared_t *shared, const char *encoding, uint64_t clients)
{
    zc_clients_by_t *row = shared->stats.by_encoding;
    zc_clients_by_t *last = row + ZC_ENCODINGS_MAX - 1;
    while (row->encoding && row->encoding != encoding && row < last)
        row++;
    row->encoding = encoding;
    row->clients += clients;
    shared->stats.clients += clients;
}

static void s_welcome (zc_client_t *client, zc_channel_t *channel)
{
    zc_shared_t *shared = zc_channel_shared (channel);
    zc_channel_add (channel, client);
    s_count (shared, zc_channel_encoding (channel)->name, 1);
    shared->stats.clients_total++;
}

void zc_join_come (zc_client_t *client, zc_channel_t *channel, zc_slice_t last_id)
{
    zc_shared_t *shared = zc_channel_shared (channel);
    const zc_feed_t *feed = zc_channel_feed (channel);
    s_welcome (client, channel);
    client->join = NULL;
    if (!feed)
        zc_channel_unsettle (channel); /* the channel may begin now */
    if (last_id.len) {
        s_resume (client, last_id);
    } else if (feed) {
        s_follow (client, zc_feed_head (feed));
        zc_channel_greet (channel, client, zc_feed_last (feed));
    } else {
        s_begin (client, shared);
    }
    if (client->join && !zc_questions_can_ask (shared->questions))
        /* then perhaps nothing for a long time */
        zc_channel_greet (channel, client, s_position (client->join));
}

void zc_join_adopt (zc_client_t *client, zc_channel_t *channel, zc_id_t at)
{
    s_welcome (client, channel);
    zc_join_t *self = s_new (client, S_RESUME);
    self->at = at;
    self->known = self->checked = true;
    zc_channel_unsettle (channel);
    s_try (self);
}

bool zc_join_portable (const zc_client_t *client)
{
    const zc_join_t *self = client->join;
    return !self || (self->checked && !self->verdict && !self->astray);
}

bool zc_join_opening (const zc_client_t *client)
{
    const zc_channel_t *channel = client->channel;
    return client->join && client->join->guess && zc_channel_opening (channel) &&
           zc_channel_encoding (channel)->tells_position &&
           zc_questions_can_ask (zc_channel_shared (channel)->questions);
}

void zc_join_move (zc_client_t *client, zc_channel_t *channel)
{
    zc_channel_t *old = client->channel;
    zc_join_t *self = client->join;
    zc_id_t at = ZC_ID_NONE;
    if (self) {
        zc_questions_cancel (s_shared (self)->questions, self->fetch);
        s_reset (self);
        self->counting = false;
        s_exit (self);
    } else {
        at = s_take_rest (client);
    }
    zc_channel_remove (old, client);
    zc_channel_add (channel, client);
    if (self) {
        s_enter (self);
    } else {
        self = s_new (client, S_RESUME);
        self->at = at;
        self->known = self->checked = true;
    }
    zc_channel_unsettle (channel);
    s_try (self);
}

zc_id_t zc_join_position (zc_client_t *client)
{
    const zc_join_t *self = client->join;
    if (!client->channel)
        return ZC_ID_NONE;
    if (self)
        return self->checked && !self->verdict ? self->at : ZC_ID_NONE;
    zc_client_add (client, "", 0); /* the rest of its current message */
    return zc_feed_id_at (zc_channel_feed (client->channel), client->cursor);
}

zc_id_t zc_join_last_id (zc_client_t *client)
{
    return client->join ? s_position (client->join) : zc_join_position (client);
}

void zc_join_leave (zc_client_t *client)
{
    zc_channel_t *channel = client->channel;
    if (client->join)
        s_destroy (client->join);
    if (channel) {
        zc_shared_t *shared = zc_channel_shared (channel);
        s_count (shared, zc_channel_encoding (channel)->name, (uint64_t)-1);
        zc_channel_remove (channel, client);
        zc_rounds_leave (shared->rounds, client);
    }
    zc_client_clear (client);
}

/*  All joins of a channel. */

/*  The oldest position of the joins that know theirs. */
static zc_id_t s_oldest (const zc_joins_t *joins)
{
    zc_id_t oldest = ZC_ID_MAX;
    for (size_t i = 0; i < joins->all.count; i++) {
        const zc_join_t *self = joins->all.at[i].item;
        bool by_position = self->kind == S_RESUME && self->known && !self->earliest;
        if (by_position && !self->astray && self->at < oldest)
            oldest = self->at;
    }
    return oldest;
}

void zc_join_settle (zc_channel_t *channel)
{
    zc_joins_t *joins = zc_channel_joins (channel);
    if (zc_channel_can_begin (channel))
        zc_channel_begin (channel, s_oldest (joins));
    if (!zc_channel_settle (channel))
        return;
    zc_join_t *self;
    while ((self = zc_slots_pop (&joins->due)))
        s_try (self);
    while ((self = zc_heap_first (&joins->ahead)) &&
           self->at <= zc_feed_last (zc_channel_feed (channel)))
        s_try (self);
    if (self)
        s_wait_for_feed (self);
}

void zc_join_open (zc_channel_t *channel)
{
    const zc_slots_t *joins = &zc_channel_joins (channel)->all;
    for (size_t i = 0; i < joins->count; i++)
        zc_rounds_ready (zc_channel_shared (channel)->rounds,
                         ((zc_join_t *)joins->at[i].item)->client);
}

/*  A client that doesn't follow the feed waits for the broker, which may be away for long.
 *  Meanwhile proxies and the client itself must see that its connection lives. */
void zc_join_heartbeat (zc_channel_t *channel)
{
    const zc_slots_t *joins = &zc_channel_joins (channel)->all;
    zc_buf_t bytes = ZC_BUF_INIT;
    for (size_t i = 0; i < joins->count; i++) {
        zc_join_t *self = joins->at[i].item;
        if (zc_client_lag (self->client) > 0)
            continue;
        zc_channel_encoding (channel)->heartbeat (&bytes, s_position (self));
        s_add (self, &bytes);
    }
}

void zc_join_stale (zc_channel_t *channel, bool stale)
{
    const zc_slots_t *joins = &zc_channel_joins (channel)->all;
    const zc_encoding_t *encoding = zc_channel_encoding (channel);
    zc_buf_t bytes = ZC_BUF_INIT;
    zc_channel_stale (channel, stale);
    for (size_t i = 0; encoding->stale && i < joins->count; i++) {
        zc_join_t *self = joins->at[i].item;
        encoding->stale (&bytes, stale, s_position (self));
        s_add (self, &bytes);
    }
}

void zc_join_disconnected (zc_channel_t *channel)
{
    const zc_slots_t *joins = &zc_channel_joins (channel)->all;
    for (size_t i = 0; i < joins->count; i++) {
        zc_join_t *self = joins->at[i].item;
        self->checked = false;
        s_reset (self);
    }
    zc_channel_disconnected (channel);
}

void zc_join_connected (zc_channel_t *channel)
{
    zc_joins_t *joins = zc_channel_joins (channel);
    for (size_t i = 0; i < joins->all.count; i++) {
        zc_join_t *self = joins->all.at[i].item;
        if (!self->due)
            zc_slots_add (&joins->due, self, &self->due);
    }
    if (joins->due.count)
        zc_channel_unsettle (channel);
}

void zc_join_begin_anew (zc_channel_t *channel, zc_id_t future)
{
    const zc_audience_t *audience = zc_channel_audience (channel);
    const zc_slots_t *joins = &zc_channel_joins (channel)->all;
    for (size_t i = 0; zc_channel_feed (channel) && i < audience->count; i++) {
        zc_client_t *client = audience->clients[i];
        if (!client->join) {
            zc_id_t at = s_take_rest (client);
            zc_join_t *self = s_new (client, S_RESUME);
            self->at = at;
            self->known = true;
        }
    }
    zc_channel_begin_anew (channel);
    for (size_t i = 0; i < joins->count; i++) {
        zc_join_t *self = joins->at[i].item;
        bool told = self->kind == S_SKIP || !self->guess || self->paged;
        self->kind = S_RESUME;
        if (self->verdict && self->known && self->at < future)
            self->at = future;
        else if (told && !self->verdict)
            self->astray = true;
        else if (!told)
            self->at = self->clock;
        self->checked = self->paged = self->counting = false;
        self->told = ZC_ID_NONE;
        s_mark (self);
        s_try (self);
    }
}
