/*  The sockets of many connections in one handle: the events of each, and when it is freed. */
#include "tests/unit/unit.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/engine/watch.h"

#define PAIRS 300 /* more than one turn handles */

typedef struct {
    int near, far;
    int events; /* all events so far */
    unsigned calls;
    bool leaves; /* it leaves bytes unread */
    bool released;
} s_pair_t;

typedef struct {
    uv_loop_t loop;
    zc_watch_t *watch;
    s_pair_t pairs[PAIRS];
    void (*then) (s_pair_t *pair); /* done in ready; may be NULL */
} s_fixture_t;

static s_fixture_t *s_all;

static void s_ready (void *item, int events)
{
    s_pair_t *pair = item;
    char byte;
    assert_false (pair->released);
    pair->events |= events;
    pair->calls++;
    if (events & UV_READABLE && !pair->leaves && recv (pair->near, &byte, 1, 0) == 0)
        pair->events |= UV_DISCONNECT;
    if (s_all->then)
        s_all->then (pair);
}

static void s_release (void *item)
{
    s_pair_t *pair = item;
    assert_false (pair->released);
    pair->released = true;
}

static int s_open (void **state)
{
    s_all = calloc (1, sizeof *s_all);
    uv_loop_init (&s_all->loop);
    s_all->watch = zc_watch_new (&s_all->loop, s_ready, s_release);
    assert_non_null (s_all->watch);
    for (size_t i = 0; i < PAIRS; i++) {
        int fds[2];
        assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        s_all->pairs[i] = (s_pair_t){.near = fds[0], .far = fds[1]};
        assert_int_equal (zc_watch_add (s_all->watch, fds[0], UV_READABLE, &s_all->pairs[i]), 0);
    }
    *state = s_all;
    return 0;
}

static int s_close (void **state)
{
    (void)state;
    zc_watch_destroy (&s_all->watch);
    uv_run (&s_all->loop, UV_RUN_DEFAULT);
    assert_int_equal (uv_loop_close (&s_all->loop), 0);
    for (size_t i = 0; i < PAIRS; i++) {
        if (s_all->pairs[i].near >= 0)
            close (s_all->pairs[i].near);
        close (s_all->pairs[i].far);
    }
    free (s_all);
    return 0;
}

static void s_turns (unsigned count)
{
    while (count-- > 0)
        uv_run (&s_all->loop, UV_RUN_NOWAIT);
}

static void s_drop (s_pair_t *pair)
{
    zc_watch_release (s_all->watch, pair);
    close (pair->near);
    pair->near = -1;
}

static void test_each_hears_its_own (void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i += 2)
        assert_int_equal (send (s_all->pairs[i].far, "x", 1, 0), 1);
    s_turns (3);
    for (size_t i = 0; i < PAIRS; i++) {
        assert_int_equal (s_all->pairs[i].calls, i % 2 == 0);
        assert_int_equal (s_all->pairs[i].events, i % 2 == 0 ? UV_READABLE : 0);
    }
}

static void test_what_it_waits_for_changes (void **state)
{
    (void)state;
    s_pair_t *pair = &s_all->pairs[0];
    send (pair->far, "xx", 2, 0);
    zc_watch_change (s_all->watch, pair->near, 0, pair);
    s_turns (2);
    assert_int_equal (pair->calls, 0);
    zc_watch_change (s_all->watch, pair->near, UV_WRITABLE, pair);
    s_turns (1);
    assert_int_equal (pair->events, UV_WRITABLE);
    zc_watch_change (s_all->watch, pair->near, UV_READABLE | UV_WRITABLE, pair);
    s_turns (1);
    assert_int_equal (pair->events, UV_READABLE | UV_WRITABLE);
    zc_watch_change (s_all->watch, pair->near, UV_READABLE, pair);
    s_turns (3);
    assert_int_equal (pair->calls, 3); /* both bytes are read, and it is always writable */
}

/*  A connection that waits for nothing hears of a hang-up, too. */
static void test_a_hangup_is_heard (void **state)
{
    (void)state;
    zc_watch_change (s_all->watch, s_all->pairs[1].near, 0, &s_all->pairs[1]);
    for (size_t i = 0; i < 2; i++)
        shutdown (s_all->pairs[i].far, SHUT_RDWR);
    s_turns (1);
    for (size_t i = 0; i < 2; i++)
        assert_true (s_all->pairs[i].events & UV_DISCONNECT);
}

/*  A connection that leaves bytes unread hears of each new one once, and of the end after them. */
static void test_unread_bytes (void **state)
{
    (void)state;
    s_pair_t *pair = &s_all->pairs[0];
    pair->leaves = true;
    send (pair->far, "x", 1, 0);
    zc_watch_change (s_all->watch, pair->near, UV_READABLE | ZC_WATCH_EDGE, pair);
    s_turns (5);
    assert_int_equal (pair->calls, 1);
    send (pair->far, "y", 1, 0);
    s_turns (5);
    assert_int_equal (pair->calls, 2);
    assert_int_equal (pair->events, UV_READABLE);
    shutdown (pair->far, SHUT_WR);
    s_turns (5);
    assert_int_equal (pair->calls, 3);
    assert_int_equal (pair->events, UV_READABLE | UV_DISCONNECT);
    zc_watch_change (s_all->watch, pair->near, UV_READABLE, pair);
    s_turns (3);
    assert_int_equal (pair->calls, 6); /* level-triggered again */
}

static void s_drop_all_but_one (s_pair_t *pair)
{
    (void)pair;
    for (size_t i = 0; i < PAIRS; i++) {
        s_pair_t *other = &s_all->pairs[i];
        if (i != 7 && other->near >= 0)
            s_drop (other);
        assert_false (other->released); /* a caller up the stack may still use it */
    }
}

/*  A connection that is dropped while others are served hears nothing more, though bytes had
 *  come. */
static void test_dropped_in_the_same_turn (void **state)
{
    (void)state;
    s_all->then = s_drop_all_but_one;
    for (size_t i = 0; i < PAIRS; i++)
        send (s_all->pairs[i].far, "x", 1, MSG_NOSIGNAL);
    s_turns (3);
    unsigned calls = 0;
    for (size_t i = 0; i < PAIRS; i++) {
        calls += i == 7 ? 0 : s_all->pairs[i].calls;
        assert_int_equal (s_all->pairs[i].released, i != 7);
    }
    assert_true (calls <= 1);
    assert_int_equal (s_all->pairs[7].calls, 1);
}

static void test_dropped_outside (void **state)
{
    (void)state;
    send (s_all->pairs[3].far, "x", 1, 0);
    s_drop (&s_all->pairs[3]);
    assert_false (s_all->pairs[3].released);
    s_turns (1);
    assert_true (s_all->pairs[3].released);
    assert_int_equal (s_all->pairs[3].calls, 0);
}

static void s_end (s_pair_t *pair)
{
    for (size_t i = 0; i < PAIRS; i++)
        s_drop (&s_all->pairs[i]);
    zc_watch_destroy (&s_all->watch);
    assert_false (pair->released);
}

/*  The last client is gone, and the set is destroyed with it. */
static void test_destroyed_while_it_serves (void **state)
{
    (void)state;
    s_all->then = s_end;
    for (size_t i = 0; i < 10; i++)
        send (s_all->pairs[i].far, "x", 1, 0);
    uv_run (&s_all->loop, UV_RUN_DEFAULT);
    unsigned calls = 0;
    for (size_t i = 0; i < PAIRS; i++) {
        calls += s_all->pairs[i].calls;
        assert_true (s_all->pairs[i].released);
    }
    assert_int_equal (calls, 1);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_each_hears_its_own, s_open, s_close),
        cmocka_unit_test_setup_teardown (test_what_it_waits_for_changes, s_open, s_close),
        cmocka_unit_test_setup_teardown (test_a_hangup_is_heard, s_open, s_close),
        cmocka_unit_test_setup_teardown (test_unread_bytes, s_open, s_close),
        cmocka_unit_test_setup_teardown (test_dropped_in_the_same_turn, s_open, s_close),
        cmocka_unit_test_setup_teardown (test_dropped_outside, s_open, s_close),
        cmocka_unit_test_setup_teardown (test_destroyed_while_it_serves, s_open, s_close),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
