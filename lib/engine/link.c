/*  link.c - SUB and control sockets on libuv.
 *
 *  Pages of history have a control connection of their own: over a narrow link one page takes
 *  seconds, and the answers that say whether live messages are complete must not wait behind it.
 *  The number of pages under way follows from how long pages take.
 *
 *  ZMQ_FD is edge-triggered, and every call on a socket may use the edge up. So all sockets are
 *  drained whenever one of the descriptors wakes us, and once more after anything was sent.
 *
 *  The link must know of a reconnect before it handles the first message that came after it.
 *  libzmq emits the monitor's event before it lets such a message through, so the monitor is
 *  read after a batch of messages was taken off the socket and before the batch is handled. */
#include "lib/engine/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <zmq.h>

#include "lib/base/log.h"
#include "lib/peer/context.h"
#include "lib/peer/monitor.h"
#include "lib/peer/places.h"
#include "lib/peer/redial.h"

#define S_BATCH 256          /* messages taken at once */
#define S_BATCHES 4          /* batches before the loop turns to other events */
#define S_TIMEOUT_MS 10000   /* for an answer on control, while no byte moves there */
#define S_RETRY_MS 1000      /* after a failed question, */
#define S_BEHIND_MS 150      /* and after the answer of one of several brokers that it is behind */
#define S_ALONE_MS 2000      /* without a broker since the start, before that is logged */
#define S_PAGE_MESSAGES 1000 /* in the answer to one FETCH */
#define S_PAGE_BYTES 262144
/*  Pages under way. The number grows while pages come quickly, up to the number that the broker
 *  serves by turns without each only taking longer. It shrinks while pages come slowly, so that
 *  a repair soon has its turn. */
#define S_PAGES_FIRST 4
#define S_PAGES_MOST 64
#define S_PAGE_QUICK_MS 1000
#define S_PAGE_SLOW_MS 3000
#define S_UNSYNCED 2 /* SYNCs whose nonce didn't reach the broker; then SUB connects anew */

#define S_POLLS 8

typedef struct s_question {
    zc_link_t *link;
    LIST_ENTRY (s_question) entry; /* in the link's list */
    zc_control_t *control;         /* which it was sent on */
    uint64_t token, request;
    uint64_t asked_ms; /* of the loop's clock */
    bool failed;       /* the hub is told at the next retry */
    char nonce[40];    /* subscribed to for a SYNC; "": none */
} s_question_t;

struct zc_link {
    uv_loop_t *loop;          /* borrowed */
    zc_redial_t redial;       /* of SUB */
    void *context, *sub;      /* owned */
    zc_monitor_t *monitor;    /* of SUB; owned */
    zc_places_t *places;      /* owned */
    zc_control_t *control;    /* owned */
    zc_control_t *pages;      /* for FETCH; owned */
    zc_control_t *posts;      /* for PUBLISH; owned; NULL until there is one */
    uv_poll_t polls[S_POLLS]; /* SUB, its monitor, and two of each control */
    size_t poll_count;
    uv_idle_t again; /* active if there is more than one turn of the loop should handle */
    uv_timer_t retry;
    zc_hub_t *hub;                      /* borrowed */
    zc_pump_t *pump;                    /* borrowed */
    LIST_HEAD (, s_question) questions; /* owned */
    zc_upstream_t upstream;
    zmq_msg_t batch[S_BATCH][3];
    unsigned frames[S_BATCH]; /* of each message in batch; 0: too many */
    bool listening;           /* polls[0] is on */
    bool connected;
    bool leave; /* SUB's connection is to be given up */
    bool ever_connected, said_alone;
    uint64_t started_ms;    /* of the loop's clock */
    uint64_t synced_ms;     /* when a SYNC was last answered; at first, when the link was made */
    unsigned pages_allowed; /* under way */
    uint64_t paced_ms;      /* when pages last took too long */
    unsigned unsynced, unsynced_most;
    char prefix[20]; /* of nonces: random, so that no two workers share one */
    uint64_t nonces;
    int open_handles;
    uint64_t malformed;
    size_t max_payload; /* what the broker accepts; SIZE_MAX: unknown */
    size_t kept;        /* messages of `batch` that wait until the hub listens */
    bool plain;         /* an older broker, which knows nothing of lines */
    bool asks_limits;   /* the broker is to be asked for its limits */
    bool closing;
    zc_log_limit_t limit;
};

static void s_again (uv_idle_t *idle);
static void s_drop_messages (zc_link_t *self);
static void s_poll (uv_poll_t *poll, int status, int events);

static void s_want_again (zc_link_t *self)
{
    uv_idle_start (&self->again, s_again);
}

/*  Requests. */

static s_question_t *s_question_new (zc_link_t *self, zc_control_t *control, uint64_t token)
{
    s_question_t *question = calloc (1, sizeof *question);
    if (!question)
        abort ();
    question->link = self;
    question->control = control;
    question->token = token;
    question->asked_ms = uv_now (self->loop);
    LIST_INSERT_HEAD (&self->questions, question, entry);
    return question;
}

static void s_question_end (s_question_t *question)
{
    zc_link_t *self = question->link;
    if (*question->nonce)
        zmq_setsockopt (self->sub, ZMQ_UNSUBSCRIBE, question->nonce, strlen (question->nonce));
    zc_control_cancel (question->control, question->request);
    LIST_REMOVE (question, entry);
    free (question);
}

static void s_lost (zc_link_t *self)
{
    while (!LIST_EMPTY (&self->questions))
        s_question_end (LIST_FIRST (&self->questions));
    if (self->hub)
        zc_hub_disconnected (self->hub);
}

/*  The hub repeats its request: after a while, and not from inside its own call. */
static void s_retry (uv_timer_t *timer)
{
    zc_link_t *self = timer->data;
    s_question_t *next;
    for (s_question_t *question = LIST_FIRST (&self->questions); question; question = next) {
        next = LIST_NEXT (question, entry);
        if (!question->failed)
            continue;
        uint64_t token = question->token;
        s_question_end (question);
        zc_hub_failed (self->hub, token);
    }
    zc_pump_kick (self->pump);
    s_want_again (self);
}

static void s_fail_for (s_question_t *question, unsigned ms)
{
    zc_link_t *self = question->link;
    question->failed = true;
    if (!uv_is_active ((uv_handle_t *)&self->retry))
        uv_timer_start (&self->retry, s_retry, ms, 0);
}

static void s_fail (s_question_t *question)
{
    s_fail_for (question, S_RETRY_MS);
}

/*  There was no answer, or it is an error. */
static void s_failed (s_question_t *question, const char *what, const zc_answer_t *answer)
{
    zc_link_t *self = question->link;
    if (answer->kind != ZC_NO_ANSWER)
        zc_log_limited (&self->limit, ZC_LOG_WARN,
                        ZC_EVENT ("request.failed request code error", "broker: %s: %.*s: %.*s"),
                        what, (int)answer->code.len, answer->code.at, (int)answer->text.len,
                        answer->text.at);
    else
        zc_log_limited (&self->limit, ZC_LOG_WARN,
                        ZC_EVENT ("request.failed request", "broker: %s: no answer; asking again"),
                        what);
    s_fail (question);
}

/*  To be called after anything that may have brought bytes for clients. */
static void s_make_room (zc_link_t *self)
{
    if (zc_hub_full (self->hub))
        zc_pump_kick (self->pump);
}

/*  The positions of a SYNC's answer. Caller frees *lasts. */
static size_t s_lasts (zc_slice_t list, zc_id_t **lasts)
{
    size_t room = 1, count = 0;
    for (size_t i = 0; i < list.len; i++)
        room += list.at[i] == '\n';
    *lasts = malloc (room * sizeof **lasts);
    if (!*lasts)
        abort ();
    while (zc_lasts_next (&list, &(*lasts)[count]))
        count++;
    return count;
}

/*  Our subscriptions don't reach the broker. They may take their time; but the connection may
 *  also be useless, like one that a proxy holds for a broker that is gone. Each time that this
 *  was wrong, more is tolerated the next time. */
static void s_unsynced (zc_link_t *self)
{
    if (!zc_monitor_is_over (self->monitor) &&
        (zc_monitor_is_sending (self->monitor) || ++self->unsynced < self->unsynced_most))
        return;
    zc_log_limited (&self->limit, ZC_LOG_WARN,
                    ZC_EVENT ("subscriptions.lost broker",
                              "broker: subscriptions don't reach it; connecting to %s again"),
                    self->redial.endpoint);
    self->unsynced = 0;
    self->unsynced_most *= self->unsynced_most < S_UNSYNCED * 8 ? 2 : 1;
    self->leave = true;
}

static void s_sync_answer (void *arg, const zc_answer_t *answer)
{
    s_question_t *question = arg;
    zc_link_t *self = question->link;
    uint64_t token = question->token;
    if (answer->more) {
        self->malformed++;
    } else if (answer->kind == ZC_OK) {
        zc_id_t *lasts;
        size_t count = s_lasts (answer->lasts, &lasts);
        if (*question->nonce) {
            self->unsynced = 0;
            self->unsynced_most = S_UNSYNCED;
        }
        self->synced_ms = uv_now (self->loop);
        zc_places_good (self->places);
        s_question_end (question);
        zc_mark_t doubt = {{""}, answer->doubt};
        zc_line_parse (&doubt.line, answer->line);
        if (zc_hub_synced (self->hub, token, &doubt, answer->head, answer->dropped, lasts, count))
            s_drop_messages (self);
        free (lasts);
        s_make_room (self);
    } else if (zc_answer_is_error (answer, "behind") && zc_places_several (self->places)) {
        zc_places_behind (self->places, uv_now (self->loop));
        s_fail_for (question, S_BEHIND_MS);
    } else {
        self->plain |= zc_answer_is_error (answer, "arguments");
        bool silent = answer->kind == ZC_NO_ANSWER && zc_control_connected (self->control);
        if (*question->nonce && (silent || zc_answer_is_error (answer, "internal")))
            s_unsynced (self);
        s_failed (question, "SYNC", answer);
    }
}

static void s_sync (void *arg, uint64_t token, const char *topics, size_t len,
                    const zc_mark_t *have)
{
    zc_link_t *self = arg;
    s_question_t *question = s_question_new (self, self->control, token);
    if (len) {
        snprintf (question->nonce, sizeof question->nonce, "\x01%s%llx", self->prefix,
                  (unsigned long long)++self->nonces);
        zmq_setsockopt (self->sub, ZMQ_SUBSCRIBE, question->nonce, strlen (question->nonce));
    }
    const char *nonce = *question->nonce ? question->nonce + 1 : "";
    bool known = zc_line_known (&have->line);
    zc_ask_t ask = {.verb = ZC_SYNC,
                    .nonce = {nonce, strlen (nonce)},
                    .list = {topics, len},
                    .line = known ? zc_line_slice (&have->line) : (zc_slice_t){"?", 1},
                    .have = known ? have->position : ZC_ID_NONE};
    if (self->plain)
        ask.line.len = 0;
    s_want_again (self);
    question->request =
        zc_control_request (self->control, &ask, S_TIMEOUT_MS, s_sync_answer, question);
    if (!question->request)
        s_fail (question); /* the queue is full: like a request without an answer */
}

/*  The number of pages under way follows from how long pages take. Of the pages that were under
 *  way when they were too many, only the first counts. */

static void s_slow_down (zc_link_t *self, uint64_t asked_ms)
{
    if (asked_ms < self->paced_ms)
        return;
    self->pages_allowed = (self->pages_allowed + 1) / 2;
    self->paced_ms = uv_now (self->loop);
    zc_hub_allow_fetches (self->hub, self->pages_allowed);
}

static void s_pace (zc_link_t *self, uint64_t asked_ms)
{
    uint64_t took = uv_now (self->loop) - asked_ms;
    if (took >= S_PAGE_SLOW_MS)
        s_slow_down (self, asked_ms);
    else if (took < S_PAGE_QUICK_MS && self->pages_allowed < S_PAGES_MOST)
        zc_hub_allow_fetches (self->hub, ++self->pages_allowed);
}

static void s_page_answer (void *arg, const zc_answer_t *answer)
{
    s_question_t *question = arg;
    zc_link_t *self = question->link;
    uint64_t token = question->token;
    if (answer->kind == ZC_MSG) {
        zc_hub_fetched_message (self->hub, token, &answer->message);
    } else if (answer->more) {
        self->malformed++;
    } else if (answer->kind == ZC_END) {
        s_pace (self, question->asked_ms);
        s_question_end (question);
        zc_hub_fetched (self->hub, token, answer->head, answer->floor, answer->since,
                        answer->unknown, answer->remaining, answer->plain == 1);
        s_make_room (self);
    } else {
        s_slow_down (self, question->asked_ms);
        s_failed (question, "FETCH", answer);
    }
}

static void s_fetch (void *arg, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                     const zc_line_t *line)
{
    zc_link_t *self = arg;
    s_question_t *question = s_question_new (self, self->pages, token);
    zc_ask_t ask = {.verb = ZC_FETCH,
                    .since_text = since,
                    .count = S_PAGE_MESSAGES,
                    .bytes = S_PAGE_BYTES,
                    .list = {topics, len},
                    .line = zc_line_slice (line)};
    if (self->plain)
        ask.line.len = 0;
    s_want_again (self);
    question->request = zc_control_request (self->pages, &ask, 0, s_page_answer, question);
    if (!question->request)
        s_fail (question);
}

static void s_list_answer (void *arg, const zc_answer_t *answer)
{
    s_question_t *question = arg;
    zc_link_t *self = question->link;
    uint64_t token = question->token;
    if (answer->more) {
        self->malformed++;
    } else if (answer->kind == ZC_OK) {
        s_question_end (question);
        zc_hub_listed (self->hub, token, answer->head, answer->forgotten, answer->listed);
        s_make_room (self);
    } else {
        s_failed (question, "TOPICS", answer);
    }
}

static void s_list (void *arg, uint64_t token, zc_id_t since, const zc_slice_t *prefixes,
                    size_t count)
{
    zc_link_t *self = arg;
    s_question_t *question = s_question_new (self, self->control, token);
    zc_ask_t ask = {.verb = ZC_TOPICS, .since = since, .frames = prefixes, .frame_count = count};
    s_want_again (self);
    question->request =
        zc_control_request (self->control, &ask, S_TIMEOUT_MS, s_list_answer, question);
    if (!question->request)
        s_fail (question);
}

static void s_subscribe (void *arg, const char *topic, size_t len)
{
    zc_link_t *self = arg;
    zmq_setsockopt (self->sub, ZMQ_SUBSCRIBE, topic, len);
    s_want_again (self);
}

static void s_unsubscribe (void *arg, const char *topic, size_t len)
{
    zc_link_t *self = arg;
    zmq_setsockopt (self->sub, ZMQ_UNSUBSCRIBE, topic, len);
    s_want_again (self);
}

/*  The broker's limits. */

static void s_limits (void *arg, const zc_answer_t *answer)
{
    zc_link_t *self = arg;
    int rc = zc_answer_limits (answer, &self->max_payload);
    if (rc == 0 && self->posts)
        zc_control_allow (self->posts, self->max_payload);
    self->asks_limits = rc < 0; /* it is asked again with the next tick */
}

static void s_ask_limits (zc_link_t *self)
{
    static const zc_ask_t ask = {.verb = ZC_LIMITS};
    self->max_payload = SIZE_MAX;
    self->asks_limits = zc_control_request (self->control, &ask, S_TIMEOUT_MS, s_limits, self) == 0;
}

/*  The monitor. */

static void s_set_connected (zc_link_t *self, bool connected)
{
    zc_places_connected (self->places, connected, uv_now (self->loop));
    if (self->connected && !connected) {
        zc_warn (ZC_EVENT ("broker.lost", "broker: connection lost; clients are kept, retrying"));
        zc_redial_good (&self->redial);
        s_lost (self);
    } else if (!self->connected && connected) {
        zc_info (ZC_EVENT ("broker.connected -", "broker: %s"),
                 self->ever_connected ? "connected again" : "connected");
        self->ever_connected = true;
        self->connected = true;
        self->plain = false;
        zc_hub_connected (self->hub);
        s_ask_limits (self);
    }
    self->connected = connected;
}

/*  To the hub this is a connection that breaks, and comes back. */
static void s_move (zc_link_t *self)
{
    const char *before = self->redial.endpoint;
    s_set_connected (self, false);
    zc_places_move (self->places, uv_now (self->loop));
    zc_warn (ZC_EVENT ("broker.left from endpoint",
                       "broker: %s is gone, silent or behind; going on at %s"),
             before, zc_places_subscribe (self->places));
    zc_redial_move (&self->redial, zc_places_subscribe (self->places));
    zc_control_t *controls[] = {self->control, self->pages, self->posts};
    for (size_t i = 0; i < 3; i++)
        if (controls[i])
            zc_control_move (controls[i], zc_places_control (self->places));
}

static void s_sign_of_life (void *arg, const zc_answer_t *answer)
{
    zc_link_t *self = arg;
    (void)answer;
    zc_places_heard (self->places);
}

/*  Among several brokers, one that is of no use is left. */
static void s_look_at_place (zc_link_t *self)
{
    static const zc_ask_t ask = {.verb = ZC_PING};
    uint64_t now = uv_now (self->loop);
    if (zc_places_leaves (self->places, now))
        s_move (self);
    else if (zc_places_asks (self->places, now))
        zc_control_request (self->control, &ask, S_TIMEOUT_MS, s_sign_of_life, self);
}

static void s_read_monitor (zc_link_t *self)
{
    zc_monitor_event_t event;
    while ((event = zc_redial_event (&self->redial, self->monitor)) != ZC_MONITOR_NOTHING)
        s_set_connected (self, event == ZC_MONITOR_UP);
}

/*  Messages. */

static zc_slice_t s_slice_of (zmq_msg_t *frame)
{
    return (zc_slice_t){zmq_msg_data (frame), zmq_msg_size (frame)};
}

/*  Takes one message into batch[index]. Returns false if there is none. */
static bool s_take (zc_link_t *self, size_t index)
{
    zmq_msg_t *frames = self->batch[index];
    unsigned count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t spare, *to = count < 3 ? &frames[count] : &spare;
        zmq_msg_init (to);
        if (zmq_msg_recv (to, self->sub, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close (to);
            for (unsigned i = 0; i < count && i < 3; i++)
                zmq_msg_close (&frames[i]);
            return false;
        }
        more = zmq_msg_more (to);
        if (to == &spare)
            zmq_msg_close (to);
        count++;
    }
    self->frames[index] = count;
    return true;
}

static void s_close_frames (zc_link_t *self, size_t index)
{
    for (unsigned i = 0; i < self->frames[index] && i < 3; i++)
        zmq_msg_close (&self->batch[index][i]);
}

/*  The messages on their way to the hub are of a line that has ended. */
static void s_drop_messages (zc_link_t *self)
{
    while (self->kept > 0)
        s_close_frames (self, --self->kept);
    while (s_take (self, 0))
        s_close_frames (self, 0);
}

/*  Lets ZeroMQ look after the connection, which it does only inside a call. */
static void s_renew (zc_link_t *self)
{
    int events;
    size_t size = sizeof events;
    zmq_getsockopt (self->sub, ZMQ_EVENTS, &events, &size);
}

static void s_handle (zc_link_t *self, size_t index)
{
    zmq_msg_t *frames = self->batch[index];
    unsigned count = self->frames[index];
    zc_message_t message;
    if (count == 3 && zc_delivery_parse (&message, s_slice_of (&frames[0]), s_slice_of (&frames[1]),
                                         s_slice_of (&frames[2])) == 0) {
        zc_hub_message (self->hub, &message);
    } else {
        self->malformed++;
        zc_log_limited (
            &self->limit, ZC_LOG_WARN,
            ZC_EVENT ("broker.malformed frames", "broker: a malformed message of %u frames"),
            count);
    }
    s_close_frames (self, index);
}

/*  Messages stay in the queue until the hub listens. */
static bool s_keep (zc_link_t *self, size_t count)
{
    if (zc_hub_listens (self->hub)) {
        self->kept = 0;
        return false;
    }
    s_renew (self); /* ZeroMQ subscribes on the new connection inside this call */
    self->kept = count;
    return true;
}

static size_t s_read_batch (zc_link_t *self)
{
    size_t count = self->kept;
    if (count == 0 && s_keep (self, 0)) {
        s_read_monitor (self);
        return 0;
    }
    while (count < S_BATCH && self->kept == 0 && s_take (self, count))
        count++;
    s_read_monitor (self);
    if (s_keep (self, count))
        return 0;
    for (size_t i = 0; i < count; i++) {
        s_handle (self, i);
        s_make_room (self);
    }
    return count;
}

/*  While a round's timer runs, messages stay in ZeroMQ's queue: waking up for each message would
 *  cost more than handling it. */
static void s_listen (zc_link_t *self, bool on)
{
    if (on == self->listening)
        return;
    self->listening = on;
    if (on)
        uv_poll_start (&self->polls[0], UV_READABLE, s_poll);
    else
        uv_poll_stop (&self->polls[0]);
}

static void s_drain (zc_link_t *self)
{
    bool more = false;
    for (int i = 0; i < S_BATCHES; i++)
        if (!(more = s_read_batch (self) == S_BATCH))
            break;
    bool answers = zc_control_read (self->control, S_BATCH * S_BATCHES) > 0;
    answers |= zc_control_read (self->pages, S_BATCH) > 0;
    answers |= self->posts && zc_control_read (self->posts, S_BATCH) > 0;
    if (self->leave) {
        self->leave = false;
        s_set_connected (self, false);
        zc_redial_now (&self->redial);
    }
    zc_hub_settle (self->hub);
    zc_pump_kick (self->pump);
    if (more || answers)
        s_want_again (self);
    else
        uv_idle_stop (&self->again);
    s_listen (self, !zc_pump_waiting (self->pump));
}

/*  A timed round begins with the messages that have come meanwhile. */
static void s_before_round (void *arg)
{
    s_drain (arg);
}

static void s_again (uv_idle_t *idle)
{
    uv_idle_stop (idle);
    s_drain (idle->data);
}

static void s_poll (uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    s_drain (poll->data);
}

/*  Beginning and end. */

static int s_fd (void *socket)
{
    int fd = -1;
    size_t size = sizeof fd;
    zmq_getsockopt (socket, ZMQ_FD, &fd, &size);
    return fd;
}

static void s_set (void *socket, int option, int value)
{
    zmq_setsockopt (socket, option, &value, sizeof value);
}

static int s_open (zc_link_t *self, const zc_link_config_t *config)
{
    self->sub = zmq_socket (self->context, ZMQ_SUB);
    if (!self->sub)
        return -1;
    s_set (self->sub, ZMQ_RCVHWM, config->hwm);
    /* No bound: subscriptions count as messages to be sent, and beyond a bound ZeroMQ drops them in
     * silence, where many come at once and after each reconnect. */
    s_set (self->sub, ZMQ_SNDHWM, 0);
    s_set (self->sub, ZMQ_LINGER, 0);
    s_set (self->sub, ZMQ_RECONNECT_IVL, 50);
    s_set (self->sub, ZMQ_RECONNECT_IVL_MAX, 1000);
    s_set (self->sub, ZMQ_HANDSHAKE_IVL, 5000);
    self->monitor = zc_monitor_new (self->context, self->sub);
    zc_give_up_sending (self->sub, ZC_SUB_UNANSWERED_MS);
    self->places = zc_places_new (config->subscribe, config->control, uv_now (self->loop));
    if (!self->places) {
        errno = EINVAL;
        return -1;
    }
    const char *control = zc_places_control (self->places);
    if (zc_redial_connect (&self->redial, self->sub, zc_places_subscribe (self->places), 0) != 0)
        return -1;
    self->control = zc_control_new (self->context, control);
    self->pages = self->control ? zc_control_new (self->context, control) : NULL;
    return self->pages ? 0 : -1;
}

/*  Keeps errno. */
static void s_close (zc_link_t *self)
{
    int error = errno;
    self->closing = true;
    while (self->kept > 0)
        s_close_frames (self, --self->kept);
    zc_control_destroy (&self->posts);
    zc_control_destroy (&self->pages);
    zc_control_destroy (&self->control);
    zc_places_destroy (&self->places);
    zc_monitor_destroy (&self->monitor);
    if (self->sub)
        zmq_close (self->sub);
    zc_context_end (&self->context, ZC_CONTEXT_END_MS);
    zc_redial_clear (&self->redial);
    free (self);
    errno = error;
}

static void s_start_poll (zc_link_t *self, int fd)
{
    uv_poll_t *poll = &self->polls[self->poll_count++];
    uv_poll_init (self->loop, poll, fd);
    poll->data = self;
    uv_poll_start (poll, UV_READABLE, s_poll);
}

static void s_watch (zc_link_t *self, zc_control_t *control)
{
    int fds[2];
    zc_control_fds (control, fds);
    s_start_poll (self, fds[0]);
    s_start_poll (self, fds[1]);
}

zc_link_t *zc_link_new (uv_loop_t *loop, const zc_link_config_t *config)
{
    zc_link_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->loop = loop;
    self->started_ms = self->synced_ms = uv_now (loop);
    self->max_payload = SIZE_MAX;
    self->pages_allowed = S_PAGES_FIRST;
    self->unsynced_most = S_UNSYNCED;
    self->context = zmq_ctx_new ();
    self->upstream = (zc_upstream_t){self, s_subscribe, s_unsubscribe, s_sync, s_fetch, s_list};
    uint64_t random = (uint64_t)(uintptr_t)self;
    if (getrandom (&random, sizeof random, GRND_NONBLOCK) < 0)
        random ^= uv_hrtime ();
    snprintf (self->prefix, sizeof self->prefix, "%016llx.", (unsigned long long)random);
    if (s_open (self, config) != 0) {
        s_close (self);
        return NULL;
    }
    s_start_poll (self, s_fd (self->sub));
    self->listening = true;
    s_start_poll (self, s_fd (zc_monitor_socket (self->monitor)));
    s_watch (self, self->control);
    s_watch (self, self->pages);
    uv_idle_init (loop, &self->again);
    uv_timer_init (loop, &self->retry);
    self->again.data = self->retry.data = self;
    return self;
}

void zc_link_attach (zc_link_t *self, zc_hub_t *hub, zc_pump_t *pump)
{
    self->hub = hub;
    self->pump = pump;
    zc_hub_allow_fetches (hub, self->pages_allowed);
    zc_pump_before (pump, s_before_round, self);
    s_want_again (self); /* an edge may have passed before the loop ran */
}

/*  The sockets are closed once the loop has let go of their descriptors. */
static void s_closed (uv_handle_t *handle)
{
    zc_link_t *self = handle->data;
    if (--self->open_handles == 0)
        s_close (self);
}

void zc_link_destroy (zc_link_t **self_p)
{
    zc_link_t *self = *self_p;
    if (!self)
        return;
    self->hub = NULL;
    while (!LIST_EMPTY (&self->questions))
        s_question_end (LIST_FIRST (&self->questions));
    self->open_handles = (int)self->poll_count + 2;
    for (size_t i = 0; i < self->poll_count; i++)
        uv_close ((uv_handle_t *)&self->polls[i], s_closed);
    uv_close ((uv_handle_t *)&self->again, s_closed);
    uv_close ((uv_handle_t *)&self->retry, s_closed);
    *self_p = NULL;
}

const zc_upstream_t *zc_link_upstream (zc_link_t *self)
{
    return &self->upstream;
}

bool zc_link_several (const zc_link_t *self)
{
    return zc_places_several (self->places);
}

uint64_t zc_link_publish (zc_link_t *self, const zc_ask_t *ask, unsigned timeout_ms,
                          zc_control_fn fn, void *arg)
{
    if (self->closing)
        return 0;
    if (!self->posts) {
        self->posts = zc_control_new (self->context, zc_places_control (self->places));
        if (!self->posts)
            return 0; /* out of sockets or descriptors */
        s_watch (self, self->posts);
        if (self->max_payload != SIZE_MAX)
            zc_control_allow (self->posts, self->max_payload);
    }
    uint64_t number = zc_control_request (self->posts, ask, timeout_ms, fn, arg);
    s_want_again (self);
    return number;
}

uint64_t zc_link_ask (zc_link_t *self, const zc_ask_t *ask, zc_control_fn fn, void *arg)
{
    uint64_t number = zc_control_request (self->control, ask, S_TIMEOUT_MS, fn, arg);
    s_want_again (self);
    return number;
}

void zc_link_report (zc_link_t *self, zc_slice_t name, zc_slice_t json, zc_control_fn fn, void *arg)
{
    zc_ask_t ask = {.verb = ZC_REPORT, .name = name, .json = json};
    zc_link_ask (self, &ask, fn, arg);
}

uint64_t zc_link_synced_ms (const zc_link_t *self)
{
    return uv_now (self->loop) - self->synced_ms;
}

/*  A connection that is lost is logged when that happens; one that never was is logged here,
 *  once. */
static void s_say_if_alone (zc_link_t *self)
{
    if (self->ever_connected || self->said_alone ||
        uv_now (self->loop) - self->started_ms < S_ALONE_MS)
        return;
    self->said_alone = true;
    zc_warn (ZC_EVENT ("broker.unreachable broker",
                       "broker: nobody answers at %s; clients are kept, retrying"),
             self->redial.endpoint);
}

void zc_link_tick (zc_link_t *self)
{
    s_drain (self);
    s_say_if_alone (self);
    s_look_at_place (self);
    if (!self->connected)
        zc_redial_try (&self->redial);
    else if (self->asks_limits)
        s_ask_limits (self);
}

size_t zc_link_max_payload (const zc_link_t *self)
{
    return self->max_payload;
}

bool zc_link_connected (const zc_link_t *self)
{
    return self->connected;
}

uint64_t zc_link_malformed (const zc_link_t *self)
{
    return self->malformed;
}
