/*  watch.h - the sockets of many connections, in one libuv handle: an epoll instance of its own.
 *
 *  A uv_poll_t would cost each of them 160 bytes, most of what an idle client takes, and five
 * system calls. An epoll instance is itself readable while something in it is ready (epoll(7)). */
#ifndef ZC_WATCH_H
#define ZC_WATCH_H

#include <uv.h>

typedef struct zc_watch zc_watch_t;

/*  Beside UV_READABLE and UV_WRITABLE, in what a socket is watched for: tell only of what is new
 *  since it was told or changed last. For who leaves bytes unread on purpose. Then UV_DISCONNECT
 *  tells that the peer is gone, which the unread bytes hide. */
#define ZC_WATCH_EDGE 0x40

/*  A connection's socket is ready: `events` of UV_READABLE and UV_WRITABLE, both where it failed or
 *  hung up, whatever it waits for: reading or writing then says why. */
typedef void (*zc_watch_ready_fn) (void *item, int events);
/*  Nobody up the stack can hold the connection any more: frees it. */
typedef void (*zc_watch_release_fn) (void *item);

/*  NULL with errno where there is no descriptor left. */
zc_watch_t *zc_watch_new (uv_loop_t *loop, zc_watch_ready_fn ready, zc_watch_release_fn release);
/*  Releases what still waits for it; the loop must run once more before it is closed. May be called
 *  in a zc_watch_ready_fn. */
void zc_watch_destroy (zc_watch_t **self_p);

/*  Watches a non-blocking socket for `events`. Returns 0, or -1 after saying why in the log. */
int zc_watch_add (zc_watch_t *self, int fd, int events, void *item);
void zc_watch_change (zc_watch_t *self, int fd, int events, void *item);
/*  The caller closes the item's socket, which ends the watching. What had come of it is passed
 * over, and it is released before the loop's next turn. */
void zc_watch_release (zc_watch_t *self, void *item);

#endif
