/*  streams.c - a connection for each Stream, since the nodes of a Cluster have different ones, and
 *  since a read that waits holds up what comes behind it.
 *
 *  away -> asking (the place where we left off, and what Redis says of the Stream) -> reading:
 * XREAD, which waits for a second at most, then XINFO if entries came, the place, XREAD …
 *
 *  A place is kept only once the broker has answered all entries up to it. So after a crash a few
 *  entries are read again; they have the same keys, by which the broker knows them. Rejected:
 *  consumer groups, whose pending entries are by consumer: a bridge that starts again, or another
 *  one, would have to claim them, and their order would be lost. */
#include "bridge/streams.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "bridge/entries.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/redis/redis.h"

#define S_BLOCK "1000" /* ms that XREAD waits for entries */
#define S_COUNT_MAX 256
#define S_AGAIN_MS 2000 /* after a refusal */
#define S_SAVE_MS 1000  /* between two places that are kept */
#define S_FULL_MS 50    /* while the broker's queue is full: to look whether it still is */

/*  Tags of commands. */
static char s_get, s_info, s_read, s_set;

typedef struct s_stream s_stream_t;

struct zc_origin {
    TAILQ_ENTRY (zc_origin) turn;
    s_stream_t *stream;
    zc_place_read_t place; /* that is reached with this entry */
    bool answered;
};

struct s_stream {
    TAILQ_ENTRY (s_stream) entry;
    zc_streams_t *owner;
    zc_redis_t *redis; /* NULL: closed */
    char *name, *key;  /* owned; the key has its place */
    bool wanted;
    bool known;                    /* its place: Redis has told it, or that there is none */
    bool begun;                    /* there is one */
    bool stored;                   /* Redis has one */
    bool placed;                   /* on this connection it was compared with the Stream */
    bool asking, looking, reading; /* GET, XINFO, XREAD have no answer yet */
    bool keeping, unkept;          /* SET has no answer yet; the last one was refused */
    zc_place_read_t read;          /* all entries up to here were handed on */
    zc_place_read_t done;          /* the broker has answered all up to here */
    zc_place_read_t kept, to_keep; /* Redis has this place; is asked to keep this one */
    unsigned count;                /* of entries to ask for */
    uint64_t again_at, save_at;    /* monotonic ms */
    char complaint[256];           /* "": all is well */
    TAILQ_HEAD (s_turns, zc_origin) origins; /* owned; in the order of entries */
};

struct zc_streams {
    zc_streams_config_t config;
    zc_mapping_t *mapping;
    TAILQ_HEAD (, s_stream) all;
    bool closed, stands_by;
    zc_streams_stats_t stats;
};

/*  Streams ------------------------------------------------------------------------------------- */

static const char *s_shown (const s_stream_t *self)
{
    return self->owner->config.address->shown;
}

static void s_settle (s_stream_t *self)
{
    zc_origin_t *first;
    while ((first = TAILQ_FIRST (&self->origins)) && first->answered) {
        TAILQ_REMOVE (&self->origins, first, turn);
        if (zc_entry_id_compare (first->place.id, self->done.id) > 0)
            self->done = first->place;
        free (first);
    }
}

static bool s_moved (const s_stream_t *self)
{
    return self->begun &&
           (!self->stored || zc_entry_id_compare (self->done.id, self->kept.id) != 0 ||
            self->done.added != self->kept.added);
}

static void s_free (s_stream_t *self)
{
    zc_origin_t *origin;
    while ((origin = TAILQ_FIRST (&self->origins))) {
        TAILQ_REMOVE (&self->origins, origin, turn);
        free (origin);
    }
    zc_redis_destroy (&self->redis);
    free (self->name);
    free (self->key);
    free (self);
}

/*  Says what is wrong, once. Returns whether it is news. */
static bool s_complain (s_stream_t *self, const redisReply *error, const char *what)
{
    char complaint[sizeof self->complaint];
    zc_slice_t text = zc_reply_error (error);
    const char *advice = zc_fault_advice (text);
    if (self->known &&
        zc_slice_starts (text, "WRONGTYPE ")) /* a relay's position has that advice */
        advice = "the key holds another type of value: it is no Stream";
    snprintf (complaint, sizeof complaint, "stream %.64s: %s: %.*s%s%s%s", self->name, what,
              (int)(text.len > 120 ? 120 : text.len), text.at, advice ? " (" : "",
              advice ? advice : "", advice ? ")" : "");
    bool news = strcmp (complaint, self->complaint) != 0;
    strcpy (self->complaint, complaint);
    zc_log (news ? ZC_LOG_ERROR : ZC_LOG_DEBUG,
            ZC_EVENT ("stream.refused redis error", "redis %s: %s; trying again"), s_shown (self),
            complaint);
    return news;
}

/*  Redis won't let it be read. What isn't this command's fault is the connection's. */
static void s_refused (s_stream_t *self, const redisReply *error)
{
    if (zc_reply_fault (error) == ZC_FAULT_NODE) {
        zc_redis_give_up_for (self->redis, error);
        return;
    }
    bool news = s_complain (self, error, "not read");
    self->owner->stats.refused += news;
    self->again_at = zc_mono_ms () + S_AGAIN_MS;
    self->placed = false;
}

static void s_is_good (s_stream_t *self)
{
    zc_redis_works (self->redis);
    if (self->complaint[0] && !self->unkept) {
        zc_info (ZC_EVENT ("stream.reading redis stream", "redis %s: stream %s: all is well again"),
                 s_shown (self), self->name);
        self->complaint[0] = 0;
    }
}

/*  To Redis ------------------------------------------------------------------------------------ */

static void s_ask_place (s_stream_t *self)
{
    const char *get[] = {"GET", self->key};
    zc_redis_command (self->redis, &s_get, 2, get, NULL);
    self->asking = true;
}

static void s_look (s_stream_t *self)
{
    const char *info[] = {"XINFO", "STREAM", self->name};
    zc_redis_command (self->redis, &s_info, 3, info, NULL);
    self->looking = true;
}

static void s_xread (s_stream_t *self)
{
    char count[16], id[ZC_ENTRY_ID_SIZE];
    const char *read[] = {"XREAD", "COUNT", count, "BLOCK", S_BLOCK, "STREAMS", self->name, id};
    snprintf (count, sizeof count, "%u", self->count);
    zc_entry_id_format (self->read.id, id);
    zc_redis_command (self->redis, &s_read, 8, read, NULL);
    self->reading = true;
}

static void s_keep (s_stream_t *self)
{
    char place[ZC_PLACE_READ_SIZE];
    const char *set[] = {"SET", self->key, place};
    zc_place_read_format (&self->done, place);
    self->to_keep = self->done;
    self->keeping = true;
    self->save_at = zc_mono_ms () + S_SAVE_MS;
    zc_redis_command (self->redis, &s_set, 3, set, NULL);
}

static void s_next (s_stream_t *self)
{
    if (!self->redis || !zc_redis_is_ready (self->redis) || zc_mono_ms () < self->again_at ||
        self->owner->stands_by)
        return;
    bool stops = self->owner->closed || !self->wanted;
    if (!self->known && !stops && !self->asking)
        s_ask_place (self);
    if (self->known && !stops && !self->placed && !self->looking)
        s_look (self);
    bool last = stops && TAILQ_EMPTY (&self->origins) && !self->unkept;
    if (s_moved (self) && !self->keeping && (last || zc_mono_ms () >= self->save_at))
        s_keep (self);
    if (self->placed && !stops && !self->reading &&
        !self->owner->config.full (self->owner->config.arg))
        s_xread (self);
}

/*  From Redis ---------------------------------------------------------------------------------- */

static void s_told_place (s_stream_t *self, const redisReply *reply)
{
    zc_slice_t text = zc_reply_text (reply);
    self->asking = false;
    if (zc_reply_fault (reply) != ZC_FAULT_NONE) {
        /* beginning elsewhere would lose entries */
        s_refused (self, reply);
        return;
    }
    self->known = true;
    self->begun = self->stored = zc_place_read_parse (text, &self->done);
    self->read = self->kept = self->done;
    if (!self->begun && text.len)
        zc_warn (ZC_EVENT ("stream.malformed redis key text",
                           "redis %s: key %s has no place in a Stream: '%.*s'"),
                 s_shown (self), self->key, (int)(text.len > 64 ? 64 : text.len), text.at);
}

static void s_begin (s_stream_t *self, const zc_stream_info_t *info, bool earliest)
{
    char id[ZC_ENTRY_ID_SIZE];
    self->read = (zc_place_read_t){.counted = info->counts || !info->there};
    if (earliest || !info->there)
        self->read.added = zc_stream_removed (info);
    else
        self->read = (zc_place_read_t){info->last, info->counts, info->added};
    self->begun = true;
    self->done = self->read;
    zc_entry_id_format (self->read.id, id);
    zc_info (ZC_EVENT ("stream.begun redis stream id", "redis %s: stream %s: reading after %s"),
             s_shown (self), self->name, id);
}

/*  Entries that were trimmed or deleted before we read them. */
static void s_tell_missed (s_stream_t *self, uint64_t missed)
{
    static zc_log_limit_t s_limit;
    self->owner->stats.missed += missed;
    if (missed)
        zc_log_limited (&s_limit, ZC_LOG_WARN,
                        ZC_EVENT ("stream.gap redis stream entries",
                                  "redis %s: stream %s: gap: at least %" PRIu64
                                  " entries were removed before they were read"),
                        s_shown (self), self->name, missed);
}

/*  What Redis says fits the place that was read. */
static void s_compare (s_stream_t *self, const zc_stream_info_t *info)
{
    if (zc_entry_id_compare (self->read.id, info->last) <= 0) {
        s_tell_missed (self, zc_stream_missed (&self->read, info));
        return;
    }
    zc_warn (ZC_EVENT ("stream.anew redis stream",
                       "redis %s: stream %s: it ends before the place that was read: it is another "
                       "one, or an older copy; reading all of it"),
             s_shown (self), self->name);
    s_begin (self, info, true);
}

static void s_told_info (s_stream_t *self, const redisReply *reply)
{
    zc_stream_info_t info;
    self->looking = false;
    if (!self->known)
        return; /* the bridge stood by meanwhile */
    if (!zc_stream_info_parse (reply, &info)) {
        s_refused (self, reply);
        return;
    }
    if (!self->begun)
        s_begin (self, &info, self->owner->config.earliest);
    else if (info.there || zc_entry_id_compare (self->read.id, info.last) > 0)
        s_compare (self, &info);
    zc_origin_t *last = TAILQ_LAST (&self->origins, s_turns);
    if (last && zc_entry_id_compare (last->place.id, self->read.id) == 0)
        last->place = self->read; /* its count is right now */
    else if (!last)
        self->done = self->read;
    self->placed = true;
    s_is_good (self);
}

static void s_publish (s_stream_t *self, zc_origin_t *origin, zc_slice_t topic,
                       const redisReply *fields)
{
    static zc_log_limit_t s_limit;
    zc_streams_t *owner = self->owner;
    zc_buf_t room = ZC_BUF_INIT, headers = ZC_BUF_INIT;
    zc_slice_t payload;
    char id[ZC_ENTRY_ID_SIZE];
    const char *wrong = topic.len ? zc_entry_payload (fields, owner->config.field, &room, &payload)
                                  : "makes no valid topic";
    zc_entry_headers (&headers, self->name, origin->place.id);
    if (!wrong) {
        owner->config.publish (owner->config.arg, topic, payload,
                               (zc_slice_t){zc_buf_str (&headers), headers.len}, origin);
    } else {
        owner->stats.invalid++;
        origin->answered = true;
        zc_entry_id_format (origin->place.id, id);
        zc_log_limited (
            &s_limit, ZC_LOG_WARN,
            ZC_EVENT ("stream.dropped stream id reason", "stream %s: entry %s dropped: %s"),
            self->name, id, wrong);
    }
    zc_buf_clear (&room);
    zc_buf_clear (&headers);
}

static void s_take (s_stream_t *self, zc_entry_id_t id, const redisReply *fields)
{
    zc_buf_t topic = ZC_BUF_INIT;
    zc_slice_t name = {self->name, strlen (self->name)};
    zc_origin_t *origin = calloc (1, sizeof *origin);
    if (!origin)
        abort ();
    self->read.id = id;
    self->read.added++;
    self->owner->stats.entries++;
    origin->stream = self;
    origin->place = self->read;
    TAILQ_INSERT_TAIL (&self->origins, origin, turn);
    if (zc_mapping_topic (self->owner->mapping, name, false, name, &topic) != 0)
        topic.len = 0;
    s_publish (self, origin, (zc_slice_t){zc_buf_str (&topic), topic.len}, fields);
    zc_buf_clear (&topic);
}

static void s_told_entries (s_stream_t *self, const redisReply *reply)
{
    const redisReply *entries, *fields;
    zc_entry_id_t id;
    self->reading = false;
    if (zc_reply_fault (reply) != ZC_FAULT_NONE) {
        s_refused (self, reply);
        return;
    }
    if (!zc_entries (reply, &entries)) {
        zc_redis_give_up (self->redis, "its answer to XREAD is none");
        return;
    }
    s_is_good (self);
    if (!entries || self->owner->closed || self->owner->stands_by || !self->wanted || !self->placed)
        return;
    for (size_t i = 0; i < entries->elements; i++)
        if (zc_entry (entries, i, &id, &fields) && zc_entry_id_compare (id, self->read.id) > 0)
            s_take (self, id, fields);
    if (self->count < S_COUNT_MAX)
        self->count *= 2;
    s_settle (self);
    s_look (self);
}

static void s_told_kept (s_stream_t *self, const redisReply *reply)
{
    self->keeping = false;
    if (zc_reply_fault (reply) == ZC_FAULT_NONE) {
        self->kept = self->to_keep;
        self->stored = true;
        self->unkept = false;
        return;
    }
    if (zc_reply_fault (reply) == ZC_FAULT_NODE) {
        zc_redis_give_up_for (self->redis, reply);
        return;
    }
    self->unkept = true;
    self->owner->stats.unkept++;
    s_complain (self, reply, "its place isn't kept, so a bridge that starts again reads again");
}

static void s_reply (void *arg, void *tag, const redisReply *reply)
{
    s_stream_t *self = arg;
    if (tag == &s_get)
        s_told_place (self, reply);
    else if (tag == &s_info)
        s_told_info (self, reply);
    else if (tag == &s_read)
        s_told_entries (self, reply);
    else if (tag == &s_set)
        s_told_kept (self, reply);
    s_next (self);
}

static void s_ready (void *arg)
{
    s_stream_t *self = arg;
    self->placed = false;
    s_next (self);
}

/*  Perhaps for a reply that was too large: then fewer entries are asked for. */
static void s_lost (void *arg)
{
    s_stream_t *self = arg;
    if (self->reading)
        self->count = self->count > 4 ? self->count / 4 : 1;
    self->asking = self->looking = self->reading = self->keeping = false;
    self->again_at = 0;
}

/*  The set of Streams -------------------------------------------------------------------------- */

static s_stream_t *s_find (const zc_streams_t *self, const char *name)
{
    s_stream_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    if (strcmp (at->name, name) == 0)
        break;
    return at;
}

static void s_add (zc_streams_t *self, const char *name)
{
    s_stream_t *made = calloc (1, sizeof *made);
    zc_buf_t key = ZC_BUF_INIT;
    if (!made)
        abort ();
    zc_place_key (&key, self->config.site, name);
    made->owner = self;
    made->name = strdup (name);
    made->key = strdup (zc_buf_str (&key));
    made->wanted = true;
    made->count = 16;
    TAILQ_INIT (&made->origins);
    zc_buf_clear (&key);
    zc_redis_config_t config = {.address = self->config.address,
                                .name = "zcast-stream",
                                .reply_max = self->config.reply_max,
                                .follows = true,
                                .arg = made,
                                .ready = s_ready,
                                .reply = s_reply,
                                .lost = s_lost};
    made->redis = zc_redis_new (&config);
    TAILQ_INSERT_TAIL (&self->all, made, entry);
}

static void s_want (zc_streams_t *self)
{
    s_stream_t *at;
    bool pattern;
    TAILQ_FOREACH (at, &self->all, entry)
    at->wanted = false;
    for (size_t i = 0; i < zc_mapping_count (self->mapping); i++) {
        const char *name = zc_mapping_name (self->mapping, i, &pattern);
        s_stream_t *found = s_find (self, name);
        if (found)
            found->wanted = true;
        else
            s_add (self, name);
    }
}

/*  What isn't wanted any more goes once its entries are answered and its place is kept. */
static void s_forget (zc_streams_t *self)
{
    for (s_stream_t *at = TAILQ_FIRST (&self->all), *next; at; at = next) {
        next = TAILQ_NEXT (at, entry);
        bool busy = !TAILQ_EMPTY (&at->origins) || (s_moved (at) && !at->unkept);
        if (at->wanted || busy)
            continue;
        TAILQ_REMOVE (&self->all, at, entry);
        s_free (at);
    }
}

zc_streams_t *zc_streams_new (const zc_streams_config_t *config, zc_mapping_t **mapping_p)
{
    zc_streams_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->config = *config;
    TAILQ_INIT (&self->all);
    zc_streams_remap (self, mapping_p);
    return self;
}

void zc_streams_destroy (zc_streams_t **self_p)
{
    zc_streams_t *self = *self_p;
    s_stream_t *at;
    if (!self)
        return;
    *self_p = NULL;
    while ((at = TAILQ_FIRST (&self->all))) {
        TAILQ_REMOVE (&self->all, at, entry);
        s_free (at);
    }
    zc_mapping_destroy (&self->mapping);
    free (self);
}

void zc_streams_remap (zc_streams_t *self, zc_mapping_t **mapping_p)
{
    zc_mapping_destroy (&self->mapping);
    self->mapping = *mapping_p;
    *mapping_p = NULL;
    s_want (self);
}

void zc_streams_work (zc_streams_t *self, bool works)
{
    s_stream_t *at;
    self->stands_by = !works;
    TAILQ_FOREACH (at, &self->all, entry)
    {
        at->known = at->placed = at->begun = false;
        s_next (at);
    }
}

void zc_streams_close (zc_streams_t *self)
{
    self->closed = true;
}

void zc_streams_published (zc_streams_t *self, zc_origin_t *origin)
{
    s_stream_t *stream = origin->stream;
    (void)self;
    origin->answered = true;
    s_settle (stream);
}

/*  Figures ------------------------------------------------------------------------------------- */

const zc_streams_stats_t *zc_streams_stats (const zc_streams_t *self)
{
    return &self->stats;
}

static bool s_reads (const s_stream_t *self)
{
    return self->wanted && self->redis && zc_redis_is_ready (self->redis) && self->placed;
}

size_t zc_streams_count (const zc_streams_t *self, size_t *reading)
{
    const s_stream_t *at;
    size_t count = 0;
    *reading = 0;
    TAILQ_FOREACH (at, &self->all, entry)
    {
        count += at->wanted;
        *reading += s_reads (at);
    }
    return count;
}

const char *zc_streams_complaint (const zc_streams_t *self, bool *refused)
{
    const s_stream_t *at;
    const char *complaint = "";
    *refused = false;
    TAILQ_FOREACH (at, &self->all, entry)
    {
        if (at->complaint[0])
            complaint = at->complaint;
        *refused = *refused || (at->complaint[0] && !at->placed);
    }
    return complaint;
}

bool zc_streams_is_idle (const zc_streams_t *self)
{
    const s_stream_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    if (!TAILQ_EMPTY (&at->origins) || (s_moved (at) && !at->unkept))
        return false;
    return true;
}

/*  The owner's loop ---------------------------------------------------------------------------- */

size_t zc_streams_pollitems (zc_streams_t *self, zmq_pollitem_t *items)
{
    size_t count = 0;
    s_stream_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    count += zc_redis_pollitems (at->redis, items + count);
    return count;
}

static long s_timeout (const s_stream_t *self)
{
    long wait = zc_redis_timeout (self->redis), until = -1;
    uint64_t now = zc_mono_ms ();
    if (!zc_redis_is_ready (self->redis))
        return wait;
    if (self->again_at > now)
        until = (long)(self->again_at - now);
    else if (s_moved (self) && !self->keeping)
        until = self->save_at > now ? (long)(self->save_at - now) : 0;
    if (self->placed && !self->reading && (until < 0 || until > S_FULL_MS))
        until = S_FULL_MS;
    return until >= 0 && (wait < 0 || until < wait) ? until : wait;
}

long zc_streams_timeout (const zc_streams_t *self)
{
    const s_stream_t *at;
    long wait = -1;
    TAILQ_FOREACH (at, &self->all, entry)
    {
        long one = s_timeout (at);
        wait = one >= 0 && (wait < 0 || one < wait) ? one : wait;
    }
    return wait;
}

void zc_streams_run (zc_streams_t *self)
{
    s_stream_t *at;
    TAILQ_FOREACH (at, &self->all, entry)
    {
        zc_redis_run (at->redis);
        s_next (at);
    }
    s_forget (self);
}
