/*  The log: the form of a line, escapes, levels, and the bound on lines that peers can cause. */
#include "tests/unit/capture.h"

#include <errno.h>
#include <regex.h>

#include "lib/base/log.h"

static capture_t s_capture;

/*  The message alone: what follows "[pid]: ", without the LF. */
static const char *s_logged (const char *text)
{
    capture_begin (&s_capture, STDERR_FILENO);
    zc_log (ZC_LOG_INFO, "%s", text);
    capture_end (&s_capture);
    char *message = strstr (s_capture.text, "]: ");
    assert_non_null (message);
    message[strlen (message) - 1] = 0;
    return message + 3;
}

static void test_form (void **state)
{
    (void)state;
    regex_t form;
    char pattern[200];
    snprintf (pattern, sizeof pattern,
              "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z warn "
              "zcast-test\\[%ld\\]: 127.0.0.1:5000: closed 1009\n$",
              (long)getpid ());
    assert_int_equal (regcomp (&form, pattern, REG_EXTENDED | REG_NOSUB), 0);
    capture_begin (&s_capture, STDERR_FILENO);
    zc_warn ("%s: closed %d", "127.0.0.1:5000", 1009);
    capture_end (&s_capture);
    assert_int_equal (regexec (&form, s_capture.text, 0, NULL, 0), 0);
    regfree (&form);
}

static const struct {
    const char *text, *shown;
} s_escapes[] = {
    {"", ""},
    {"plain \\n text", "plain \\n text"},
    {"two\nlines\r\n", "two\\nlines\\r\\n"},
    {"a\tb", "a\\tb"},
    {"\x1b[31mred\x7f", "\\x1b[31mred\\x7f"},
    {"caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac"},
    {"\xc2\x9b"
     "31m",
     "\\x9b31m"},
    {"\xc2\xa0", "\xc2\xa0"},
    {"broken \xff\xc3", "broken \\xff\\xc3"},
};

static void test_escapes (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_escapes); i++)
        assert_string_equal (s_logged (s_escapes[i].text), s_escapes[i].shown);
}

/*  A long message is cut, at a whole character, and stays one line. */
static void test_cut (void **state)
{
    (void)state;
    for (size_t first = 0; first < 4; first++) {
        char text[5000] = "xxxx";
        for (size_t i = first; i + 3 < sizeof text; i += 3)
            memcpy (text + i, "\xe2\x82\xac", 4);
        const char *shown = s_logged (text);
        size_t len = strlen (shown);
        assert_in_range (len, 1000, 1026);
        assert_string_equal (shown + len - 6, "\xe2\x82\xac...");
        assert_null (strchr (shown, '\\'));
    }
    char worst[5000];
    memset (worst, 1, sizeof worst - 1);
    worst[sizeof worst - 1] = 0;
    assert_in_range (strlen (s_logged (worst)), 4000, 4096);
}

static void test_levels (void **state)
{
    (void)state;
    zc_log_level (ZC_LOG_WARN);
    capture_begin (&s_capture, STDERR_FILENO);
    zc_info ("not this");
    zc_debug ("nor this");
    zc_error ("but this");
    capture_end (&s_capture);
    zc_log_level (ZC_LOG_INFO);
    assert_non_null (strstr (s_capture.text, " error "));
    assert_null (strstr (s_capture.text, "this\n2"));
    assert_null (strstr (s_capture.text, "not"));
    assert_int_equal (zc_log_parse_level ("error"), ZC_LOG_ERROR);
    assert_int_equal (zc_log_parse_level ("debug"), ZC_LOG_DEBUG);
    assert_int_equal (zc_log_parse_level ("Debug"), (zc_log_level_t)-1);
    assert_int_equal (zc_log_parse_level (""), (zc_log_level_t)-1);
}

static void test_errno_is_kept (void **state)
{
    (void)state;
    errno = EXDEV;
    s_logged ("x");
    errno = EXDEV;
    zc_log (ZC_LOG_DEBUG, "x");
    assert_int_equal (errno, EXDEV);
    int kept = dup (STDERR_FILENO);
    close (STDERR_FILENO);
    errno = EXDEV;
    zc_log (ZC_LOG_INFO, "nowhere to go");
    int after = errno;
    dup2 (kept, STDERR_FILENO);
    close (kept);
    assert_int_equal (after, EXDEV);
}

static unsigned s_count (const char *text, const char *what)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr (at, what)); at++)
        count++;
    return count;
}

static void test_limited (void **state)
{
    (void)state;
    zc_log_limit_t limit = {0};
    capture_begin (&s_capture, STDERR_FILENO);
    for (int i = 0; i < 1000; i++)
        zc_log_limited (&limit, ZC_LOG_INFO, "peer %d", i);
    capture_end (&s_capture);
    /* Ten, and one for each second that this took. */
    unsigned lines = s_count (s_capture.text, "\n");
    assert_in_range (lines, 10, 40);
    assert_int_equal (s_count (s_capture.text, "more of this kind"), lines - 10);
    /* As if the last had been a second earlier. */
    limit.left_out = 990;
    limit.second--;
    capture_begin (&s_capture, STDERR_FILENO);
    zc_log_limited (&limit, ZC_LOG_INFO, "peer");
    capture_end (&s_capture);
    assert_non_null (strstr (s_capture.text, "peer (990 more of this kind were not logged)\n"));
    assert_int_equal (limit.left_out, 0);
}

/*  Lines that the level leaves out don't use up the limit. */
static void test_limited_below_level (void **state)
{
    (void)state;
    zc_log_limit_t limit = {0};
    for (int i = 0; i < 1000; i++)
        zc_log_limited (&limit, ZC_LOG_DEBUG, "peer");
    assert_int_equal (limit.count, 0);
    assert_int_equal (limit.left_out, 0);
}

/*  The line that zc_warn makes of this, in JSON, without the time, which has the usual form. */
static const char *s_json (void)
{
    char *rest = strstr (s_capture.text, "\"level\":");
    assert_non_null (rest);
    assert_int_equal (rest - s_capture.text, strlen ("{'time':'2026-11-28T04:20:00.123Z',"));
    assert_string_equal (rest + strlen (rest) - 2, "}\n");
    return rest;
}

static void test_json (void **state)
{
    (void)state;
    char expected[400];
    zc_log_format (ZC_LOG_JSON);
    capture_begin (&s_capture, STDERR_FILENO);
    zc_warn (ZC_EVENT ("client.closed client code", "%s: closed %u \"so\""), "[::1]:5\n", 1009u);
    capture_end (&s_capture);
    snprintf (expected, sizeof expected,
              "\"level\":\"warn\",\"program\":\"zcast-test\",\"pid\":%ld,"
              "\"event\":\"client.closed\",\"message\":\"[::1]:5\\n: closed 1009 \\\"so\\\"\","
              "\"client\":\"[::1]:5\\n\",\"code\":1009}\n",
              (long)getpid ());
    assert_string_equal (s_json (), expected);
    zc_log_limit_t limit = {.left_out = 7};
    zc_log_trace ((zc_slice_t){"4bf92f3577b34da6a3ce929d0e0e4736", 32},
                  (zc_slice_t){"00f067aa0ba902b7", 16});
    capture_begin (&s_capture, STDERR_FILENO);
    zc_log_limited (&limit, ZC_LOG_ERROR, "no name");
    capture_end (&s_capture);
    zc_log_no_trace ();
    assert_non_null (strstr (s_json (), ",\"event\":\"other\",\"message\":\"no name\","
                                        "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                                        "\"span_id\":\"00f067aa0ba902b7\",\"left_out\":7}\n"));
    zc_log_format (ZC_LOG_TEXT);
}

/*  A message of any length leaves room for the fields. */
static void test_json_cut (void **state)
{
    (void)state;
    char text[5000];
    memset (text, 1, sizeof text - 1);
    text[sizeof text - 1] = 0;
    zc_log_format (ZC_LOG_JSON);
    capture_begin (&s_capture, STDERR_FILENO);
    zc_info (ZC_EVENT ("a.b error count", "%s %u"), text, 12345u);
    capture_end (&s_capture);
    zc_log_format (ZC_LOG_TEXT);
    assert_in_range (strlen (s_capture.text), 2048, ZC_LOG_LINE_MAX);
    assert_non_null (strstr (s_json (), "\\u0001...\",\"error\":\"\\u0001"));
    assert_non_null (strstr (s_json (), "\\u0001...\",\"count\":12345}\n"));
}

/*  For people, the event's name isn't shown, and a trace is. */
static void test_text_of_events (void **state)
{
    (void)state;
    zc_log_trace ((zc_slice_t){"4bf92f3577b34da6a3ce929d0e0e4736", 32},
                  (zc_slice_t){"00f067aa0ba902b7", 16});
    capture_begin (&s_capture, STDERR_FILENO);
    zc_warn (ZC_EVENT ("client.closed client", "%s: closed"), "x");
    zc_log_no_trace ();
    zc_warn (ZC_EVENT ("client.closed client", "%s: closed"), "y");
    capture_end (&s_capture);
    assert_non_null (
        strstr (s_capture.text, "]: x: closed (trace 4bf92f3577b34da6a3ce929d0e0e4736)\n"));
    assert_non_null (strstr (s_capture.text, "]: y: closed\n"));
}

static int s_open (void **state)
{
    (void)state;
    zc_log_open ("zcast-test", ZC_LOG_INFO, false);
    return 0;
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_form),          cmocka_unit_test (test_escapes),
        cmocka_unit_test (test_cut),           cmocka_unit_test (test_levels),
        cmocka_unit_test (test_errno_is_kept), cmocka_unit_test (test_json),
        cmocka_unit_test (test_json_cut),      cmocka_unit_test (test_text_of_events),
        cmocka_unit_test (test_limited),       cmocka_unit_test (test_limited_below_level),
    };
    return cmocka_run_group_tests (tests, s_open, NULL);
}
