/*  processes.c - a master that only keeps its workers alive.
 *
 *  All its signals are blocked and taken one at a time with sigtimedwait, so there is no
 *  handler, and no race between checking and waiting. Workers get SIGTERM when the master dies
 *  in any way. */
#include "lib/base/processes.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/log.h"

#define S_BACKOFF_MS 100
#define S_BACKOFF_MAX_MS 5000
#define S_HEALTHY_MS 10000 /* one that lived so long starts again at the shortest backoff */
#define S_BIRTH_MS 1000    /* a usage error within this time ends all, since it would occur again */
/*  A worker that hasn't stopped by then never will: longer than any drain-timeout. */
#define S_WEDGED_MS 610000

typedef struct {
    pid_t pid; /* 0: not running */
    uint64_t started_ms, restart_ms;
    unsigned backoff_ms;
} s_child_t;

typedef struct {
    unsigned count;
    s_child_t *children;   /* owned */
    const zc_work_t *work; /* borrowed */
    sigset_t signals, before;
    bool stopping;
    uint64_t wedged_at; /* monotonic ms: when stopping, workers that are left then are killed */
    int status;         /* the worst exit status since stopping */
} s_master_t;

static void s_run_child (s_master_t *self, unsigned index, pid_t master)
{
    prctl (PR_SET_PDEATHSIG, SIGTERM);
    if (getppid () != master)
        _exit (ZC_EXIT_FAILURE);
    /* Only the master notifies systemd. */
    unsetenv ("NOTIFY_SOCKET");
    /* A reload waits until the worker is ready for it (zc_release_signals). */
    sigset_t mask = self->before;
    sigaddset (&mask, SIGHUP);
    sigprocmask (SIG_SETMASK, &mask, NULL);
    free (self->children);
    exit (self->work->work (self->work->arg, index));
}

static void s_start (s_master_t *self, unsigned index)
{
    s_child_t *child = &self->children[index];
    pid_t master = getpid ();
    fflush (NULL);
    pid_t pid = fork ();
    if (pid == 0)
        s_run_child (self, index, master);
    child->started_ms = zc_mono_ms ();
    child->pid = pid > 0 ? pid : 0;
    if (pid < 0) {
        zc_error ("worker %u: fork: %s; starting it again in %u s", index, strerror (errno),
                  S_BACKOFF_MAX_MS / 1000);
        child->restart_ms = child->started_ms + S_BACKOFF_MAX_MS;
    }
}

static void s_forward (s_master_t *self, int number)
{
    for (unsigned i = 0; i < self->count; i++)
        if (self->children[i].pid)
            kill (self->children[i].pid, number);
}

static void s_stop (s_master_t *self, int number)
{
    if (!self->stopping) {
        zc_notify ("STOPPING=1");
        self->wedged_at = zc_mono_ms () + S_WEDGED_MS;
        if (self->work->release)
            self->work->release (self->work->arg);
    }
    self->stopping = true;
    s_forward (self, number);
}

static void s_kill_wedged (s_master_t *self)
{
    if (!self->stopping || zc_mono_ms () < self->wedged_at)
        return;
    for (unsigned i = 0; i < self->count; i++)
        if (self->children[i].pid)
            zc_error ("worker %u (process %ld) does not stop: killed", i,
                      (long)self->children[i].pid);
    s_forward (self, SIGKILL);
    self->wedged_at = UINT64_MAX;
}

static int s_exit_status (int wait_status)
{
    if (WIFEXITED (wait_status))
        return WEXITSTATUS (wait_status);
    /* A worker that was told to stop before it handled signals has done as told. */
    return WTERMSIG (wait_status) == SIGTERM || WTERMSIG (wait_status) == SIGINT ? ZC_EXIT_OK
                                                                                 : ZC_EXIT_FAILURE;
}

static void s_restart_later (s_child_t *child, uint64_t now)
{
    unsigned next = child->backoff_ms * 2;
    if (child->backoff_ms == 0 || now - child->started_ms >= S_HEALTHY_MS)
        next = S_BACKOFF_MS;
    child->backoff_ms = next < S_BACKOFF_MAX_MS ? next : S_BACKOFF_MAX_MS;
    child->restart_ms = now + child->backoff_ms;
}

static void s_died (s_master_t *self, unsigned index, int wait_status)
{
    s_child_t *child = &self->children[index];
    uint64_t now = zc_mono_ms ();
    pid_t pid = child->pid;
    int status = s_exit_status (wait_status);
    bool early = now - child->started_ms < S_BIRTH_MS;
    child->pid = 0;
    if (self->stopping || (status == ZC_EXIT_USAGE && early)) {
        if (status > self->status)
            self->status = status;
        if (!self->stopping)
            s_stop (self, SIGTERM);
        return;
    }
    s_restart_later (child, now);
    if (WIFSIGNALED (wait_status))
        zc_error ("worker %u (process %ld) was ended by signal %d (%s); starting it again in %u ms",
                  index, (long)pid, WTERMSIG (wait_status), strsignal (WTERMSIG (wait_status)),
                  child->backoff_ms);
    else
        zc_error ("worker %u (process %ld) ended with status %d; starting it again in %u ms", index,
                  (long)pid, status, child->backoff_ms);
}

static void s_reap (s_master_t *self)
{
    int status;
    for (unsigned i = 0; i < self->count; i++) {
        pid_t pid = self->children[i].pid;
        if (pid && waitpid (pid, &status, WNOHANG) == pid)
            s_died (self, i, status);
    }
}

static unsigned s_alive (const s_master_t *self)
{
    unsigned alive = 0;
    for (unsigned i = 0; i < self->count; i++)
        alive += self->children[i].pid != 0;
    return alive;
}

/*  Starts the workers that are due. Returns the milliseconds until the next one is, a second at
 *  most. */
static uint64_t s_start_due (s_master_t *self)
{
    uint64_t now = zc_mono_ms (), wait = 1000;
    for (unsigned i = 0; i < self->count && !self->stopping; i++) {
        s_child_t *child = &self->children[i];
        if (child->pid == 0 && child->restart_ms <= now)
            s_start (self, i);
        else if (child->pid == 0 && child->restart_ms - now < wait)
            wait = child->restart_ms - now;
    }
    return wait;
}

static void s_signal (s_master_t *self, const siginfo_t *info)
{
    /* A terminal's Ctrl-C reaches the whole group; workers may take a second signal as urgent. */
    bool everyone_has_it = info->si_code == SI_KERNEL;
    switch (info->si_signo) {
    case SIGHUP:
        zc_notify ("RELOADING=1");
        if (self->work->reload (self->work->arg) && !everyone_has_it)
            s_forward (self, SIGHUP);
        zc_notify ("READY=1");
        break;
    case SIGTERM:
    case SIGINT:
        s_stop (self, everyone_has_it ? 0 : info->si_signo);
        break;
    default:
        break; /* SIGCHLD: s_reap follows every signal */
    }
}

static void s_supervise (s_master_t *self)
{
    while (true) {
        uint64_t wait = s_start_due (self);
        if (self->stopping && s_alive (self) == 0)
            return;
        siginfo_t info;
        struct timespec timeout = {(time_t)(wait / 1000), (long)(wait % 1000) * 1000000};
        if (sigtimedwait (&self->signals, &info, &timeout) > 0)
            s_signal (self, &info);
        s_reap (self);
        s_kill_wedged (self);
    }
}

int zc_processes (unsigned count, const zc_work_t *work)
{
    assert (count > 0);
    if (count == 1)
        return work->work (work->arg, 0);
    s_master_t self = {.count = count, .work = work, .status = ZC_EXIT_OK};
    self.children = calloc (count, sizeof *self.children);
    if (!self.children)
        abort ();
    sigemptyset (&self.signals);
    sigaddset (&self.signals, SIGTERM);
    sigaddset (&self.signals, SIGINT);
    sigaddset (&self.signals, SIGHUP);
    sigaddset (&self.signals, SIGCHLD);
    sigprocmask (SIG_BLOCK, &self.signals, &self.before);
    signal (SIGCHLD, SIG_DFL); /* our parent may have it ignored, and then waitpid fails */
    s_start_due (&self);
    zc_notify ("READY=1");
    s_supervise (&self);
    free (self.children);
    sigprocmask (SIG_SETMASK, &self.before, NULL);
    return self.status;
}
