/*  monitor.c - reduces the events of zmq_socket_monitor's PAIR to up and down.
 *
 *  An event is two frames: 16 bits of number and 32 of value, then the endpoint. The value of
 *  "connected" is ZeroMQ's descriptor, which is only used to ask for TCP's counters. Between the
 *  end of the connection and the moment when we read that event, the number may belong to
 *  another file; then the counters are wrong for a moment, and that file isn't touched. */
#include "lib/peer/monitor.h"

#include <assert.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*  RFC 9293 §3.3.2, with the kernel's numbers (include/net/tcp_states.h). */
enum { S_ESTABLISHED = 1, S_SYN_SENT = 2, S_SYN_RECEIVED = 3 };

struct zc_monitor {
    void *watched; /* borrowed */
    void *pair;
    int fd; /* ZeroMQ's, of the connection; -1: there is none */
    uint64_t received, acknowledged;
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
    self->fd = -1;
    int rc = zmq_socket_monitor (
        socket, endpoint,
        ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
            ZMQ_EVENT_CLOSED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
            ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    self->pair = zmq_socket (context, ZMQ_PAIR);
    int none = 0; /* no bound: a full queue would block ZeroMQ's thread, which writes the events */
    zmq_setsockopt (self->pair, ZMQ_RCVHWM, &none, sizeof none);
    zmq_setsockopt (self->pair, ZMQ_LINGER, &none, sizeof none);
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

/*  Reads one event. Returns false if there is none. */
static bool s_read (zc_monitor_t *self, uint16_t *event, uint32_t *value)
{
    struct {
        uint8_t event[2], value[4];
    } head = {{0}, {0}};
    char endpoint[8];
    if (zmq_recv (self->pair, &head, sizeof head, ZMQ_DONTWAIT) < (int)sizeof *event)
        return false;
    zmq_recv (self->pair, endpoint, sizeof endpoint, ZMQ_DONTWAIT);
    memcpy (event, head.event, sizeof *event);
    memcpy (value, head.value, sizeof *value);
    return true;
}

zc_monitor_event_t zc_monitor_read (zc_monitor_t *self)
{
    uint16_t event;
    uint32_t value;
    while (s_read (self, &event, &value)) {
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            return ZC_MONITOR_UP;
        self->fd = event == ZMQ_EVENT_CONNECTED ? (int)value : -1;
        self->received = self->acknowledged = 0;
        if (event != ZMQ_EVENT_CONNECTED)
            return ZC_MONITOR_DOWN;
    }
    return ZC_MONITOR_NOTHING;
}

/*  Returns false if it isn't TCP, or the kernel doesn't count. */
static bool s_ask (const zc_monitor_t *self, struct tcp_info *info)
{
    socklen_t size = sizeof *info;
    return self->fd >= 0 && getsockopt (self->fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0 &&
           size >= offsetof (struct tcp_info, tcpi_min_rtt);
}

/*  The kernel doesn't say when bytes were last acknowledged. If all have been, that was shortly
 *  after the last ones were sent. */
static uint64_t s_quiet_ms (const struct tcp_info *info, bool received, bool acknowledged)
{
    uint64_t quiet_ms = received ? info->tcpi_last_data_recv : UINT64_MAX;
    bool all = info->tcpi_unacked == 0 && info->tcpi_notsent_bytes == 0;
    uint64_t sent_ms = all ? info->tcpi_last_data_sent : 0;
    return acknowledged && sent_ms < quiet_ms ? sent_ms : quiet_ms;
}

uint64_t zc_monitor_quiet_ms (zc_monitor_t *self)
{
    struct tcp_info info;
    if (!s_ask (self, &info))
        return UINT64_MAX;
    uint64_t quiet_ms = s_quiet_ms (&info, info.tcpi_bytes_received != self->received,
                                    info.tcpi_bytes_acked != self->acknowledged);
    self->received = info.tcpi_bytes_received;
    self->acknowledged = info.tcpi_bytes_acked;
    return quiet_ms;
}

bool zc_monitor_is_sending (const zc_monitor_t *self)
{
    struct tcp_info info;
    return s_ask (self, &info) && info.tcpi_notsent_bytes > 0;
}

bool zc_monitor_is_over (const zc_monitor_t *self)
{
    struct tcp_info info;
    return s_ask (self, &info) && info.tcpi_state != S_ESTABLISHED &&
           info.tcpi_state != S_SYN_SENT && info.tcpi_state != S_SYN_RECEIVED;
}
