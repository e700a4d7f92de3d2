/*  outgoing.c - a subscriber without holes, a queue, and PUBLISH in a pipeline.
 *
 *  Redis answers in order, so the queue is also the list of what it still owes. When its connection
 *  breaks, all that has no answer is sent again: a repeat, which other sites know by its key, and
 *  which plain subscribers may see. While Redis is away the queue fills, then the broker isn't read
 *  any more, and what it drops is fetched from its history later.
 *
 *  The position up to which Redis has everything is kept in Redis itself, under a key of its own,
 * at most once a second: a bridge that starts again goes on from there. */
#include "bridge/outgoing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bridge/envelope.h"
#include "bridge/redis.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define S_SAVE_MS 1000
#define S_KEEP "86400"      /* seconds that the position is kept in Redis */
#define S_REPEAT_MS 3600000 /* so it is said again, though it hasn't moved */

typedef enum { S_PUBLISH, S_GET, S_SET } s_kind_t;

typedef struct s_entry {
    struct s_entry *next;
    s_kind_t kind;
    zc_id_t position; /* S_PUBLISH: the subscriber's, with this message */
    size_t channel;   /* bytes of the channel's name, which come first in `bytes` */
    zc_buf_t bytes;   /* S_PUBLISH: channel and payload */
} s_entry_t;

struct zc_outgoing {
    zc_outgoing_config_t config;
    void *context;
    char *subscribe, *control, *key; /* owned */
    zc_redis_t *redis;
    zc_subscriber_t *subscriber; /* NULL until the position is known, and once closed */
    bool closed;
    s_entry_t *head, **tail;
    zc_id_t position, saved; /* Redis has all up to here; and knows so */
    uint64_t save_at;        /* monotonic ms: where it has moved, not before */
    uint64_t repeat_at;      /* and else then */
    zc_outgoing_stats_t stats;
};

/*  The queue ----------------------------------------------------------------------------------- */

static s_entry_t *s_add (zc_outgoing_t *self, s_kind_t kind)
{
    s_entry_t *entry = calloc (1, sizeof *entry);
    if (!entry)
        abort ();
    entry->kind = kind;
    *self->tail = entry;
    self->tail = &entry->next;
    return entry;
}

static void s_remove (zc_outgoing_t *self, s_entry_t **at)
{
    s_entry_t *entry = *at;
    *at = entry->next;
    if (self->tail == &entry->next)
        self->tail = at;
    if (entry->kind == S_PUBLISH) {
        self->stats.waiting--;
        self->stats.bytes -= entry->bytes.len;
    }
    zc_buf_clear (&entry->bytes);
    free (entry);
}

static void s_send (zc_outgoing_t *self, s_entry_t *entry)
{
    char position[ZC_ID_SIZE];
    size_t position_len = zc_id_format (self->position, position);
    const char *bytes = zc_buf_str (&entry->bytes);
    const char *publish[] = {"PUBLISH", bytes, bytes + entry->channel};
    size_t publish_len[] = {7, entry->channel, entry->bytes.len - entry->channel};
    const char *get[] = {"GET", self->key};
    const char *set[] = {"SET", self->key, position, "EX", S_KEEP};
    size_t key = strlen (self->key);
    size_t get_len[] = {3, key}, set_len[] = {3, key, position_len, 2, strlen (S_KEEP)};
    if (entry->kind == S_PUBLISH)
        zc_redis_command (self->redis, 3, publish, publish_len);
    else if (entry->kind == S_GET)
        zc_redis_command (self->redis, 2, get, get_len);
    else
        zc_redis_command (self->redis, 5, set, set_len);
}

/*  From the broker ----------------------------------------------------------------------------- */

static void s_message (void *arg, const zc_message_t *message)
{
    zc_outgoing_t *self = arg;
    if (zc_envelope_is_from_redis (message)) {
        self->stats.skipped++;
        return;
    }
    s_entry_t *entry = s_add (self, S_PUBLISH);
    entry->position = zc_subscriber_position (self->subscriber);
    zc_outlet_channel (self->config.outlet, message->topic, &entry->bytes);
    entry->channel = entry->bytes.len;
    if (self->config.envelope)
        zc_envelope_write (&entry->bytes, self->config.site, message);
    else
        zc_buf_add (&entry->bytes, message->payload.at, message->payload.len);
    self->stats.waiting++;
    self->stats.bytes += entry->bytes.len;
    s_send (self, entry);
    if (self->stats.bytes > self->config.queue_bytes)
        zc_subscriber_pause (self->subscriber, true);
}

static void s_gap (void *arg, zc_slice_t topic, bool prefix, zc_id_t from, zc_id_t to)
{
    static zc_log_limit_t s_limit;
    zc_outgoing_t *self = arg;
    char since[ZC_ID_SIZE], floor[ZC_ID_SIZE];
    zc_id_format (from, since);
    zc_id_format (to, floor);
    self->stats.gaps++;
    const char *all = prefix ? "*" : "";
    if (to < from)
        zc_log_limited (&s_limit, ZC_LOG_WARN,
                        "topic %.*s%s: gap: %s is after all that the broker has given out; going "
                        "on after %s, what was published before is missing",
                        (int)topic.len, topic.at, all, since, floor);
    else
        zc_log_limited (
            &s_limit, ZC_LOG_WARN,
            "topic %.*s%s: gap: what was published after %s, up to %s, is gone from history",
            (int)topic.len, topic.at, all, since, floor);
}

static void s_live (void *arg, bool live)
{
    zc_outgoing_t *self = arg;
    if (live)
        zc_info ("broker %s: following what goes out", self->subscribe);
    else
        zc_warn ("broker %s: lost the connection; trying again", self->subscribe);
}

static void s_refused (void *arg, zc_slice_t code, zc_slice_t text)
{
    static zc_log_limit_t s_limit;
    zc_outgoing_t *self = arg;
    zc_log_limited (&s_limit, ZC_LOG_ERROR, "broker %s: %.*s: %.*s", self->control, (int)code.len,
                    code.at, (int)text.len, text.at);
}

static void s_subscribe (zc_outgoing_t *self, const char *since)
{
    zc_subscriber_config_t config = {.subscribe = self->subscribe,
                                     .control = self->control,
                                     .since = since,
                                     .arg = self,
                                     .message = s_message,
                                     .gap = s_gap,
                                     .live = s_live,
                                     .refused = s_refused};
    self->subscriber = zc_subscriber_new (self->context, &config);
    if (!self->subscriber) { /* the endpoints have been checked: out of descriptors */
        zc_error ("broker %s: %s", self->subscribe, zmq_strerror (errno));
        return;
    }
    for (size_t i = 0; i < zc_outlet_count (self->config.outlet); i++) {
        bool prefix;
        zc_slice_t topic = zc_outlet_topic (self->config.outlet, i, &prefix);
        zc_subscriber_add (self->subscriber, topic, prefix);
    }
}

/*  From Redis ---------------------------------------------------------------------------------- */

/*  Where we left off: a position, or nothing. */
static void s_got (zc_outgoing_t *self, const redisReply *reply)
{
    bool known = reply->type == REDIS_REPLY_STRING &&
                 zc_id_parse (reply->str, (size_t)reply->len, &self->position) == 0;
    if (self->closed || self->subscriber)
        return;
    self->saved = self->position;
    zc_info ("redis %s: going on after %s", self->config.address->shown,
             known ? reply->str : "now: nothing is known of an earlier time");
    s_subscribe (self, known ? reply->str : NULL);
}

static void s_reply (void *arg, redisReply *reply)
{
    static zc_log_limit_t s_limit;
    zc_outgoing_t *self = arg;
    s_entry_t *entry = self->head;
    if (!entry)
        return;
    bool good = reply->type != REDIS_REPLY_ERROR;
    if (!good &&
        entry->kind == S_GET) { /* without the answer, what came since then would be lost */
        zc_redis_give_up (self->redis, reply);
        return;
    }
    if (!good)
        zc_log_limited (&s_limit, ZC_LOG_ERROR, "redis %s: %s: %.*s", self->config.address->shown,
                        entry->kind == S_PUBLISH ? "message not sent" : "position not kept",
                        (int)reply->len, reply->str);
    if (entry->kind == S_GET) {
        s_got (self, reply);
    } else if (entry->kind == S_PUBLISH) {
        *(good ? &self->stats.relayed : &self->stats.refused) += 1;
        self->position = entry->position;
    }
    s_remove (self, &self->head);
    if (self->subscriber && self->stats.bytes <= self->config.queue_bytes / 2)
        zc_subscriber_pause (self->subscriber, false);
}

static void s_ready (void *arg)
{
    zc_outgoing_t *self = arg;
    if (!self->subscriber && !self->closed)
        s_add (self, S_GET);
    for (s_entry_t *entry = self->head; entry; entry = entry->next)
        s_send (self, entry);
}

static void s_lost (void *arg)
{
    zc_outgoing_t *self = arg;
    self->repeat_at = 0; /* perhaps with all that Redis had */
    for (s_entry_t **at = &self->head; *at;) {
        if ((*at)->kind == S_PUBLISH) {
            at = &(*at)->next;
            continue;
        }
        if ((*at)->kind == S_SET)
            self->saved = ZC_ID_NONE;
        s_remove (self, at);
    }
}

/*  Where nothing waits for Redis, the position is the subscriber's: also what isn't sent, and where
 *  nothing has come yet. */
static void s_follow (zc_outgoing_t *self)
{
    if (self->subscriber && self->stats.waiting == 0)
        self->position = zc_subscriber_position (self->subscriber);
}

/*  Asks Redis to keep the position, where it has moved, or is to be said again. */
static void s_save (zc_outgoing_t *self)
{
    s_follow (self);
    uint64_t now = zc_mono_ms ();
    bool moved = self->position != self->saved;
    bool last = moved && self->closed && self->stats.waiting == 0;
    bool due = now >= (moved ? self->save_at : self->repeat_at) || last;
    bool known = moved || self->position != ZC_ID_NONE;
    if (!due || !known || !zc_redis_is_ready (self->redis))
        return;
    self->saved = self->position;
    self->save_at = now + S_SAVE_MS;
    self->repeat_at = now + S_REPEAT_MS;
    s_send (self, s_add (self, S_SET));
}

/*  The module ---------------------------------------------------------------------------------- */

zc_outgoing_t *zc_outgoing_new (void *context, const zc_outgoing_config_t *config)
{
    zc_outgoing_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->config = *config;
    self->context = context;
    self->subscribe = strdup (config->subscribe);
    self->control = strdup (config->control);
    zc_buf_t key = ZC_BUF_INIT;
    zc_buf_addf (&key, "zcast:position:%s", config->site);
    self->key = strdup (zc_buf_str (&key));
    zc_buf_clear (&key);
    self->tail = &self->head;
    zc_redis_config_t redis = {.address = config->address,
                               .name = "zcast-publisher",
                               .arg = self,
                               .ready = s_ready,
                               .reply = s_reply,
                               .lost = s_lost};
    self->redis = zc_redis_new (&redis);
    return self;
}

void zc_outgoing_destroy (zc_outgoing_t **self_p)
{
    zc_outgoing_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    zc_redis_destroy (&self->redis);
    zc_subscriber_destroy (&self->subscriber);
    while (self->head)
        s_remove (self, &self->head);
    free (self->subscribe);
    free (self->control);
    free (self->key);
    free (self);
}

void zc_outgoing_close (zc_outgoing_t *self)
{
    self->closed = true;
    s_follow (self);
    zc_subscriber_destroy (&self->subscriber);
}

const zc_outgoing_stats_t *zc_outgoing_stats (const zc_outgoing_t *self)
{
    return &self->stats;
}

bool zc_outgoing_has_redis (const zc_outgoing_t *self)
{
    return zc_redis_is_ready (self->redis);
}

bool zc_outgoing_is_idle (const zc_outgoing_t *self)
{
    return !self->head && self->position == self->saved;
}

size_t zc_outgoing_pollitems (zc_outgoing_t *self, zmq_pollitem_t items[5])
{
    size_t count = zc_redis_pollitems (self->redis, items);
    if (self->subscriber)
        count += zc_subscriber_pollitems (self->subscriber, items + count);
    return count;
}

long zc_outgoing_timeout (const zc_outgoing_t *self)
{
    long wait = zc_redis_timeout (self->redis);
    long more = self->subscriber ? zc_subscriber_timeout (self->subscriber) : -1;
    if (more >= 0 && more < wait)
        wait = more;
    if (self->position != self->saved && wait > S_SAVE_MS)
        wait = S_SAVE_MS;
    return wait;
}

void zc_outgoing_run (zc_outgoing_t *self)
{
    zc_redis_run (self->redis);
    if (self->subscriber)
        zc_subscriber_run (self->subscriber);
    s_save (self);
    zc_redis_run (self->redis); /* what the broker has just given goes out at once */
}
