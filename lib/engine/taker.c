/*  taker.c - see taker.h. Clients of a batch are kept as received until the predecessor says
 *  that they are ours. */
#include "lib/engine/taker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/passage.h"

#define S_LOOK_MS 5    /* how often to check whether all topics are followed */
#define S_SEND_MS 5000 /* for a frame to be read */
#define S_TOPICS_MAX 10000

/*  A client that isn't ours yet. */
typedef struct {
    uint8_t *bytes; /* owned: its frame */
    size_t len;
    int fd; /* owned */
} s_kept_t;

struct zc_taker {
    zc_hub_t *hub; /* borrowed */
    zc_taker_hooks_t hooks;
    zc_passage_t *passage; /* owned */
    uv_poll_t poll;        /* of the passage */
    uv_timer_t timer;      /* while the topics aren't followed yet */
    unsigned open_handles; /* while it is destroyed */
    zc_line_t line;        /* of the predecessor's positions */
    s_kept_t *kept;        /* owned array */
    size_t count, cap;
    bool ready, begun, over;
};

static bool s_send (zc_taker_t *self, const zc_handover_t *frame)
{
    zc_buf_t bytes = ZC_BUF_INIT;
    zc_handover_write (&bytes, frame);
    int rc = zc_passage_send (self->passage, bytes.data, bytes.len, -1, zc_mono_ms () + S_SEND_MS);
    zc_buf_clear (&bytes);
    return rc == 0;
}

static void s_let_go (zc_taker_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        close (self->kept[i].fd);
        free (self->kept[i].bytes);
    }
    self->count = 0;
}

/*  Once this process serves, messages of the predecessor no longer concern its clients. */
static void s_stop (zc_taker_t *self)
{
    if (self->over)
        return;
    self->over = true;
    uv_poll_stop (&self->poll);
    uv_timer_stop (&self->timer);
    s_let_go (self);
    if (!self->begun)
        self->hooks.failed (self->hooks.arg);
}

static void s_refuse (zc_taker_t *self, const char *why)
{
    const zc_handover_t frame = {.kind = ZC_HANDOVER_REFUSED, .text = {why, strlen (why)}};
    zc_error (ZC_EVENT ("upgrade.refused error", "upgrade: refused: %s"), why);
    s_send (self, &frame);
    s_stop (self);
}

/*  Topics. */

static void s_on_timer (uv_timer_t *timer)
{
    zc_taker_t *self = timer->data;
    const zc_handover_t ready = {.kind = ZC_HANDOVER_READY};
    zc_hub_settle (self->hub);
    if (!zc_hub_prepared (self->hub))
        return;
    uv_timer_stop (timer);
    const zc_line_t *line = zc_hub_line (self->hub);
    self->ready = true;
    if (zc_line_known (&self->line) && zc_line_known (line) && !zc_line_same (&self->line, line))
        s_refuse (self, "the broker's positions are of another line");
    else
        s_send (self, &ready);
}

static size_t s_split (zc_slice_t list, zc_slice_t *topics)
{
    size_t count = 0;
    while (count < S_TOPICS_MAX && zc_handover_next (&list, &topics[count]))
        count++;
    return count;
}

static void s_prepare (zc_taker_t *self, const zc_handover_t *frame)
{
    static zc_slice_t topics[S_TOPICS_MAX];
    const zc_encoding_t *encoding = self->hooks.encoding (self->hooks.arg, frame->encoding);
    const zc_view_t view = {frame->subscribe, (frame->flags & ZC_HANDOVER_SELECTIVE) != 0};
    if (encoding)
        zc_hub_prepare (self->hub, encoding, topics, s_split (frame->topics, topics), &view);
}

/*  Clients. */

static void s_keep (zc_taker_t *self, const zc_handover_t *frame, const uint8_t *bytes, size_t len)
{
    int fd = zc_passage_take (self->passage);
    if (fd < 0 || !self->ready || !self->hooks.can_take (self->hooks.arg, frame)) {
        if (fd >= 0)
            close (fd);
        s_refuse (self, "a client can't be taken over");
        return;
    }
    if (self->count == self->cap) {
        self->cap = self->cap ? 2 * self->cap : 64;
        self->kept = realloc (self->kept, self->cap * sizeof *self->kept);
        if (!self->kept)
            abort ();
    }
    s_kept_t *kept = &self->kept[self->count++];
    *kept = (s_kept_t){malloc (len), len, fd};
    if (!kept->bytes)
        abort ();
    memcpy (kept->bytes, bytes, len);
}

static void s_answer (zc_taker_t *self, uint64_t number)
{
    const zc_handover_t taken = {.kind = ZC_HANDOVER_TAKEN, .number = number};
    if (number != self->count)
        s_refuse (self, "not all clients have come");
    else
        s_send (self, &taken);
}

static void s_take (zc_taker_t *self)
{
    bool first = !self->begun;
    size_t count = self->count;
    self->begun = true;
    for (size_t i = 0; i < count; i++) {
        zc_handover_t frame;
        const char *error;
        zc_handover_read (&frame, self->kept[i].bytes, self->kept[i].len, &error);
        self->hooks.take (self->hooks.arg, &frame, self->kept[i].fd);
        free (self->kept[i].bytes);
    }
    self->count = 0;
    if (first) {
        zc_info (ZC_EVENT ("clients.taken clients", "upgrade: took %zu clients over"), count);
        self->hooks.begin (self->hooks.arg);
    }
}

static void s_take_frame (zc_taker_t *self, const zc_handover_t *frame, const uint8_t *bytes,
                          size_t len)
{
    switch (frame->kind) {
    case ZC_HANDOVER_OFFER:
        zc_line_parse (&self->line, frame->text);
        break;
    case ZC_HANDOVER_CHANNEL:
        s_prepare (self, frame);
        break;
    case ZC_HANDOVER_PREPARE:
        uv_timer_start (&self->timer, s_on_timer, 0, S_LOOK_MS);
        break;
    case ZC_HANDOVER_CLIENT:
        s_keep (self, frame, bytes, len);
        break;
    case ZC_HANDOVER_DONE:
        s_answer (self, frame->number);
        break;
    case ZC_HANDOVER_COMMIT:
        s_take (self);
        break;
    default:
        s_refuse (self, "a frame is not the predecessor's to say");
    }
}

static void s_take_frames (zc_taker_t *self)
{
    zc_buf_t *in = zc_passage_bytes (self->passage);
    size_t done = 0;
    long len = 1;
    while (!self->over && len > 0) {
        zc_handover_t frame;
        const char *error;
        len = zc_handover_read (&frame, in->data + done, in->len - done, &error);
        if (len < 0)
            s_refuse (self, error);
        if (len > 0)
            s_take_frame (self, &frame, in->data + done, (size_t)len);
        done += len > 0 ? (size_t)len : 0;
    }
    zc_buf_shift (in, done);
}

static void s_on_poll (uv_poll_t *poll, int status, int events)
{
    zc_taker_t *self = poll->data;
    int rc = 1;
    (void)status;
    (void)events;
    while (!self->over && (rc = zc_passage_receive (self->passage)) > 0)
        s_take_frames (self);
    if (rc < 0)
        s_stop (self);
}

zc_taker_t *zc_taker_new (uv_loop_t *loop, zc_hub_t *hub, const zc_taker_hooks_t *hooks, int fd)
{
    const zc_handover_t hello = {.kind = ZC_HANDOVER_HELLO, .number = ZC_HANDOVER_VERSION};
    zc_taker_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->hub = hub;
    self->hooks = *hooks;
    self->passage = zc_passage_new (fd);
    uv_poll_init (loop, &self->poll, fd);
    uv_timer_init (loop, &self->timer);
    self->poll.data = self->timer.data = self;
    uv_poll_start (&self->poll, UV_READABLE, s_on_poll);
    s_send (self, &hello);
    return self;
}

static void s_on_closed (uv_handle_t *handle)
{
    zc_taker_t *self = handle->data;
    if (--self->open_handles > 0)
        return;
    s_let_go (self);
    zc_passage_destroy (&self->passage);
    free (self->kept);
    free (self);
}

void zc_taker_destroy (zc_taker_t **self_p)
{
    zc_taker_t *self = *self_p;
    if (!self)
        return;
    self->over = true;
    self->open_handles = 2;
    uv_close ((uv_handle_t *)&self->poll, s_on_closed);
    uv_close ((uv_handle_t *)&self->timer, s_on_closed);
    *self_p = NULL;
}
