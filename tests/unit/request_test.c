/*  Requests and the answers to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fcgi/request.h"
#include "fcgi/response.h"
#include "lib/wire/sse.h"

#define MAX_TOPICS 3

typedef struct {
    const char *method, *query, *last_id, *origin; /* NULL: not there */
} s_given_t;

static void s_set (const char *name, const char *value)
{
    if (value)
        setenv (name, value, 1);
    else
        unsetenv (name);
}

static zc_params_t *s_params (s_given_t given)
{
    s_set ("REQUEST_METHOD", given.method);
    s_set ("QUERY_STRING", given.query);
    s_set ("HTTP_LAST_EVENT_ID", given.last_id);
    s_set ("HTTP_ORIGIN", given.origin);
    zc_params_t *params = zc_params_new (zc_param_names, ZC_PARAM_COUNT, ZC_PARAMS_MAX);
    zc_params_read_environment (params);
    return params;
}

static void s_assert_slice (zc_slice_t slice, const char *text)
{
    assert_int_equal (slice.len, strlen (text));
    if (slice.len > 0)
        assert_memory_equal (slice.at, text, slice.len);
}

static const struct {
    s_given_t given;
    size_t count;
    const char *first, *last_id;
    bool json, head;
} good[] = {
    {{"GET", "topic=a", NULL, NULL}, 1, "a", "", false, false},
    {{"GET", "topic=a%2Fb+c&topic=%C3%BC&x=y", NULL, NULL}, 2, "a/b c", "", false, false},
    {{"HEAD", "topic=a", NULL, NULL}, 1, "a", "", false, true},
    {{"GET", "topic=a&format=zcast.v1", NULL, NULL}, 1, "a", "", true, false},
    {{"GET", "topic=a&lastEventId=5-0", NULL, NULL}, 1, "a", "5-0", false, false},
    {{"GET", "topic=a&last_event_id=earliest", "", NULL}, 1, "a", "earliest", false, false},
    {{"GET", "topic=a&lastEventID=5-0", "6-0", NULL}, 1, "a", "6-0", false, false},
    {{"GET", "topic=a", "order 17", NULL}, 1, "a", "order 17", false, false},
    {{"GET", "topic=a", "a\tb", NULL}, 1, "a", "a\tb", false, false},
    {{"GET", "topic=a&last-event-id=5-0", "\xff", NULL}, 1, "a", "\xff", false, false},
};

static void test_good (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        zc_params_t *params = s_params (good[i].given);
        zc_request_t request;
        zc_request_parse (&request, params, MAX_TOPICS);
        assert_int_equal (request.status, 200);
        assert_int_equal (request.query.count, good[i].count);
        s_assert_slice (request.query.topics[0], good[i].first);
        s_assert_slice (request.last_id, good[i].last_id);
        assert_ptr_equal (request.encoding,
                          good[i].json ? &zc_encoding_sse_json : &zc_encoding_sse);
        assert_int_equal (request.head, good[i].head);
        zc_request_clear (&request);
        zc_params_destroy (&params);
    }
}

static const struct {
    s_given_t given;
    unsigned status;
    const char *says; /* a part of the error */
} bad[] = {
    {{"GET", NULL, NULL, NULL}, 400, "no topic"},
    {{"GET", "", NULL, NULL}, 400, "no topic"},
    {{"GET", "topics=a", NULL, NULL}, 400, "no topic"},
    {{"GET", "topic=", NULL, NULL}, 400, "a topic is"},
    {{"GET", "topic=a&topic=%0A", NULL, NULL}, 400, "a topic is"},
    {{"GET", "topic=a%2", NULL, NULL}, 400, "percent-escape"},
    {{"GET", "topic=1&topic=2&topic=3&topic=4", NULL, NULL}, 400, "too many topics: at most 3"},
    {{"GET", "topic=a&format=xml", NULL, NULL}, 400, "unknown format"},
    {{"GET", "topic=a&format=", NULL, NULL}, 400, "unknown format"},
    {{"POST", "topic=a", NULL, NULL}, 405, "use GET"},
    {{"get", "topic=a", NULL, NULL}, 405, "use GET"},
    {{NULL, "topic=a", NULL, NULL}, 405, "use GET"},
    {{"GET\r\nX: y", "topic=a", NULL, NULL}, 405, "use GET"},
};

/*  Each answer is a head that names the status, and one line of text. */
static void test_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        zc_params_t *params = s_params (bad[i].given);
        zc_request_t request;
        zc_cors_t cors = {.any = true, .origin = {"http://a", 8}};
        zc_buf_t reply = ZC_BUF_INIT;
        zc_request_parse (&request, params, MAX_TOPICS);
        assert_int_equal (request.status, bad[i].status);
        assert_non_null (strstr (request.error, bad[i].says));
        zc_response_short (&reply, &cors, &request);
        const char *text = zc_buf_str (&reply);
        const char *body = strstr (text, "\r\n\r\n");
        assert_true (strncmp (text, bad[i].status == 400 ? "Status: 400 " : "Status: 405 ", 12) ==
                     0);
        assert_non_null (strstr (text, "\r\nAccess-Control-Allow-Origin: *\r\n"));
        assert_int_equal (strstr (text, "\r\nAllow: GET") != NULL, bad[i].status == 405);
        assert_non_null (body);
        assert_ptr_equal (strchr (body + 4, '\n'), text + reply.len - 1);
        zc_buf_clear (&reply);
        zc_request_clear (&request);
        zc_params_destroy (&params);
    }
}

static void s_assert_has (zc_buf_t *reply, const char *part, bool there)
{
    const char *text = zc_buf_str (reply);
    if ((strstr (text, part) != NULL) != there)
        fail_msg ("%s in: %s", part, text);
}

static void test_options_and_head (void **state)
{
    (void)state;
    zc_params_t *params = s_params ((s_given_t){"OPTIONS", NULL, NULL, "https://x"});
    zc_request_t request;
    zc_buf_t reply = ZC_BUF_INIT;
    zc_cors_t none = {.origin = {"https://x", 9}};
    zc_cors_t listed = {.origin = {"https://x", 9}, .listed = true};
    zc_request_parse (&request, params, MAX_TOPICS);
    assert_int_equal (request.status, 204);
    zc_response_short (&reply, &none, &request);
    s_assert_has (&reply, "Status: 204 No Content\r\nAllow: GET, HEAD, OPTIONS\r\n\r\n", true);
    reply.len = 0;
    zc_response_short (&reply, &listed, &request);
    s_assert_has (&reply, "Access-Control-Allow-Origin: https://x\r\n", true);
    s_assert_has (&reply, "Access-Control-Allow-Credentials: true\r\n", true);
    s_assert_has (&reply, "Vary: Origin\r\n", true);
    s_assert_has (&reply, "Access-Control-Allow-Headers: Last-Event-ID", true);
    zc_request_clear (&request);
    zc_params_destroy (&params);
    params = s_params ((s_given_t){"HEAD", "topic=a", NULL, NULL});
    zc_request_parse (&request, params, MAX_TOPICS);
    reply.len = 0;
    zc_response_short (&reply, &none, &request);
    s_assert_has (&reply, "Content-Type: text/event-stream\r\n", true);
    assert_string_equal (zc_buf_str (&reply) + reply.len - 4, "\r\n\r\n");
    zc_request_clear (&request);
    zc_params_destroy (&params);
    zc_buf_clear (&reply);
}

/*  Both kinds of stream begin alike, and an event can follow. */
static void test_stream_head (void **state)
{
    (void)state;
    zc_cors_t none = {0};
    for (int later = 0; later < 2; later++) {
        zc_buf_t reply = ZC_BUF_INIT;
        (later ? zc_response_later : zc_response_stream) (&reply, &none, 2345);
        s_assert_has (&reply, "Status: 200 OK\r\n", true);
        s_assert_has (&reply, "\r\nContent-Type: text/event-stream\r\n", true);
        s_assert_has (&reply, "\r\nCache-Control: no-cache, no-transform\r\n", true);
        s_assert_has (&reply, "\r\nX-Accel-Buffering: no\r\n", true);
        s_assert_has (&reply, "\r\n\r\n: ", true);
        s_assert_has (&reply, "\nretry: 2345\n", true);
        assert_null (strstr (zc_buf_str (&reply), "\n\n")); /* would be an empty message */
        s_assert_has (&reply, "Access-Control", false);
        zc_buf_clear (&reply);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_good),
        cmocka_unit_test (test_bad),
        cmocka_unit_test (test_options_and_head),
        cmocka_unit_test (test_stream_head),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
