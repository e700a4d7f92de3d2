/*  The query of a stream's URL: names, decoding, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/wire/query.h"

static int s_parse (zc_query_t *query, const char *text, size_t max)
{
    return zc_query_parse (query, (zc_slice_t){text, strlen (text)}, max);
}

static const struct {
    const char *query;
    size_t count;
    const char *first, *last, *id; /* id NULL: none given */
} good[] = {
    {"", 0, NULL, NULL, NULL},
    {"&&", 0, NULL, NULL, NULL},
    {"topic=a", 1, "a", "a", NULL},
    {"topic=a&topic=b&topic=a", 3, "a", "a", NULL},
    {"x=1&topic=room%2F1&y&topic=caf%C3%A9+noir", 2, "room/1", "caf\xc3\xa9 noir", NULL},
    {"topic=a&topics=b&Topic=c", 1, "a", "a", NULL},
    {"last-event-id=1-0&topic=a", 1, "a", "a", "1-0"},
    {"lastEventId=1-1", 0, NULL, NULL, "1-1"},
    {"lastEventID=1-2", 0, NULL, NULL, "1-2"},
    {"last_event_id=1-3", 0, NULL, NULL, "1-3"},
    {"last-event-id=1-0&lastEventID=2-0", 0, NULL, NULL, "2-0"},
    {"last-event-id=", 0, NULL, NULL, ""},
    {"topic=a&last-event-id=%0A%FF", 1, "a", "a", "\n\xff"},
    {"bad=%zz&topic=a", 1, "a", "a", NULL},
    {"match=news/%2B/a&match=news/%23", 2, "\x01mnews/+/a", "\x01mnews/#", NULL},
    {"match=news/local&topic=b", 2, "news/local", "b", NULL},
    {"template=x%7Bid%7D&last_event_id=1-3&pattern=/:a", 2, "\x01tx{id}", "\x01p/:a", "1-3"},
    {"pattern=a%5C*&template=*", 2, "a*", "\x01t*", NULL},
    {"Match=a&matches=b", 0, NULL, NULL, NULL},
};

static const struct {
    const char *query;
    int code;
} bad[] = {
    {"topic=", ZC_QUERY_TOPIC},
    {"topic", ZC_QUERY_TOPIC},
    {"topic=a&topic=%00", ZC_QUERY_TOPIC},
    {"topic=a%0Ab", ZC_QUERY_TOPIC},
    {"topic=%FF", ZC_QUERY_TOPIC},
    {"topic=%C3", ZC_QUERY_TOPIC},
    {"topic=%", ZC_QUERY_ESCAPE},
    {"topic=%4", ZC_QUERY_ESCAPE},
    {"topic=%4x", ZC_QUERY_ESCAPE},
    {"topic=1&topic=2&topic=3&topic=4", ZC_QUERY_MANY},
    {"topic=a&last-event-id=%zz", ZC_QUERY_ESCAPE},
    {"topic=%01ma/%23", ZC_QUERY_TOPIC},
    {"match=", ZC_QUERY_SELECTOR},
    {"match", ZC_QUERY_SELECTOR},
    {"match=a%0Ab", ZC_QUERY_SELECTOR},
    {"match=a/%23/b", ZC_QUERY_SELECTOR},
    {"match=%F", ZC_QUERY_ESCAPE},
    {"template=%7B", ZC_QUERY_SELECTOR},
    {"pattern=(a)", ZC_QUERY_SELECTOR},
    {"pattern=%7B%7D", ZC_QUERY_SELECTOR}, /* {}: no topic is empty */
    {"pattern=%7B%7D%7B%7D", ZC_QUERY_SELECTOR},
    {"topic=1&match=2&template=3&pattern=*", ZC_QUERY_MANY},
};

static void s_assert_slice (zc_slice_t slice, const char *text)
{
    assert_int_equal (slice.len, strlen (text));
    assert_memory_equal (slice.at, text, slice.len);
}

static void test_good (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        zc_query_t query;
        assert_int_equal (s_parse (&query, good[i].query, 3), 0);
        assert_int_equal (query.count, good[i].count);
        if (query.count > 0) {
            s_assert_slice (query.topics[0], good[i].first);
            s_assert_slice (query.topics[query.count - 1], good[i].last);
        }
        assert_int_equal (query.last_id.at != NULL, good[i].id != NULL);
        if (good[i].id)
            s_assert_slice (query.last_id, good[i].id);
        zc_query_clear (&query);
    }
}

static void test_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        zc_query_t query;
        assert_int_equal (s_parse (&query, bad[i].query, 3), bad[i].code);
        assert_null (query.topics);
        assert_null (query.text);
        assert_true (strlen (zc_query_strerror (&query, bad[i].code)) > 10);
        assert_string_equal (zc_query_code (bad[i].code),
                             bad[i].code == ZC_QUERY_SELECTOR ? "selector" : "topic");
    }
}

/*  Each is good by itself; the broker would match all of them with each topic in history. */
static void test_steps (void **state)
{
    (void)state;
    zc_buf_t text = ZC_BUF_INIT;
    zc_query_t query;
    for (int i = 1; i <= 46; i++) {
        zc_buf_adds (&text, "pattern=n");
        for (int k = 0; k < 160; k++)
            zc_buf_addc (&text, '*');
        zc_buf_adds (&text, ":a&");
        assert_int_equal (zc_query_parse (&query, (zc_slice_t){zc_buf_str (&text), text.len}, 100),
                          i <= 4 ? 0 : ZC_QUERY_SELECTOR);
        if (i > 4)
            assert_non_null (strstr (query.wrong, "together"));
        zc_query_clear (&query);
    }
    zc_buf_clear (&text);
    for (int i = 0; i < 100; i++) /* what people ask for */
        zc_buf_addf (&text, "pattern=https://x.org/%d/:room&", i);
    assert_int_equal (zc_query_parse (&query, (zc_slice_t){zc_buf_str (&text), text.len}, 100), 0);
    zc_query_clear (&query);
    zc_buf_clear (&text);
}

static void test_lengths (void **state)
{
    (void)state;
    char text[2048];
    zc_query_t query;
    memset (text, 'a', sizeof text);
    memcpy (text, "topic=", 6);
    assert_int_equal (zc_query_parse (&query, (zc_slice_t){text, 6 + ZC_TOPIC_MAX}, 1), 0);
    assert_int_equal (query.topics[0].len, ZC_TOPIC_MAX);
    zc_query_clear (&query);
    assert_int_equal (zc_query_parse (&query, (zc_slice_t){text, 7 + ZC_TOPIC_MAX}, 1),
                      ZC_QUERY_TOPIC);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_good),
        cmocka_unit_test (test_bad),
        cmocka_unit_test (test_lengths),
        cmocka_unit_test (test_steps),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
