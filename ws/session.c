/*  session.c - see session.h.
 *
 *  An idle client costs this struct, a slot in its channel, and nothing else: a request, a receiver
 *  and private bytes exist only while they hold something.
 *
 *  A connection that fails is shut for writing and read to its end for a moment. To close it with
 *  unread bytes would reset it, and the client could lose the close frame that says why. */
#include "ws/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/listen.h"
#include "lib/base/log.h"
#include "lib/front/events.h"
#include "ws/command.h"
#include "ws/encoding.h"
#include "ws/frame.h"
#include "ws/http.h"

#define READ_MAX 65536    /* bytes read at once */
#define UNREAD_MAX 65536  /* private bytes that a client may leave before it isn't read any more */
#define UNHEARD_MAX 65536 /* bytes that may come behind a stream's request */

static zc_log_limit_t s_limit_close, s_limit_gone;

void zc_session_name (const zc_session_t *self, char *text, size_t size)
{
    zc_peer_name (self->client.fd, text, size);
    size_t len = strlen (text);
    if (self->address && strncmp (text, self->address, strlen (self->address)) != 0)
        snprintf (text + len, size - len, " for %s", self->address);
}

const zc_encoding_t *zc_session_encoding (const zc_session_t *self)
{
    if (self->mode == ZC_MODE_V1)
        return self->deflate ? &zc_encoding_ws_json_deflate : &zc_encoding_ws_json;
    return self->deflate ? &zc_encoding_ws_deflate : &zc_encoding_ws;
}

static bool s_is_open (const zc_session_t *self)
{
    return self->state == ZC_SESSION_OPEN || self->state == ZC_SESSION_PINGED;
}

/*  Timeouts. */

static uint64_t s_now (const zc_session_t *self)
{
    return uv_now (zc_worker_loop (self->server->worker));
}

void zc_session_enter (zc_session_t *self, zc_session_state_t state)
{
    if (self->state == ZC_SESSION_CLOSED)
        return;
    self->state = state;
    zc_timeouts_start (&self->server->timeouts, &self->timeout, state, s_now (self));
}

/*  A sign of life. The clock counts milliseconds: a busy client is not moved again within one. */
static void s_alive (zc_session_t *self)
{
    if (self->state == ZC_SESSION_PINGED ||
        (self->state == ZC_SESSION_OPEN && self->timeout.since != (uint32_t)s_now (self)))
        zc_session_enter (self, ZC_SESSION_OPEN);
}

/*  The end. */

void zc_session_release (void *session)
{
    zc_session_t *self = session;
    zc_receiver_destroy (&self->receiver);
    zc_http_destroy (&self->http);
    free (self->address);
    free (self->peer);
    free (self->last_id);
    free (self);
}

void zc_session_drop (zc_session_t *self)
{
    zc_server_t *server = self->server;
    if (self->state == ZC_SESSION_CLOSED)
        return;
    zc_timeouts_stop (&server->timeouts, &self->timeout);
    self->state = ZC_SESSION_CLOSED;
    zc_hub_leave (zc_worker_hub (server->worker), &self->client);
    zc_talk_forget (self);
    zc_rights_release (&self->rights);
    if (self->address)
        zc_front_leave (&server->front, self->address);
    zc_watch_release (server->watch, self);
    close (self->client.fd);
    self->client.fd = -1;
    zc_server_left (server);
}

/*  Sending. */

static size_t s_unread (const zc_session_t *self)
{
    const zc_buf_t *bytes = self->client.private_;
    return bytes ? bytes->len - self->client.private_sent : 0;
}

bool zc_session_is_stuffed (const zc_session_t *self)
{
    return s_unread (self) > UNREAD_MAX;
}

static void s_update_watch (zc_session_t *self)
{
    bool read = self->deaf || (!zc_session_is_stuffed (self) && !zc_http_is_full (self->http));
    uint8_t events = (read ? UV_READABLE : 0) | (self->want_write ? UV_WRITABLE : 0);
    if (self->state == ZC_SESSION_CLOSED || events == self->events)
        return;
    self->events = events;
    zc_watch_change (self->server->watch, self->client.fd, events, self);
}

/*  What follows once everything is with the kernel. */
static void s_after_flush (zc_session_t *self)
{
    if (self->state != ZC_SESSION_CLOSING || !zc_client_drained (&self->client))
        return;
    if (self->said_close) {
        zc_session_drop (self);
    } else if (self->deaf && !self->shut) {
        shutdown (self->client.fd, SHUT_WR);
        self->shut = true;
    }
}

void zc_session_flush (zc_session_t *self)
{
    if (self->state == ZC_SESSION_CLOSED)
        return;
    zc_pump_send (zc_worker_pump (self->server->worker), &self->client);
    s_after_flush (self);
    s_update_watch (self);
}

void zc_session_send (zc_session_t *self, unsigned opcode, const void *payload, size_t len)
{
    zc_buf_t frame = ZC_BUF_INIT;
    if (!s_is_open (self))
        return;
    if (self->deflate && (opcode == ZC_FRAME_TEXT || opcode == ZC_FRAME_BINARY))
        zc_frame_add_deflated (&frame, opcode, payload, len);
    else
        zc_frame_add (&frame, opcode, payload, len);
    zc_client_add (&self->client, frame.data, frame.len);
    zc_buf_clear (&frame);
    zc_session_flush (self);
}

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                             .msg_iovlen = (size_t)count};
    /* one piece is the rule, and send costs 4 % less than sendmsg */
    ssize_t sent = count == 1 ? send (client->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                              : sendmsg (client->fd, &message, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    return sent;
}

static void s_want_write (zc_client_t *client, bool on)
{
    zc_session_t *self = (zc_session_t *)client;
    self->want_write = on;
    s_update_watch (self);
}

static void s_expired (zc_session_t *self);

static void s_gone (zc_client_t *client, zc_gone_t why)
{
    zc_session_t *self = (zc_session_t *)client;
    const char *reason = zc_gone_reason (why);
    char name[128];
    if (self->state == ZC_SESSION_CLOSED)
        return;
    if (why == ZC_GONE_EXPIRED) {
        s_expired (self);
        return;
    }
    zc_session_name (self, name, sizeof name);
    self->server->stats.slow += reason != NULL;
    zc_log_limited (&s_limit_gone, reason ? ZC_LOG_WARN : ZC_LOG_DEBUG, "%s: dropped: %s", name,
                    reason ? reason : strerror (errno));
    zc_session_drop (self);
}

static void s_describe (zc_client_t *client, char *text, size_t size)
{
    zc_session_name ((zc_session_t *)client, text, size);
}

/*  Frames are in the feed: nothing is added. */
static int s_begin (zc_client_t *client, size_t len, uint8_t head[ZC_CLIENT_HEAD])
{
    (void)client, (void)len, (void)head;
    return 0;
}

static size_t s_end (zc_client_t *client, size_t len, size_t sent)
{
    (void)client, (void)len;
    return sent;
}

static const zc_transport_t s_transport = {
    .name = "ws",
    .write = s_write,
    .want_write = s_want_write,
    .gone = s_gone,
    .describe = s_describe,
    .begin = s_begin,
    .end = s_end,
};

/*  Streaming. */

void zc_session_take_over (zc_session_t *self, zc_exchange_t *exchange)
{
    if (zc_exchange_take_count (exchange) && !(self->address = strdup (exchange->address)))
        abort ();
    self->rights = zc_exchange_take_rights (exchange);
    zc_rights_watch (self->rights, &self->client);
}

/*  A WebSocket's client is pinged. Whether a stream's still takes what it is sent, only the kernel
 *  can tell: it is silent by nature. Heartbeats see to it that there is something to acknowledge.
 */
void zc_session_start_stream (zc_session_t *self, zc_exchange_t *exchange)
{
    unsigned silence = self->server->silence;
    setsockopt (self->client.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof silence);
    self->chunked = exchange->chunked;
    self->server->stats.streams++;
    zc_session_take_over (self, exchange);
    zc_session_enter (self, ZC_SESSION_STREAM);
}

/*  Closing. */

/*  The hub frees private bytes of who leaves, but the frame that was begun must be finished, and
 *  a close frame follows it. */
void zc_session_leave_hub (zc_session_t *self)
{
    zc_client_t *client = &self->client;
    zc_client_add (client, "", 0);
    zc_buf_t *kept = client->private_;
    client->private_ = NULL;
    zc_hub_leave (zc_worker_hub (self->server->worker), client);
    client->private_ = kept;
}

static void s_log_close (zc_session_t *self, unsigned code, const char *reason)
{
    char name[128];
    bool usual = code == ZC_CLOSE_NORMAL || code == ZC_CLOSE_AWAY || code == ZC_CLOSE_NO_STATUS ||
                 code == ZC_CLOSE_RESTART;
    zc_session_name (self, name, sizeof name);
    zc_log_limited (&s_limit_close, usual ? ZC_LOG_DEBUG : ZC_LOG_INFO, "%s: closed %u %s", name,
                    code, reason);
}

void zc_session_close (zc_session_t *self, unsigned code, const char *reason)
{
    zc_buf_t frame = ZC_BUF_INIT;
    if (!s_is_open (self))
        return;
    s_log_close (self, code, reason);
    zc_session_leave_hub (self);
    zc_session_enter (self, ZC_SESSION_CLOSING);
    zc_frame_add_close (&frame, code, reason);
    zc_client_add (&self->client, frame.data, frame.len);
    zc_buf_clear (&frame);
    zc_session_flush (self);
}

/*  Closes for what the client sent: nothing that follows can be understood. */
static void s_fail (zc_session_t *self, unsigned code)
{
    if (self->state != ZC_SESSION_CLOSING)
        self->server->stats.violations++;
    self->deaf = true;
    zc_session_close (self, code,
                      code == ZC_CLOSE_TOO_BIG    ? "message too large"
                      : code != ZC_CLOSE_NOT_UTF8 ? "protocol error"
                      : self->deflate             ? "malformed text or compressed data"
                                                  : "text is not UTF-8");
    s_after_flush (self);
}

/*  Ends a stream at a boundary, so that it looks cut: without the last chunk. */
static void s_end_stream (zc_session_t *self)
{
    zc_events_retry (&self->client, self->server->worker, self->chunked);
    zc_session_leave_hub (self);
    zc_session_enter (self, ZC_SESSION_CLOSING);
    self->deaf = true;
    zc_session_flush (self);
}

/*  Its token has ended: the client is told so, and comes back with another one, or not. */
static void s_expired (zc_session_t *self)
{
    if (self->state == ZC_SESSION_STREAM) {
        zc_events_expired (&self->client, self->chunked);
        s_end_stream (self);
    } else {
        zc_session_close (self, ZC_CLOSE_TOKEN, "the token has expired");
    }
}

static void s_restart_websocket (zc_session_t *self)
{
    zc_buf_t text = ZC_BUF_INIT;
    if (self->mode == ZC_MODE_V1 && s_is_open (self)) {
        zc_answer_reconnect (&text, zc_worker_retry (self->server->worker));
        zc_session_send (self, ZC_FRAME_TEXT, text.data, text.len);
        zc_buf_clear (&text);
    }
    zc_session_close (self, ZC_CLOSE_RESTART, "restarting, come back soon");
}

static void s_read (zc_session_t *self);

/*  A request that has begun is still answered, in its own way, and has little time. */
void zc_session_restart (zc_session_t *self)
{
    if (self->state == ZC_SESSION_HEAD)
        s_read (self);
    else if (self->state == ZC_SESSION_KEPT)
        zc_session_drop (self);
    else if (self->state == ZC_SESSION_STREAM)
        s_end_stream (self);
    else
        s_restart_websocket (self);
}

void zc_session_expire (zc_session_t *self)
{
    char name[128];
    switch (self->state) {
    case ZC_SESSION_HEAD:
    case ZC_SESSION_WAITING:
    case ZC_SESSION_KEPT:
        zc_http_expire (self);
        break;
    case ZC_SESSION_STREAM:
        zc_session_enter (self, ZC_SESSION_STREAM);
        break;
    case ZC_SESSION_OPEN:
        zc_session_enter (self, ZC_SESSION_PINGED);
        zc_session_send (self, ZC_FRAME_PING, NULL, 0);
        break;
    case ZC_SESSION_PINGED:
        self->server->stats.silent++;
        zc_session_name (self, name, sizeof name);
        zc_log_limited (&s_limit_gone, ZC_LOG_INFO, "%s: dropped: no sign of life", name);
        zc_session_drop (self);
        break;
    default:
        zc_session_drop (self);
    }
}

/*  Reading. */

/*  A stream's client has nothing to say. */
static void s_pass_over (zc_session_t *self, size_t len)
{
    self->unheard += (uint32_t)len;
    if (self->unheard > UNHEARD_MAX)
        zc_session_drop (self);
}

static void s_take_frames (zc_session_t *self, const uint8_t *bytes, size_t len)
{
    size_t max = self->mode == ZC_MODE_ECHO ? ZC_ECHO_MAX : self->server->max_message;
    s_alive (self);
    unsigned code =
        zc_receiver_feed (&self->receiver, bytes, len, max, self->deflate, zc_talk_frame, self);
    if (code != 0)
        s_fail (self, code);
}

void zc_session_take (zc_session_t *self, const uint8_t *bytes, size_t len)
{
    if (self->deaf || self->state == ZC_SESSION_CLOSED)
        return;
    if (self->state <= ZC_SESSION_KEPT)
        zc_http_take (self, bytes, len);
    else if (self->state == ZC_SESSION_STREAM)
        s_pass_over (self, len);
    else
        s_take_frames (self, bytes, len);
}

/*  The client sends no more. */
static void s_take_end (zc_session_t *self)
{
    if (self->state <= ZC_SESSION_KEPT && !self->deaf)
        zc_http_take_end (self);
    else
        zc_session_drop (self);
}

static void s_read (zc_session_t *self)
{
    static uint8_t bytes[READ_MAX];
    ssize_t len = recv (self->client.fd, bytes, sizeof bytes, 0);
    if (len > 0)
        zc_session_take (self, bytes, (size_t)len);
    else if (len == 0)
        s_take_end (self);
    else if (errno != EAGAIN && errno != EINTR)
        zc_session_drop (self);
    s_update_watch (self);
}

void zc_session_ready (void *session, int events)
{
    zc_session_t *self = session;
    if (events & UV_WRITABLE) {
        s_alive (self); /* the peer's kernel acknowledged something */
        zc_session_flush (self);
        zc_http_resume (self);
    }
    if (events & UV_READABLE && self->state != ZC_SESSION_CLOSED)
        s_read (self);
}

static bool s_is_of_proxy (const zc_server_t *server, int fd)
{
    char address[INET6_ADDRSTRLEN];
    zc_peer_address (fd, address);
    return zc_trust_has (&server->front.trust, address);
}

void zc_session_new (zc_server_t *server, int fd)
{
    int on = 1;
    zc_session_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->events = UV_READABLE;
    if (zc_watch_add (server->watch, fd, self->events, self) != 0) {
        close (fd);
        free (self);
        return;
    }
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on a Unix socket */
    self->client.transport = &s_transport;
    self->client.fd = fd;
    self->server = server;
    self->proxied = server->proxy_protocol && s_is_of_proxy (server, fd);
    zc_session_enter (self, ZC_SESSION_HEAD);
    server->stats.sessions++;
}
