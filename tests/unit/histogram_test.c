/*  Histograms, and how old messages are when they are sent. */
#include "tests/unit/unit.h"

#include "lib/base/histogram.h"
#include "lib/engine/ages.h"

/*  A bound belongs to the bucket below it, as `le` says. */
static void test_buckets (void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        size_t bucket;
    } rows[] = {{0, 0},       {1000, 0},     {1001, 1},      {2500, 1},      {2501, 2},
                {1000000, 9}, {1000001, 10}, {10000000, 12}, {10000001, 13}, {UINT32_MAX, 13}};
    for (size_t i = 0; i < LENGTH (rows); i++) {
        zc_histogram_t histogram = {{0}, 0};
        zc_histogram_add (&histogram, rows[i].us, 3);
        assert_int_equal (histogram.counts[rows[i].bucket], 3);
        assert_int_equal (histogram.sum_us, 3 * rows[i].us);
    }
    assert_string_equal (zc_histogram_bound (0), "0.001");
    assert_string_equal (zc_histogram_bound (ZC_HISTOGRAM_BUCKETS - 1), "+Inf");
}

static void test_ages (void **state)
{
    (void)state;
    zc_ages_t ages = {.count = 0}, round = {.count = 0};
    zc_histogram_t histogram = {{0}, 0};
    zc_ages_add (&ages, 1000, 5);
    zc_ages_add (&ages, 1000, 6);
    zc_ages_add (&ages, 1001, 0); /* nobody's */
    zc_ages_add (&ages, 1003, 1);
    assert_int_equal (ages.count, 2);
    zc_ages_take (&ages, &round);
    zc_ages_add (&ages, 1004, 1); /* for the next one */
    zc_ages_sent (&round, 1005, &histogram);
    assert_int_equal (round.count, 0);
    assert_int_equal (ages.count, 1);
    assert_int_equal (histogram.counts[2], 11); /* 5 ms */
    assert_int_equal (histogram.counts[1], 1);  /* 2 ms */
    assert_int_equal (histogram.sum_us, 11 * 5000 + 2000);
    zc_ages_take (&ages, &round);
    zc_ages_sent (&round, 900, &histogram); /* the worker's clock is behind the broker's */
    assert_int_equal (histogram.counts[0], 1);
}

/*  No millisecond is lost, however many a round has waited for. */
static void test_more_than_are_kept (void **state)
{
    (void)state;
    zc_ages_t ages = {.count = 0};
    zc_histogram_t histogram = {{0}, 0};
    uint64_t sum = 0;
    for (uint64_t ms = 1; ms <= 1000; ms++)
        zc_ages_add (&ages, ms, 1);
    assert_int_equal (ages.count, ZC_AGES_MAX);
    zc_ages_sent (&ages, 1000, &histogram);
    for (size_t i = 0; i < ZC_HISTOGRAM_BUCKETS; i++)
        sum += histogram.counts[i];
    assert_int_equal (sum, 1000);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_buckets),
        cmocka_unit_test (test_ages),
        cmocka_unit_test (test_more_than_are_kept),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
