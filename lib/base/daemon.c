/*  daemon.c - descriptors, readiness and signals. */
#include "lib/base/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

/*  Secrets are also in memory that nobody can mark: in libzmq's options, in buffers of hiredis,
 *  in requests. So no memory goes into a dump, and only registers and signals are left.
 *  Rejected: PR_SET_DUMPABLE, which also takes /proc from the operator, and which can't be
 *  undone from outside to debug a crash (`echo 0x33 > /proc/PID/coredump_filter` can). */
void zc_keep_memory_out_of_dumps (void)
{
    int fd = open ("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t written = write (fd, "0", 1);
    (void)written; /* fails on a kernel without core dumps */
    close (fd);
}

/*  open returns the lowest free number, and the lower ones are taken. */
void zc_hold_standard_descriptors (void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl (fd, F_GETFD) < 0 && errno == EBADF)
            open ("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

uint64_t zc_raise_descriptor_limit (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit (RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : soft;
}

int zc_descriptor_limit (void)
{
    struct rlimit limit;
    bool known = getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < INT_MAX;
    return known ? (int)limit.rlim_cur : INT_MAX;
}

/*  sd_notify(3): one datagram to a Unix socket; a name that begins with '@' is abstract. */
static int s_notify (const char *path, const char *state)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen (path);
    if (len < 2 || len >= sizeof to.sun_path) {
        errno = EINVAL;
        return -1;
    }
    memcpy (to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    socklen_t size = (socklen_t)(offsetof (struct sockaddr_un, sun_path) + len);
    ssize_t rc = sendto (fd, state, strlen (state), MSG_NOSIGNAL, (struct sockaddr *)&to, size);
    int saved = errno;
    close (fd);
    errno = saved;
    return rc < 0 ? -1 : 0;
}

void zc_notify (const char *state)
{
    const char *path = getenv ("NOTIFY_SOCKET");
    if (!path || !*path)
        return;
    char text[256];
    /* Type=notify-reload needs the time at which the reload began. */
    if (strcmp (state, "RELOADING=1") == 0) {
        snprintf (text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%llu",
                  (unsigned long long)zc_mono_us ());
        state = text;
    }
    if (s_notify (path, state) != 0)
        zc_warn (ZC_EVENT ("notify.failed path error", "NOTIFY_SOCKET %s: %s"), path,
                 strerror (errno));
}

/*  A file that was replaced by another one has no name any more. */
void zc_want_restart (bool asked)
{
    struct stat file;
    bool replaced = stat ("/proc/self/exe", &file) == 0 && file.st_nlink == 0;
    if (asked || replaced)
        zc_warn (ZC_EVENT ("upgrade.restart", "a new binary runs after a restart only"));
}

static void s_mask_signals (int how)
{
    sigset_t signals;
    sigemptyset (&signals);
    sigaddset (&signals, SIGTERM);
    sigaddset (&signals, SIGINT);
    sigaddset (&signals, SIGHUP);
    sigaddset (&signals, SIGUSR2);
    sigprocmask (how, &signals, NULL);
}

void zc_hold_signals (void)
{
    s_mask_signals (SIG_BLOCK);
}

void zc_release_signals (void)
{
    s_mask_signals (SIG_UNBLOCK);
}
