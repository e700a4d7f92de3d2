/*  ring.h - many sends in one system call (io_uring), where the library and the kernel have it.
 *
 *  A system call costs about a quarter of a microsecond beside its work, and the scheduler may
 *  give the processor to the receiver at each one: with 256 sends in one call that waits until
 *  they are done. A ring belongs to the thread that made it. */
#ifndef ZC_RING_H
#define ZC_RING_H

#include <stdbool.h>
#include <stddef.h>

#define ZC_RING_HEAD 8

typedef struct zc_ring zc_ring_t;

/*  Makes a ring for up to `room` sends at once. NULL with errno: ENOSYS where it was built
 *  without liburing or the kernel has no io_uring, EPERM where the system forbids it. */
zc_ring_t *zc_ring_new (unsigned room);
void zc_ring_destroy (zc_ring_t **self_p);

/*  Adds a send that doesn't block, of a head (copied, at most ZC_RING_HEAD bytes, may be empty)
 *  and of bytes that must stay until zc_ring_submit returns. The caller adds only while
 *  zc_ring_size is below `room` (asserted). */
void zc_ring_add (zc_ring_t *self, int fd, const void *head, size_t head_len, const void *bytes,
                  size_t len, void *what);
/*  The number of sends added since the last zc_ring_submit. */
unsigned zc_ring_size (const zc_ring_t *self);

/*  A send is done: `sent` bytes of its head and its `len` bytes were taken, or it is a negative
 *  errno. */
typedef void (*zc_ring_fn) (void *arg, void *what, size_t len, int sent);
/*  Does all sends, and calls `fn` for each; `fn` must not add any. False with errno where the
 *  kernel refused some, for which `fn` was called with -EAGAIN: the ring is then useless. */
bool zc_ring_submit (zc_ring_t *self, zc_ring_fn fn, void *arg);

#endif
