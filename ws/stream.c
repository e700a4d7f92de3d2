/*  stream.c - the client of a stream has nothing to say: bytes that it sends are skipped, up to
 *  a limit. */
#include "ws/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "lib/front/events.h"

#define UNHEARD_MAX 65536 /* bytes that may follow a stream's request */

static void s_take (zc_session_t *self, const uint8_t *bytes, size_t len)
{
    (void)bytes;
    self->unheard += (uint32_t)len;
    if (self->unheard > UNHEARD_MAX)
        zc_session_drop (self);
}

/*  Ends at a boundary between messages and without the last chunk, so that the client sees a
 *  cut. */
static void s_end (zc_session_t *self)
{
    zc_events_retry (&self->client, self->server->worker, self->chunked);
    zc_session_leave_hub (self);
    zc_session_enter (self, ZC_SESSION_CLOSING);
    self->deaf = true;
    zc_session_flush (self);
}

static void s_dismiss (zc_session_t *self, const zc_farewell_t *why)
{
    zc_events_end (&self->client, self->chunked, why);
    s_end (self);
}

/*  A stream has no end: restarts its timeout. */
static void s_expire (zc_session_t *self)
{
    if (self->state == ZC_SESSION_STREAM)
        zc_session_enter (self, ZC_SESSION_STREAM);
    else
        zc_session_drop (self);
}

static const zc_protocol_t s_protocol = {
    .take = s_take,
    .take_end = zc_session_drop,
    .expire = s_expire,
    .dismiss = s_dismiss,
    .restart = s_end,
};

void zc_stream_adopt (zc_session_t *self, bool chunked, uint32_t unheard)
{
    self->protocol = &s_protocol;
    self->chunked = chunked;
    self->unheard = unheard;
    zc_session_enter (self, ZC_SESSION_STREAM);
}

/*  There are no pings here: only the kernel notices that a client is gone, as nothing
 *  acknowledges the heartbeats. */
void zc_stream_start (zc_session_t *self, zc_exchange_t *exchange)
{
    unsigned silence = self->server->silence;
    setsockopt (self->client.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof silence);
    self->protocol = &s_protocol;
    self->chunked = exchange->chunked;
    self->server->stats.streams++;
    zc_session_take_over (self, exchange);
    zc_session_enter (self, ZC_SESSION_STREAM);
}
