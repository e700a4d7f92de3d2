/*  subscriptions_test.c - subscriptions that are requested, confirmed, refused, requested again
 *  and given up. */
#include "tests/unit/unit.h"

#include "bridge/subscriptions.h"

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

/*  Words, with "*" at the end of a pattern. */
static void s_want (zc_redis_subscriptions_t *all, const char *const *words)
{
    zc_redis_subscriptions_begin (all);
    for (; *words; words++)
        zc_redis_subscriptions_want (all, s_slice (*words), strchr (*words, '*') != NULL);
    zc_redis_subscriptions_end (all);
}
#define WANT(all, ...) s_want (all, (const char *const[]){__VA_ARGS__, NULL})

static zc_redis_subscription_t *s_next (zc_redis_subscriptions_t *all, uint64_t now,
                                        const char *name)
{
    zc_redis_subscription_t *next = zc_redis_subscriptions_next (all, now);
    assert_non_null (next);
    assert_slice (zc_redis_subscription_name (next), name);
    assert_int_equal (zc_redis_subscription_is_pattern (next), strchr (name, '*') != NULL);
    return next;
}

static void s_check (const zc_redis_subscriptions_t *all, size_t wanted, size_t confirmed,
                     size_t refused)
{
    const char *reason;
    assert_int_equal (zc_redis_subscriptions_wanted (all), wanted);
    assert_int_equal (zc_redis_subscriptions_count_confirmed (all), confirmed);
    assert_int_equal (zc_redis_subscriptions_count_refused (all, &reason), refused);
    assert_int_equal (*reason != 0, refused > 0);
}

static void test_confirmed (void **state)
{
    (void)state;
    zc_redis_subscriptions_t *all = zc_redis_subscriptions_new ();
    assert_int_equal (zc_redis_subscriptions_due (all), UINT64_MAX);
    WANT (all, "a", "b*", "a");
    s_check (all, 2, 0, 0);
    assert_int_equal (zc_redis_subscriptions_due (all), 0);
    zc_redis_subscription_t *a = s_next (all, 0, "a"), *b = s_next (all, 0, "b*");
    assert_null (zc_redis_subscriptions_next (all, 0));
    assert_int_equal (zc_redis_subscriptions_due (all), UINT64_MAX);
    assert_false (zc_redis_subscriptions_confirmed (all, a));
    s_check (all, 2, 1, 0);
    /*  Lost: messages were missed on confirmed subscriptions, and not on others. */
    zc_redis_subscriptions_lost (all);
    s_check (all, 2, 0, 0);
    a = s_next (all, 0, "a");
    b = s_next (all, 0, "b*");
    assert_true (zc_redis_subscriptions_confirmed (all, a));
    assert_false (zc_redis_subscriptions_confirmed (all, b));
    s_check (all, 2, 2, 0);
    /*  By Redis itself. */
    assert_false (zc_redis_subscriptions_gone (all, s_slice ("b*"), false));
    assert_false (zc_redis_subscriptions_gone (all, s_slice ("c"), false));
    assert_true (zc_redis_subscriptions_gone (all, s_slice ("b*"), true));
    assert_false (zc_redis_subscriptions_gone (all, s_slice ("b*"), true));
    assert_true (zc_redis_subscriptions_confirmed (all, s_next (all, 0, "b*")));
    zc_redis_subscriptions_destroy (&all);
    zc_redis_subscriptions_destroy (&all);
}

static void test_refused (void **state)
{
    (void)state;
    zc_redis_subscriptions_t *all = zc_redis_subscriptions_new ();
    WANT (all, "a");
    uint64_t now = 1000, waited = 0, before = 0;
    zc_redis_subscription_t *a = s_next (all, now, "a");
    assert_true (zc_redis_subscriptions_refused (all, a, "no", now));
    assert_true (zc_redis_subscription_was_refused (a));
    s_check (all, 1, 0, 1);
    for (int i = 0; i < 20; i++) { /* again and again, less and less often */
        uint64_t due = zc_redis_subscriptions_due (all);
        assert_null (zc_redis_subscriptions_next (all, due - 1));
        waited = due - now;
        assert_in_range (waited, before, 60000);
        before = waited;
        now = due;
        a = s_next (all, now, "a");
        s_check (all, 1, 0, 1);
        assert_false (zc_redis_subscriptions_refused (all, a, "no", now));
    }
    assert_in_range (waited, 5000, 60000);
    now = zc_redis_subscriptions_due (all);
    a = s_next (all, now, "a");
    assert_true (zc_redis_subscriptions_refused (all, a, "another reason", now));
    a = s_next (all, now + 60000, "a");
    assert_false (zc_redis_subscriptions_confirmed (all, a)); /* it was never there */
    assert_false (zc_redis_subscription_was_refused (a));
    s_check (all, 1, 1, 0);
    /*  Lost after it was confirmed, then refused: it counts as missed once it is confirmed
     *  again. */
    zc_redis_subscriptions_lost (all);
    a = s_next (all, now, "a");
    assert_true (zc_redis_subscriptions_refused (all, a, "no", now));
    assert_in_range (zc_redis_subscriptions_due (all) - now, 1, 1000);
    zc_redis_subscriptions_lost (all);
    assert_true (zc_redis_subscriptions_confirmed (all, s_next (all, now, "a")));
    zc_redis_subscriptions_destroy (&all);
}

/*  Another list, while answers are owed. */
static void test_unwanted (void **state)
{
    (void)state;
    zc_redis_subscriptions_t *all = zc_redis_subscriptions_new ();
    WANT (all, "confirmed", "asked", "again", "refused", "wanted");
    zc_redis_subscription_t *confirmed = s_next (all, 0, "confirmed"),
                            *asked = s_next (all, 0, "asked");
    zc_redis_subscription_t *again = s_next (all, 0, "again"),
                            *refused = s_next (all, 0, "refused");
    zc_redis_subscriptions_confirmed (all, confirmed);
    zc_redis_subscriptions_refused (all, refused, "no", 0);
    WANT (all, "new*");
    s_check (all, 1, 0, 0);
    assert_ptr_equal (zc_redis_subscriptions_next_unwanted (all), confirmed);
    assert_slice (zc_redis_subscription_name (confirmed), "confirmed");
    assert_null (zc_redis_subscriptions_next_unwanted (all)); /* its answer hasn't come yet */
    WANT (all, "new*", "again");
    zc_redis_subscriptions_confirmed (all, again); /* the answer to the earlier request */
    zc_redis_subscriptions_confirmed (all, asked);
    assert_ptr_equal (zc_redis_subscriptions_next_unwanted (all), asked);
    assert_null (zc_redis_subscriptions_next_unwanted (all));
    s_next (all, 0, "new*");
    assert_null (zc_redis_subscriptions_next (all, 60000));
    s_check (all, 2, 1, 0);
    WANT (all, "x");
    zc_redis_subscriptions_lost (all);
    assert_null (zc_redis_subscriptions_next_unwanted (all)); /* Redis has forgotten them, too */
    s_next (all, 0, "x");
    assert_null (zc_redis_subscriptions_next (all, 60000));
    zc_redis_subscriptions_destroy (&all);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_confirmed),
        cmocka_unit_test (test_refused),
        cmocka_unit_test (test_unwanted),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
