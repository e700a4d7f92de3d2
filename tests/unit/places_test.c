/*  places_test.c - the brokers that a program knows: which endpoints belong together, and when it
 *  goes on at the next. */
#include "tests/unit/unit.h"

#include "lib/peer/places.h"

static void test_lists (void **state)
{
    (void)state;
    static const struct {
        const char *list;
        size_t count;
    } cases[] = {
        {"tcp://a:1", 1},
        {"tcp://a:1 tcp://b:2", 2},
        {"tcp://a:1  tcp://b:2 ipc:///c", 3},
        {"ipc:///a b", 1}, /* a path with a blank */
        {"ipc:///a b inproc://c", 2},
    };
    for (size_t i = 0; i < LENGTH (cases); i++)
        assert_int_equal (zc_places_count (cases[i].list), cases[i].count);
    assert_null (zc_places_new ("tcp://a:1 tcp://b:1", "tcp://a:2", 0));
    zc_places_t *self = zc_places_new ("tcp://a:1  ipc:///b c", "tcp://a:2 tcp://b:2", 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal (zc_places_subscribe (self), "tcp://a:1");
        assert_string_equal (zc_places_control (self), "tcp://a:2");
        zc_places_move (self, 0);
        assert_string_equal (zc_places_subscribe (self), "ipc:///b c");
        assert_string_equal (zc_places_control (self), "tcp://b:2");
        zc_places_move (self, 0);
    }
    zc_places_destroy (&self);
    zc_places_destroy (&self);
}

static void test_one (void **state)
{
    (void)state;
    zc_places_t *self = zc_places_new ("tcp://a:1", "tcp://a:2", 0);
    assert_false (zc_places_several (self));
    assert_false (zc_places_leaves (self, 100000));
    zc_places_connected (self, true, 100000);
    assert_false (zc_places_asks (self, 200000));
    zc_places_behind (self, 200000);
    assert_false (zc_places_leaves (self, 300000));
    zc_places_destroy (&self);
}

/*  Each reason to leave. The rest of two seconds is for the next connection. */
static void test_leaving (void **state)
{
    (void)state;
    zc_places_t *self = zc_places_new ("tcp://a:1 tcp://b:1", "tcp://a:2 tcp://b:2", 10000);
    assert_true (zc_places_several (self));
    assert_false (zc_places_leaves (self, 10100)); /* it may still come up */
    assert_true (zc_places_leaves (self, 11000));
    zc_places_move (self, 11000);
    assert_false (zc_places_leaves (self, 11100));
    zc_places_connected (self, true, 11100);
    assert_false (zc_places_leaves (self, 20000));
    zc_places_connected (self, false, 20000); /* the broker is gone */
    assert_true (zc_places_leaves (self, 20000));
    zc_places_move (self, 20000);
    assert_string_equal (zc_places_control (self), "tcp://a:2");
    zc_places_connected (self, true, 20100);
    zc_places_behind (self, 20200);
    assert_false (zc_places_leaves (self, 20300));
    zc_places_behind (self, 20900);
    zc_places_good (self); /* it has caught up */
    assert_false (zc_places_leaves (self, 30000));
    zc_places_behind (self, 30000);
    zc_places_behind (self, 31000);
    assert_true (zc_places_leaves (self, 31500));
    zc_places_destroy (&self);
}

static void test_silence (void **state)
{
    (void)state;
    zc_places_t *self = zc_places_new ("tcp://a:1 tcp://b:1", "tcp://a:2 tcp://b:2", 10000);
    assert_false (zc_places_asks (self, 10000)); /* nobody is there yet */
    zc_places_connected (self, true, 10000);
    assert_true (zc_places_asks (self, 10000));
    assert_false (zc_places_asks (self, 10600)); /* one question at a time */
    assert_false (zc_places_leaves (self, 10600));
    zc_places_heard (self);
    assert_false (zc_places_leaves (self, 20000));
    assert_true (zc_places_asks (self, 20000));
    zc_places_heard (self);
    assert_false (zc_places_asks (self, 20100)); /* nor too often */
    assert_true (zc_places_asks (self, 20500));
    zc_places_moved (self, 21900); /* the answer is behind a page, */
    assert_false (zc_places_leaves (self, 22000));
    assert_true (zc_places_leaves (self, 23100)); /* whose bytes don't come any more */
    zc_places_moved (self, 20600);                /* earlier news is none */
    assert_true (zc_places_leaves (self, 23100));
    zc_places_move (self, 22000);
    assert_false (zc_places_leaves (self, 22000));
    zc_places_destroy (&self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_lists),
        cmocka_unit_test (test_one),
        cmocka_unit_test (test_leaving),
        cmocka_unit_test (test_silence),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
