/*  Bytes and descriptors between two processes. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/passage.h"

typedef struct {
    zc_passage_t *here, *there;
} s_pair_t;

static s_pair_t s_pair (void)
{
    int fds[2];
    assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return (s_pair_t){zc_passage_new (fds[0]), zc_passage_new (fds[1])};
}

static void s_clear (s_pair_t *pair)
{
    zc_passage_destroy (&pair->here);
    zc_passage_destroy (&pair->there);
}

static uint64_t s_soon (void)
{
    return zc_mono_ms () + 60000;
}

/*  Its identity, by which a copy is known. */
static ino_t s_inode (int fd)
{
    struct stat info;
    assert_int_equal (fstat (fd, &info), 0);
    return info.st_ino;
}

static void test_descriptors_come_in_order (void **state)
{
    (void)state;
    s_pair_t pair = s_pair ();
    ino_t inodes[20];
    for (size_t i = 0; i < LENGTH (inodes); i++) {
        int ends[2];
        assert_int_equal (pipe (ends), 0);
        inodes[i] = s_inode (ends[0]);
        assert_int_equal (zc_passage_send (pair.here, "x", 1, i % 3 ? ends[0] : -1, s_soon ()), 0);
        close (ends[0]);
        close (ends[1]);
    }
    for (size_t i = 0; i < LENGTH (inodes); i++) {
        while (zc_passage_bytes (pair.there)->len <= i)
            assert_int_not_equal (zc_passage_receive (pair.there), -1);
        if (i % 3 == 0)
            continue;
        int fd = zc_passage_take (pair.there);
        assert_true (fd >= 0 && fcntl (fd, F_GETFD) == FD_CLOEXEC);
        assert_int_equal (s_inode (fd), inodes[i]);
        close (fd);
    }
    assert_int_equal (zc_passage_take (pair.there), -1);
    assert_int_equal (zc_passage_receive (pair.there), 0);
    s_clear (&pair);
}

static void test_the_end (void **state)
{
    (void)state;
    s_pair_t pair = s_pair ();
    assert_int_equal (zc_passage_send (pair.here, "end", 3, -1, s_soon ()), 0);
    zc_passage_destroy (&pair.here);
    assert_int_equal (zc_passage_receive (pair.there), 1);
    assert_int_equal (zc_passage_bytes (pair.there)->len, 3);
    assert_int_equal (zc_passage_receive (pair.there), -1);
    assert_int_equal (zc_passage_send (pair.there, "x", 1, -1, s_soon ()), -1);
    assert_int_equal (errno, EPIPE);
    s_clear (&pair);
}

static void test_one_that_does_not_read (void **state)
{
    (void)state;
    s_pair_t pair = s_pair ();
    size_t len = 4 << 20;
    void *bytes = calloc (1, len);
    assert_int_equal (zc_passage_send (pair.here, bytes, len, -1, zc_mono_ms () + 20), -1);
    assert_int_equal (errno, ETIMEDOUT);
    assert_int_equal (zc_passage_wait (pair.here, zc_mono_ms () + 1), -1);
    free (bytes);
    s_clear (&pair);
}

/*  What wasn't taken is closed: the pipe's other end sees that nobody reads. */
static void test_what_is_left_is_closed (void **state)
{
    (void)state;
    s_pair_t pair = s_pair ();
    int ends[2];
    assert_int_equal (pipe (ends), 0);
    assert_int_equal (zc_passage_send (pair.here, "x", 1, ends[1], s_soon ()), 0);
    close (ends[1]);
    assert_int_equal (zc_passage_receive (pair.there), 1);
    s_clear (&pair);
    char byte;
    assert_int_equal (read (ends[0], &byte, 1), 0);
    close (ends[0]);
}

static void test_no_room_for_a_descriptor (void **state)
{
    (void)state;
    s_pair_t pair = s_pair ();
    struct rlimit before, none;
    assert_int_equal (zc_passage_send (pair.here, "x", 1, STDIN_FILENO, s_soon ()), 0);
    assert_int_equal (getrlimit (RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){3, before.rlim_max};
    assert_int_equal (setrlimit (RLIMIT_NOFILE, &none), 0);
    /* valgrind keeps the limit for calls of its own list, which this one isn't in */
    const char *preloaded = getenv ("LD_PRELOAD");
    bool limited = !preloaded || !strstr (preloaded, "vgpreload");
    assert_int_equal (zc_passage_receive (pair.there), limited ? -1 : 1);
    assert_int_equal (setrlimit (RLIMIT_NOFILE, &before), 0);
    s_clear (&pair);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_descriptors_come_in_order),
        cmocka_unit_test (test_the_end),
        cmocka_unit_test (test_one_that_does_not_read),
        cmocka_unit_test (test_what_is_left_is_closed),
        cmocka_unit_test (test_no_room_for_a_descriptor),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
