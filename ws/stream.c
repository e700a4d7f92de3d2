/*  stream.c - a stream's client has nothing to say: bytes that come are passed over, up to a limit.
 */
#include "ws/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "lib/front/events.h"

#define UNHEARD_MAX 65536 /* bytes that may come behind a stream's request */

static void s_take (zc_session_t *self, const uint8_t *bytes, size_t len)
{
    (void)bytes;
    self->unheard += (uint32_t)len;
    if (self->unheard > UNHEARD_MAX)
        zc_session_drop (self);
}

/*  Ends at a boundary of the stream, and without the last chunk: to the client it looks cut. */
static void s_end (zc_session_t *self)
{
    zc_events_retry (&self->client, self->server->worker, self->chunked);
    zc_session_leave_hub (self);
    zc_session_enter (self, ZC_SESSION_CLOSING);
    self->deaf = true;
    zc_session_flush (self);
}

static void s_revoke (zc_session_t *self)
{
    zc_events_expired (&self->client, self->chunked);
    s_end (self);
}

/*  A stream has no end: its timeout begins anew. */
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
    .revoke = s_revoke,
    .restart = s_end,
};

/*  No ping asks the client whether it is still there: only the kernel can tell, by heartbeats that
 *  aren't acknowledged. */
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
