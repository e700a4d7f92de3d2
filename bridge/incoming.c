/*  incoming.c - from Redis to the broker.
 *
 *  Redis disconnects a subscriber that doesn't read (32 MB, or 8 MB for 60 s), so it is always
 *  read, and messages that the broker doesn't take yet wait here. The queue is bounded in bytes;
 *  beyond that, the oldest message is dropped. Messages that are published while Redis or the
 *  bridge is away are lost, since Redis keeps nothing for Pub/Sub. Both losses are counted and
 *  logged.
 *
 *  A connection isn't a subscription: each subscription is requested until Redis confirms it,
 *  and again after a refusal by an ACL, since ACLs may change. A Sentinel confirms
 *  subscriptions, too, but only publishes events of its own. So the node is asked for its role
 *  before anything else. */
#include "bridge/incoming.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bridge/envelope.h"
#include "bridge/glob.h"
#include "lib/redis/redis.h"
#include "bridge/subscriptions.h"
#include "lib/wire/line.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define S_REPLY_MIN (1u << 20) /* bytes of a message that is read even if the queue is smaller */

/*  Tags of commands. The tags of SUBSCRIBE are the subscriptions. */
static char s_unsubscribe, s_role;

struct zc_incoming {
    zc_incoming_config_t config;
    zc_mapping_t *mapping;
    zc_redis_t *redis; /* NULL once closed */
    zc_redis_subscriptions_t *subscriptions;
    zc_streams_t *streams;
    zc_publisher_t *publisher;
    const char *missed; /* why messages of channels are lost: a gap, not yet told; or NULL */
    bool works;         /* it doesn't stand by */
    zc_line_t line;
    zc_incoming_stats_t stats;
};

/*  To the broker ------------------------------------------------------------------------------- */

static void s_published (void *arg, const zc_published_t *published)
{
    static zc_log_limit_t s_limit;
    zc_incoming_t *self = arg;
    if (published->tag)
        zc_streams_published (self->streams, published->tag);
    if (published->code.len == 2 && memcmp (published->code.at, "OK", 2) == 0)
        return;
    zc_log_limited (&s_limit, ZC_LOG_WARN,
                    ZC_EVENT ("message.refused topic bytes code error",
                              "topic %.*s: message of %zu bytes not published: %.*s: %.*s"),
                    (int)published->topic.len, published->topic.at, published->size,
                    (int)published->code.len, published->code.at, (int)published->text.len,
                    published->text.at);
}

static void s_put_off (void *arg, zc_slice_t code, zc_slice_t text)
{
    static zc_log_limit_t s_limit;
    zc_incoming_t *self = arg;
    zc_log_limited (
        &s_limit, ZC_LOG_WARN,
        ZC_EVENT (
            "publish.postponed broker code error waiting",
            "broker %s: refuses messages for now: %.*s: %.*s; trying again, %llu messages wait"),
        zc_publisher_place (self->publisher), (int)code.len, code.at, (int)text.len, text.at,
        (unsigned long long)zc_publisher_stats (self->publisher)->waiting);
}

static void s_connected (void *arg, bool connected)
{
    zc_incoming_t *self = arg;
    unsigned long long waiting = zc_publisher_stats (self->publisher)->waiting;
    if (connected)
        zc_info (ZC_EVENT ("broker.publishing broker waiting",
                           "broker %s: connected, %llu messages wait"),
                 zc_publisher_place (self->publisher), waiting);
    else
        zc_warn (ZC_EVENT ("broker.unpublished broker waiting",
                           "broker %s: no connection; trying again, %llu messages wait"),
                 zc_publisher_place (self->publisher), waiting);
}

/*  The loss is told before the first message that came after it. */
static void s_tell_missed (zc_incoming_t *self)
{
    const char *why = self->missed;
    if (!why)
        return;
    self->missed = NULL;
    self->stats.gaps++;
    zc_warn (ZC_EVENT ("redis.gap redis reason",
                       "redis %s: gap: messages published there while %s are lost"),
             self->config.address->shown, why);
}

static void s_publish (zc_incoming_t *self, zc_slice_t topic, zc_slice_t payload,
                       zc_slice_t headers)
{
    const zc_publisher_stats_t *stats = zc_publisher_stats (self->publisher);
    zc_publisher_add (self->publisher, topic, payload, headers);
    while (stats->bytes > self->config.queue_bytes && zc_publisher_drop (self->publisher))
        ;
}

/*  Half of the queue is for Streams, since their entries can wait where they are. */
static bool s_is_full (void *arg)
{
    zc_incoming_t *self = arg;
    return zc_publisher_stats (self->publisher)->bytes > self->config.queue_bytes / 2;
}

static void s_publish_entry (void *arg, zc_slice_t topic, zc_slice_t payload, zc_slice_t headers,
                             zc_origin_t *origin)
{
    zc_incoming_t *self = arg;
    zc_publisher_add_tagged (self->publisher, topic, payload, headers, origin);
}

/*  From Redis ---------------------------------------------------------------------------------- */

static void s_invalid (zc_incoming_t *self, zc_slice_t channel, const char *why)
{
    static zc_log_limit_t s_limit;
    self->stats.invalid++;
    zc_log_limited (
        &s_limit, ZC_LOG_WARN,
        ZC_EVENT ("message.dropped channel reason", "channel %.*s: message dropped: %s"),
        (int)(channel.len > 200 ? 200 : channel.len), channel.at, why);
}

static void s_refuse_peer (zc_incoming_t *self, zc_slice_t site)
{
    static zc_log_limit_t s_limit;
    self->stats.invalid++;
    zc_log_limited (&s_limit, ZC_LOG_ERROR,
                    ZC_EVENT ("relay.same site",
                              "site %.*s has our log, or our broker, so its messages are there "
                              "already: not published again; take its topics from outgoing"),
                    (int)site.len, site.at);
}

/*  A message that another site's bridge relayed, or our own. */
static void s_relayed (zc_incoming_t *self, zc_slice_t channel, zc_slice_t topic, zc_slice_t bytes)
{
    zc_buf_t headers = ZC_BUF_INIT;
    zc_slice_t site, line, payload;
    if (!zc_envelope_read (bytes, &site, &line, &headers, &payload))
        s_invalid (self, channel, "not a message that a site relays");
    else if (!zc_topic_valid (topic.at, topic.len))
        s_invalid (self, channel, "makes no valid topic");
    else if (site.len == strlen (self->config.site) &&
             memcmp (site.at, self->config.site, site.len) == 0)
        self->stats.echoes++;
    else if (line.len && zc_slice_compare (line, zc_line_slice (&self->line)) == 0)
        s_refuse_peer (self, site);
    else
        s_publish (self, topic, payload, (zc_slice_t){zc_buf_str (&headers), headers.len});
    zc_buf_clear (&headers);
}

/*  Channels such as __keyevent@0__:set are Redis' own, with an event for each command: a pattern
 * that stands for everything doesn't mean them. */
static bool s_is_of_redis (zc_slice_t pattern, zc_slice_t channel)
{
    zc_slice_t own = {"__*__:*", 7}, parts[ZC_GLOB_STARS];
    return zc_glob_is_open (pattern) && zc_glob_match (own, channel, parts);
}

static void s_mapped (zc_incoming_t *self, zc_slice_t name, bool pattern, zc_slice_t channel,
                      zc_slice_t payload)
{
    zc_buf_t topic = ZC_BUF_INIT;
    if (pattern && s_is_of_redis (name, channel))
        return;
    if (zc_mapping_topic (self->mapping, name, pattern, channel, &topic) == 0)
        s_publish (self, (zc_slice_t){zc_buf_str (&topic), topic.len}, payload,
                   (zc_slice_t){ZC_VIA_REDIS, strlen (ZC_VIA_REDIS)});
    else
        s_invalid (self, channel, "makes no valid topic");
    zc_buf_clear (&topic);
}

/*  Whether a relayed topic is subscribed to by this name. */
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

static void s_message (void *arg, const zc_redis_event_t *event)
{
    zc_incoming_t *self = arg;
    zc_slice_t topic, channel = event->channel;
    if (!self->works)
        return;
    s_tell_missed (self);
    self->stats.received++;
    bool ours = self->config.outlet && zc_outlet_find (self->config.outlet, channel, &topic);
    size_t prefix = strlen (self->config.outgoing_prefix);
    bool bridges = event->pattern && prefix &&
                   zc_slice_begins (channel, (zc_slice_t){self->config.outgoing_prefix, prefix});
    if (ours && s_is_relay (self, event->name, event->pattern))
        s_relayed (self, channel, topic, event->payload);
    else if (ours || bridges)
        /* our own message: a channel goes one way only, which prevents loops */
        self->stats.echoes++;
    else
        s_mapped (self, event->name, event->pattern, channel, event->payload);
}

/*  Subscriptions ------------------------------------------------------------------------------- */

/*  The channels of the mapping, and those of relays. */
static void s_want (zc_incoming_t *self)
{
    zc_redis_subscriptions_begin (self->subscriptions);
    for (size_t i = 0; i < zc_mapping_count (self->mapping); i++) {
        bool pattern;
        const char *name = zc_mapping_name (self->mapping, i, &pattern);
        zc_redis_subscriptions_want (self->subscriptions, (zc_slice_t){name, strlen (name)},
                                     pattern);
    }
    for (size_t i = 0; self->config.relay && i < zc_outlet_count (self->config.relay); i++) {
        bool prefix;
        zc_outlet_topic (self->config.relay, i, &prefix);
        zc_buf_t name = ZC_BUF_INIT;
        zc_outlet_subscription (self->config.relay, i, &name);
        zc_redis_subscriptions_want (self->subscriptions,
                                     (zc_slice_t){zc_buf_str (&name), name.len}, prefix);
        zc_buf_clear (&name);
    }
    zc_redis_subscriptions_end (self->subscriptions);
}

static void s_command (zc_incoming_t *self, void *tag, const zc_redis_subscription_t *subscription,
                       bool on)
{
    static const char *const verbs[2][2] = {{"UNSUBSCRIBE", "PUNSUBSCRIBE"},
                                            {"SUBSCRIBE", "PSUBSCRIBE"}};
    zc_slice_t name = zc_redis_subscription_name (subscription);
    const char *words[] = {verbs[on][zc_redis_subscription_is_pattern (subscription)], name.at};
    size_t lengths[] = {strlen (words[0]), name.len};
    zc_redis_command (self->redis, tag, 2, words, lengths);
}

/*  Requests the subscriptions that are missing, and ends those that aren't wanted any more. */
static void s_ask (zc_incoming_t *self)
{
    zc_redis_subscription_t *subscription;
    if (!self->redis || !zc_redis_is_ready (self->redis))
        return;
    while ((subscription = zc_redis_subscriptions_next (self->subscriptions, zc_mono_ms ())))
        s_command (self, subscription, subscription, true);
    while ((subscription = zc_redis_subscriptions_next_unwanted (self->subscriptions)))
        s_command (self, &s_unsubscribe, subscription, false);
}

static const char *s_kind (const zc_redis_subscription_t *subscription)
{
    return zc_redis_subscription_is_pattern (subscription) ? "pattern" : "channel";
}

static void s_refused (zc_incoming_t *self, zc_redis_subscription_t *subscription,
                       const redisReply *error)
{
    char reason[256];
    zc_slice_t text = zc_reply_error (error), name = zc_redis_subscription_name (subscription);
    const char *advice = zc_fault_advice (text);
    self->stats.forbidden += !zc_redis_subscription_was_refused (subscription);
    snprintf (reason, sizeof reason, "%s %.*s: %.*s%s%s%s", s_kind (subscription),
              (int)(name.len > 64 ? 64 : name.len), name.at, (int)text.len, text.at,
              advice ? " (" : "", advice ? advice : "", advice ? ")" : "");
    bool news =
        zc_redis_subscriptions_refused (self->subscriptions, subscription, reason, zc_mono_ms ());
    zc_log (news ? ZC_LOG_ERROR : ZC_LOG_DEBUG,
            ZC_EVENT ("subscription.refused redis error",
                      "redis %s: not subscribed to %s; trying again"),
            self->config.address->shown, reason);
}

static void s_confirmed (zc_incoming_t *self, zc_redis_subscription_t *subscription)
{
    zc_slice_t name = zc_redis_subscription_name (subscription);
    zc_redis_works (self->redis);
    if (zc_redis_subscription_was_refused (subscription))
        zc_info (
            ZC_EVENT ("subscription.confirmed redis kind name", "redis %s: subscribed to %s %.*s"),
            self->config.address->shown, s_kind (subscription), (int)name.len, name.at);
    if (zc_redis_subscriptions_confirmed (self->subscriptions, subscription))
        self->missed = "the connection was down";
}

/*  Redis has ended the subscription by itself. */
static void s_gone (zc_incoming_t *self, const zc_redis_event_t *event)
{
    if (zc_redis_subscriptions_gone (self->subscriptions, event->name, event->pattern))
        zc_warn (ZC_EVENT ("subscription.ended redis name",
                           "redis %s: has ended the subscription to %.*s; asking again"),
                 self->config.address->shown, (int)event->name.len, event->name.at);
}

/*  Whether the event confirms this subscription. A reply that is neither that nor an error
 *  doesn't belong to our commands. */
static bool s_confirms (const zc_redis_event_t *event, const zc_redis_subscription_t *subscription)
{
    return event->kind == ZC_EVENT_SUBSCRIBED &&
           event->pattern == zc_redis_subscription_is_pattern (subscription) &&
           zc_slice_compare (event->name, zc_redis_subscription_name (subscription)) == 0;
}

/*  Any node but a Sentinel will do: a replica gets the master's messages. If an ACL or another
 *  server doesn't tell the role, the subscriptions show whether the node is of use. */
static void s_told_role (zc_incoming_t *self, const redisReply *reply)
{
    if (zc_reply_role (reply).kind == ZC_ROLE_SENTINEL)
        zc_redis_give_up (self->redis, ZC_SENTINEL_REASON);
    else if (zc_redis_subscriptions_wanted (self->subscriptions) == 0)
        zc_redis_works (self->redis);
}

static void s_reply (void *arg, void *tag, const redisReply *reply)
{
    zc_incoming_t *self = arg;
    zc_redis_event_t event = zc_reply_event (reply);
    if (!tag && event.kind == ZC_EVENT_UNSUBSCRIBED)
        s_gone (self, &event);
    else if (tag == &s_role)
        s_told_role (self, reply);
    else if (!tag || tag == &s_unsubscribe)
        return;
    else if (zc_reply_fault (reply) != ZC_FAULT_NONE)
        s_refused (self, tag, reply);
    else if (s_confirms (&event, tag))
        s_confirmed (self, tag);
    else
        zc_redis_give_up (self->redis, "it confirms what it wasn't asked for");
}

static void s_ready (void *arg)
{
    static const char *role = "ROLE";
    zc_incoming_t *self = arg;
    zc_redis_command (self->redis, &s_role, 1, &role, NULL);
    /* Answers come in order, so a Sentinel's answers to these aren't read any more. */
    s_ask (self);
}

static void s_lost (void *arg)
{
    /* redis.c has logged it; the gap is told once the connection is back */
    zc_incoming_t *self = arg;
    zc_redis_subscriptions_lost (self->subscriptions);
}

/*  The module ---------------------------------------------------------------------------------- */

static void s_open_streams (zc_incoming_t *self, zc_mapping_t **streams_p)
{
    zc_streams_config_t config = {.address = self->config.address,
                                  .site = self->config.site,
                                  .field = self->config.stream_field,
                                  .earliest = self->config.streams_earliest,
                                  .reply_max = self->config.queue_bytes + S_REPLY_MIN,
                                  .arg = self,
                                  .full = s_is_full,
                                  .publish = s_publish_entry};
    self->streams = zc_streams_new (&config, streams_p);
}

zc_incoming_t *zc_incoming_new (void *context, const zc_incoming_config_t *config,
                                zc_mapping_t **mapping_p, zc_mapping_t **streams_p)
{
    zc_incoming_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->config = *config;
    self->mapping = *mapping_p;
    *mapping_p = NULL;
    self->works = true;
    self->subscriptions = zc_redis_subscriptions_new ();
    s_want (self);
    s_open_streams (self, streams_p);
    zc_publisher_config_t publisher = {.control = config->control,
                                       .max_bytes = config->queue_bytes,
                                       .arg = self,
                                       .published = s_published,
                                       .put_off = s_put_off,
                                       .connected = s_connected};
    self->publisher = zc_publisher_new (context, &publisher);
    zc_redis_config_t redis = {.address = config->address,
                               .name = "zcast-subscriber",
                               .reply_max = config->queue_bytes + S_REPLY_MIN,
                               .arg = self,
                               .ready = s_ready,
                               .reply = s_reply,
                               .message = s_message,
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
    zc_streams_destroy (&self->streams);
    zc_mapping_destroy (&self->mapping);
    zc_redis_subscriptions_destroy (&self->subscriptions);
    free (self);
}

void zc_incoming_remap (zc_incoming_t *self, zc_mapping_t **mapping_p, zc_mapping_t **streams_p)
{
    zc_streams_remap (self->streams, streams_p);
    zc_mapping_destroy (&self->mapping);
    self->mapping = *mapping_p;
    *mapping_p = NULL;
    s_want (self);
    s_ask (self);
}

void zc_incoming_set_line (zc_incoming_t *self, zc_slice_t line)
{
    zc_line_parse (&self->line, line);
}

void zc_incoming_work (zc_incoming_t *self, bool works, bool missed)
{
    if (missed && !self->missed && zc_redis_subscriptions_wanted (self->subscriptions) > 0)
        self->missed = "nobody had the lease";
    self->works = works;
    zc_streams_work (self->streams, works);
}

void zc_incoming_close (zc_incoming_t *self)
{
    zc_redis_destroy (&self->redis);
    zc_streams_close (self->streams);
}

const zc_incoming_stats_t *zc_incoming_stats (const zc_incoming_t *self)
{
    return &self->stats;
}

const zc_publisher_t *zc_incoming_publisher (const zc_incoming_t *self)
{
    return self->publisher;
}

const zc_streams_t *zc_incoming_streams (const zc_incoming_t *self)
{
    return self->streams;
}

bool zc_incoming_is_idle (const zc_incoming_t *self)
{
    return zc_publisher_stats (self->publisher)->waiting == 0 && zc_streams_is_idle (self->streams);
}

const char *zc_incoming_state (const zc_incoming_t *self, const char **complaint)
{
    bool ready = self->redis && zc_redis_is_ready (self->redis);
    size_t wanted = zc_redis_subscriptions_wanted (self->subscriptions);
    size_t confirmed = zc_redis_subscriptions_count_confirmed (self->subscriptions);
    size_t refused = zc_redis_subscriptions_count_refused (self->subscriptions, complaint);
    bool unread;
    const char *stream = zc_streams_complaint (self->streams, &unread);
    if (ready && !refused)
        *complaint = stream;
    refused += unread;
    if (!ready)
        *complaint = self->redis ? zc_redis_complaint (self->redis) : "";
    return !ready ? "away" : refused ? "refused" : confirmed < wanted ? "subscribing" : "connected";
}

size_t zc_incoming_subscriptions (const zc_incoming_t *self, size_t *confirmed)
{
    *confirmed = zc_redis_subscriptions_count_confirmed (self->subscriptions);
    return zc_redis_subscriptions_wanted (self->subscriptions);
}

size_t zc_incoming_pollitems (zc_incoming_t *self, zmq_pollitem_t *items)
{
    size_t count = zc_publisher_pollitems (self->publisher, items);
    count += zc_streams_pollitems (self->streams, items + count);
    return self->redis ? count + zc_redis_pollitems (self->redis, items + count) : count;
}

long zc_incoming_timeout (const zc_incoming_t *self)
{
    long wait = zc_publisher_timeout (self->publisher);
    long streams = zc_streams_timeout (self->streams);
    wait = wait < 0 || (streams >= 0 && streams < wait) ? streams : wait;
    if (!self->redis)
        return wait;
    long redis = zc_redis_timeout (self->redis);
    wait = wait < 0 || (redis >= 0 && redis < wait) ? redis : wait;
    uint64_t due = zc_redis_subscriptions_due (self->subscriptions), now = zc_mono_ms ();
    if (!zc_redis_is_ready (self->redis) || due == UINT64_MAX)
        return wait;
    long until = due > now ? (long)(due - now) : 0;
    return wait < 0 || until < wait ? until : wait;
}

void zc_incoming_run (zc_incoming_t *self)
{
    if (self->redis) {
        zc_redis_run (self->redis);
        s_ask (self);
        s_tell_missed (self);
    }
    zc_streams_run (self->streams);
    zc_publisher_run (self->publisher);
}
