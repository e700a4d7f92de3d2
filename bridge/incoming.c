/*  incoming.c - Redis pushes, and cuts a subscriber that doesn't read (32 MB, or 8 MB for 60 s), so
 * it is always read, and what the broker doesn't take yet waits here: the queue is bounded in
 * bytes, and beyond that the oldest message goes. What is published while Redis or the bridge is
 * away is gone: Redis keeps nothing for Pub/Sub. Both are counted and logged. */
#include "bridge/incoming.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bridge/envelope.h"
#include "bridge/redis.h"
#include "lib/base/log.h"

struct zc_incoming {
    zc_incoming_config_t config;
    zc_mapping_t *mapping;
    zc_redis_t *redis; /* NULL once closed */
    zc_publisher_t *publisher;
    char *control;      /* for logs; owned */
    bool was_connected; /* to Redis: the next time is a gap */
    zc_incoming_stats_t stats;
};

/*  To the broker ------------------------------------------------------------------------------- */

static void s_published (void *arg, const zc_published_t *published)
{
    static zc_log_limit_t s_limit;
    (void)arg;
    if (published->code.len == 2 && memcmp (published->code.at, "OK", 2) == 0)
        return;
    zc_log_limited (
        &s_limit, ZC_LOG_WARN, "topic %.*s: message of %zu bytes not published: %.*s: %.*s",
        (int)published->topic.len, published->topic.at, published->size, (int)published->code.len,
        published->code.at, (int)published->text.len, published->text.at);
}

static void s_put_off (void *arg, zc_slice_t code, zc_slice_t text)
{
    static zc_log_limit_t s_limit;
    zc_incoming_t *self = arg;
    zc_log_limited (
        &s_limit, ZC_LOG_WARN,
        "broker %s: takes nothing for now: %.*s: %.*s; trying again, %llu messages wait",
        self->control, (int)code.len, code.at, (int)text.len, text.at,
        (unsigned long long)zc_publisher_stats (self->publisher)->waiting);
}

static void s_connected (void *arg, bool connected)
{
    zc_incoming_t *self = arg;
    unsigned long long waiting = zc_publisher_stats (self->publisher)->waiting;
    if (connected)
        zc_info ("broker %s: connected, %llu messages wait", self->control, waiting);
    else
        zc_warn ("broker %s: no connection; trying again, %llu messages wait", self->control,
                 waiting);
}

static void s_publish (zc_incoming_t *self, zc_slice_t topic, zc_slice_t payload,
                       zc_slice_t headers)
{
    const zc_publisher_stats_t *stats = zc_publisher_stats (self->publisher);
    zc_publisher_add (self->publisher, topic, payload, headers);
    while (stats->bytes > self->config.queue_bytes && zc_publisher_drop (self->publisher))
        ;
}

/*  From Redis ---------------------------------------------------------------------------------- */

static zc_slice_t s_slice (const redisReply *reply)
{
    bool text = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
    return text ? (zc_slice_t){reply->str, (size_t)reply->len} : (zc_slice_t){"", 0};
}

static void s_invalid (zc_incoming_t *self, zc_slice_t channel, const char *why)
{
    static zc_log_limit_t s_limit;
    self->stats.invalid++;
    zc_log_limited (&s_limit, ZC_LOG_WARN, "channel %.*s: message dropped: %s",
                    (int)(channel.len > 200 ? 200 : channel.len), channel.at, why);
}

/*  What another site sent, or we ourselves. */
static void s_relayed (zc_incoming_t *self, zc_slice_t channel, zc_slice_t topic, zc_slice_t bytes)
{
    zc_buf_t headers = ZC_BUF_INIT;
    zc_slice_t site, payload;
    if (!zc_envelope_read (bytes, &site, &headers, &payload))
        s_invalid (self, channel, "not a message that a site relays");
    else if (!zc_topic_valid (topic.at, topic.len))
        s_invalid (self, channel, "makes no valid topic");
    else if (site.len == strlen (self->config.site) &&
             memcmp (site.at, self->config.site, site.len) == 0)
        self->stats.echoes++;
    else
        s_publish (self, topic, payload, (zc_slice_t){zc_buf_str (&headers), headers.len});
    zc_buf_clear (&headers);
}

static void s_mapped (zc_incoming_t *self, zc_slice_t name, bool pattern, zc_slice_t channel,
                      zc_slice_t payload)
{
    zc_buf_t topic = ZC_BUF_INIT;
    if (zc_mapping_topic (self->mapping, name, pattern, channel, &topic) == 0)
        s_publish (self, (zc_slice_t){zc_buf_str (&topic), topic.len}, payload,
                   (zc_slice_t){ZC_VIA_REDIS, strlen (ZC_VIA_REDIS)});
    else
        s_invalid (self, channel, "makes no valid topic");
    zc_buf_clear (&topic);
}

/*  Whether a relayed topic is subscribed to under this name. */
static bool s_is_relay (const zc_incoming_t *self, zc_slice_t name, bool pattern)
{
    bool found = false;
    for (size_t i = 0; self->config.relay && i < zc_outlet_count (self->config.relay); i++) {
        bool prefix;
        zc_outlet_topic (self->config.relay, i, &prefix);
        zc_buf_t subscription = ZC_BUF_INIT;
        zc_outlet_subscription (self->config.relay, i, &subscription);
        found = found || (prefix == pattern && subscription.len == name.len &&
                          memcmp (subscription.data, name.at, name.len) == 0);
        zc_buf_clear (&subscription);
    }
    return found;
}

static void s_message (zc_incoming_t *self, zc_slice_t name, bool pattern, zc_slice_t channel,
                       zc_slice_t payload)
{
    zc_slice_t topic;
    self->stats.received++;
    bool ours = self->config.outlet && zc_outlet_find (self->config.outlet, channel, &topic);
    size_t prefix = strlen (self->config.outgoing_prefix);
    bool bridges = pattern && prefix && channel.len >= prefix &&
                   memcmp (channel.at, self->config.outgoing_prefix, prefix) == 0;
    if (ours && s_is_relay (self, name, pattern))
        s_relayed (self, channel, topic, payload);
    else if (ours || bridges)
        self->stats.echoes++; /* a channel is for in or for out: this keeps from loops */
    else
        s_mapped (self, name, pattern, channel, payload);
}

static void s_refused (zc_incoming_t *self, const redisReply *reply)
{
    self->stats.forbidden++;
    zc_error ("redis %s: %.*s", self->config.address->shown, (int)reply->len, reply->str);
}

static void s_reply (void *arg, redisReply *reply)
{
    zc_incoming_t *self = arg;
    if (reply->type == REDIS_REPLY_ERROR) {
        s_refused (self, reply);
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3)
        return;
    zc_slice_t kind = s_slice (reply->element[0]);
    if (kind.len == 7 && memcmp (kind.at, "message", 7) == 0)
        s_message (self, s_slice (reply->element[1]), false, s_slice (reply->element[1]),
                   s_slice (reply->element[2]));
    else if (kind.len == 8 && memcmp (kind.at, "pmessage", 8) == 0 && reply->elements > 3)
        s_message (self, s_slice (reply->element[1]), true, s_slice (reply->element[2]),
                   s_slice (reply->element[3]));
}

static void s_subscription (zc_incoming_t *self, const char *verb, zc_slice_t name)
{
    const char *words[] = {verb, name.at};
    size_t lengths[] = {strlen (verb), name.len};
    zc_redis_command (self->redis, 2, words, lengths);
}

/*  Subscribes (or unsubscribes) what is in `mapping` and not in `but` (may be NULL). */
static void s_subscribe_mapping (zc_incoming_t *self, const zc_mapping_t *mapping,
                                 const zc_mapping_t *but, bool on)
{
    static const char *const verbs[2][2] = {{"UNSUBSCRIBE", "PUNSUBSCRIBE"},
                                            {"SUBSCRIBE", "PSUBSCRIBE"}};
    for (size_t i = 0; i < zc_mapping_count (mapping); i++) {
        bool pattern;
        const char *name = zc_mapping_name (mapping, i, &pattern);
        zc_slice_t slice = {name, strlen (name)};
        if ((but && zc_mapping_has (but, slice, pattern)) ||
            (!on && s_is_relay (self, slice, pattern)))
            continue;
        s_subscription (self, verbs[on][pattern], slice);
    }
}

static void s_ready (void *arg)
{
    zc_incoming_t *self = arg;
    s_subscribe_mapping (self, self->mapping, NULL, true);
    for (size_t i = 0; self->config.relay && i < zc_outlet_count (self->config.relay); i++) {
        bool prefix;
        zc_outlet_topic (self->config.relay, i, &prefix);
        zc_buf_t name = ZC_BUF_INIT;
        zc_outlet_subscription (self->config.relay, i, &name);
        s_subscription (self, prefix ? "PSUBSCRIBE" : "SUBSCRIBE",
                        (zc_slice_t){zc_buf_str (&name), name.len});
        zc_buf_clear (&name);
    }
    if (self->was_connected) {
        self->stats.gaps++;
        zc_warn ("redis %s: gap: what was published there while the connection was down is lost",
                 self->config.address->shown);
    }
    self->was_connected = true;
}

static void s_lost (void *arg)
{
    (void)arg; /* redis.c has logged it; the gap is stated once the connection is back */
}

/*  The module ---------------------------------------------------------------------------------- */

zc_incoming_t *zc_incoming_new (void *context, const zc_incoming_config_t *config,
                                zc_mapping_t **mapping_p)
{
    zc_incoming_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->config = *config;
    self->mapping = *mapping_p;
    *mapping_p = NULL;
    self->control = strdup (config->control);
    zc_publisher_config_t publisher = {.control = config->control,
                                       .max_bytes = config->queue_bytes,
                                       .arg = self,
                                       .published = s_published,
                                       .put_off = s_put_off,
                                       .connected = s_connected};
    self->publisher = zc_publisher_new (context, &publisher);
    zc_redis_config_t redis = {.address = config->address,
                               .name = "zcast-subscriber",
                               .arg = self,
                               .ready = s_ready,
                               .reply = s_reply,
                               .lost = s_lost};
    self->redis = zc_redis_new (&redis);
    if (!self->publisher) {
        int error = errno;
        zc_incoming_destroy (&self);
        errno = error;
    }
    return self;
}

void zc_incoming_destroy (zc_incoming_t **self_p)
{
    zc_incoming_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    zc_redis_destroy (&self->redis);
    zc_publisher_destroy (&self->publisher);
    zc_mapping_destroy (&self->mapping);
    free (self->control);
    free (self);
}

void zc_incoming_remap (zc_incoming_t *self, zc_mapping_t **mapping_p)
{
    zc_mapping_t *old = self->mapping;
    self->mapping = *mapping_p;
    *mapping_p = NULL;
    if (self->redis) {
        s_subscribe_mapping (self, self->mapping, old, true);
        s_subscribe_mapping (self, old, self->mapping, false);
    }
    zc_mapping_destroy (&old);
}

void zc_incoming_close (zc_incoming_t *self)
{
    zc_redis_destroy (&self->redis);
}

const zc_incoming_stats_t *zc_incoming_stats (const zc_incoming_t *self)
{
    return &self->stats;
}

const zc_publisher_t *zc_incoming_publisher (const zc_incoming_t *self)
{
    return self->publisher;
}

bool zc_incoming_has_redis (const zc_incoming_t *self)
{
    return self->redis && zc_redis_is_ready (self->redis);
}

size_t zc_incoming_pollitems (zc_incoming_t *self, zmq_pollitem_t items[3])
{
    size_t count = zc_publisher_pollitems (self->publisher, items);
    return self->redis ? count + zc_redis_pollitems (self->redis, items + count) : count;
}

long zc_incoming_timeout (const zc_incoming_t *self)
{
    long a = zc_publisher_timeout (self->publisher);
    long b = self->redis ? zc_redis_timeout (self->redis) : -1;
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

void zc_incoming_run (zc_incoming_t *self)
{
    if (self->redis)
        zc_redis_run (self->redis);
    zc_publisher_run (self->publisher);
}
