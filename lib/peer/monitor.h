/*  monitor.h - tells when the connection of a ZeroMQ socket comes up and goes down. */
#ifndef ZC_MONITOR_H
#define ZC_MONITOR_H

#include <zmq.h>

typedef struct zc_monitor zc_monitor_t;

typedef enum {
    ZC_MONITOR_NOTHING, /* no more news */
    ZC_MONITOR_UP,      /* connected and greeted */
    ZC_MONITOR_DOWN,    /* the connection broke, or an attempt failed */
} zc_monitor_event_t;

/*  Watches `socket`, which is not connected yet. Never NULL. */
zc_monitor_t *zc_monitor_new (void *context, void *socket);
/*  Before the socket is closed. */
void zc_monitor_destroy (zc_monitor_t **self_p);
/*  To poll for ZMQ_POLLIN; borrowed. */
void *zc_monitor_socket (zc_monitor_t *self);
/*  The next event; never blocks. */
zc_monitor_event_t zc_monitor_read (zc_monitor_t *self);

#endif
