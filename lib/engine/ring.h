/*  ring.h - many sends in one system call (io_uring), where library and kernel have it.
 *
 *  A system call costs about a quarter of a microsecond beside what it does, and each is a place
 *  where the scheduler may take the processor away for the receiver: 256 sends in one leave that
 *  until they are done. Belongs to the thread that made it. */
#ifndef ZC_RING_H
#define ZC_RING_H

#include <stdbool.h>
#include <stddef.h>

#define ZC_RING_HEAD 8

typedef struct zc_ring zc_ring_t;

/*  For up to `room` sends at once. NULL with errno: ENOSYS where it was built without liburing or
 *  the kernel has none, EPERM where the system forbids it. */
zc_ring_t *zc_ring_new (unsigned room);
void zc_ring_destroy (zc_ring_t **self_p);

/*  Adds a send that doesn't block, of a head (copied, at most ZC_RING_HEAD bytes, may be empty) and
 *  bytes, which must stay until zc_ring_submit returns. There is room for it where zc_ring_size is
 *  below `room` (asserted). */
void zc_ring_add (zc_ring_t *self, int fd, const void *head, size_t head_len, const void *bytes,
                  size_t len, void *what);
/*  How many were added since the last zc_ring_submit. */
unsigned zc_ring_size (const zc_ring_t *self);

/*  One of them is done: `sent` bytes were taken, of its head and its `len` bytes, or it is a
 *  negative errno. */
typedef void (*zc_ring_fn) (void *arg, void *what, size_t len, int sent);
/*  Does them all, and calls `fn` for each; in it nothing may be added. False with errno where
 *  the kernel refused some, for which `fn` was called with -EAGAIN: the ring is of no more use. */
bool zc_ring_submit (zc_ring_t *self, zc_ring_fn fn, void *arg);

#endif
