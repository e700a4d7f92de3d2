/*  Facts in, findings out; advice; the report. */
#include "tests/unit/unit.h"

#include <jansson.h>

#include "tools/doctor_report.h"

/*  A URL at which nothing is wrong. */
static zc_doctor_facts_t s_good (void)
{
    zc_doctor_facts_t facts = {.url = "https://www.example.org",
                               .host = "www.example.org",
                               .origin = "https://app.example.org",
                               .tls = true,
                               .timeout_ms = 10000,
                               .connected = true,
                               .version = 20,
                               .has_certificate = true,
                               .certificate_end_s = 100 * 86400,
                               .now_s = 40 * 86400,
                               .head_ms = 20,
                               .first_ms = 21,
                               .resumed = ZC_RESUME_CONTINUED,
                               .sent = 5,
                               .arrived = 5,
                               .least_ms = 2,
                               .most_ms = 9,
                               .accepted = true,
                               .has_clock = true};
    zc_doctor_head_t stream = {.status = 200,
                               .type = "text/event-stream",
                               .server = "nginx",
                               .cache = "no-cache, no-transform",
                               .no_cache = true,
                               .no_transform = true,
                               .unbuffered = true};
    facts.stream = (zc_doctor_try_t){.tried = true, .head = stream};
    facts.watch = facts.socket_watch = (zc_doctor_watch_t){31000, 2, 15000, false, 0};
    facts.resume = facts.stream;
    facts.wrong_token = (zc_doctor_try_t){.tried = true, .head = {.status = 401}};
    facts.cross = facts.stream;
    facts.cross.head.origins = 1;
    strcpy (facts.cross.head.origin, facts.origin);
    facts.preflight = (zc_doctor_try_t){
        .tried = true,
        .head = {.status = 204, .origins = 1, .allows_last_id = true, .allows_token = true}};
    facts.socket = (zc_doctor_try_t){.tried = true, .head = {.status = 101}};
    return facts;
}

static zc_finding_t s_find (const zc_doctor_facts_t *facts, const char *id)
{
    zc_finding_t findings[ZC_DOCTOR_CHECKS];
    size_t count = zc_doctor_judge (facts, findings);
    for (size_t i = 0; i < count; i++)
        if (strcmp (findings[i].id, id) == 0)
            return findings[i];
    fail_msg ("no check %s", id);
    return findings[0];
}

static void test_nothing_is_wrong (void **state)
{
    (void)state;
    zc_doctor_facts_t facts = s_good ();
    zc_finding_t findings[ZC_DOCTOR_CHECKS];
    size_t count = zc_doctor_judge (&facts, findings);
    assert_int_equal (zc_doctor_worst (findings, count), ZC_DOCTOR_OK);
    for (size_t i = 0; i < count; i++) {
        bool skipped = strcmp (findings[i].id, "error-page") == 0;
        assert_int_equal (findings[i].verdict, skipped ? ZC_DOCTOR_SKIPPED : ZC_DOCTOR_OK);
        assert_int_equal (findings[i].advice, ZC_ADVICE_NONE);
        assert_true (zc_doctor_is_check (findings[i].id) && *findings[i].fact);
    }
    assert_false (zc_doctor_is_check ("nonsense"));
}

/*  One fact that is otherwise, and the finding that follows. */
typedef struct {
    const char *id;
    zc_doctor_verdict_t verdict;
    zc_advice_t advice;
    const char *said; /* in the finding */
} s_expected_t;

static void s_check (const zc_doctor_facts_t *facts, s_expected_t expected)
{
    zc_finding_t found = s_find (facts, expected.id);
    if (found.verdict != expected.verdict || found.advice != expected.advice ||
        !strstr (found.fact, expected.said))
        fail_msg ("%s: verdict %d, advice %d: %s", found.id, found.verdict, found.advice,
                  found.fact);
}

#define WITH(id, verdict, advice, said, ...)                                                 \
    do {                                                                                     \
        zc_doctor_facts_t facts = s_good ();                                                 \
        __VA_ARGS__;                                                                         \
        s_check (&facts, (s_expected_t){id, ZC_DOCTOR_##verdict, ZC_ADVICE_##advice, said}); \
    } while (0)

static void test_the_way_there (void **state)
{
    (void)state;
    WITH ("connection", FAIL, LISTEN, "refused", facts.connected = false;
          strcpy (facts.failure, "connection refused"));
    WITH ("connection", FAIL, LISTEN, "within 10.0 s", facts.connected = false);
    WITH ("tls", WARN, TLS, "plain", facts.tls = false);
    WITH ("tls", SKIPPED, NONE, "this machine", facts.tls = false; facts.loopback = true);
    WITH ("tls", WARN, CERTIFICATE, "in 13 days", facts.certificate_end_s = 54 * 86400 - 1);
    WITH ("tls", OK, NONE, "in 14 days", facts.certificate_end_s = 54 * 86400);
    WITH ("tls", FAIL, CERTIFICATE, "expired 2 days ago", facts.certificate_end_s = 38 * 86400);
    WITH ("tls", FAIL, CERTIFICATE, "refused: self-signed", facts.untrusted = true;
          strcpy (facts.failure, "self-signed"));
    WITH ("connections", WARN, HTTP2, "seventh", facts.version = 11);
    WITH ("connections", SKIPPED, NONE, "this machine", facts.version = 11; facts.tls = false;
          facts.loopback = true);
    WITH ("clock", OK, NONE, "less than", facts.clock_ms = -5000);
    WITH ("clock", WARN, CLOCK, "6 s behind", facts.clock_ms = -6000);
    WITH ("clock", FAIL, CLOCK, "3600 s ahead of", facts.clock_ms = 3600000);
    WITH ("clock", SKIPPED, NONE, "Date", facts.has_clock = false);
}

static void test_the_stream (void **state)
{
    (void)state;
    zc_doctor_head_t none = {0};
    WITH ("first-byte", FAIL, BUFFERING, "within 10.0 s", facts.head_ms = ZC_DOCTOR_NEVER);
    WITH ("first-byte", FAIL, WORKER, "no answer: reset", facts.head_ms = ZC_DOCTOR_NEVER;
          strcpy (facts.failure, "reset"));
    WITH ("first-byte", SKIPPED, NONE, "no connection", facts.connected = false);
    WITH ("first-byte", WARN, WORKER, "3.0 s", facts.head_ms = 3001);
    WITH ("stream", SKIPPED, NONE, "no answer", facts.stream.head = none);
    WITH ("stream", FAIL, PATH, "404: no such path", facts.stream.head.status = 404;
          strcpy (facts.stream.text, "no such path"));
    WITH ("stream", FAIL, PATH, "200, text/html", strcpy (facts.stream.head.type, "text/html");
          strcpy (facts.stream.text, "<html>"));
    WITH ("stream", FAIL, TYPE, "text/plain", strcpy (facts.stream.head.type, "text/plain"));
    WITH ("stream", FAIL, REDIRECT, "(301)", facts.stream.head.status = 301;
          strcpy (facts.stream.head.location, "https://b.example/events?topic=a"));
    WITH ("stream", FAIL, WORKER, "502", facts.stream.head.status = 502);
    WITH ("stream", FAIL, LIMIT, "429", facts.stream.head.status = 429);
    WITH ("stream", FAIL, HOST, "403", facts.stream.head.status = 403);
    WITH ("stream", FAIL, WORKER, "in the worker's place", facts.later = true;
          strcpy (facts.stream.text, "retry: 3000"));
    WITH ("stream", FAIL, LIMIT, "no room", facts.later = true;
          strcpy (facts.stream.text, ": busy"));
    WITH ("stream", FAIL, NONE, "not one of zcast's", facts.foreign = true);
    WITH ("stream", WARN, WORKER, "lost its broker", facts.stale = true);
    WITH ("error-page", FAIL, ERROR_PAGE, "502, text/html", facts.stream.head.status = 502;
          strcpy (facts.stream.head.type, "text/html"));
    WITH ("error-page", OK, NONE, "come back", facts.later = true);
    WITH ("compression", WARN, COMPRESSION, "gzip", strcpy (facts.stream.head.encoding, "gzip"));
    WITH ("cache", FAIL, CACHE, "Age", facts.stream.head.aged = true);
    WITH ("cache", FAIL, CACHE, "missing", facts.stream.head.no_cache = false;
          *facts.stream.head.cache = 0);
    WITH ("cache", WARN, CACHE, "no-transform", facts.stream.head.no_transform = false);
    WITH ("accel", WARN, ACCEL, "missing", facts.stream.head.unbuffered = false);
}

static void test_time (void **state)
{
    (void)state;
    WITH ("buffering", FAIL, BUFFERING, "no event", facts.first_ms = ZC_DOCTOR_NEVER);
    WITH ("buffering", FAIL, BUFFERING, "of 3 events", facts.sent = 3; facts.arrived = 2);
    WITH ("buffering", FAIL, BUFFERING, "3 heartbeats", facts.together = 2);
    WITH ("buffering", WARN, DELAY, "200 ms", facts.least_ms = 200);
    WITH ("buffering", OK, NONE, "2 heartbeats", facts.sent = 0);
    WITH ("buffering", SKIPPED, NONE, "--send", facts.sent = 0; facts.watch.beats = 0);
    WITH ("idle", FAIL, IDLE, "after 5.0 s of silence",
          facts.watch = (zc_doctor_watch_t){5010, 0, 0, true, 5000});
    WITH ("idle", FAIL, IDLE, "after 60.0 s, though",
          facts.watch = (zc_doctor_watch_t){60000, 3, 15000, true, 10});
    WITH ("idle", FAIL, HEARTBEAT, "within 31.1 s",
          facts.watch = (zc_doctor_watch_t){31100, 0, 0, false, 0});
    WITH ("idle", WARN, HEARTBEAT, "within 20.0 s", facts.accepted = false;
          facts.socket_watch = (zc_doctor_watch_t){0};
          facts.watch = (zc_doctor_watch_t){20000, 0, 0, false, 0});
    WITH ("idle", SKIPPED, NONE, "within 2.0 s",
          facts.watch = (zc_doctor_watch_t){2000, 0, 0, false, 0});
    WITH ("websocket-idle", FAIL, SOCKET_IDLE, "after 5.0 s",
          facts.socket_watch = (zc_doctor_watch_t){5010, 0, 0, true, 5000});
    WITH ("websocket-idle", FAIL, TOKEN, "4401", facts.code = 4401);
    WITH ("websocket-idle", SKIPPED, NONE, "no WebSocket", facts.accepted = false);
}

static void test_what_a_page_needs (void **state)
{
    (void)state;
    WITH ("cors", SKIPPED, NONE, "--origin", *facts.origin = 0);
    WITH ("cors", FAIL, CORS_TWICE, "2 fields", facts.cross.head.origins = 2);
    WITH ("cors", FAIL, CORS, "no Access-Control", facts.cross.head.origins = 0);
    WITH ("cors", FAIL, CORS, "403: no", facts.cross.head.origins = 0;
          facts.cross.head.status = 403; strcpy (facts.cross.text, "no"));
    WITH ("cors", FAIL, CORS, "https://c.example",
          strcpy (facts.cross.head.origin, "https://c.example"));
    WITH ("cors", OK, NONE, "may read", strcpy (facts.cross.head.origin, "*"));
    WITH ("cors", FAIL, CORS_HEADERS, "405", facts.preflight.head.status = 405);
    WITH ("cors", FAIL, CORS_HEADERS, "Last-Event-ID", facts.preflight.head.allows_last_id = false);
    WITH ("cors", FAIL, CORS_HEADERS, "Authorization", facts.preflight.head.allows_token = false);
    WITH ("resume", FAIL, LAST_ID, "URL works", facts.resumed = ZC_RESUME_LOST);
    WITH ("resume", FAIL, LAST_ID, "no verdict", facts.resumed = ZC_RESUME_IGNORED);
    WITH ("resume", FAIL, HISTORY, "gap", facts.resumed = ZC_RESUME_GAP);
    WITH ("resume", FAIL, BUFFERING, "no event", facts.resumed = ZC_RESUME_SILENT);
    WITH ("resume", FAIL, NONE, "429", facts.resumed = ZC_RESUME_REFUSED;
          facts.resume.head.status = 429);
    WITH ("resume", SKIPPED, NONE, "no position", facts.resumed = ZC_RESUME_NOT_TRIED);
    WITH ("publish", FAIL, PUBLISH, "403", facts.publish.tried = true;
          facts.publish.head.status = 403);
    WITH ("publish", SKIPPED, NONE, "--send", facts.sent = 0);
}

static void s_refused (zc_doctor_facts_t *facts, int status)
{
    facts->accepted = false;
    facts->socket.head.status = status;
    *facts->origin = 0;
}

static void test_websocket (void **state)
{
    (void)state;
    WITH ("websocket", WARN, SOCKET_PATH, "404", s_refused (&facts, 404));
    WITH ("websocket", FAIL, UPGRADE, "426", s_refused (&facts, 426));
    WITH ("websocket", FAIL, UPGRADE, "200", s_refused (&facts, 200));
    WITH ("websocket", FAIL, HOST, "403", s_refused (&facts, 403));
    WITH ("websocket", FAIL, WORKER, "502", s_refused (&facts, 502));
    WITH ("websocket", FAIL, UPGRADE, "Accept", s_refused (&facts, 101));
    WITH ("websocket", FAIL, UPGRADE, "no answer", s_refused (&facts, 0));
    WITH ("websocket", FAIL, UPGRADE, "no frames", facts.malformed = true);
    WITH ("websocket", FAIL, ALLOW_ORIGIN, "4403", facts.code = 4403; facts.socket_watch.beats = 0);
    WITH ("websocket", FAIL, TOKEN, "4401", facts.code = 4401; facts.socket_watch.beats = 0);
    WITH ("websocket", SKIPPED, NONE, "no connection", facts.socket.tried = false);
}

static void s_say (zc_doctor_try_t *attempt, int status, const char *text)
{
    attempt->tried = true;
    attempt->head.status = status;
    snprintf (attempt->text, sizeof attempt->text, "%s", text);
}

static void test_tokens (void **state)
{
    (void)state;
    WITH ("token", OK, NONE, "bad token is refused", (void)0);
    WITH ("token", SKIPPED, NONE, "public", facts.wrong_token.head.status = 200);
    WITH ("token", FAIL, NONE, "--token-file", s_say (&facts.stream, 401, "a token is needed"));
    WITH ("token", FAIL, TOKEN_HEADER, "doesn't arrive",
          s_say (&facts.stream, 401, "a token is needed");
          s_say (&facts.wrong_token, 401, "a token is needed"));
    WITH ("token", OK, NONE, "accepted", facts.has_token = true;
          s_say (&facts.anonymous, 401, "a token is needed"));
    WITH ("token", OK, NONE, "public", facts.has_token = true; s_say (&facts.anonymous, 200, ""));
    WITH ("token", OK, NONE, "not refused", facts.has_token = true);
    WITH ("token", WARN, TOKEN_HEADER, "the same", facts.has_token = true;
          s_say (&facts.anonymous, 200, ""); s_say (&facts.wrong_token, 200, ""));
    WITH ("token", FAIL, TOKEN_HEADER, "doesn't arrive", facts.has_token = true;
          s_say (&facts.stream, 401, "a token is needed"));
    WITH ("token", FAIL, TOKEN, "has expired", facts.has_token = true;
          s_say (&facts.stream, 401, "the token has expired"));
    WITH ("token", FAIL, TOKEN, "403", facts.has_token = true;
          s_say (&facts.stream, 403, "the token doesn't allow this topic"));
    WITH ("token", FAIL, TOKEN, "while the stream ran", facts.has_token = true;
          facts.expired = true);
}

static void test_the_redirect_s_url (void **state)
{
    (void)state;
    zc_doctor_facts_t facts = s_good ();
    facts.stream.head.status = 308;
    strcpy (facts.stream.head.location, "https://b.example/x/events?topic=a");
    assert_string_equal (s_find (&facts, "stream").parameter, "https://b.example/x");
}

/*  Every advice says something, and every server's line is whole. */
static void test_advice (void **state)
{
    (void)state;
    for (zc_advice_t advice = ZC_ADVICE_NONE + 1; advice < ZC_ADVICES; advice++) {
        size_t lines = 0;
        for (zc_web_server_t server = 0; server < ZC_WEB_SERVERS; server++)
            lines += zc_advice_line (advice, server) != NULL;
        assert_true (lines > 0 || zc_advice_hint (advice));
    }
    assert_int_equal (zc_web_server_find ("nginx/1.22.1"), ZC_WEB_NGINX);
    assert_int_equal (zc_web_server_find ("Apache/2.4.62 (Debian)"), ZC_WEB_APACHE);
    assert_int_equal (zc_web_server_find ("Caddy"), ZC_WEB_CADDY);
    assert_int_equal (zc_web_server_find ("cloudflare"), ZC_WEB_UNKNOWN);
    assert_int_equal (zc_web_server_find ("zcast.conf"), ZC_WEB_UNKNOWN);
    assert_int_equal (zc_web_server_find (""), ZC_WEB_UNKNOWN);
    assert_int_equal (zc_web_server_find (NULL), ZC_WEB_UNKNOWN);
}

static void test_report (void **state)
{
    (void)state;
    zc_doctor_facts_t facts = s_good ();
    zc_finding_t findings[ZC_DOCTOR_CHECKS];
    facts.cross.head.origins = 0;
    facts.stream.head.unbuffered = false;
    size_t count = zc_doctor_judge (&facts, findings);
    zc_buf_t text = ZC_BUF_INIT, json = ZC_BUF_INIT;
    zc_doctor_write_text (&text, &facts, ZC_WEB_NGINX, findings, count);
    assert_non_null (strstr (zc_buf_str (&text), "cors-origin = \"https://app.example.org\""));
    assert_non_null (strstr (zc_buf_str (&text), "nginx       fastcgi_pass_header"));
    assert_null (strstr (zc_buf_str (&text), "haproxy"));
    assert_non_null (strstr (zc_buf_str (&text), "1 failed, 1 warnings, "));
    text.len = 0;
    zc_doctor_write_text (&text, &facts, ZC_WEB_UNKNOWN, findings, count);
    assert_non_null (strstr (zc_buf_str (&text), "haproxy"));
    zc_doctor_write_json (&json, &facts, ZC_WEB_NGINX, findings, count);
    json_t *report = json_loads (zc_buf_str (&json), 0, NULL);
    assert_string_equal (json_string_value (json_object_get (report, "verdict")), "fail");
    assert_int_equal (json_array_size (json_object_get (report, "checks")), count);
    json_decref (report);
    zc_buf_clear (&text);
    zc_buf_clear (&json);
}

static void s_ping (const zc_doctor_facts_t *facts, int status, const char *expected)
{
    zc_buf_t line = ZC_BUF_INIT;
    assert_int_equal (zc_doctor_ping (facts, 1000, &line), status);
    assert_string_equal (zc_buf_str (&line), expected);
    zc_buf_clear (&line);
}

static void test_ping (void **state)
{
    (void)state;
    zc_doctor_facts_t facts = s_good ();
    s_ping (&facts, 0,
            "ZCAST OK - https://www.example.org gives the first event after 21 ms | "
            "connect=0.000s;;;0 first_event=0.021s;1.000;10.000;0 certificate_days=60;14:;0:");
    facts.first_ms = 1001;
    s_ping (&facts, 1,
            "ZCAST WARNING - https://www.example.org gives the first event after 1001 ms | "
            "connect=0.000s;;;0 first_event=1.001s;1.000;10.000;0 certificate_days=60;14:;0:");
    facts = s_good ();
    facts.connected = facts.has_certificate = false;
    facts.head_ms = facts.first_ms = ZC_DOCTOR_NEVER;
    strcpy (facts.failure, "refused | by=1");
    s_ping (&facts, 2, "ZCAST CRITICAL - connection: there is no connection: refused / by=1 |");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_nothing_is_wrong),
        cmocka_unit_test (test_the_way_there),
        cmocka_unit_test (test_the_stream),
        cmocka_unit_test (test_time),
        cmocka_unit_test (test_what_a_page_needs),
        cmocka_unit_test (test_websocket),
        cmocka_unit_test (test_tokens),
        cmocka_unit_test (test_the_redirect_s_url),
        cmocka_unit_test (test_advice),
        cmocka_unit_test (test_report),
        cmocka_unit_test (test_ping),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
