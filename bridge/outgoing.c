/*  outgoing.c - from the broker to Redis: a subscriber without holes, a queue, and PUBLISH in a
 *  pipeline.
 *
 *  An answer to PUBLISH isn't enough: a replica answers, too, but only its own subscribers get
 *  the message. So each batch is followed by a check of the node's role, and counts as sent only
 *  once that check has succeeded. The check is ROLE; if an ACL forbids that, HELLO; or else
 *  whether the node takes the position. Nothing is sent on a connection before its first check
 *  has succeeded. Rejected: a transaction of messages and position, which would stop the
 *  messages when only the position can't be kept (no memory, a full disk).
 *
 *  waiting for redis.c -> asking (where we left off, what the node is, whether it keeps the
 *  position) -> flowing -> waiting …
 *
 *  lib/redis/reply.h says what each error stops. An error of the server's state or role stops all
 *  messages, in order, until it is over. A forbidden channel stops its own messages. Only a
 *  message that can never be sent is lost. When the connection breaks, all messages that may be
 *  missing are sent again; other sites recognise repeats by their key, and plain subscribers may
 *  see them. While nothing goes out, the queue fills; then the broker isn't read any more, and
 *  messages that it drops are fetched from its history later.
 *
 *  The position up to which Redis has all messages is stored in Redis, under a key of its own,
 *  at most once a second. A bridge that starts again goes on from there. A bridge of which Redis
 *  has no position begins at the position that the broker had when the bridge started, however
 *  long Redis takes to answer. */
#include "bridge/outgoing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bridge/envelope.h"
#include "bridge/pending.h"
#include "lib/redis/redis.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/peer/control.h"
#include "lib/peer/places.h"

#define S_SAVE_MS 1000
#define S_UNKEPT_MS 5000    /* after Redis refused a position */
#define S_KEEP "86400"      /* seconds that the position is kept in Redis */
#define S_REPEAT_MS 3600000 /* so often it is stored again, even if it hasn't moved */
#define S_WINDOW (8u << 20) /* bytes without an answer: Redis ends a client a gigabyte ahead */
#define S_ROLE_MS 5000      /* how often the role is checked, at least */
#define S_HEAD_MS 1000      /* for the broker to tell its position; then it is asked again */
#define S_TRY_MIN_MS 500    /* between attempts at forbidden channels */
#define S_TRY_MAX_MS 15000

typedef enum { S_AWAY, S_ASKING, S_FLOWING } s_phase_t;

/*  How to learn the node's role, the best way first. */
typedef enum { S_BY_ROLE, S_BY_HELLO, S_BY_SET } s_check_t;

/*  Tags of commands. The tags of PUBLISH are the parcels. */
static char s_get, s_set, s_role;

struct zc_outgoing {
    zc_outgoing_config_t config;
    void *context;
    char *key; /* owned */
    zc_redis_t *redis;
    zc_places_t *places;         /* of the broker that is asked */
    zc_control_t *broker;        /* asks for its position; NULL once that is known */
    zc_subscriber_t *subscriber; /* NULL until the beginning is known, and once closed */
    char since[ZC_ID_SIZE]; /* the beginning: Redis' position, or else the broker's; "": unknown */
    bool got;               /* Redis has answered GET */
    bool closed;
    zc_pending_t *pending;
    bool paused; /* the broker isn't read: too much waits */
    bool full;   /* all that waits is held, so nothing else goes out */
    s_phase_t phase;
    unsigned asked; /* S_ASKING: commands without an answer */
    s_check_t check;
    bool unchecked;     /* messages were sent after the last check */
    bool checking;      /* a check is under way */
    uint64_t role_at;   /* monotonic ms: when to check even if nothing was sent */
    zc_id_t followed;   /* the subscriber's position */
    zc_id_t kept;       /* Redis has this one; ZC_ID_NONE: perhaps none */
    zc_id_t keeping;    /* Redis is asked to store this one; ZC_ID_NONE: it isn't */
    uint64_t save_at;   /* monotonic ms: not before this time, if it has moved */
    uint64_t repeat_at; /* and at this time, if it hasn't */
    bool unkept;        /* Redis refused the last one */
    uint64_t try_at;    /* monotonic ms: when to try forbidden channels */
    unsigned try_ms;    /* the interval of these tries */
    /* about messages that are held, or a position that isn't kept; "": all is well */
    char complaint[256];
    zc_outgoing_stats_t stats;
};

static const char *s_shown (const zc_outgoing_t *self)
{
    return self->config.address->shown;
}

static void s_count (zc_outgoing_t *self)
{
    self->stats.waiting = zc_pending_count (self->pending);
    self->stats.bytes = zc_pending_bytes (self->pending);
    self->stats.held = zc_pending_held (self->pending);
}

static void s_pause (zc_outgoing_t *self, bool pause)
{
    self->paused = pause;
    zc_subscriber_pause (self->subscriber, pause);
}

/*  Held messages take the place of others in the queue. Dropping them would be a loss that
 *  nobody is told of, so all wait until an operator allows the channel, or removes it. */
static void s_check_full (zc_outgoing_t *self)
{
    bool before = self->full;
    self->full = self->paused && self->stats.held && self->stats.held == self->stats.waiting;
    if (self->phase != S_FLOWING || self->full == before)
        return;
    if (self->full)
        zc_error (ZC_EVENT ("relay.stopped redis held error",
                            "redis %s: stopped: %llu messages held for channels that this user may "
                            "not publish to fill queue-bytes, and nothing else goes out: %s"),
                  s_shown (self), (unsigned long long)self->stats.held, self->complaint);
    else
        zc_info (ZC_EVENT ("relay.resumed redis", "redis %s: going on"), s_shown (self));
}

/*  All messages up to here are in Redis, or aren't meant for it. */
static zc_id_t s_position (const zc_outgoing_t *self)
{
    zc_id_t position = self->followed;
    zc_pending_position (self->pending, &position);
    return position;
}

static void s_follow (zc_outgoing_t *self)
{
    if (self->subscriber)
        self->followed = zc_subscriber_position (self->subscriber);
}

/*  To Redis ------------------------------------------------------------------------------------ */

static void s_command (zc_outgoing_t *self, void *tag, int count, const char **words)
{
    zc_redis_command (self->redis, tag, count, words, NULL);
}

static void s_ask_where (zc_outgoing_t *self)
{
    const char *get[] = {"GET", self->key};
    s_command (self, &s_get, 2, get);
}

static void s_keep (zc_outgoing_t *self)
{
    char position[ZC_ID_SIZE];
    const char *set[] = {"SET", self->key, position, "EX", S_KEEP};
    uint64_t now = zc_mono_ms ();
    self->keeping = s_position (self);
    zc_id_format (self->keeping, position);
    self->save_at = now + S_SAVE_MS;
    self->repeat_at = now + S_REPEAT_MS;
    s_command (self, &s_set, 5, set);
}

/*  Asks for the node's role. Returns false if that isn't possible now. */
static bool s_check (zc_outgoing_t *self)
{
    static const char *const words[] = {[S_BY_ROLE] = "ROLE", [S_BY_HELLO] = "HELLO"};
    self->role_at = zc_mono_ms () + S_ROLE_MS;
    if (self->check == S_BY_SET) {
        if (self->keeping != ZC_ID_NONE || s_position (self) == ZC_ID_NONE)
            return false;
        s_keep (self);
    } else {
        const char *word = words[self->check];
        s_command (self, &s_role, 1, &word);
    }
    self->unchecked = false;
    self->checking = true;
    return true;
}

static void s_send (zc_outgoing_t *self)
{
    zc_parcel_t *parcel;
    while (self->phase == S_FLOWING && zc_pending_sent_bytes (self->pending) < S_WINDOW &&
           (parcel = zc_pending_next (self->pending))) {
        zc_slice_t channel = zc_parcel_channel (parcel), payload = zc_parcel_payload (parcel);
        const char *publish[] = {"PUBLISH", channel.at, payload.at};
        size_t lengths[] = {7, channel.len, payload.len};
        zc_redis_command (self->redis, parcel, 3, publish, lengths);
        self->unchecked = true;
    }
}

/*  From the broker ----------------------------------------------------------------------------- */

static void s_message (void *arg, const zc_message_t *message)
{
    zc_outgoing_t *self = arg;
    zc_id_t before = self->followed;
    s_follow (self);
    if (zc_envelope_is_from_redis (message) || zc_topic_is_canary (message->topic)) {
        self->stats.skipped++;
        return;
    }
    zc_buf_t channel = ZC_BUF_INIT, envelope = ZC_BUF_INIT;
    zc_slice_t payload = message->payload;
    zc_outlet_channel (self->config.outlet, message->topic, &channel);
    if (self->config.envelope) {
        zc_envelope_write (&envelope, self->config.site, zc_outgoing_line (self), message);
        payload = (zc_slice_t){zc_buf_str (&envelope), envelope.len};
    }
    zc_pending_add (self->pending, before, (zc_slice_t){zc_buf_str (&channel), channel.len},
                    payload);
    zc_buf_clear (&channel);
    zc_buf_clear (&envelope);
    s_send (self);
    s_count (self);
    if (self->stats.bytes > self->config.queue_bytes)
        s_pause (self, true);
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
                        ZC_EVENT ("relay.gap topic - since floor",
                                  "topic %.*s%s: gap: %s is after the broker's last position; "
                                  "going on after %s, earlier messages may be missing"),
                        (int)topic.len, topic.at, all, since, floor);
    else
        zc_log_limited (
            &s_limit, ZC_LOG_WARN,
            ZC_EVENT ("relay.gap topic - since floor",
                      "topic %.*s%s: gap: messages after %s, up to %s, are gone from history"),
            (int)topic.len, topic.at, all, since, floor);
}

static void s_live (void *arg, bool live)
{
    zc_outgoing_t *self = arg;
    if (live)
        zc_info (
            ZC_EVENT ("relay.connected broker", "broker %s: connected, relaying messages to Redis"),
            zc_subscriber_place (self->subscriber));
    else
        zc_warn (
            ZC_EVENT ("relay.disconnected broker", "broker %s: lost the connection; trying again"),
            zc_subscriber_place (self->subscriber));
}

static void s_refused (void *arg, zc_slice_t code, zc_slice_t text)
{
    static zc_log_limit_t s_limit;
    zc_outgoing_t *self = arg;
    zc_log_limited (&s_limit, ZC_LOG_ERROR,
                    ZC_EVENT ("relay.refused broker code error", "broker %s: %.*s: %.*s"),
                    zc_subscriber_place (self->subscriber), (int)code.len, code.at, (int)text.len,
                    text.at);
}

/*  Subscribes, once the beginning is known. */
static void s_subscribe (zc_outgoing_t *self)
{
    if (self->subscriber || self->closed || !self->got || !self->since[0])
        return;
    zc_info (ZC_EVENT ("relay.begun redis since", "redis %s: going on after %s%s"), s_shown (self),
             self->since,
             self->kept == ZC_ID_NONE ? ", the broker's position: Redis has none of ours" : "");
    zc_subscriber_config_t config = {.subscribe = self->config.subscribe,
                                     .control = self->config.control,
                                     .since = self->since,
                                     .arg = self,
                                     .message = s_message,
                                     .gap = s_gap,
                                     .live = s_live,
                                     .refused = s_refused};
    self->subscriber = zc_subscriber_new (self->context, &config);
    if (!self->subscriber) { /* the endpoints are valid: out of descriptors */
        zc_error (ZC_EVENT ("relay.failed broker error", "broker %s: %s"), self->config.subscribe,
                  zmq_strerror (errno));
        return;
    }
    for (size_t i = 0; i < zc_outlet_count (self->config.outlet); i++) {
        bool prefix;
        zc_slice_t topic = zc_outlet_topic (self->config.outlet, i, &prefix);
        zc_subscriber_add (self->subscriber, topic, prefix);
    }
    s_follow (self);
}

/*  The broker's position. */
static void s_told_head (void *arg, const zc_answer_t *answer)
{
    zc_outgoing_t *self = arg;
    if (answer->kind != ZC_OK)
        zc_places_move (self->places, zc_mono_ms ());
    if (answer->kind != ZC_OK || self->since[0])
        return;
    zc_id_format (answer->head, self->since);
    if (!self->got)
        zc_info (ZC_EVENT ("relay.waiting broker since",
                           "broker %s: messages after %s go to Redis, unless Redis has a position"),
                 zc_places_control (self->places), self->since);
}

static void s_end_broker (zc_outgoing_t *self)
{
    if (self->broker)
        zc_control_reset (self->broker);
    zc_control_destroy (&self->broker);
}

/*  At the next broker, if this one hasn't told it. */
static void s_ask_head (zc_outgoing_t *self)
{
    static const zc_ask_t sync = {.verb = ZC_SYNC};
    if (zc_places_several (self->places))
        zc_control_move (self->broker, zc_places_control (self->places));
    zc_control_request (self->broker, &sync, S_HEAD_MS, s_told_head, self);
}

/*  Asks for the broker's position, until the broker tells it, or Redis has told a better one. */
static void s_find_head (zc_outgoing_t *self)
{
    if (!self->broker && !self->since[0] && !self->closed)
        self->broker = zc_control_new (self->context, zc_places_control (self->places));
    if (!self->broker)
        return;
    while (zc_control_read (self->broker, 10) > 0)
        continue;
    if (!self->since[0] && zc_control_pending (self->broker) == 0)
        s_ask_head (self);
    if (!self->since[0])
        return;
    s_end_broker (self);
    s_subscribe (self);
}

/*  From Redis ---------------------------------------------------------------------------------- */

/*  One command fewer has no answer. After the last one, messages may go out. */
static void s_is_good (zc_outgoing_t *self)
{
    if (self->phase != S_ASKING || --self->asked > 0)
        return;
    self->phase = S_FLOWING;
    zc_redis_works (self->redis);
    s_send (self);
}

/*  The position where we left off, or none. */
static void s_got (zc_outgoing_t *self, const redisReply *reply)
{
    zc_slice_t text = zc_reply_text (reply);
    zc_id_t position;
    if (zc_reply_fault (reply) != ZC_FAULT_NONE) {
        /* beginning elsewhere would lose the messages since that position */
        zc_redis_give_up_for (self->redis, reply);
        return;
    }
    if (zc_id_parse (text.at, text.len, &position) == 0) {
        zc_id_format (position, self->since);
        self->kept = self->followed = position;
    } else if (text.len) {
        zc_warn (ZC_EVENT ("position.malformed redis key text",
                           "redis %s: key %s has no position: '%.*s'"),
                 s_shown (self), self->key, (int)(text.len > 64 ? 64 : text.len), text.at);
    }
    self->got = true;
    s_subscribe (self);
    s_is_good (self);
}

/*  The node's role is right, so the messages that it has answered are sent. */
static void s_confirm (zc_outgoing_t *self)
{
    self->checking = false;
    self->stats.relayed += zc_pending_confirm (self->pending);
    s_is_good (self);
}

static void s_refuse_node (zc_outgoing_t *self, const zc_role_t *role)
{
    char reason[320], master[160] = "";
    if (role->host.len)
        snprintf (master, sizeof master, " of %.*s:%d",
                  (int)(role->host.len > 128 ? 128 : role->host.len), role->host.at, role->port);
    if (role->kind == ZC_ROLE_SENTINEL)
        snprintf (reason, sizeof reason, "%s", ZC_SENTINEL_REASON);
    else
        snprintf (
            reason, sizeof reason,
            "it is a replica%s, where nobody would hear what goes out: it waits until this is "
            "a master; or give the master's address",
            master);
    zc_redis_give_up (self->redis, reason);
}

/*  The node's own word for its role. */
static void s_told_role (zc_outgoing_t *self, const redisReply *reply)
{
    zc_role_t role = zc_reply_role (reply);
    if (role.kind == ZC_ROLE_REPLICA || role.kind == ZC_ROLE_SENTINEL) {
        s_refuse_node (self, &role);
    } else if (role.kind == ZC_ROLE_MASTER) {
        s_confirm (self);
    } else { /* forbidden, or an older server, or another product */
        self->checking = false;
        self->unchecked = self->phase == S_FLOWING;
        self->check++;
        if (!s_check (self))
            s_is_good (self); /* messages count as sent only once the node has taken a position */
    }
}

static void s_say_unkept (zc_outgoing_t *self, const redisReply *error)
{
    zc_slice_t text = zc_reply_error (error);
    const char *advice = zc_fault_advice (text);
    char complaint[sizeof self->complaint];
    snprintf (complaint, sizeof complaint,
              "the position is not kept: %.*s%s%s%s; a bridge that starts again would send again "
              "what was sent since",
              (int)text.len, text.at, advice ? " (" : "", advice ? advice : "", advice ? ")" : "");
    zc_log (strcmp (complaint, self->complaint) == 0 ? ZC_LOG_DEBUG : ZC_LOG_ERROR,
            ZC_EVENT ("position.unkept redis error", "redis %s: %s"), s_shown (self), complaint);
    strcpy (self->complaint, complaint);
}

/*  If nothing else does, the answer to SET tells the node's role, too. */
static void s_set_answered (zc_outgoing_t *self)
{
    if (self->phase == S_ASKING || self->check == S_BY_SET)
        s_confirm (self);
}

/*  The position isn't stored. Messages are sent all the same, unless the node may be the wrong
 *  one. */
static void s_not_kept (zc_outgoing_t *self, const redisReply *error)
{
    bool cut_off = zc_slice_starts (zc_reply_error (error), "NOREPLICAS ");
    if (zc_reply_fault (error) == ZC_FAULT_NODE || cut_off) {
        zc_redis_give_up_for (self->redis, error);
        return;
    }
    self->unkept = true;
    self->save_at = zc_mono_ms () + S_UNKEPT_MS;
    self->stats.unkept++;
    s_say_unkept (self, error);
    s_set_answered (self);
}

static void s_told_set (zc_outgoing_t *self, const redisReply *reply)
{
    zc_id_t keeping = self->keeping;
    self->keeping = ZC_ID_NONE;
    if (zc_reply_fault (reply) != ZC_FAULT_NONE) {
        s_not_kept (self, reply);
        return;
    }
    self->kept = keeping;
    if (self->unkept) {
        zc_info (ZC_EVENT ("position.kept redis", "redis %s: the position is kept"),
                 s_shown (self));
        self->complaint[0] = 0;
    }
    self->unkept = false;
    s_set_answered (self);
}

/*  The channel, or PUBLISH, is forbidden. Messages for other channels go on. */
static void s_hold (zc_outgoing_t *self, zc_parcel_t *parcel, const redisReply *error)
{
    static zc_log_limit_t s_limit;
    zc_slice_t text = zc_reply_error (error), channel = zc_parcel_channel (parcel);
    const char *advice = zc_fault_advice (text);
    snprintf (self->complaint, sizeof self->complaint, "channel %.*s: %.*s%s%s%s",
              (int)(channel.len > 64 ? 64 : channel.len), channel.at, (int)text.len, text.at,
              advice ? " (" : "", advice ? advice : "", advice ? ")" : "");
    size_t count = zc_pending_hold (self->pending, parcel);
    if (count == 1) {
        self->stats.forbidden++;
        zc_log_limited (&s_limit, ZC_LOG_ERROR,
                        ZC_EVENT ("relay.postponed redis error",
                                  "redis %s: %s; its messages wait, and are tried again"),
                        s_shown (self), self->complaint);
    }
    if (self->try_at == 0) {
        self->try_ms = S_TRY_MIN_MS;
        self->try_at = zc_mono_ms () + self->try_ms;
    }
}

static void s_refused_message (zc_outgoing_t *self, zc_parcel_t *parcel, const redisReply *error)
{
    static zc_log_limit_t s_limit;
    zc_slice_t text = zc_reply_error (error), channel = zc_parcel_channel (parcel);
    const char *advice = zc_fault_advice (text);
    self->stats.refused++;
    zc_log_limited (
        &s_limit, ZC_LOG_ERROR,
        ZC_EVENT ("relay.lost redis channel bytes error advice",
                  "redis %s: channel %.*s: message of %zu bytes not sent, and lost: %.*s (%s)"),
        s_shown (self), (int)channel.len, channel.at, zc_parcel_payload (parcel).len, (int)text.len,
        text.at, advice ? advice : "");
    zc_pending_remove (self->pending, parcel);
}

static void s_told_publish (zc_outgoing_t *self, zc_parcel_t *parcel, const redisReply *reply)
{
    bool forbidden = zc_slice_starts (zc_reply_error (reply), "NOPERM ");
    zc_fault_t fault = zc_reply_fault (reply);
    if (fault == ZC_FAULT_NONE)
        zc_pending_answered (self->pending, parcel);
    else if (fault == ZC_FAULT_COMMAND)
        s_refused_message (self, parcel, reply);
    else if (forbidden || fault == ZC_FAULT_UNKNOWN)
        s_hold (self, parcel, reply);
    else
        zc_redis_give_up_for (self->redis, reply);
}

/*  Tries forbidden channels again, with one message for each. */
static void s_try_held (zc_outgoing_t *self)
{
    if (zc_pending_held (self->pending) == 0) {
        if (self->try_at && !self->unkept)
            self->complaint[0] = 0;
        self->try_at = 0;
        return;
    }
    uint64_t now = zc_mono_ms ();
    if (self->phase != S_FLOWING || now < self->try_at)
        return;
    zc_pending_try_held (self->pending);
    self->try_ms = self->try_ms * 2 > S_TRY_MAX_MS ? S_TRY_MAX_MS : self->try_ms * 2;
    self->try_at = now + self->try_ms;
    s_send (self);
}

static void s_reply (void *arg, void *tag, const redisReply *reply)
{
    zc_outgoing_t *self = arg;
    if (tag == &s_get)
        s_got (self, reply);
    else if (tag == &s_role)
        s_told_role (self, reply);
    else if (tag == &s_set)
        s_told_set (self, reply);
    else
        s_told_publish (self, tag, reply);
    s_send (self);
    s_count (self);
    if (self->subscriber && self->stats.bytes <= self->config.queue_bytes / 2)
        s_pause (self, false);
}

/*  No message is sent before the node has proved to be the right one. */
static void s_ready (void *arg)
{
    zc_outgoing_t *self = arg;
    self->phase = S_ASKING;
    self->check = S_BY_ROLE;
    self->asked = 0;
    if (!self->got && !self->closed) {
        s_ask_where (self);
        self->asked++;
    }
    self->asked += s_check (self);
    if (self->keeping == ZC_ID_NONE && s_position (self) != ZC_ID_NONE) {
        s_keep (self);
        self->asked++;
    }
    if (self->asked == 0) {
        self->asked = 1;
        s_is_good (self);
    }
}

static void s_lost (void *arg)
{
    zc_outgoing_t *self = arg;
    self->phase = S_AWAY;
    self->checking = false;
    self->unchecked = false;
    if (self->keeping != ZC_ID_NONE)
        self->kept = ZC_ID_NONE;
    self->keeping = ZC_ID_NONE;
    zc_pending_rewind (self->pending);
    s_count (self);
}

/*  Asks Redis to store the position, if it has moved, or is due to be stored again. */
static void s_save (zc_outgoing_t *self)
{
    uint64_t now = zc_mono_ms ();
    zc_id_t position = s_position (self);
    bool moved = position != self->kept;
    bool last = moved && self->closed && self->stats.waiting == 0 && !self->unkept;
    bool due = now >= (moved ? self->save_at : self->repeat_at) || last;
    if (due && position != ZC_ID_NONE && self->phase == S_FLOWING && self->keeping == ZC_ID_NONE)
        s_keep (self);
}

/*  The module ---------------------------------------------------------------------------------- */

zc_outgoing_t *zc_outgoing_new (void *context, const zc_outgoing_config_t *config)
{
    zc_outgoing_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->config = *config;
    self->context = context;
    self->places = zc_places_new (config->subscribe, config->control, zc_mono_ms ());
    zc_buf_t key = ZC_BUF_INIT;
    zc_buf_addf (&key, "zcast:position:%s", config->site);
    self->key = strdup (zc_buf_str (&key));
    zc_buf_clear (&key);
    self->pending = zc_pending_new ();
    zc_redis_config_t redis = {.address = config->address,
                               .name = "zcast-publisher",
                               .follows = true,
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
    s_end_broker (self);
    zc_pending_destroy (&self->pending);
    zc_places_destroy (&self->places);
    free (self->key);
    free (self);
}

void zc_outgoing_close (zc_outgoing_t *self)
{
    self->closed = true;
    s_follow (self);
    zc_subscriber_destroy (&self->subscriber);
    s_end_broker (self);
}

zc_slice_t zc_outgoing_line (const zc_outgoing_t *self)
{
    return self->subscriber ? zc_subscriber_line (self->subscriber) : (zc_slice_t){"", 0};
}

const zc_outgoing_stats_t *zc_outgoing_stats (const zc_outgoing_t *self)
{
    return &self->stats;
}

const char *zc_outgoing_state (const zc_outgoing_t *self, const char **complaint)
{
    static char full[sizeof self->complaint + 32];
    bool flows = self->phase == S_FLOWING;
    *complaint = flows ? self->complaint : zc_redis_complaint (self->redis);
    if (!flows)
        return **complaint ? "stopped" : "starting";
    if (!self->full)
        return self->stats.held ? "held" : "on";
    snprintf (full, sizeof full, "held messages fill queue-bytes: %s", self->complaint);
    *complaint = full;
    return "stopped";
}

bool zc_outgoing_is_idle (const zc_outgoing_t *self)
{
    return self->stats.waiting == 0 && (s_position (self) == self->kept || self->unkept);
}

size_t zc_outgoing_pollitems (zc_outgoing_t *self, zmq_pollitem_t items[ZC_OUTGOING_ITEMS])
{
    size_t count = zc_redis_pollitems (self->redis, items);
    if (self->subscriber)
        count += zc_subscriber_pollitems (self->subscriber, items + count);
    if (self->broker)
        count += zc_control_pollitems (self->broker, items + count);
    return count;
}

static long s_sooner (long wait, uint64_t when_ms)
{
    uint64_t now = zc_mono_ms ();
    long until = when_ms > now ? (long)(when_ms - now) : 0;
    return wait < 0 || until < wait ? until : wait;
}

long zc_outgoing_timeout (const zc_outgoing_t *self)
{
    long wait = zc_redis_timeout (self->redis);
    long more = self->subscriber ? zc_subscriber_timeout (self->subscriber) : -1;
    if (more >= 0 && (wait < 0 || more < wait))
        wait = more;
    if (!self->since[0])
        wait = s_sooner (wait, zc_mono_ms () + S_HEAD_MS);
    if (self->phase != S_FLOWING)
        return wait;
    if (self->check != S_BY_SET)
        wait = s_sooner (wait, self->role_at);
    if (self->stats.held)
        wait = s_sooner (wait, self->try_at);
    if (s_position (self) != self->kept && self->keeping == ZC_ID_NONE)
        wait = s_sooner (wait, self->save_at);
    return wait;
}

/*  Also if nothing was sent: the operator learns the node's role before a message needs it. */
static bool s_is_check_due (const zc_outgoing_t *self)
{
    return self->unchecked || (self->check != S_BY_SET && zc_mono_ms () >= self->role_at);
}

void zc_outgoing_run (zc_outgoing_t *self)
{
    zc_redis_run (self->redis);
    s_find_head (self);
    if (self->subscriber)
        zc_subscriber_run (self->subscriber);
    s_follow (self);
    s_try_held (self);
    if (self->phase == S_FLOWING && !self->checking && s_is_check_due (self))
        s_check (self);
    s_save (self);
    s_count (self);
    s_check_full (self);
    zc_redis_run (self->redis); /* sends at once the messages that the broker has just given */
}
