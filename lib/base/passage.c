/*  passage.c - see passage.h. recvmsg never returns bytes of two sends that both have a descriptor,
 *  so room for one descriptor is enough. */
#include "lib/base/passage.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"

#define S_READ 65536

struct zc_passage {
    int fd;      /* owned */
    zc_buf_t in; /* owned */
    int *fds;    /* owned: descriptors that have come; the first `taken` were taken */
    size_t fd_count, fd_cap, taken;
};

/*  Room for one descriptor, aligned for its header. */
typedef union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE (sizeof (int))];
} s_control_t;

zc_passage_t *zc_passage_new (int fd)
{
    zc_passage_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->fd = fd;
    return self;
}

void zc_passage_destroy (zc_passage_t **self_p)
{
    zc_passage_t *self = *self_p;
    if (!self)
        return;
    while (self->taken < self->fd_count)
        close (self->fds[self->taken++]);
    close (self->fd);
    free (self->fds);
    zc_buf_clear (&self->in);
    free (self);
    *self_p = NULL;
}

int zc_passage_fd (const zc_passage_t *self)
{
    return self->fd;
}

static int s_wait (int fd, short events, uint64_t deadline_ms)
{
    struct pollfd one = {fd, events, 0};
    uint64_t now = zc_mono_ms ();
    int rc = 0;
    while (now < deadline_ms && (rc = poll (&one, 1, (int)(deadline_ms - now))) < 0 &&
           errno == EINTR)
        now = zc_mono_ms ();
    if (rc == 0)
        errno = ETIMEDOUT;
    return rc > 0 ? 0 : -1;
}

int zc_passage_send (zc_passage_t *self, const void *bytes, size_t len, int fd,
                     uint64_t deadline_ms)
{
    const uint8_t *at = bytes;
    while (len > 0) {
        s_control_t control;
        memset (&control, 0, sizeof control);
        struct iovec piece = {(void *)(uintptr_t)at, len};
        struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
        if (fd >= 0) {
            control.header.cmsg_level = SOL_SOCKET;
            control.header.cmsg_type = SCM_RIGHTS;
            control.header.cmsg_len = CMSG_LEN (sizeof fd);
            memcpy (CMSG_DATA (&control.header), &fd, sizeof fd);
            message.msg_control = &control;
            message.msg_controllen = sizeof control.bytes;
        }
        ssize_t sent = sendmsg (self->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            fd = -1;
            at += sent;
            len -= (size_t)sent;
        } else if (errno == ETOOMANYREFS) { /* many are under way: the other end has to take some */
            if (zc_mono_ms () >= deadline_ms)
                return -1;
            poll (NULL, 0, 1);
        } else if (errno != EINTR &&
                   (errno != EAGAIN || s_wait (self->fd, POLLOUT, deadline_ms) != 0)) {
            return -1;
        }
    }
    return 0;
}

static void s_keep (zc_passage_t *self, int fd)
{
    if (self->taken == self->fd_count)
        self->taken = self->fd_count = 0;
    if (self->fd_count == self->fd_cap) {
        self->fd_cap = self->fd_cap ? 2 * self->fd_cap : 16;
        self->fds = realloc (self->fds, self->fd_cap * sizeof *self->fds);
        if (!self->fds)
            abort ();
    }
    self->fds[self->fd_count++] = fd;
}

int zc_passage_receive (zc_passage_t *self)
{
    s_control_t control;
    struct iovec piece = {zc_buf_reserve (&self->in, S_READ), S_READ};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg (self->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR (&message) : NULL;
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN (sizeof (int))) {
        int fd;
        memcpy (&fd, CMSG_DATA (header), sizeof fd);
        s_keep (self, fd);
    }
    self->in.len += (size_t)got;
    return got == 0 || message.msg_flags & MSG_CTRUNC ? -1 : 1;
}

int zc_passage_wait (const zc_passage_t *self, uint64_t deadline_ms)
{
    return s_wait (self->fd, POLLIN, deadline_ms);
}

zc_buf_t *zc_passage_bytes (zc_passage_t *self)
{
    return &self->in;
}

int zc_passage_take (zc_passage_t *self)
{
    return self->taken < self->fd_count ? self->fds[self->taken++] : -1;
}
