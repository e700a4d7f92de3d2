/*  The server's bytes: frame headers, close frames, and the encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ws/deflate.h"
#include "ws/encoding.h"
#include "ws/frame.h"

static void s_assert_bytes (zc_buf_t *out, const char *bytes, size_t len)
{
    assert_int_equal (out->len, len);
    assert_memory_equal (out->data, bytes, len);
    zc_buf_clear (out);
}

/*  Headers at the lengths at which their form changes, written in both ways, with good guesses
 *  and bad ones. */
static void test_headers (void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *header;
        size_t header_len;
    } rows[] = {
        {0, "\x82\x00", 2},
        {125, "\x82\x7d", 2},
        {126, "\x82\x7e\x00\x7e", 4},
        {65535, "\x82\x7e\xff\xff", 4},
        {65536, "\x82\x7f\0\0\0\0\0\1\0\0", 10},
    };
    static const size_t guesses[] = {0, 126, 70000};
    char *payload = malloc (65536);
    for (size_t i = 0; i < 65536; i++)
        payload[i] = (char)(i * 7);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zc_buf_t out = ZC_BUF_INIT;
        zc_frame_add (&out, ZC_FRAME_BINARY, payload, rows[i].len);
        assert_int_equal (zc_frame_header_size (rows[i].len), rows[i].header_len);
        assert_memory_equal (out.data, rows[i].header, rows[i].header_len);
        assert_memory_equal (out.data + rows[i].header_len, payload, rows[i].len);
        for (size_t j = 0; j < 3; j++) {
            zc_buf_t other = ZC_BUF_INIT;
            zc_buf_adds (&other, "before");
            size_t begun = zc_frame_begin (&other, guesses[j]);
            zc_buf_add (&other, payload, rows[i].len);
            zc_frame_end (&other, begun, guesses[j], ZC_FRAME_BINARY);
            zc_buf_shift (&other, 6);
            s_assert_bytes (&other, (const char *)out.data, out.len);
        }
        zc_buf_clear (&out);
    }
    free (payload);
}

static void test_close (void **state)
{
    (void)state;
    zc_buf_t out = ZC_BUF_INIT;
    zc_frame_add_close (&out, ZC_CLOSE_NO_STATUS, "not shown");
    s_assert_bytes (&out, "\x88\x00", 2);
    zc_frame_add_close (&out, ZC_CLOSE_PROTOCOL, "");
    s_assert_bytes (&out, "\x88\x02\x03\xea", 4);
    zc_frame_add_close (&out, ZC_CLOSE_RESTART, "bye");
    s_assert_bytes (&out,
                    "\x88\x05\x03\xf4"
                    "bye",
                    7);
    char reason[200];
    memset (reason, 'x', sizeof reason);
    memcpy (reason + 122, "\xe2\x82\xac", 4); /* a character that doesn't fit */
    zc_frame_add_close (&out, ZC_CLOSE_NORMAL, reason);
    assert_int_equal (out.len, 2 + 2 + 122);
    zc_buf_clear (&out);
}

static zc_message_t s_message (const char *payload, size_t len)
{
    return (zc_message_t){.topic = {"a\"", 2}, .payload = {payload, len}, .id = 5};
}

static void test_raw_message (void **state)
{
    (void)state;
    zc_buf_t out = ZC_BUF_INIT;
    zc_message_t message = s_message ("h\xc3\xa9", 3);
    zc_encoding_ws.message (&out, &message);
    s_assert_bytes (&out, "\x81\x03h\xc3\xa9", 5);
    message = s_message ("h\xc3", 2);
    zc_encoding_ws.message (&out, &message);
    s_assert_bytes (&out, "\x82\x02h\xc3", 4);
    message = s_message ("", 0);
    zc_encoding_ws.message (&out, &message);
    s_assert_bytes (&out, "\x81\x00", 2);
}

/*  A text frame whose payload is `json`. */
static void s_assert_json (zc_buf_t *out, const char *json)
{
    zc_buf_t expected = ZC_BUF_INIT;
    zc_frame_add (&expected, ZC_FRAME_TEXT, json, strlen (json));
    s_assert_bytes (out, (const char *)expected.data, expected.len);
    zc_buf_clear (&expected);
}

static void test_json_message (void **state)
{
    (void)state;
    zc_buf_t out = ZC_BUF_INIT;
    zc_message_t message = s_message ("h\n", 2);
    zc_encoding_ws_json.message (&out, &message);
    s_assert_json (&out,
                   "{\"id\":\"0-5\",\"topic\":\"a\\\"\",\"event\":\"message\",\"data\":\"h\\n\"}");
    message = s_message ("\xff", 1);
    message.event = (zc_slice_t){"tick", 4};
    message.event_id = (zc_slice_t){"own", 3};
    zc_encoding_ws_json.message (&out, &message);
    s_assert_json (&out,
                   "{\"id\":\"0-5\",\"eventId\":\"own\",\"topic\":\"a\\\"\",\"event\":\"tick\","
                   "\"base64\":\"/w==\"}");
    /*  Text that grows when it is written as JSON, beyond the length guessed for the header. */
    char *payload = malloc (65000), *longer = malloc (2 * 65000 + 100);
    memset (payload, '\n', 65000);
    message = s_message (payload, 65000);
    zc_encoding_ws_json.message (&out, &message);
    char *end =
        longer +
        sprintf (longer, "{\"id\":\"0-5\",\"topic\":\"a\\\"\",\"event\":\"message\",\"data\":\"");
    for (size_t i = 0; i < 65000; i++, end += 2)
        memcpy (end, "\\n", 2);
    memcpy (end, "\"}", 3);
    s_assert_json (&out, longer);
    free (payload);
    free (longer);
}

static void test_verdicts (void **state)
{
    (void)state;
    zc_buf_t out = ZC_BUF_INIT;
    zc_verdict_t verdict = {.since = {"0-3", 3}, .replayed = 2, .position = 3};
    zc_encoding_ws.verdict (&out, &verdict);
    s_assert_json (&out,
                   "{\"event\":\"zcast.continuity\",\"data\":\"{\\\"status\\\":\\\"continued\\\","
                   "\\\"since\\\":\\\"0-3\\\",\\\"replayed\\\":2}\"}");
    verdict = (zc_verdict_t){.gap = true, .since = {"x", 1}, .from = 9, .position = 9};
    zc_encoding_ws_json.verdict (&out, &verdict);
    s_assert_json (&out,
                   "{\"id\":\"0-9\",\"topic\":\"\",\"event\":\"zcast.continuity\",\"data\":"
                   "\"{\\\"status\\\":\\\"gap\\\",\\\"since\\\":\\\"x\\\",\\\"from\\\":\\\"0-9\\\","
                   "\\\"replayed\\\":0}\"}");
}

static void test_staleness (void **state)
{
    (void)state;
    zc_buf_t out = ZC_BUF_INIT;
    assert_null (zc_encoding_ws.stale);
    zc_encoding_ws_json.stale (&out, true, 7);
    s_assert_json (&out, "{\"id\":\"0-7\",\"topic\":\"\",\"event\":\"zcast.stale\",\"data\":"
                         "\"{\\\"status\\\":\\\"stale\\\"}\"}");
    zc_encoding_ws_json_deflate.stale (&out, false, ZC_ID_NONE);
    s_assert_json (&out, "{\"topic\":\"\",\"event\":\"zcast.stale\",\"data\":"
                         "\"{\\\"status\\\":\\\"live\\\"}\"}");
}

static void test_heartbeats (void **state)
{
    (void)state;
    zc_buf_t out = ZC_BUF_INIT;
    zc_encoding_ws.heartbeat (&out, 7);
    s_assert_bytes (&out, "\x89\x00", 2);
    zc_encoding_ws_json.heartbeat (&out, ZC_ID_NONE);
    s_assert_bytes (&out, "\x89\x00\x81\x14{\"type\":\"heartbeat\"}", 24);
    zc_encoding_ws_json.heartbeat (&out, 7);
    s_assert_bytes (&out, "\x89\x00\x81\x1f{\"type\":\"heartbeat\",\"id\":\"0-7\"}", 35);
}

/*  A compressed frame that holds `text`, with its header in the shortest form. */
static void s_assert_deflated (zc_buf_t *out, unsigned first, const void *text, size_t len)
{
    zc_buf_t inflated = ZC_BUF_INIT;
    assert_int_equal (out->data[0], first);
    size_t size = out->data[1] < 126 ? 2 : out->data[1] == 126 ? 4 : 10;
    assert_int_equal (size, zc_frame_header_size (out->len - size));
    assert_int_equal (zc_inflate (&inflated, out->data + size, out->len - size, len), 0);
    s_assert_bytes (&inflated, text, len);
    zc_buf_clear (out);
}

/*  A message below the limit, or one that compression doesn't shorten, is framed as for all
 *  clients. */
static void test_deflated_messages (void **state)
{
    (void)state;
    static const size_t lengths[] = {100, 500, 50000, 1000000};
    zc_buf_t out = ZC_BUF_INIT;
    zc_deflate_from (100);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char *payload = malloc (lengths[i]);
        for (size_t j = 0; j < lengths[i]; j++)
            payload[j] = (char)('a' + j * j / 7 % 25);
        zc_message_t message = s_message (payload, lengths[i]);
        zc_encoding_ws_deflate.message (&out, &message);
        s_assert_deflated (&out, 0xc1, payload, lengths[i]);
        zc_buf_t json = ZC_BUF_INIT;
        zc_message_json (&json, &message);
        zc_encoding_ws_json_deflate.message (&out, &message);
        s_assert_deflated (&out, 0xc1, json.data, json.len);
        zc_buf_clear (&json);
        payload[0] = (char)0xff;
        zc_encoding_ws_deflate.message (&out, &message);
        s_assert_deflated (&out, 0xc2, payload, lengths[i]);
        free (payload);
    }
    zc_message_t message = s_message ("h\xc3\xa9", 3);
    zc_encoding_ws_deflate.message (&out, &message);
    s_assert_bytes (&out, "\x81\x03h\xc3\xa9", 5);
    zc_encoding_ws_json_deflate.message (&out, &message);
    s_assert_json (
        &out, "{\"id\":\"0-5\",\"topic\":\"a\\\"\",\"event\":\"message\",\"data\":\"h\xc3\xa9\"}");
    zc_deflate_from (1);
    zc_encoding_ws_deflate.message (&out, &message);
    s_assert_bytes (&out, "\x81\x03h\xc3\xa9", 5);
}

/*  For one client alone: the bytes that all other clients get. */
static void test_alone (void **state)
{
    (void)state;
    assert_ptr_equal (zc_encoding_ws_deflate.alone, &zc_encoding_ws);
    assert_ptr_equal (zc_encoding_ws_json_deflate.alone, &zc_encoding_ws_json);
    assert_null (zc_encoding_ws.alone);
    assert_null (zc_encoding_ws_json.alone);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_headers),     cmocka_unit_test (test_close),
        cmocka_unit_test (test_raw_message), cmocka_unit_test (test_json_message),
        cmocka_unit_test (test_verdicts),    cmocka_unit_test (test_heartbeats),
        cmocka_unit_test (test_staleness),   cmocka_unit_test (test_deflated_messages),
        cmocka_unit_test (test_alone),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
