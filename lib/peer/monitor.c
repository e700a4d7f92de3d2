/*  monitor.c - zmq_socket_monitor's PAIR, boiled down to up and down.
 *
 *  An event is two frames: 16 bits of number and 32 of value, then the endpoint. */
#include "lib/peer/monitor.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct zc_monitor {
    void *watched; /* borrowed */
    void *pair;
};

zc_monitor_t *zc_monitor_new (void *context, void *socket)
{
    static atomic_uint s_count;
    zc_monitor_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    char endpoint[48];
    snprintf (endpoint, sizeof endpoint, "inproc://zcast-monitor-%u",
              atomic_fetch_add (&s_count, 1));
    self->watched = socket;
    int rc = zmq_socket_monitor (socket, endpoint,
                                 ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                                     ZMQ_EVENT_CLOSED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                                     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    self->pair = zmq_socket (context, ZMQ_PAIR);
    int no_linger = 0;
    zmq_setsockopt (self->pair, ZMQ_LINGER, &no_linger, sizeof no_linger);
    rc |= zmq_connect (self->pair, endpoint);
    assert (rc == 0);
    (void)rc;
    return self;
}

void zc_monitor_destroy (zc_monitor_t **self_p)
{
    zc_monitor_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    zmq_socket_monitor (self->watched, NULL, 0);
    zmq_close (self->pair);
    free (self);
}

void *zc_monitor_socket (zc_monitor_t *self)
{
    return self->pair;
}

zc_monitor_event_t zc_monitor_read (zc_monitor_t *self)
{
    struct {
        uint8_t number[2], value[4];
    } head = {{0}, {0}};
    uint16_t event;
    char endpoint[8];
    if (zmq_recv (self->pair, &head, sizeof head, ZMQ_DONTWAIT) < (int)sizeof event)
        return ZC_MONITOR_NOTHING;
    zmq_recv (self->pair, endpoint, sizeof endpoint, ZMQ_DONTWAIT);
    memcpy (&event, head.number, sizeof event);
    return event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED ? ZC_MONITOR_UP : ZC_MONITOR_DOWN;
}
