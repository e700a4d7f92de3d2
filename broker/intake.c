/*  intake.c - listen, accept4, recv and send, as libzmq calls them.
 *
 *  A descriptor belongs to one of libzmq's threads at a time, and so does its meter: libzmq
 *  passes a connection on through a queue with a lock. If a connection exceeds its limits, recv
 *  answers ECONNRESET, as if the peer had gone, so libzmq ends the connection and frees all it
 *  has of it.
 *
 *  Rejected: counting in the broker's thread. It sees a message only once the message is whole,
 *  and a subscription only once it is in libzmq's tree; it would never see a peer that sends
 *  without an end or a pause. */
#define _GNU_SOURCE /* accept4 */
#include "broker/intake.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/base/daemon.h"
#include "lib/base/listen.h"

typedef struct {
    atomic_uint_least32_t frames, subscriptions;
    atomic_uint_least64_t bytes;
} s_limits_t;

/*  One descriptor. */
typedef struct {
    atomic_int listens; /* its endpoint's role, if it listens; or -1 */
    int role;           /* its endpoint's role, if it is a connection; -1: not metered */
    ino_t inode;        /* of the connection: its number may have become another file's */
    zc_meter_t meter;
    atomic_uint_least64_t sent; /* bytes, to a connection */
} s_socket_t;

static struct {
    pthread_mutex_t lock;
    zc_acceptors_t *acceptors;       /* borrowed; NULL: not used */
    _Atomic (s_socket_t *) *sockets; /* owned; by descriptor; each is made on demand */
    size_t count;
    atomic_int top; /* the highest descriptor that has a socket; -1: none has */
    s_limits_t limits[ZC_INTAKE_ROLES];
    uint64_t cut;
    char last[160]; /* the last peer that was disconnected */
} s_intake = {.lock = PTHREAD_MUTEX_INITIALIZER, .top = -1};

static _Thread_local int s_binds = -1;

void zc_intake_start (zc_acceptors_t *acceptors)
{
    pthread_mutex_lock (&s_intake.lock);
    if (!s_intake.sockets) {
        s_intake.count = (size_t)zc_descriptor_limit ();
        s_intake.sockets = calloc (s_intake.count, sizeof *s_intake.sockets);
        if (!s_intake.sockets)
            abort ();
    }
    s_intake.acceptors = acceptors;
    pthread_mutex_unlock (&s_intake.lock);
}

void zc_intake_stop (void)
{
    pthread_mutex_lock (&s_intake.lock);
    s_intake.acceptors = NULL;
    pthread_mutex_unlock (&s_intake.lock);
    s_binds = -1;
}

void zc_intake_limit (zc_intake_role_t role, const zc_meter_limits_t *limits)
{
    s_intake.limits[role].frames = limits->frames;
    s_intake.limits[role].bytes = limits->bytes;
    s_intake.limits[role].subscriptions = limits->subscriptions;
}

void zc_intake_bind (zc_intake_role_t role)
{
    s_binds = (int)role;
}

bool zc_intake_cut (uint64_t *seen, char *text, size_t size)
{
    pthread_mutex_lock (&s_intake.lock);
    bool more = s_intake.cut > *seen;
    *seen = s_intake.cut;
    snprintf (text, size, "%s", s_intake.last);
    pthread_mutex_unlock (&s_intake.lock);
    return more;
}

/*  Returns NULL if there is none and `make` is false. */
static s_socket_t *s_socket (int fd, bool make)
{
    if (fd < 0 || (size_t)fd >= s_intake.count)
        return NULL;
    s_socket_t *found = s_intake.sockets[fd];
    if (found || !make)
        return found;
    found = calloc (1, sizeof *found);
    if (!found)
        abort ();
    found->listens = found->role = -1;
    s_intake.sockets[fd] = found;
    int top = s_intake.top;
    while (top < fd && !atomic_compare_exchange_weak (&s_intake.top, &top, fd))
        ;
    return found;
}

/*  Replacements of the functions that libzmq calls. */

int listen (int fd, int backlog)
{
    s_socket_t *self = s_binds >= 0 ? s_socket (fd, true) : NULL;
    if (self)
        self->listens = s_binds;
    return (int)syscall (SYS_listen, fd, backlog);
}

void zc_intake_listens (int fd, zc_intake_role_t role)
{
    s_socket_t *self = s_socket (fd, true);
    if (self)
        self->listens = (int)role;
}

int zc_intake_next_listener (zc_intake_role_t role, int after)
{
    for (int fd = after + 1; fd <= s_intake.top; fd++) {
        const s_socket_t *self = s_socket (fd, false);
        int yes = 0;
        socklen_t len = sizeof yes;
        if (self && self->listens == (int)role &&
            getsockopt (fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes)
            return fd;
    }
    return -1;
}

static ino_t s_inode (int fd)
{
    struct stat info;
    return fstat (fd, &info) == 0 ? info.st_ino : 0;
}

size_t zc_intake_finish (zc_intake_role_t role)
{
    size_t open = 0;
    for (int fd = 0; fd <= s_intake.top; fd++) {
        const s_socket_t *self = s_socket (fd, false);
        if (!self || self->role != (int)role || !self->inode || s_inode (fd) != self->inode)
            continue;
        shutdown (fd, SHUT_WR);
        open++;
    }
    return open;
}

static void s_rest (void)
{
    pthread_mutex_lock (&s_intake.lock);
    if (s_intake.acceptors)
        zc_acceptors_pause (s_intake.acceptors);
    pthread_mutex_unlock (&s_intake.lock);
}

int accept4 (int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    int accepted = (int)syscall (SYS_accept4, fd, address, len, flags);
    if (accepted < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            s_rest ();
            /* looks like no connection: any other error ends the process, over ipc */
            errno = EAGAIN;
        }
        return -1;
    }
    const s_socket_t *listener = s_socket (fd, false);
    s_socket_t *self = s_socket (accepted, listener != NULL);
    if (self) {
        self->listens = -1;
        self->role = listener ? listener->listens : -1;
        self->inode = s_inode (accepted);
        self->meter = (zc_meter_t){0};
        self->sent = 0;
    }
    return accepted;
}

static ssize_t s_cut (int fd, zc_meter_result_t result)
{
    static const char *const roles[] = {"control", "subscribe", "publish"};
    char peer[64];
    s_socket_t *self = s_socket (fd, false);
    zc_peer_name (fd, peer, sizeof peer);
    pthread_mutex_lock (&s_intake.lock);
    s_intake.cut++;
    snprintf (s_intake.last, sizeof s_intake.last, "%s endpoint: %s sent %s", roles[self->role],
              peer, zc_meter_reason (result));
    pthread_mutex_unlock (&s_intake.lock);
    errno = ECONNRESET;
    return -1;
}

ssize_t recv (int fd, void *bytes, size_t size, int flags)
{
    ssize_t len = syscall (SYS_recvfrom, fd, bytes, size, flags, NULL, NULL);
    s_socket_t *self = len > 0 ? s_socket (fd, false) : NULL;
    if (!self || self->role < 0)
        return len;
    const s_limits_t *own = &s_intake.limits[self->role];
    const zc_meter_limits_t limits = {own->frames, own->bytes, own->subscriptions};
    if (limits.frames == 0)
        return len;
    zc_meter_result_t result = zc_meter_read (&self->meter, &limits, bytes, (size_t)len);
    return result == ZC_METER_GOOD ? len : s_cut (fd, result);
}

ssize_t send (int fd, const void *bytes, size_t size, int flags)
{
    ssize_t len = syscall (SYS_sendto, fd, bytes, size, flags, NULL, 0);
    s_socket_t *self = len > 0 ? s_socket (fd, false) : NULL;
    if (self)
        atomic_fetch_add_explicit (&self->sent, (uint64_t)len, memory_order_relaxed);
    return len;
}

uint64_t zc_intake_sent (int fd)
{
    s_socket_t *self = s_socket (fd, false);
    return self ? atomic_load_explicit (&self->sent, memory_order_relaxed) : 0;
}
