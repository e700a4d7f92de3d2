/*  handshake.c - the answer to a request head: an error, or 101 and a client of the hub. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/log.h"
#include "lib/wire/query.h"
#include "ws/session.h"

static zc_log_limit_t s_limit_refuse;

void zc_handshake_destroy (zc_handshake_t **self_p)
{
    if (*self_p) {
        zc_buf_clear (&(*self_p)->bytes);
        free (*self_p);
        *self_p = NULL;
    }
}

/*  The phrase of a status, and the header fields that belong to it. */
static const char *s_phrase (int status, const char **fields)
{
    *fields = "Connection: close\r\n";
    switch (status) {
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        *fields = "Connection: close\r\nAllow: GET\r\n";
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 414:
        return "URI Too Long";
    case 426:
        *fields = "Connection: Upgrade, close\r\nUpgrade: websocket\r\n"
                  "Sec-WebSocket-Version: 13\r\n";
        return "Upgrade Required";
    case 429:
        *fields = "Connection: close\r\nRetry-After: 10\r\n";
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    default:
        *fields = "Connection: close\r\nRetry-After: 2\r\n";
        return "Service Unavailable";
    }
}

void zc_handshake_refuse (zc_session_t *self, int status, const char *reason)
{
    zc_buf_t reply = ZC_BUF_INIT;
    const char *fields, *phrase = s_phrase (status, &fields);
    char name[128];
    zc_session_name (self, name, sizeof name);
    zc_log_limited (&s_limit_refuse, ZC_LOG_INFO, "%s: refused %d %s", name, status, reason);
    self->server->stats.refused++;
    self->server->stats.limited += status == 429;
    zc_buf_addf (&reply,
                 "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: %zu\r\n%s\r\n%s\n",
                 status, phrase, strlen (reason) + 1, fields, reason);
    self->deaf = true;
    zc_session_enter (self, ZC_SESSION_CLOSING);
    zc_client_add (&self->client, reply.data, reply.len);
    zc_buf_clear (&reply);
    zc_session_flush (self);
}

/*  The address at the other end, as text. False where it is one that a proxy on this machine
 *  would have: loopback, or a Unix socket. */
static bool s_remote_address (int fd, char *text, size_t size)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    text[0] = 0;
    if (getpeername (fd, (struct sockaddr *)&peer, &len) != 0)
        return false;
    if (peer.ss_family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&peer;
        inet_ntop (AF_INET, &in->sin_addr, text, (socklen_t)size);
        return ntohl (in->sin_addr.s_addr) >> 24 != 127;
    }
    if (peer.ss_family == AF_INET6) {
        struct in6_addr *in6 = &((struct sockaddr_in6 *)&peer)->sin6_addr;
        inet_ntop (AF_INET6, in6, text, (socklen_t)size);
        return !IN6_IS_ADDR_LOOPBACK (in6) &&
               !(IN6_IS_ADDR_V4MAPPED (in6) && in6->s6_addr[12] == 127);
    }
    return false;
}

/*  Whether what a proxy says of its client is believed; `remote`: it isn't on this machine. */
static bool s_trusts (const zc_server_t *server, bool remote)
{
    return server->trust == ZC_TRUST_ALWAYS || (server->trust == ZC_TRUST_LOCAL && !remote);
}

static bool s_allows_origin (const zc_session_t *self)
{
    char text[INET6_ADDRSTRLEN];
    bool proxied = s_trusts (self->server, s_remote_address (self->client.fd, text, sizeof text));
    return zc_server_allows_origin (self->server, &self->handshake->head, proxied);
}

/*  The address that limits count this client by; false where there is none: a client on this
 *  machine is the operator's own, whether a proxy speaks for it or not. */
static bool s_address (const zc_session_t *self, char *text, size_t size)
{
    bool remote = s_remote_address (self->client.fd, text, size);
    char forwarded[INET6_ADDRSTRLEN];
    if (self->server->trust == ZC_TRUST_NEVER)
        return text[0];
    if (!s_trusts (self->server, remote) ||
        !zc_head_forwarded (&self->handshake->head, forwarded, sizeof forwarded))
        return remote;
    memcpy (text, forwarded, sizeof forwarded);
    return strcmp (text, "127.0.0.1") != 0 && strcmp (text, "::1") != 0;
}

/*  False where the address has too many connections. */
static bool s_enter_address (zc_session_t *self)
{
    zc_server_t *server = self->server;
    char text[INET6_ADDRSTRLEN];
    if (!s_address (self, text, sizeof text))
        return true;
    if (!zc_addresses_enter (server->addresses, text, server->max_per_address))
        return false;
    self->address = strdup (text);
    return true;
}

static void s_accept (zc_session_t *self)
{
    zc_head_t *head = &self->handshake->head;
    zc_buf_t reply = ZC_BUF_INIT;
    char accept[ZC_HEAD_ACCEPT + 1];
    zc_head_accept (head->key, accept);
    zc_buf_addf (&reply,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s",
                 accept, self->mode == ZC_MODE_V1 ? "Sec-WebSocket-Protocol: zcast.v1\r\n" : "");
    self->deflate = head->extension.deflate && self->server->deflate_from > 0;
    if (self->deflate)
        zc_buf_addf (&reply, "Sec-WebSocket-Extensions: %s\r\n",
                     zc_extension_answer (&head->extension));
    zc_buf_adds (&reply, "\r\n");
    zc_client_add (&self->client, reply.data, reply.len);
    zc_buf_clear (&reply);
    self->server->stats.opened++;
    self->server->stats.deflate += self->deflate;
    zc_session_enter (self, ZC_SESSION_OPEN);
}

static void s_join (zc_session_t *self, const zc_query_t *query)
{
    zc_slice_t header = self->handshake->head.last_event_id;
    zc_slice_t last_id = header.len > 0 ? header : query->last_id; /* as on SSE */
    if (query->count > 0)
        zc_hub_join (zc_worker_hub (self->server->worker), &self->client,
                     zc_session_encoding (self), query->topics, query->count, last_id);
    else if (last_id.len > 0)
        self->last_id = zc_text_plain (last_id.at, last_id.len)
                            ? strndup (last_id.at, last_id.len)
                            : strdup ("\n"); /* one bad id is as good as another: NUL ends text */
}

/*  Opens a stream of messages. */
static void s_open (zc_session_t *self)
{
    zc_head_t *head = &self->handshake->head;
    zc_query_t query;
    self->mode = head->zcast_v1 ? ZC_MODE_V1 : ZC_MODE_RAW;
    int rc = zc_query_parse (&query, head->query, self->server->max_topics);
    if (rc != 0) {
        zc_handshake_refuse (self, 400, zc_query_strerror (rc));
        return;
    }
    if (query.count == 0 && self->mode == ZC_MODE_RAW) {
        zc_handshake_refuse (self, 400, "no topic: ask for one with ?topic=NAME");
    } else {
        s_accept (self);
        s_join (self, &query);
    }
    zc_query_clear (&query);
}

/*  The head is well-formed. */
static void s_answer (zc_session_t *self)
{
    zc_server_t *server = self->server;
    zc_head_t *head = &self->handshake->head;
    bool echo = server->test_echo && zc_slice_is (head->path, "/echo");
    if (!echo && !zc_slice_is (head->path, server->path) && !zc_slice_is (head->path, "/")) {
        zc_handshake_refuse (self, 404, "no such path");
        return;
    }
    int status = zc_head_check (head);
    if (status != 101) {
        zc_handshake_refuse (self, status, head->reason);
    } else if (!s_allows_origin (self)) {
        zc_handshake_refuse (self, 403, "pages of this origin may not connect: allow-origin names those that may");
    } else if (!s_enter_address (self)) {
        zc_handshake_refuse (self, 429, "too many connections from this address");
    } else if (echo) {
        self->mode = ZC_MODE_ECHO;
        s_accept (self);
    } else {
        s_open (self);
    }
}

/*  Frames that came right behind the head. */
static void s_take_rest (zc_session_t *self, zc_handshake_t *handshake)
{
    size_t rest = handshake->bytes.len - handshake->head.length;
    const uint8_t *bytes = handshake->bytes.data + handshake->head.length;
    if (rest > 0 && self->state == ZC_SESSION_OPEN)
        zc_session_take (self, bytes, rest);
}

void zc_handshake_read (zc_session_t *self, const uint8_t *bytes, size_t len)
{
    zc_handshake_t *handshake = self->handshake;
    zc_buf_add (&handshake->bytes, bytes, len);
    int status =
        zc_head_feed (&handshake->head, (const char *)handshake->bytes.data, handshake->bytes.len);
    if (status == 0)
        return;
    if (status == 200)
        s_answer (self);
    else
        zc_handshake_refuse (self, status, handshake->head.reason);
    zc_session_flush (self);
    self->handshake = NULL;
    s_take_rest (self, handshake);
    zc_handshake_destroy (&handshake);
}
