/*  watch.h - the sockets of many connections in one libuv handle: an epoll instance of its own.
 *
 *  A uv_poll_t would cost each connection 160 bytes, most of the memory of an idle client, and
 *  five system calls. An epoll instance is itself readable while something in it is ready
 *  (epoll(7)). */
#ifndef ZC_WATCH_H
#define ZC_WATCH_H

#include <uv.h>

typedef struct zc_watch zc_watch_t;

/*  An event to watch for beside UV_READABLE and UV_WRITABLE: events are reported only when they
 *  are new since the last report or change. It is for a connection that leaves bytes unread on
 *  purpose; UV_DISCONNECT then reports that the peer is gone, which the unread bytes would hide. */
#define ZC_WATCH_EDGE 0x40

/*  A connection's socket is ready for `events`: UV_READABLE, UV_WRITABLE, or both where it
 *  failed or hung up, whatever it was watched for. Reading or writing then tells why. */
typedef void (*zc_watch_ready_fn) (void *item, int events);
/*  No caller up the stack can hold the connection any more: frees it. */
typedef void (*zc_watch_release_fn) (void *item);

/*  NULL with errno where there is no descriptor left. */
zc_watch_t *zc_watch_new (uv_loop_t *loop, zc_watch_ready_fn ready, zc_watch_release_fn release);
/*  Releases the connections that still wait for it. The loop must run once more before it is
 *  closed. May be called in a zc_watch_ready_fn. */
void zc_watch_destroy (zc_watch_t **self_p);

/*  Watches a non-blocking socket for `events`. Returns 0, or -1 after saying why in the log. */
int zc_watch_add (zc_watch_t *self, int fd, int events, void *item);
void zc_watch_change (zc_watch_t *self, int fd, int events, void *item);
/*  Ends the watching of a socket that another process has, too: closing it here wouldn't. */
void zc_watch_remove (zc_watch_t *self, int fd);
/*  The caller closes the item's socket, which ends the watching. Events that have come for it
 *  are passed over, and it is released before the loop's next turn. */
void zc_watch_release (zc_watch_t *self, void *item);

#endif
