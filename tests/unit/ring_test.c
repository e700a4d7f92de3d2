/*  Many sends in one system call, and the result of each. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/engine/ring.h"

#define PAIRS 64

typedef struct {
    int near, far;
    int sent;
    unsigned calls;
} s_pair_t;

static s_pair_t s_pairs[PAIRS];

static int s_open (void **state)
{
    for (size_t i = 0; i < PAIRS; i++) {
        int fds[2];
        if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
            return -1;
        s_pairs[i] = (s_pair_t){fds[0], fds[1], 0, 0};
    }
    *state = zc_ring_new (PAIRS);
    if (!*state)
        print_message ("no io_uring here: %s\n", strerror (errno));
    return 0;
}

static int s_close (void **state)
{
    zc_ring_destroy ((zc_ring_t **)state);
    for (size_t i = 0; i < PAIRS; i++) {
        close (s_pairs[i].near);
        close (s_pairs[i].far);
    }
    return 0;
}

/*  On a system that forbids io_uring, the only test is that zc_ring_new fails. */
static zc_ring_t *s_ring (void **state)
{
    if (!*state)
        skip ();
    return *state;
}

static void s_done (void *arg, void *what, size_t len, int sent)
{
    s_pair_t *pair = what;
    (void)len;
    pair->sent = sent;
    pair->calls++;
    *(unsigned *)arg += 1;
}

static void s_to_many (void **state)
{
    zc_ring_t *ring = s_ring (state);
    for (unsigned round = 1; round <= 3; round++) {
        unsigned done = 0;
        for (size_t i = 0; i < PAIRS; i++)
            zc_ring_add (ring, s_pairs[i].near, "01234567", i % (ZC_RING_HEAD + 1), "hello, all",
                         i % 10 + 1, &s_pairs[i]);
        assert_int_equal (zc_ring_size (ring), PAIRS);
        assert_true (zc_ring_submit (ring, s_done, &done));
        assert_int_equal (done, PAIRS);
        assert_int_equal (zc_ring_size (ring), 0);
        for (size_t i = 0; i < PAIRS; i++) {
            char text[32];
            size_t head = i % (ZC_RING_HEAD + 1), len = i % 10 + 1;
            assert_int_equal (s_pairs[i].calls, round);
            assert_int_equal (s_pairs[i].sent, head + len);
            assert_int_equal (read (s_pairs[i].far, text, sizeof text), head + len);
            assert_memory_equal (text, "01234567", head);
            assert_memory_equal (text + head, "hello, all", len);
        }
    }
}

/*  A full socket, one whose peer is gone, and a closed one each report that; the other sends go
 *  on. */
static void s_each_for_itself (void **state)
{
    static char large[1 << 22];
    zc_ring_t *ring = s_ring (state);
    unsigned done = 0;
    int none = open ("/dev/null", O_WRONLY | O_CLOEXEC);
    close (s_pairs[1].far);
    s_pairs[1].far = -1;
    zc_ring_add (ring, s_pairs[0].near, large, 8, large, sizeof large - 8, &s_pairs[0]);
    zc_ring_add (ring, s_pairs[1].near, NULL, 0, large, 10, &s_pairs[1]);
    zc_ring_add (ring, none, NULL, 0, large, 10, &s_pairs[2]);
    zc_ring_add (ring, s_pairs[3].near, large, 5, large, 5, &s_pairs[3]);
    assert_true (zc_ring_submit (ring, s_done, &done));
    close (none);
    assert_int_equal (done, 4);
    assert_true (s_pairs[0].sent > 0 && (size_t)s_pairs[0].sent < sizeof large);
    assert_int_equal (s_pairs[1].sent, -EPIPE);
    assert_int_equal (s_pairs[2].sent, -ENOTSOCK);
    assert_int_equal (s_pairs[3].sent, 10);
    zc_ring_add (ring, s_pairs[0].near, large, 8, large, 2, &s_pairs[0]);
    assert_true (zc_ring_submit (ring, s_done, &done));
    assert_int_equal (s_pairs[0].sent, -EAGAIN);
}

static void s_nothing_to_do (void **state)
{
    unsigned done = 0;
    assert_true (zc_ring_submit (s_ring (state), s_done, &done));
    assert_int_equal (done, 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (s_to_many, s_open, s_close),
        cmocka_unit_test_setup_teardown (s_each_for_itself, s_open, s_close),
        cmocka_unit_test_setup_teardown (s_nothing_to_do, s_open, s_close),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
