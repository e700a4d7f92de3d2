#include "tests/unit/unit.h"

#include "broker/dedup.h"

#define A SLICE ("a")
#define B SLICE ("b")
#define ONE SLICE ("1")

static const zc_digest_t s_this = {{1, 2}};

static bool s_is_known (zc_dedup_t *dedup, zc_slice_t topic, zc_slice_t name, uint64_t now_ms,
                        zc_id_t *id)
{
    return zc_dedup_find (dedup, topic, name, s_this, now_ms, id) == ZC_SEEN_SAME;
}

static void s_window (void **state)
{
    (void)state;
    zc_id_t id = 0;
    zc_dedup_t *dedup = zc_dedup_new ();
    zc_dedup_configure (dedup, 1000, 10);
    assert_false (s_is_known (dedup, A, ONE, 5000, &id));
    zc_dedup_add (dedup, A, ONE, s_this, 7, 5000);
    assert_true (s_is_known (dedup, A, ONE, 5999, &id));
    assert_int_equal (id, 7);
    assert_false (s_is_known (dedup, B, ONE, 5000, &id));
    assert_false (s_is_known (dedup, SLICE ("a1"), SLICE (""), 5000, &id));
    assert_false (s_is_known (dedup, A, ONE, 6000, &id));
    zc_dedup_add (dedup, A, ONE, s_this, 8, 6000);
    assert_true (s_is_known (dedup, A, ONE, 6500, &id));
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
    zc_dedup_add (dedup, A, ONE, s_this, 7, 0);
    zc_dedup_remove (dedup, A, ONE, 6); /* another message's */
    assert_true (s_is_known (dedup, A, ONE, 0, &id));
    zc_dedup_remove (dedup, A, ONE, 7);
    assert_false (s_is_known (dedup, A, ONE, 0, &id));
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
        zc_dedup_add (dedup, A, (zc_slice_t){text, len}, s_this, i, i / 100);
        assert_true (zc_dedup_size (dedup) <= 100);
    }
    assert_true (s_is_known (dedup, A, SLICE ("901"), 10, &id));
    assert_false (s_is_known (dedup, A, SLICE ("900"), 10, &id));
    zc_dedup_configure (dedup, 1000, 0);
    zc_dedup_add (dedup, A, ONE, s_this, 2000, 10);
    assert_false (s_is_known (dedup, A, ONE, 10, &id));
    zc_dedup_destroy (&dedup);
}

/*  Another message has the name, as either half of its digest shows; or it was published again
 *  after the first had been forgotten. */
static void s_conflict (void **state)
{
    (void)state;
    zc_id_t id = 0;
    zc_dedup_t *dedup = zc_dedup_new ();
    zc_dedup_configure (dedup, 1000, 10);
    zc_dedup_add (dedup, A, ONE, s_this, 7, 0);
    const zc_digest_t others[] = {{{0, 2}}, {{1, 0}}, {{2, 1}}};
    for (size_t i = 0; i < LENGTH (others); i++) {
        id = 0;
        assert_int_equal (zc_dedup_find (dedup, A, ONE, others[i], 999, &id), ZC_SEEN_OTHER);
        assert_int_equal (id, 7);
        assert_int_equal (zc_dedup_find (dedup, B, ONE, others[i], 0, &id), ZC_SEEN_NEVER);
        assert_int_equal (zc_dedup_find (dedup, A, ONE, others[i], 1000, &id), ZC_SEEN_NEVER);
    }
    zc_dedup_add (dedup, A, ONE, others[0], 8, 1000);
    assert_int_equal (zc_dedup_find (dedup, A, ONE, others[0], 1000, &id), ZC_SEEN_SAME);
    assert_int_equal (zc_dedup_find (dedup, A, ONE, s_this, 1000, &id), ZC_SEEN_OTHER);
    zc_dedup_remove (dedup, A, ONE, 8);
    assert_int_equal (zc_dedup_find (dedup, A, ONE, s_this, 1000, &id), ZC_SEEN_NEVER);
    zc_dedup_destroy (&dedup);
}

static bool s_agree (zc_dedup_t *a, zc_slice_t event_a, zc_slice_t payload_a, zc_dedup_t *b,
                     zc_slice_t event_b, zc_slice_t payload_b)
{
    zc_digest_t left = zc_dedup_digest (a, event_a, payload_a);
    zc_digest_t right = zc_dedup_digest (b, event_b, payload_b);
    return memcmp (&left, &right, sizeof left) == 0;
}

/*  The digest covers the parts that subscribers are shown, and nothing else. */
static void s_digest (void **state)
{
    (void)state;
    static char large[100000];
    zc_slice_t none = {NULL, 0}, big = {large, sizeof large};
    zc_dedup_t *dedup = zc_dedup_new (), *other = zc_dedup_new ();
    assert_true (s_agree (dedup, none, none, dedup, SLICE (""), SLICE ("")));
    assert_true (
        s_agree (dedup, SLICE ("e"), SLICE ("payload"), dedup, SLICE ("e"), SLICE ("payload")));
    assert_true (s_agree (dedup, none, big, dedup, none, big));
    assert_false (s_agree (dedup, none, SLICE ("a"), dedup, none, SLICE ("b")));
    assert_false (s_agree (dedup, none, SLICE ("a"), dedup, none, SLICE ("a\0")));
    assert_false (s_agree (dedup, none, SLICE (""), dedup, none, SLICE ("\0")));
    assert_false (s_agree (dedup, SLICE ("e"), SLICE ("x"), dedup, none, SLICE ("x")));
    assert_false (s_agree (dedup, SLICE ("e"), SLICE ("x"), dedup, SLICE ("ex"), SLICE ("")));
    assert_false (s_agree (dedup, SLICE ("e"), SLICE ("x"), dedup, none, SLICE ("ex")));
    assert_false (s_agree (dedup, none, SLICE ("a"), other, none, SLICE ("a")));
    zc_digest_t before = zc_dedup_digest (dedup, none, big);
    large[sizeof large - 1] = 1;
    zc_digest_t after = zc_dedup_digest (dedup, none, big);
    assert_memory_not_equal (&before, &after, sizeof before);
    assert_memory_not_equal (&before.words[0], &before.words[1], sizeof before.words[0]);
    zc_dedup_destroy (&dedup);
    zc_dedup_destroy (&other);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_window),   cmocka_unit_test (s_removal), cmocka_unit_test (s_bounded),
        cmocka_unit_test (s_conflict), cmocka_unit_test (s_digest),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
