/*  encoding.c - see encoding.h. */
#include "ws/encoding.h"

#include <string.h>

#include "ws/frame.h"

static unsigned s_raw_opcode (zc_slice_t payload)
{
    return zc_utf8_valid (payload.at, payload.len) ? ZC_FRAME_TEXT : ZC_FRAME_BINARY;
}

static void s_raw_message (zc_buf_t *out, const zc_message_t *message)
{
    zc_slice_t payload = message->payload;
    zc_frame_add (out, s_raw_opcode (payload), payload.at, payload.len);
}

static void s_raw_message_deflated (zc_buf_t *out, const zc_message_t *message)
{
    zc_slice_t payload = message->payload;
    zc_frame_add_deflated (out, s_raw_opcode (payload), payload.at, payload.len);
}

/*  The verdict's JSON as a string, which SSE has in its data field. */
static void s_add_verdict_data (zc_buf_t *out, const zc_verdict_t *verdict)
{
    zc_buf_t data = ZC_BUF_INIT;
    zc_verdict_json (&data, verdict);
    zc_buf_adds (out, "\"event\":\"zcast.continuity\",\"data\":");
    zc_json_string (out, (const char *)data.data, data.len);
    zc_buf_addc (out, '}');
    zc_buf_clear (&data);
}

static void s_raw_verdict (zc_buf_t *out, const zc_verdict_t *verdict)
{
    size_t begun = zc_frame_begin (out, 200);
    zc_buf_addc (out, '{');
    s_add_verdict_data (out, verdict);
    zc_frame_end (out, begun, 200, ZC_FRAME_TEXT);
}

static void s_raw_heartbeat (zc_buf_t *out, zc_id_t position)
{
    (void)position; /* raw messages show no id that would have to be kept up to date */
    zc_frame_add (out, ZC_FRAME_PING, NULL, 0);
}

static void s_json_message (zc_buf_t *out, const zc_message_t *message)
{
    size_t guess = 64 + message->topic.len + message->payload.len;
    size_t begun = zc_frame_begin (out, guess);
    zc_message_json (out, message);
    zc_frame_end (out, begun, guess, ZC_FRAME_TEXT);
}

static void s_json_message_deflated (zc_buf_t *out, const zc_message_t *message)
{
    zc_buf_t text = ZC_BUF_INIT;
    zc_buf_reserve (&text, 128 + message->topic.len + message->payload.len * 9 / 8);
    zc_message_json (&text, message);
    zc_frame_add_deflated (out, ZC_FRAME_TEXT, text.data, text.len);
    zc_buf_clear (&text);
}

static void s_json_verdict (zc_buf_t *out, const zc_verdict_t *verdict)
{
    char id[ZC_ID_SIZE];
    zc_id_format (verdict->position, id);
    size_t begun = zc_frame_begin (out, 200);
    zc_buf_addf (out, "{\"id\":\"%s\",\"topic\":\"\",", id);
    s_add_verdict_data (out, verdict);
    zc_frame_end (out, begun, 200, ZC_FRAME_TEXT);
}

static void s_json_heartbeat (zc_buf_t *out, zc_id_t position)
{
    char id[ZC_ID_SIZE];
    zc_frame_add (out, ZC_FRAME_PING, NULL, 0);
    size_t begun = zc_frame_begin (out, 60);
    zc_buf_adds (out, "{\"type\":\"heartbeat\"");
    if (position != ZC_ID_NONE) {
        zc_id_format (position, id);
        zc_buf_addf (out, ",\"id\":\"%s\"", id);
    }
    zc_buf_addc (out, '}');
    zc_frame_end (out, begun, 60, ZC_FRAME_TEXT);
}

static void s_json_stale (zc_buf_t *out, bool stale, zc_id_t position)
{
    const char *data = zc_stale_json (stale);
    char id[ZC_ID_SIZE];
    size_t begun = zc_frame_begin (out, 100);
    zc_buf_addc (out, '{');
    if (position != ZC_ID_NONE) {
        zc_id_format (position, id);
        zc_buf_addf (out, "\"id\":\"%s\",", id);
    }
    zc_buf_adds (out, "\"topic\":\"\",\"event\":\"zcast.stale\",\"data\":");
    zc_json_string (out, data, strlen (data));
    zc_buf_addc (out, '}');
    zc_frame_end (out, begun, 100, ZC_FRAME_TEXT);
}

const zc_encoding_t zc_encoding_ws = {
    .name = "ws",
    .message = s_raw_message,
    .verdict = s_raw_verdict,
    .heartbeat = s_raw_heartbeat,
};

const zc_encoding_t zc_encoding_ws_json = {
    .name = "ws+json",
    .message = s_json_message,
    .verdict = s_json_verdict,
    .heartbeat = s_json_heartbeat,
    .stale = s_json_stale,
    .tells_position = true,
};

const zc_encoding_t zc_encoding_ws_deflate = {
    .name = "ws+deflate",
    .message = s_raw_message_deflated,
    .verdict = s_raw_verdict,
    .heartbeat = s_raw_heartbeat,
    .alone = &zc_encoding_ws,
};

const zc_encoding_t zc_encoding_ws_json_deflate = {
    .name = "ws+json+deflate",
    .message = s_json_message_deflated,
    .verdict = s_json_verdict,
    .heartbeat = s_json_heartbeat,
    .stale = s_json_stale,
    .tells_position = true,
    .alone = &zc_encoding_ws_json,
};
