/*  hot.c - the hot paths, one at a time, for `make bench-quick`: callgrind counts the
 *  instructions of hot_measured alone, so that a regression shows on any machine, however busy.
 *
 *  hot NAME: runs one path
 *  hot: lists the paths, with how often each is run */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "fcgi/framing.h"
#include "fcgi/record.h"
#include "lib/engine/feed.h"
#include "lib/engine/hub.h"
#include "lib/wire/message.h"
#include "lib/engine/pump.h"
#include "lib/front/request.h"
#include "lib/wire/head.h"
#include "lib/wire/query.h"
#include "lib/wire/sse.h"
#include "ws/encoding.h"
#include "ws/receiver.h"
#include "ws/upgrade.h"

#define SLICE(text) ((zc_slice_t){(text), sizeof (text) - 1})
#define FIRST_MS 1795478400000u

static char s_payload[100];

/*  The message with this number, on `topic`; each follows the one before it. */
static zc_message_t s_message (zc_slice_t topic, unsigned number, unsigned before)
{
    return (zc_message_t){.topic = topic,
                          .payload = {s_payload, sizeof s_payload},
                          .id = zc_id_from_ms (FIRST_MS + number),
                          .prev = zc_id_from_ms (FIRST_MS + before)};
}

/* ---- feed, encodings, parsers ---- */

static zc_feed_t *s_feed;
static zc_buf_t s_out;

static void s_prepare_feed (void)
{
    s_feed = zc_feed_new (zc_id_from_ms (FIRST_MS));
}

static void s_append (unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        zc_feed_append (s_feed, s_payload, sizeof s_payload, zc_id_from_ms (FIRST_MS + i));
        if (i % 100 == 0)
            zc_feed_trim (s_feed, 1 << 16, ZC_ID_NONE, UINT64_MAX);
    }
}

static void s_prepare_seek (void)
{
    s_prepare_feed ();
    s_append (1000);
}

static void s_seek (unsigned count)
{
    uint64_t position, messages, sum = 0;
    for (unsigned i = 0; i < count; i++)
        if (zc_feed_seek (s_feed, zc_id_from_ms (FIRST_MS + 500 + i % 400), &position, &messages) ==
            0)
            sum += messages;
    if (sum == 0)
        abort ();
}

static void s_encode (const zc_encoding_t *encoding, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        zc_message_t message = s_message (SLICE ("bench"), i, i - 1);
        s_out.len = 0;
        encoding->message (&s_out, &message);
    }
}

static void s_encode_sse (unsigned count)
{
    s_encode (&zc_encoding_sse, count);
}

static void s_encode_chunk (unsigned count)
{
    s_encode (&zc_encoding_sse_chunked, count);
}

static void s_encode_ws (unsigned count)
{
    s_encode (&zc_encoding_ws, count);
}

static void s_encode_json (unsigned count)
{
    s_encode (&zc_encoding_ws_json, count);
}

static void s_parse_delivery (unsigned count)
{
    static const char meta[] = "id: 1795478400123-4\nprev: 1795478400120-0\nevent: note\n";
    zc_message_t message;
    for (unsigned i = 0; i < count; i++)
        if (zc_delivery_parse (&message, SLICE ("host/metrics"),
                               (zc_slice_t){s_payload, sizeof s_payload}, SLICE (meta)) != 0)
            abort ();
}

static void s_parse_publish (unsigned count)
{
    zc_message_t message;
    for (unsigned i = 0; i < count; i++)
        if (zc_publish_parse (&message, SLICE ("host/metrics"),
                              (zc_slice_t){s_payload, sizeof s_payload},
                              SLICE ("event: note\nid: abc-1\n"), 1 << 20) != 0)
            abort ();
}

static size_t s_pair (uint8_t *out, const char *name, const char *value)
{
    size_t n = strlen (name), v = strlen (value);
    out[0] = (uint8_t)n;
    out[1] = (uint8_t)v;
    memcpy (out + 2, name, n);
    memcpy (out + 2 + n, value, v);
    return 2 + n + v;
}

/*  The bytes that nginx sends for one request, with its fastcgi_params. */
static size_t s_fcgi_request (uint8_t *out)
{
    static const char *pairs[][2] = {{"QUERY_STRING", "topic=host/metrics&topic=host/access"},
                                     {"REQUEST_METHOD", "GET"},
                                     {"CONTENT_TYPE", ""},
                                     {"CONTENT_LENGTH", ""},
                                     {"SCRIPT_NAME", "/events"},
                                     {"REQUEST_URI", "/events?topic=host/metrics"},
                                     {"DOCUMENT_URI", "/events"},
                                     {"DOCUMENT_ROOT", "/usr/share/zcast/www"},
                                     {"SERVER_PROTOCOL", "HTTP/1.1"},
                                     {"REMOTE_ADDR", "203.0.113.7"},
                                     {"REMOTE_PORT", "40000"},
                                     {"HTTP_HOST", "www.example.org"},
                                     {"HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64)"},
                                     {"HTTP_ACCEPT", "text/event-stream"},
                                     {"HTTP_LAST_EVENT_ID", "1795478400123-4"}};
    size_t len = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        len += s_pair (out + 24 + len, pairs[i][0], pairs[i][1]);
    zc_record_header (out, 1, 1, 8);
    memcpy (out + 8, "\0\1\0\0\0\0\0\0", 8);
    zc_record_header (out + 16, 4, 1, (uint16_t)len);
    zc_record_header (out + 24 + len, 4, 1, 0);
    zc_record_header (out + 32 + len, 5, 1, 0);
    return 40 + len;
}

static void s_parse_fcgi (unsigned count)
{
    static uint8_t request_bytes[4096];
    size_t size = s_fcgi_request (request_bytes);
    for (unsigned i = 0; i < count; i++) {
        zc_record_t record;
        zc_request_t request;
        zc_query_t query;
        zc_slice_t values[ZC_VARIABLE_COUNT], body;
        const uint8_t *at = request_bytes;
        size_t len = size;
        zc_record_init (&record);
        if (zc_record_read (&record, &at, &len, &s_out, &body) != ZC_RECORD_REQUEST)
            abort ();
        zc_params_t *params = zc_record_take_params (&record);
        zc_params_values (params, values);
        if (zc_request_from_variables (&request, values) != 0 ||
            zc_query_parse (&query, request.query, 100) != 0)
            abort ();
        zc_query_clear (&query);
        zc_request_clear (&request);
        zc_params_destroy (&params);
        zc_record_clear (&record);
    }
}

static void s_frame_fcgi (unsigned count)
{
    zc_framing_t framing = {0};
    zc_framing_plan_t plan;
    struct iovec iov = {s_payload, sizeof s_payload};
    for (unsigned i = 0; i < count; i++) {
        zc_framing_plan (&framing, 1, &iov, 1, &plan);
        zc_framing_sent (&framing, &plan, 8 + sizeof s_payload);
    }
}

static void s_parse_head (unsigned count)
{
    static const char head[] =
        "GET /ws?topic=host/metrics&topic=host/access HTTP/1.1\r\nHost: www.example.org\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\nOrigin: "
        "https://www.example.org\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        "dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    for (unsigned i = 0; i < count; i++) {
        zc_head_t parsed;
        zc_request_t request;
        zc_upgrade_t upgrade;
        zc_slice_t name, value;
        char accept[ZC_UPGRADE_ACCEPT + 1];
        zc_head_init (&parsed, 8192);
        if (zc_head_feed (&parsed, head, sizeof head - 1) != 200)
            abort ();
        zc_request_init (&request);
        request.websocket = parsed.websocket;
        for (size_t at = 0; zc_head_next (&parsed, head, &at, &name, &value);) {
            int field = zc_field_find (name);
            if (field >= 0 && zc_request_add (&request, (zc_field_t)field, value) != 0)
                abort ();
        }
        if (zc_upgrade_check (&upgrade, &request) != 101)
            abort ();
        zc_upgrade_accept (upgrade.key, accept);
        zc_request_clear (&request);
    }
}

static unsigned s_ignore (void *arg, unsigned opcode, const uint8_t *data, size_t len)
{
    (void)arg, (void)opcode, (void)data, (void)len;
    return 0;
}

static void s_parse_frames (unsigned count)
{
    uint8_t frame[6 + 100] = {0x81, 0x80 | 100, 1, 2, 3, 4};
    for (unsigned i = 0; i < 100; i++)
        frame[6 + i] = (uint8_t)('x' ^ frame[2 + i % 4]);
    zc_receiver_t *receiver = NULL;
    for (unsigned i = 0; i < count; i++)
        if (zc_receiver_feed (&receiver, frame, sizeof frame, 65536, false, s_ignore, NULL) != 0)
            abort ();
    zc_receiver_destroy (&receiver);
}

/*  ---- hub and pump, with a broker that answers at once and sockets that take all bytes ---- */

#define CLIENTS 1000

static zc_hub_t *s_hub;
static zc_pump_t *s_pump;
static zc_client_t s_client[CLIENTS];
static uint64_t s_token;
static size_t s_asked;

static void s_subscribe (void *self, const char *topic, size_t len)
{
    (void)self, (void)topic, (void)len;
}

static const zc_mark_t s_place = {{"line"}, ZC_ID_NONE};

static void s_sync (void *self, uint64_t token, const char *topics, size_t len,
                    const zc_mark_t *have)
{
    (void)have;
    (void)self;
    s_token = token;
    s_asked = len > 0;
    for (size_t i = 0; i < len; i++)
        s_asked += topics[i] == '\n';
}

static void s_fetch (void *self, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                     const zc_line_t *line)
{
    (void)line;
    (void)self, (void)since, (void)topics, (void)len;
    s_token = token;
    s_asked = SIZE_MAX;
}

/*  Nothing was published after FIRST_MS, and nothing is in history. */
static void s_answer (void)
{
    static zc_id_t last[2 * CLIENTS];
    while (s_token) {
        uint64_t token = s_token;
        zc_id_t head = zc_id_from_ms (FIRST_MS);
        s_token = 0;
        for (size_t i = 0; i < 2 * CLIENTS; i++)
            last[i] = head;
        if (s_asked == SIZE_MAX)
            zc_hub_fetched (s_hub, token, head, ZC_ID_NONE, ZC_ID_NONE, false, 0, true);
        else
            zc_hub_synced (s_hub, token, &s_place, head, ZC_ID_NONE, last, s_asked);
    }
}

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    long sum = 0;
    (void)client;
    for (int i = 0; i < count; i++)
        sum += (long)iov[i].iov_len;
    return sum;
}

static void s_want_write (zc_client_t *client, bool on)
{
    (void)client, (void)on;
}

static void s_gone (zc_client_t *client, zc_gone_t why)
{
    (void)client, (void)why;
    abort ();
}

static void s_describe (zc_client_t *client, char *text, size_t size)
{
    (void)client;
    snprintf (text, size, "client");
}

static const zc_transport_t s_transport = {
    .name = "hot",
    .write = s_write,
    .want_write = s_want_write,
    .gone = s_gone,
    .describe = s_describe,
};

static void s_make_hub (void)
{
    static const zc_upstream_t upstream = {NULL, s_subscribe, s_subscribe, s_sync, s_fetch, NULL};
    zc_hub_config_t config = {.max_lag = 1 << 20,
                              .retain = 1 << 20,
                              .retain_ms = 60000,
                              .linger_ms = 5000,
                              .heartbeat_ms = 15000,
                              .max_topics = 100};
    s_hub = zc_hub_new (&config, &upstream);
    s_pump = zc_pump_new (uv_default_loop (), s_hub, 0);
    zc_hub_tick (s_hub, FIRST_MS);
    zc_hub_connected (s_hub);
    s_answer ();
}

static void s_flush (void)
{
    zc_pump_kick (s_pump);
    while (uv_run (uv_default_loop (), UV_RUN_NOWAIT))
        ;
}

static void s_join (unsigned number, const zc_slice_t *topics, size_t count, zc_slice_t last_id)
{
    s_client[number] = (zc_client_t){.transport = &s_transport, .fd = -1};
    zc_hub_join (s_hub, &s_client[number], &zc_encoding_sse, topics, count, NULL, last_id);
    s_answer ();
    zc_pump_send (s_pump, &s_client[number]);
}

static void s_prepare_pump (void)
{
    zc_slice_t topic = SLICE ("bench");
    s_make_hub ();
    for (unsigned i = 0; i < CLIENTS; i++)
        s_join (i, &topic, 1, (zc_slice_t){NULL, 0});
    s_flush ();
}

/*  Every message goes to all clients. */
static void s_pump_all (unsigned count)
{
    uint64_t before = zc_pump_stats (s_pump)->sends;
    for (unsigned i = 1; i <= count; i++) {
        zc_message_t message = s_message (SLICE ("bench"), i, i - 1);
        zc_hub_message (s_hub, &message);
        s_flush ();
    }
    if (zc_pump_stats (s_pump)->sends - before < (uint64_t)count * CLIENTS)
        abort ();
}

static void s_topic_name (unsigned number, char *text, size_t size, zc_slice_t *slice)
{
    *slice = (zc_slice_t){text, (size_t)snprintf (text, size, "own/%u", number)};
}

static void s_prepare_topics (void)
{
    s_make_hub ();
    for (unsigned i = 0; i < CLIENTS; i++) {
        char name[32];
        zc_slice_t topics[2] = {{NULL, 0}, SLICE ("shared")};
        s_topic_name (i, name, sizeof name, &topics[0]);
        s_join (i, topics, 2, (zc_slice_t){NULL, 0});
    }
    s_flush ();
}

/*  Every message goes to one of a thousand topics, and so to one client. */
static void s_pump_topics (unsigned count)
{
    static unsigned before[CLIENTS];
    for (unsigned i = 1; i <= count; i++) {
        char name[32];
        zc_slice_t topic;
        unsigned number = i * 7919 % CLIENTS;
        s_topic_name (number, name, sizeof name, &topic);
        zc_message_t message = s_message (topic, i, before[number]);
        before[number] = i;
        zc_hub_message (s_hub, &message);
        s_flush ();
    }
}

static void s_prepare_resume (void)
{
    s_prepare_pump ();
    s_pump_all (100);
    for (unsigned i = 0; i < CLIENTS; i++)
        zc_hub_leave (s_hub, &s_client[i]);
}

/*  Clients come back with an id that the feed still holds, ten messages behind. */
static void s_resume (unsigned count)
{
    zc_slice_t topic = SLICE ("bench");
    char id[ZC_ID_SIZE];
    zc_slice_t last_id = {id, zc_id_format (zc_id_from_ms (FIRST_MS + 90), id)};
    for (unsigned i = 0; i < count; i++)
        s_join (i % CLIENTS, &topic, 1, last_id);
    s_flush ();
    if (zc_hub_stats (s_hub)->resumed_feed < count)
        abort ();
}

/* ---- the list ---- */

typedef struct {
    const char *name;
    void (*prepare) (void);
    void (*run) (unsigned count);
    unsigned count; /* times; instructions are counted for one of them */
} s_path_t;

static const s_path_t s_paths[] = {
    {"feed-append", s_prepare_feed, s_append, 20000},
    {"feed-seek", s_prepare_seek, s_seek, 20000},
    {"encode-sse", NULL, s_encode_sse, 20000},
    {"encode-chunk", NULL, s_encode_chunk, 20000},
    {"encode-ws", NULL, s_encode_ws, 20000},
    {"encode-json", NULL, s_encode_json, 20000},
    {"parse-delivery", NULL, s_parse_delivery, 20000},
    {"parse-publish", NULL, s_parse_publish, 20000},
    {"parse-fastcgi", NULL, s_parse_fcgi, 2000},
    {"frame-fastcgi", NULL, s_frame_fcgi, 20000},
    {"parse-ws-head", NULL, s_parse_head, 2000},
    {"parse-ws-frame", NULL, s_parse_frames, 20000},
    {"pump-1000-clients", s_prepare_pump, s_pump_all, 100},
    {"pump-1000-topics", s_prepare_topics, s_pump_topics, 10000},
    {"resume", s_prepare_resume, s_resume, CLIENTS},
};

void hot_measured (const s_path_t *path);
__attribute__ ((noinline)) void hot_measured (const s_path_t *path)
{
    path->run (path->count);
}

int main (int argc, char **argv)
{
    memset (s_payload, 'x', sizeof s_payload);
    for (size_t i = 0; i < sizeof s_paths / sizeof *s_paths; i++) {
        const s_path_t *path = &s_paths[i];
        if (argc == 1)
            printf ("%s %u\n", path->name, path->count);
        else if (strcmp (argv[1], path->name) == 0) {
            if (path->prepare)
                path->prepare ();
            hot_measured (path);
            return 0;
        }
    }
    return argc == 1 ? 0 : 2;
}
