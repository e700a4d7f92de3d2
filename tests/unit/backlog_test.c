/*  The bytes that may wait for a subscriber. Real sockets are the connections, and the test
 *  writes what ZeroMQ would write to them. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "broker/backlog.h"

#define MEGABYTE 1000000

typedef struct {
    zc_backlog_t *backlog;
    int fds[2]; /* the broker's end, the subscriber's */
    uint64_t now_ms;
} s_bench_t;

static void s_small_buffers (int fd)
{
    int size = 16384;
    setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

static void s_tcp_pair (int fds[2])
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr = {htonl (INADDR_LOOPBACK)}};
    socklen_t size = sizeof where;
    int listener = socket (AF_INET, SOCK_STREAM, 0);
    s_small_buffers (listener);
    assert_int_equal (bind (listener, (struct sockaddr *)&where, sizeof where), 0);
    assert_int_equal (listen (listener, 1), 0);
    assert_int_equal (getsockname (listener, (struct sockaddr *)&where, &size), 0);
    fds[1] = socket (AF_INET, SOCK_STREAM, 0);
    s_small_buffers (fds[1]);
    assert_int_equal (connect (fds[1], (struct sockaddr *)&where, size), 0);
    fds[0] = accept (listener, NULL, NULL);
    assert_true (fds[0] >= 0);
    close (listener);
}

/*  Bytes written to the broker's end. */
static uint64_t s_written;

static uint64_t s_sent (int fd)
{
    (void)fd;
    return s_written;
}

static void s_begin (s_bench_t *self, bool tcp, int hwm, uint64_t max_bytes)
{
    *self = (s_bench_t){.backlog = zc_backlog_new (hwm, max_bytes, s_sent), .now_ms = 1000000};
    s_written = 0;
    if (tcp)
        s_tcp_pair (self->fds);
    else
        assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, self->fds), 0);
    fcntl (self->fds[0], F_SETFL, O_NONBLOCK);
    fcntl (self->fds[1], F_SETFL, O_NONBLOCK);
    zc_backlog_opened (self->backlog, self->fds[0]);
}

static void s_end (s_bench_t *self)
{
    zc_backlog_destroy (&self->backlog);
    zc_backlog_destroy (&self->backlog);
    close (self->fds[0]);
    close (self->fds[1]);
}

static void s_turn (s_bench_t *self)
{
    self->now_ms += 250;
    assert_true (zc_backlog_due (self->backlog, self->now_ms));
    zc_backlog_turn (self->backlog, self->now_ms);
}

static void s_turns (s_bench_t *self, unsigned count)
{
    while (count--)
        s_turn (self);
}

/*  Writes like ZeroMQ with more than the socket takes. TCP takes some more once the other side
 *  has acknowledged, which may be a moment later. */
static void s_fill (const s_bench_t *self)
{
    static char bytes[65536];
    struct pollfd item = {self->fds[0], POLLOUT, 0};
    ssize_t len;
    do {
        while ((len = send (self->fds[0], bytes, sizeof bytes, MSG_NOSIGNAL)) > 0)
            s_written += (uint64_t)len;
        assert_int_equal (errno, EAGAIN);
    } while (poll (&item, 1, 100) > 0);
}

/*  Reads all at the subscriber's end. */
static size_t s_read_all (const s_bench_t *self)
{
    static char bytes[65536];
    size_t all = 0;
    ssize_t len;
    while ((len = recv (self->fds[1], bytes, sizeof bytes, 0)) > 0)
        all += (size_t)len;
    return all;
}

static void s_publish (s_bench_t *self, unsigned count, size_t bytes)
{
    while (count--)
        zc_backlog_published (self->backlog, bytes);
}

static bool s_is_cut (const s_bench_t *self)
{
    return zc_backlog_stats (self->backlog).cut > 0;
}

static void test_who_takes_all_has_nothing_waiting (void **state)
{
    s_bench_t bench;
    for (int tcp = 0; tcp < 2; tcp++) {
        s_begin (&bench, tcp, 1000, 5 * MEGABYTE);
        for (int i = 0; i < 20; i++) {
            s_publish (&bench, 100, MEGABYTE);
            s_turn (&bench);
        }
        zc_backlog_stats_t stats = zc_backlog_stats (bench.backlog);
        assert_int_equal (stats.connections, 1);
        assert_int_equal (stats.behind + stats.bytes + stats.cut, 0);
        s_end (&bench);
    }
    (void)state;
}

/*  As many bytes as the limit may wait, and no more: then the peer sees the end. */
static void test_who_takes_nothing_is_cut (void **state)
{
    char byte, names[128];
    s_bench_t bench;
    for (int tcp = 0; tcp < 2; tcp++) {
        s_begin (&bench, tcp, 1000, 50 * MEGABYTE);
        s_turn (&bench);
        s_fill (&bench);
        s_publish (&bench, 40, MEGABYTE);
        s_turns (&bench, 40);
        zc_backlog_stats_t stats = zc_backlog_stats (bench.backlog);
        assert_int_equal (stats.behind, 1);
        assert_in_range (stats.bytes, 40 * MEGABYTE, 41 * MEGABYTE);
        assert_false (s_is_cut (&bench));
        zc_backlog_names (bench.backlog, names, sizeof names);
        assert_non_null (strstr (names, tcp ? "127.0.0.1:" : "process "));

        s_publish (&bench, 10, MEGABYTE);
        s_turns (&bench, 25);
        assert_true (s_is_cut (&bench));
        s_turns (&bench, 5);
        assert_int_equal (zc_backlog_stats (bench.backlog).cut, 1);
        s_read_all (&bench);
        assert_true (recv (bench.fds[1], &byte, 1, 0) <= 0 && errno != 0);
        zc_backlog_closed (bench.backlog, bench.fds[0]);
        s_turn (&bench);
        assert_int_equal (zc_backlog_stats (bench.backlog).connections, 0);
        s_end (&bench);
    }
    (void)state;
}

/*  A queue holds a number of messages: the largest ones may wait, however many were published. */
static void test_the_queue_holds_so_many (void **state)
{
    s_bench_t bench;
    s_begin (&bench, true, 100, 0);
    s_turn (&bench);
    s_fill (&bench);
    s_publish (&bench, 1000000, 100);
    s_turn (&bench);
    assert_in_range (zc_backlog_stats (bench.backlog).bytes, 100 * 100, 100 * 9000);
    s_publish (&bench, 30, MEGABYTE);
    s_publish (&bench, 1000000, 100);
    s_turn (&bench);
    assert_in_range (zc_backlog_stats (bench.backlog).bytes, 30 * MEGABYTE, 31 * MEGABYTE);
    s_publish (&bench, 300, 100000);
    s_turn (&bench);
    assert_in_range (zc_backlog_stats (bench.backlog).bytes, 37 * MEGABYTE, 41 * MEGABYTE);
    assert_false (s_is_cut (&bench)); /* no limit */
    s_end (&bench);
    (void)state;
}

/*  Bytes that a TCP peer has acknowledged, or a Unix socket's peer has read, don't wait any
 *  more. A Unix socket that stands still for a while is only charged with what was published
 *  meanwhile. */
static void test_what_is_taken_does_not_count (void **state)
{
    s_bench_t bench;
    for (int tcp = 0; tcp < 2; tcp++) {
        size_t taken = 0;
        s_begin (&bench, tcp, 1000, MEGABYTE);
        s_turn (&bench);
        s_fill (&bench);
        s_turn (&bench);
        while (taken < 3 * MEGABYTE) {
            size_t some = s_read_all (&bench);
            s_publish (&bench, 1, some);
            taken += some;
            s_fill (&bench);
            s_turn (&bench);
            assert_false (s_is_cut (&bench));
        }
        s_turns (&bench, 30);
        assert_false (s_is_cut (&bench));
        assert_in_range (zc_backlog_stats (bench.backlog).bytes, 0, MEGABYTE);
        s_publish (&bench, 3, MEGABYTE);
        s_turns (&bench, tcp ? 1 : 30);
        assert_true (s_is_cut (&bench));
        s_end (&bench);
    }
    (void)state;
}

/*  A Unix socket whose peer reads, and is always behind, has some seconds. */
static void test_a_unix_socket_that_moves (void **state)
{
    s_bench_t bench;
    s_begin (&bench, false, 1000, 5 * MEGABYTE);
    s_turn (&bench);
    for (unsigned i = 0; i < 10; i++) {
        s_fill (&bench);
        s_publish (&bench, 10, MEGABYTE);
        s_turn (&bench);
        s_read_all (&bench);
        s_written += (uint64_t)send (bench.fds[0], "some", 4, 0);
        zc_backlog_turn (bench.backlog, ++bench.now_ms); /* the close look sees it move */
        s_fill (&bench);
        assert_false (s_is_cut (&bench));
    }
    s_turns (&bench, 16);
    assert_true (s_is_cut (&bench));
    s_end (&bench);
    (void)state;
}

/*  A connection that is writable for a moment may still have bytes waiting. */
static void test_a_moment_is_not_enough (void **state)
{
    s_bench_t bench;
    s_begin (&bench, true, 1000, 0);
    s_turn (&bench);
    s_fill (&bench);
    s_publish (&bench, 10, MEGABYTE);
    s_turn (&bench);
    s_read_all (&bench);
    s_turn (&bench);
    assert_in_range (zc_backlog_stats (bench.backlog).bytes, 8 * MEGABYTE, 11 * MEGABYTE);
    s_turn (&bench);
    assert_int_equal (zc_backlog_stats (bench.backlog).bytes, 0);
    s_end (&bench);
    (void)state;
}

/*  When much is published, a look comes before its usual time. */
static void test_a_flood_is_noticed_at_once (void **state)
{
    s_bench_t bench;
    s_begin (&bench, true, 1000, 80 * MEGABYTE);
    s_turn (&bench);
    bench.now_ms += 20;
    s_publish (&bench, 9, MEGABYTE);
    assert_false (zc_backlog_due (bench.backlog, bench.now_ms));
    s_publish (&bench, 1, MEGABYTE);
    assert_true (zc_backlog_due (bench.backlog, bench.now_ms));
    s_end (&bench);
    (void)state;
}

/*  Connections come and go; a number may come again though its end wasn't reported. */
static void test_connections_come_and_go (void **state)
{
    s_bench_t bench;
    s_begin (&bench, false, 1000, 0);
    int fds[100];
    for (size_t i = 0; i < 100; i++) {
        fds[i] = dup (bench.fds[0]);
        zc_backlog_opened (bench.backlog, fds[i]);
    }
    zc_backlog_opened (bench.backlog, fds[50]);
    zc_backlog_opened (bench.backlog, -1);
    zc_backlog_closed (bench.backlog, -1);
    zc_backlog_closed (bench.backlog, 1000000);
    s_turn (&bench);
    assert_int_equal (zc_backlog_stats (bench.backlog).connections, 101);
    for (size_t i = 0; i < 100; i++) {
        size_t at = i * 37 % 100;
        zc_backlog_closed (bench.backlog, fds[at]);
        zc_backlog_closed (bench.backlog, fds[at]);
        assert_int_equal (zc_backlog_stats (bench.backlog).connections, 100 - i);
        close (fds[at]);
    }
    s_fill (&bench);
    s_turn (&bench);
    assert_int_equal (zc_backlog_stats (bench.backlog).behind, 1);
    s_end (&bench);
    (void)state;
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_who_takes_all_has_nothing_waiting),
        cmocka_unit_test (test_who_takes_nothing_is_cut),
        cmocka_unit_test (test_the_queue_holds_so_many),
        cmocka_unit_test (test_what_is_taken_does_not_count),
        cmocka_unit_test (test_a_unix_socket_that_moves),
        cmocka_unit_test (test_a_moment_is_not_enough),
        cmocka_unit_test (test_a_flood_is_noticed_at_once),
        cmocka_unit_test (test_connections_come_and_go),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
