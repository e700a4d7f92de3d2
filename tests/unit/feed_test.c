#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/engine/feed.h"

static void s_add (zc_feed_t *feed, const char *text, zc_id_t id)
{
    zc_feed_append (feed, text, strlen (text), id);
}

static void s_expect (const zc_feed_t *feed, uint64_t position, const char *text)
{
    size_t len;
    const uint8_t *bytes = zc_feed_bytes (feed, position, &len);
    assert_int_equal (len, strlen (text));
    if (len)
        assert_memory_equal (bytes, text, len);
}

static void s_append_and_seek (void **state)
{
    (void)state;
    zc_feed_t *feed = zc_feed_new (100);
    uint64_t position, count;
    assert_int_equal (zc_feed_seek (feed, 100, &position, &count), 0);
    assert_int_equal (count, 0);
    s_add (feed, "one", 110);
    zc_feed_append_control (feed, ":", 1);
    s_add (feed, "two", 120);
    s_expect (feed, 0, "one:two");
    assert_int_equal (zc_feed_seek (feed, 99, &position, &count), -1);
    assert_int_equal (zc_feed_seek (feed, 121, &position, &count), -1);
    assert_int_equal (zc_feed_seek (feed, 100, &position, &count), 0);
    assert_int_equal (count, 2);
    s_expect (feed, position, "one:two");
    assert_int_equal (zc_feed_seek (feed, 115, &position, &count), 0);
    assert_int_equal (count, 1);
    s_expect (feed, position, "two");
    assert_int_equal (zc_feed_seek (feed, 120, &position, &count), 0);
    assert_int_equal (count, 0);
    s_expect (feed, position, "");
    zc_feed_destroy (&feed);
    assert_null (feed);
    zc_feed_destroy (&feed);
}

static void s_boundaries (void **state)
{
    (void)state;
    zc_feed_t *feed = zc_feed_new (1);
    s_add (feed, "abc", 2);
    s_add (feed, "defgh", 3);
    assert_int_equal (zc_feed_boundary (feed, 0), 0);
    assert_int_equal (zc_feed_boundary (feed, 1), 3);
    assert_int_equal (zc_feed_boundary (feed, 3), 3);
    assert_int_equal (zc_feed_boundary (feed, 4), 8);
    assert_int_equal (zc_feed_boundary (feed, 8), 8);
    assert_int_equal (zc_feed_id_at (feed, 0), 1);
    assert_int_equal (zc_feed_id_at (feed, 3), 2);
    assert_int_equal (zc_feed_id_at (feed, 8), 3);
    assert_int_equal (zc_feed_newest (feed), 3);
    assert_true (zc_feed_has (feed, 2));
    assert_false (zc_feed_has (feed, 4));
    zc_feed_destroy (&feed);
}

static void s_advance_and_gap (void **state)
{
    (void)state;
    zc_feed_t *feed = zc_feed_new (10);
    uint64_t position, count;
    zc_feed_advance (feed, 50);
    zc_feed_advance (feed, 40); /* never back */
    assert_int_equal (zc_feed_last (feed), 50);
    assert_int_equal (zc_feed_seek (feed, 50, &position, &count), 0);
    zc_feed_append_gap (feed, "gap", 3, 60);
    assert_int_equal (zc_feed_gap (feed), 60);
    s_add (feed, "m", 70);
    assert_int_equal (zc_feed_seek (feed, 50, &position, &count), 0);
    assert_int_equal (count, 1);
    zc_feed_destroy (&feed);
}

static void s_trim (void **state)
{
    (void)state;
    zc_feed_t *feed = zc_feed_new (0);
    char text[100];
    uint64_t position, count;
    memset (text, 'a', sizeof text);
    for (zc_id_t id = 1; id <= 1000; id++)
        zc_feed_append (feed, text, sizeof text, id);
    zc_feed_trim (feed, 1000, 0, 98950); /* a client is in the middle of a message */
    assert_int_equal (zc_feed_tail (feed), 98900);
    zc_feed_trim (feed, 1000, 0, UINT64_MAX);
    assert_true (zc_feed_head (feed) - zc_feed_tail (feed) <= 1000);
    assert_int_equal (zc_feed_start (feed), 990);
    assert_int_equal (zc_feed_seek (feed, 989, &position, &count), -1);
    assert_int_equal (zc_feed_seek (feed, 990, &position, &count), 0);
    assert_int_equal (count, 10);
    zc_feed_trim (feed, 10, 0, UINT64_MAX); /* the newest message stays, whatever the limit */
    assert_int_equal (zc_feed_head (feed) - zc_feed_tail (feed), 100);
    zc_feed_trim (feed, 10, 1001, UINT64_MAX); /* but not when it is too old */
    assert_int_equal (zc_feed_head (feed), zc_feed_tail (feed));
    assert_true (zc_feed_memory (feed) < 256);
    s_add (feed, "again", 2000);
    s_expect (feed, zc_feed_tail (feed), "again");
    zc_feed_destroy (&feed);
}

/*  The bytes read are those that were appended, through growth, trimming and reuse of the space. */
static void s_against_a_model (void **state)
{
    (void)state;
    zc_feed_t *feed = zc_feed_new (0);
    static uint8_t model[2000000];
    size_t written = 0;
    unsigned seed = 1;
    for (zc_id_t id = 1; id <= 5000; id++) {
        size_t len = 1 + (size_t)rand_r (&seed) % 300;
        for (size_t i = 0; i < len; i++)
            model[written + i] = (uint8_t)rand_r (&seed);
        zc_feed_append (feed, model + written, len, id);
        written += len;
        if (rand_r (&seed) % 7 == 0)
            zc_feed_trim (feed, (size_t)rand_r (&seed) % 20000, 0, UINT64_MAX);
        size_t got;
        uint64_t tail = zc_feed_tail (feed);
        const uint8_t *bytes = zc_feed_bytes (feed, tail, &got);
        assert_int_equal (tail + got, written);
        assert_memory_equal (bytes, model + tail, got);
    }
    assert_true (zc_feed_memory (feed) < 200000);
    zc_feed_destroy (&feed);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_append_and_seek), cmocka_unit_test (s_boundaries),
        cmocka_unit_test (s_advance_and_gap), cmocka_unit_test (s_trim),
        cmocka_unit_test (s_against_a_model),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
