/*  http.c - see http.h.
 *
 *  A connection between requests has none of this: the struct is made at the first byte of a
 *  request, and freed after the answer, so an idle client costs only its session.
 *
 *  Answers leave in the order of the requests, as each request is answered before the next one
 *  is read. A client that doesn't read its answers isn't read either.
 *
 *  A refusal closes the connection if the beginning of the next request can't be found any more:
 *  after a malformed head or chunk, or a body that is too long to be skipped. */
#include "ws/http.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/base/listen.h"
#include "lib/base/log.h"
#include "lib/wire/chunked.h"
#include "lib/wire/field.h"
#include "lib/wire/head.h"
#include "lib/wire/proxy.h"
#include "lib/wire/traceparent.h"
#include "ws/stream.h"

#define SKIP_MAX \
    65536 /* bytes of a refused request's body that are skipped to keep the connection */
#define BODY_STEP 4096 /* least bytes of a body in head-timeout */

typedef enum {
    PART_PROXY,  /* a proxy's line about the connection, before anything else */
    PART_HEAD,   /* of the next request */
    PART_BODY,   /* of the active request */
    PART_WAIT,   /* its door will answer */
    PART_SKIP,   /* it is answered; the rest of its body is skipped */
    PART_DONE,   /* the next request may be read */
    PART_CLOSED, /* the connection is closing, streams, or has become a WebSocket */
} s_part_t;

struct zc_http {
    zc_exchange_t exchange; /* must be first; of the active request */
    zc_session_t *session;  /* borrowed */
    s_part_t part;
    zc_head_t head;
    zc_chunked_t chunked; /* of a body in chunks */
    uint64_t left;        /* bytes of any other body still to come */
    uint64_t skipped;     /* bytes of the body that were skipped */
    uint64_t counted;     /* bytes of the body when its timeout was last restarted */
    zc_buf_t in;          /* owned: the head, and the bytes that came with it */
    zc_buf_t behind;      /* owned: bytes that came behind a request that isn't answered */
    bool busy;            /* a call into the front is under way */
    bool active;          /* the exchange is to be cleared */
    bool whole;           /* the body is complete */
    bool ended;           /* the client has sent all it will send */
    bool told;            /* 100 (Continue) was sent, or isn't expected */
    char peer[INET6_ADDRSTRLEN];
};

static zc_log_limit_t s_limit_refuse;

/*  ---------------------------------------------------------------- beginning and end */

static zc_http_t *s_get (zc_session_t *session)
{
    if (session->http)
        return session->http;
    zc_http_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->session = session;
    zc_head_init (&self->head, session->server->max_head);
    self->part = session->proxied ? PART_PROXY : PART_HEAD;
    session->http = self;
    return self;
}

static void s_clear_exchange (zc_http_t *self)
{
    if (self->active)
        zc_exchange_clear (&self->exchange);
    self->active = false;
    memset (&self->exchange, 0, sizeof self->exchange);
}

static void s_destroy (zc_http_t **self_p)
{
    zc_http_t *self = *self_p;
    if (!self)
        return;
    s_clear_exchange (self);
    zc_buf_clear (&self->in);
    zc_buf_clear (&self->behind);
    free (self);
    *self_p = NULL;
}

zc_session_t *zc_http_session (const zc_exchange_t *exchange)
{
    return ((const zc_http_t *)exchange)->session;
}

static bool s_is_full (const zc_session_t *session)
{
    const zc_http_t *self = session->http;
    return self && (self->behind.len > 0 || self->ended);
}

/*  ---------------------------------------------------------------- answers */

/*  RFC 9110 §5.6.7; formatted once a second. */
static const char *s_date (void)
{
    static time_t made;
    static char text[32];
    time_t now = time (NULL);
    struct tm parts;
    if (now != made && gmtime_r (&now, &parts)) {
        strftime (text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        made = now;
    }
    return text;
}

static void s_write_head (const zc_response_t *response, const char *framing, zc_buf_t *out)
{
    zc_buf_addf (out, "HTTP/1.1 %u %s\r\n", response->status, zc_status_phrase (response->status));
    if (response->status >= 200)
        zc_buf_addf (out, "Date: %s\r\n", s_date ());
    zc_buf_add (out, response->fields.data, response->fields.len);
    zc_buf_adds (out, framing);
    zc_buf_adds (out, "\r\n");
}

static void s_send_head (zc_session_t *session, const zc_response_t *response, const char *framing)
{
    zc_buf_t head = ZC_BUF_INIT;
    s_write_head (response, framing, &head);
    zc_client_add (&session->client, head.data, head.len);
    zc_buf_clear (&head);
}

static void s_log_refusal (const zc_http_t *self, const zc_response_t *response)
{
    zc_session_t *session = self->session;
    char name[128];
    int len = (int)response->body.len - 1; /* without its LF */
    zc_ws_figures_t *stats = &session->server->stats;
    if (response->status < 400)
        return;
    stats->refused++;
    stats->limited += response->status == 429;
    zc_session_name (session, name, sizeof name);
    zc_traceparent_log (self->exchange.request.fields[ZC_FIELD_TRACEPARENT]);
    zc_log_limited (&s_limit_refuse, ZC_LOG_INFO,
                    ZC_EVENT ("request.denied client status error", "%s: refused %u %.*s"), name,
                    response->status, len > 0 ? len : 0, (const char *)response->body.data);
    zc_log_no_trace ();
}

/*  HEAD is answered without a body (RFC 9110 §9.3.2), even if the head can't be read to its end. */
static bool s_asks_for_head (const zc_http_t *self)
{
    size_t begin = self->head.begin;
    return self->in.len >= begin + 5 && memcmp (self->in.data + begin, "HEAD ", 5) == 0;
}

/*  Writes the head that tells where the answer ends (RFC 9112 §6), and whether the connection is
 *  kept. An answer that has to look cut has chunks, and no last one. HTTP/1.0 has no chunks;
 *  there the end of the answer is the end of the connection. */
static void s_write_answer (const zc_http_t *self, const zc_response_t *response, bool keep,
                            zc_buf_t *out)
{
    bool http10 = self->head.minor == 0, chunked = response->endless && !http10;
    bool has_body = zc_status_has_body (response->status);
    char framing[96];
    int len = 0;
    if (has_body && chunked)
        len = snprintf (framing, sizeof framing, "Transfer-Encoding: chunked\r\n");
    else if (has_body && !response->endless)
        len = snprintf (framing, sizeof framing, "Content-Length: %zu\r\n", response->body.len);
    if (!keep)
        len += snprintf (framing + len, sizeof framing - (size_t)len, "Connection: close\r\n");
    else if (http10)
        len += snprintf (framing + len, sizeof framing - (size_t)len, "Connection: keep-alive\r\n");
    framing[len] = 0;
    s_write_head (response, framing, out);
    if (!has_body || s_asks_for_head (self))
        return;
    size_t begun = chunked ? zc_chunk_begin (out, response->body.len) : 0;
    zc_buf_add (out, response->body.data, response->body.len);
    if (chunked)
        zc_chunk_end (out, begun, response->body.len);
}

static void s_send_answer (zc_http_t *self, const zc_response_t *response, bool keep)
{
    zc_session_t *session = self->session;
    zc_buf_t bytes = ZC_BUF_INIT;
    s_log_refusal (self, response);
    s_write_answer (self, response, keep, &bytes);
    zc_client_add (&session->client, bytes.data, bytes.len);
    zc_buf_clear (&bytes);
    if (keep)
        return;
    self->part = PART_CLOSED;
    session->deaf = true;
    zc_session_enter (session, ZC_SESSION_CLOSING);
}

/*  Whether the rest of the body can be skipped. A client that waits for 100 (Continue) may send
 *  its body or not, so its body can't. */
static bool s_can_skip (const zc_http_t *self)
{
    return self->whole || (self->told && !self->head.chunked && self->left <= SKIP_MAX);
}

static void s_run (zc_session_t *session, const uint8_t *bytes, size_t len);
static void s_resume (zc_session_t *session);

static void s_answer (zc_exchange_t *exchange, const zc_response_t *response)
{
    zc_http_t *self = (zc_http_t *)exchange;
    zc_session_t *session = self->session;
    /*  A client whose upgrade is refused won't ask for anything else. */
    bool keep = self->head.keep && !self->head.websocket && !response->close && !response->cut &&
                response->status != 426 && !session->server->front.draining && s_can_skip (self) &&
                (!self->ended || self->behind.len > 0);
    s_send_answer (self, response, keep);
    if (keep) {
        self->part = PART_SKIP;
        /* the rest of the body has a timeout of its own */
        zc_session_enter (session, ZC_SESSION_HEAD);
    }
    if (self->busy)
        return;
    s_clear_exchange (self);
    s_run (session, NULL, 0);
    zc_session_flush (session);
    s_resume (session);
}

/*  Refuses a request that can't be read to its end, and closes. */
static void s_refuse (zc_session_t *session, unsigned status, const char *reason)
{
    zc_http_t *self = s_get (session);
    zc_response_t response;
    zc_response_init (&response, status);
    zc_response_say (&response, "X-Content-Type-Options", "nosniff");
    zc_response_text (&response, reason);
    s_clear_exchange (self);
    s_send_answer (self, &response, false);
    zc_response_clear (&response);
    zc_session_flush (session);
}

static zc_client_t *s_stream (zc_exchange_t *exchange, const zc_response_t *response)
{
    zc_http_t *self = (zc_http_t *)exchange;
    assert (self->busy); /* s_run frees it */
    self->part = PART_CLOSED;
    zc_stream_start (self->session, exchange);
    s_send_head (self->session, response,
                 exchange->chunked ? "Transfer-Encoding: chunked\r\n" : "Connection: close\r\n");
    return &self->session->client;
}

static bool s_open_refused (zc_exchange_t *exchange, const zc_denial_t *refusal, unsigned after)
{
    return zc_http_session (exchange)->server->open_refused (exchange, refusal, after);
}

static const zc_carrier_t s_carrier = {
    .name = "http",
    .answer = s_answer,
    .stream = s_stream,
    .refuse = s_open_refused,
};

/*  ---------------------------------------------------------------- requests */

/*  The client's address, as the proxy says, or else the peer's. */
static void s_fill_peer (zc_http_t *self, zc_request_t *request)
{
    const zc_session_t *session = self->session;
    if (session->peer)
        snprintf (self->peer, sizeof self->peer, "%s", session->peer);
    else
        zc_peer_address (session->client.fd, self->peer);
    request->peer = (zc_slice_t){self->peer, strlen (self->peer)};
}

/*  Returns 0, or -1 if a field that may occur only once is repeated. */
static int s_fill_fields (zc_http_t *self, zc_request_t *request)
{
    const char *bytes = (const char *)self->in.data;
    zc_slice_t name, value;
    for (size_t at = 0; zc_head_next (&self->head, bytes, &at, &name, &value);) {
        int field = zc_field_find (name);
        if (field >= 0 && zc_request_add (request, (zc_field_t)field, value) != 0)
            return -1;
    }
    return 0;
}

static int s_fill_request (zc_http_t *self)
{
    zc_request_t *request = &self->exchange.request;
    const zc_head_t *head = &self->head;
    zc_request_init (request);
    request->method = zc_method_parse (head->method);
    request->path = head->path;
    if (head->query.at)
        request->query = head->query;
    request->body = head->chunked ? ZC_BODY_UNKNOWN : (int64_t)head->content_length;
    request->websocket = head->websocket;
    request->http10 = head->minor == 0;
    s_fill_peer (self, request);
    int rc = s_fill_fields (self, request);
    request->fields[ZC_FIELD_HOST] = head->authority; /* of an absolute target, if there is one */
    return rc;
}

/*  Does what a call into the front has left to do. */
static void s_after_call (zc_http_t *self)
{
    self->busy = false;
    if (self->exchange.over)
        s_clear_exchange (self);
    else if (!zc_exchange_wants_body (&self->exchange)) {
        self->part = PART_WAIT;
        zc_session_enter (self->session, ZC_SESSION_WAITING);
    }
}

/*  Once the door wants the body, tells a client that waits to send it (RFC 9110 §10.1.1). */
static void s_tell_to_continue (zc_http_t *self)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (self->told)
        return;
    self->told = true;
    zc_client_add (&self->session->client, text, sizeof text - 1);
}

/*  The head is well-formed. `came`: a part of the body came with it. */
static void s_begin_request (zc_http_t *self, bool came)
{
    zc_exchange_t *exchange = &self->exchange;
    self->part = PART_BODY;
    self->active = true;
    self->told = !self->head.expects || came;
    self->left = self->head.content_length;
    self->skipped = self->counted = 0;
    self->whole = !self->head.chunked && self->left == 0;
    zc_chunked_init (&self->chunked);
    memset (exchange, 0, sizeof *exchange);
    exchange->front = &self->session->server->front;
    exchange->carrier = &s_carrier;
    exchange->chunked = self->head.minor > 0;
    self->busy = true;
    if (s_fill_request (self) != 0)
        zc_exchange_refuse (exchange, 400, "head", "a header field is repeated");
    else
        zc_front_begin (exchange);
    if (zc_exchange_wants_body (exchange))
        s_tell_to_continue (self);
    s_after_call (self);
}

/*  Bytes of the body, without chunk headers. If no door wants them, they are skipped. */
static void s_take_data (zc_http_t *self, const uint8_t *bytes, size_t len)
{
    self->skipped += len;
    if (!self->active)
        return;
    self->busy = true;
    zc_exchange_body (&self->exchange, bytes, len);
    s_after_call (self);
    if (self->part == PART_BODY && self->skipped - self->counted >= BODY_STEP) {
        self->counted = self->skipped;
        zc_session_enter (self->session, ZC_SESSION_HEAD);
    }
}

/*  The body is complete. */
static void s_end_body (zc_http_t *self)
{
    if (!self->active)
        return;
    self->busy = true;
    zc_exchange_end (&self->exchange);
    s_after_call (self);
}

static void s_take_chunks (zc_http_t *self, const uint8_t **bytes, size_t *len)
{
    zc_slice_t data;
    switch (zc_chunked_read (&self->chunked, bytes, len, &data)) {
    case ZC_CHUNKED_DATA:
        s_take_data (self, (const uint8_t *)data.at, data.len);
        break;
    case ZC_CHUNKED_END:
        self->whole = true;
        s_end_body (self);
        break;
    case ZC_CHUNKED_BAD:
        if (self->part == PART_BODY)
            s_refuse (self->session, 400, "malformed chunks");
        else
            zc_session_drop (self->session);
        break;
    default:
        break;
    }
}

/*  Takes the next piece of a body, which may be the last. */
static void s_take_body (zc_http_t *self, const uint8_t **bytes, size_t *len)
{
    if (self->head.chunked) {
        s_take_chunks (self, bytes, len);
        return;
    }
    size_t step = *len < self->left ? *len : (size_t)self->left;
    const uint8_t *at = *bytes;
    *bytes += step;
    *len -= step;
    self->left -= step;
    self->whole = self->left == 0;
    s_take_data (self, at, step);
}

/*  Makes `in` begin with these bytes, which may be a part of it. */
static void s_move_in (zc_http_t *self, const uint8_t *bytes, size_t len)
{
    const uint8_t *begin = self->in.data;
    if (begin && bytes >= begin && bytes <= begin + self->in.len)
        zc_buf_shift (&self->in, self->in.len - len);
    else
        self->in.len = 0;
    if (self->in.len == 0)
        zc_buf_add (&self->in, bytes, len);
}

static void s_refuse_proxy (zc_http_t *self, const char *reason)
{
    self->session->server->front.stats.proxies++;
    s_refuse (self->session, 400, reason);
}

/*  Takes a proxy's line about the connection. Returns false if more bytes are needed, or if it
 *  is malformed. */
static bool s_take_proxy (zc_http_t *self)
{
    zc_session_t *session = self->session;
    zc_proxy_t proxy;
    long length = zc_proxy_read (&proxy, self->in.data, self->in.len);
    if (length < 0)
        s_refuse_proxy (self, "a connection of this proxy begins with the PROXY protocol");
    if (length <= 0)
        return false;
    zc_buf_shift (&self->in, (size_t)length);
    session->proxied = false;
    if (proxy.address[0] && !(session->peer = strdup (proxy.address)))
        abort ();
    if (!zc_session_wait (session, proxy.address)) {
        zc_session_drop (session);
        return false;
    }
    self->part = PART_HEAD;
    return self->in.len > 0;
}

static void s_refuse_head (zc_http_t *self, unsigned status)
{
    if (status == 414 || status == 431)
        zc_front_limit (&self->session->server->front, ZC_LIMIT_HEAD);
    s_refuse (self->session, status, self->head.reason);
}

/*  Takes the head of the next request. Returns false if more bytes are needed. */
static bool s_take_head (zc_http_t *self, const uint8_t **bytes, size_t *len)
{
    int status = zc_head_feed (&self->head, (const char *)self->in.data, self->in.len);
    if (status == 0)
        return false;
    if (status != 200) {
        if (zc_proxy_begins (self->in.data, self->in.len))
            s_refuse_proxy (self, "the PROXY protocol isn't taken from this address: trust-proxy "
                                  "names those from which it is");
        else
            s_refuse_head (self, (unsigned)status);
        return false;
    }
    *bytes = self->in.data + self->head.length;
    *len = self->in.len - self->head.length;
    s_begin_request (self, *len > 0);
    return true;
}

/*  Starts the next request, which has a timeout of its own. Returns false if no byte of it has
 *  come. */
static bool s_next (zc_http_t *self, const uint8_t **bytes, size_t *len)
{
    zc_session_t *session = self->session;
    s_move_in (self, *bytes, *len);
    *len = 0;
    zc_head_init (&self->head, session->server->max_head);
    self->part = PART_HEAD;
    if (self->in.len > 0)
        zc_session_enter (session, ZC_SESSION_HEAD);
    else if (self->ended)
        zc_session_drop (session);
    else
        zc_session_enter (session, ZC_SESSION_KEPT);
    return self->in.len > 0;
}

/*  Returns false if it can't go on, for now or for ever. */
static bool s_step (zc_http_t *self, const uint8_t **bytes, size_t *len)
{
    if (self->session->state == ZC_SESSION_CLOSED)
        return false;
    switch (self->part) {
    case PART_PROXY:
    case PART_HEAD:
        zc_buf_add (&self->in, *bytes, *len);
        *len = 0;
        if (self->part == PART_PROXY && !s_take_proxy (self))
            return false;
        return s_take_head (self, bytes, len);
    case PART_BODY:
    case PART_SKIP:
        if (self->part == PART_SKIP && self->whole)
            self->part = PART_DONE;
        else if (*len > 0)
            s_take_body (self, bytes, len);
        else
            return false;
        return true;
    case PART_DONE:
        return !zc_session_is_stuffed (self->session) && s_next (self, bytes, len);
    default:
        return false;
    }
}

/*  The remaining bytes belong to the connection's new protocol, or wait behind the active
 *  request. */
static void s_leave_rest (zc_http_t *self, const uint8_t *bytes, size_t len)
{
    zc_session_t *session = self->session;
    bool idle = self->part <= PART_HEAD && self->in.len == 0;
    if (self->part != PART_CLOSED && !idle) {
        zc_buf_add (&self->behind, bytes, len);
        return;
    }
    session->http = NULL;
    if (len > 0 && self->part == PART_CLOSED)
        zc_session_take (session, bytes, len);
    s_destroy (&self);
}

/*  Handles the bytes as far as they reach. */
static void s_run (zc_session_t *session, const uint8_t *bytes, size_t len)
{
    zc_http_t *self = session->http;
    zc_buf_t held = self->behind;
    self->behind = (zc_buf_t)ZC_BUF_INIT;
    if (held.len > 0) {
        zc_buf_add (&held, bytes, len);
        bytes = held.data;
        len = held.len;
    }
    while (s_step (self, &bytes, &len))
        ;
    s_leave_rest (self, bytes, len);
    zc_buf_clear (&held);
}

/*  Goes on with requests that wait, once the client has taken the earlier answers. */
static void s_resume (zc_session_t *session)
{
    while (session->state != ZC_SESSION_CLOSED && session->http &&
           session->http->part == PART_DONE && !zc_session_is_stuffed (session)) {
        s_run (session, NULL, 0);
        zc_session_flush (session);
    }
}

static void s_take (zc_session_t *session, const uint8_t *bytes, size_t len)
{
    s_get (session);
    if (session->state == ZC_SESSION_KEPT)
        zc_session_enter (session, ZC_SESSION_HEAD);
    s_run (session, bytes, len);
    if (session->state != ZC_SESSION_STREAM) /* the door of a stream does this itself */
        zc_session_flush (session);
    s_resume (session);
}

static void s_take_end (zc_session_t *session)
{
    zc_http_t *self = session->http;
    if (self && self->part == PART_WAIT)
        self->ended = true;
    else
        zc_session_drop (session);
}

/*  Whether a request whose head isn't complete may be for a stream: an EventSource comes back after
 *  a connection that was closed, and never again after a refusal. */
static bool s_may_be_stream (const zc_http_t *self)
{
    static const char method[] = "GET ";
    const zc_front_t *front = &self->session->server->front;
    zc_slice_t line = {(const char *)self->in.data + self->head.begin,
                       self->in.len - self->head.begin};
    size_t len = line.len < sizeof method - 1 ? line.len : sizeof method - 1;
    if (self->part != PART_HEAD || len == 0 || memcmp (line.at, method, len) != 0)
        return false;
    zc_slice_t path = {line.at + len, 0};
    while (len + path.len < line.len && !strchr (" ?\r\n", path.at[path.len]))
        path.len++;
    bool whole = len + path.len < line.len;
    for (size_t i = 0; i < front->door_count; i++) {
        zc_slice_t of = {front->doors[i].path, strlen (front->doors[i].path)};
        if (front->doors[i].door->streams &&
            (zc_slice_compare (of, path) == 0 || (!whole && zc_slice_begins (of, path))))
            return true;
    }
    return false;
}

static void s_expire (zc_session_t *session)
{
    zc_http_t *self = session->http;
    bool draining = session->server->front.draining;
    if (session->state >= ZC_SESSION_KEPT ||
        (self && (self->part >= PART_SKIP || s_may_be_stream (self))))
        zc_session_drop (session);
    else if (self && self->part == PART_WAIT)
        s_refuse (session, 503, "no answer in time");
    else if (draining)
        s_refuse (session, 503, "restarting, come back soon");
    else
        s_refuse (session, 408, "the request took too long");
}

/*  A request that has begun is still answered, within a short time. */
static void s_restart (zc_session_t *session)
{
    if (session->state == ZC_SESSION_KEPT)
        zc_session_drop (session);
    else if (session->state == ZC_SESSION_HEAD)
        zc_session_ready (session, UV_READABLE);
}

static void s_release (zc_session_t *session)
{
    s_destroy (&session->http);
}

static void s_dismiss (zc_session_t *session, const zc_farewell_t *why)
{
    (void)why;
    zc_session_drop (session);
}

static const zc_protocol_t s_protocol = {
    .take = s_take,
    .take_end = s_take_end,
    .resume = s_resume,
    .is_full = s_is_full,
    .expire = s_expire,
    .dismiss = s_dismiss,
    .restart = s_restart,
    .release = s_release,
};

void zc_http_serve (zc_server_t *server, int fd)
{
    char address[INET6_ADDRSTRLEN];
    zc_peer_address (fd, address);
    zc_session_t *session = zc_session_new (server, fd, &s_protocol);
    if (session && !zc_session_wait (session, address))
        zc_session_drop (session);
}

void zc_http_upgrade (zc_session_t *session, const zc_response_t *response)
{
    assert (session->http->busy); /* s_run frees it */
    session->http->part = PART_CLOSED;
    s_send_head (session, response, "");
}
