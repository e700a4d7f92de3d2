/*  Streams of Server-Sent Events, read as by a client. */
#include "tests/unit/unit.h"

#include "lib/base/buf.h"
#include "tools/eventstream.h"

#define MAX 64

/*  Notes each event: [type|data|id]. */
static void s_event (void *arg, const zc_event_t *event)
{
    zc_buf_t *said = arg;
    zc_buf_addc (said, '[');
    zc_buf_add (said, event->type.at, event->type.len);
    zc_buf_addc (said, '|');
    zc_buf_add (said, event->data.at, event->data.len);
    zc_buf_addc (said, '|');
    zc_buf_add (said, event->id.at, event->id.len);
    zc_buf_addc (said, ']');
}

static const struct {
    const char *stream, *events, *last_id;
} s_good[] = {
    {"data: a\n\n", "[|a|]", ""},
    {"data:a\n\n", "[|a|]", ""},
    {"data:  a\n\n", "[| a|]", ""},
    {"data: a\r\n\r\n", "[|a|]", ""},
    {"data: a\r\r", "[|a|]", ""},
    {"data: a\r\ndata: b\n\r", "[|a\nb|]", ""},
    {"\xef\xbb\xbf"
     "data: a\n\n",
     "[|a|]", ""},
    {"\n\xef\xbb\xbf"
     "data: a\n\n",
     "", ""},
    {": zcast\nretry: 2345\nevent: zcast.heartbeat\ndata:{}\nid: 5-0\n\n",
     "[zcast.heartbeat|{}|5-0]", "5-0"},
    {"data: a\nid: 1\n\ndata: b\n\n", "[|a|1][|b|1]", "1"},
    {"data: a\nid: 1\n\ndata: b\nid\n\n", "[|a|1][|b|]", ""},
    {"id: 7\n\n", "", "7"},
    {"id: 7\n", "", ""},
    {"event: x\n\ndata: a\n\n", "[|a|]", ""},
    {"event: x\nevent: y\ndata: a\n\n", "[y|a|]", ""},
    {"data\n\n", "[||]", ""},
    {"data\ndata\n\n", "[|\n|]", ""},
    {"data: a\n", "", ""},
    {"data: a\n\nda", "[|a|]", ""},
    {"nonsense: x\ndata: a\nDATA: b\n data: c\n\n", "[|a|]", ""},
    {"data: a: b\n\n", "[|a: b|]", ""},
    {":\n:data: x\n\n\n\n", "", ""},
    {"", "", ""},
};

static void test_streams (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_good); i++)
        for (size_t step = 1; step <= 3; step++) { /* cut everywhere */
            zc_buf_t said = ZC_BUF_INIT;
            zc_eventstream_t *stream = zc_eventstream_new (MAX, s_event, &said);
            size_t len = strlen (s_good[i].stream);
            for (size_t at = 0; at < len; at += step)
                assert_int_equal (zc_eventstream_read (stream, s_good[i].stream + at,
                                                       at + step < len ? step : len - at),
                                  0);
            assert_string_equal (zc_buf_str (&said), s_good[i].events);
            assert_string_equal (zc_eventstream_last_id (stream), s_good[i].last_id);
            zc_eventstream_destroy (&stream);
            zc_buf_clear (&said);
        }
}

static void test_an_id_with_nul_is_none (void **state)
{
    (void)state;
    zc_buf_t said = ZC_BUF_INIT;
    zc_eventstream_t *stream = zc_eventstream_new (MAX, s_event, &said);
    static const char text[] = "id: 1\nid: a\0b\ndata: x\n\n";
    assert_int_equal (zc_eventstream_read (stream, text, sizeof text - 1), 0);
    assert_string_equal (zc_buf_str (&said), "[|x|1]");
    zc_eventstream_destroy (&stream);
    zc_eventstream_destroy (&stream);
    zc_buf_clear (&said);
}

static void test_retry (void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {{"retry: 10\n", 10},
                {"retry: 0\n", 0},
                {"retry: 1x\n", 3000},
                {"retry:\n", 3000},
                {"retry: -1\n", 3000},
                {"retry: 5", 3000},
                {"retry: 99999999999999999999\n", 3000}};
    for (size_t i = 0; i < LENGTH (rows); i++) {
        zc_buf_t said = ZC_BUF_INIT;
        zc_eventstream_t *stream = zc_eventstream_new (MAX, s_event, &said);
        zc_eventstream_read (stream, rows[i].text, strlen (rows[i].text));
        assert_int_equal (zc_eventstream_retry_ms (stream, 3000), rows[i].ms);
        zc_eventstream_restart (stream);
        assert_int_equal (zc_eventstream_retry_ms (stream, 3000), rows[i].ms);
        zc_eventstream_destroy (&stream);
        zc_buf_clear (&said);
    }
}

/*  An event that was cut off is none. The next connection begins anew, with the id of the last
 *  whole event. */
static void test_a_new_connection (void **state)
{
    (void)state;
    zc_buf_t said = ZC_BUF_INIT;
    zc_eventstream_t *stream = zc_eventstream_new (MAX, s_event, &said);
    static const char *const texts[] = {"data: a\nid: 1\n\ndata: b\nid: 2\nevent: x\n",
                                        "\xef\xbb\xbf"
                                        "data: c\n\n"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal (zc_eventstream_read (stream, texts[i], strlen (texts[i])), 0);
        zc_eventstream_restart (stream);
    }
    assert_string_equal (zc_buf_str (&said), "[|a|1][|c|1]");
    assert_string_equal (zc_eventstream_last_id (stream), "1");
    zc_eventstream_destroy (&stream);
    zc_buf_clear (&said);
}

static void test_too_much (void **state)
{
    (void)state;
    static const char *const texts[] = {
        "data: 0123456789012345678901234567890123456789012345678901234567890123456789",
        "data: 01234567890123456789\ndata: 01234567890123456789\ndata: 01234567890123456789\ndata: "
        "1\n"};
    for (size_t i = 0; i < LENGTH (texts); i++)
        for (size_t step = 1; step < 100; step += 98) {
            zc_buf_t said = ZC_BUF_INIT;
            zc_eventstream_t *stream = zc_eventstream_new (MAX, s_event, &said);
            size_t len = strlen (texts[i]);
            int rc = 0;
            for (size_t at = 0; rc == 0 && at < len; at += step)
                rc = zc_eventstream_read (stream, texts[i] + at, at + step < len ? step : len - at);
            assert_int_equal (rc, -1);
            zc_eventstream_restart (stream);
            assert_int_equal (zc_eventstream_read (stream, "data: a\n\n", 9), 0);
            assert_string_equal (zc_buf_str (&said), "[|a|]");
            zc_eventstream_destroy (&stream);
            zc_buf_clear (&said);
        }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_streams),  cmocka_unit_test (test_an_id_with_nul_is_none),
        cmocka_unit_test (test_retry),    cmocka_unit_test (test_a_new_connection),
        cmocka_unit_test (test_too_much),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
