/*  redial.c - see redial.h. Distinguishing a session that has ended from one that waits for its
 *  next attempt would need knowledge of ZeroMQ's internals; making both anew costs next to
 *  nothing.
 *
 *  A session that lives ends only once this thread has called into the socket, and would until
 *  then go on connecting, beside the new one. Its events would be taken for the new session's.
 *  So a moment passes between the two; zmq_connect itself calls into the socket. */
#include "lib/peer/redial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lib/base/clock.h"
#include "lib/peer/curve.h"

#define S_APART_MS 100  /* between the old session and the new one */
#define S_NAMED_MS 1000 /* until attempts at a name are turned to the other family, at first */
#define S_NAMED 4       /* how many of these: a handshake may take longer */
#define S_MOVES 4 /* moves in vain; the next ones are to names' addresses of the other family */

void zc_keepalive (void *socket)
{
    static const struct {
        int option, value;
    } options[] = {
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, 3}, /* s */
        {ZMQ_TCP_KEEPALIVE_INTVL, 1},
        {ZMQ_TCP_KEEPALIVE_CNT, 5},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        zmq_setsockopt (socket, options[i].option, &options[i].value, sizeof options[i].value);
}

/*  Linux's TCP_USER_TIMEOUT also counts the time in which the peer's window is too small for the
 *  next segment, though bytes move. A proxy or tunnel that reads slowly keeps its window that
 *  small all the time. */
void zc_give_up_sending (void *socket, int ms)
{
    zmq_setsockopt (socket, ZMQ_TCP_MAXRT, &ms, sizeof ms);
}

bool zc_endpoint_named (const char *endpoint)
{
    char host[INET_ADDRSTRLEN];
    struct in_addr address;
    if (strncmp (endpoint, "tcp://", 6) != 0 || strchr (endpoint, '['))
        return false;
    size_t len = strcspn (endpoint + 6, ":");
    if (len >= sizeof host)
        return true;
    memcpy (host, endpoint + 6, len);
    host[len] = 0;
    return inet_pton (AF_INET, host, &address) != 1 && strcmp (host, "*") != 0;
}

void zc_endpoint_family (void *socket, const char *endpoint, unsigned attempt)
{
    int ipv6 = zc_endpoint_named (endpoint) ? (int)(attempt & 1) : strchr (endpoint, '[') != NULL;
    zmq_setsockopt (socket, ZMQ_IPV6, &ipv6, sizeof ipv6);
}

static uint64_t s_timeout_ms (const zc_redial_t *self)
{
    return self->named && self->attempt < S_NAMED ? S_NAMED_MS : ZC_REDIAL_MS;
}

int zc_redial_connect (zc_redial_t *self, void *socket, const char *endpoint, unsigned attempt)
{
    *self = (zc_redial_t){.socket = socket,
                          .endpoint = strdup (endpoint),
                          .attempt = attempt,
                          .named = zc_endpoint_named (endpoint)};
    if (!self->endpoint)
        abort ();
    self->due_ms = zc_mono_ms () + s_timeout_ms (self);
    zc_endpoint_family (socket, endpoint, attempt);
    zc_keepalive (socket);
    zc_curve_apply (socket);
    return zmq_connect (socket, endpoint);
}

void zc_redial_clear (zc_redial_t *self)
{
    free (self->endpoint);
    free (self->next);
    self->endpoint = self->next = NULL;
}

zc_monitor_event_t zc_redial_event (const zc_redial_t *self, zc_monitor_t *monitor)
{
    zc_monitor_event_t event;
    do
        event = zc_monitor_read (monitor);
    while (event == ZC_MONITOR_UP && self->apart);
    return event;
}

void zc_redial_good (zc_redial_t *self)
{
    if (self->apart)
        return;
    self->good = true;
    self->moves = 0;
    self->attempt &= 1;
    self->due_ms = zc_mono_ms () + s_timeout_ms (self);
}

void zc_redial_now (zc_redial_t *self)
{
    if (!self->apart)
        self->due_ms = 0;
}

long zc_redial_timeout (const zc_redial_t *self)
{
    uint64_t now = zc_mono_ms ();
    return self->due_ms > now ? (long)(self->due_ms - now) : 0;
}

/*  Polling a SUB socket takes the first frame of the next message out of its queue, and
 *  zmq_disconnect empties the queue: without the other frames, libzmq 4.3.4 fails an assertion. */
static void s_discard (void *socket)
{
    char byte;
    while (zmq_recv (socket, &byte, sizeof byte, ZMQ_DONTWAIT) >= 0 || errno == EINTR)
        continue;
}

void zc_redial_try (zc_redial_t *self)
{
    if (zc_redial_timeout (self) > 0)
        return;
    if (self->apart && self->next) {
        free (self->endpoint);
        self->endpoint = self->next;
        self->next = NULL;
        self->named = zc_endpoint_named (self->endpoint);
        self->attempt = self->moves++ / S_MOVES;
        self->good = true;
    }
    if (self->apart) {
        self->attempt += !self->good;
        self->good = false;
        zc_endpoint_family (self->socket, self->endpoint, self->attempt);
        zmq_connect (self->socket, self->endpoint);
    } else {
        s_discard (self->socket);
        zmq_disconnect (self->socket, self->endpoint);
    }
    self->apart = !self->apart;
    self->due_ms = zc_mono_ms () + (self->apart ? S_APART_MS : s_timeout_ms (self));
}

void zc_redial_move (zc_redial_t *self, const char *endpoint)
{
    free (self->next);
    self->next = strdup (endpoint);
    if (!self->next)
        abort ();
    zc_redial_now (self);
    if (!self->apart)
        zc_redial_try (self);
}
