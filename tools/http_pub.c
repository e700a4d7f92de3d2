/*  http_pub.c - see http_pub.h. Messages are sent one after the other, so their order is kept,
 *  and the outcome of one is known before the next is sent. All but the payload is in the query,
 *  which can carry any text. */
#include "tools/http_pub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/wire/message.h"
#include "tools/tool.h"

#define S_FIELDS 2

struct zc_http_pub {
    zc_http_client_t *http;
    zc_buf_t path;
    zc_buf_t type;
    bool keyed; /* the message has a key or an id of its own */
};

/*  Headers that a request can carry; the query has the rest. */
static const char *const s_names[] = {"event", "id",      "key",        "ttl",
                                      "retry", "private", "traceparent"};

static void s_add_query (zc_http_pub_t *self, zc_slice_t name, zc_slice_t value)
{
    zc_buf_addf (&self->path, "&%.*s=", (int)name.len, name.at);
    zc_http_encode (self->http, &self->path, value);
}

/*  Bodies of these types would be read as messages, and not as one payload. */
static bool s_is_batch (zc_slice_t type)
{
    return zc_slice_starts (type, "application/x-ndjson") ||
           zc_slice_starts (type, "application/x-www-form-urlencoded");
}

static int s_add_header (zc_http_pub_t *self, zc_slice_t name, zc_slice_t value)
{
    if (zc_slice_is (name, "content-type")) {
        if (s_is_batch (value))
            return zc_tool_misuse ("--http: a payload can't be of the type %.*s there",
                                   (int)value.len, value.at);
        self->type.len = 0;
        zc_buf_addf (&self->type, "Content-Type: %.*s", (int)value.len, value.at);
        return ZC_EXIT_OK;
    }
    for (size_t i = 0; i < sizeof s_names / sizeof *s_names; i++)
        if (zc_slice_is (name, s_names[i])) {
            self->keyed |= zc_slice_is (name, "id") || zc_slice_is (name, "key");
            s_add_query (self, name, value);
            return ZC_EXIT_OK;
        }
    return zc_tool_misuse ("--http carries no header '%.*s': event, id, key, ttl, retry, private, "
                           "traceparent and content-type are all",
                           (int)name.len, name.at);
}

zc_http_pub_t *zc_http_pub_new (const zc_options_t *options, zc_slice_t topic, zc_slice_t headers)
{
    zc_http_pub_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    int status = ZC_EXIT_OK;
    zc_slice_t name, value;
    zc_buf_adds (&self->type, "Content-Type: application/octet-stream");
    self->http = zc_http_new (options, "--http", zc_options_text (options, "http"));
    if (!self->http)
        status = ZC_EXIT_USAGE;
    else {
        zc_buf_adds (&self->path, "/publish?topic=");
        zc_http_encode (self->http, &self->path, topic);
    }
    while (status == ZC_EXIT_OK && zc_header_next (&headers, &name, &value))
        status = s_add_header (self, name, value);
    if (status != ZC_EXIT_OK)
        zc_http_pub_destroy (&self);
    return self;
}

void zc_http_pub_destroy (zc_http_pub_t **self_p)
{
    zc_http_pub_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    zc_http_destroy (&self->http);
    zc_buf_clear (&self->path);
    zc_buf_clear (&self->type);
    free (self);
}

/*  Makes a unique key, so that a repeated attempt publishes nothing twice. */
static void s_make_key (char *text, size_t size)
{
    uint8_t bytes[16];
    if (getrandom (bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort ();
    int len = snprintf (text, size, "Idempotency-Key: ");
    for (size_t i = 0; i < sizeof bytes; i++)
        len += snprintf (text + len, size - (size_t)len, "%02x", bytes[i]);
}

/*  "code: sentence", as a zcast answers; for other servers, the status is the code. */
static void s_tell (zc_http_pub_t *self, zc_http_pub_fn fn, void *arg)
{
    zc_http_answer_t *answer = zc_http_answer (self->http);
    const char *text = zc_buf_str (&answer->text);
    zc_published_t published = {.code = {"OK", 2}, .text = {text, answer->text.len}};
    if (answer->status != 200) {
        size_t code = strspn (text, "abcdefghijklmnopqrstuvwxyz-");
        if (code == 0 || strncmp (text + code, ": ", 2) != 0) {
            text = zc_http_reason (self->http);
            code = strcspn (text, ":");
        }
        size_t skip = text[code] ? 2 : 0;
        published.code = (zc_slice_t){text, code};
        published.text = (zc_slice_t){text + code + skip, strcspn (text + code + skip, "\r\n")};
    }
    fn (arg, &published);
}

/*  Whether a 200 is from a zcast: an id, and nothing else. */
static bool s_take_id (zc_buf_t *text)
{
    zc_id_t id;
    while (text->len > 0 &&
           (text->data[text->len - 1] == '\n' || text->data[text->len - 1] == '\r'))
        text->len--;
    return zc_id_parse (zc_buf_str (text), text->len, &id) == 0;
}

static int s_no_answer (zc_http_pub_t *self, int64_t timeout_ms)
{
    const char *reason = zc_http_reason (self->http);
    char tried[40] = "";
    if (timeout_ms)
        snprintf (tried, sizeof tried, " (tried for %g s)", (double)timeout_ms / 1000);
    zc_tool_say ("%s doesn't take it%s: %s", zc_http_url (self->http), tried,
                 *reason ? reason : "no answer");
    return ZC_EXIT_FAILURE;
}

/*  Waits for the end of a request, or without a request for `ms`, but not beyond `end` (0:
 *  never). Returns false at `end`, or at a signal. */
static bool s_wait (zc_http_pub_t *self, bool request, long ms, uint64_t end)
{
    uint64_t until = zc_mono_ms () + (uint64_t)ms;
    while (!zc_tool_stopped) {
        uint64_t now = zc_mono_ms ();
        if (end && now >= end)
            return false;
        if (!request && now >= until)
            return true;
        uint64_t left = request ? 1000 : until - now;
        if (end && end - now < left)
            left = end - now;
        if (!zc_http_turn (self->http, (long)left, false) && request)
            return true;
    }
    return false;
}

int zc_http_pub_send (zc_http_pub_t *self, zc_slice_t payload, int64_t timeout_ms,
                      zc_http_pub_fn fn, void *arg)
{
    char key[64];
    const char *fields[S_FIELDS] = {zc_buf_str (&self->type), key};
    zc_http_request_t request = {.path = zc_buf_str (&self->path),
                                 .fields = fields,
                                 .field_count = self->keyed ? 1 : 2,
                                 .body = &payload};
    uint64_t end = timeout_ms ? zc_mono_ms () + (uint64_t)timeout_ms : 0;
    s_make_key (key, sizeof key);
    for (unsigned attempt = 0;; attempt++) {
        if (zc_http_begin (self->http, &request) != 0)
            return ZC_EXIT_FAILURE;
        bool over = s_wait (self, true, 0, end);
        zc_http_end (self->http);
        zc_http_answer_t *answer = zc_http_answer (self->http);
        if (over && answer->status == 200 && answer->whole && !s_take_id (&answer->text)) {
            zc_tool_say ("the server at %s is not zcast", zc_http_url (self->http));
            return ZC_EXIT_FAILURE;
        }
        bool again = zc_http_may_pass (answer) || (answer->status && !answer->whole);
        if (over && answer->hopeless)
            return s_no_answer (self, 0);
        if (over && !again) {
            s_tell (self, fn, arg);
            return ZC_EXIT_OK;
        }
        if (!over || !s_wait (self, false, zc_http_pause_ms (answer, attempt), end))
            return zc_tool_stopped ? ZC_EXIT_FAILURE : s_no_answer (self, timeout_ms);
    }
}
