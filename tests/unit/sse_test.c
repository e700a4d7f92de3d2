#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "lib/wire/sse.h"

#define TEXT(text)            \
    {                         \
        text, sizeof text - 1 \
    }
#define POSITION (((zc_id_t)1700000000000u << ZC_ID_COUNTER_BITS) | 7)

typedef struct {
    zc_slice_t payload, event, event_id, retry;
    const char *expected;
} s_case_t;

static const s_case_t s_cases[] = {
    {TEXT ("hello"), {0}, {0}, {0}, "data: hello\nid: 1700000000000-7\n\n"},
    {TEXT (""), {0}, {0}, {0}, "data: \nid: 1700000000000-7\n\n"},
    {TEXT (" lead"), {0}, {0}, {0}, "data:  lead\nid: 1700000000000-7\n\n"},
    {TEXT ("a\nb"), {0}, {0}, {0}, "data: a\ndata: b\nid: 1700000000000-7\n\n"},
    {TEXT ("a\rb\r\nc\n"),
     {0},
     {0},
     {0},
     "data: a\ndata: b\ndata: c\ndata: \nid: 1700000000000-7\n\n"},
    {TEXT ("\r\r"), {0}, {0}, {0}, "data: \ndata: \ndata: \nid: 1700000000000-7\n\n"},
    /* a payload can't forge a field, an event, or the end of one */
    {TEXT ("x\n\nevent: evil\rid: 9\r\n\r\ndata: y"),
     {0},
     {0},
     {0},
     "data: x\ndata: \ndata: event: evil\ndata: id: 9\ndata: \ndata: data: y\n"
     "id: 1700000000000-7\n\n"},
    {TEXT ("x"), TEXT ("price"), {0}, {0}, "event: price\ndata: x\nid: 1700000000000-7\n\n"},
    /* the publisher's own id isn't a position, so it isn't shown */
    {TEXT ("x"), {0}, TEXT ("order-5"), {0}, "data: x\nid: 1700000000000-7\n\n"},
    {TEXT ("x"), {0}, {0}, TEXT ("250"), "data: x\nretry: 250\nid: 1700000000000-7\n\n"},
    {TEXT ("x"), {0}, {0}, TEXT ("600000"), "data: x\nretry: 600000\nid: 1700000000000-7\n\n"},
    /* no message keeps a topic's clients away for a month */
    {TEXT ("x"), {0}, {0}, TEXT ("4294967295"), "data: x\nretry: 600000\nid: 1700000000000-7\n\n"},
    {TEXT ("h\xc3\xa9"), {0}, {0}, {0}, "data: h\xc3\xa9\nid: 1700000000000-7\n\n"},
    {TEXT ("\xff\xfe\n"),
     {0},
     {0},
     {0},
     "data: data:application/octet-stream;base64,//4K\nid: 1700000000000-7\n\n"},
};

static void s_blocks (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof s_cases / sizeof *s_cases; i++) {
        const s_case_t *one = &s_cases[i];
        zc_message_t message = {.topic = TEXT ("t"),
                                .payload = one->payload,
                                .id = POSITION,
                                .event = one->event,
                                .event_id = one->event_id,
                                .retry = one->retry};
        zc_buf_t out = ZC_BUF_INIT;
        zc_encoding_sse.message (&out, &message);
        assert_string_equal (zc_buf_str (&out), one->expected);
        zc_buf_clear (&out);
    }
}

static void s_default_event (void **state)
{
    (void)state;
    zc_message_t message = {.topic = TEXT ("t"), .payload = TEXT ("x"), .id = POSITION};
    zc_buf_t out = ZC_BUF_INIT;
    zc_sse_default_event ("update");
    zc_encoding_sse.message (&out, &message);
    assert_string_equal (zc_buf_str (&out), "event: update\ndata: x\nid: 1700000000000-7\n\n");
    zc_sse_default_event (NULL);
    zc_buf_clear (&out);
}

/*  A JSON library reads the JSON of zcast.v1, whatever the payload. */
static void s_json (void **state)
{
    (void)state;
    static const zc_slice_t payloads[] = {TEXT (""), TEXT ("plain"),
                                          TEXT ("\"\\/\b\f\n\r\t\x01\x1f"),
                                          TEXT ("\xe2\x82\xac \xf0\x9f\x98\x80"), TEXT ("a\0b")};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        zc_message_t message = {.topic = TEXT ("a \"topic\""),
                                .payload = payloads[i],
                                .id = POSITION,
                                .event = TEXT ("e\\")};
        zc_buf_t out = ZC_BUF_INIT;
        zc_message_json (&out, &message);
        json_t *json = json_loadb ((const char *)out.data, out.len, JSON_ALLOW_NUL, NULL);
        assert_non_null (json);
        json_t *data = json_object_get (json, "data");
        assert_int_equal (json_string_length (data), payloads[i].len);
        assert_memory_equal (json_string_value (data), payloads[i].at, payloads[i].len);
        assert_string_equal (json_string_value (json_object_get (json, "topic")), "a \"topic\"");
        assert_string_equal (json_string_value (json_object_get (json, "event")), "e\\");
        assert_string_equal (json_string_value (json_object_get (json, "id")), "1700000000000-7");
        json_decref (json);
        zc_buf_clear (&out);
    }
}

static void s_json_binary (void **state)
{
    (void)state;
    zc_message_t message = {.topic = TEXT ("t"), .payload = TEXT ("\xff\x00"), .id = POSITION};
    zc_buf_t out = ZC_BUF_INIT;
    zc_message_json (&out, &message);
    assert_string_equal (
        zc_buf_str (&out),
        "{\"id\":\"1700000000000-7\",\"topic\":\"t\",\"event\":\"message\",\"base64\":\"/wA=\"}");
    out.len = 0;
    message.event_id = (zc_slice_t)TEXT ("an \"own\" id");
    message.payload = (zc_slice_t)TEXT ("x");
    zc_message_json (&out, &message);
    assert_string_equal (zc_buf_str (&out),
                         "{\"id\":\"1700000000000-7\",\"eventId\":\"an \\\"own\\\" id\","
                         "\"topic\":\"t\",\"event\":\"message\",\"data\":\"x\"}");
    out.len = 0;
    zc_encoding_sse_json.message (&out, &message);
    assert_non_null (strstr (zc_buf_str (&out), "\"eventId\":\"an "));
    assert_non_null (strstr (zc_buf_str (&out), "\nid: 1700000000000-7\n\n"));
    zc_buf_clear (&out);
}

static void s_verdicts (void **state)
{
    (void)state;
    zc_buf_t out = ZC_BUF_INIT;
    zc_verdict_t verdict = {.since = TEXT ("1-0"), .replayed = 3, .position = POSITION};
    zc_encoding_sse.verdict (&out, &verdict);
    assert_string_equal (zc_buf_str (&out),
                         "event: zcast.continuity\n"
                         "data: {\"status\":\"continued\",\"since\":\"1-0\",\"replayed\":3}\n"
                         "id: 1700000000000-7\n\n");
    out.len = 0;
    verdict = (zc_verdict_t){.gap = true,
                             .since = TEXT ("an \"own\" id"),
                             .from = POSITION,
                             .position = POSITION,
                             .topic = TEXT ("t")};
    zc_encoding_sse_json.verdict (&out, &verdict);
    assert_string_equal (zc_buf_str (&out),
                         "event: zcast.continuity\n"
                         "data: {\"status\":\"gap\",\"since\":\"an \\\"own\\\" id\","
                         "\"from\":\"1700000000000-7\",\"topic\":\"t\",\"replayed\":0}\n"
                         "id: 1700000000000-7\n\n");
    zc_buf_clear (&out);
}

static void s_staleness (void **state)
{
    (void)state;
    zc_buf_t out = ZC_BUF_INIT;
    zc_encoding_sse.stale (&out, true, POSITION);
    zc_encoding_sse_json.stale (&out, false, ZC_ID_NONE);
    assert_string_equal (zc_buf_str (&out), "event: zcast.stale\ndata: {\"status\":\"stale\"}\n"
                                            "id: 1700000000000-7\n\n"
                                            "event: zcast.stale\ndata: {\"status\":\"live\"}\n\n");
    zc_buf_clear (&out);
}

static void s_ended (void **state)
{
    (void)state;
    zc_buf_t out = ZC_BUF_INIT;
    zc_sse_end (&out, "token", "the token has expired", POSITION);
    zc_sse_end (&out, "token", "the token has expired", ZC_ID_NONE);
#define END              \
    "event: zcast.end\n" \
    "data: {\"code\":\"token\",\"message\":\"the token has expired\"}\n"
    assert_string_equal (zc_buf_str (&out), END "id: 1700000000000-7\n\n" END "\n");
    zc_buf_clear (&out);
}

static void s_heartbeats (void **state)
{
    (void)state;
    zc_buf_t out = ZC_BUF_INIT;
    zc_sse_retry (&out, 1500);
    zc_encoding_sse.heartbeat (&out, ZC_ID_NONE);
    zc_encoding_sse.heartbeat (&out, POSITION);
    zc_encoding_sse_json.heartbeat (&out, POSITION);
    assert_string_equal (zc_buf_str (&out),
                         "retry: 1500\n"
                         "event: zcast.heartbeat\ndata:{}\n\n"
                         "event: zcast.heartbeat\ndata:{}\nid: 1700000000000-7\n\n"
                         "event: zcast.heartbeat\ndata:{}\nid: 1700000000000-7\n\n");
    zc_buf_clear (&out);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_blocks),    cmocka_unit_test (s_default_event),
        cmocka_unit_test (s_json),      cmocka_unit_test (s_json_binary),
        cmocka_unit_test (s_verdicts),  cmocka_unit_test (s_heartbeats),
        cmocka_unit_test (s_staleness), cmocka_unit_test (s_ended),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
