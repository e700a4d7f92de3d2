/*  monitor.h - reports when the connection of a ZeroMQ socket comes up and goes down, and
 *  whether bytes move on it meanwhile: by whole messages alone, a page that takes a minute to
 *  arrive can't be told from no page. */
#ifndef ZC_MONITOR_H
#define ZC_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

typedef struct zc_monitor zc_monitor_t;

typedef enum {
    ZC_MONITOR_NOTHING, /* no more news */
    ZC_MONITOR_UP,      /* connected, and the handshake is over */
    ZC_MONITOR_DOWN,    /* the connection broke, or an attempt failed */
} zc_monitor_event_t;

/*  Watches `socket`, which isn't connected yet, and has one connection at a time. Never returns
 *  NULL. */
zc_monitor_t *zc_monitor_new (void *context, void *socket);
/*  To be called before the socket is closed. */
void zc_monitor_destroy (zc_monitor_t **self_p);
/*  The socket to poll for ZMQ_POLLIN; borrowed. */
void *zc_monitor_socket (zc_monitor_t *self);
/*  The next event; never blocks. */
zc_monitor_event_t zc_monitor_read (zc_monitor_t *self);

/*  Milliseconds since bytes arrived, or sent bytes were acknowledged; UINT64_MAX where neither
 *  has happened since the last call. Linux counts this for TCP (TCP_INFO); for other transports
 *  it isn't known. */
uint64_t zc_monitor_quiet_ms (zc_monitor_t *self);
/*  Whether bytes that were sent have yet to leave this machine; false where TCP can't tell. */
bool zc_monitor_is_sending (const zc_monitor_t *self);
/*  Whether TCP knows that the connection is over while ZeroMQ doesn't say so: ZeroMQ looks at a
 *  connection only once its queue has room. */
bool zc_monitor_is_over (const zc_monitor_t *self);

#endif
