/*  Token buckets and the table of addresses, at times that the test sets. */
#include "tests/unit/unit.h"

#include "lib/base/limit.h"

static void test_bucket (void **state)
{
    (void)state;
    zc_bucket_t bucket = {0};
    for (int i = 0; i < 5; i++)
        assert_true (zc_bucket_take (&bucket, 2, 5, 1, 1000));
    assert_false (zc_bucket_take (&bucket, 2, 5, 1, 1000));
    assert_false (zc_bucket_take (&bucket, 2, 5, 1, 1499));
    assert_true (zc_bucket_take (&bucket, 2, 5, 1, 1500));
    assert_false (zc_bucket_take (&bucket, 2, 5, 1, 1500));
    /* It never holds more than its burst, however long it rested. */
    for (int i = 0; i < 5; i++)
        assert_true (zc_bucket_take (&bucket, 2, 5, 1, 1000000));
    assert_false (zc_bucket_take (&bucket, 2, 5, 1, 1000000));
}

static void test_bucket_unlimited (void **state)
{
    (void)state;
    zc_bucket_t bucket = {0};
    for (int i = 0; i < 1000; i++)
        assert_true (zc_bucket_take (&bucket, 0, 0, 1e9, 1000));
}

static void test_bucket_many_at_once (void **state)
{
    (void)state;
    zc_bucket_t bucket = {0};
    assert_false (zc_bucket_take (&bucket, 10, 100, 101, 1));
    assert_true (zc_bucket_take (&bucket, 10, 100, 100, 1));
    assert_false (zc_bucket_take (&bucket, 10, 100, 1, 1));
}

static void test_bucket_clock_back (void **state)
{
    (void)state;
    zc_bucket_t bucket = {0};
    assert_true (zc_bucket_take (&bucket, 1, 1, 1, 5000));
    assert_false (zc_bucket_take (&bucket, 1, 1, 1, 1));
    assert_false (zc_bucket_take (&bucket, 1, 1, 1, 5999));
    assert_true (zc_bucket_take (&bucket, 1, 1, 1, 6000));
}

static void test_bucket_full_again (void **state)
{
    (void)state;
    zc_bucket_t bucket = {0};
    zc_bucket_take (&bucket, 2, 5, 4, 1000);
    assert_in_range (bucket.full_ms, 3000, 3001);
}

static void test_count (void **state)
{
    (void)state;
    zc_addresses_t *addresses = zc_addresses_new ();
    assert_true (zc_addresses_enter (addresses, "10.0.0.1", 2));
    assert_true (zc_addresses_enter (addresses, "10.0.0.1", 2));
    assert_false (zc_addresses_enter (addresses, "10.0.0.1", 2));
    assert_true (zc_addresses_enter (addresses, "10.0.0.2", 2));
    assert_true (zc_addresses_enter (addresses, "10.0.0.1", 0));
    assert_int_equal (zc_addresses_size (addresses), 2);
    zc_addresses_leave (addresses, "10.0.0.1");
    zc_addresses_leave (addresses, "10.0.0.1");
    assert_true (zc_addresses_enter (addresses, "10.0.0.1", 2));
    zc_addresses_destroy (&addresses);
    assert_null (addresses);
    zc_addresses_destroy (&addresses);
}

static const struct {
    const char *a, *b;
    bool same;
} s_pairs[] = {
    {"2001:db8::1", "2001:db8::ffff:1", true},
    {"2001:db8:0:0:1::", "2001:db8::", true},
    {"2001:db8:0:1::", "2001:db8:0:2::", false},
    {"::ffff:10.0.0.1", "10.0.0.1", true},
    {"::ffff:10.0.0.1", "::ffff:10.0.0.2", false},
    {"10.0.0.1", "10.0.0.2", false},
    {"::1", "127.0.0.1", false},
    {"unix", "unix", true},
    {"unix", "", false},
};

static void test_which_are_one (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_pairs); i++) {
        zc_addresses_t *addresses = zc_addresses_new ();
        assert_true (zc_addresses_enter (addresses, s_pairs[i].a, 1));
        if (zc_addresses_enter (addresses, s_pairs[i].b, 1) == s_pairs[i].same)
            fail_msg ("%s and %s", s_pairs[i].a, s_pairs[i].b);
        zc_addresses_destroy (&addresses);
    }
}

static const zc_rate_t s_slow = {1, 10}, s_fast = {10, 10};

static bool s_take (zc_addresses_t *addresses, const char *address, double count, uint64_t now_ms)
{
    return zc_addresses_take (addresses, address, ZC_BUCKET_MESSAGES, &s_slow, count, now_ms);
}

static void test_long_text (void **state)
{
    (void)state;
    char text[1000];
    memset (text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    zc_addresses_t *addresses = zc_addresses_new ();
    assert_true (zc_addresses_enter (addresses, text, 1));
    assert_true (s_take (addresses, text, 10, 1000));
    assert_false (s_take (addresses, text, 1, 1000));
    zc_addresses_leave (addresses, text);
    zc_addresses_destroy (&addresses);
}

static void test_buckets_are_shared (void **state)
{
    (void)state;
    zc_addresses_t *addresses = zc_addresses_new ();
    assert_true (s_take (addresses, "10.0.0.1", 11, 1000)); /* it has no connection */
    zc_addresses_enter (addresses, "10.0.0.1", 0);
    assert_true (s_take (addresses, "10.0.0.1", 6, 1000));
    zc_addresses_enter (addresses, "10.0.0.1", 0);
    for (int i = 0; i < 1000; i++) {
        char other[32];
        snprintf (other, sizeof other, "10.1.%d.%d", i / 256, i % 256);
        zc_addresses_enter (addresses, other, 0);
    }
    assert_false (s_take (addresses, "10.0.0.1", 6, 1000));
    assert_true (s_take (addresses, "10.0.0.1", 4, 1000));
    /* The other kind is a bucket of its own, and a bucket without a rate has no limit. */
    assert_true (zc_addresses_take (addresses, "10.0.0.1", ZC_BUCKET_CONNECTS, &s_slow, 10, 1000));
    assert_false (zc_addresses_take (addresses, "10.0.0.1", ZC_BUCKET_CONNECTS, &s_slow, 1, 1000));
    assert_true (zc_addresses_take (addresses, "10.0.0.1", ZC_BUCKET_CONNECTS, &(zc_rate_t){0, 1},
                                    100, 1000));
    /* What is put back can be taken again, and no more than the bucket holds. */
    assert_true (zc_addresses_take (addresses, "10.0.0.1", ZC_BUCKET_FAILURES, &s_slow, 10, 1000));
    assert_true (zc_addresses_take (addresses, "10.0.0.1", ZC_BUCKET_FAILURES, &s_slow, -1, 1000));
    assert_true (zc_addresses_take (addresses, "10.0.0.1", ZC_BUCKET_FAILURES, &s_slow, 1, 1000));
    assert_true (zc_addresses_take (addresses, "10.0.0.1", ZC_BUCKET_FAILURES, &s_slow, -99, 1000));
    assert_false (zc_addresses_take (addresses, "10.0.0.1", ZC_BUCKET_FAILURES, &s_slow, 11, 1000));
    zc_addresses_destroy (&addresses);
}

/*  Reconnecting is no way around the limit, but an address whose bucket is full again is
 *  forgotten. */
static void test_leaving (void **state)
{
    (void)state;
    zc_addresses_t *addresses = zc_addresses_new ();
    zc_addresses_enter (addresses, "10.0.0.1", 0);
    assert_true (s_take (addresses, "10.0.0.1", 10, 1000));
    zc_addresses_leave (addresses, "10.0.0.1");
    assert_int_equal (zc_addresses_size (addresses), 1);
    zc_addresses_enter (addresses, "10.0.0.1", 0);
    assert_false (s_take (addresses, "10.0.0.1", 1, 1000));
    zc_addresses_leave (addresses, "10.0.0.1");
    assert_int_equal (zc_addresses_size (addresses), 1);
    /* Another comes eleven seconds later. */
    zc_addresses_enter (addresses, "10.0.0.2", 0);
    assert_true (s_take (addresses, "10.0.0.2", 1, 12000));
    assert_int_equal (zc_addresses_size (addresses), 1);
    zc_addresses_leave (addresses, "10.0.0.2");
    assert_int_equal (zc_addresses_size (addresses), 1);
    zc_addresses_enter (addresses, "10.0.0.1", 0);
    assert_true (s_take (addresses, "10.0.0.1", 10, 12000));
    zc_addresses_destroy (&addresses);
}

/*  Either bucket keeps the address. */
static void test_leaving_with_connects_spent (void **state)
{
    (void)state;
    zc_addresses_t *addresses = zc_addresses_new ();
    zc_addresses_enter (addresses, "10.0.0.1", 0);
    s_take (addresses, "10.0.0.1", 1, 1000);
    zc_addresses_take (addresses, "10.0.0.1", ZC_BUCKET_CONNECTS, &s_slow, 10, 1000);
    zc_addresses_leave (addresses, "10.0.0.1");
    zc_addresses_enter (addresses, "10.0.0.2", 0);
    s_take (addresses, "10.0.0.2", 1, 3000);
    zc_addresses_leave (addresses, "10.0.0.2");
    zc_addresses_enter (addresses, "10.0.0.1", 0);
    assert_true (s_take (addresses, "10.0.0.1", 10, 3000));
    assert_false (zc_addresses_take (addresses, "10.0.0.1", ZC_BUCKET_CONNECTS, &s_slow, 10, 3000));
    zc_addresses_destroy (&addresses);
}

static void s_name (uint64_t number, char address[32])
{
    snprintf (address, 32, "%d.%d.%d.%d", 10 + (int)(number >> 24), (int)(number >> 16 & 255),
              (int)(number >> 8 & 255), (int)(number & 255));
}

static void test_nothing_stays (void **state)
{
    (void)state;
    zc_addresses_t *addresses = zc_addresses_new ();
    for (uint64_t i = 0; i < 20000; i++) {
        char address[32];
        s_name (i, address);
        zc_addresses_enter (addresses, address, 0);
        zc_addresses_take (addresses, address, ZC_BUCKET_CONNECTS, &s_fast, 1, 1000 + i);
        zc_addresses_leave (addresses, address);
        assert_true (zc_addresses_size (addresses) < 110);
    }
    zc_addresses_destroy (&addresses);
}

/*  A million addresses that spend all their tokens at once don't fill memory, and a connected
 *  address is never forgotten. */
static void test_a_million (void **state)
{
    (void)state;
    zc_addresses_t *addresses = zc_addresses_new ();
    zc_addresses_enter (addresses, "192.0.2.1", 0);
    assert_true (s_take (addresses, "192.0.2.1", 10, 1000));
    for (uint64_t i = 0; i < 1000000; i++) {
        char address[32];
        s_name (i, address);
        zc_addresses_enter (addresses, address, 0);
        assert_true (s_take (addresses, address, 10, 1000));
        zc_addresses_leave (addresses, address);
        assert_true (zc_addresses_size (addresses) <= ZC_ADDRESSES_LEFT + 2);
    }
    assert_int_equal (zc_addresses_size (addresses), ZC_ADDRESSES_LEFT + 1);
    assert_false (s_take (addresses, "192.0.2.1", 1, 1000));
    zc_addresses_enter (addresses, "10.15.66.63", 0); /* the last of them */
    assert_false (s_take (addresses, "10.15.66.63", 1, 1000));
    zc_addresses_destroy (&addresses);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_bucket),
        cmocka_unit_test (test_bucket_unlimited),
        cmocka_unit_test (test_bucket_many_at_once),
        cmocka_unit_test (test_bucket_clock_back),
        cmocka_unit_test (test_bucket_full_again),
        cmocka_unit_test (test_count),
        cmocka_unit_test (test_which_are_one),
        cmocka_unit_test (test_long_text),
        cmocka_unit_test (test_buckets_are_shared),
        cmocka_unit_test (test_leaving),
        cmocka_unit_test (test_nothing_stays),
        cmocka_unit_test (test_a_million),
        cmocka_unit_test (test_leaving_with_connects_spent),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
