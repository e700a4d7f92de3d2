/*  broker.c - the way of a message: receive, stamp, keep, send.
 *
 *  There is one thread, and it works on raw zmq_msg_t: subscribers get the very frames that a
 *  publisher sent. A turn of the loop handles the messages that have come, up to a limit, and
 *  reads the clock once. */
#include "broker/broker.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "broker/dialogue.h"
#include "broker/endpoints.h"
#include "broker/intake.h"
#include "broker/outbox.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/peer/redial.h"
#include "lib/wire/selector.h"
#include "lib/wire/traceparent.h"

#define S_GATHER_US 1000 /* how long messages gather */
#define S_CROWD 400      /* messages a second from which on they gather */
#define S_FLOOD 50000    /* messages a second beyond which they gather by themselves */
#define S_LOOK_MS 1000   /* how often the folder of certificates is checked */
#define S_RATE_MS 100    /* window over which the rate is measured */
#define S_BATCH 1000     /* messages, and subscriptions, handled in one turn */
/* a message with up to so many is refused with a reason; with more, its connection is ended */
#define S_FRAMES_MAX 100
/* bytes: a topic, or a READY command; ZeroMQ keeps a node for each byte */
#define S_SUBSCRIPTION_MAX 2048
#define S_REQUESTS_HWM 1000 /* of each peer, at least */
#define S_GONE_MS 45000     /* until a subscriber that takes no bytes is given up */
#define S_TUNNEL_MS 600000  /* longer for control: a page over a slow tunnel looks the same */
#define S_SUSPECT_FIRST_MS 250
#define S_SUSPECT_MOST_MS 10000
#define S_QUIET_MS 100      /* when stopping: no message has come for so long, */
#define S_LATE_MS 500       /* or messages have come for so long; */
#define S_DRAIN_MS 3000     /* then for the messages on their way to history, */
#define S_LINGER_MS 1000    /* and then for those in ZeroMQ's queues */
#define S_WHOLE 1000000000u /* all of the log's room */
#define S_ENTRY_BYTES 100   /* in Redis, besides head and payload */
#define S_REPEATS 20        /* revocations told again at once, */
#define S_REPEAT_MS 100     /* and how often */
#define S_PAUSE_MS 1000     /* before a successor takes over: for work that is under way */
#define S_NAP_MS 2          /* and between two looks at it */

struct zc_broker {
    zc_flow_t flow; /* must be first */
    zc_broker_config_t config;
    zc_dialogue_t *control;
    zc_endpoints_t *endpoints;
    void *context, *xsub, *xpub, *router;
    zc_item_t item; /* the message being handled */
    int source;     /* its connection, if the frame doesn't say; or -1 */
    zmq_msg_t headers;
    zc_digest_t digest; /* of the message that s_seen checked last */
    zc_buf_t meta;
    zc_sequencer_t *log; /* config.log, once the broker listens; NULL: none */
    zc_id_t reached;     /* the log was read up to here, if no message has this position */
    bool left;           /* a successor serves */
    bool suspect;        /* a subscriber may still lose messages in silence: see s_drop */
    uint64_t suspect_ms, suspect_at_ms; /* how often, and when next, `dropped` grows */
    uint64_t wear;                      /* what was read of the log, in billionths of its room */
    uint64_t repeated_ms;               /* when revocations were last told again */
    /* messages a second, and the window in which it is measured */
    uint64_t rate_ms, rate_count, crowd;
};

/*  Sending. */

static void s_say_full (zc_broker_t *self)
{
    static zc_log_limit_t limit;
    char names[256];
    zc_backlog_names (self->flow.backlog, names, sizeof names);
    zc_log_limited (&limit, ZC_LOG_WARN,
                    ZC_EVENT ("subscriber.dropped - subscribers",
                              "a subscriber's queue is full: it misses messages%s%s"),
                    *names ? "; subscribers that take nothing now: " : "", names);
}

/*  A subscriber's queue is full. With NODROP off, ZeroMQ drops the message for that subscriber
 *  only, as it refuses the first frame there, and sends it to all others.
 *
 *  From then on ZeroMQ drops that subscriber's messages in silence, until the subscriber has
 *  read half of its queue: EAGAIN comes once, and not for each lost message. Nothing tells when
 *  that is over. So `dropped` must go on growing by itself for as long as that may take: less
 *  and less often, at least every ten seconds, and only if messages were published. The price is
 *  that workers check whether they are complete. */
static int s_drop (zc_broker_t *self, zmq_msg_t *frame)
{
    int events, off = 0, on = 1;
    size_t size = sizeof events;
    /*  ZeroMQ's view of its queues may be a millisecond old; this call renews it. */
    zmq_getsockopt (self->xpub, ZMQ_EVENTS, &events, &size);
    int rc = zmq_msg_send (frame, self->xpub, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    if (rc >= 0 || errno != EAGAIN)
        return rc;
    s_say_full (self);
    zmq_setsockopt (self->xpub, ZMQ_XPUB_NODROP, &off, sizeof off);
    rc = zmq_msg_send (frame, self->xpub, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_setsockopt (self->xpub, ZMQ_XPUB_NODROP, &on, sizeof on);
    self->flow.counters->dropped++;
    self->flow.dropped = self->flow.head;
    self->suspect = true;
    self->suspect_ms = S_SUSPECT_FIRST_MS;
    self->suspect_at_ms = self->flow.mono_ms + self->suspect_ms;
    return rc;
}

/*  `dropped` becomes a position that no message has. Otherwise a subscriber that got the message
 *  at that position could conclude that it lost nothing. */
static void s_suspect (zc_broker_t *self)
{
    if (!self->suspect || self->flow.mono_ms < self->suspect_at_ms ||
        self->flow.head < self->flow.dropped)
        return;
    /*  The log leaves every other position free. */
    self->flow.dropped =
        self->log ? self->flow.head + 1 : zc_id_next (self->flow.last, self->flow.wall_ms);
    if (!self->log)
        self->flow.last = self->flow.dropped;
    if ((self->suspect_ms *= 2) > S_SUSPECT_MOST_MS)
        self->suspect_ms = S_SUSPECT_MOST_MS;
    self->suspect_at_ms = self->flow.mono_ms + self->suspect_ms;
}

static zc_slice_t s_slice (zmq_msg_t *frame)
{
    return (zc_slice_t){zmq_msg_data (frame), zmq_msg_size (frame)};
}

/*  Messages were dropped after the item had its meta, while it was on its way to the disk. */
static void s_tell_dropped (zc_broker_t *self, zc_item_t *item)
{
    self->meta.len = 0;
    zc_meta_set_dropped (&self->meta, s_slice (&item->meta), self->flow.dropped);
    zmq_msg_close (&item->meta);
    zc_frame_set (&item->meta, self->meta.data, self->meta.len);
}

static void s_send (zc_broker_t *self, zc_item_t *item)
{
    if (item->dropped != self->flow.dropped)
        s_tell_dropped (self, item);
    zc_backlog_published (self->flow.backlog, zmq_msg_size (&item->topic) +
                                                  zmq_msg_size (&item->payload) +
                                                  zmq_msg_size (&item->meta));
    int rc = zmq_msg_send (&item->topic, self->xpub, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    if (rc < 0 && errno == EAGAIN)
        rc = s_drop (self, &item->topic);
    /*  The first frame has decided who gets the message: the others can't be refused. */
    if (rc >= 0) {
        zmq_msg_send (&item->payload, self->xpub, ZMQ_SNDMORE | ZMQ_DONTWAIT);
        zmq_msg_send (&item->meta, self->xpub, ZMQ_DONTWAIT);
    }
}

/*  History calls this when it is done with a message, in the order of positions. */
static void s_settled (void *arg, zc_item_t *item, bool kept)
{
    zc_broker_t *self = arg;
    /*  A publisher that waits for an answer is told a failure, and can retry. Other publishers
     *  are never told, so their messages are delivered even if they weren't kept. */
    if (kept || !item->origin) {
        self->flow.head = item->id;
        if (item->where->sent < item->id)
            item->where->sent = item->id;
        self->flow.counters->published++;
        self->flow.counters->bytes += zmq_msg_size (&item->payload);
        s_send (self, item);
    }
    if (item->origin || zc_dialogue_awaits (self->control) || !kept)
        zc_dialogue_settled (self->control, item, kept);
}

static void s_purged (void *arg, void *origin, uint64_t count, bool done)
{
    zc_broker_t *self = arg;
    zc_dialogue_purged (self->control, origin, count, done);
}

/*  Receiving. */

static void s_refused (zc_broker_t *self, zmq_msg_t *frame, int count, int code)
{
    static zc_log_limit_t limit;
    self->flow.counters->refused++;
    const char *peer = zmq_msg_gets (frame, "Peer-Address");
    bool named = code != ZC_EFRAMES && code != ZC_ETOPIC;
    zc_slice_t trace;
    if (count == 3 && zc_header_find (s_slice (&self->headers), "traceparent", &trace))
        zc_traceparent_log (trace);
    zc_slice_t topic = named ? s_slice (frame) : (zc_slice_t){"", 0};
    zc_log_limited (
        &limit, ZC_LOG_WARN,
        ZC_EVENT ("publish.refused peer error - topic", "%s: refused a message: %s%s%.*s"),
        peer ? peer : "publisher", zc_message_strerror (code), named ? "; topic " : "",
        (int)topic.len, topic.at);
    zc_log_no_trace ();
}

/*  Finds the publisher's own id, or else its key, in meta. */
static void s_find_event (zc_item_t *item)
{
    zc_slice_t value, meta = s_slice (&item->meta);
    if (zc_header_find (meta, "event-id", &value) || zc_header_find (meta, "key", &value)) {
        item->event_at = (uint16_t)(value.at - meta.at);
        item->event_len = (uint16_t)value.len;
    }
}

/*  item->id is set; a `ttl` counts from `now_ms` on. */
static void s_stamp (zc_broker_t *self, zc_item_t *item, const zc_message_t *message,
                     zc_slice_t headers, uint64_t now_ms)
{
    self->flow.last = item->id;
    item->dropped = self->flow.dropped;
    self->meta.len = 0;
    zc_meta_write (&self->meta, item->id, item->where->last, self->flow.dropped, headers);
    item->where->last = item->id;
    zc_topics_count (self->flow.topics, item->where);
    zc_frame_set (&item->meta, self->meta.data, self->meta.len);
    uint64_t ttl;
    item->expires_ms = 0;
    item->event_len = 0;
    if (message->ttl.len && zc_text_u64 (message->ttl.at, message->ttl.len, UINT32_MAX, &ttl) == 0)
        item->expires_ms = now_ms + ttl * 1000;
    if (message->key.len || message->event_id.len)
        s_find_event (item);
    if (message->private_ || message->topics.len)
        item->where->mixed = item->id;
}

/*  The number of the connection that the message came on. All clients that publish over HTTP
 *  share their worker's. */
static uint32_t s_publisher (void *arg)
{
    const zc_broker_t *self = arg;
    int fd =
        self->source >= 0 ? self->source : zmq_msg_get ((zmq_msg_t *)&self->item.topic, ZMQ_SRCFD);
    return fd >= 0 && fd < ZC_OWNERS_MAX ? (uint32_t)fd + 1 : 0;
}

/*  item->topic and item->payload must be set. */
static void s_publish (zc_broker_t *self, const zc_message_t *message, zc_slice_t headers,
                       void *origin)
{
    zc_item_t *item = &self->item;
    item->where = zc_topics_use_by (self->flow.topics, message->topic, s_publisher, self);
    item->origin = origin;
    item->id = zc_id_next (self->flow.last, self->flow.wall_ms);
    s_stamp (self, item, message, headers, self->flow.wall_ms);
    if (message->key.len)
        zc_dedup_add (self->flow.dedup, message->topic, message->key, self->digest, item->id,
                      self->flow.mono_ms);
    zc_history_append (self->flow.history, item);
}

/*  PUBLISH on control calls this (flow.h). */
static void s_publish_for (zc_flow_t *flow, zmq_msg_t *topic, zmq_msg_t *payload,
                           const zc_message_t *message, zc_slice_t headers, void *origin)
{
    zc_broker_t *self = (zc_broker_t *)flow;
    self->source = -1;
    /*  The bytes of a small frame are inside the zmq_msg_t, and so move with it. */
    zmq_msg_move (&self->item.topic, topic);
    zmq_msg_move (&self->item.payload, payload);
    zc_message_t moved = *message;
    moved.topic = s_slice (&self->item.topic);
    s_publish (self, &moved, headers, origin);
}

/*  With a log: messages go there, and are stamped when they are read back. */

static void s_to_log (zc_broker_t *self, zmq_msg_t *payload, const zc_message_t *message,
                      zc_slice_t headers, void *origin)
{
    char name[ZC_LOG_NAME_SIZE];
    bool named = message->key.len && self->config.dedup_window_ms > 0 && self->config.dedup_max > 0;
    if (named)
        zc_log_name (name, message->topic, message->key, message->event, message->payload);
    zc_log_state_publish (zc_sequencer_state (self->log), message->topic, payload, headers,
                          (zc_slice_t){name, named ? sizeof name : 0}, origin, self->flow.mono_ms);
}

static void s_to_log_for (zc_flow_t *flow, zmq_msg_t *topic, zmq_msg_t *payload,
                          const zc_message_t *message, zc_slice_t headers, void *origin)
{
    (void)topic;
    s_to_log ((zc_broker_t *)flow, payload, message, headers, origin);
}

/*  The log recognises a message that was published before. */
static zc_seen_t s_never_seen (zc_flow_t *flow, const zc_message_t *message, zc_id_t *id)
{
    (void)flow;
    (void)message;
    (void)id;
    return ZC_SEEN_NEVER;
}

/*  If the log was read up to a position that no message has, the flow is complete up to it once
 *  history has the messages before it. */
static void s_reach (zc_broker_t *self)
{
    if (self->reached > self->flow.head && !zc_history_busy (self->flow.history))
        self->flow.head = self->reached;
}

/*  Whoever published it may be at another broker. */
static uint32_t s_nobody (void *arg)
{
    (void)arg;
    return 0;
}

static void s_log_message (zc_broker_t *self, const zc_log_entry_t *entry, zmq_msg_t *payload,
                           void *origin)
{
    zc_item_t *item = &self->item;
    zc_message_t message;
    zmq_msg_close (&item->topic);
    zc_frame_set (&item->topic, entry->topic.at, entry->topic.len);
    zmq_msg_move (&item->payload, payload);
    zc_publish_parse (&message, s_slice (&item->topic), s_slice (&item->payload), entry->headers,
                      SIZE_MAX); /* it is good: the state has looked */
    item->where = zc_topics_use_by (self->flow.topics, message.topic, s_nobody, NULL);
    item->origin = NULL; /* it is published, whether history keeps it or not */
    item->id = entry->id;
    s_stamp (self, item, &message, entry->headers, zc_id_ms (entry->id));
    if (origin)
        zc_dialogue_read_back (self->control, origin, item->id);
    zc_history_append (self->flow.history, item);
}

/*  All brokers of the log take in what one of them was told. */
static void s_log_instruction (zc_broker_t *self, const zc_log_entry_t *entry, zmq_msg_t *payload,
                               void *origin)
{
    zc_instruction_t instruction;
    const char *error;
    if (zc_instruction_parse (&instruction, s_slice (payload), &error) == 0) {
        zc_instructions_hear (self->flow.instructions, entry->id, self->wear, &instruction,
                              self->flow.mono_ms);
        zc_instruction_clear (&instruction);
    }
    if (origin)
        zc_dialogue_instructed (self->control, origin, entry->id);
}

/*  Once for all that was read in a turn, and before history gets ahead of the file. */
static void s_save_revocations (zc_broker_t *self)
{
    static zc_log_limit_t limit;
    if (zc_instructions_save (self->flow.instructions) != 0)
        zc_log_limited (
            &limit, ZC_LOG_ERROR,
            ZC_EVENT ("revocations.unkept error", "revocations: the file can't be written: %s"),
            strerror (errno));
}

/*  How much of the log's room an entry takes, in billionths. */
static void s_wear (zc_broker_t *self, const zc_log_entry_t *entry)
{
    const zc_history_limits_t *limits = &self->config.limits;
    uint64_t bytes = entry->head.len + entry->payload.len + S_ENTRY_BYTES;
    if (limits->messages)
        self->wear += S_WHOLE / limits->messages;
    if (limits->bytes)
        self->wear += (uint64_t)((double)bytes / (double)limits->bytes * S_WHOLE);
}

static void s_log_read (void *arg, const zc_log_entry_t *entry, zmq_msg_t *payload, void *origin)
{
    zc_broker_t *self = arg;
    bool message = entry->kind == ZC_ENTRY_MESSAGE;
    s_wear (self, entry);
    if (message && !zc_slice_is (entry->topic, ZC_INSTRUCTIONS_TOPIC)) {
        s_log_message (self, entry, payload, origin);
        return;
    }
    self->reached = self->flow.last = entry->id;
    if (message)
        s_log_instruction (self, entry, payload, origin);
}

static void s_instruction_to_log (zc_broker_t *self, zc_slice_t text, void *origin)
{
    zmq_msg_t payload;
    zc_frame_set (&payload, text.at, text.len);
    zc_log_state_publish (zc_sequencer_state (self->log),
                          (zc_slice_t){ZC_INSTRUCTIONS_TOPIC, strlen (ZC_INSTRUCTIONS_TOPIC)},
                          &payload, (zc_slice_t){"", 0}, (zc_slice_t){"", 0}, origin,
                          self->flow.mono_ms);
}

static void s_instruct_log (zc_flow_t *flow, const zc_instruction_t *instruction, void *origin)
{
    zc_buf_t text = ZC_BUF_INIT;
    zc_instruction_write (instruction, &text);
    s_instruction_to_log ((zc_broker_t *)flow, (zc_slice_t){(char *)text.data, text.len}, origin);
    zc_buf_clear (&text);
}

/*  Tells revocations again before the log lets go of them, and those that the file alone has. Each
 *  broker does; what one has told is new to the others. */
static void s_repeat_revocations (zc_broker_t *self)
{
    const zc_history_limits_t *limits = &self->config.limits;
    zc_slice_t text;
    if (!self->log || self->flow.behind || !zc_log_state_open (zc_sequencer_state (self->log)) ||
        self->flow.mono_ms - self->repeated_ms < S_REPEAT_MS)
        return;
    self->repeated_ms = self->flow.mono_ms;
    uint64_t age = limits->age_ms / 5 * 2, now = self->flow.wall_ms;
    zc_id_t number = limits->age_ms && now > age ? zc_id_from_ms (now - age) : ZC_ID_NONE + 2;
    uint64_t place = self->wear > S_WHOLE / 5 * 2 ? self->wear - S_WHOLE / 5 * 2 : 0;
    for (int i = 0;
         i < S_REPEATS && !zc_log_state_full (zc_sequencer_state (self->log)) &&
         zc_instructions_repeat (self->flow.instructions, number, place, self->flow.mono_ms, &text);
         i++)
        s_instruction_to_log (self, text, NULL);
}

static void s_log_told (void *arg, void *origin, zc_id_t id, bool conflict)
{
    zc_broker_t *self = arg;
    self->flow.counters->duplicates += !conflict;
    self->flow.counters->conflicts += conflict;
    self->flow.counters->refused += conflict && !origin;
    if (origin)
        zc_dialogue_told (self->control, origin, id, conflict);
}

static void s_log_failed (void *arg, void *origin)
{
    zc_broker_t *self = arg;
    self->flow.counters->failed++;
    zc_dialogue_failed (self->control, origin);
}

static void s_log_lost (void *arg, zc_id_t upto)
{
    zc_broker_t *self = arg;
    zc_history_lose (self->flow.history, upto);
    zc_topics_lose (self->flow.topics, upto);
    zc_topics_forget (self->flow.topics, upto);
    if (self->flow.last < upto)
        self->flow.last = upto;
    if (self->reached < upto)
        self->reached = upto;
    zc_instructions_lose (self->flow.instructions, upto);
}

static bool s_log_full (zc_flow_t *flow)
{
    return zc_log_state_full (zc_sequencer_state (((zc_broker_t *)flow)->log));
}

static void s_log_raise (zc_flow_t *flow, zc_id_t id, bool lost)
{
    zc_log_state_raise (zc_sequencer_state (((zc_broker_t *)flow)->log), id, lost);
}

static void s_log_tell (zc_flow_t *flow, json_t *json)
{
    zc_sequencer_json (((zc_broker_t *)flow)->log, json);
}

/*  Without a log, numbers of instructions mean nothing after a restart. */
static void s_name_instructions (zc_broker_t *self)
{
    uint64_t random = 0;
    while (getrandom (&random, sizeof random, 0) != sizeof random)
        continue;
    zc_line_make (&self->flow.instructed, zc_id_from_ms (self->flow.wall_ms), random);
}

static void s_use_log (zc_broker_t *self)
{
    const zc_log_state_config_t hooks = {.arg = self,
                                         .read = s_log_read,
                                         .told = s_log_told,
                                         .failed = s_log_failed,
                                         .lost = s_log_lost};
    self->log = self->config.log;
    self->flow.behind = true;
    self->flow.seen = s_never_seen;
    self->flow.publish = s_to_log_for;
    self->flow.full = s_log_full;
    self->flow.raise = s_log_raise;
    self->flow.tell = s_log_tell;
    self->flow.instruct = s_instruct_log;
    zc_sequencer_listen (self->log, &hooks);
    zc_instructions_lose (self->flow.instructions, self->flow.last);
    self->flow.instructed = self->flow.history->line;
}

/*  Messages on their way into history must fit there. */
static void s_run_log (zc_broker_t *self)
{
    if (!self->log || zc_history_full (self->flow.history))
        return;
    zc_sequencer_run (self->log);
    s_save_revocations (self);
    s_reach (self);
    if (!zc_history_busy (self->flow.history))
        self->flow.heard_ms = zc_sequencer_heard_ms (self->log);
    if (self->flow.behind && zc_log_state_caught_up (zc_sequencer_state (self->log)) &&
        !zc_history_busy (self->flow.history))
        self->flow.behind = false;
}

bool zc_broker_ready (const zc_broker_t *self)
{
    return !self->flow.behind;
}

/*  Splits a frame `topic payload` into two frames. */
static int s_split (zc_item_t *item)
{
    zc_slice_t topic, payload;
    int rc = zc_publish_split (zmq_msg_data (&item->topic), zmq_msg_size (&item->topic), &topic,
                               &payload);
    if (rc != 0)
        return rc;
    zmq_msg_t name;
    zc_frame_set (&name, topic.at, topic.len);
    zmq_msg_close (&item->payload);
    zc_frame_set (&item->payload, payload.at, payload.len);
    zmq_msg_move (&item->topic, &name);
    zmq_msg_close (&name);
    return 0;
}

static bool s_equal (zc_slice_t a, zc_slice_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp (a.at, b.at, a.len) == 0);
}

/*  Whether history's message at a position is the same, byte for byte. There is no digest of a
 *  message that an earlier process published. */
static bool s_says_the_same (zc_broker_t *self, zc_topic_t *topic, zc_id_t id,
                             const zc_message_t *message)
{
    zc_stored_t stored;
    zc_message_t before;
    return zc_history_next (self->flow.history, topic, id - 1, &stored) && stored.id == id &&
           zc_delivery_parse (&before, message->topic, stored.payload, stored.meta) == 0 &&
           s_equal (before.payload, message->payload) && s_equal (before.event, message->event);
}

/*  After a start the table of digests is empty, but history on disk may know the name. */
static zc_seen_t s_seen_by_history (zc_broker_t *self, const zc_message_t *message, zc_id_t *id)
{
    uint64_t window = self->config.dedup_window_ms;
    if (self->flow.mono_ms - self->flow.started_ms >= window)
        return ZC_SEEN_NEVER;
    zc_topic_t *topic = zc_topics_find (self->flow.topics, message->topic);
    bool found = topic &&
                 zc_history_find (self->flow.history, topic, message->key, ZC_NEWEST, id) &&
                 zc_id_ms (*id) + window > self->flow.wall_ms;
    bool same = found && s_says_the_same (self, topic, *id, message);
    zc_history_release (self->flow.history);
    return !found ? ZC_SEEN_NEVER : same ? ZC_SEEN_SAME : ZC_SEEN_OTHER;
}

static zc_seen_t s_seen (zc_flow_t *flow, const zc_message_t *message, zc_id_t *id)
{
    zc_broker_t *self = (zc_broker_t *)flow;
    if (!message->key.len || !self->config.dedup_window_ms || !self->config.dedup_max)
        return ZC_SEEN_NEVER;
    self->digest = zc_dedup_digest (self->flow.dedup, message->event, message->payload);
    zc_seen_t seen = zc_dedup_find (self->flow.dedup, message->topic, message->key, self->digest,
                                    self->flow.mono_ms, id);
    if (seen == ZC_SEEN_NEVER)
        seen = s_seen_by_history (self, message, id);
    self->flow.counters->duplicates += seen == ZC_SEEN_SAME;
    self->flow.counters->conflicts += seen == ZC_SEEN_OTHER;
    return seen;
}

/*  Handles one message of `count` frames from a publisher. */
static int s_take (zc_broker_t *self, int count)
{
    zc_item_t *item = &self->item;
    if (count > 3)
        return ZC_EFRAMES;
    const zc_certificate_t *sender = zc_gate_sender (self->flow.gate, &item->topic);
    self->source = count == 1 ? zmq_msg_get (&item->topic, ZMQ_SRCFD) : -1;
    int rc = count == 1 ? s_split (item) : 0;
    if (rc != 0)
        return rc;
    zc_slice_t headers = count == 3 ? s_slice (&self->headers) : (zc_slice_t){NULL, 0};
    zc_message_t message;
    rc = zc_publish_parse (&message, s_slice (&item->topic), s_slice (&item->payload), headers,
                           self->flow.max_payload);
    if (rc != 0)
        return rc;
    if (!zc_gate_publish (self->flow.gate, sender, message.topic, headers))
        return ZC_EFORBIDDEN;
    if (self->log) {
        s_to_log (self, &item->payload, &message, headers, NULL);
        return 0;
    }
    zc_id_t before;
    zc_seen_t seen = s_seen (&self->flow, &message, &before);
    if (seen == ZC_SEEN_NEVER)
        s_publish (self, &message, headers, NULL);
    return seen == ZC_SEEN_OTHER ? ZC_ECONFLICT : 0;
}

static int s_receive_frame (void *socket, zmq_msg_t *frame)
{
    int rc;
    do
        rc = zmq_msg_recv (frame, socket, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/*  Receives a message into the item. Returns its count of frames, 0 if there is no message. Of
 *  more than three frames, the later ones are lost. */
static int s_receive (zc_broker_t *self)
{
    zmq_msg_t *into[] = {&self->item.topic, &self->item.payload, &self->headers};
    int count = 0;
    zmq_msg_t *frame;
    do {
        frame = into[count < 3 ? count : 2];
        if (s_receive_frame (self->xsub, frame) < 0)
            break;
        count++;
    } while (zmq_msg_more (frame));
    return count;
}

/*  No more is taken in for now. */
static bool s_full (zc_broker_t *self)
{
    return zc_history_full (self->flow.history) || (self->log && s_log_full (&self->flow));
}

/*  Returns true if more messages may wait. */
static bool s_take_in (zc_broker_t *self)
{
    for (int i = 0; i < S_BATCH; i++) {
        if (s_full (self))
            return false;
        int count = s_receive (self);
        if (count == 0)
            return false;
        self->flow.counters->received++;
        int rc = s_take (self, count);
        if (rc != 0)
            s_refused (self, &self->item.topic, count, rc);
    }
    return true;
}

/*  A subscription is \1 or \0, then the topic. A nonce begins with another \1. */
static void s_subscription (zc_broker_t *self, zmq_msg_t *frame)
{
    const uint8_t *at = zmq_msg_data (frame);
    size_t len = zmq_msg_size (frame);
    if (len == 0 || at[0] > 1) {
        self->flow.counters->ignored++;
    } else if (at[0] == 0) {
        if (self->flow.counters->subscriptions)
            self->flow.counters->subscriptions--;
        if (zc_topic_valid ((const char *)at + 1, len - 1))
            zc_topics_subscribe (self->flow.topics, (zc_slice_t){(const char *)at + 1, len - 1},
                                 false);
    } else {
        self->flow.counters->subscriptions++;
        if (zc_topic_valid ((const char *)at + 1, len - 1))
            zc_topics_subscribe (self->flow.topics, (zc_slice_t){(const char *)at + 1, len - 1},
                                 true);
        if (len > 2 && at[1] == 1 && len - 2 <= ZC_NONCE_MAX)
            zc_dialogue_nonce (self->control, (zc_slice_t){(const char *)at + 2, len - 2});
    }
}

static bool s_subscriptions (zc_broker_t *self)
{
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    int left = S_BATCH;
    while (left-- > 0 && s_receive_frame (self->xpub, &frame) >= 0)
        s_subscription (self, &frame);
    zmq_msg_close (&frame);
    return left < 0;
}

/*  The loop. */

static void s_read_clocks (zc_broker_t *self)
{
    self->flow.wall_ms = zc_wall_ms ();
    self->flow.mono_ms = zc_mono_ms ();
}

/*  Does all that isn't receiving. Returns true if there is more to do at once. */
static bool s_settle (zc_broker_t *self)
{
    zc_history_flush (self->flow.history);
    zc_history_settle (self->flow.history);
    s_run_log (self);
    bool more = zc_history_trim (self->flow.history, self->flow.wall_ms);
    s_suspect (self);
    zc_dialogue_turn (self->control);
    zc_stats_tick (self->flow.stats, self->flow.mono_ms);
    zc_busy_tick (zc_topics_busy (self->flow.topics), self->flow.mono_ms);
    zc_instructions_turn (self->flow.instructions, self->flow.mono_ms, self->flow.wall_ms);
    s_repeat_revocations (self);
    zc_endpoints_turn (self->endpoints, self->flow.mono_ms);
    zc_gate_serve (self->flow.gate);
    if (zc_gate_turn (self->flow.gate, self->flow.mono_ms))
        zc_endpoints_rebind (self->endpoints);
    return more;
}

static bool s_turn (zc_broker_t *self)
{
    s_read_clocks (self);
    bool more = s_subscriptions (self);
    more |= s_take_in (self);
    more |= zc_dialogue_serve (self->control);
    more |= s_settle (self);
    return more;
}

/*  Waking up for one message costs far more than handling it, here and in every later thread.
 *  Where many publishers send a little each, the messages may gather for a moment. Requests may
 *  not: a client that waits for an answer before its next request would be slowed down. */
static void s_gather (zc_broker_t *self, const zmq_pollitem_t *items)
{
    uint64_t passed = self->flow.mono_ms - self->rate_ms;
    if (passed >= S_RATE_MS) {
        self->crowd = (self->flow.counters->received - self->rate_count) * 1000 / passed;
        self->rate_ms = self->flow.mono_ms;
        self->rate_count = self->flow.counters->received;
    }
    struct timespec moment = {0, S_GATHER_US * 1000};
    if (items[1].revents && !items[0].revents && !items[2].revents && self->crowd > S_CROWD &&
        self->crowd < S_FLOOD && !self->log)
        nanosleep (&moment, NULL);
}

/*  Sleeps until there is something to do, at most `most` ms. Returns true if `fd` (-1: none) is
 *  readable. */
static bool s_wait (zc_broker_t *self, int fd, bool reading, int most)
{
    /*  While history is full, publishers wait, so their sockets aren't polled. */
    short in = reading && !zc_history_full (self->flow.history) ? ZMQ_POLLIN : 0;
    short publishes = in && !s_full (self) ? ZMQ_POLLIN : 0;
    zmq_pollitem_t items[6 + ZC_SEQUENCER_ITEMS] = {{self->xpub, 0, ZMQ_POLLIN, 0},
                                                    {self->xsub, 0, publishes, 0},
                                                    {self->router, 0, in, 0},
                                                    {NULL, fd, ZMQ_POLLIN, 0}};
    int count = 4, timeout = zc_dialogue_wait_ms (self->control);
    if (self->flow.history->fd >= 0)
        items[count++] = (zmq_pollitem_t){NULL, self->flow.history->fd, ZMQ_POLLIN, 0};
    if (zc_gate_socket (self->flow.gate)) {
        items[count++] = (zmq_pollitem_t){zc_gate_socket (self->flow.gate), 0, ZMQ_POLLIN, 0};
        timeout = timeout < S_LOOK_MS ? timeout : S_LOOK_MS; /* certificates may change */
    }
    if (self->log && !zc_history_full (self->flow.history)) { /* else it isn't run, either */
        long due = zc_sequencer_timeout (self->log);
        count += (int)zc_sequencer_pollitems (self->log, items + count);
        timeout = timeout < due ? timeout : (int)due;
    }
    zmq_poll (items, count, timeout < most ? timeout : most);
    s_gather (self, items);
    return (items[3].revents & ZMQ_POLLIN) != 0;
}

static bool s_busy (zc_broker_t *self)
{
    return zc_history_busy (self->flow.history) || zc_dialogue_busy (self->control) ||
           (self->log && !zc_sequencer_idle (self->log));
}

/*  Goes on with what is under way, and takes nothing in. */
static void s_finish (zc_broker_t *self, int most)
{
    s_wait (self, -1, false, most);
    s_read_clocks (self);
    s_settle (self);
}

/*  When stopping: receives for a moment the messages that are on their way here, and then gives
 *  history and slow readers some time. */
void zc_broker_drain (zc_broker_t *self)
{
    uint64_t begin = zc_mono_ms (), quiet = begin, handled = 0;
    do {
        bool more = s_turn (self);
        uint64_t now = self->flow.counters->received + self->flow.counters->errors;
        if (now != handled)
            quiet = self->flow.mono_ms;
        handled = now;
        s_wait (self, -1, true, more ? 0 : S_QUIET_MS / 4);
    } while (self->flow.mono_ms - quiet < S_QUIET_MS && self->flow.mono_ms - begin < S_LATE_MS);
    while (self->flow.mono_ms - begin < S_DRAIN_MS && s_busy (self))
        s_finish (self, S_QUIET_MS / 4);
}

/*  A publisher that is told that nothing more comes from here ends its connection, and connects
 *  again. So all that it has sent until then is received, and what it sends later is the
 *  successor's. */
bool zc_broker_pause (zc_broker_t *self)
{
    uint64_t begin = zc_mono_ms (), before;
    bool more;
    zc_endpoints_pause (self->endpoints, true);
    do {
        before = self->flow.counters->received;
        bool all = zc_intake_finish (ZC_INTAKE_PUBLISH) == 0;
        more = s_turn (self) || !all || self->flow.counters->received != before;
        if (more)
            s_wait (self, -1, true, S_NAP_MS);
    } while (more && self->flow.mono_ms - begin < S_LATE_MS);
    while (self->flow.mono_ms - begin < S_PAUSE_MS && s_busy (self))
        s_finish (self, S_NAP_MS);
    return !zc_history_busy (self->flow.history) && (!self->log || zc_sequencer_idle (self->log));
}

void zc_broker_resume (zc_broker_t *self)
{
    zc_endpoints_pause (self->endpoints, false);
}

void zc_broker_leave (zc_broker_t *self)
{
    self->flow.history->left = true;
    self->left = true;
    zc_endpoints_leave (self->endpoints);
}

int zc_broker_adopt (zc_broker_t *self, zc_intake_role_t role, const char *address, int fd)
{
    return zc_endpoints_adopt (self->endpoints, role, address, fd);
}

zc_flow_t *zc_broker_flow (zc_broker_t *self)
{
    return &self->flow;
}

void zc_broker_run (zc_broker_t *self, int fd, bool (*stop) (void *arg),
                    void (*became_ready) (void *arg), void *arg)
{
    bool stopping = false;
    while (!stopping) {
        bool behind = self->flow.behind, more = s_turn (self);
        if (behind && !self->flow.behind)
            became_ready (arg);
        if (s_wait (self, fd, true, more ? 0 : INT_MAX))
            stopping = stop (arg);
    }
}

/*  Sockets. */

static void s_set (void *socket, int option, int value)
{
    zmq_setsockopt (socket, option, &value, sizeof value);
}

/*  A socket with bounds: ZeroMQ's defaults are unlimited or off. */
static void *s_socket (zc_broker_t *self, int type, int hwm, int64_t max_frame)
{
    void *socket = zmq_socket (self->context, type);
    if (!socket)
        return NULL;
    zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &max_frame, sizeof max_frame);
    s_set (socket, ZMQ_SNDHWM, hwm);
    s_set (socket, ZMQ_RCVHWM, hwm);
    s_set (socket, ZMQ_HANDSHAKE_IVL, 5000);
    zc_keepalive (socket);
    zc_give_up_sending (socket, type == ZMQ_ROUTER ? S_TUNNEL_MS : S_GONE_MS);
    s_set (socket, ZMQ_BACKLOG, 1024);
    s_set (socket, ZMQ_LINGER, S_LINGER_MS);
    return socket;
}

static int s_open (zc_broker_t *self, char *error, size_t size)
{
    const zc_broker_config_t *config = &self->config;
    /*  A single frame may hold topic, space and payload; a FETCH, ten thousand topics. */
    int64_t message = (int64_t)config->max_payload + ZC_TOPIC_MAX + 1;
    int64_t topics = (int64_t)ZC_FRAME_SURE;
    if (message < ZC_HEADERS_MAX)
        message = ZC_HEADERS_MAX;
    self->xsub = s_socket (self, ZMQ_XSUB, config->publish_hwm, message);
    self->xpub = s_socket (self, ZMQ_XPUB, config->subscribe_hwm, S_SUBSCRIPTION_MAX);
    self->router =
        s_socket (self, ZMQ_ROUTER, config->control_hwm, message > topics ? message : topics);
    if (!self->xsub || !self->xpub || !self->router) {
        snprintf (error, size, "no ZeroMQ socket: %s", zmq_strerror (errno));
        return -1;
    }
    /*  Set before bind. Requests beyond this bound, when their peer goes, may make an assertion
     *  of ZeroMQ 4.3 fail (stream_engine_base.cpp, !_io_error), so the 200 requests of our own
     *  publishers must fit. */
    if (config->control_hwm < S_REQUESTS_HWM)
        s_set (self->router, ZMQ_RCVHWM, S_REQUESTS_HWM);
    s_set (self->xpub, ZMQ_XPUB_NODROP, 1);
    s_set (self->xpub, ZMQ_XPUB_VERBOSER, 1);
    s_set (self->router, ZMQ_ROUTER_MANDATORY, 1);
    zmq_send (self->xsub, "\1", 1, 0); /* history keeps messages that have no subscriber, too */
    zc_endpoints_t *all = self->endpoints = zc_endpoints_new (self->context, self->flow.counters);
    self->flow.gate = zc_gate_new (self->context, config->options, error, size);
    if (!self->flow.gate)
        return -1;
    if (zc_gate_protect (self->flow.gate, self->router, "control") != 0 ||
        zc_gate_protect (self->flow.gate, self->xpub, "subscribe") != 0 ||
        zc_gate_protect (self->flow.gate, self->xsub, "publish") != 0) {
        snprintf (error, size, "CURVE: %s", zmq_strerror (errno));
        return -1;
    }
    zc_endpoints_tell (all, ZC_INTAKE_SUBSCRIBE, self->flow.backlog);
    if (config->estate) {
        zc_endpoints_expect (all, self->router, ZC_INTAKE_CONTROL, config->control);
        zc_endpoints_expect (all, self->xpub, ZC_INTAKE_SUBSCRIBE, config->subscribe);
        zc_endpoints_expect (all, self->xsub, ZC_INTAKE_PUBLISH, config->publish);
        return 0;
    }
    if (zc_endpoints_bind (all, self->router, ZC_INTAKE_CONTROL, config->control, error, size) ||
        zc_endpoints_bind (all, self->xpub, ZC_INTAKE_SUBSCRIBE, config->subscribe, error, size) ||
        zc_endpoints_bind (all, self->xsub, ZC_INTAKE_PUBLISH, config->publish, error, size))
        return -1;
    return 0;
}

/*  The limits are well above all valid messages: a message that is a little too large is refused
 *  with a reason. */
static void s_limit_intake (const zc_broker_config_t *config)
{
    uint64_t message = config->max_payload + 2 * ZC_HEADERS_MAX;
    uint64_t topics = (uint64_t)ZC_TOPICS_MAX * (ZC_SELECTOR_MAX + 1);
    const zc_meter_limits_t publish = {S_FRAMES_MAX, message, 0};
    const zc_meter_limits_t control = {ZC_ASK_FRAMES + S_FRAMES_MAX,
                                       message > topics ? message : topics, 0};
    const zc_meter_limits_t subscribe = {S_FRAMES_MAX, S_FRAMES_MAX * S_SUBSCRIPTION_MAX,
                                         config->max_subscriptions};
    zc_intake_limit (ZC_INTAKE_PUBLISH, &publish);
    zc_intake_limit (ZC_INTAKE_CONTROL, &control);
    zc_intake_limit (ZC_INTAKE_SUBSCRIBE, &subscribe);
}

void zc_broker_configure (zc_broker_t *self, const zc_broker_config_t *config)
{
    self->flow.max_payload = config->max_payload;
    zc_backlog_set_max (self->flow.backlog, config->subscribe_bytes);
    self->config.limits = self->flow.history->limits = config->limits;
    self->config.dedup_window_ms = config->dedup_window_ms;
    self->config.dedup_max = config->dedup_max;
    zc_dedup_configure (self->flow.dedup, config->dedup_window_ms, config->dedup_max);
    if (self->flow.gate)
        zc_gate_configure (self->flow.gate, config->options);
    zc_topics_set_max (self->flow.topics, config->max_topics);
    s_limit_intake (config);
}

static void s_begin (zc_broker_t *self, const zc_estate_t *estate)
{
    self->flow.dedup = estate ? estate->dedup : zc_dedup_new ();
    self->flow.started_ms = estate ? estate->started_ms : self->flow.mono_ms;
    if (!estate)
        return;
    self->flow.head = estate->head;
    self->flow.dropped = estate->dropped;
}

zc_broker_t *zc_broker_new (const zc_broker_config_t *config, zc_history_t **history_p,
                            zc_topics_t **topics_p, zc_id_t last, char *error, size_t size)
{
    zc_broker_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->config = *config;
    self->flow.seen = s_seen;
    self->flow.publish = s_publish_for;
    self->flow.history = *history_p;
    self->flow.topics = *topics_p;
    *history_p = NULL;
    *topics_p = NULL;
    self->flow.last = self->flow.head = last;
    s_read_clocks (self);
    s_begin (self, config->estate);
    self->flow.stats = zc_stats_new (self->flow.mono_ms);
    self->flow.backlog =
        zc_backlog_new (config->subscribe_hwm, config->subscribe_bytes, zc_intake_sent);
    self->flow.counters = zc_stats_figures (self->flow.stats);
    self->flow.instructions = zc_instructions_new ();
    s_name_instructions (self);
    self->flow.history->settled = s_settled;
    self->flow.history->purged = s_purged;
    self->flow.history->arg = self;
    zmq_msg_init (&self->item.topic);
    zmq_msg_init (&self->item.payload);
    zmq_msg_init (&self->item.meta);
    zmq_msg_init (&self->headers);
    zc_broker_configure (self, config);
    self->context = zmq_ctx_new ();
    zmq_ctx_set (self->context, ZMQ_IO_THREADS, config->io_threads);
    const char *revocations = config->revocations;
    if (revocations &&
        zc_instructions_open (self->flow.instructions, revocations, error, size) != 0)
        zc_broker_destroy (&self);
    else if (s_open (self, error, size) != 0)
        zc_broker_destroy (&self);
    else
        self->control = zc_dialogue_new (&self->flow, self->router);
    if (self && config->log)
        s_use_log (self);
    return self;
}

static void s_close (zc_broker_t *self)
{
    zc_endpoints_destroy (&self->endpoints);
    void **sockets[] = {&self->xsub, &self->xpub, &self->router};
    for (size_t i = 0; i < 3; i++) {
        if (*sockets[i])
            zmq_close (*sockets[i]);
        *sockets[i] = NULL;
    }
}

void zc_broker_destroy (zc_broker_t **self_p)
{
    zc_broker_t *self = *self_p;
    if (!self)
        return;
    if (self->left)
        s_close (self);                       /* at once: peers are to connect to the successor */
    zc_history_destroy (&self->flow.history); /* settles the messages on their way */
    zc_sequencer_destroy (&self->config.log);
    zc_dialogue_destroy (&self->control);
    zc_topics_destroy (&self->flow.topics);
    zc_dedup_destroy (&self->flow.dedup);
    zc_stats_destroy (&self->flow.stats);
    zc_instructions_destroy (&self->flow.instructions);
    zmq_msg_close (&self->item.topic);
    zmq_msg_close (&self->item.payload);
    zmq_msg_close (&self->item.meta);
    zmq_msg_close (&self->headers);
    zc_buf_clear (&self->meta);
    s_close (self);
    zc_gate_destroy (&self->flow.gate);
    zc_backlog_destroy (&self->flow.backlog);
    zmq_ctx_term (self->context);
    free (self);
    *self_p = NULL;
}
