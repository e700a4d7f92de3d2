/*  outbox.c - answers that wait for their peers.
 *
 *  A ROUTER decides at the first frame whether a peer can take a message, so a message is never
 *  sent in part. Messages wait by peer, so that a peer that doesn't read holds up only itself. A
 *  peer may use as much memory as is still free, so that there is always room for one more peer,
 *  however many don't read. */
#include "broker/outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "broker/peers.h"

#define S_BYTES (64u << 20)     /* of all peers' queues */
#define S_PEER_BYTES (8u << 20) /* of one peer's queue */
#define S_TRIES 1000            /* sends tried in one turn */
#define S_RUN 100               /* and of these for one peer */

typedef struct s_waiting {
    STAILQ_ENTRY (s_waiting) turn;
    zc_route_t route;
    size_t count, bytes; /* bytes: with this struct */
    zmq_msg_t frames[ZC_ANSWER_FRAMES];
} s_waiting_t;

/*  A peer with a queue. */
typedef struct {
    zc_peer_t peer;
    STAILQ_HEAD (, s_waiting) messages;
    size_t bytes;
} s_queue_t;

struct zc_outbox {
    void *router;
    zc_peers_t queues;
    size_t waiting, bytes;
    uint64_t dropped;
};

zc_outbox_t *zc_outbox_new (void *router)
{
    zc_outbox_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->router = router;
    zc_peers_init (&self->queues);
    return self;
}

static void s_free (s_waiting_t *waiting)
{
    for (size_t i = 0; i < waiting->count; i++)
        zmq_msg_close (&waiting->frames[i]);
    free (waiting);
}

static void s_push (zc_outbox_t *self, s_queue_t *queue, s_waiting_t *waiting)
{
    STAILQ_INSERT_TAIL (&queue->messages, waiting, turn);
    queue->bytes += waiting->bytes;
    self->bytes += waiting->bytes;
    self->waiting++;
}

/*  Removes the first message; the queue goes with the last one. */
static void s_pop (zc_outbox_t *self, s_queue_t *queue)
{
    s_waiting_t *waiting = STAILQ_FIRST (&queue->messages);
    queue->bytes -= waiting->bytes;
    self->bytes -= waiting->bytes;
    self->waiting--;
    STAILQ_REMOVE_HEAD (&queue->messages, turn);
    if (STAILQ_EMPTY (&queue->messages)) {
        zc_peers_remove (&self->queues, &queue->peer);
        free (queue);
    }
    s_free (waiting);
}

void zc_outbox_destroy (zc_outbox_t **self_p)
{
    zc_outbox_t *self = *self_p;
    if (!self)
        return;
    while (zc_peers_size (&self->queues))
        s_pop (self, (s_queue_t *)zc_peers_turn (&self->queues));
    zc_peers_clear (&self->queues);
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
    self->names_line = request->line.len > 0;
    self->tag_len = (uint8_t)request->tag.len;
    if (self->tag_len)
        memcpy (self->tag, request->tag.at, self->tag_len);
    self->fd = -1;
}

zc_slice_t zc_route_peer (const zc_route_t *self)
{
    return (zc_slice_t){(const char *)self->identity, self->identity_len};
}

/*  Frames after the first can't fail: ZeroMQ drops them if the peer has gone. */
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

zc_sent_t zc_outbox_begin (zc_outbox_t *self, const zc_route_t *route)
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
    return ZC_SENT;
}

static void s_finish (zc_outbox_t *self, zmq_msg_t *frames, size_t count)
{
    for (size_t i = 0; i < count; i++)
        s_more (self, &frames[i], i + 1 < count);
}

/*  Returns how many frames there are, and in *bytes their size. */
static size_t s_frames (const zc_answer_t *answer, zmq_msg_t *payload, zmq_msg_t *frames,
                        size_t *bytes)
{
    zc_answer_frames_t out;
    zc_answer_write (answer, &out);
    for (size_t i = 0; i < out.count; i++) {
        *bytes += out.frames[i].len;
        if (payload && out.frames[i].at == answer->message.payload.at) {
            zmq_msg_init (&frames[i]);
            zmq_msg_copy (&frames[i], payload);
        } else {
            zc_frame_set (&frames[i], out.frames[i].at, out.frames[i].len);
        }
    }
    return out.count;
}

void zc_outbox_finish (zc_outbox_t *self, const zc_answer_t *answer, zmq_msg_t *payload)
{
    zmq_msg_t frames[ZC_ANSWER_FRAMES];
    size_t bytes = 0, count = s_frames (answer, payload, frames, &bytes);
    s_finish (self, frames, count);
}

/*  Sends one list of frames now, or none of it. After ZC_SENT the frames are ZeroMQ's. */
static zc_sent_t s_send (zc_outbox_t *self, const zc_route_t *route, zmq_msg_t *frames,
                         size_t count)
{
    zc_sent_t sent = zc_outbox_begin (self, route);
    if (sent == ZC_SENT)
        s_finish (self, frames, count);
    return sent;
}

static s_queue_t *s_queue_new (zc_outbox_t *self, const zc_route_t *route)
{
    s_queue_t *queue = calloc (1, sizeof *queue);
    if (!queue)
        abort ();
    STAILQ_INIT (&queue->messages);
    zc_peers_add (&self->queues, &queue->peer, zc_route_peer (route));
    return queue;
}

static void s_wait (zc_outbox_t *self, s_queue_t *queue, s_waiting_t *waiting)
{
    size_t room = S_BYTES - self->bytes < S_PEER_BYTES ? S_BYTES - self->bytes : S_PEER_BYTES;
    if ((queue ? queue->bytes : 0) + waiting->bytes > room) {
        self->dropped++;
        s_free (waiting);
    } else {
        s_push (self, queue ? queue : s_queue_new (self, &waiting->route), waiting);
    }
}

void zc_outbox_answer (zc_outbox_t *self, const zc_route_t *route, const zc_answer_t *answer)
{
    zmq_msg_t frames[ZC_ANSWER_FRAMES];
    size_t bytes = sizeof (s_waiting_t), count = s_frames (answer, NULL, frames, &bytes);
    /*  Behind the messages that wait for the peer, so that a peer that pipelines gets its
     *  answers in order. */
    s_queue_t *queue = (s_queue_t *)zc_peers_find (&self->queues, zc_route_peer (route));
    zc_sent_t sent = queue ? ZC_BLOCKED : s_send (self, route, frames, count);
    if (sent == ZC_SENT)
        return;
    s_waiting_t *waiting = malloc (sizeof *waiting);
    if (!waiting)
        abort ();
    waiting->route = *route;
    waiting->count = count;
    waiting->bytes = bytes;
    memcpy (waiting->frames, frames, count * sizeof *frames);
    if (sent == ZC_GONE)
        s_free (waiting);
    else
        s_wait (self, queue, waiting);
}

void zc_outbox_error (zc_outbox_t *self, const zc_route_t *route, const char *code,
                      const char *text)
{
    zc_answer_t answer = {
        .kind = ZC_ERR, .code = {code, strlen (code)}, .text = {text, strlen (text)}};
    zc_outbox_answer (self, route, &answer);
}

/*  Sends what one peer takes, at most `most` messages. Returns how often it tried. */
static size_t s_try (zc_outbox_t *self, s_queue_t *queue, size_t most)
{
    size_t tries = 0;
    for (s_waiting_t *waiting = STAILQ_FIRST (&queue->messages); waiting && tries < most; tries++) {
        s_waiting_t *next = STAILQ_NEXT (waiting, turn);
        if (s_send (self, &waiting->route, waiting->frames, waiting->count) == ZC_BLOCKED)
            return tries + 1;
        s_pop (self, queue);
        waiting = next;
    }
    return tries;
}

void zc_outbox_retry (zc_outbox_t *self)
{
    size_t peers = zc_peers_size (&self->queues);
    for (size_t tries = 0; peers > 0 && tries < S_TRIES; peers--)
        tries += s_try (self, (s_queue_t *)zc_peers_turn (&self->queues), S_RUN);
}

size_t zc_outbox_waiting (const zc_outbox_t *self)
{
    return self->waiting;
}

uint64_t zc_outbox_dropped (const zc_outbox_t *self)
{
    return self->dropped;
}
