/*  succession.c - see succession.h. The program is found as a shell would find it, by the word
 *  with which it was started. So if that is a link, or a file that a package has replaced, the
 *  new file is found. */
#define _GNU_SOURCE /* close_range, environ, execvpe */
#include "lib/base/succession.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"

#define S_VARIABLE "ZCAST_SUCCESSION"
#define S_CHECK_MS 10000                     /* for the new binary to check its configuration */
#define S_ROOM (ZC_SUCCESSION_MAX * 24 + 64) /* bytes of the variable's longest value */

static char **s_argv, **s_environ; /* owned copies */
static zc_inheritance_t s_inherited;
static char s_text[sizeof S_VARIABLE "=" + S_ROOM]; /* the variable, as a successor inherits it */

static char **s_copy (char **texts, size_t room)
{
    size_t count = 0;
    while (texts[count])
        count++;
    char **copy = calloc (count + room + 1, sizeof *copy);
    if (!copy)
        abort ();
    for (size_t i = 0; i < count; i++)
        if (!(copy[i] = strdup (texts[i])))
            abort ();
    return copy;
}

static void s_free (char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        free (texts[i]);
    free (texts);
}

/*  Inheritance. */

/*  Takes a number from the text; -1 if there is none up to `max`. */
static long s_number (const char **text, long max)
{
    char *end;
    errno = 0;
    long value = strtol (*text, &end, 10);
    bool good = end != *text && errno == 0 && value >= 0 && value <= max;
    *text = good ? end : "";
    return good ? value : -1;
}

/*  Takes the number of an open descriptor, which programs started later don't inherit. */
static int s_descriptor (const char **text)
{
    long fd = s_number (text, 1 << 30);
    bool open = fd > STDERR_FILENO && fcntl ((int)fd, F_SETFD, FD_CLOEXEC) == 0;
    return open ? (int)fd : -1;
}

/*  Takes the listening socket's descriptor, or a dash where there is none. */
static bool s_listener (zc_inheritance_t *self, const char **text)
{
    while (**text == ' ')
        ++*text;
    bool none = **text == '-' && ((*text)[1] == ' ' || !(*text)[1]);
    if (none)
        ++*text;
    self->listener = none ? -1 : s_descriptor (text);
    return none || self->listener >= 0;
}

static bool s_read_worker (zc_inheritance_t *self, const char *text)
{
    long index = s_number (&text, ZC_SUCCESSION_MAX - 1);
    self->role = ZC_SUCCESSION_WORKER;
    self->index = (unsigned)index;
    bool listener = s_listener (self, &text);
    self->predecessor = s_descriptor (&text);
    self->channel = *text ? s_descriptor (&text) : -1;
    return index >= 0 && listener && self->predecessor >= 0;
}

static bool s_read_master (zc_inheritance_t *self, const char *text)
{
    self->role = ZC_SUCCESSION_MASTER;
    bool listener = s_listener (self, &text);
    for (; *text && self->count < ZC_SUCCESSION_MAX; self->count++) {
        zc_heir_t *heir = &self->heirs[self->count];
        long pid = s_number (&text, 1 << 30);
        heir->pid = pid > 0 ? (pid_t)pid : 0;
        heir->channel = s_descriptor (&text);
        if (pid < 0 || heir->channel < 0)
            return false;
    }
    return listener && self->count > 0;
}

static void s_inherit (void)
{
    static const zc_inheritance_t nothing = {.listener = -1, .predecessor = -1, .channel = -1};
    const char *text = getenv (S_VARIABLE);
    s_inherited = nothing;
    if (!text)
        return;
    bool good = strncmp (text, "worker ", 7) == 0   ? s_read_worker (&s_inherited, text + 7)
                : strncmp (text, "master ", 7) == 0 ? s_read_master (&s_inherited, text + 7)
                                                    : false;
    if (!good)
        s_inherited = nothing;
    unsetenv (S_VARIABLE);
}

void zc_succession_init (char **argv)
{
    s_inherit ();
    /* One that has come for a master waits, and this would discard it. */
    if (s_inherited.role != ZC_SUCCESSION_MASTER)
        signal (SIGUSR2, SIG_IGN);
    s_free (s_argv);
    s_free (s_environ);
    s_argv = s_copy (argv, 0);
    s_environ = s_copy (environ, 1);
}

const zc_inheritance_t *zc_succession_inherited (void)
{
    return &s_inherited;
}

/*  The program. */

static bool s_stat_in (const char *folder, size_t len, struct stat *info)
{
    char path[4096];
    int size = snprintf (path, sizeof path, "%.*s/%s", (int)len, len ? folder : ".", s_argv[0]);
    return size < (int)sizeof path && stat (path, info) == 0 && info->st_mode & S_IXUSR;
}

/*  Finds the file that execvp would run. */
static bool s_stat (struct stat *info)
{
    const char *path = getenv ("PATH");
    if (strchr (s_argv[0], '/'))
        return stat (s_argv[0], info) == 0;
    while (path) {
        const char *end = strchr (path, ':');
        if (s_stat_in (path, end ? (size_t)(end - path) : strlen (path), info))
            return true;
        path = end ? end + 1 : NULL;
    }
    return false;
}

bool zc_succession_changed (void)
{
    struct stat now, ours;
    return s_argv && s_argv[0] && s_stat (&now) && stat ("/proc/self/exe", &ours) == 0 &&
           (now.st_dev != ours.st_dev || now.st_ino != ours.st_ino);
}

/*  Starting it. */

static bool s_pass (int fd)
{
    return fd < 0 || fcntl (fd, F_SETFD, 0) == 0;
}

/*  A signal that comes meanwhile waits until the program handles it. */
static void s_hold_signals (sigset_t *before)
{
    sigset_t held;
    sigemptyset (&held);
    sigaddset (&held, SIGTERM);
    sigaddset (&held, SIGINT);
    sigaddset (&held, SIGHUP);
    sigaddset (&held, SIGUSR2);
    sigprocmask (SIG_SETMASK, &held, before);
}

/*  Uses async-signal-safe functions only: after a fork, other threads may hold any lock. */
static void s_exec (void)
{
    size_t count = 0;
    while (s_environ[count])
        count++;
    s_environ[count] = s_text;
    execvpe (s_argv[0], s_argv, s_environ);
    s_environ[count] = NULL;
}

/*  Only the master notifies systemd. */
static void s_leave_out_notify (void)
{
    size_t kept = 0;
    for (size_t i = 0; s_environ[i]; i++)
        if (strncmp (s_environ[i], "NOTIFY_SOCKET=", 14) != 0)
            s_environ[kept++] = s_environ[i];
    s_environ[kept] = NULL;
}

static void s_run_successor (int listener, int predecessor, int channel, pid_t parent)
{
    prctl (PR_SET_PDEATHSIG, SIGTERM);
    close_range (STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    if (getppid () == parent && s_pass (listener) && s_pass (predecessor) && s_pass (channel)) {
        s_hold_signals (NULL);
        s_leave_out_notify ();
        s_exec ();
    }
    _exit (ZC_EXIT_FAILURE);
}

static void s_close_both (const int pair[2])
{
    int saved = errno;
    for (size_t i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close (pair[i]);
    errno = saved;
}

static int s_write_listener (int at, int listener)
{
    char *text = s_text + at;
    size_t room = sizeof s_text - (size_t)at;
    return listener < 0 ? snprintf (text, room, "-") : snprintf (text, room, "%d", listener);
}

pid_t zc_succession_start (unsigned index, int listener, int *predecessor, int *channel)
{
    int clients[2] = {-1, -1}, control[2] = {-1, -1};
    pid_t pid = -1, parent = getpid ();
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, clients) == 0 &&
        (!channel || socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) == 0)) {
        int len = snprintf (s_text, sizeof s_text, S_VARIABLE "=worker %u ", index);
        len += s_write_listener (len, listener);
        len += snprintf (s_text + len, sizeof s_text - (size_t)len, " %d", clients[1]);
        if (channel)
            snprintf (s_text + len, sizeof s_text - (size_t)len, " %d", control[1]);
        pid = fork ();
    }
    if (pid == 0)
        s_run_successor (listener, clients[1], control[1], parent);
    if (pid < 0) {
        s_close_both (clients);
        s_close_both (control);
        return -1;
    }
    close (clients[1]);
    *predecessor = clients[0];
    if (channel) {
        close (control[1]);
        *channel = control[0];
    }
    return pid;
}

/*  Checking it. */

static void s_run_check (char **argv, pid_t parent)
{
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    close_range (STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    int null = open ("/dev/null", O_WRONLY | O_CLOEXEC);
    if (getppid () == parent && null >= 0 && dup2 (null, STDOUT_FILENO) >= 0)
        execvpe (argv[0], argv, s_environ);
    _exit (ZC_EXIT_FAILURE);
}

/*  Returns its wait status; -1: it had to be killed. */
static int s_wait_check (pid_t pid)
{
    const struct timespec moment = {0, 2000000};
    uint64_t deadline = zc_mono_ms () + S_CHECK_MS;
    int status;
    while (waitpid (pid, &status, WNOHANG) == 0) {
        if (zc_mono_ms () >= deadline) {
            kill (pid, SIGKILL);
            waitpid (pid, &status, 0);
            return -1;
        }
        nanosleep (&moment, NULL);
    }
    return status;
}

/*  The new binary with -t, in a process of its own: after the exec nobody could go on. Returns
 *  NULL, or what is wrong. */
static const char *s_check (void)
{
    size_t count = 0;
    pid_t parent = getpid ();
    while (s_argv[count])
        count++;
    char **argv = calloc (count + 2, sizeof *argv);
    if (!argv)
        abort ();
    argv[0] = s_argv[0];
    argv[1] = (char *)(uintptr_t) "-t";
    memcpy (argv + 2, s_argv + 1, (count - 1) * sizeof *argv);
    fflush (NULL);
    pid_t pid = fork ();
    if (pid == 0)
        s_run_check (argv, parent);
    free (argv);
    if (pid < 0)
        return strerror (errno);
    int status = s_wait_check (pid);
    if (status == -1)
        return "it takes too long to check its configuration";
    return WIFEXITED (status) && WEXITSTATUS (status) == ZC_EXIT_OK
               ? NULL
               : "it does not start with this configuration";
}

const char *zc_succession_become_master (int listener, const zc_heir_t *heirs, unsigned count)
{
    const char *wrong = s_check ();
    if (wrong)
        return wrong;
    int len = snprintf (s_text, sizeof s_text, S_VARIABLE "=master ");
    len += s_write_listener (len, listener);
    close_range (STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    bool passed = s_pass (listener);
    for (unsigned i = 0; i < count; i++) {
        len += snprintf (s_text + len, sizeof s_text - (size_t)len, " %ld %d", (long)heirs[i].pid,
                         heirs[i].channel);
        passed = passed && s_pass (heirs[i].channel);
    }
    if (!passed)
        return strerror (errno);
    sigset_t before;
    s_hold_signals (&before);
    s_exec ();
    int saved = errno;
    sigprocmask (SIG_SETMASK, &before, NULL);
    if (listener >= 0)
        fcntl (listener, F_SETFD, FD_CLOEXEC);
    for (unsigned i = 0; i < count; i++)
        fcntl (heirs[i].channel, F_SETFD, FD_CLOEXEC);
    return strerror (saved);
}
