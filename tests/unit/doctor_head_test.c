/*  Heads of answers, as `zmq doctor` reads them. */
#include "tests/unit/unit.h"

#include "tools/doctor_head.h"

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static void test_a_head (void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\n"
                               "Server: nginx/1.22.1\r\n"
                               "date: Fri, 27 Nov 2026 23:11:46 GMT\r\n"
                               "Content-Type: text/event-stream; charset=utf-8\r\n"
                               "CACHE-CONTROL: no-cache, no-transform\r\n"
                               "X-Accel-Buffering: no\r\n"
                               "Content-Encoding: gzip\r\n"
                               "Access-Control-Allow-Origin: https://a.example\r\n"
                               "Access-Control-Allow-Origin: *\r\n"
                               "Access-Control-Allow-Credentials: true\r\n"
                               "Access-Control-Allow-Headers: last-event-id , Authorization\r\n"
                               "no colon\r\n\r\nbody";
    zc_doctor_head_t head;
    for (size_t len = 0; len < sizeof text - 1 - 4; len++)
        assert_int_equal (zc_doctor_head_read (&head, (zc_slice_t){text, len}), 0);
    assert_int_equal (zc_doctor_head_read (&head, s_slice (text)), sizeof text - 1 - 4);
    assert_int_equal (head.status, 200);
    assert_string_equal (head.server, "nginx/1.22.1");
    assert_string_equal (head.type, "text/event-stream");
    assert_string_equal (head.encoding, "gzip");
    assert_int_equal (head.date_s, 1795821106);
    assert_true (head.no_cache && head.no_transform && head.unbuffered && !head.aged);
    assert_int_equal (head.origins, 2);
    assert_string_equal (head.origin, "https://a.example");
    assert_true (head.credentials && head.allows_last_id && head.allows_token);
}

static void test_what_is_no_head (void **state)
{
    (void)state;
    static const char *const bad[] = {
        "H\r\n\r\n",           "SSH-2.0-OpenSSH",       "HTTP/1.1 \r\n\r\n",
        "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1\r\n\r\n",    "HTTP/1.1 099 x\r\n\r\n"};
    zc_doctor_head_t head;
    for (size_t i = 0; i < LENGTH (bad); i++)
        assert_int_equal (zc_doctor_head_read (&head, s_slice (bad[i])), -1);
    static char long_head[ZC_DOCTOR_HEAD_MAX + 1] = "HTTP/1.1 200 OK\r\n";
    memset (long_head + 17, 'a', sizeof long_head - 17);
    assert_int_equal (zc_doctor_head_read (&head, (zc_slice_t){long_head, sizeof long_head}), -1);
    assert_int_equal (zc_doctor_head_read (&head, (zc_slice_t){long_head, sizeof long_head - 1}),
                      0);
}

static void test_fields (void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool no_cache;
        int64_t date_s;
    } rows[] = {
        {"Cache-Control: no-store", true, 0},
        {"Cache-Control: no-cache, max-age=60", false, 0},
        {"Cache-Control: public", false, 0},
        {"Cache-Control:", false, 0},
        {"Date: Thu, 01 Jan 1970 00:00:10 GMT", false, 10},
        {"Date: Thursday, 01-Jan-70 00:00:10 GMT", false, 0},
        {"Date: Thu, 01 Jan 1970 00:00:10 GMT, and more", false, 0},
        {"Date: Thu, 01 Jan 1970 00:00:10 GMT                         ", false, 10},
        {"Date: ", false, 0},
    };
    for (size_t i = 0; i < LENGTH (rows); i++) {
        zc_doctor_head_t head = {0};
        zc_doctor_head_line (&head, s_slice (rows[i].line));
        assert_int_equal (head.no_cache, rows[i].no_cache);
        assert_int_equal (head.date_s, rows[i].date_s);
    }
}

static void test_a_new_status_line_begins_anew (void **state)
{
    (void)state;
    zc_doctor_head_t head = {0};
    zc_doctor_head_line (&head, s_slice ("HTTP/1.1 103 Early Hints\r\n"));
    zc_doctor_head_line (&head, s_slice ("Age: 5\r\n"));
    zc_doctor_head_line (&head, s_slice ("HTTP/2 204 \r\n"));
    assert_int_equal (head.status, 204);
    assert_false (head.aged);
}

/*  Nothing that commands a terminal, and nothing cut within a character. */
static void test_texts_are_escaped (void **state)
{
    (void)state;
    zc_doctor_head_t head = {0};
    zc_doctor_head_line (&head, SLICE ("Server: a\x1b]0;title\x07\xff\0b"));
    assert_string_equal (head.server, "a\\x1b]0;title\\x07\\xff\\x00b");
    char out[6];
    zc_doctor_copy (out, sizeof out, s_slice ("abcd\xc3\xbc"));
    assert_string_equal (out, "abcd");
    static char text[5000];
    memset (text, '\x1b', sizeof text);
    zc_doctor_copy (out, sizeof out, (zc_slice_t){text, sizeof text});
    assert_string_equal (out, "\\x1b\\");
    zc_doctor_copy (out, sizeof out, (zc_slice_t){NULL, 0});
    assert_string_equal (out, "");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_a_head),
        cmocka_unit_test (test_what_is_no_head),
        cmocka_unit_test (test_fields),
        cmocka_unit_test (test_a_new_status_line_begins_anew),
        cmocka_unit_test (test_texts_are_escaped),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
