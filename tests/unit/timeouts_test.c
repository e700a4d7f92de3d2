/*  timeouts_test.c - which timeouts end, in which order, and what it costs to look for one. */
#include "tests/unit/unit.h"

#include "lib/base/timeouts.h"

enum { SHORT, LONG };

typedef struct {
    int number;
    zc_timeout_t timeout;
} s_object_t;

static zc_timeouts_t s_timeouts;
static s_object_t s_objects[4];

static void s_begin (void)
{
    zc_timeouts_init (&s_timeouts);
    zc_timeouts_set (&s_timeouts, SHORT, 100);
    zc_timeouts_set (&s_timeouts, LONG, 1000);
    memset (s_objects, 0, sizeof s_objects);
    for (int i = 0; i < 4; i++)
        s_objects[i].number = i;
}

static void s_start (int number, unsigned kind, uint64_t now)
{
    zc_timeouts_start (&s_timeouts, &s_objects[number].timeout, kind, now);
}

/*  Stops a timeout that has ended, and returns its number; -1: none has. */
static int s_due (uint64_t now)
{
    zc_timeout_t *due = zc_timeouts_due (&s_timeouts, now);
    if (!due)
        return -1;
    zc_timeouts_stop (&s_timeouts, due);
    return ZC_TIMEOUT_OWNER (due, s_object_t, timeout)->number;
}

static void test_in_order (void **state)
{
    (void)state;
    s_begin ();
    assert_true (zc_timeouts_idle (&s_timeouts));
    s_start (0, SHORT, 10);
    s_start (1, LONG, 10);
    s_start (2, SHORT, 20);
    assert_false (zc_timeouts_idle (&s_timeouts));
    assert_int_equal (s_due (109), -1);
    assert_int_equal (s_due (110), 0);
    assert_int_equal (s_due (110), -1);
    assert_int_equal (s_due (2000), 2);
    assert_int_equal (s_due (2000), 1);
    assert_true (zc_timeouts_idle (&s_timeouts));
}

static void test_signs_of_life (void **state)
{
    (void)state;
    s_begin ();
    s_start (0, SHORT, 0);
    s_start (1, SHORT, 0);
    s_start (0, SHORT, 50);
    assert_int_equal (s_due (100), 1);
    assert_int_equal (s_due (149), -1);
    s_start (0, LONG, 149);
    assert_int_equal (s_due (1148), -1);
    assert_int_equal (s_due (1149), 0);
    zc_timeouts_stop (&s_timeouts, &s_objects[0].timeout); /* it doesn't wait any more */
}

static void test_lengths_change (void **state)
{
    (void)state;
    s_begin ();
    s_start (0, LONG, 0);
    zc_timeouts_set (&s_timeouts, LONG, 10);
    assert_int_equal (s_due (10), 0);
    s_start (0, LONG, 10);
    zc_timeouts_set (&s_timeouts, LONG, 0);
    assert_int_equal (s_due (10), 0);
}

static void test_clocks (void **state)
{
    (void)state;
    s_begin ();
    s_start (0, SHORT, UINT32_MAX - 10); /* the lower half of the clock begins again */
    assert_int_equal (s_due ((uint64_t)UINT32_MAX + 89), -1);
    assert_int_equal (s_due ((uint64_t)UINT32_MAX + 90), 0);
    s_start (1, SHORT, 5000);
    s_start (2, LONG, 5000);
    zc_timeouts_restart (&s_timeouts, 1000); /* it was set back */
    assert_int_equal (s_due (1099), -1);
    assert_int_equal (s_due (1100), 1);
    assert_int_equal (s_due (2000), 2);
}

static void test_walk (void **state)
{
    (void)state;
    s_begin ();
    for (int i = 0; i < 4; i++)
        s_start (i, SHORT, (uint64_t)i);
    zc_timeouts_stop (&s_timeouts, &s_objects[1].timeout);
    int sum = 0;
    for (zc_timeout_t *one = zc_timeouts_first (&s_timeouts, SHORT); one;
         one = zc_timeouts_next (one))
        sum = 10 * sum + ZC_TIMEOUT_OWNER (one, s_object_t, timeout)->number;
    assert_int_equal (sum, 23);
    assert_null (zc_timeouts_first (&s_timeouts, LONG));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_in_order),       cmocka_unit_test (test_signs_of_life),
        cmocka_unit_test (test_lengths_change), cmocka_unit_test (test_clocks),
        cmocka_unit_test (test_walk),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
