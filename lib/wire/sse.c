/*  sse.c - blocks of an event stream (WHATWG HTML §9.2).
 *
 *  `id:` is the last line of every block, since some clients take the id of a block that was cut
 *  off. It is always the position: a publisher's own id may be used again, on this topic or
 *  another, so it doesn't say which messages a client has had. An empty payload gets a `data:`
 *  line, too: without one, browsers dispatch no event.
 *
 *  Every empty line ends a block that has `data:` and `id:`. Many clients take an id only from a
 *  block that has data. Some give the application a message for each empty line, or forget their
 *  id at an event without one. So lines that are no event (a comment, a time to come back) have
 *  no empty line after them: they begin the next block. */
#include "lib/wire/sse.h"

#include <string.h>

#include "lib/base/base64.h"
#include "lib/wire/chunked.h"

static const char *s_default_event = "";

void zc_sse_default_event (const char *event)
{
    s_default_event = event ? event : "";
}

void zc_sse_retry (zc_buf_t *out, unsigned ms)
{
    zc_buf_addf (out, "retry: %u\n", ms);
}

void zc_sse_open (zc_buf_t *out, unsigned ms)
{
    zc_buf_adds (out, ": zcast\n");
    zc_sse_retry (out, ms);
}

void zc_sse_busy (zc_buf_t *out, unsigned ms)
{
    zc_buf_adds (out, ": busy\n");
    zc_sse_retry (out, ms);
}

static void s_field (zc_buf_t *out, const char *name, zc_slice_t value)
{
    zc_buf_adds (out, name);
    zc_buf_add (out, value.at, value.len);
    zc_buf_addc (out, '\n');
}

/*  The bytes before the next CR or LF. */
static size_t s_line (const char *at, size_t len)
{
    const char *lf = memchr (at, '\n', len);
    size_t line = lf ? (size_t)(lf - at) : len;
    const char *cr = memchr (at, '\r', line);
    return cr ? (size_t)(cr - at) : line;
}

/*  One `data:` line for each line of the payload, where CR, LF and CRLF all end a line.
 *  Otherwise a publisher could forge fields. */
static void s_data (zc_buf_t *out, zc_slice_t data)
{
    zc_buf_reserve (out, data.len + 64);
    for (;;) {
        size_t len = data.len ? s_line (data.at, data.len) : 0;
        s_field (out, "data: ", (zc_slice_t){data.at, len});
        if (len == data.len)
            return;
        size_t step = len + 1;
        if (data.at[len] == '\r' && step < data.len && data.at[step] == '\n')
            step++;
        data.at += step;
        data.len -= step;
    }
}

static void s_data_url (zc_buf_t *out, zc_slice_t data)
{
    zc_buf_adds (out, "data: data:application/octet-stream;base64,");
    size_t len = 4 * ((data.len + 2) / 3);
    zc_base64 (data.at, data.len, (char *)zc_buf_reserve (out, len));
    out->len += len;
    zc_buf_addc (out, '\n');
}

static void s_end (zc_buf_t *out, zc_id_t id)
{
    zc_buf_add (out, "id: ", 4);
    out->len += zc_id_format (id, (char *)zc_buf_reserve (out, ZC_ID_SIZE));
    zc_buf_add (out, "\n\n", 2);
}

/*  Ends an event of zcast's own; ZC_ID_NONE: the position is unknown. */
static void s_own_end (zc_buf_t *out, zc_id_t position)
{
    if (position != ZC_ID_NONE)
        s_end (out, position);
    else
        zc_buf_addc (out, '\n');
}

/*  History may have values that a publisher may not send any more: old brokers accepted them. */
static void s_message_retry (zc_buf_t *out, zc_slice_t retry)
{
    uint64_t ms;
    if (zc_text_u64 (retry.at, retry.len, ZC_RETRY_MAX, &ms) != 0)
        ms = ZC_RETRY_MAX;
    zc_sse_retry (out, (unsigned)ms);
}

static void s_message_end (zc_buf_t *out, const zc_message_t *message)
{
    if (message->retry.len)
        s_message_retry (out, message->retry);
    s_end (out, message->id);
}

static void s_message (zc_buf_t *out, const zc_message_t *message)
{
    if (message->event.len)
        s_field (out, "event: ", message->event);
    else if (*s_default_event)
        s_field (out, "event: ", (zc_slice_t){s_default_event, strlen (s_default_event)});
    if (zc_utf8_valid (message->payload.at, message->payload.len))
        s_data (out, message->payload);
    else
        s_data_url (out, message->payload);
    s_message_end (out, message);
}

static void s_message_as_json (zc_buf_t *out, const zc_message_t *message)
{
    zc_buf_adds (out, "data: ");
    zc_message_json (out, message); /* escapes CR and LF: one line */
    zc_buf_addc (out, '\n');
    s_message_end (out, message);
}

static void s_verdict (zc_buf_t *out, const zc_verdict_t *verdict)
{
    zc_buf_adds (out, "event: zcast.continuity\ndata: ");
    zc_verdict_json (out, verdict);
    zc_buf_addc (out, '\n');
    s_end (out, verdict->position);
}

/*  A heartbeat has a type, so that browsers don't call `onmessage`, and its data is JSON, for
 *  clients that give the application events of every type. Rejected: a comment, which a page
 *  can't see and which has no id. There is no blank after `data:`, where it has no meaning, so
 *  that `grep '^data: '` on a stream shows messages only. */
static void s_heartbeat (zc_buf_t *out, zc_id_t position)
{
    zc_buf_adds (out, "event: zcast.heartbeat\ndata:{}\n");
    s_own_end (out, position);
}

static void s_stale (zc_buf_t *out, bool stale, zc_id_t position)
{
    zc_buf_addf (out, "event: zcast.stale\ndata: %s\n", zc_stale_json (stale));
    s_own_end (out, position);
}

void zc_sse_end (zc_buf_t *out, const char *code, const char *text, zc_id_t position)
{
    zc_buf_addf (out, "event: zcast.end\ndata: {\"code\":\"%s\",\"message\":\"%s\"}\n", code, text);
    s_own_end (out, position);
}

/*  The same blocks in chunks (RFC 9112 §7.1), one for each block. They are made here, once for
 *  all clients, so that the bytes for each client are still one run of the feed. */

/*  The length of a message's block, about. */
static size_t s_guess (const zc_message_t *message)
{
    return message->payload.len + message->event.len + 64;
}

static void s_message_chunked (zc_buf_t *out, const zc_message_t *message)
{
    size_t guess = s_guess (message), begun = zc_chunk_begin (out, guess);
    s_message (out, message);
    zc_chunk_end (out, begun, guess);
}

static void s_message_as_json_chunked (zc_buf_t *out, const zc_message_t *message)
{
    size_t guess = s_guess (message) + message->topic.len;
    size_t begun = zc_chunk_begin (out, guess);
    s_message_as_json (out, message);
    zc_chunk_end (out, begun, guess);
}

static void s_verdict_chunked (zc_buf_t *out, const zc_verdict_t *verdict)
{
    size_t begun = zc_chunk_begin (out, 200);
    s_verdict (out, verdict);
    zc_chunk_end (out, begun, 200);
}

static void s_heartbeat_chunked (zc_buf_t *out, zc_id_t position)
{
    size_t begun = zc_chunk_begin (out, 60);
    s_heartbeat (out, position);
    zc_chunk_end (out, begun, 60);
}

static void s_stale_chunked (zc_buf_t *out, bool stale, zc_id_t position)
{
    size_t begun = zc_chunk_begin (out, 90);
    s_stale (out, stale, position);
    zc_chunk_end (out, begun, 90);
}

const zc_encoding_t zc_encoding_sse = {.name = "sse",
                                       .message = s_message,
                                       .verdict = s_verdict,
                                       .heartbeat = s_heartbeat,
                                       .stale = s_stale,
                                       .tells_position = true};
const zc_encoding_t zc_encoding_sse_json = {.name = "sse+json",
                                            .message = s_message_as_json,
                                            .verdict = s_verdict,
                                            .heartbeat = s_heartbeat,
                                            .stale = s_stale,
                                            .tells_position = true};
const zc_encoding_t zc_encoding_sse_chunked = {.name = "sse+chunked",
                                               .message = s_message_chunked,
                                               .verdict = s_verdict_chunked,
                                               .heartbeat = s_heartbeat_chunked,
                                               .stale = s_stale_chunked,
                                               .tells_position = true};
const zc_encoding_t zc_encoding_sse_json_chunked = {.name = "sse+json+chunked",
                                                    .message = s_message_as_json_chunked,
                                                    .verdict = s_verdict_chunked,
                                                    .heartbeat = s_heartbeat_chunked,
                                                    .stale = s_stale_chunked,
                                                    .tells_position = true};
