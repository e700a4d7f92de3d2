/*  redial.c - see redial.h. To tell a session that has ended from one that waits for its next
 *  attempt would take knowledge of ZeroMQ's inside; to make both anew costs next to nothing.
 *
 *  A session that lives ends only once this thread has looked at the socket, and would go on
 *  connecting until then, beside the new one. What it told a monitor then would be taken for the
 *  new one's fate. So between the two there is a moment; zmq_connect begins with a look. */
#include "lib/peer/redial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lib/base/clock.h"

#define S_APART_MS 100 /* between the old session and the new one */

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

int zc_redial_connect (zc_redial_t *self, void *socket, const char *endpoint)
{
    *self = (zc_redial_t){socket, strdup (endpoint), zc_mono_ms () + ZC_REDIAL_MS, false};
    if (!self->endpoint)
        abort ();
    int unanswered_ms = 8000; /* what is sent: TCP itself would try for a quarter of an hour */
    zc_keepalive (socket);
    zmq_setsockopt (socket, ZMQ_TCP_MAXRT, &unanswered_ms, sizeof unanswered_ms);
    return zmq_connect (socket, endpoint);
}

void zc_redial_clear (zc_redial_t *self)
{
    free (self->endpoint);
    self->endpoint = NULL;
}

void zc_redial_good (zc_redial_t *self)
{
    if (!self->apart)
        self->due_ms = zc_mono_ms () + ZC_REDIAL_MS;
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

/*  Polling a SUB socket takes the first frame of the next message out of its queue, which
 *  zmq_disconnect empties: without the other frames, libzmq 4.3.4 ends in an assertion. */
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
    if (self->apart) {
        zmq_connect (self->socket, self->endpoint);
    } else {
        s_discard (self->socket);
        zmq_disconnect (self->socket, self->endpoint);
    }
    self->apart = !self->apart;
    self->due_ms = zc_mono_ms () + (self->apart ? S_APART_MS : ZC_REDIAL_MS);
}
