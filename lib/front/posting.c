/*  posting.c - see posting.h. A message that was sent can't be
 *  taken back, so a posting without a waiting request lives on until it is answered, or given
 *  up. */
#include "lib/front/posting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/wire/traceparent.h"

#define S_TIMEOUT_MS 10000            /* for the broker's answer */
#define S_MOVE_MS 5000                /* a worker finds the next of several brokers within this */
#define S_KEPT_MAX ((size_t)64 << 20) /* bytes of messages that can be sent again */

struct zc_posting {
    zc_front_t *front; /* borrowed */
    bool forgotten;    /* nobody waits */
    zc_posting_fn fn;
    void *arg;                                /* borrowed */
    uint64_t sent_us;                         /* on the monotonic clock */
    char traceparent[ZC_TRACEPARENT_LEN + 1]; /* "": none */
    /*  The message, to be sent again: owned; "" if it can't be. */
    size_t topic_len, payload_len, headers_len;
    char message[];
};

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static zc_receipt_t s_receipt (unsigned status, const char *code, const char *text)
{
    return (zc_receipt_t){status, s_slice (code), s_slice (text)};
}

/*  The status for a code that the broker answered with ERR: a fault of the message is permanent,
 *  any other may be over in a moment. */
static unsigned s_status (zc_slice_t code)
{
    static const struct {
        const char *code;
        unsigned status;
    } known[] = {{"topic", 400},   {"headers", 400},  {"arguments", 400},
                 {"payload", 413}, {"conflict", 409}, {"forbidden", 403}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (zc_slice_is (code, known[i].code))
            return known[i].status;
    return 503;
}

static void s_log (const zc_posting_t *self, const zc_receipt_t *receipt)
{
    zc_traceparent_log (s_slice (self->traceparent));
    if (receipt->status == 200)
        zc_debug (ZC_EVENT ("publish.acknowledged id", "published as %.*s"), (int)receipt->text.len,
                  receipt->text.at);
    else
        zc_debug (ZC_EVENT ("publish.failed code error", "not published: %.*s: %.*s"),
                  (int)receipt->code.len, receipt->code.at, (int)receipt->text.len,
                  receipt->text.at);
    zc_log_no_trace ();
}

/*  The bytes of a message that may be sent again: several brokers have one log, which recognises a
 *  repeat by id or key at whichever of them it comes. Otherwise, 0. */
static size_t s_repeatable (const zc_front_t *front, const zc_ask_t *ask)
{
    zc_slice_t name;
    if (!zc_link_several (zc_worker_link (front->worker)))
        return 0;
    size_t size = ask->message.topic.len + ask->message.payload.len + ask->headers.len;
    bool named =
        zc_header_find (ask->headers, "id", &name) || zc_header_find (ask->headers, "key", &name);
    return named && size <= S_KEPT_MAX - front->kept ? size : 0;
}

static void s_keep (zc_posting_t *self, const zc_ask_t *ask)
{
    const zc_slice_t parts[] = {ask->message.topic, ask->message.payload, ask->headers};
    char *to = self->message;
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len)
            memcpy (to, parts[i].at, parts[i].len);
        to += parts[i].len;
    }
    self->topic_len = ask->message.topic.len;
    self->payload_len = ask->message.payload.len;
    self->headers_len = ask->headers.len;
    self->front->kept += self->topic_len + self->payload_len + self->headers_len;
}

static void s_free (zc_posting_t *self, zc_front_t *front)
{
    front->kept -= self->topic_len + self->payload_len + self->headers_len;
    free (self);
}

static void s_on_answer (void *arg, const zc_answer_t *answer);

/*  The connection was lost, and the time isn't over: the request waits for the next connection. */
static bool s_send_again (zc_posting_t *self, const zc_answer_t *answer)
{
    uint64_t waited_ms = (zc_mono_us () - self->sent_us) / 1000;
    if (answer->kind != ZC_NO_ANSWER || self->topic_len == 0 || waited_ms >= S_TIMEOUT_MS)
        return false;
    const char *payload = self->message + self->topic_len;
    zc_ask_t ask = {.verb = ZC_PUBLISH,
                    .message = {.topic = {self->message, self->topic_len},
                                .payload = {payload, self->payload_len}},
                    .headers = {payload + self->payload_len, self->headers_len}};
    return zc_link_publish (zc_worker_link (self->front->worker), &ask,
                            S_TIMEOUT_MS - (unsigned)waited_ms, s_on_answer, self) != 0;
}

static void s_on_answer (void *arg, const zc_answer_t *answer)
{
    zc_posting_t *self = arg;
    zc_front_t *front = self->front;
    char id[ZC_ID_SIZE];
    zc_receipt_t receipt = {s_status (answer->code), answer->code, answer->text};
    if (answer->more || s_send_again (self, answer))
        return;
    if (answer->kind == ZC_MALFORMED)
        receipt = s_receipt (503, "internal", "the broker's answer makes no sense");
    if (answer->kind == ZC_OK)
        receipt = (zc_receipt_t){200, s_slice (""), {id, zc_id_format (answer->id, id)}};
    s_log (self, &receipt);
    if (!self->forgotten) {
        if (receipt.status == 200) {
            front->stats.published++;
            zc_histogram_add (&front->acknowledged, zc_mono_us () - self->sent_us, 1);
        }
        front->stats.conflicts += receipt.status == 409;
        self->fn (self->arg, &receipt);
    }
    s_free (self, front);
}

/*  Where there are rules, the broker must know that the worker has checked a token
 *  (broker/gate.h). */
static zc_slice_t s_mark (const zc_front_t *front, zc_slice_t headers, zc_buf_t *marked)
{
    const char *prefix, *words;
    if (!zc_options_item (front->options, "access", 0, &prefix, &words))
        return headers;
    zc_buf_add (marked, headers.at, headers.len);
    zc_buf_adds (marked, "via: http\n");
    return (zc_slice_t){(const char *)marked->data, marked->len};
}

zc_posting_t *zc_posting_new (zc_front_t *front, zc_slice_t topic, zc_slice_t payload,
                              zc_slice_t headers, zc_posting_fn fn, void *arg,
                              zc_receipt_t *refused)
{
    zc_link_t *link = zc_worker_link (front->worker);
    zc_buf_t marked = ZC_BUF_INIT;
    zc_slice_t trace;
    *refused = s_receipt (413, "payload", "the payload is too large");
    if (payload.len > front->max_payload || payload.len > zc_link_max_payload (link))
        return NULL;
    zc_ask_t ask = {.verb = ZC_PUBLISH,
                    .message = {.topic = topic, .payload = payload},
                    .headers = s_mark (front, headers, &marked)};
    size_t repeatable = s_repeatable (front, &ask);
    *refused = s_receipt (503, "broker", "the broker is not there: try again");
    if (!zc_link_connected (link) && (!repeatable || zc_link_synced_ms (link) > S_MOVE_MS)) {
        zc_buf_clear (&marked);
        return NULL;
    }
    zc_posting_t *self = calloc (1, sizeof *self + repeatable);
    if (!self)
        abort ();
    *self = (zc_posting_t){.front = front, .fn = fn, .arg = arg, .sent_us = zc_mono_us ()};
    if (zc_header_find (headers, "traceparent", &trace) && trace.len == ZC_TRACEPARENT_LEN)
        memcpy (self->traceparent, trace.at, trace.len);
    if (repeatable)
        s_keep (self, &ask);
    uint64_t sent = zc_link_publish (link, &ask, S_TIMEOUT_MS, s_on_answer, self);
    int saved = errno;
    zc_buf_clear (&marked);
    errno = saved;
    if (sent != 0)
        return self;
    *refused = errno == EMSGSIZE
                   ? s_receipt (413, "payload", "the payload is too large")
                   : s_receipt (503, "busy", "too many messages wait for the broker: try again");
    s_free (self, front);
    return NULL;
}

void zc_posting_forget (zc_posting_t **self_p)
{
    if (*self_p)
        (*self_p)->forgotten = true;
    *self_p = NULL;
}
