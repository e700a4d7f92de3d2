/*  outbox.c - a ROUTER decides with the first frame whether a peer can take a message: so nothing
 *  is ever sent by half. */
#include "broker/outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define S_FRAMES_MAX 5
#define S_WAITING_MAX 10000         /* answers */
#define S_WAITING_BYTES (64u << 20) /* of them */
#define S_BLOCKED_MAX 16            /* peers that are tried in one pass */

typedef struct s_waiting {
    struct s_waiting *next;
    zc_route_t route;
    size_t count, bytes;
    zmq_msg_t frames[S_FRAMES_MAX];
} s_waiting_t;

struct zc_outbox {
    void *router;
    s_waiting_t *first, **end;
    size_t waiting, bytes;
    uint64_t dropped;
};

zc_outbox_t *zc_outbox_new (void *router)
{
    zc_outbox_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->router = router;
    self->end = &self->first;
    return self;
}

static s_waiting_t *s_pop (zc_outbox_t *self)
{
    s_waiting_t *waiting = self->first;
    self->first = waiting->next;
    if (!self->first)
        self->end = &self->first;
    self->waiting--;
    self->bytes -= waiting->bytes;
    return waiting;
}

static void s_push (zc_outbox_t *self, s_waiting_t *waiting)
{
    waiting->next = NULL;
    *self->end = waiting;
    self->end = &waiting->next;
    self->waiting++;
    self->bytes += waiting->bytes;
}

static void s_free (s_waiting_t *waiting)
{
    for (size_t i = 0; i < waiting->count; i++)
        zmq_msg_close (&waiting->frames[i]);
    free (waiting);
}

void zc_outbox_destroy (zc_outbox_t **self_p)
{
    zc_outbox_t *self = *self_p;
    if (!self)
        return;
    while (self->first)
        s_free (s_pop (self));
    free (self);
    *self_p = NULL;
}

void zc_frame_set (zmq_msg_t *frame, const void *bytes, size_t len)
{
    if (zmq_msg_init_size (frame, len) != 0)
        abort ();
    if (len)
        memcpy (zmq_msg_data (frame), bytes, len);
}

void zc_route_set (zc_route_t *self, zmq_msg_t *identity, const zc_ask_t *request)
{
    self->identity_len = (uint8_t)zmq_msg_size (identity);
    memcpy (self->identity, zmq_msg_data (identity), self->identity_len);
    self->delimiter = request->delimiter;
    self->tag_len = (uint8_t)request->tag.len;
    if (self->tag_len)
        memcpy (self->tag, request->tag.at, self->tag_len);
}

bool zc_route_same_peer (const zc_route_t *self, const zc_route_t *other)
{
    return self->identity_len == other->identity_len &&
           memcmp (self->identity, other->identity, self->identity_len) == 0;
}

/*  Frames after the first can't fail: where the peer goes away in between, ZeroMQ drops them. */
static void s_more (zc_outbox_t *self, zmq_msg_t *frame, bool more)
{
    int rc = zmq_msg_send (frame, self->router, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
    assert (rc >= 0);
    (void)rc;
}

static void s_more_bytes (zc_outbox_t *self, const void *bytes, size_t len)
{
    zmq_msg_t frame;
    zc_frame_set (&frame, bytes, len);
    s_more (self, &frame, true);
}

zc_sent_t zc_outbox_send (zc_outbox_t *self, const zc_route_t *route, zmq_msg_t *frames,
                          size_t count)
{
    zmq_msg_t identity;
    zc_frame_set (&identity, route->identity, route->identity_len);
    int rc;
    do
        rc = zmq_msg_send (&identity, self->router, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        int reason = errno;
        zmq_msg_close (&identity);
        return reason == EAGAIN ? ZC_BLOCKED : ZC_GONE;
    }
    if (route->delimiter)
        s_more_bytes (self, "", 0);
    if (route->tag_len)
        s_more_bytes (self, route->tag, route->tag_len);
    for (size_t i = 0; i < count; i++)
        s_more (self, &frames[i], i + 1 < count);
    return ZC_SENT;
}

static void s_wait (zc_outbox_t *self, s_waiting_t *waiting)
{
    if (self->waiting >= S_WAITING_MAX || self->bytes + waiting->bytes > S_WAITING_BYTES) {
        self->dropped++;
        s_free (waiting);
    } else {
        s_push (self, waiting);
    }
}

void zc_outbox_answer (zc_outbox_t *self, const zc_route_t *route, const zc_slice_t *frames,
                       size_t count)
{
    assert (count <= S_FRAMES_MAX);
    zmq_msg_t out[S_FRAMES_MAX];
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        zc_frame_set (&out[i], frames[i].at, frames[i].len);
        bytes += frames[i].len;
    }
    /*  Behind what waits, so that a peer that pipelines gets its answers in order. */
    zc_sent_t sent = self->first ? ZC_BLOCKED : zc_outbox_send (self, route, out, count);
    if (sent == ZC_SENT)
        return;
    s_waiting_t *waiting = malloc (sizeof *waiting);
    if (!waiting)
        abort ();
    waiting->route = *route;
    waiting->count = count;
    waiting->bytes = bytes;
    memcpy (waiting->frames, out, count * sizeof *out);
    if (sent == ZC_GONE)
        s_free (waiting);
    else
        s_wait (self, waiting);
}

void zc_outbox_ok (zc_outbox_t *self, const zc_route_t *route, const void *bytes, size_t len)
{
    zc_slice_t frames[] = {{"OK", 2}, {bytes, len}};
    zc_outbox_answer (self, route, frames, 2);
}

void zc_outbox_error (zc_outbox_t *self, const zc_route_t *route, const char *code,
                      const char *text)
{
    zc_slice_t frames[] = {{"ERR", 3}, {code, strlen (code)}, {text, strlen (text)}};
    zc_outbox_answer (self, route, frames, 3);
}

static bool s_is_blocked (const s_waiting_t *waiting, s_waiting_t *const *blocked, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (zc_route_same_peer (&waiting->route, &blocked[i]->route))
            return true;
    return false;
}

void zc_outbox_retry (zc_outbox_t *self)
{
    /*  A peer that was blocked once stays so for this pass: else it may get a later answer first.
     *  The pass goes round the whole queue, or that order is lost. */
    s_waiting_t *blocked[S_BLOCKED_MAX];
    size_t blocked_count = 0, tries = self->waiting;
    while (tries-- > 0) {
        s_waiting_t *waiting = s_pop (self);
        zc_sent_t sent =
            blocked_count == S_BLOCKED_MAX || s_is_blocked (waiting, blocked, blocked_count)
                ? ZC_BLOCKED
                : zc_outbox_send (self, &waiting->route, waiting->frames, waiting->count);
        if (sent == ZC_BLOCKED) {
            if (blocked_count < S_BLOCKED_MAX && !s_is_blocked (waiting, blocked, blocked_count))
                blocked[blocked_count++] = waiting;
            s_push (self, waiting);
        } else {
            s_free (waiting);
        }
    }
}

size_t zc_outbox_waiting (const zc_outbox_t *self)
{
    return self->waiting;
}

uint64_t zc_outbox_dropped (const zc_outbox_t *self)
{
    return self->dropped;
}
