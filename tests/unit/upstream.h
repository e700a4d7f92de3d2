/*  upstream.h - for the tests of link, worker and session: a broker in the test's own thread, with
 *  an XPUB and a ROUTER socket, that keeps what it is asked, and answers. */
#ifndef ZC_UNIT_UPSTREAM_H
#define ZC_UNIT_UPSTREAM_H

#include "tests/unit/unit.h"

#include <errno.h>
#include <unistd.h>
#include <zmq.h>
#include "lib/base/clock.h"
#include "lib/wire/answer.h"
#include "lib/wire/message.h"

#define UPSTREAM_FRAMES 64
#define UPSTREAM_KEPT 16

typedef struct {
    const char *topic, *payload; /* literals */
    char meta[128];
    size_t meta_len;
    zc_id_t id;
} upstream_message_t;

typedef struct {
    char folder[64], subscribe[96], control[96]; /* endpoints */
    void *context, *xpub, *router;
    char subscriptions[4096]; /* "+a -a ", in their order; those to nonces as "+nonce " */
    char asked[4096];         /* verbs, in their order: "LIMITS SYNC:a " */
    char reported[1024];      /* the JSON of the last REPORT */
    zc_id_t last;             /* of every topic */
    upstream_message_t kept[UPSTREAM_KEPT]; /* history */
    size_t count;
    bool silent; /* requests aren't answered */
    bool open;   /* else the broker is away */
} upstream_t;

static inline void *upstream_bind (upstream_t *self, int type, const char *endpoint)
{
    int no = 0;
    void *socket = zmq_socket (self->context, type);
    zmq_setsockopt (socket, ZMQ_LINGER, &no, sizeof no);
    assert_int_equal (zmq_bind (socket, endpoint), 0);
    return socket;
}

static inline void upstream_open (upstream_t *self)
{
    self->context = zmq_ctx_new ();
    self->xpub = upstream_bind (self, ZMQ_XPUB, self->subscribe);
    self->router = upstream_bind (self, ZMQ_ROUTER, self->control);
    self->subscriptions[0] = self->asked[0] = 0;
    self->open = true;
}

static inline void upstream_close (upstream_t *self)
{
    if (!self->open)
        return;
    self->open = false;
    zmq_close (self->xpub);
    zmq_close (self->router);
    zmq_ctx_term (self->context);
}

static inline void upstream_init (upstream_t *self)
{
    *self = (upstream_t){.folder = "/tmp/zcast-upstream-XXXXXX"};
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->subscribe, sizeof self->subscribe, "ipc://%s/s", self->folder);
    snprintf (self->control, sizeof self->control, "ipc://%s/c", self->folder);
    upstream_open (self);
}

static inline void upstream_end (upstream_t *self)
{
    upstream_close (self);
    unlink (self->subscribe + 6);
    unlink (self->control + 6);
    assert_int_equal (rmdir (self->folder), 0);
}

__attribute__ ((format (printf, 3, 4))) static inline void upstream_note (char *list, size_t size,
                                                                          const char *format, ...)
{
    size_t len = strlen (list);
    va_list args;
    va_start (args, format);
    vsnprintf (list + len, size - len, format, args);
    va_end (args);
}

/*  How often a word is in a list. */
static inline unsigned upstream_count (const char *list, const char *word)
{
    unsigned count = 0;
    for (const char *at = list; (at = strstr (at, word)); at += strlen (word))
        count++;
    return count;
}

static inline void upstream_subscriptions (upstream_t *self)
{
    char bytes[256];
    int len;
    while ((len = zmq_recv (self->xpub, bytes, sizeof bytes, ZMQ_DONTWAIT)) > 0)
        if (len > 1 && bytes[1] == 1)
            upstream_note (self->subscriptions, sizeof self->subscriptions, "%cnonce ",
                           bytes[0] ? '+' : '-');
        else
            upstream_note (self->subscriptions, sizeof self->subscriptions, "%c%.*s ",
                           bytes[0] ? '+' : '-', len - 1, bytes + 1);
}

static inline void upstream_send (upstream_t *self, const zc_slice_t *head, const zc_answer_t *with)
{
    zc_answer_frames_t out;
    zc_answer_write (with, &out);
    for (size_t i = 0; i < 2; i++)
        zmq_send (self->router, head[i].at, head[i].len, ZMQ_SNDMORE);
    for (size_t i = 0; i < out.count; i++)
        zmq_send (self->router, out.frames[i].at, out.frames[i].len,
                  i + 1 < out.count ? ZMQ_SNDMORE : 0);
}

static inline void upstream_page (upstream_t *self, const zc_slice_t *head, const zc_ask_t *ask)
{
    for (size_t i = 0; i < self->count; i++) {
        const upstream_message_t *kept = &self->kept[i];
        zc_answer_t answer = {.verb = ask->verb,
                              .kind = ZC_MSG,
                              .message = {.topic = {kept->topic, strlen (kept->topic)},
                                          .payload = {kept->payload, strlen (kept->payload)},
                                          .meta = {kept->meta, kept->meta_len}}};
        if (kept->id > ask->since && !self->silent)
            upstream_send (self, head, &answer);
    }
}

/*  `frames` begin with identity and tag. */
static inline void upstream_answer (upstream_t *self, const zc_slice_t *frames, size_t count)
{
    zc_ask_t ask;
    const char *text;
    zc_slice_t name;
    zc_buf_t lasts = ZC_BUF_INIT;
    assert_null (zc_ask_parse (&ask, frames + 1, count - 1, 1 << 20, &text));
    zc_answer_t answer = {.verb = ask.verb, .kind = ZC_OK, .head = self->last, .line = {"line", 4}};
    upstream_note (self->asked, sizeof self->asked, "%s", zc_verb_name (ask.verb));
    for (size_t at = 0; ask.list.len && zc_ask_topic (&ask, &at, &name);) {
        upstream_note (self->asked, sizeof self->asked, ":%.*s", (int)name.len, name.at);
        zc_lasts_add (&lasts, self->last);
    }
    upstream_note (self->asked, sizeof self->asked, " ");
    answer.lasts = (zc_slice_t){(char *)lasts.data, lasts.len};
    answer.max_payload = 4242;
    answer.id = 77;
    if (ask.verb == ZC_FETCH) {
        upstream_page (self, frames, &ask);
        answer.kind = ZC_END;
        answer.since = ask.since;
    }
    if (ask.verb == ZC_REPORT)
        snprintf (self->reported, sizeof self->reported, "%.*s", (int)ask.json.len, ask.json.at);
    if (!self->silent)
        upstream_send (self, frames, &answer);
    zc_buf_clear (&lasts);
}

/*  Takes in what has come, and answers it. Never blocks. */
static inline void upstream_turn (upstream_t *self)
{
    zmq_msg_t messages[UPSTREAM_FRAMES];
    zc_slice_t frames[UPSTREAM_FRAMES];
    while (self->open) {
        size_t count = 0;
        upstream_subscriptions (self);
        do {
            assert_true (count < UPSTREAM_FRAMES);
            zmq_msg_init (&messages[count]);
            if (zmq_msg_recv (&messages[count], self->router, ZMQ_DONTWAIT) < 0)
                return;
            frames[count] =
                (zc_slice_t){zmq_msg_data (&messages[count]), zmq_msg_size (&messages[count])};
        } while (zmq_msg_more (&messages[count++]));
        upstream_subscriptions (self); /* a nonce has come before its SYNC, or soon after */
        upstream_answer (self, frames, count);
        for (size_t i = 0; i < count; i++)
            zmq_msg_close (&messages[i]);
    }
}

/*  Publishes a message, whose prev is the position before. Its own position is by the clock, as a
 *  broker's is: a client that came before has a position before it. While the broker is away,
 *  history alone gets it. */
static inline void upstream_publish (upstream_t *self, const char *topic, const char *payload)
{
    zc_buf_t meta = ZC_BUF_INIT;
    zc_id_t now = zc_id_from_ms (zc_wall_ms ());
    assert_true (self->count < UPSTREAM_KEPT);
    upstream_message_t *kept = &self->kept[self->count++];
    *kept = (upstream_message_t){
        .topic = topic, .payload = payload, .id = now > self->last ? now : self->last + 1};
    zc_meta_write (&meta, kept->id, self->last, ZC_ID_NONE, (zc_slice_t){"", 0});
    self->last = kept->id;
    kept->meta_len = meta.len;
    assert_true (meta.len <= sizeof kept->meta);
    memcpy (kept->meta, meta.data, meta.len);
    zc_buf_clear (&meta);
    if (!self->open)
        return;
    zmq_send (self->xpub, topic, strlen (topic), ZMQ_SNDMORE);
    zmq_send (self->xpub, payload, strlen (payload), ZMQ_SNDMORE);
    zmq_send (self->xpub, kept->meta, kept->meta_len, 0);
}

#endif
