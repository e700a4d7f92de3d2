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
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/log.h"

#define S_BACKOFF_MS 100
#define S_BACKOFF_MAX_MS 5000
#define S_HEALTHY_MS 10000 /* one that lived so long starts again at the shortest backoff */
/*  For a worker to hand over and to end: longer than any upgrade-timeout and drain-timeout. */
#define S_UPGRADE_MS 690000
/*  From one upgrade to the next: clients first get what they missed while they moved. */
#define S_SETTLE_MS 1000
#define S_BIRTH_MS 1000 /* a usage error within this time ends all, since it would occur again */
/*  A worker that hasn't stopped by then never will: longer than any drain-timeout. */
#define S_WEDGED_MS 610000

typedef struct {
    pid_t pid;           /* 0: not running */
    int channel;         /* to it; owned; -1: none */
    zc_heir_t successor; /* takes over from it; pid 0: none */
    uint64_t give_up_ms; /* when that must have happened */
    uint64_t started_ms, restart_ms;
    unsigned backoff_ms;
} s_child_t;

typedef struct {
    unsigned count;
    s_child_t *children;   /* owned */
    const zc_work_t *work; /* borrowed */
    sigset_t signals, before;
    bool stopping;
    bool upgrading;      /* successors were started */
    bool failed;         /* one of them did not take over */
    bool by_reload;      /* SIGHUP asked for them */
    int next;            /* the signal that waits until this upgrade is settled; 0: none */
    uint64_t settled_at; /* monotonic ms */
    uint64_t wedged_at;  /* monotonic ms: when stopping, workers that are left then are killed */
    int status;          /* the worst exit status since stopping */
} s_master_t;

/*  Of this process, as a worker. */
static int s_channel = -1;
static zc_heir_t s_heir; /* of a process without a master */
static bool s_stop_heir;

static void s_close (int *fd)
{
    if (*fd >= 0)
        close (*fd);
    *fd = -1;
}

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
    signal (SIGUSR2, SIG_IGN);
    sigprocmask (SIG_SETMASK, &mask, NULL);
    for (unsigned i = 0; i < self->count; i++)
        s_close (&self->children[i].channel);
    free (self->children);
    exit (self->work->work (self->work->arg, index));
}

static void s_start (s_master_t *self, unsigned index)
{
    s_child_t *child = &self->children[index];
    pid_t master = getpid ();
    int pair[2] = {-1, -1};
    if (self->work->upgrades && socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        zc_warn (
            ZC_EVENT ("worker.alone worker error", "worker %u: %s; it can't hand its clients over"),
            index, strerror (errno));
    fflush (NULL);
    pid_t pid = fork ();
    if (pid == 0) {
        s_close (&pair[0]);
        s_channel = pair[1];
        s_run_child (self, index, master);
    }
    s_close (&pair[1]);
    child->channel = pair[0];
    child->started_ms = zc_mono_ms ();
    child->pid = pid > 0 ? pid : 0;
    if (pid < 0) {
        zc_error (ZC_EVENT ("worker.unstarted worker error seconds",
                            "worker %u: fork: %s; starting it again in %u s"),
                  index, strerror (errno), S_BACKOFF_MAX_MS / 1000);
        child->restart_ms = child->started_ms + S_BACKOFF_MAX_MS;
    }
}

static void s_forward (s_master_t *self, int number)
{
    for (unsigned i = 0; i < self->count; i++)
        if (self->children[i].pid)
            kill (self->children[i].pid, number);
    for (unsigned i = 0; i < self->count; i++)
        if (self->children[i].successor.pid)
            kill (self->children[i].successor.pid, number);
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
            zc_error (ZC_EVENT ("worker.killed worker process",
                                "worker %u (process %ld) does not stop: killed"),
                      i, (long)self->children[i].pid);
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

/*  Upgrades. */

/*  Tells a worker of its successor: the process id, and the socket to it. */
static int s_tell (int channel, pid_t pid, int predecessor)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE (sizeof (int))];
    } control;
    struct iovec piece = {&pid, sizeof pid};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    memset (&control, 0, sizeof control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN (sizeof predecessor);
    memcpy (CMSG_DATA (&control.header), &predecessor, sizeof predecessor);
    return sendmsg (channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof pid ? 0 : -1;
}

static bool s_start_successor (s_master_t *self, unsigned index)
{
    s_child_t *child = &self->children[index];
    int predecessor;
    pid_t pid =
        zc_succession_start (index, self->work->listener, &predecessor, &child->successor.channel);
    bool told = pid > 0 && s_tell (child->channel, pid, predecessor) == 0;
    if (!told)
        zc_error (ZC_EVENT ("upgrade.failed worker error", "worker %u: no successor: %s"), index,
                  strerror (errno));
    if (pid <= 0)
        return false;
    s_close (&predecessor);
    if (!told)
        kill (pid, SIGKILL);
    child->successor.pid = pid;
    child->give_up_ms = zc_mono_ms () + S_UPGRADE_MS;
    return told;
}

static void s_reload (s_master_t *self, bool forward)
{
    zc_notify ("RELOADING=1");
    if (self->work->reload (self->work->arg) && forward)
        s_forward (self, SIGHUP);
    zc_notify ("READY=1");
}

static void s_upgrade (s_master_t *self, int number)
{
    if (!self->work->upgrades || self->stopping)
        return;
    if (self->upgrading || zc_mono_ms () < self->settled_at) {
        self->next = self->next == SIGUSR2 ? SIGUSR2 : number;
        return;
    }
    zc_info (ZC_EVENT ("upgrade.begun", "upgrade: starting the new binary"));
    self->upgrading = true;
    self->failed = false;
    self->by_reload = number == SIGHUP;
    for (unsigned i = 0; i < self->count; i++)
        if (!self->children[i].pid || self->children[i].channel < 0 || !s_start_successor (self, i))
            self->failed = true;
}

/*  A worker has ended: its successor is the worker now. One that didn't get the clients ends, and
 *  is started again. */
static void s_succeed (s_child_t *child)
{
    s_close (&child->channel);
    child->pid = child->successor.pid;
    child->channel = child->successor.channel;
    child->successor = (zc_heir_t){0, -1};
    child->started_ms = zc_mono_ms ();
}

/*  A successor has ended, or takes too long: its predecessor goes on. */
static void s_forget_successor (s_master_t *self, s_child_t *child)
{
    s_close (&child->successor.channel);
    child->successor.pid = 0;
    self->failed = true;
}

static void s_reap_successors (s_master_t *self)
{
    uint64_t now = zc_mono_ms ();
    int status;
    for (unsigned i = 0; i < self->count; i++) {
        s_child_t *child = &self->children[i];
        if (child->successor.pid && now >= child->give_up_ms) {
            kill (child->successor.pid, SIGKILL);
            child->give_up_ms = UINT64_MAX;
        }
        if (child->successor.pid &&
            waitpid (child->successor.pid, &status, WNOHANG) == child->successor.pid)
            s_forget_successor (self, child);
    }
}

static unsigned s_heirs (const s_master_t *self, zc_heir_t *heirs)
{
    for (unsigned i = 0; i < self->count; i++)
        heirs[i] = (zc_heir_t){self->children[i].pid, self->children[i].channel};
    return self->count;
}

/*  All workers are of the new binary: this process becomes so, too. */
static void s_become_new (s_master_t *self)
{
    zc_heir_t heirs[ZC_SUCCESSION_MAX];
    for (unsigned i = 0; i < self->count; i++)
        if (self->children[i].channel < 0)
            return;
    if (self->next)
        raise (self->next); /* it is held, and the new binary takes it */
    self->next = 0;
    const char *why =
        zc_succession_become_master (self->work->listener, heirs, s_heirs (self, heirs));
    zc_error (ZC_EVENT ("upgrade.failed error",
                        "upgrade: the master can't run the new binary: %s; it goes on as it is"),
              why);
}

static void s_go_on (s_master_t *self)
{
    zc_error (ZC_EVENT (
        "upgrade.incomplete",
        "upgrade: not every process was replaced; those that were not go on as they are"));
    if (self->by_reload)
        s_reload (self, true);
}

static void s_end_upgrade (s_master_t *self)
{
    for (unsigned i = 0; i < self->count; i++)
        if (self->children[i].successor.pid)
            return;
    if (!self->upgrading || self->stopping)
        return;
    self->upgrading = false;
    if (self->failed)
        s_go_on (self);
    else
        s_become_new (self);
}

/*  A signal that came too early for another upgrade. */
static void s_take_next (s_master_t *self)
{
    if (!self->next || self->upgrading || zc_mono_ms () < self->settled_at)
        return;
    raise (self->next);
    self->next = 0;
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
    if (child->successor.pid) {
        if (status != ZC_EXIT_OK)
            zc_error (ZC_EVENT ("worker.ended worker process",
                                "worker %u (process %ld) ended while it handed over"),
                      index, (long)pid);
        s_succeed (child);
        return;
    }
    s_close (&child->channel);
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
        zc_error (
            ZC_EVENT (
                "worker.ended worker process signal reason ms",
                "worker %u (process %ld) was ended by signal %d (%s); starting it again in %u ms"),
            index, (long)pid, WTERMSIG (wait_status), strsignal (WTERMSIG (wait_status)),
            child->backoff_ms);
    else
        zc_error (
            ZC_EVENT ("worker.ended worker process status ms",
                      "worker %u (process %ld) ended with status %d; starting it again in %u ms"),
            index, (long)pid, status, child->backoff_ms);
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
        alive += (self->children[i].pid != 0) + (self->children[i].successor.pid != 0);
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
    case SIGUSR2:
        s_upgrade (self, SIGUSR2);
        break;
    case SIGHUP:
        if (self->work->upgrades && (self->upgrading || zc_succession_changed ()))
            s_upgrade (self, SIGHUP);
        else
            s_reload (self, !everyone_has_it);
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
        s_take_next (self);
        uint64_t wait = s_start_due (self), now = zc_mono_ms ();
        if (self->next && self->settled_at > now && self->settled_at - now < wait)
            wait = self->settled_at - now;
        if (self->stopping && s_alive (self) == 0)
            return;
        siginfo_t info;
        struct timespec timeout = {(time_t)(wait / 1000), (long)(wait % 1000) * 1000000};
        if (sigtimedwait (&self->signals, &info, &timeout) > 0)
            s_signal (self, &info);
        s_reap_successors (self);
        s_reap (self);
        s_end_upgrade (self);
        s_kill_wedged (self);
    }
}

static void s_take_signals (s_master_t *self)
{
    sigemptyset (&self->signals);
    sigaddset (&self->signals, SIGTERM);
    sigaddset (&self->signals, SIGINT);
    sigaddset (&self->signals, SIGHUP);
    sigaddset (&self->signals, SIGUSR2);
    sigaddset (&self->signals, SIGCHLD);
    sigprocmask (SIG_BLOCK, &self->signals, &self->before);
    signal (SIGCHLD, SIG_DFL); /* our parent may have it ignored, and then waitpid fails */
}

/*  Those of the heirs that are its children are its workers; it starts the others. */
static int s_run_master (unsigned count, const zc_work_t *work, const zc_heir_t *heirs, bool stop)
{
    s_master_t self = {.count = count, .work = work, .status = ZC_EXIT_OK};
    self.settled_at = heirs ? zc_mono_ms () + S_SETTLE_MS : 0;
    self.children = calloc (count, sizeof *self.children);
    if (!self.children)
        abort ();
    s_take_signals (&self);
    for (unsigned i = 0; i < count; i++) {
        s_child_t *child = &self.children[i];
        child->channel = heirs ? heirs[i].channel : -1;
        child->successor.channel = -1;
        child->pid =
            heirs && heirs[i].pid && waitpid (heirs[i].pid, NULL, WNOHANG) == 0 ? heirs[i].pid : 0;
        child->started_ms = zc_mono_ms ();
        if (!child->pid)
            s_close (&child->channel);
    }
    if (stop)
        s_stop (&self, SIGTERM);
    s_start_due (&self);
    if (!stop)
        zc_notify ("READY=1");
    s_supervise (&self);
    for (unsigned i = 0; i < count; i++)
        s_close (&self.children[i].channel);
    free (self.children);
    sigprocmask (SIG_SETMASK, &self.before, NULL);
    return self.status;
}

/*  Without a master. Where its clients were handed over, it becomes the master of who has them. */
static int s_run_alone (const zc_work_t *work)
{
    int status = work->work (work->arg, 0);
    if (!s_heir.pid)
        return status;
    if (!s_stop_heir) {
        const char *why = zc_succession_become_master (work->listener, &s_heir, 1);
        zc_error (
            ZC_EVENT ("upgrade.failed error",
                      "upgrade: the master can't run the new binary: %s; it goes on as it is"),
            why);
    }
    return s_run_master (1, work, &s_heir, s_stop_heir);
}

int zc_processes (unsigned count, const zc_work_t *work)
{
    const zc_inheritance_t *inherited = zc_succession_inherited ();
    assert (count > 0);
    if (work->upgrades && inherited->role == ZC_SUCCESSION_WORKER) {
        s_channel = inherited->channel;
        return work->work (work->arg, inherited->index);
    }
    if (work->upgrades && inherited->role == ZC_SUCCESSION_MASTER) {
        if (count != inherited->count)
            zc_warn (ZC_EVENT ("processes.kept processes",
                               "processes: another number needs a restart: %u as before"),
                     inherited->count);
        zc_info (ZC_EVENT ("upgrade.done", "upgrade: complete"));
        return s_run_master (inherited->count, work, inherited->heirs, false);
    }
    return count == 1 ? s_run_alone (work) : s_run_master (count, work, NULL, false);
}

int zc_processes_channel (void)
{
    return s_channel;
}

pid_t zc_processes_successor (int *predecessor)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE (sizeof (int))];
    } control;
    pid_t pid = -1;
    struct iovec piece = {&pid, sizeof pid};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg (s_channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got == 0)
        return 0; /* the master is gone */
    struct cmsghdr *header = got == sizeof pid ? CMSG_FIRSTHDR (&message) : NULL;
    if (!header || header->cmsg_type != SCM_RIGHTS)
        return -1;
    memcpy (predecessor, CMSG_DATA (header), sizeof *predecessor);
    return pid;
}

void zc_processes_hand_over (zc_heir_t heir)
{
    s_heir = heir;
}

bool zc_processes_handed_over (void)
{
    return s_heir.pid != 0;
}

void zc_processes_stop (void)
{
    s_stop_heir = true;
}
