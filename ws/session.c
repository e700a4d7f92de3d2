/*  session.c - an idle client costs this struct and a slot in its channel: a request, a receiver
 *  and private bytes exist only while they hold something.
 *
 *  A connection that fails is shut for writing, and read to its end for a moment. Closing it
 *  with unread bytes would reset it, and the client could lose the close frame that says why. */
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

#define READ_MAX 65536 /* bytes read at once */
/* private bytes that a client may leave unread; then it isn't read any more */
#define UNREAD_MAX 65536

static zc_log_limit_t s_limit_gone, s_limit_waits;

void zc_session_name (const zc_session_t *self, char *text, size_t size)
{
    zc_peer_name (self->client.fd, text, size);
    size_t len = strlen (text);
    if (self->address && strncmp (text, self->address, strlen (self->address)) != 0)
        snprintf (text + len, size - len, " for %s", self->address);
}

/*  Timeouts. */

void zc_session_enter (zc_session_t *self, zc_session_state_t state)
{
    if (self->state == ZC_SESSION_CLOSED)
        return;
    self->state = state;
    zc_timeouts_start (&self->server->timeouts, &self->timeout, state,
                       uv_now (zc_worker_loop (self->server->worker)));
}

/*  Connections that ask for nothing. */

bool zc_session_wait (zc_session_t *self, const char *address)
{
    zc_server_t *server = self->server;
    zc_front_t *front = &server->front;
    if (!*address || front->max_per_address == 0 || zc_trust_has (&front->trust, address))
        return true;
    if (!zc_addresses_enter (server->waits, address, front->max_per_address)) {
        zc_front_limit (front, ZC_LIMIT_ADDRESS_CONNECTIONS);
        zc_log_limited (
            &s_limit_waits, ZC_LOG_INFO,
            ZC_EVENT ("client.idle address",
                      "%s: closed: too many connections from this address ask for nothing"),
            address);
        return false;
    }
    self->waits = strdup (address);
    if (!self->waits)
        abort ();
    return true;
}

static void s_end_wait (zc_session_t *self)
{
    if (self->waits)
        zc_addresses_leave (self->server->waits, self->waits);
    free (self->waits);
    self->waits = NULL;
}

/*  The end. */

void zc_session_release (void *session)
{
    zc_session_t *self = session;
    if (self->protocol->release)
        self->protocol->release (self);
    free (self->address);
    free (self->peer);
    free (self->waits);
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
    zc_registry_remove (zc_worker_registry (server->worker), &self->client);
    zc_publishes_destroy (&self->publishes);
    zc_rights_release (&self->rights);
    if (self->address)
        zc_front_leave (&server->front, self->address);
    s_end_wait (self);
    server->front.clients -= self->stays;
    zc_watch_remove (server->watch, self->client.fd); /* another process may have it, too */
    zc_watch_release (server->watch, self);
    close (self->client.fd);
    self->client.fd = -1;
    server->left (server);
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
    bool full = self->protocol->is_full && self->protocol->is_full (self);
    bool read = !self->leaves && (self->deaf || (!zc_session_is_stuffed (self) && !full));
    uint8_t events = (read ? UV_READABLE : 0) | (self->want_write ? UV_WRITABLE : 0);
    if (self->state == ZC_SESSION_CLOSED || events == self->events)
        return;
    self->events = events;
    zc_watch_change (self->server->watch, self->client.fd, events, self);
}

void zc_session_hold (zc_session_t *self)
{
    self->leaves = true;
    s_update_watch (self);
}

/*  All bytes are with the kernel now. */
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

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                             .msg_iovlen = (size_t)count};
    /* there is usually one piece, and send costs 4 % less than sendmsg */
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

static void s_gone (zc_client_t *client, zc_gone_t why)
{
    zc_session_t *self = (zc_session_t *)client;
    const char *reason = zc_gone_reason (why);
    char name[128];
    if (self->state == ZC_SESSION_CLOSED)
        return;
    const zc_farewell_t *farewell = zc_gone_farewell (why);
    if (farewell) {
        if (self->state != ZC_SESSION_CLOSING)
            self->protocol->dismiss (self, farewell);
        return;
    }
    zc_session_name (self, name, sizeof name);
    self->server->stats.slow += reason != NULL;
    zc_log_limited (&s_limit_gone, reason ? ZC_LOG_WARN : ZC_LOG_DEBUG,
                    ZC_EVENT ("client.dropped client reason", "%s: dropped: %s"), name,
                    reason ? reason : strerror (errno));
    zc_session_drop (self);
}

static void s_describe (zc_client_t *client, char *text, size_t size)
{
    zc_session_name ((zc_session_t *)client, text, size);
}

/*  The feed has whole frames: no head is added. */
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

void zc_session_take_over (zc_session_t *self, zc_exchange_t *exchange)
{
    if (zc_exchange_take_count (exchange) && !(self->address = strdup (exchange->address)))
        abort ();
    s_end_wait (self);
    self->rights = zc_exchange_take_rights (exchange);
    self->foreign = exchange->foreign;
    self->stays = true;
    zc_registry_add (zc_worker_registry (self->server->worker), &self->client, 0);
    zc_client_asked (&self->client, exchange->begun_ms);
    self->server->front.clients++;
    zc_rights_watch (self->rights, &self->client);
}

/*  The hub frees the private bytes of a client that leaves. But a frame that was begun must be
 *  finished, and a close frame may follow. */
void zc_session_leave_hub (zc_session_t *self)
{
    zc_client_t *client = &self->client;
    zc_client_add (client, "", 0);
    zc_buf_t *kept = client->private_;
    client->private_ = NULL;
    zc_hub_leave (zc_worker_hub (self->server->worker), client);
    client->private_ = kept;
}

/*  Reading. */

void zc_session_take (zc_session_t *self, const uint8_t *bytes, size_t len)
{
    if (!self->deaf && self->state != ZC_SESSION_CLOSED)
        self->protocol->take (self, bytes, len);
}

static void s_take_end (zc_session_t *self)
{
    if (self->deaf)
        zc_session_drop (self);
    else
        self->protocol->take_end (self);
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
        zc_session_flush (self);
        if (self->protocol->resume)
            self->protocol->resume (self);
    }
    if (events & UV_READABLE && self->state != ZC_SESSION_CLOSED)
        s_read (self);
}

static bool s_is_trusted (const zc_server_t *server, int fd)
{
    char address[INET6_ADDRSTRLEN];
    zc_peer_address (fd, address);
    return zc_trust_has (&server->front.trust, address);
}

zc_session_t *zc_session_new (zc_server_t *server, int fd, const zc_protocol_t *protocol)
{
    int on = 1;
    zc_session_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->server = server;
    self->events = UV_READABLE;
    if (zc_watch_add (server->watch, fd, self->events, self) != 0) {
        close (fd);
        free (self);
        return NULL;
    }
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on a Unix socket */
    self->client.transport = &s_transport;
    self->client.fd = fd;
    self->protocol = protocol;
    self->proxied = server->proxy_protocol && s_is_trusted (server, fd);
    zc_session_enter (self, ZC_SESSION_HEAD);
    server->stats.sessions++;
    return self;
}
