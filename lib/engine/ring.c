/*  ring.c - liburing, and empty functions on a system without it.
 *
 *  MSG_DONTWAIT makes every send end within io_uring_enter, so the bytes need not outlive the
 *  call, and no kernel thread takes part. Rejected, as measured: fixed files and CQE_SKIP gain
 *  nothing, and SQPOLL costs twice as much. */
#include "lib/engine/ring.h"

#include <errno.h>
#include <stdlib.h>

#include "config.h"

#ifdef HAVE_LIBURING

#include <assert.h>
#include <liburing.h>
#include <string.h>
#include <sys/socket.h>

#define S_LEN_MAX (1 << 30)

/*  A send with a head is a sendmsg, whose parts must outlive the call. */
typedef struct {
    void *what;
    size_t len;
    bool done;
    uint8_t head[ZC_RING_HEAD];
    struct iovec iov[2];
    struct msghdr message;
} s_entry_t;

struct zc_ring {
    struct io_uring uring;
    unsigned room, size;
    s_entry_t entries[];
};

zc_ring_t *zc_ring_new (unsigned room)
{
    zc_ring_t *self = calloc (1, sizeof *self + room * sizeof *self->entries);
    if (!self)
        abort ();
    self->room = room;
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_COOP_TASKRUN};
    int rc = io_uring_queue_init_params (room, &self->uring, &params);
    if (rc == 0)
        return self;
    free (self);
    errno = -rc;
    return NULL;
}

void zc_ring_destroy (zc_ring_t **self_p)
{
    if (*self_p)
        io_uring_queue_exit (&(*self_p)->uring);
    free (*self_p);
    *self_p = NULL;
}

void zc_ring_add (zc_ring_t *self, int fd, const void *head, size_t head_len, const void *bytes,
                  size_t len, void *what)
{
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    struct io_uring_sqe *sqe = io_uring_get_sqe (&self->uring);
    assert (sqe && self->size < self->room && head_len <= ZC_RING_HEAD);
    s_entry_t *entry = &self->entries[self->size];
    entry->what = what;
    entry->len = len;
    entry->done = false;
    if (head_len > 0) {
        memcpy (entry->head, head, head_len);
        entry->iov[0] = (struct iovec){entry->head, head_len};
        entry->iov[1] = (struct iovec){(void *)(uintptr_t)bytes, len};
        entry->message = (struct msghdr){.msg_iov = entry->iov, .msg_iovlen = 2};
        io_uring_prep_sendmsg (sqe, fd, &entry->message, flags);
    } else
        io_uring_prep_send (sqe, fd, bytes, len < S_LEN_MAX ? len : S_LEN_MAX, flags);
    sqe->user_data = self->size++;
}

unsigned zc_ring_size (const zc_ring_t *self)
{
    return self->size;
}

/*  Returns how many sends are done. */
static unsigned s_reap (zc_ring_t *self, zc_ring_fn fn, void *arg)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    io_uring_for_each_cqe (&self->uring, head, cqe)
    {
        s_entry_t *entry = &self->entries[cqe->user_data];
        entry->done = true;
        fn (arg, entry->what, entry->len, cqe->res);
        seen++;
    }
    io_uring_cq_advance (&self->uring, seen);
    return seen;
}

bool zc_ring_submit (zc_ring_t *self, zc_ring_fn fn, void *arg)
{
    unsigned left = self->size;
    int error = 0;
    while (left > 0) {
        int rc = io_uring_submit_and_wait (&self->uring, left);
        if (rc < 0 && rc != -EINTR) {
            error = -rc;
            break;
        }
        left -= s_reap (self, fn, arg);
    }
    for (unsigned i = 0; i < self->size && left > 0; i++)
        if (!self->entries[i].done)
            fn (arg, self->entries[i].what, self->entries[i].len, -EAGAIN);
    self->size = 0;
    errno = error;
    return error == 0;
}

#else

zc_ring_t *zc_ring_new (unsigned room)
{
    (void)room;
    errno = ENOSYS;
    return NULL;
}

void zc_ring_destroy (zc_ring_t **self_p)
{
    *self_p = NULL;
}

void zc_ring_add (zc_ring_t *self, int fd, const void *head, size_t head_len, const void *bytes,
                  size_t len, void *what)
{
    (void)self, (void)fd, (void)head, (void)head_len, (void)bytes, (void)len, (void)what;
    abort (); /* without io_uring there is no ring */
}

unsigned zc_ring_size (const zc_ring_t *self)
{
    (void)self;
    return 0;
}

bool zc_ring_submit (zc_ring_t *self, zc_ring_fn fn, void *arg)
{
    (void)self, (void)fn, (void)arg;
    return true;
}

#endif
