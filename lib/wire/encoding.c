/*  encoding.c - JSON that all transports share. It is written by hand into the output buffer, as
 *  it is on the path of every message, and is never read. */
#include "lib/wire/encoding.h"

#include <string.h>
#include "lib/base/base64.h"
#include "lib/wire/traceparent.h"

void zc_json_string (zc_buf_t *out, const char *bytes, size_t len)
{
    static const char short_escapes[] = "btn?fr"; /* 8..13 */
    zc_buf_reserve (out, len + 2);
    zc_buf_addc (out, '"');
    size_t done = 0;
    if (len == 0)
        bytes = "";
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)bytes[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        zc_buf_add (out, bytes + done, i - done);
        done = i + 1;
        if (c == '"' || c == '\\')
            zc_buf_addf (out, "\\%c", c);
        else if (c >= 8 && c <= 13 && c != 11)
            zc_buf_addf (out, "\\%c", short_escapes[c - 8]);
        else
            zc_buf_addf (out, "\\u%04x", c);
    }
    zc_buf_add (out, bytes + done, len - done);
    zc_buf_addc (out, '"');
}

static void s_add_id (zc_buf_t *out, zc_id_t id)
{
    zc_buf_addc (out, '"');
    out->len += zc_id_format (id, (char *)zc_buf_reserve (out, ZC_ID_SIZE));
    zc_buf_addc (out, '"');
}

void zc_verdict_json (zc_buf_t *out, const zc_verdict_t *verdict)
{
    zc_buf_adds (out, verdict->gap ? "{\"status\":\"gap\",\"since\":"
                                   : "{\"status\":\"continued\",\"since\":");
    zc_json_string (out, verdict->since.at, verdict->since.len);
    if (verdict->gap) {
        zc_buf_adds (out, ",\"from\":");
        s_add_id (out, verdict->from);
    }
    if (verdict->topic.len) {
        zc_buf_adds (out, ",\"topic\":");
        zc_json_string (out, verdict->topic.at, verdict->topic.len);
    }
    zc_buf_addf (out, ",\"replayed\":%llu}", (unsigned long long)verdict->replayed);
}

const char *zc_stale_json (bool stale)
{
    return stale ? "{\"status\":\"stale\"}" : "{\"status\":\"live\"}";
}

/*  Whatever version a publisher speaks, a subscriber gets version 00. */
static void s_add_trace (zc_buf_t *out, zc_slice_t traceparent)
{
    zc_trace_t trace;
    if (zc_traceparent_parse (traceparent, &trace) != 0)
        return;
    zc_buf_adds (out, ",\"traceparent\":\"");
    zc_traceparent_write (&trace, (char *)zc_buf_reserve (out, ZC_TRACEPARENT_LEN));
    out->len += ZC_TRACEPARENT_LEN;
    zc_buf_addc (out, '"');
}

void zc_message_json (zc_buf_t *out, const zc_message_t *message)
{
    zc_buf_adds (out, "{\"id\":");
    s_add_id (out, message->id);
    if (message->event_id.len) {
        zc_buf_adds (out, ",\"eventId\":");
        zc_json_string (out, message->event_id.at, message->event_id.len);
    }
    zc_buf_adds (out, ",\"topic\":");
    zc_json_string (out, message->topic.at, message->topic.len);
    zc_buf_adds (out, ",\"event\":");
    if (message->event.len)
        zc_json_string (out, message->event.at, message->event.len);
    else
        zc_buf_adds (out, "\"message\"");
    if (message->traceparent.len)
        s_add_trace (out, message->traceparent);
    zc_slice_t data = message->payload;
    if (zc_utf8_valid (data.at, data.len)) {
        zc_buf_adds (out, ",\"data\":");
        zc_json_string (out, data.at, data.len);
    } else {
        zc_buf_adds (out, ",\"base64\":\"");
        size_t len = 4 * ((data.len + 2) / 3);
        zc_base64 (data.at, data.len, (char *)zc_buf_reserve (out, len));
        out->len += len;
        zc_buf_addc (out, '"');
    }
    zc_buf_addc (out, '}');
}
