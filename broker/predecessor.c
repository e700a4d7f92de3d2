/*  predecessor.c - see predecessor.h.
 *
 *  What is sent while the broker serves is sent in batches, one in a turn of its loop. While the
 *  broker pauses, sends wait for the successor, which reads as fast as it can, and the time for all
 *  of it is bounded. */
#include "broker/predecessor.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/bequest.h"
#include "broker/endpoints.h"
#include "broker/history/memory.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/passage.h"
#include "lib/base/processes.h"

#define S_BATCH (1u << 20) /* bytes: more than may be published in one turn of the loop */
#define S_SEND_MS 5000     /* for a batch */
#define S_PAUSE_MS 5000    /* for all that is given while the broker pauses */
#define S_IDS_MAX 100000   /* in one frame */

typedef enum {
    S_NONE,
    S_HELLO,  /* the successor is starting */
    S_GIVING, /* it gets history */
} s_state_t;

struct zc_predecessor {
    zc_flow_t *flow;    /* borrowed */
    const char *estate; /* borrowed */
    int epoll, timer;
    s_state_t state;
    zc_passage_t *passage; /* owned; NULL: there is no successor */
    pid_t pid;             /* the successor's */
    zc_heir_t heir;        /* the successor that this process has started; pid 0: none */
    unsigned timeout_ms;
    bool reload; /* wanted if the successor fails */
    bool reloads;
    bool over; /* the successor serves */
    uint64_t deadline_ms;
    zc_buf_t out;
    uint64_t given;    /* messages */
    uint64_t pause_ms; /* when the pause began */
};

static bool s_in_memory (const zc_predecessor_t *self)
{
    return strcmp (self->flow->history->ops->kind, "memory") == 0;
}

static void s_watch (zc_predecessor_t *self, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events};
    if (epoll_ctl (self->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        epoll_ctl (self->epoll, EPOLL_CTL_MOD, fd, &event);
}

static void s_set_timer (zc_predecessor_t *self, unsigned ms)
{
    struct itimerspec time = {.it_value = {ms / 1000, (long)(ms % 1000) * 1000000}};
    timerfd_settime (self->timer, 0, &time, NULL);
}

/*  The end. */

static void s_forget (zc_predecessor_t *self)
{
    zc_passage_destroy (&self->passage);
    s_set_timer (self, 0);
    self->state = S_NONE;
    zc_buf_clear (&self->out);
    if (s_in_memory (self))
        zc_history_memory_stay (self->flow->history);
}

static void s_fail (zc_predecessor_t *self, const char *why)
{
    zc_error (
        ZC_EVENT ("upgrade.failed process error", "upgrade: process %ld %s; this one goes on"),
        (long)self->pid, why);
    kill (self->pid, SIGKILL);
    if (self->heir.pid) {
        waitpid (self->heir.pid, NULL, 0);
        close (self->heir.channel);
        self->reloads = self->reload;
    }
    self->heir = (zc_heir_t){0, -1};
    s_forget (self);
}

/*  Frames. */

/*  Sends what is gathered, and a descriptor with it; -1: none. */
static bool s_flush (zc_predecessor_t *self, int fd)
{
    bool sent = self->out.len == 0 || zc_passage_send (self->passage, self->out.data, self->out.len,
                                                       fd, self->deadline_ms) == 0;
    self->out.len = 0;
    return sent;
}

static bool s_add (zc_predecessor_t *self, const zc_bequest_t *frame)
{
    zc_bequest_write (&self->out, frame);
    return self->out.len < S_BATCH || s_flush (self, -1);
}

static bool s_add_with (zc_predecessor_t *self, const zc_bequest_t *frame, int fd)
{
    if (!s_flush (self, -1))
        return false;
    zc_bequest_write (&self->out, frame);
    return s_flush (self, fd);
}

/*  Reads the successor's next frame, which must be of this kind or REFUSED. Returns 0 if no whole
 *  frame has come; -1 if it is another one. */
static int s_next (zc_predecessor_t *self, zc_bequest_kind_t kind, zc_bequest_t *frame)
{
    const zc_buf_t *in = zc_passage_bytes (self->passage);
    const char *error;
    long len = zc_bequest_read (frame, in->data, in->len, &error);
    if (len > 0 && frame->kind == ZC_BEQUEST_REFUSED)
        zc_error (ZC_EVENT ("upgrade.refused process error", "upgrade: process %ld: %.*s"),
                  (long)self->pid, (int)frame->text.len, frame->text.at);
    return len == 0 ? 0 : len > 0 && frame->kind == kind ? (int)len : -1;
}

/*  History. */

static zc_bequest_t s_message (const zc_heirloom_t *kept)
{
    return (zc_bequest_t){.kind = ZC_BEQUEST_MESSAGE,
                          .topic = {kept->topic->name, kept->topic->len},
                          .id = kept->stored.id,
                          .expires_ms = kept->expires_ms,
                          .event_at = kept->event_len ? kept->event_at : 0,
                          .event_len = kept->event_len,
                          .meta = kept->stored.meta,
                          .payload = kept->stored.payload};
}

/*  Sends up to `most` bytes of history. *all: there is no more. */
static bool s_give_history (zc_predecessor_t *self, size_t most, bool *all)
{
    zc_heirloom_t kept;
    size_t sent = 0;
    *all = !s_in_memory (self);
    while (!*all && sent < most) {
        *all = !zc_history_memory_next (self->flow->history, &kept);
        if (*all)
            break;
        zc_bequest_t frame = s_message (&kept);
        sent += frame.payload.len + frame.meta.len + frame.topic.len;
        self->given++;
        if (!s_add (self, &frame))
            return false;
    }
    return s_flush (self, -1);
}

static bool s_give_gone (zc_predecessor_t *self)
{
    size_t count = 0;
    const zc_id_t *ids =
        s_in_memory (self) ? zc_history_memory_gone (self->flow->history, &count) : NULL;
    zc_buf_t bytes = ZC_BUF_INIT;
    bool sent = true;
    for (size_t i = 0; sent && i < count;) {
        bytes.len = 0;
        for (size_t end = i + S_IDS_MAX; i < count && i < end; i++)
            zc_bequest_add_id (&bytes, ids[i]);
        zc_bequest_t frame = {.kind = ZC_BEQUEST_GONE, .ids = {(char *)bytes.data, bytes.len}};
        sent = s_add (self, &frame);
    }
    zc_buf_clear (&bytes);
    return sent;
}

/*  The rest. */

static bool s_give_state (zc_predecessor_t *self)
{
    const zc_flow_t *flow = self->flow;
    zc_history_stats_t stats = {0};
    zc_history_stats (flow->history, &stats);
    zc_bequest_t frame = {.kind = ZC_BEQUEST_STATE,
                          .id = flow->last,
                          .head = flow->head,
                          .dropped = flow->dropped,
                          .forgotten = zc_topics_forgotten (flow->topics),
                          .floor = stats.floor,
                          .trimmed = stats.trimmed,
                          .lost = s_in_memory (self) ? zc_history_memory_lost (flow->history) : 0,
                          .started_ms = flow->started_ms,
                          .line = zc_line_slice (&flow->history->line),
                          .file = flow->history->position >= 0,
                          .secret = {(const char *)zc_dedup_secret (flow->dedup), ZC_DEDUP_SECRET}};
    return s_add_with (self, &frame, flow->history->position);
}

/*  Subscribers come back: where none was, and nothing was published, there is nothing to know. A
 *  nonce, which begins with \1, is subscribed to only once. */
static bool s_is_worth (const zc_topic_t *topic)
{
    return topic->published || (topic->subscribers && topic->name[0] != 1);
}

static bool s_give_topics (zc_predecessor_t *self)
{
    const zc_topic_t *topic = NULL;
    while ((topic = zc_topics_next (self->flow->topics, topic))) {
        if (!s_is_worth (topic))
            continue;
        zc_bequest_t frame = {.kind = ZC_BEQUEST_TOPIC,
                              .topic = {topic->name, topic->len},
                              .id = topic->last,
                              .sent = topic->sent,
                              .floor = topic->floor,
                              .lost = topic->lost,
                              .published = topic->published};
        if (!s_add (self, &frame))
            return false;
    }
    return true;
}

static bool s_give_seen (zc_predecessor_t *self)
{
    const void *at = NULL;
    zc_dedup_entry_t entry;
    while (zc_dedup_each (self->flow->dedup, &at, &entry)) {
        zc_bequest_t frame = {.kind = ZC_BEQUEST_SEEN,
                              .topic = entry.topic,
                              .name = entry.name,
                              .digest = {(const char *)&entry.digest, sizeof entry.digest},
                              .id = entry.id,
                              .at_ms = entry.at_ms};
        if (!s_add (self, &frame))
            return false;
    }
    return true;
}

static bool s_give_listeners (zc_predecessor_t *self)
{
    for (int role = 0; role < ZC_INTAKE_ROLES; role++)
        for (int fd = -1; (fd = zc_intake_next_listener ((zc_intake_role_t)role, fd)) >= 0;) {
            char address[256];
            zc_bequest_t frame = {.kind = ZC_BEQUEST_LISTENER, .role = (uint64_t)role + 1};
            zc_endpoints_name (fd, address, sizeof address);
            frame.address = (zc_slice_t){address, strlen (address)};
            if (!s_add_with (self, &frame, fd))
                return false;
        }
    return true;
}

static bool s_wait_ready (zc_predecessor_t *self)
{
    zc_bequest_t frame;
    int rc;
    while ((rc = s_next (self, ZC_BEQUEST_READY, &frame)) == 0)
        if (zc_passage_wait (self->passage, self->deadline_ms) != 0 ||
            zc_passage_receive (self->passage) < 0)
            return false;
    return rc > 0;
}

static bool s_give_all (zc_predecessor_t *self)
{
    const zc_bequest_t done = {.kind = ZC_BEQUEST_DONE}, commit = {.kind = ZC_BEQUEST_COMMIT};
    bool all;
    return s_give_history (self, SIZE_MAX, &all) && s_give_gone (self) && s_give_state (self) &&
           s_give_topics (self) && s_give_seen (self) && s_give_listeners (self) &&
           s_add_with (self, &done, -1) && s_wait_ready (self) && s_add_with (self, &commit, -1);
}

bool zc_predecessor_finish (zc_predecessor_t *self, bool paused)
{
    zc_history_stats_t stats = {0};
    uint64_t now = zc_mono_ms ();
    self->deadline_ms = now + S_PAUSE_MS;
    zc_history_stats (self->flow->history, &stats);
    if (!paused || stats.error) {
        s_fail (self, paused ? "can't have this history, which has failed"
                             : "can't take over work that does not end");
        return false;
    }
    if (!s_give_all (self)) {
        s_fail (self, "is not ready in time");
        return false;
    }
    zc_info (ZC_EVENT ("upgrade.given process messages topics ms",
                       "upgrade: process %ld has %" PRIu64
                       " messages of history and %zu topics; the broker paused for %" PRIu64 " ms"),
             (long)self->pid, self->given, zc_topics_size (self->flow->topics),
             zc_mono_ms () - self->pause_ms);
    self->over = true;
    if (self->heir.pid)
        zc_processes_hand_over (self->heir);
    return true;
}

/*  The successor. */

static void s_meet (zc_predecessor_t *self, int fd, pid_t pid)
{
    if (self->passage) {
        close (fd); /* which tells it to end */
        return;
    }
    self->passage = zc_passage_new (fd);
    self->pid = pid;
    self->state = S_HELLO;
    self->given = 0;
    s_watch (self, fd, EPOLLIN);
    s_set_timer (self, self->timeout_ms);
}

void zc_predecessor_allow (zc_predecessor_t *self, unsigned timeout_ms)
{
    self->timeout_ms = timeout_ms;
}

void zc_predecessor_start (zc_predecessor_t *self, bool reload)
{
    int fd;
    if (self->passage)
        return;
    zc_info (ZC_EVENT ("upgrade.begun", "upgrade: starting the new binary"));
    pid_t pid = zc_succession_start (0, -1, &fd, &self->heir.channel);
    if (pid < 0) {
        zc_error (ZC_EVENT ("upgrade.failed error", "upgrade: %s"), strerror (errno));
        self->reloads = reload;
        return;
    }
    self->heir.pid = pid;
    self->reload = reload;
    s_meet (self, fd, pid);
}

static void s_read_channel (zc_predecessor_t *self)
{
    int fd, channel = zc_processes_channel ();
    if (channel < 0)
        return;
    pid_t pid = zc_processes_successor (&fd);
    if (pid > 0)
        s_meet (self, fd, pid);
    else if (pid == 0) /* the master is gone */
        epoll_ctl (self->epoll, EPOLL_CTL_DEL, channel, NULL);
}

static void s_hear_hello (zc_predecessor_t *self)
{
    zc_bequest_t frame;
    int len = s_next (self, ZC_BEQUEST_HELLO, &frame);
    if (len == 0)
        return;
    if (len < 0 || frame.number != ZC_BEQUEST_VERSION) {
        s_fail (self, len < 0 ? "does not take over" : "speaks another version of the handover");
        return;
    }
    if (!zc_slice_is (frame.text, self->estate)) {
        s_fail (self, "has another history, log or endpoint, which takes a restart");
        return;
    }
    zc_buf_shift (zc_passage_bytes (self->passage), (size_t)len);
    self->state = S_GIVING;
    if (s_in_memory (self))
        zc_history_memory_leave (self->flow->history);
    s_watch (self, zc_passage_fd (self->passage), EPOLLIN | EPOLLOUT);
}

/*  Returns true once all is given. */
static bool s_give (zc_predecessor_t *self)
{
    struct pollfd writable = {zc_passage_fd (self->passage), POLLOUT, 0};
    bool all = false;
    self->deadline_ms = zc_mono_ms () + S_SEND_MS;
    if (poll (&writable, 1, 0) == 1 && !s_give_history (self, S_BATCH, &all))
        s_fail (self, "does not take history");
    self->pause_ms = zc_mono_ms ();
    return all && self->passage;
}

static void s_receive (zc_predecessor_t *self)
{
    int rc;
    while ((rc = zc_passage_receive (self->passage)) > 0)
        ;
    if (self->state == S_HELLO)
        s_hear_hello (self);
    else if (zc_passage_bytes (self->passage)->len)
        s_fail (self, "does not take over");
    if (rc < 0 && self->passage)
        s_fail (self, "has ended");
}

bool zc_predecessor_turn (zc_predecessor_t *self)
{
    uint64_t expired;
    s_read_channel (self);
    if (self->passage)
        s_receive (self);
    if (self->passage && read (self->timer, &expired, sizeof expired) == sizeof expired)
        s_fail (self, "is not ready in time");
    return self->state == S_GIVING && s_give (self);
}

bool zc_predecessor_busy (const zc_predecessor_t *self)
{
    return self->passage != NULL;
}

bool zc_predecessor_reloads (zc_predecessor_t *self)
{
    bool reloads = self->reloads;
    self->reloads = false;
    return reloads;
}

int zc_predecessor_fd (const zc_predecessor_t *self)
{
    return self->epoll;
}

zc_predecessor_t *zc_predecessor_new (zc_flow_t *flow, int signal_fd, const char *estate)
{
    zc_predecessor_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->flow = flow;
    self->estate = estate;
    self->heir.channel = -1;
    self->epoll = epoll_create1 (EPOLL_CLOEXEC);
    self->timer = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    s_watch (self, signal_fd, EPOLLIN);
    s_watch (self, self->timer, EPOLLIN);
    if (zc_processes_channel () >= 0)
        s_watch (self, zc_processes_channel (), EPOLLIN);
    return self;
}

void zc_predecessor_destroy (zc_predecessor_t **self_p)
{
    zc_predecessor_t *self = *self_p;
    if (!self)
        return;
    if (self->passage && !self->over && self->heir.pid) {
        kill (self->heir.pid, SIGKILL);
        waitpid (self->heir.pid, NULL, 0);
    }
    zc_passage_destroy (&self->passage); /* a successor that isn't ready ends */
    close (self->epoll);
    close (self->timer);
    zc_buf_clear (&self->out);
    free (self);
    *self_p = NULL;
}
