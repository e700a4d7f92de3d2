/*  The master of worker processes: restarts, signals, exit statuses, and no orphans.
 *
 *  Each test runs a master in a process of its own. Workers report by bytes in a pipe. The pipe
 *  is at its end once the last worker is gone. */
#include "tests/unit/unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/processes.h"

#define PATIENCE_MS 30000

typedef struct {
    int pipe[2];
    pid_t master;
} s_fixture_t;

typedef struct {
    unsigned what, index; /* without a hole between them: the struct is written as it is */
    pid_t pid;
} s_report_t;

static int s_pipe; /* where workers write */
static volatile sig_atomic_t s_signal;

static void s_on_signal (int number)
{
    s_signal = number;
}

static void s_tell (unsigned what, unsigned index)
{
    s_report_t report = {what, index, getpid ()};
    if (write (s_pipe, &report, sizeof report) != sizeof report)
        _exit (9);
}

static int s_reloads;     /* of the process */
static int s_refuse_from; /* which of them is the first that is refused; 0: none */

static bool s_reload (void *arg)
{
    (void)arg;
    s_reloads++;
    return s_refuse_from == 0 || s_reloads < s_refuse_from;
}

static void s_expect_from (s_fixture_t *self, s_report_t *report)
{
    struct pollfd wait = {self->pipe[0], POLLIN, 0};
    assert_int_equal (poll (&wait, 1, PATIENCE_MS), 1);
    assert_int_equal (read (self->pipe[0], report, sizeof *report), sizeof *report);
}

/*  Forks a master of `count` workers. It leaves without cmocka's clean-up. */
static void s_begin (s_fixture_t *self, unsigned count, int (*worker) (void *, unsigned), void *arg)
{
    assert_int_equal (pipe (self->pipe), 0);
    self->master = fork ();
    assert_true (self->master >= 0);
    if (self->master > 0) {
        close (self->pipe[1]);
        return;
    }
    close (self->pipe[0]);
    s_pipe = self->pipe[1];
    if (!freopen ("/dev/null", "w", stderr))
        _exit (9);
    const zc_work_t work = {arg, worker, s_reload, NULL, false, -1};
    _exit (zc_processes (count, &work));
}

/*  Waits for the master and for the end of the pipe, when no worker is left. Returns the
 *  master's exit status. */
static int s_finish (s_fixture_t *self)
{
    int status;
    s_report_t report;
    struct pollfd wait = {self->pipe[0], POLLIN, 0};
    do
        assert_int_equal (poll (&wait, 1, PATIENCE_MS), 1);
    while (read (self->pipe[0], &report, sizeof report) > 0);
    assert_int_equal (waitpid (self->master, &status, 0), self->master);
    close (self->pipe[0]);
    return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}

/*  Reports its start and every signal; ends at SIGTERM and SIGINT with the status in `arg`. */
static int s_obedient (void *arg, unsigned index)
{
    sigset_t all, none;
    sigfillset (&all);
    sigemptyset (&none);
    sigprocmask (SIG_SETMASK, &all, NULL);
    signal (SIGHUP, s_on_signal);
    signal (SIGTERM, s_on_signal);
    signal (SIGINT, s_on_signal);
    s_tell ('s', index);
    while (true) {
        s_signal = 0;
        while (!s_signal)
            sigsuspend (&none);
        s_tell (s_signal == SIGHUP ? 'h' : s_signal == SIGINT ? 'i' : 't', index);
        if (s_signal != SIGHUP)
            return arg ? *(int *)arg : 0;
    }
}

uint64_t __real_zc_mono_ms (void);
uint64_t __wrap_zc_mono_ms (void);

static volatile uint64_t *s_later_ms; /* than it is, for all processes */

uint64_t __wrap_zc_mono_ms (void)
{
    return __real_zc_mono_ms () + (s_later_ms ? *s_later_ms : 0);
}

static void s_expect_each (s_fixture_t *self, unsigned what, unsigned count, pid_t *pids)
{
    unsigned seen = 0;
    for (unsigned i = 0; i < count; i++) {
        s_report_t report;
        s_expect_from (self, &report);
        assert_int_equal (report.what, what);
        assert_true (report.index < count);
        seen |= 1u << report.index;
        if (pids)
            pids[report.index] = report.pid;
    }
    assert_int_equal (seen, (1u << count) - 1);
}

static void test_one_needs_no_fork (void **state)
{
    (void)state;
    int status = 5, pipes[2];
    assert_int_equal (pipe (pipes), 0);
    s_pipe = pipes[1];
    pid_t pid = fork ();
    if (pid == 0) {
        sigset_t term;
        sigemptyset (&term);
        sigaddset (&term, SIGTERM);
        sigprocmask (SIG_BLOCK, &term, NULL);
        raise (SIGTERM);
        const zc_work_t work = {&status, s_obedient, s_reload, NULL, false, -1};
        _exit (zc_processes (1, &work));
    }
    s_report_t report;
    assert_int_equal (read (pipes[0], &report, sizeof report), sizeof report);
    assert_int_equal (report.pid, pid);
    int result;
    waitpid (pid, &result, 0);
    assert_int_equal (WEXITSTATUS (result), 5);
    close (pipes[0]);
    close (pipes[1]);
}

static void test_stop (void **state)
{
    (void)state;
    static const int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < LENGTH (numbers); i++) {
        s_fixture_t fixture;
        s_begin (&fixture, 3, s_obedient, NULL);
        s_expect_each (&fixture, 's', 3, NULL);
        kill (fixture.master, SIGHUP);
        s_expect_each (&fixture, 'h', 3, NULL);
        kill (fixture.master, numbers[i]);
        s_expect_each (&fixture, numbers[i] == SIGINT ? 'i' : 't', 3, NULL);
        assert_int_equal (s_finish (&fixture), 0);
    }
}

static void test_status_of_the_worst (void **state)
{
    (void)state;
    int status = 1;
    s_fixture_t fixture;
    s_begin (&fixture, 2, s_obedient, &status);
    s_expect_each (&fixture, 's', 2, NULL);
    kill (fixture.master, SIGTERM);
    assert_int_equal (s_finish (&fixture), 1);
}

static void test_restart (void **state)
{
    (void)state;
    s_fixture_t fixture;
    pid_t pids[2];
    s_begin (&fixture, 2, s_obedient, NULL);
    s_expect_each (&fixture, 's', 2, pids);
    for (int i = 0; i < 3; i++) {
        s_report_t report;
        kill (pids[1], SIGKILL);
        s_expect_from (&fixture, &report);
        assert_int_equal (report.what, 's');
        assert_int_equal (report.index, 1);
        assert_int_not_equal (report.pid, pids[1]);
        pids[1] = report.pid;
    }
    /* The other one didn't notice. */
    assert_int_equal (kill (pids[0], 0), 0);
    kill (fixture.master, SIGTERM);
    assert_int_equal (s_finish (&fixture), 0);
}

/*  A worker that always fails is restarted at ever longer intervals. */
static int s_failing (void *arg, unsigned index)
{
    (void)arg;
    s_tell ('s', index);
    return 1;
}

static void test_backoff (void **state)
{
    (void)state;
    s_fixture_t fixture;
    s_report_t report;
    s_begin (&fixture, 2, s_failing, NULL);
    uint64_t start = zc_mono_ms ();
    for (int i = 0; i < 2 * 4; i++)
        s_expect_from (&fixture, &report);
    /* The fourth start of each comes after 100 + 200 + 400 ms. */
    assert_true (zc_mono_ms () - start >= 650);
    kill (fixture.master, SIGTERM);
    /* 1 where the last to start was still about to fail. */
    assert_in_range (s_finish (&fixture), 0, 1);
}

/*  A worker exits at once with a usage error: the others are stopped, and that is the status. */
static int s_mistaken (void *arg, unsigned index)
{
    return index == 1 ? 2 : s_obedient (arg, index);
}

static void test_usage_ends_all (void **state)
{
    (void)state;
    s_fixture_t fixture;
    s_begin (&fixture, 3, s_mistaken, NULL);
    assert_int_equal (s_finish (&fixture), 2);
}

/*  Workers don't outlive a master that was killed. */
static void test_master_killed (void **state)
{
    (void)state;
    s_fixture_t fixture;
    s_begin (&fixture, 2, s_obedient, NULL);
    s_expect_each (&fixture, 's', 2, NULL);
    kill (fixture.master, SIGKILL);
    s_expect_each (&fixture, 't', 2, NULL);
    assert_int_equal (s_finish (&fixture), 128 + SIGKILL);
}

/*  A worker that was stopped before it handled signals has done as told. */
static int s_deaf (void *arg, unsigned index)
{
    (void)arg;
    s_tell ('s', index);
    while (pause () == -1)
        continue;
    return 0;
}

static void test_stop_of_the_unready (void **state)
{
    (void)state;
    s_fixture_t fixture;
    pid_t pids[2];
    s_begin (&fixture, 2, s_deaf, NULL);
    s_expect_each (&fixture, 's', 2, pids);
    /* A reload doesn't end workers that aren't ready for one. */
    kill (fixture.master, SIGHUP);
    kill (pids[0], SIGHUP);
    kill (fixture.master, SIGTERM);
    assert_int_equal (s_finish (&fixture), 0);
}

/*  The second worker hangs for good. */
static int s_wedged (void *arg, unsigned index)
{
    if (index == 0)
        return s_obedient (arg, index);
    signal (SIGTERM, SIG_IGN);
    s_tell ('s', index);
    while (true)
        pause ();
}

static void test_stop_of_the_wedged (void **state)
{
    (void)state;
    s_fixture_t fixture;
    s_later_ms =
        mmap (NULL, sizeof *s_later_ms, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal (s_later_ms, MAP_FAILED);
    s_begin (&fixture, 2, s_wedged, NULL);
    s_expect_each (&fixture, 's', 2, NULL);
    kill (fixture.master, SIGTERM);
    s_expect_each (&fixture, 't', 1, NULL);
    *s_later_ms = 600 * 1000; /* a worker may drain for so long */
    kill (fixture.master, SIGHUP);
    struct pollfd ended = {fixture.pipe[0], POLLIN, 0};
    assert_int_equal (poll (&ended, 1, 100), 0);
    *s_later_ms = 620 * 1000;
    assert_int_equal (s_finish (&fixture), 1);
    munmap ((void *)(uintptr_t)s_later_ms, sizeof *s_later_ms);
    s_later_ms = NULL;
}

/*  Reports how often its master had reloaded when it began, then behaves like s_obedient. */
static int s_later (void *arg, unsigned index)
{
    s_tell ((unsigned)('0' + s_reloads), index);
    return s_obedient (arg, index);
}

/*  A worker that starts after a reload has the new options. A reload that the master refuses
 *  reaches no worker. */
static void test_reload (void **state)
{
    (void)state;
    s_fixture_t fixture;
    s_report_t report;
    pid_t pids[2];
    s_refuse_from = 2;
    s_begin (&fixture, 2, s_obedient, NULL);
    s_refuse_from = 0;
    s_expect_each (&fixture, 's', 2, NULL);
    kill (fixture.master, SIGHUP);
    s_expect_each (&fixture, 'h', 2, NULL);
    kill (fixture.master, SIGHUP);
    kill (fixture.master, SIGTERM);
    s_expect_each (&fixture, 't', 2, NULL);
    assert_int_equal (s_finish (&fixture), 0);

    s_begin (&fixture, 2, s_later, NULL);
    for (int i = 0; i < 4; i++) {
        s_expect_from (&fixture, &report);
        pids[report.index] = report.pid;
    }
    kill (fixture.master, SIGHUP);
    s_expect_each (&fixture, 'h', 2, NULL);
    kill (pids[0], SIGKILL);
    s_expect_from (&fixture, &report);
    assert_int_equal (report.what, '1');
    s_expect_from (&fixture, &report);
    kill (fixture.master, SIGTERM);
    assert_int_equal (s_finish (&fixture), 0);
}

/*  A reload during a worker's start waits until the worker can handle it. */
static int s_slow_to_start (void *arg, unsigned index)
{
    sigset_t waiting;
    s_tell ('b', index);
    do
        sigpending (&waiting);
    while (!sigismember (&waiting, SIGHUP));
    return s_obedient (arg, index);
}

static void test_reload_while_starting (void **state)
{
    (void)state;
    s_fixture_t fixture;
    s_begin (&fixture, 2, s_slow_to_start, NULL);
    s_expect_each (&fixture, 'b', 2, NULL);
    kill (fixture.master, SIGHUP);
    for (int i = 0; i < 4; i++) {
        s_report_t report;
        s_expect_from (&fixture, &report);
        assert_true (report.what == 's' || report.what == 'h');
    }
    kill (fixture.master, SIGTERM);
    assert_int_equal (s_finish (&fixture), 0);
}

/*  systemd hears from the master alone, once. */
static int s_notifying (void *arg, unsigned index)
{
    zc_notify ("READY=1");
    return s_obedient (arg, index);
}

static void test_readiness (void **state)
{
    (void)state;
    char name[64], text[64];
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    snprintf (name, sizeof name, "@zcast-processes-%ld", (long)getpid ());
    memcpy (own.sun_path + 1, name + 1, strlen (name) - 1);
    int fd = socket (AF_UNIX, SOCK_DGRAM, 0);
    socklen_t len = (socklen_t)(offsetof (struct sockaddr_un, sun_path) + strlen (name));
    assert_int_equal (bind (fd, (struct sockaddr *)&own, len), 0);
    struct timeval patience = {PATIENCE_MS / 1000, 0};
    setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setenv ("NOTIFY_SOCKET", name, 1);
    s_fixture_t fixture;
    s_begin (&fixture, 3, s_notifying, NULL);
    unsetenv ("NOTIFY_SOCKET");
    s_expect_each (&fixture, 's', 3, NULL);
    kill (fixture.master, SIGHUP);
    s_expect_each (&fixture, 'h', 3, NULL);
    kill (fixture.master, SIGTERM);
    assert_int_equal (s_finish (&fixture), 0);
    static const char *const expected[] = {"READY=1", "RELOADING=1\nMONOT", "READY=1",
                                           "STOPPING=1"};
    for (size_t i = 0; i < LENGTH (expected); i++) {
        ssize_t got = recv (fd, text, sizeof text - 1, 0);
        assert_true (got > 0);
        text[got] = 0;
        assert_memory_equal (text, expected[i], strlen (expected[i]));
    }
    assert_int_equal (recv (fd, text, sizeof text, MSG_DONTWAIT), -1);
    close (fd);
}

/*  Our parent may have SIGCHLD ignored. */
static void test_sigchld_ignored (void **state)
{
    (void)state;
    signal (SIGCHLD, SIG_IGN);
    s_fixture_t fixture;
    s_begin (&fixture, 2, s_obedient, NULL);
    signal (SIGCHLD, SIG_DFL);
    s_expect_each (&fixture, 's', 2, NULL);
    kill (fixture.master, SIGTERM);
    assert_int_equal (s_finish (&fixture), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_one_needs_no_fork),
        cmocka_unit_test (test_stop),
        cmocka_unit_test (test_status_of_the_worst),
        cmocka_unit_test (test_restart),
        cmocka_unit_test (test_backoff),
        cmocka_unit_test (test_usage_ends_all),
        cmocka_unit_test (test_master_killed),
        cmocka_unit_test (test_stop_of_the_unready),
        cmocka_unit_test (test_stop_of_the_wedged),
        cmocka_unit_test (test_reload),
        cmocka_unit_test (test_reload_while_starting),
        cmocka_unit_test (test_readiness),
        cmocka_unit_test (test_sigchld_ignored),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
