/*  subscriber.c - one SUB, one DEALER, and at most one request to the broker at a time.
 *
 *  While a request is under way, the SUB socket isn't read: messages wait in ZeroMQ, and if its
 *  queue overflows, `prev` shows that later. So this file has no queue of its own.
 *
 *  connected: asks SYNC, which shows that the subscriptions are live, and tells the last
 *  position of each topic. Then it asks TOPICS, which names the topics that match the prefixes
 *  and have new messages, so that a topic without further messages is found, too.
 *
 *  behind: a topic is behind if its last position, or the `prev` of its next message, is beyond
 *  the position up to which it is complete. FETCH gets pages for all such topics together, from
 *  the lowest position on. A page is kept until its END tells which messages before it are gone;
 *  that is told first.
 *
 *  live: reads messages. It hands over a message whose `prev` is complete, and skips a repeat. A
 *  message that tells of a drop waits for a SYNC, since the drop may be on any topic.
 *
 *  now and then: asks SYNC whether the broker has dropped messages, with none after them to show
 *  it. */
#include "lib/peer/subscriber.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/buf.h"
#include "lib/peer/control.h"
#include "lib/base/clock.h"
#include "lib/peer/monitor.h"
#include "lib/peer/places.h"
#include "lib/peer/redial.h"
#include "lib/order/losses.h"
#include "lib/order/order.h"
#include "lib/wire/line.h"

#define S_HWM 300         /* payloads may be large; messages that the broker drops are fetched */
#define S_ANSWER_MS 10000 /* for any answer but a page, while no byte moves */
#define S_UNSYNCED 2      /* SYNCs whose nonce didn't reach the broker; then SUB connects anew */
#define S_UNSYNCED_MOST 16
#define S_AGAIN_MS 200  /* after a request without an answer, or "not now" */
#define S_CHECK_MS 2000 /* between requests for the broker's last drop */
#define S_PAGE_MESSAGES 500
#define S_PAGE_BYTES 1048576
#define S_NONCE_SIZE 18 /* \x01, 16 digits, NUL */
#define S_BATCH 1000    /* messages read before the owner gets its turn */

typedef struct {
    char *name; /* owned; not NUL-terminated */
    size_t len;
    zc_order_t order;
    zc_id_t left_at; /* complete up to here on a line that has ended; or ZC_ID_NONE */
    bool paged;      /* it is in the FETCH under way, or in the page that is kept */
} s_topic_t;

struct zc_subscriber {
    zc_subscriber_config_t config;
    char *since; /* owned; NULL once it was fetched, or if there is none */
    void *socket;
    zc_places_t *places;
    zc_redial_t redial;
    zc_monitor_t *monitor;
    zc_control_t *control;
    s_topic_t *topics; /* sorted by name */
    size_t count, room;
    size_t behind;        /* topics that aren't LIVE */
    zc_slice_t *prefixes; /* owned, with their bytes */
    size_t prefix_count;

    zc_id_t base; /* a topic that was found later is complete up to here; ZC_ID_MAX: unknown */
    bool up, live, paused;
    bool mixed;         /* messages of the previous connection may be in the queue */
    zc_losses_t losses; /* with `reconcile`, SYNC is asked about all topics, */
    bool listing;       /* then TOPICS, for the prefixes from `listed` on */
    size_t listed;
    unsigned unsynced, unsynced_most; /* SYNCs in a row, and how many are tolerated */
    uint64_t request;                 /* the request under way; 0: none */
    bool paging;                      /* it is a FETCH */
    uint64_t not_before;              /* monotonic ms: no request before then */
    uint64_t check_at;                /* monotonic ms: when to ask for the last drop */
    char nonce[S_NONCE_SIZE];         /* subscribed to; empty: none */
    zc_id_t page_since;               /* FETCH: where the current page begins */
    zc_message_t **page;              /* its messages; owned, as is each one from page_at on */
    size_t page_count, page_room, page_at;
    bool page_ended; /* its END has come, with these: */
    zc_id_t page_upto;
    bool page_more;
    zc_line_t line; /* of the broker's positions, if it told */
    bool plain;     /* an older broker, which knows nothing of lines */
    bool anew;      /* all messages on the line `begun` come after the earlier ones */
    zc_line_t begun;
    zc_id_t synced;     /* the broker's head at the last SYNC */
    zc_id_t position;   /* all messages up to here, on all topics, have been handed over */
    zc_message_t *held; /* messages before this one are missing */
    zc_subscriber_stats_t stats;
};

static void s_set (void *socket, int option, int value)
{
    int rc = zmq_setsockopt (socket, option, &value, sizeof value);
    assert (rc == 0);
    (void)rc;
}

static int s_connect (zc_subscriber_t *self, void *context)
{
    self->places = zc_places_new (self->config.subscribe, self->config.control, zc_mono_ms ());
    if (!self->places) {
        errno = EINVAL;
        return -1;
    }
    self->control = zc_control_new (context, zc_places_control (self->places));
    if (!self->control)
        return -1;
    self->socket = zmq_socket (context, ZMQ_SUB);
    s_set (self->socket, ZMQ_LINGER, 0);
    /* no bound: beyond one, ZeroMQ would drop subscriptions in silence */
    s_set (self->socket, ZMQ_SNDHWM, 0);
    s_set (self->socket, ZMQ_RCVHWM, self->config.hwm ? self->config.hwm : S_HWM);
    s_set (self->socket, ZMQ_HANDSHAKE_IVL, 5000);
    s_set (self->socket, ZMQ_RECONNECT_IVL, 100);
    s_set (self->socket, ZMQ_RECONNECT_IVL_MAX, 2000);
    self->monitor = zc_monitor_new (context, self->socket);
    zc_give_up_sending (self->socket, ZC_SUB_UNANSWERED_MS);
    return zc_redial_connect (&self->redial, self->socket, zc_places_subscribe (self->places), 0);
}

zc_subscriber_t *zc_subscriber_new (void *context, const zc_subscriber_config_t *config)
{
    zc_subscriber_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->config = *config;
    self->unsynced_most = S_UNSYNCED;
    self->since = config->since ? strdup (config->since) : NULL;
    if (self->since && strcmp (self->since, "earliest") == 0)
        self->base = ZC_ID_NONE;
    else if (!self->since || zc_id_parse (self->since, strlen (self->since), &self->base) != 0)
        self->base = ZC_ID_MAX;
    self->position = self->base == ZC_ID_MAX ? ZC_ID_NONE : self->base;
    if (s_connect (self, context) != 0) {
        int error = errno;
        zc_subscriber_destroy (&self);
        errno = error;
    }
    return self;
}

static void s_clear_page (zc_subscriber_t *self)
{
    while (self->page_at < self->page_count)
        free (self->page[self->page_at++]);
    free (self->page);
    self->page = NULL;
    self->page_count = self->page_room = self->page_at = 0;
    self->page_ended = false;
}

void zc_subscriber_destroy (zc_subscriber_t **self_p)
{
    zc_subscriber_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->control)
        zc_control_reset (self->control);
    zc_control_destroy (&self->control);
    zc_monitor_destroy (&self->monitor);
    if (self->socket)
        zmq_close (self->socket);
    zc_redial_clear (&self->redial);
    zc_places_destroy (&self->places);
    for (size_t i = 0; i < self->count; i++)
        free (self->topics[i].name);
    for (size_t i = 0; i < self->prefix_count; i++)
        free ((char *)self->prefixes[i].at);
    free (self->topics);
    free (self->prefixes);
    s_clear_page (self);
    free (self->held);
    free (self->since);
    free (self);
}

/*  Receives one message; returns how many frames it has. Frames after the third are dropped. */
static size_t s_receive (zc_subscriber_t *self, zmq_msg_t frames[3])
{
    zmq_msg_t beyond;
    size_t count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t *frame = count < 3 ? &frames[count] : &beyond;
        zmq_msg_init (frame);
        int rc;
        do
            rc = zmq_msg_recv (frame, self->socket, ZMQ_DONTWAIT);
        while (rc < 0 && errno == EINTR);
        if (rc < 0)
            break;
        more = zmq_msg_more (frame);
        count++;
        if (frame == &beyond)
            zmq_msg_close (frame);
    }
    return count;
}

static void s_close (zmq_msg_t frames[3], size_t count)
{
    for (size_t i = 0; i < count && i < 3; i++)
        zmq_msg_close (&frames[i]);
}

/*  Topics -------------------------------------------------------------------------------------- */

static char *s_copy (zc_slice_t slice)
{
    char *copy = malloc (slice.len ? slice.len : 1);
    if (!copy)
        abort ();
    memcpy (copy, slice.at, slice.len);
    return copy;
}

static zc_slice_t s_name (const s_topic_t *topic)
{
    return (zc_slice_t){topic->name, topic->len};
}

static int s_compare (const s_topic_t *topic, zc_slice_t name)
{
    return zc_slice_compare (s_name (topic), name);
}

/*  The topic's index, or the index where it belongs. */
static size_t s_place (const zc_subscriber_t *self, zc_slice_t name)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s_compare (&self->topics[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static s_topic_t *s_find (const zc_subscriber_t *self, zc_slice_t name)
{
    size_t at = s_place (self, name);
    bool there = at < self->count && s_compare (&self->topics[at], name) == 0;
    return there ? &self->topics[at] : NULL;
}

/*  A topic is NEW until SYNC has told its last position. It also is NEW while history is fetched
 *  from a beginning that isn't a position on the topic: from `since`, or from the beginning of
 *  another line. */
static s_topic_t *s_insert (zc_subscriber_t *self, zc_slice_t name)
{
    size_t at = s_place (self, name);
    if (at < self->count && s_compare (&self->topics[at], name) == 0)
        return &self->topics[at];
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 16;
        self->topics = realloc (self->topics, self->room * sizeof *self->topics);
        if (!self->topics)
            abort ();
    }
    s_topic_t *topic = &self->topics[at];
    memmove (topic + 1, topic, (self->count - at) * sizeof *topic);
    self->count++;
    self->behind++;
    *topic = (s_topic_t){.name = s_copy (name), .len = name.len};
    return topic;
}

void zc_subscriber_add (zc_subscriber_t *self, zc_slice_t topic, bool prefix)
{
    if (prefix) {
        size_t size = (self->prefix_count + 1) * sizeof *self->prefixes;
        self->prefixes = realloc (self->prefixes, size);
        if (!self->prefixes)
            abort ();
        self->prefixes[self->prefix_count++] = (zc_slice_t){s_copy (topic), topic.len};
    } else {
        s_insert (self, topic);
    }
    zmq_setsockopt (self->socket, ZMQ_SUBSCRIBE, topic.at, topic.len);
}

static bool s_is_behind (const s_topic_t *topic)
{
    return topic->order.state != ZC_ORDER_LIVE;
}

/*  To be called after the order of a topic has changed. */
static void s_count (zc_subscriber_t *self, const s_topic_t *topic, bool was_behind)
{
    self->behind += s_is_behind (topic);
    self->behind -= was_behind;
}

/*  The broker says that the topic's last position was `last` when everything up to `head` had been
 *  published. */
static void s_set_last (zc_subscriber_t *self, s_topic_t *topic, zc_id_t last, zc_id_t head)
{
    bool was = s_is_behind (topic);
    zc_order_synced (&topic->order, last, head);
    s_count (self, topic, was);
}

/*  Adds a topic that matches a prefix; it is complete up to the base. Returns NULL if there are
 *  too many. */
static s_topic_t *s_learn (zc_subscriber_t *self, zc_slice_t name)
{
    if (self->count >= ZC_TOPICS_MAX)
        return NULL;
    s_topic_t *topic = s_insert (self, name);
    s_set_last (self, topic, self->base, self->base);
    return topic;
}

/*  Whether the topic matches a prefix. */
static bool s_is_prefixed (const zc_subscriber_t *self, zc_slice_t topic)
{
    for (size_t i = 0; i < self->prefix_count; i++)
        if (zc_slice_begins (topic, self->prefixes[i]))
            return true;
    return false;
}

/*  The topic of a message; if it matches a prefix, it is added. Returns NULL if nobody asked for
 *  it, or if it can't be added. */
static s_topic_t *s_topic_of (zc_subscriber_t *self, const zc_message_t *message, bool *wanted)
{
    s_topic_t *topic = s_find (self, message->topic);
    *wanted = topic || s_is_prefixed (self, message->topic);
    return topic || !*wanted ? topic : s_learn (self, message->topic);
}

static void s_list (const zc_subscriber_t *self, bool only_paged, zc_buf_t *list)
{
    for (size_t i = 0; i < self->count; i++) {
        const s_topic_t *topic = &self->topics[i];
        if (topic->paged || !only_paged)
            zc_ask_add_topic (list, s_name (topic));
    }
}

/*  Requests ------------------------------------------------------------------------------------ */

static zc_slice_t s_text (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static void s_later (zc_subscriber_t *self)
{
    self->not_before = zc_mono_ms () + S_AGAIN_MS;
}

/*  Whether the answer is a good one. If not, the request is repeated later, or the owner is told
 *  that this would be useless. */
static bool s_good (zc_subscriber_t *self, const zc_answer_t *answer)
{
    if (answer->kind == ZC_OK || answer->kind == ZC_END) {
        zc_places_good (self->places);
        return true;
    }
    s_later (self);
    if (zc_answer_is_error (answer, "behind"))
        zc_places_behind (self->places, zc_mono_ms ());
    if (zc_answer_is_error (answer, "line")) /* another broker is there; a SYNC will tell */
        zc_losses_suspect (&self->losses);
    else if (zc_answer_is_error (answer, "arguments") && !self->plain)
        self->plain = true;
    else if (answer->kind == ZC_ERR && !zc_answer_is_passing (answer))
        self->config.refused (self->config.arg, answer->code, answer->text);
    return false;
}

static void s_drop_nonce (zc_subscriber_t *self)
{
    if (self->nonce[0])
        zmq_setsockopt (self->socket, ZMQ_UNSUBSCRIBE, self->nonce, strlen (self->nonce));
    self->nonce[0] = 0;
}

static void s_ask (zc_subscriber_t *self, const zc_ask_t *ask, zc_control_fn answer)
{
    /* the speed of a page is that of the link */
    unsigned timeout_ms = self->paging ? 0 : S_ANSWER_MS;
    self->request = zc_control_request (self->control, ask, timeout_ms, answer, self);
    if (!self->request)
        s_later (self);
}

/*  `control` may be connected to the next broker already, while SUB isn't. */
static void s_checked (void *arg, const zc_answer_t *answer)
{
    zc_subscriber_t *self = arg;
    if (answer->more)
        return;
    self->request = 0;
    self->check_at = zc_mono_ms () + S_CHECK_MS;
    if (!s_good (self, answer))
        return;
    zc_line_t line = {""};
    zc_line_parse (&line, answer->line);
    if (zc_line_same (&self->line, &line)) {
        zc_losses_answer (&self->losses, answer->head, answer->dropped, NULL, 0);
        zc_losses_end_round (&self->losses);
    } else {
        zc_losses_suspect (&self->losses);
    }
}

/*  Asks for the broker's last drop. */
static void s_check (zc_subscriber_t *self)
{
    static const zc_ask_t ask = {.verb = ZC_SYNC};
    zc_losses_begin_round (&self->losses);
    s_ask (self, &ask, s_checked);
}

static void s_advance (zc_subscriber_t *self, zc_id_t position)
{
    if (position > self->position)
        self->position = position;
}

/*  Once nothing is missing, all messages that the broker had at the last SYNC have been handed
 *  over. */
static void s_settle (zc_subscriber_t *self)
{
    if (self->behind == 0)
        s_advance (self, self->synced);
}

static void s_state_gap (zc_subscriber_t *self, zc_slice_t topic, bool prefix, zc_id_t from,
                         zc_id_t to)
{
    self->stats.gaps++;
    if (self->config.gap)
        self->config.gap (self->config.arg, topic, prefix, from, to);
}

/*  A topic that is fetched from a beginning that isn't its own isn't complete up to any
 *  position. */
static void s_told_last (zc_subscriber_t *self, s_topic_t *topic, zc_id_t last)
{
    if (topic->order.state == ZC_ORDER_NEW && (self->since || self->anew))
        zc_order_need (&topic->order, last);
    else
        s_set_last (self, topic, last, self->synced);
}

/*  Returns false if the answer has too few positions. */
static bool s_take_lasts (zc_subscriber_t *self, const zc_answer_t *answer)
{
    zc_slice_t lasts = answer->lasts;
    zc_id_t last;
    zc_losses_answer (&self->losses, answer->head, answer->dropped, NULL, 0);
    for (size_t i = 0; i < self->count; i++) {
        if (!zc_lasts_next (&lasts, &last))
            return false;
        zc_losses_answer (&self->losses, answer->head, answer->dropped, &last, 1);
        s_told_last (self, &self->topics[i], last);
    }
    return true;
}

static void s_forget_since (zc_subscriber_t *self)
{
    free (self->since);
    self->since = NULL;
}

/*  All topics that are behind are known. */
static void s_reconciled (zc_subscriber_t *self)
{
    self->listing = false;
    if (self->prefix_count && self->synced > self->base)
        self->base = self->synced;
    if (self->behind == 0)
        s_forget_since (self);
    s_settle (self);
    zc_losses_end_round (&self->losses);
}

/*  Messages of the previous connection may be of another line, or beyond a broker that is late.
 *  SYNC tells of all messages up to them, so none is missed. */
static void s_drop_queue (zc_subscriber_t *self)
{
    zmq_msg_t frames[3];
    size_t count;
    while ((count = s_receive (self, frames)))
        s_close (frames, count);
    free (self->held);
    self->held = NULL;
    self->mixed = false;
}

static void s_state_prefixes (zc_subscriber_t *self, zc_id_t to)
{
    for (size_t i = 0; i < self->prefix_count; i++)
        s_state_gap (self, self->prefixes[i], true, self->base, to);
}

/*  The broker's positions are of another line, and some may be before positions that came
 *  already. All messages on the new line come after those. */
static void s_begin_anew (zc_subscriber_t *self, zc_id_t head)
{
    s_state_prefixes (self, head);
    for (size_t i = 0; i < self->count; i++) {
        s_topic_t *topic = &self->topics[i];
        if (topic->order.state != ZC_ORDER_NEW)
            topic->left_at = topic->order.complete;
        else if (topic->left_at == ZC_ID_NONE)
            topic->left_at = self->base;
        self->behind += !s_is_behind (topic);
        zc_order_begin_anew (&topic->order);
    }
    s_forget_since (self);
    self->position = self->base = ZC_ID_NONE;
    self->anew = true;
    self->begun = self->line;
    zc_losses_begin_anew (&self->losses, head);
    zc_losses_begin_round (&self->losses); /* with the answer that has told so */
}

/*  `since` is from the future: begins at the broker's position. */
static void s_begin_at_head (zc_subscriber_t *self, zc_id_t head)
{
    s_state_prefixes (self, head);
    for (size_t i = 0; i < self->count; i++) {
        s_topic_t *topic = &self->topics[i];
        if (!s_is_prefixed (self, s_name (topic)))
            s_state_gap (self, s_name (topic), false, self->base, head);
        s_set_last (self, topic, head, head);
    }
    s_forget_since (self);
    self->position = self->base = head;
}

static void s_tell (zc_subscriber_t *self, bool live)
{
    if (self->live == live)
        return;
    self->live = live;
    if (self->config.live)
        self->config.live (self->config.arg, live);
}

static void s_down (zc_subscriber_t *self)
{
    self->stats.losses += self->up;
    self->mixed |= self->up;
    self->up = false;
    zc_places_connected (self->places, false, zc_mono_ms ());
    s_tell (self, false);
}

/*  The broker hasn't seen our subscriptions. They may take their time. Or the connection has
 *  broken: ZeroMQ says so only once its queue has room again, and the queue isn't read while a
 *  request is under way. Or the connection is useless, like one that a proxy holds for a broker
 *  that is gone. */
static void s_unsynced (zc_subscriber_t *self)
{
    if (!zc_monitor_is_over (self->monitor) &&
        (zc_monitor_is_sending (self->monitor) || ++self->unsynced < self->unsynced_most))
        return;
    self->unsynced = 0;
    self->unsynced_most *= self->unsynced_most < S_UNSYNCED_MOST ? 2 : 1;
    s_down (self);
    zc_redial_now (&self->redial);
}

static void s_is_synced (zc_subscriber_t *self)
{
    self->unsynced = 0;
    self->unsynced_most = S_UNSYNCED;
}

static void s_take_synced (zc_subscriber_t *self, const zc_answer_t *answer)
{
    zc_id_t head = answer->head;
    zc_line_t line = {""};
    zc_line_parse (&line, answer->line);
    bool back = zc_losses_went_back (&self->line, self->losses.head, &line, head);
    self->line = line;
    if (self->base == ZC_ID_MAX)
        self->base = head;
    if (back)
        s_begin_anew (self, head);
    else if (self->base > head)
        s_begin_at_head (self, head);
    else if (self->since && self->base != ZC_ID_NONE && self->base < answer->doubt)
        s_state_prefixes (self, answer->doubt); /* FETCH tells this for topics */
    self->synced = head;
    self->check_at = zc_mono_ms () + S_CHECK_MS;
    if (!s_take_lasts (self, answer)) {
        self->stats.malformed++;
        zc_losses_failed (&self->losses);
        s_later (self);
        return;
    }
    self->listing = self->prefix_count > 0;
    self->listed = 0;
    if (!self->listing)
        s_reconciled (self);
}

static void s_synced (void *arg, const zc_answer_t *answer)
{
    zc_subscriber_t *self = arg;
    bool none = answer->kind == ZC_NO_ANSWER;
    if (answer->more)
        return;
    self->request = 0;
    s_drop_nonce (self);
    if (none ? zc_control_connected (self->control) : zc_answer_is_error (answer, "internal"))
        s_unsynced (self);
    else if (!none)
        s_is_synced (self);
    if (!s_good (self, answer)) {
        zc_losses_failed (&self->losses);
        return;
    }
    s_take_synced (self, answer);
}

static void s_take_listed (zc_subscriber_t *self, zc_slice_t name, zc_id_t last)
{
    s_topic_t *topic = s_find (self, name);
    if (!topic)
        topic = s_learn (self, name);
    if (topic)
        s_told_last (self, topic, last);
}

/*  Whether messages of this line may be gone between the two positions. */
static bool s_may_miss (const zc_subscriber_t *self, zc_id_t from, zc_id_t to)
{
    return to > from && (from != ZC_ID_NONE || !zc_line_follows (&self->begun, to));
}

/*  On topics that the broker has forgotten, or left out of a long list, messages may have been
 *  published up to this position. */
static void s_state_unlisted (zc_subscriber_t *self, zc_id_t upto, size_t end)
{
    if ((self->base == ZC_ID_NONE && !self->anew) || !s_may_miss (self, self->base, upto))
        return;
    for (size_t i = self->listed; i < end; i++)
        s_state_gap (self, self->prefixes[i], true, self->base, upto);
}

static size_t s_list_end (const zc_subscriber_t *self)
{
    size_t end = self->listed + ZC_PREFIXES_MAX;
    return end < self->prefix_count ? end : self->prefix_count;
}

static void s_listed (void *arg, const zc_answer_t *answer)
{
    zc_subscriber_t *self = arg;
    zc_id_t forgotten = answer->forgotten, last = ZC_ID_NONE;
    zc_slice_t list = answer->listed, name;
    size_t lines = 0, end = s_list_end (self);
    if (answer->more)
        return;
    self->request = 0;
    if (!s_good (self, answer))
        return;
    zc_losses_fetched (&self->losses, answer->head);
    for (; zc_listed_next (&list, &last, &name); lines++)
        s_take_listed (self, name, last);
    if (lines >= ZC_TOPICS_MAX && last > forgotten)
        forgotten = last;
    s_state_unlisted (self, forgotten, end);
    self->listed = end;
    if (end == self->prefix_count)
        s_reconciled (self);
}

/*  Asks which topics that match the prefixes have messages after the base. */
static void s_ask_topics (zc_subscriber_t *self)
{
    zc_ask_t ask = {.verb = ZC_TOPICS,
                    .since = self->base,
                    .frames = self->prefixes + self->listed,
                    .frame_count = s_list_end (self) - self->listed};
    s_ask (self, &ask, s_listed);
}

/*  After a reconnect ZeroMQ sends the subscriptions only when our thread next calls into the
 *  socket, which isn't polled while a request is under way. */
static void s_renew_subscriptions (zc_subscriber_t *self)
{
    int events;
    size_t size = sizeof events;
    zmq_getsockopt (self->socket, ZMQ_EVENTS, &events, &size);
}

/*  Asks for the last position of every topic, once all subscriptions are live. */
static void s_sync (zc_subscriber_t *self)
{
    if (self->mixed)
        s_drop_queue (self);
    s_renew_subscriptions (self);
    uint64_t random =
        (uint64_t)zc_random_between (0, UINT32_MAX) << 32 | zc_random_between (0, UINT32_MAX);
    snprintf (self->nonce, sizeof self->nonce, "\x01%016" PRIx64, random);
    zmq_setsockopt (self->socket, ZMQ_SUBSCRIBE, self->nonce, strlen (self->nonce));
    zc_buf_t list = ZC_BUF_INIT;
    s_list (self, false, &list);
    bool known = zc_line_known (&self->line);
    zc_ask_t ask = {.verb = ZC_SYNC,
                    .nonce = s_text (self->nonce + 1),
                    .list = {zc_buf_str (&list), list.len},
                    .line = known ? zc_line_slice (&self->line) : s_text ("?"),
                    .have = known ? self->losses.head : ZC_ID_NONE};
    if (self->plain)
        ask.line.len = 0;
    zc_losses_begin_round (&self->losses);
    s_ask (self, &ask, s_synced);
    if (!self->request) {
        s_drop_nonce (self);
        zc_losses_failed (&self->losses);
    }
    zc_buf_clear (&list);
}

static void s_deliver (zc_subscriber_t *self, const zc_message_t *message)
{
    self->stats.received++;
    self->config.message (self->config.arg, message);
}

static void s_fetched_part (zc_subscriber_t *self, const zc_answer_t *answer)
{
    if (answer->kind != ZC_MSG || !s_find (self, answer->message.topic)) {
        self->stats.malformed++;
        return;
    }
    if (self->page_count == self->page_room) {
        self->page_room = self->page_room ? self->page_room * 2 : 16;
        self->page = realloc (self->page, self->page_room * sizeof *self->page);
        if (!self->page)
            abort ();
    }
    self->page[self->page_count++] = zc_message_copy (&answer->message);
}

/*  Tells the messages that are gone between the known part of a topic, or the beginning of this
 *  page, and the floor. */
static void s_state_gaps (zc_subscriber_t *self, zc_id_t floor)
{
    for (size_t i = 0; i < self->count; i++) {
        s_topic_t *topic = &self->topics[i];
        bool new = topic->order.state == ZC_ORDER_NEW;
        zc_id_t from = new ? self->page_since : zc_order_known (&topic->order);
        zc_id_t to = floor > self->page_since ? floor : self->page_since;
        if (!topic->paged)
            continue;
        if (topic->left_at)
            s_state_gap (self, s_name (topic), false, topic->left_at, to);
        else if (s_may_miss (self, from, to))
            s_state_gap (self, s_name (topic), false, from, to);
        topic->left_at = ZC_ID_NONE;
    }
}

static void s_end_of_page (zc_subscriber_t *self, const zc_answer_t *end)
{
    if (self->since && strcmp (self->since, "earliest") == 0)
        self->page_since = end->floor; /* all messages that there are were asked for */
    else if (self->since && !end->unknown)
        self->page_since = end->since;
    s_state_gaps (self, end->floor);
    s_forget_since (self);
    zc_losses_fetched (&self->losses, end->head);
    self->page_ended = true;
    self->page_more = end->remaining > 0;
    /*  The floor is that of all topics: some topics may have messages below it. */
    self->page_upto = self->page_more || end->head > end->floor ? end->head : end->floor;
}

/*  Hands over a page that is complete, as far as the owner takes it. */
static void s_hand_over (zc_subscriber_t *self)
{
    if (!self->page_ended)
        return;
    while (self->page_at < self->page_count && !self->paused) {
        zc_message_t *message = self->page[self->page_at++];
        s_topic_t *topic = s_find (self, message->topic);
        /* Messages published since SYNC, on other topics, too, are still to come. */
        s_advance (self, message->id < self->synced ? message->id : self->synced);
        if (zc_order_fetched (&topic->order, message->id)) {
            self->stats.fetched++;
            s_deliver (self, message);
        }
        free (message);
    }
    if (self->page_at < self->page_count)
        return;
    for (size_t i = 0; i < self->count; i++) {
        s_topic_t *topic = &self->topics[i];
        bool was = s_is_behind (topic);
        if (!topic->paged)
            continue;
        zc_order_reached (&topic->order, self->page_upto);
        s_count (self, topic, was);
        if (s_is_behind (topic) && !self->page_more)
            s_later (self); /* the broker delivered a message that history doesn't have yet */
    }
    s_clear_page (self);
    s_settle (self);
}

static void s_fetched (void *arg, const zc_answer_t *answer)
{
    zc_subscriber_t *self = arg;
    if (answer->more) {
        s_fetched_part (self, answer);
        return;
    }
    self->request = 0;
    self->paging = false;
    if (s_good (self, answer))
        s_end_of_page (self, answer);
    if (!self->page_ended)
        s_clear_page (self);
}

static void s_fetch (zc_subscriber_t *self)
{
    self->page_since = self->since ? ZC_ID_NONE : ZC_ID_MAX;
    for (size_t i = 0; i < self->count; i++) {
        s_topic_t *topic = &self->topics[i];
        topic->paged = s_is_behind (topic);
        if (topic->paged && topic->order.complete < self->page_since)
            self->page_since = topic->order.complete;
    }
    zc_buf_t list = ZC_BUF_INIT;
    s_list (self, true, &list);
    zc_ask_t ask = {.verb = ZC_FETCH,
                    .since = self->page_since,
                    .since_text = s_text (self->since ? self->since : ""),
                    .count = S_PAGE_MESSAGES,
                    .bytes = S_PAGE_BYTES,
                    .list = {zc_buf_str (&list), list.len},
                    .line = self->since ? s_text ("") : zc_line_slice (&self->line)};
    if (self->plain)
        ask.line.len = 0;
    self->paging = true;
    s_ask (self, &ask, s_fetched);
    self->paging = self->request != 0;
    zc_buf_clear (&list);
}

/*  Live messages ------------------------------------------------------------------------------- */

/*  Hands over a message, skips it, or notes the reason to wait: a hole before it, or a possible
 *  loss on any topic. Returns true if it is finished with the message. */
static bool s_take (zc_subscriber_t *self, const zc_message_t *message)
{
    bool wanted;
    s_topic_t *topic = s_topic_of (self, message, &wanted);
    if (!wanted)
        return true;
    if (self->losses.suspect)
        return false;
    zc_order_step_t step = ZC_ORDER_NEXT;
    if (topic)
        step = zc_order_message (&topic->order, message->id, message->prev);
    if (step == ZC_ORDER_HOLE) {
        self->stats.holes += message != self->held;
        s_count (self, topic, false);
        return false;
    }
    s_advance (self, message->id);
    if (step == ZC_ORDER_REPEAT) {
        self->stats.duplicates++;
        return true;
    }
    if (topic)
        zc_order_took (&topic->order, message->id);
    s_deliver (self, message);
    return true;
}

static void s_take_held (zc_subscriber_t *self)
{
    if (s_take (self, self->held)) {
        free (self->held);
        self->held = NULL;
        return;
    }
    /*  The broker delivers a message before it can be fetched. */
    s_later (self);
}

static void s_read_monitor (zc_subscriber_t *self);

static void s_take_frames (zc_subscriber_t *self, zmq_msg_t *frames, size_t count)
{
    zc_slice_t slices[3];
    for (size_t i = 0; i < 3; i++)
        slices[i] = i < count ? (zc_slice_t){zmq_msg_data (&frames[i]), zmq_msg_size (&frames[i])}
                              : (zc_slice_t){"", 0};
    zc_message_t message;
    if (count != 3 || zc_delivery_parse (&message, slices[0], slices[1], slices[2]) != 0) {
        self->stats.malformed++;
        return;
    }
    if (self->losses.reconcile) /* this is another connection: SYNC tells about it */
        return;
    zc_losses_message (&self->losses, &message);
    if (!s_take (self, &message))
        self->held = zc_message_copy (&message);
}

/*  Reads one message. Returns false if there is none. */
static bool s_read (zc_subscriber_t *self)
{
    zmq_msg_t frames[3];
    size_t count = s_receive (self, frames);
    if (count) {
        /*  It must be known whether the broker is still the same before a message of the next
         *  one is read. */
        s_read_monitor (self);
        s_take_frames (self, frames, count);
    }
    s_close (frames, count);
    return count > 0;
}

/*  The owner's loop ---------------------------------------------------------------------------- */

static void s_forget_question (zc_subscriber_t *self)
{
    zc_control_reset (self->control);
    self->request = 0;
}

static void s_read_monitor (zc_subscriber_t *self)
{
    zc_monitor_event_t event;
    while ((event = zc_redial_event (&self->redial, self->monitor)) != ZC_MONITOR_NOTHING) {
        if (event == ZC_MONITOR_UP) {
            self->up = true;
            self->plain = false;
            zc_places_connected (self->places, true, zc_mono_ms ());
            zc_losses_suspect (&self->losses);
        } else {
            if (self->up)
                zc_redial_good (&self->redial);
            if (!self->paging) /* a page is as good as before */
                s_forget_question (self);
            s_drop_nonce (self);
            s_down (self);
        }
    }
}

/*  Several brokers ------------------------------------------------------------------------------
 */

static void s_heard (void *arg, const zc_answer_t *answer)
{
    zc_subscriber_t *self = arg;
    (void)answer;
    zc_places_heard (self->places);
}

/*  To all else in this file it is a connection that breaks, and comes back. */
static void s_move (zc_subscriber_t *self)
{
    s_forget_question (self);
    self->paging = false;
    if (!self->page_ended)
        s_clear_page (self);
    s_drop_nonce (self);
    s_down (self);
    zc_places_move (self->places, zc_mono_ms ());
    zc_redial_move (&self->redial, zc_places_subscribe (self->places));
    zc_control_move (self->control, zc_places_control (self->places));
}

/*  A broker that is of no use is left for the next one. While paused, no answer is read. */
static void s_look_at_place (zc_subscriber_t *self)
{
    static const zc_ask_t ping = {.verb = ZC_PING};
    uint64_t now = zc_mono_ms ();
    if (!zc_places_several (self->places))
        return;
    if (self->paused) {
        zc_places_heard (self->places);
        return;
    }
    zc_places_moved (self->places, zc_control_moved_ms (self->control));
    if (zc_places_leaves (self->places, now))
        s_move (self);
    else if (zc_places_asks (self->places, now))
        zc_control_request (self->control, &ping, S_ANSWER_MS, s_heard, self);
}

/*  Makes the next request that is due. Returns false if there is none, and messages may flow. */
static bool s_question (zc_subscriber_t *self)
{
    if (self->request || !self->up || zc_mono_ms () < self->not_before)
        return true;
    if (self->losses.reconcile)
        s_sync (self);
    else if (self->listing)
        s_ask_topics (self);
    else if (self->behind)
        s_fetch (self);
    else if (zc_mono_ms () >= self->check_at)
        s_check (self);
    else
        return false;
    return true;
}

void zc_subscriber_run (zc_subscriber_t *self)
{
    s_read_monitor (self);
    if (!self->up)
        zc_redial_try (&self->redial);
    while (!self->paused && zc_control_read (self->control, 100) > 0)
        ;
    s_look_at_place (self);
    s_hand_over (self);
    for (int i = 0; i < S_BATCH && !self->paused && !s_question (self); i++) {
        s_tell (self, true);
        if (self->held)
            s_take_held (self);
        else if (!s_read (self))
            break;
    }
}

void zc_subscriber_pause (zc_subscriber_t *self, bool pause)
{
    self->paused = pause;
}

const char *zc_subscriber_place (const zc_subscriber_t *self)
{
    return zc_places_subscribe (self->places);
}

bool zc_subscriber_is_connected (const zc_subscriber_t *self)
{
    return self->up;
}

uint64_t zc_subscriber_moved_ms (const zc_subscriber_t *self)
{
    return zc_control_moved_ms (self->control);
}

const zc_subscriber_stats_t *zc_subscriber_stats (const zc_subscriber_t *self)
{
    return &self->stats;
}

zc_id_t zc_subscriber_position (const zc_subscriber_t *self)
{
    return self->position;
}

zc_slice_t zc_subscriber_line (const zc_subscriber_t *self)
{
    return zc_line_known (&self->line) ? zc_line_slice (&self->line) : s_text ("");
}

static long s_until (uint64_t when_ms)
{
    uint64_t now = zc_mono_ms ();
    return when_ms > now ? (long)(when_ms - now) : 0;
}

size_t zc_subscriber_pollitems (zc_subscriber_t *self, zmq_pollitem_t items[4])
{
    size_t count = 0;
    items[count++] = (zmq_pollitem_t){zc_monitor_socket (self->monitor), 0, ZMQ_POLLIN, 0};
    if (!self->paused)
        count += zc_control_pollitems (self->control, items + count);
    bool waits = self->request || !self->up || zc_mono_ms () < self->not_before;
    if (!self->paused && !waits)
        items[count++] = (zmq_pollitem_t){self->socket, 0, ZMQ_POLLIN, 0};
    return count;
}

static long s_timeout (const zc_subscriber_t *self)
{
    if (self->page_ended)
        return 0;
    if (self->request)
        return zc_control_timeout (self->control);
    if (!self->up)
        return zc_redial_timeout (&self->redial);
    if (zc_mono_ms () < self->not_before)
        return s_until (self->not_before);
    return self->held || self->losses.reconcile || self->listing || self->behind
               ? 0
               : s_until (self->check_at);
}

long zc_subscriber_timeout (const zc_subscriber_t *self)
{
    if (self->paused)
        return -1;
    long wait = s_timeout (self);
    bool looks = zc_places_several (self->places);
    return looks && (wait < 0 || wait > ZC_PLACES_LOOK_MS / 2) ? ZC_PLACES_LOOK_MS / 2 : wait;
}
