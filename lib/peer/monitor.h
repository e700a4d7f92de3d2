/*  monitor.h - tells when the connection of a ZeroMQ socket comes up and goes down, and whether
 *  anything moves on it meanwhile: a page that takes a minute to come in looks the same as none, to
 *  who only sees whole messages. */
#ifndef ZC_MONITOR_H
#define ZC_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

typedef struct zc_monitor zc_monitor_t;

typedef enum {
    ZC_MONITOR_NOTHING, /* no more news */
    ZC_MONITOR_UP,      /* connected and greeted */
    ZC_MONITOR_DOWN,    /* the connection broke, or an attempt failed */
} zc_monitor_event_t;

/*  Watches `socket`, which is not connected yet, and has one connection at a time. Never NULL. */
zc_monitor_t *zc_monitor_new (void *context, void *socket);
/*  Before the socket is closed. */
void zc_monitor_destroy (zc_monitor_t **self_p);
/*  To poll for ZMQ_POLLIN; borrowed. */
void *zc_monitor_socket (zc_monitor_t *self);
/*  The next event; never blocks. */
zc_monitor_event_t zc_monitor_read (zc_monitor_t *self);

/*  Milliseconds since bytes came, or some that we sent were acknowledged; UINT64_MAX where neither
 *  was since the last call. TCP knows (as Linux counts it in TCP_INFO); of other transports nothing
 *  is known. */
uint64_t zc_monitor_quiet_ms (zc_monitor_t *self);
/*  Whether what we sent has yet to leave this machine; false where TCP can't tell. */
bool zc_monitor_is_sending (const zc_monitor_t *self);
/*  Whether TCP knows that the connection is over, and ZeroMQ doesn't say so: it looks at a
 *  connection only once its queue has room. */
bool zc_monitor_is_over (const zc_monitor_t *self);

#endif
