/*  control.c - a DEALER and a table of what it waits for.
 *
 *  Each request goes out as `#<hex>` verb argument…; the tag comes back in front of every answer,
 * so answers find their request in any order, and one that was given up is recognised and dropped.
 *  Plain libzmq calls, since payloads pass here and czmq's zmsg would copy each frame once more.
 *
 *  ZeroMQ keeps what was queued while the broker is away and sends it after the reconnect, but what
 *  was on its way when a connection broke is lost without a word: only the timeout tells. Deadlines
 *  are scanned, not sorted: the earliest is remembered, so the scan runs only when one is due. */
#include "lib/peer/control.h"

#include "lib/base/clock.h"
#include "lib/peer/monitor.h"
#include "lib/peer/redial.h"
#include "lib/wire/message.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S_BUCKETS 1024 /* power of two; numbers are consecutive, so chains stay short */
#define S_FRAMES 8     /* the longest answer has five; what is beyond is dropped */
#define S_QUEUE 1000   /* requests that wait for the broker in ZeroMQ's queue */
#define S_TAG_SIZE 20  /* '#', 16 digits, NUL */
#define S_HANDSHAKE_MS 5000
/*  Not -1: then a connection that is lost takes its queue away at once, and where the frames of an
 *  answer have been received in part, libzmq 4.3.4 ends in an assertion (fq.cpp). */
#define S_NEVER_MS (24 * 3600 * 1000)

typedef struct s_request {
    struct s_request *next; /* in its bucket */
    uint64_t number;
    uint64_t deadline; /* monotonic milliseconds; 0: none */
    unsigned timeout_ms;
    zc_control_fn fn;
    void *arg;
} s_request_t;

struct zc_control {
    void *socket;
    zc_redial_t redial;
    uint64_t last;     /* number of the last request */
    uint64_t earliest; /* no deadline is before this; UINT64_MAX: there is none */
    size_t pending;
    size_t frame_max;      /* bytes; a larger frame would end the connection */
    zc_monitor_t *monitor; /* of zc_control_new_once */
    bool connected, lost;  /* as far as the monitor has told */
    s_request_t *buckets[S_BUCKETS];
};

static void s_set (void *socket, int option, int value)
{
    int rc = zmq_setsockopt (socket, option, &value, sizeof value);
    assert (rc == 0);
    (void)rc;
}

static zc_control_t *s_new (void *context, const char *endpoint, bool once)
{
    zc_control_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->earliest = UINT64_MAX;
    self->frame_max = ZC_FRAME_SURE;
    self->socket = zmq_socket (context, ZMQ_DEALER);
    if (!self->socket)
        goto fail;
    s_set (self->socket, ZMQ_LINGER, 0);
    s_set (self->socket, ZMQ_SNDHWM, S_QUEUE);
    s_set (self->socket, ZMQ_HANDSHAKE_IVL, S_HANDSHAKE_MS);
    s_set (self->socket, ZMQ_RECONNECT_IVL, once ? S_NEVER_MS : 100);
    s_set (self->socket, ZMQ_RECONNECT_IVL_MAX, once ? 0 : 2000);
    if (once)
        self->monitor = zc_monitor_new (context, self->socket);
    if (zc_redial_connect (&self->redial, self->socket, endpoint) != 0)
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
    return s_new (context, endpoint, false);
}

zc_control_t *zc_control_new_once (void *context, const char *endpoint)
{
    return s_new (context, endpoint, true);
}

static void s_read_monitor (zc_control_t *self)
{
    zc_monitor_event_t event;
    while (self->monitor && (event = zc_monitor_read (self->monitor)) != ZC_MONITOR_NOTHING) {
        self->connected = event == ZC_MONITOR_UP;
        self->lost = event == ZC_MONITOR_DOWN;
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
    return self->lost;
}

/*  Takes the request out of the table; the caller frees it. NULL where it isn't there. */
static s_request_t *s_take (zc_control_t *self, uint64_t number)
{
    s_request_t **at = &self->buckets[number % S_BUCKETS];
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    s_request_t *request = *at;
    if (request) {
        *at = request->next;
        self->pending--;
    }
    return request;
}

static s_request_t *s_find (zc_control_t *self, uint64_t number)
{
    s_request_t *request = self->buckets[number % S_BUCKETS];
    while (request && request->number != number)
        request = request->next;
    return request;
}

static void s_give_up (zc_control_t *self, uint64_t number)
{
    s_request_t *request = s_take (self, number);
    request->fn (request->arg, NULL, 0);
    free (request);
}

void zc_control_destroy (zc_control_t **self_p)
{
    zc_control_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (size_t i = 0; i < S_BUCKETS; i++)
        while (self->buckets[i])
            s_give_up (self, self->buckets[i]->number);
    zc_monitor_destroy (&self->monitor);
    zmq_close (self->socket);
    zc_redial_clear (&self->redial);
    free (self);
}

static int s_send (void *socket, const void *bytes, size_t len, int flags)
{
    int rc;
    do
        rc = zmq_send (socket, bytes, len, flags | ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -1 : 0;
}

/*  Called where there is a sign that nobody answers any more. */
static void s_redial (zc_control_t *self)
{
    if (!self->monitor)
        zc_redial_try (&self->redial);
}

uint64_t zc_control_request (zc_control_t *self, const zc_slice_t *frames, size_t count,
                             unsigned timeout_ms, zc_control_fn fn, void *arg)
{
    assert (count > 0);
    for (size_t i = 0; i < count; i++) {
        if (frames[i].len > self->frame_max) {
            errno = EMSGSIZE;
            return 0;
        }
    }
    uint64_t number = self->last + 1;
    char tag[S_TAG_SIZE];
    int len = snprintf (tag, sizeof tag, "#%llx", (unsigned long long)number);
    if (s_send (self->socket, tag, (size_t)len, ZMQ_SNDMORE) != 0) {
        s_redial (self); /* the queue may be full, or be gone with the session */
        errno = EAGAIN;
        return 0;
    }
    /*  Once the first frame is taken, so are the others; where the connection is torn down in
     *  between, ZeroMQ drops the rest, and the timeout tells. */
    for (size_t i = 0; i < count; i++)
        s_send (self->socket, frames[i].at, frames[i].len, i + 1 < count ? ZMQ_SNDMORE : 0);

    s_request_t *request = malloc (sizeof *request);
    if (!request)
        abort ();
    s_request_t **bucket = &self->buckets[number % S_BUCKETS];
    uint64_t deadline = timeout_ms ? zc_mono_ms () + timeout_ms : 0;
    *request = (s_request_t){*bucket, number, deadline, timeout_ms, fn, arg};
    *bucket = request;
    self->last = number;
    self->pending++;
    if (deadline && deadline < self->earliest)
        self->earliest = deadline;
    return number;
}

int zc_control_parse_limits (const zc_slice_t *frames, size_t count, size_t *max_payload)
{
    uint64_t number;
    if (count >= 2 && zc_slice_is (frames[0], "ERR") && zc_slice_is (frames[1], "verb"))
        return 1;
    if (count < 2 || !zc_slice_is (frames[0], "OK") ||
        zc_text_u64 (frames[1].at, frames[1].len, SIZE_MAX, &number) != 0)
        return -1;
    *max_payload = (size_t)number;
    return 0;
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
        while (self->buckets[i])
            zc_control_cancel (self, self->buckets[i]->number);
    self->earliest = UINT64_MAX;
}

size_t zc_control_pending (const zc_control_t *self)
{
    return self->pending;
}

int zc_control_fd (zc_control_t *self)
{
    int fd = -1;
    size_t size = sizeof fd;
    zmq_getsockopt (self->socket, ZMQ_FD, &fd, &size);
    return fd;
}

/*  Receives one message: up to S_FRAMES frames, the rest is dropped. Returns how many frames were
 *  kept, 0 where nothing waits. The caller closes them. */
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

/*  The number in a tag "#<hex>"; 0 where it isn't one of ours. */
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
    bool more = frames[1].len == 3 && memcmp (frames[1].at, "MSG", 3) == 0;
    zc_control_fn fn = request->fn;
    void *arg = request->arg;
    if (!more)
        free (s_take (self, number));
    else if (request->timeout_ms)
        request->deadline = now + request->timeout_ms;
    fn (arg, frames + 1, count - 1);
}

static void s_expire (zc_control_t *self, uint64_t now)
{
    if (now < self->earliest)
        return;
    uint64_t earliest = UINT64_MAX;
    self->earliest = UINT64_MAX; /* a callback's own new request sets it */
    for (size_t i = 0; i < S_BUCKETS; i++) {
        s_request_t *request = self->buckets[i];
        while (request) {
            if (request->deadline && request->deadline <= now) {
                s_redial (self); /* before its owner hears of it, who may ask anew */
                s_give_up (self, request->number);
                request = self->buckets[i]; /* the callback may have changed the chain */
                continue;
            }
            if (request->deadline && request->deadline < earliest)
                earliest = request->deadline;
            request = request->next;
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
        zc_redial_good (&self->redial);
    s_read_monitor (self);
    s_expire (self, now);
    return handled;
}

size_t zc_control_pollitems (zc_control_t *self, zmq_pollitem_t items[2])
{
    items[0] = (zmq_pollitem_t){self->socket, 0, ZMQ_POLLIN, 0};
    if (!self->monitor)
        return 1;
    items[1] = (zmq_pollitem_t){zc_monitor_socket (self->monitor), 0, ZMQ_POLLIN, 0};
    return 2;
}

long zc_control_timeout (const zc_control_t *self)
{
    if (self->earliest == UINT64_MAX)
        return -1;
    uint64_t now = zc_mono_ms ();
    return self->earliest > now ? (long)(self->earliest - now) : 0;
}

int zc_control_wait (zc_control_t *self, int timeout_ms)
{
    long until = zc_control_timeout (self);
    long wait = until >= 0 && (timeout_ms < 0 || until < timeout_ms) ? until : timeout_ms;
    zmq_pollitem_t items[2];
    zmq_poll (items, (int)zc_control_pollitems (self, items), wait);
    return zc_control_read (self, 1000);
}
