/*  successor.c - see successor.h. */
#include "broker/successor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/bequest.h"
#include "broker/history/memory.h"
#include "broker/outbox.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/passage.h"

#define S_WAIT_MS 120000 /* for the next frame: the predecessor serves meanwhile */
#define S_SEND_MS 5000
#define S_LISTENERS 64

typedef struct {
    int fd;
    zc_intake_role_t role;
    char address[256];
} s_listener_t;

struct zc_successor {
    zc_passage_t *passage; /* owned */
    zc_successor_config_t config;
    zc_history_t *history; /* owned until they are the caller's, like topics and dedup */
    zc_topics_t *topics;
    zc_dedup_t *dedup;
    zc_id_t last, head, dropped;
    uint64_t started_ms;
    zc_id_t newest; /* of the messages that have come */
    size_t count;   /* topics that have come */
    bool has_state, done;
    s_listener_t listeners[S_LISTENERS];
    size_t listening;
};

static int s_send (zc_successor_t *self, const zc_bequest_t *frame)
{
    zc_buf_t bytes = ZC_BUF_INIT;
    zc_bequest_write (&bytes, frame);
    int rc = zc_passage_send (self->passage, bytes.data, bytes.len, -1, zc_mono_ms () + S_SEND_MS);
    zc_buf_clear (&bytes);
    return rc;
}

static int s_refuse (zc_successor_t *self, const char *why)
{
    const zc_bequest_t frame = {.kind = ZC_BEQUEST_REFUSED, .text = {why, strlen (why)}};
    zc_error (ZC_EVENT ("upgrade.refused error", "upgrade: refused: %s"), why);
    s_send (self, &frame);
    return -1;
}

/*  Each of these takes a frame. It returns NULL, or what is wrong. */

static const char *s_take_message (zc_successor_t *self, const zc_bequest_t *frame)
{
    if (!self->config.in_memory || self->has_state || frame->id <= self->newest)
        return "a message is out of order";
    self->newest = frame->id;
    zc_item_t item = {.where = zc_topics_inherit (self->topics, frame->topic, true),
                      .id = frame->id,
                      .expires_ms = frame->expires_ms,
                      .event_at = (uint16_t)frame->event_at,
                      .event_len = (uint16_t)frame->event_len};
    zc_frame_set (&item.payload, frame->payload.at, frame->payload.len);
    zc_frame_set (&item.meta, frame->meta.at, frame->meta.len);
    zc_history_memory_add (self->history, &item);
    zmq_msg_close (&item.payload);
    zmq_msg_close (&item.meta);
    return NULL;
}

static const char *s_take_gone (zc_successor_t *self, const zc_bequest_t *frame)
{
    zc_slice_t ids = frame->ids;
    uint64_t id;
    if (!self->config.in_memory || self->has_state)
        return "history is out of order";
    while (zc_bequest_next_id (&ids, &id))
        zc_history_memory_remove (self->history, id);
    return NULL;
}

static const char *s_begin_history (zc_successor_t *self, const zc_bequest_t *frame, int file)
{
    zc_memory_state_t state = {.last = frame->id,
                               .lost = frame->lost,
                               .floor = frame->floor,
                               .trimmed = frame->trimmed,
                               .position = file};
    if (self->config.in_memory) {
        zc_line_parse (&state.line, frame->line);
        zc_history_memory_begin (self->history, &state);
    } else {
        self->history = self->config.open (self->config.arg, file, &self->topics);
    }
    if (!self->history)
        return "history can't be opened";
    self->history->left = true; /* its files are still the predecessor's */
    return NULL;
}

static const char *s_take_state (zc_successor_t *self, const zc_bequest_t *frame)
{
    int file = frame->file ? zc_passage_take (self->passage) : -1;
    if (self->has_state || (frame->file && file < 0) || (!self->config.in_memory && file < 0)) {
        if (file >= 0)
            close (file);
        return "the broker's state is out of order";
    }
    self->has_state = true;
    self->last = frame->id;
    self->head = frame->head;
    self->dropped = frame->dropped;
    self->started_ms = frame->started_ms;
    zc_dedup_set_secret (self->dedup, (const uint8_t *)frame->secret.at);
    const char *wrong = s_begin_history (self, frame, file);
    if (!wrong)
        zc_topics_forget (self->topics, frame->forgotten);
    return wrong;
}

static const char *s_take_topic (zc_successor_t *self, const zc_bequest_t *frame)
{
    if (!self->has_state)
        return "a topic is out of order";
    zc_topic_t *topic = zc_topics_inherit (self->topics, frame->topic, frame->published);
    topic->last = frame->id;
    topic->sent = frame->sent;
    topic->floor = frame->floor;
    topic->lost = frame->lost;
    topic->mixed = frame->id; /* nobody knows any more */
    self->count++;
    return NULL;
}

static const char *s_take_seen (zc_successor_t *self, const zc_bequest_t *frame)
{
    zc_digest_t digest;
    if (!self->has_state)
        return "what was seen is out of order";
    memcpy (&digest, frame->digest.at, sizeof digest);
    zc_dedup_add (self->dedup, frame->topic, frame->name, digest, frame->id, frame->at_ms);
    return NULL;
}

static const char *s_take_listener (zc_successor_t *self, const zc_bequest_t *frame)
{
    int fd = zc_passage_take (self->passage);
    if (fd < 0 || self->listening == S_LISTENERS) {
        if (fd >= 0)
            close (fd);
        return "a listening socket is missing, or there are too many";
    }
    s_listener_t *listener = &self->listeners[self->listening++];
    listener->fd = fd;
    listener->role = (zc_intake_role_t)(frame->role - 1);
    memcpy (listener->address, frame->address.at, frame->address.len);
    return NULL;
}

/*  Topics that have left the predecessor's table had come with their messages. */
static const char *s_take_done (zc_successor_t *self, const zc_bequest_t *frame)
{
    (void)frame;
    if (!self->has_state)
        return "it ends too early";
    zc_topics_keep (self->topics, self->count);
    self->done = true;
    return NULL;
}

static const char *(*const s_kinds[ZC_BEQUEST_KINDS]) (zc_successor_t *self,
                                                       const zc_bequest_t *frame) = {
    [ZC_BEQUEST_MESSAGE] = s_take_message, [ZC_BEQUEST_GONE] = s_take_gone,
    [ZC_BEQUEST_STATE] = s_take_state,     [ZC_BEQUEST_TOPIC] = s_take_topic,
    [ZC_BEQUEST_SEEN] = s_take_seen,       [ZC_BEQUEST_LISTENER] = s_take_listener,
    [ZC_BEQUEST_DONE] = s_take_done,
};

/*  Takes the frames that have come. Returns 0, or -1. */
static int s_take_frames (zc_successor_t *self)
{
    zc_buf_t *in = zc_passage_bytes (self->passage);
    zc_bequest_t frame;
    const char *error = NULL;
    size_t at = 0;
    long len = 0;
    while (!error && !self->done &&
           (len = zc_bequest_read (&frame, in->data + at, in->len - at, &error)) > 0) {
        error = s_kinds[frame.kind] ? s_kinds[frame.kind](self, &frame) : "a frame is out of order";
        at += (size_t)len;
    }
    zc_buf_shift (in, at);
    return error ? s_refuse (self, error) : 0;
}

/*  Returns 0 once more has come; -1 where the predecessor has ended, or says nothing. */
static int s_hear (zc_successor_t *self)
{
    if (zc_passage_wait (self->passage, zc_mono_ms () + S_WAIT_MS) == 0 &&
        zc_passage_receive (self->passage) >= 0)
        return 0;
    zc_error (ZC_EVENT ("upgrade.left error", "upgrade: %s"),
              "the process before goes on without this one");
    return -1;
}

int zc_successor_take (zc_successor_t *self)
{
    const zc_bequest_t hello = {.kind = ZC_BEQUEST_HELLO,
                                .number = ZC_BEQUEST_VERSION,
                                .text = {self->config.estate, strlen (self->config.estate)}};
    if (s_send (self, &hello) != 0)
        return -1;
    while (!self->done)
        if (s_hear (self) != 0 || s_take_frames (self) != 0)
            return -1;
    return 0;
}

zc_history_t *zc_successor_history (zc_successor_t *self, zc_topics_t **topics, zc_id_t *last,
                                    zc_estate_t *estate)
{
    zc_history_t *history = self->history;
    *topics = self->topics;
    *last = self->last;
    *estate = (zc_estate_t){self->dedup, self->head, self->dropped, self->started_ms};
    self->history = NULL;
    self->topics = NULL;
    self->dedup = NULL;
    return history;
}

static int s_wait_commit (zc_successor_t *self)
{
    const zc_buf_t *in = zc_passage_bytes (self->passage);
    zc_bequest_t frame;
    const char *error;
    long len;
    while ((len = zc_bequest_read (&frame, in->data, in->len, &error)) == 0)
        if (s_hear (self) != 0)
            return -1;
    return len > 0 && frame.kind == ZC_BEQUEST_COMMIT ? 0 : -1;
}

int zc_successor_begin (zc_successor_t *self, zc_broker_t *broker)
{
    const zc_bequest_t ready = {.kind = ZC_BEQUEST_READY};
    if (s_send (self, &ready) != 0 || s_wait_commit (self) != 0)
        return -1;
    zc_broker_flow (broker)->history->left = false;
    for (; self->listening > 0; self->listening--) {
        const s_listener_t *listener = &self->listeners[self->listening - 1];
        if (zc_broker_adopt (broker, listener->role, listener->address, listener->fd) != 0)
            zc_error (ZC_EVENT ("endpoint.lost endpoint error",
                                "upgrade: %s can't be taken over: %s; nobody can connect"),
                      listener->address, strerror (errno));
    }
    return 0;
}

static void s_evict (void *history, zc_topic_t *topic)
{
    zc_history_evict (history, topic);
}

zc_successor_t *zc_successor_new (int predecessor, const zc_successor_config_t *config)
{
    zc_successor_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->passage = zc_passage_new (predecessor);
    self->config = *config;
    self->dedup = zc_dedup_new ();
    zc_dedup_configure (self->dedup, config->dedup_window_ms, config->dedup_max);
    if (config->in_memory) {
        self->history = zc_history_memory_heir ();
        /* bounded by the predecessor's table; the broker sets the limit again */
        self->topics = zc_topics_new (SIZE_MAX, ZC_ID_NONE, s_evict, self->history);
    }
    return self;
}

void zc_successor_destroy (zc_successor_t **self_p)
{
    zc_successor_t *self = *self_p;
    if (!self)
        return;
    for (; self->listening > 0; self->listening--)
        close (self->listeners[self->listening - 1].fd);
    zc_history_destroy (&self->history);
    zc_topics_destroy (&self->topics);
    zc_dedup_destroy (&self->dedup);
    zc_passage_destroy (&self->passage);
    free (self);
    *self_p = NULL;
}
