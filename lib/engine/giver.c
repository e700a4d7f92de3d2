/*  giver.c - see giver.h.
 *
 *  A batch of clients is sent, and answered, within one turn of the loop. Meanwhile no client is
 *  sent bytes, and none is read. So nothing must be stopped before, and nothing started again if
 *  the batch fails. The successor reads as fast as it can, and the time for a batch is bounded.
 *  Sends by io_uring are complete at the end of each turn (ring.h). */
#include "lib/engine/giver.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/passage.h"

#define S_BATCH_MS 5000 /* for a batch */
#define S_AGAIN_MS 20   /* until the next batch */
#define S_REST_MS 5000  /* for clients that couldn't go with the first batch */

typedef enum {
    S_HELLO,  /* the successor is starting */
    S_READY,  /* it follows the topics */
    S_AFTER,  /* it has clients */
    S_FAILED, /* it gets none */
} s_state_t;

struct zc_giver {
    s_state_t state;
    zc_hub_t *hub; /* borrowed */
    zc_giver_hooks_t hooks;
    zc_passage_t *passage; /* owned */
    pid_t pid;
    uv_poll_t poll;        /* of the passage */
    uv_timer_t timer;      /* ends the state when its time is over */
    unsigned open_handles; /* while it is destroyed */
    bool ended;            /* the successor has closed its end */
    uint64_t rest_ms;      /* when the time of the remaining clients is over */
    /*  The batch under way. */
    uint64_t deadline_ms;
    void **items; /* owned array */
    size_t count, cap;
    bool broken; /* the batch can't be sent */
    size_t given;
};

/*  The end. */

static void s_fail (zc_giver_t *self, const char *why)
{
    if (self->state >= S_AFTER)
        return;
    self->state = S_FAILED;
    if (!self->ended)
        kill (self->pid, SIGKILL);
    zc_error (
        ZC_EVENT ("upgrade.failed process error", "upgrade: process %ld %s; this one goes on"),
        (long)self->pid, why);
    self->hooks.over (self->hooks.arg, false);
}

static void s_end (zc_giver_t *self)
{
    size_t left = self->hooks.left (self->hooks.arg);
    zc_info (ZC_EVENT ("clients.left process given left",
                       "upgrade: process %ld has %zu clients; %zu are told to come back"),
             (long)self->pid, self->given, left);
    self->hooks.over (self->hooks.arg, true);
}

/*  Frames. */

static bool s_send (zc_giver_t *self, const zc_handover_t *frame, int fd)
{
    zc_buf_t bytes = ZC_BUF_INIT;
    zc_handover_write (&bytes, frame);
    bool sent = bytes.len <= ZC_HANDOVER_FRAME_MAX &&
                zc_passage_send (self->passage, bytes.data, bytes.len, fd, self->deadline_ms) == 0;
    zc_buf_clear (&bytes);
    return sent;
}

/*  Reads the successor's next frame, which must be of this kind or REFUSED. Returns 0 if no
 *  whole frame has come; -1 if it is another one. */
static int s_next (zc_giver_t *self, zc_handover_kind_t kind, uint64_t *number)
{
    zc_buf_t *in = zc_passage_bytes (self->passage);
    zc_handover_t frame;
    const char *error;
    long len = zc_handover_read (&frame, in->data, in->len, &error);
    if (len == 0)
        return 0;
    if (len > 0 && frame.kind == ZC_HANDOVER_REFUSED)
        zc_error (ZC_EVENT ("upgrade.refused process error", "upgrade: process %ld: %.*s"),
                  (long)self->pid, (int)frame.text.len, frame.text.at);
    bool good = len > 0 && frame.kind == kind;
    if (good) {
        *number = frame.number;
        zc_buf_shift (in, (size_t)len);
    }
    return good ? 1 : -1;
}

/*  Batches. */

/*  Enough for what a record has besides the fields that grow with their client. */
#define S_REST_BYTES (256u << 10)

bool zc_giver_add (zc_giver_t *self, const zc_handover_t *client, int fd, void *item)
{
    size_t len = client->unsent.len + client->received.len + client->topics.len +
                 client->publish.len + client->subscribe.len;
    if (len > ZC_HANDOVER_FRAME_MAX - S_REST_BYTES)
        return false; /* this client is told to come back */
    if (self->broken || !s_send (self, client, fd)) {
        self->broken = true;
        return false;
    }
    if (self->count == self->cap) {
        self->cap = self->cap ? 2 * self->cap : 64;
        self->items = realloc (self->items, self->cap * sizeof *self->items);
        if (!self->items)
            abort ();
    }
    self->items[self->count++] = item;
    return true;
}

/*  Waits until the successor has confirmed the batch. */
static bool s_wait_taken (zc_giver_t *self)
{
    uint64_t taken = 0;
    int rc;
    while ((rc = s_next (self, ZC_HANDOVER_TAKEN, &taken)) == 0)
        if (zc_passage_wait (self->passage, self->deadline_ms) != 0 ||
            zc_passage_receive (self->passage) < 0)
            return false;
    return rc > 0 && taken == self->count;
}

/*  Returns true if the clients that could go are the successor's. */
static bool s_batch (zc_giver_t *self)
{
    const zc_handover_t commit = {.kind = ZC_HANDOVER_COMMIT};
    self->deadline_ms = zc_mono_ms () + S_BATCH_MS;
    self->count = 0;
    self->broken = false;
    self->hooks.give (self->hooks.arg, self);
    const zc_handover_t done = {.kind = ZC_HANDOVER_DONE, .number = self->count};
    if (self->broken || !s_send (self, &done, -1) || !s_wait_taken (self) ||
        !s_send (self, &commit, -1))
        return false;
    for (size_t i = 0; i < self->count; i++)
        self->hooks.given (self->hooks.arg, self->items[i]);
    self->given += self->count;
    return true;
}

static void s_on_timer (uv_timer_t *timer);

static void s_first_batch (zc_giver_t *self)
{
    uint64_t began = zc_mono_ms ();
    if (!s_batch (self)) {
        s_fail (self, "did not take the clients");
        return;
    }
    self->state = S_AFTER;
    self->rest_ms = zc_mono_ms () + S_REST_MS;
    zc_info (ZC_EVENT ("clients.given clients process ms",
                       "upgrade: %zu clients handed over to process %ld in %llu ms"),
             self->given, (long)self->pid, (unsigned long long)(zc_mono_ms () - began));
    self->hooks.committed (self->hooks.arg);
    uv_timer_start (&self->timer, s_on_timer, S_AGAIN_MS, S_AGAIN_MS);
}

static void s_later_batch (zc_giver_t *self)
{
    bool left = self->hooks.left (self->hooks.arg) > 0;
    if (left && zc_mono_ms () < self->rest_ms && s_batch (self))
        return;
    uv_timer_stop (&self->timer);
    s_end (self);
}

/*  The successor. */

/*  Announces the channels. */
static void s_offer (zc_giver_t *self)
{
    const zc_handover_t prepare = {.kind = ZC_HANDOVER_PREPARE};
    zc_handover_t offer = {.kind = ZC_HANDOVER_OFFER,
                           .text = zc_line_slice (zc_hub_line (self->hub))};
    zc_handover_t channel = {.kind = ZC_HANDOVER_CHANNEL};
    zc_table_cursor_t at = {0};
    const char *encoding;
    zc_view_t view;
    self->deadline_ms = zc_mono_ms () + S_BATCH_MS;
    bool sent = s_send (self, &offer, -1);
    while (sent && zc_hub_next_channel (self->hub, &at, &encoding, &channel.topics, &view)) {
        channel.subscribe = view.grants;
        channel.flags = view.selective ? ZC_HANDOVER_SELECTIVE : 0;
        channel.encoding = (zc_slice_t){encoding, strlen (encoding)};
        sent = s_send (self, &channel, -1);
    }
    self->state = S_READY;
    if (!sent || !s_send (self, &prepare, -1))
        s_fail (self, "does not read");
}

static void s_take_frames (zc_giver_t *self)
{
    uint64_t number = 0;
    int rc = 1;
    while (rc > 0 && self->state <= S_READY) {
        bool hello = self->state == S_HELLO;
        rc = s_next (self, hello ? ZC_HANDOVER_HELLO : ZC_HANDOVER_READY, &number);
        if (rc < 0 || (rc > 0 && hello && number != ZC_HANDOVER_VERSION))
            s_fail (self, rc < 0 ? "does not take over" : "speaks another version of the handover");
        else if (rc > 0 && hello)
            s_offer (self);
        else if (rc > 0)
            s_first_batch (self);
    }
}

static void s_on_poll (uv_poll_t *poll, int status, int events)
{
    zc_giver_t *self = poll->data;
    int rc;
    (void)status;
    (void)events;
    while ((rc = zc_passage_receive (self->passage)) > 0)
        ;
    self->ended = rc < 0;
    if (self->state <= S_READY)
        s_take_frames (self);
    if (rc < 0 && !uv_is_closing ((uv_handle_t *)poll))
        uv_poll_stop (poll);
    if (self->ended)
        s_fail (self, "has ended");
}

static void s_on_timer (uv_timer_t *timer)
{
    zc_giver_t *self = timer->data;
    if (self->state == S_AFTER) {
        s_later_batch (self);
        return;
    }
    s_fail (self, "is not ready in time");
}

zc_giver_t *zc_giver_new (uv_loop_t *loop, zc_hub_t *hub, const zc_giver_hooks_t *hooks, int fd,
                          pid_t pid, unsigned timeout_ms)
{
    zc_giver_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->hub = hub;
    self->hooks = *hooks;
    self->passage = zc_passage_new (fd);
    self->pid = pid;
    uv_poll_init (loop, &self->poll, fd);
    uv_timer_init (loop, &self->timer);
    self->poll.data = self->timer.data = self;
    uv_poll_start (&self->poll, UV_READABLE, s_on_poll);
    uv_timer_start (&self->timer, s_on_timer, timeout_ms, 0);
    return self;
}

static void s_on_closed (uv_handle_t *handle)
{
    zc_giver_t *self = handle->data;
    if (--self->open_handles > 0)
        return;
    zc_passage_destroy (&self->passage);
    free (self->items);
    free (self);
}

void zc_giver_destroy (zc_giver_t **self_p)
{
    zc_giver_t *self = *self_p;
    if (!self)
        return;
    self->open_handles = 2;
    uv_close ((uv_handle_t *)&self->poll, s_on_closed);
    uv_close ((uv_handle_t *)&self->timer, s_on_closed);
    *self_p = NULL;
}
