#include "tests/unit/unit.h"

#include "broker/dedup.h"

#define A SLICE ("a")
#define B SLICE ("b")
#define ONE SLICE ("1")

static void s_window (void **state)
{
    (void)state;
    zc_id_t id = 0;
    zc_dedup_t *dedup = zc_dedup_new ();
    zc_dedup_configure (dedup, 1000, 10);
    assert_false (zc_dedup_find (dedup, A, ONE, 5000, &id));
    zc_dedup_add (dedup, A, ONE, 7, 5000);
    assert_true (zc_dedup_find (dedup, A, ONE, 5999, &id));
    assert_int_equal (id, 7);
    assert_false (zc_dedup_find (dedup, B, ONE, 5000, &id));
    assert_false (zc_dedup_find (dedup, SLICE ("a1"), SLICE (""), 5000, &id));
    assert_false (zc_dedup_find (dedup, A, ONE, 6000, &id));
    zc_dedup_add (dedup, A, ONE, 8, 6000);
    assert_true (zc_dedup_find (dedup, A, ONE, 6500, &id));
    assert_int_equal (id, 8);
    assert_int_equal (zc_dedup_size (dedup), 1);
    zc_dedup_destroy (&dedup);
    assert_null (dedup);
}

static void s_removal (void **state)
{
    (void)state;
    zc_id_t id = 0;
    zc_dedup_t *dedup = zc_dedup_new ();
    zc_dedup_configure (dedup, 1000, 10);
    zc_dedup_add (dedup, A, ONE, 7, 0);
    zc_dedup_remove (dedup, A, ONE, 6); /* another message's */
    assert_true (zc_dedup_find (dedup, A, ONE, 0, &id));
    zc_dedup_remove (dedup, A, ONE, 7);
    assert_false (zc_dedup_find (dedup, A, ONE, 0, &id));
    zc_dedup_remove (dedup, A, ONE, 7);
    zc_dedup_destroy (&dedup);
}

static void s_bounded (void **state)
{
    (void)state;
    char text[16];
    zc_id_t id = 0;
    zc_dedup_t *dedup = zc_dedup_new ();
    zc_dedup_configure (dedup, 1000, 100);
    for (unsigned i = 1; i <= 1000; i++) {
        size_t len = (size_t)snprintf (text, sizeof text, "%u", i);
        zc_dedup_add (dedup, A, (zc_slice_t){text, len}, i, i / 100);
        assert_true (zc_dedup_size (dedup) <= 100);
    }
    assert_true (zc_dedup_find (dedup, A, SLICE ("901"), 10, &id));
    assert_false (zc_dedup_find (dedup, A, SLICE ("900"), 10, &id));
    zc_dedup_configure (dedup, 1000, 0);
    zc_dedup_add (dedup, A, ONE, 2000, 10);
    assert_false (zc_dedup_find (dedup, A, ONE, 10, &id));
    zc_dedup_destroy (&dedup);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_window),
        cmocka_unit_test (s_removal),
        cmocka_unit_test (s_bounded),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
