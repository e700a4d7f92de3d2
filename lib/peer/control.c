/*  control.c - a DEALER and a table of the requests that wait for answers.
 *
 *  Each request is sent as `#<hex>` verb argument…. The tag comes back in front of every answer,
 *  so answers find their request in any order, and an answer to a request that was given up is
 *  recognised and dropped. The calls are libzmq's own, since payloads pass here, and czmq's zmsg
 *  would copy each frame once more.
 *
 *  ZeroMQ is given requests only while there is a connection. Earlier requests wait here, and
 *  requests on a connection that broke are given up: they may have been on their way, or in
 *  ZeroMQ's queue, which goes with the connection. Otherwise ZeroMQ would send them on the next
 *  connection, and a page that nobody waits for any more would take up a link that was too
 *  narrow for one.
 *
 *  A connection is judged by the bytes that move on it, and not by whole answers, since an
 *  answer of a megabyte may take a minute. It is useless only if answers are owed and no byte
 *  moves. Rejected: judging it by a PING on another connection, which shows that the broker
 *  lives and not that this connection does. Deadlines are scanned and not sorted: the earliest
 *  is remembered, so the scan runs only when one is due. */
#include "lib/peer/control.h"

#include "lib/base/clock.h"
#include "lib/peer/monitor.h"
#include "lib/peer/redial.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define S_BUCKETS 1024 /* power of two; numbers are consecutive, so chains stay short */
#define S_FRAMES 8     /* more than any answer has; later frames are dropped */
#define S_QUEUE 1000   /* requests that wait for a connection, and messages in ZeroMQ's queue */
#define S_HELD_BYTES (64 << 20) /* of the requests that wait for a connection */
#define S_TAG_SIZE 20           /* '#', 16 digits, NUL */
#define S_HANDSHAKE_MS 5000
#define S_SILENCE_MS 15000 /* without a byte moving, while answers are owed */
#define S_EXTENSION 12     /* so many times its timeout a request may wait while bytes move */
/*  Not -1. With -1, a connection that is lost takes its queue away at once; if the frames of an
 *  answer have been received in part, libzmq 4.3.4 then fails an assertion (fq.cpp). */
#define S_NEVER_MS (24 * 3600 * 1000)

typedef struct s_request {
    LIST_ENTRY (s_request) entry; /* in its bucket */
    uint64_t number;
    uint64_t deadline; /* monotonic milliseconds; 0: none */
    uint64_t latest;   /* how far the deadline may be put off */
    unsigned timeout_ms;
    zc_verb_t verb;
    zc_control_fn fn;
    void *arg;
} s_request_t;

/*  A request that waits for a connection. */
typedef struct s_held {
    STAILQ_ENTRY (s_held) turn;
    uint64_t number;
    size_t count, size;
    size_t lengths[]; /* of the frames; their bytes follow */
} s_held_t;

struct zc_control {
    void *socket;
    zc_redial_t redial;
    zc_monitor_t *monitor;
    bool once;            /* zc_control_new_once */
    bool inproc;          /* always connected: no event says so */
    bool connected, lost; /* as far as the monitor has reported */
    uint64_t last;        /* number of the last request */
    uint64_t earliest;    /* no deadline is earlier; UINT64_MAX: there is none */
    uint64_t moved_ms;    /* see zc_control_moved_ms */
    size_t pending;
    size_t frame_max;            /* bytes; a larger frame would end the connection */
    STAILQ_HEAD (, s_held) held; /* owned */
    size_t held_count, held_bytes;
    LIST_HEAD (, s_request) buckets[S_BUCKETS];
};

static void s_set (void *socket, int option, int value)
{
    int rc = zmq_setsockopt (socket, option, &value, sizeof value);
    assert (rc == 0);
    (void)rc;
}

static zc_control_t *s_new (void *context, const char *endpoint, bool once, unsigned attempt)
{
    zc_control_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->once = once;
    self->earliest = UINT64_MAX;
    self->frame_max = ZC_FRAME_SURE;
    STAILQ_INIT (&self->held);
    self->connected = self->inproc = strncmp (endpoint, "inproc://", 9) == 0;
    self->socket = zmq_socket (context, ZMQ_DEALER);
    if (!self->socket)
        goto fail;
    s_set (self->socket, ZMQ_LINGER, 0);
    s_set (self->socket, ZMQ_SNDHWM, S_QUEUE);
    s_set (self->socket, ZMQ_HANDSHAKE_IVL, S_HANDSHAKE_MS);
    s_set (self->socket, ZMQ_RECONNECT_IVL, once ? S_NEVER_MS : 100);
    s_set (self->socket, ZMQ_RECONNECT_IVL_MAX, once ? 0 : 2000);
    self->monitor = zc_monitor_new (context, self->socket);
    if (zc_redial_connect (&self->redial, self->socket, endpoint, attempt) != 0)
        goto fail;
    return self;
fail:;
    int error = errno;
    zc_monitor_destroy (&self->monitor);
    if (self->socket)
        zmq_close (self->socket);
    zc_redial_clear (&self->redial);
    free (self);
    errno = error;
    return NULL;
}

zc_control_t *zc_control_new (void *context, const char *endpoint)
{
    return s_new (context, endpoint, false, 0);
}

zc_control_t *zc_control_new_once (void *context, const char *endpoint, unsigned attempt)
{
    return s_new (context, endpoint, true, attempt);
}

/*  Requests. */

static s_request_t *s_find (zc_control_t *self, uint64_t number)
{
    s_request_t *request;
    LIST_FOREACH (request, &self->buckets[number % S_BUCKETS], entry)
    if (request->number == number)
        break;
    return request;
}

/*  Takes the request out of the table; the caller frees it. Returns NULL if it isn't there. */
static s_request_t *s_take (zc_control_t *self, uint64_t number)
{
    s_request_t *request = s_find (self, number);
    if (request) {
        LIST_REMOVE (request, entry);
        self->pending--;
    }
    return request;
}

static void s_give_up (zc_control_t *self, uint64_t number)
{
    s_request_t *request = s_take (self, number);
    request->fn (request->arg, &zc_answer_none);
    free (request);
}

static int s_compare (const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return first < second ? -1 : first > second;
}

/*  Gives up the requests up to `last`, in their order: a callback may make the request again, or
 *  new ones. */
static void s_give_up_all (zc_control_t *self, uint64_t last)
{
    uint64_t *numbers = malloc ((self->pending + 1) * sizeof *numbers);
    size_t count = 0;
    if (!numbers)
        abort ();
    const s_request_t *request;
    for (size_t i = 0; i < S_BUCKETS; i++)
        LIST_FOREACH (request, &self->buckets[i], entry)
    if (request->number <= last)
        numbers[count++] = request->number;
    qsort (numbers, count, sizeof *numbers, s_compare);
    for (size_t i = 0; i < count; i++)
        if (s_find (self, numbers[i])) /* a callback may have cancelled it */
            s_give_up (self, numbers[i]);
    free (numbers);
}

static s_request_t *s_add (zc_control_t *self, zc_verb_t verb, unsigned timeout_ms,
                           zc_control_fn fn, void *arg)
{
    s_request_t *request = malloc (sizeof *request);
    if (!request)
        abort ();
    uint64_t now = zc_mono_ms (), number = self->last + 1;
    *request = (s_request_t){.number = number,
                             .deadline = timeout_ms ? now + timeout_ms : 0,
                             .latest = now + (uint64_t)timeout_ms * S_EXTENSION,
                             .timeout_ms = timeout_ms,
                             .verb = verb,
                             .fn = fn,
                             .arg = arg};
    LIST_INSERT_HEAD (&self->buckets[number % S_BUCKETS], request, entry);
    self->last = number;
    if (self->pending++ == 0)
        self->moved_ms = now;
    if (timeout_ms && request->deadline < self->earliest)
        self->earliest = request->deadline;
    return request;
}

/*  Sending. */

static int s_send_frame (void *socket, const void *bytes, size_t len, int flags)
{
    int rc;
    do
        rc = zmq_send (socket, bytes, len, flags | ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -1 : 0;
}

/*  Once ZeroMQ has taken the first frame, it takes the others. If the connection ends in
 *  between, ZeroMQ drops them, and the monitor reports the end. */
static int s_send (zc_control_t *self, uint64_t number, const zc_slice_t *frames, size_t count)
{
    char tag[S_TAG_SIZE];
    int len = snprintf (tag, sizeof tag, "#%llx", (unsigned long long)number);
    if (s_send_frame (self->socket, tag, (size_t)len, ZMQ_SNDMORE) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        s_send_frame (self->socket, frames[i].at, frames[i].len, i + 1 < count ? ZMQ_SNDMORE : 0);
    return 0;
}

static int s_hold (zc_control_t *self, uint64_t number, const zc_slice_t *frames, size_t count)
{
    size_t size = sizeof (s_held_t) + count * sizeof (size_t);
    for (size_t i = 0; i < count; i++)
        size += frames[i].len;
    if (self->held_count == S_QUEUE || self->held_bytes + size > S_HELD_BYTES)
        return -1;
    s_held_t *held = malloc (size);
    if (!held)
        abort ();
    *held = (s_held_t){.number = number, .count = count, .size = size};
    char *to = (char *)(held->lengths + count);
    for (size_t i = 0; i < count; i++) {
        held->lengths[i] = frames[i].len;
        if (frames[i].len)
            memcpy (to, frames[i].at, frames[i].len);
        to += frames[i].len;
    }
    STAILQ_INSERT_TAIL (&self->held, held, turn);
    self->held_count++;
    self->held_bytes += size;
    return 0;
}

static void s_drop_held (zc_control_t *self)
{
    s_held_t *held = STAILQ_FIRST (&self->held);
    STAILQ_REMOVE_HEAD (&self->held, turn);
    self->held_count--;
    self->held_bytes -= held->size;
    free (held);
}

/*  Sends, in order, the requests that waited for a connection, without those that were cancelled
 *  meanwhile. */
static void s_send_held (zc_control_t *self)
{
    zc_slice_t frames[ZC_ASK_WRITES];
    while (self->connected && !STAILQ_EMPTY (&self->held)) {
        const s_held_t *held = STAILQ_FIRST (&self->held);
        const char *at = (const char *)(held->lengths + held->count);
        for (size_t i = 0; i < held->count; at += held->lengths[i++])
            frames[i] = (zc_slice_t){at, held->lengths[i]};
        if (s_find (self, held->number) && s_send (self, held->number, frames, held->count) != 0)
            return;
        s_drop_held (self);
    }
}

uint64_t zc_control_request (zc_control_t *self, const zc_ask_t *ask, unsigned timeout_ms,
                             zc_control_fn fn, void *arg)
{
    zc_ask_frames_t out;
    zc_ask_write (ask, &out);
    for (size_t i = 0; i < out.count; i++) {
        if (out.frames[i].len > self->frame_max) {
            errno = EMSGSIZE;
            return 0;
        }
    }
    bool wait = !self->once && (!self->connected || !STAILQ_EMPTY (&self->held));
    int rc = wait ? s_hold (self, self->last + 1, out.frames, out.count)
                  : s_send (self, self->last + 1, out.frames, out.count);
    if (rc != 0) {
        errno = EAGAIN;
        return 0;
    }
    return s_add (self, ask->verb, timeout_ms, fn, arg)->number;
}

void zc_control_allow (zc_control_t *self, size_t max_payload)
{
    self->frame_max = max_payload > ZC_FRAME_SURE ? max_payload : ZC_FRAME_SURE;
}

void zc_control_cancel (zc_control_t *self, uint64_t request)
{
    free (s_take (self, request));
}

void zc_control_reset (zc_control_t *self)
{
    for (size_t i = 0; i < S_BUCKETS; i++)
        while (!LIST_EMPTY (&self->buckets[i]))
            zc_control_cancel (self, LIST_FIRST (&self->buckets[i])->number);
    while (!STAILQ_EMPTY (&self->held))
        s_drop_held (self);
    self->earliest = UINT64_MAX;
}

void zc_control_destroy (zc_control_t **self_p)
{
    zc_control_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    while (self->pending > 0) /* a callback may make a new one */
        s_give_up_all (self, self->last);
    while (!STAILQ_EMPTY (&self->held))
        s_drop_held (self);
    zc_monitor_destroy (&self->monitor);
    zmq_close (self->socket);
    zc_redial_clear (&self->redial);
    free (self);
}

size_t zc_control_pending (const zc_control_t *self)
{
    return self->pending;
}

/*  The connection. */

static void s_read_monitor (zc_control_t *self)
{
    zc_monitor_event_t event;
    while ((event = zc_redial_event (&self->redial, self->monitor)) != ZC_MONITOR_NOTHING) {
        bool up = event == ZC_MONITOR_UP;
        self->lost |= !up && (self->connected || self->once);
        self->connected = up;
        if (up)
            zc_redial_good (&self->redial);
    }
}

bool zc_control_connected (zc_control_t *self)
{
    s_read_monitor (self);
    return self->connected;
}

bool zc_control_lost (zc_control_t *self)
{
    s_read_monitor (self);
    return self->once && self->lost;
}

bool zc_control_is_sending (const zc_control_t *self)
{
    return zc_monitor_is_sending (self->monitor);
}

uint64_t zc_control_moved_ms (zc_control_t *self)
{
    uint64_t now = zc_mono_ms (), quiet_ms = zc_monitor_quiet_ms (self->monitor);
    if (quiet_ms < now && now - quiet_ms > self->moved_ms)
        self->moved_ms = now - quiet_ms;
    return self->moved_ms;
}

/*  Gives up the requests on this connection, so that the next one begins with an empty queue.
 *  All answers that had come have been handled. */
static void s_end_connection (zc_control_t *self)
{
    const s_held_t *held = STAILQ_FIRST (&self->held);
    uint64_t last = held ? held->number - 1 : self->last;
    self->lost = self->connected = false;
    zc_redial_good (&self->redial);
    zc_redial_now (&self->redial);
    zc_redial_try (&self->redial);
    s_give_up_all (self, last);
}

void zc_control_move (zc_control_t *self, const char *endpoint)
{
    self->lost = self->connected = false;
    zc_redial_move (&self->redial, endpoint);
    while (!STAILQ_EMPTY (&self->held))
        s_drop_held (self);
    s_give_up_all (self, self->last);
}

static bool s_is_silent (zc_control_t *self, uint64_t now)
{
    return self->connected && self->pending && !self->inproc &&
           now >= self->moved_ms + S_SILENCE_MS && now >= zc_control_moved_ms (self) + S_SILENCE_MS;
}

static void s_look_after_connection (zc_control_t *self, uint64_t now)
{
    s_read_monitor (self);
    if (self->once)
        return;
    if (self->lost || s_is_silent (self, now))
        s_end_connection (self);
    if (!self->connected)
        zc_redial_try (&self->redial);
    s_send_held (self);
}

/*  Receiving. */

void zc_control_fds (zc_control_t *self, int fds[2])
{
    void *sockets[] = {self->socket, zc_monitor_socket (self->monitor)};
    for (size_t i = 0; i < 2; i++) {
        size_t size = sizeof fds[i];
        zmq_getsockopt (sockets[i], ZMQ_FD, &fds[i], &size);
    }
}

/*  Receives one message of up to S_FRAMES frames; further ones are dropped. Returns how many
 *  were kept, 0 if no message waits. The caller closes them. */
static size_t s_receive (void *socket, zmq_msg_t *frames)
{
    size_t count = 0;
    zmq_msg_t beyond;
    bool more = true;
    while (more) {
        zmq_msg_t *frame = count < S_FRAMES ? &frames[count] : &beyond;
        zmq_msg_init (frame);
        int rc;
        do
            rc = zmq_msg_recv (frame, socket, ZMQ_DONTWAIT);
        while (rc < 0 && errno == EINTR);
        if (rc < 0)
            break;
        more = zmq_msg_more (frame);
        if (frame == &beyond)
            zmq_msg_close (frame);
        else
            count++;
    }
    return count;
}

/*  The number in a tag "#<hex>"; 0 if it isn't one of our tags. */
static uint64_t s_tag_number (zc_slice_t tag)
{
    if (tag.len < 2 || tag.len > 17 || tag.at[0] != '#')
        return 0;
    uint64_t number = 0;
    for (size_t i = 1; i < tag.len; i++) {
        char c = tag.at[i];
        if (c >= '0' && c <= '9')
            number = number << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            number = number << 4 | (uint64_t)(c - 'a' + 10);
        else
            return 0;
    }
    return number;
}

static void s_answer (zc_control_t *self, const zc_slice_t *frames, size_t count, uint64_t now)
{
    uint64_t number = count >= 2 ? s_tag_number (frames[0]) : 0;
    s_request_t *request = number ? s_find (self, number) : NULL;
    if (!request)
        return; /* cancelled, timed out, or not for us */
    zc_answer_t answer;
    zc_answer_parse (&answer, request->verb, frames + 1, count - 1);
    zc_control_fn fn = request->fn;
    void *arg = request->arg;
    if (!answer.more)
        free (s_take (self, number));
    else if (request->timeout_ms) {
        request->deadline = now + request->timeout_ms;
        request->latest = now + (uint64_t)request->timeout_ms * S_EXTENSION;
    }
    fn (arg, &answer);
}

/*  Puts off the deadline of a request while bytes move. Returns false if its time is over. */
static bool s_put_off (zc_control_t *self, s_request_t *request, uint64_t now)
{
    uint64_t until = zc_control_moved_ms (self) + request->timeout_ms;
    request->deadline = until < request->latest ? until : request->latest;
    return request->deadline > now;
}

static void s_expire (zc_control_t *self, uint64_t now)
{
    if (now < self->earliest)
        return;
    uint64_t earliest = UINT64_MAX;
    self->earliest = UINT64_MAX; /* a new request by a callback sets it */
    for (size_t i = 0; i < S_BUCKETS; i++) {
        s_request_t *request = LIST_FIRST (&self->buckets[i]);
        while (request) {
            if (request->deadline && request->deadline <= now && !s_put_off (self, request, now)) {
                s_give_up (self, request->number);
                request = LIST_FIRST (&self->buckets[i]); /* the callback may have changed it */
                continue;
            }
            if (request->deadline && request->deadline < earliest)
                earliest = request->deadline;
            request = LIST_NEXT (request, entry);
        }
    }
    if (earliest < self->earliest)
        self->earliest = earliest;
}

int zc_control_read (zc_control_t *self, int max)
{
    int handled = 0;
    zmq_msg_t frames[S_FRAMES];
    zc_slice_t slices[S_FRAMES];
    uint64_t now = zc_mono_ms ();
    while (handled < max) {
        size_t count = s_receive (self->socket, frames);
        if (count == 0)
            break;
        for (size_t i = 0; i < count; i++)
            slices[i] = (zc_slice_t){zmq_msg_data (&frames[i]), zmq_msg_size (&frames[i])};
        s_answer (self, slices, count, now);
        for (size_t i = 0; i < count; i++)
            zmq_msg_close (&frames[i]);
        handled++;
    }
    if (handled > 0)
        self->moved_ms = now;
    if (handled < max) /* first the answers that came before the connection was lost */
        s_look_after_connection (self, now);
    s_expire (self, now);
    return handled;
}

size_t zc_control_pollitems (zc_control_t *self, zmq_pollitem_t items[2])
{
    items[0] = (zmq_pollitem_t){self->socket, 0, ZMQ_POLLIN, 0};
    items[1] = (zmq_pollitem_t){zc_monitor_socket (self->monitor), 0, ZMQ_POLLIN, 0};
    return 2;
}

long zc_control_timeout (const zc_control_t *self)
{
    uint64_t now = zc_mono_ms (), due = self->earliest;
    bool judged = self->connected && self->pending && !self->once && !self->inproc;
    if (judged && self->moved_ms + S_SILENCE_MS < due)
        due = self->moved_ms + S_SILENCE_MS;
    long wait = due == UINT64_MAX ? -1 : due > now ? (long)(due - now) : 0;
    long redial = self->connected || self->once ? -1 : zc_redial_timeout (&self->redial);
    return redial >= 0 && (wait < 0 || redial < wait) ? redial : wait;
}

int zc_control_wait (zc_control_t *self, int timeout_ms)
{
    long until = zc_control_timeout (self);
    long wait = until >= 0 && (timeout_ms < 0 || until < timeout_ms) ? until : timeout_ms;
    zmq_pollitem_t items[2];
    zmq_poll (items, (int)zc_control_pollitems (self, items), wait);
    return zc_control_read (self, 1000);
}
