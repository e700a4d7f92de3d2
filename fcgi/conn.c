/*  conn.c - connections have no handle of libuv's: their sockets are in one zc_watch_t, and
 *  their timeouts in one zc_timeouts_t with one timer. A stream has no timeout.
 *
 *  A request ends as FastCGI peers expect: END_REQUEST, then the end of writing, then the rest
 *  of what the web server sends is read. Closing with unread bytes would reset the connection,
 *  and the web server could lose the answer.
 *
 *  A stream that is cut must be reset. nginx takes the end of a connection for the end of the
 *  answer, even without END_REQUEST, and tells its client that the answer is complete: clients
 *  such as `fetch` then never come back. Only a reset tells nginx otherwise. So while a client
 *  streams, the record that ends the request's body is left unread: then the kernel resets the
 *  connection, whether this process stops, crashes or is killed. (Tried with nginx 1.22,
 *  lighttpd 1.4.69 and Apache 2.4.) */
#include "fcgi/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi/framing.h"
#include "fcgi/record.h"
#include "lib/base/log.h"
#include "lib/front/console.h"
#include "lib/front/events.h"
#include "lib/front/health.h"
#include "lib/front/metrics.h"
#include "lib/front/passport.h"
#include "lib/front/publish.h"
#include "lib/front/ticker.h"
#include "lib/wire/sse.h"

#define ANSWER_MS 60000 /* for a door to answer; doors have timeouts of their own, far below */
#define BODY_STEP 4096  /* least bytes of a body in request-timeout */
#define KEEP_MS 75000   /* an idle kept connection; nginx closes it first, after 60 s */
#define LINGER_MS 2000  /* for the peer to close, after the end */
#define OUT_MAX 65536   /* bytes of answers that a peer may leave unread */
#define READ_MAX 65536  /* bytes read at once */
#define HURRY_MS 1000   /* for a request that is on its way while draining, at most */
#define TICK_MS 100     /* how often timeouts are checked */
#define DRAIN_MS 20     /* and while draining */

enum {
    STATE_READING,   /* a request is awaited, or incomplete */
    STATE_WAITING,   /* it is complete; its door will answer */
    STATE_STREAMING, /* its client is in the hub */
    STATE_ENDING,    /* `out` is sent, then no more */
    STATE_CLOSED     /* waits to be freed */
};

enum {
    TIMEOUT_REQUEST, /* for a request, or an answer, to be complete */
    TIMEOUT_ANSWER,
    TIMEOUT_KEEP,
    TIMEOUT_LINGER,
    TIMEOUT_HURRY,
};

/*  A request that hasn't ended. */
typedef struct {
    zc_exchange_t exchange; /* must be first */
    zc_conn_t *conn;        /* borrowed */
    zc_params_t *params;    /* owned; holds the exchange's slices */
    uint64_t counted;       /* bytes of its body when its timeout was last restarted */
    bool busy;              /* a call into the front is under way */
} s_request_t;

struct zc_conn {
    zc_client_t client;        /* the engine's; must be first */
    zc_conns_t *all;           /* borrowed */
    LIST_ENTRY (zc_conn) link; /* in all->streaming */
    zc_timeout_t timeout;      /* unless streaming */
    s_request_t *request;      /* owned; NULL while it streams, and between requests */
    zc_record_t record;        /* parses what the web server sends */
    zc_buf_t out;              /* whole records, sent between two of the stream's */
    zc_framing_t framing;      /* of the stream */
    zc_rights_t *rights;       /* owned; the stream's; NULL: of no subject */
    char *counted;             /* owned; the address that the stream is counted for, or NULL */
    uint8_t state;
    uint8_t events;      /* for which its socket is watched */
    bool refuse : 1;     /* there is no room: the client is told to come back */
    bool want_write : 1; /* the engine waits for the socket */
    bool shut : 1;       /* nothing more will be written */
    bool cut : 1;        /* to be reset, once `out` is sent */
    bool kept : 1;       /* it has had a request before */
    uint8_t family;      /* of the client's address; 0: unknown */
    uint8_t address[16]; /* for logs */
    uint16_t port;
};

static zc_log_limit_t s_limit_malformed, s_limit_timeout, s_limit_gone;

/*  ---------------------------------------------------------------- states and timeouts */

static void s_on_tick (uv_timer_t *timer);

static void s_start_timeout (zc_conn_t *self, unsigned kind)
{
    zc_conns_t *all = self->all;
    zc_timeouts_start (&all->timeouts, &self->timeout, kind, uv_now (zc_worker_loop (all->worker)));
    if (!uv_is_active ((uv_handle_t *)&all->tick))
        uv_timer_start (&all->tick, s_on_tick, TICK_MS, TICK_MS);
}

/*  Leaves the present state. */
static void s_exit (zc_conn_t *self)
{
    zc_timeouts_stop (&self->all->timeouts, &self->timeout);
    if (self->state != STATE_STREAMING)
        return;
    LIST_REMOVE (self, link);
    self->all->front.clients--;
}

static void s_start_streaming (zc_conn_t *self)
{
    s_exit (self);
    self->state = STATE_STREAMING;
    LIST_INSERT_HEAD (&self->all->streaming, self, link);
    self->all->front.clients++;
}

static void s_change (zc_conn_t *self, uint8_t state, unsigned timeout)
{
    s_exit (self);
    self->state = state;
    s_start_timeout (self, timeout);
}

/*  ---------------------------------------------------------------- the end of a connection */

static const char *s_address (const zc_conn_t *self, char text[INET6_ADDRSTRLEN])
{
    return inet_ntop (self->family, self->address, text, INET6_ADDRSTRLEN);
}

static void s_leave (zc_conn_t *self)
{
    zc_registry_remove (zc_worker_registry (self->all->worker), &self->client);
    if (self->state == STATE_STREAMING)
        zc_hub_leave (zc_worker_hub (self->all->worker), &self->client);
    if (self->counted)
        zc_front_leave (&self->all->front, self->counted);
    zc_rights_release (&self->rights);
    free (self->counted);
    self->counted = NULL;
    self->want_write = false;
}

/*  Forgets the request; while a call into the front is under way, this is left for after it. */
static void s_forget_request (zc_conn_t *self)
{
    s_request_t *request = self->request;
    if (!request || request->busy)
        return;
    self->request = NULL;
    zc_exchange_clear (&request->exchange);
    zc_params_destroy (&request->params);
    free (request);
}

/*  The memory is freed later, so callers up the stack can still see that the connection is
 *  closed. */
static void s_close (zc_conn_t *self)
{
    if (self->state == STATE_CLOSED)
        return;
    s_leave (self);
    s_forget_request (self);
    s_exit (self);
    self->state = STATE_CLOSED;
    zc_record_clear (&self->record);
    zc_buf_clear (&self->out);
    zc_watch_remove (self->all->watch, self->client.fd); /* another process may have it, too */
    zc_watch_release (self->all->watch, self);
    close (self->client.fd);
    self->client.fd = -1;
}

/*  ---------------------------------------------------------------- sending */

static void s_update_watch (zc_conn_t *self)
{
    bool write = self->want_write || (self->out.len > 0 && zc_framing_idle (&self->framing));
    bool edge = self->state == STATE_STREAMING || self->cut; /* bytes are left unread */
    uint8_t events =
        (self->cut ? 0 : UV_READABLE) | (write ? UV_WRITABLE : 0) | (edge ? ZC_WATCH_EDGE : 0);
    if (self->state == STATE_CLOSED || events == self->events)
        return;
    self->events = events;
    zc_watch_change (self->all->watch, self->client.fd, events, self);
}

/*  Sends as much of `out` as the socket takes. Returns -1 if the socket failed. */
static int s_send_out (zc_conn_t *self)
{
    if (self->out.len == 0 || !zc_framing_idle (&self->framing))
        return 0;
    ssize_t sent = send (self->client.fd, self->out.data, self->out.len, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    zc_buf_shift (&self->out, (size_t)sent);
    if (self->out.len == 0)
        zc_buf_clear (&self->out);
    return 0;
}

/*  On a Unix socket, the unread bytes make the kernel reset it. */
static void s_reset (zc_conn_t *self)
{
    const struct linger now = {.l_onoff = 1};
    setsockopt (self->client.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    s_close (self);
}

/*  Like s_send_out, and handles the result. */
static void s_flush (zc_conn_t *self)
{
    if (s_send_out (self) < 0) {
        s_close (self);
        return;
    }
    if (self->cut && self->out.len == 0) {
        s_reset (self);
        return;
    }
    if (self->state == STATE_ENDING && self->out.len == 0 && !self->shut) {
        shutdown (self->client.fd, SHUT_WR);
        self->shut = true;
        s_start_timeout (self, TIMEOUT_LINGER);
    }
    s_update_watch (self);
}

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    zc_conn_t *self = (zc_conn_t *)client;
    zc_framing_plan_t plan;
    if (s_send_out (self) < 0)
        return -1;
    if (self->out.len > 0 && zc_framing_idle (&self->framing))
        return 0;
    zc_framing_plan (&self->framing, self->record.request, iov, count, &plan);
    struct msghdr message = {.msg_iov = plan.iov, .msg_iovlen = (size_t)plan.count};
    ssize_t sent = sendmsg (client->fd, &message, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    return (long)zc_framing_sent (&self->framing, &plan, (size_t)sent);
}

static int s_begin (zc_client_t *client, size_t len, uint8_t head[ZC_CLIENT_HEAD])
{
    zc_conn_t *self = (zc_conn_t *)client;
    if (self->out.len > 0)
        return -1;
    return zc_framing_begin (&self->framing, self->record.request, len, head);
}

static size_t s_end (zc_client_t *client, size_t len, size_t sent)
{
    return zc_framing_end (&((zc_conn_t *)client)->framing, len, sent);
}

static void s_want_write (zc_client_t *client, bool on)
{
    zc_conn_t *self = (zc_conn_t *)client;
    self->want_write = on;
    s_update_watch (self);
}

static void s_describe (zc_client_t *client, char *text, size_t size)
{
    zc_conn_t *self = (zc_conn_t *)client;
    char address[INET6_ADDRSTRLEN];
    snprintf (text, size, self->family == AF_INET6 ? "[%s]:%u" : "%s:%u",
              self->family ? s_address (self, address) : "unknown", self->port);
}

static void s_dismiss (zc_conn_t *self, const zc_farewell_t *why);

static void s_gone (zc_client_t *client, zc_gone_t why)
{
    const char *reason = zc_gone_reason (why);
    char text[64];
    const zc_farewell_t *farewell = zc_gone_farewell (why);
    if (farewell) {
        s_dismiss ((zc_conn_t *)client, farewell);
        return;
    }
    s_describe (client, text, sizeof text);
    zc_log_limited (&s_limit_gone, reason ? ZC_LOG_WARN : ZC_LOG_DEBUG,
                    ZC_EVENT ("client.closed client reason", "%s: closed: %s"), text,
                    reason ? reason : "its connection failed");
    s_close ((zc_conn_t *)client);
}

static const zc_transport_t s_transport = {
    .name = "sse",
    .write = s_write,
    .want_write = s_want_write,
    .gone = s_gone,
    .describe = s_describe,
    .begin = s_begin,
    .end = s_end,
};

/*  ---------------------------------------------------------------- requests */

/*  Forgets the active request. A record that was begun is filled up, so that the web server
 *  finds the next header where it expects one. */
static void s_leave_request (zc_conn_t *self)
{
    zc_buf_t tail = ZC_BUF_INIT;
    s_leave (self);
    s_forget_request (self);
    zc_framing_fill (&self->framing, self->record.request, &tail);
    zc_buf_add (&tail, self->out.data, self->out.len);
    zc_buf_clear (&self->out);
    self->out = tail;
}

/*  The active request has ended. */
static void s_end_request (zc_conn_t *self)
{
    s_leave_request (self);
    zc_record_finish (&self->record, &self->out);
    bool keep = self->record.keep && !self->all->front.draining && !self->refuse;
    if (keep)
        s_change (self, STATE_READING, TIMEOUT_KEEP);
    else
        s_change (self, STATE_ENDING, TIMEOUT_REQUEST);
    self->kept = true;
    s_flush (self);
}

/*  Ends a stream so that it looks cut to its client, since some clients would never come back
 *  otherwise. So the web server isn't told that the request is complete. */
static void s_cut_stream (zc_conn_t *self)
{
    s_leave_request (self);
    self->cut = true;
    s_change (self, STATE_ENDING, TIMEOUT_REQUEST);
    s_flush (self);
}

/*  ---------------------------------------------------------------- the carrier's hooks */

static zc_conn_t *s_conn (const zc_exchange_t *exchange)
{
    return ((const s_request_t *)exchange)->conn;
}

static void s_answer (zc_exchange_t *exchange, const zc_response_t *response)
{
    zc_conn_t *self = s_conn (exchange);
    zc_buf_t text = ZC_BUF_INIT;
    zc_response_write_cgi (response, exchange->request.method == ZC_METHOD_HEAD, &text);
    zc_record_stdout (&self->record, &self->out, text.data, text.len);
    zc_buf_clear (&text);
    s_end_request (self);
}

static zc_client_t *s_stream (zc_exchange_t *exchange, const zc_response_t *response)
{
    zc_conn_t *self = s_conn (exchange);
    zc_buf_t head = ZC_BUF_INIT;
    int fd = self->client.fd;
    memset (&self->client, 0, sizeof self->client);
    self->client.transport = &s_transport;
    self->client.fd = fd;
    if (zc_exchange_take_count (exchange) && !(self->counted = strdup (exchange->address)))
        abort ();
    self->rights = zc_exchange_take_rights (exchange);
    zc_registry_add (zc_worker_registry (self->all->worker), &self->client, 0);
    zc_rights_watch (self->rights, &self->client);
    zc_client_asked (&self->client, exchange->begun_ms);
    s_start_streaming (self);
    zc_response_write_cgi (response, false, &head);
    zc_client_add (&self->client, head.data, head.len);
    zc_buf_clear (&head);
    return &self->client;
}

static bool s_has_room (zc_exchange_t *exchange)
{
    return !s_conn (exchange)->refuse;
}

static const zc_carrier_t s_carrier = {
    .name = "fcgi",
    .answer = s_answer,
    .stream = s_stream,
    .has_room = s_has_room,
};

/*  ---------------------------------------------------------------- requests, and their bodies */

/*  Also removes a text that isn't an address, so that limits don't count by it. */
static void s_note_peer (zc_conn_t *self, zc_request_t *request)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (request->peer.len < sizeof text)
        memcpy (text, request->peer.at, request->peer.len);
    self->family = inet_pton (AF_INET, text, self->address) == 1    ? AF_INET
                   : inet_pton (AF_INET6, text, self->address) == 1 ? AF_INET6
                                                                    : 0;
    self->port = request->port;
    if (!self->family)
        request->peer.len = 0;
    /*  The web server has told its own name: no other is believed. */
    request->fields[ZC_FIELD_X_FORWARDED_HOST] = (zc_slice_t){NULL, 0};
}

/*  Does what a call into the front has left to do. */
static void s_after_call (zc_conn_t *self)
{
    s_request_t *request = self->request;
    request->busy = false;
    if (self->state == STATE_CLOSED || request->exchange.over) {
        s_forget_request (self);
    } else if (request->exchange.whole) {
        s_change (self, STATE_WAITING, TIMEOUT_ANSWER);
    } else if (request->exchange.received - request->counted >= BODY_STEP) {
        request->counted = request->exchange.received;
        s_start_timeout (self, TIMEOUT_REQUEST);
    }
}

/*  Whether the URL, and all parts of the head that are kept, have a size that is served. Web
 *  servers send the query twice. Returns false after it has refused. */
static bool s_is_within_head (zc_conn_t *self, zc_exchange_t *exchange, const zc_slice_t *values)
{
    size_t max = self->all->max_head, url = values[ZC_VARIABLE_REQUEST_URI].len;
    if (url <= max && zc_params_size (self->request->params) - url <= max)
        return true;
    zc_denial_t refusal = zc_front_limit (exchange->front, ZC_LIMIT_HEAD);
    if (url > max) {
        refusal.status = 414;
        refusal.text = "the URL is too long";
    }
    zc_exchange_refuse_by (exchange, &refusal);
    return false;
}

/*  The parameters are complete. */
static void s_begin_request (zc_conn_t *self)
{
    zc_slice_t values[ZC_VARIABLE_COUNT];
    s_request_t *request = calloc (1, sizeof *request);
    if (!request)
        abort ();
    self->request = request;
    request->conn = self;
    request->params = zc_record_take_params (&self->record);
    request->busy = true;
    zc_exchange_t *exchange = &request->exchange;
    exchange->front = &self->all->front;
    exchange->carrier = &s_carrier;
    zc_params_values (request->params, values);
    int bad = zc_request_from_variables (&exchange->request, values);
    s_note_peer (self, &exchange->request);
    if (bad)
        zc_exchange_refuse (exchange, 400, "body", "CONTENT_LENGTH is no number");
    else if (s_is_within_head (self, exchange, values))
        zc_front_begin (exchange);
    s_after_call (self);
}

/*  Takes the next run of the body; NULL: its end. */
static void s_take_body (zc_conn_t *self, const zc_slice_t *body)
{
    if (!self->request)
        return;
    self->request->busy = true;
    if (body)
        zc_exchange_body (&self->request->exchange, body->at, body->len);
    else
        zc_exchange_end (&self->request->exchange);
    s_after_call (self);
}

static void s_malformed (zc_conn_t *self, const char *what)
{
    self->all->stats.malformed++;
    zc_log_limited (
        &s_limit_malformed, ZC_LOG_WARN,
        ZC_EVENT ("webserver.malformed error", "a web server's connection is closed: %s"), what);
    s_close (self);
}

/*  Handles one event of the record layer. */
static void s_handle (zc_conn_t *self, zc_record_event_t event, const zc_slice_t *body)
{
    if (event == ZC_RECORD_REQUEST)
        s_begin_request (self);
    else if (event == ZC_RECORD_BODY)
        s_take_body (self, body);
    else if (event == ZC_RECORD_END)
        s_take_body (self, NULL);
    else if (event == ZC_RECORD_ABORT)
        s_end_request (self);
    else if (event == ZC_RECORD_ERROR)
        s_malformed (self, zc_record_strerror (&self->record));
    else if (event == ZC_RECORD_CLOSE)
        s_change (self, STATE_ENDING, TIMEOUT_REQUEST);
}

static bool s_listens (const zc_conn_t *self)
{
    return self->state <= STATE_STREAMING;
}

/*  Returns how many bytes were taken. Bytes behind a request that has become a stream are not. */
static size_t s_take (zc_conn_t *self, const uint8_t *bytes, size_t len)
{
    bool idle = zc_record_idle (&self->record);
    size_t given = len;
    zc_slice_t body;
    while (s_listens (self)) {
        bool streamed = self->state == STATE_STREAMING;
        zc_record_event_t event = zc_record_read (&self->record, &bytes, &len, &self->out, &body);
        if (event == ZC_RECORD_MORE)
            break;
        s_handle (self, event, &body);
        if (self->state == STATE_STREAMING && !streamed)
            break;
    }
    if (self->out.len > OUT_MAX)
        s_malformed (self, "it reads no answers");
    if (self->state == STATE_READING && idle && !zc_record_idle (&self->record))
        s_start_timeout (self, TIMEOUT_REQUEST);
    if (self->state != STATE_CLOSED)
        s_flush (self);
    return s_listens (self) ? given - len : given;
}

/*  The bytes are peeked at first and then read, as some may have to stay unread. */
static void s_readable (zc_conn_t *self)
{
    static uint8_t bytes[READ_MAX];
    ssize_t len = recv (self->client.fd, bytes, sizeof bytes, MSG_PEEK);
    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR)) {
        s_close (self);
        return;
    }
    if (len < 0 ||
        (self->state == STATE_STREAMING && zc_record_is_end (&self->record, bytes, (size_t)len)))
        return;
    size_t taken = s_take (self, bytes, (size_t)len);
    if (self->state != STATE_CLOSED && recv (self->client.fd, bytes, taken, 0) < 0)
        s_close (self); /* can't happen: they were there */
}

/*  A socket that is watched by edges must be watched anew if it isn't full after all. */
static void s_writable (zc_conn_t *self)
{
    if (self->want_write)
        zc_pump_send (zc_worker_pump (self->all->worker), &self->client);
    if (self->state == STATE_CLOSED)
        return;
    if (self->state == STATE_STREAMING && self->want_write)
        self->events = 0;
    s_flush (self);
}

static void s_on_ready (void *item, int events)
{
    zc_conn_t *self = item;
    if (events & UV_DISCONNECT && self->state == STATE_STREAMING) {
        s_close (self);
        return;
    }
    if (events & UV_WRITABLE)
        s_writable (self);
    if (self->state != STATE_CLOSED && events & UV_READABLE)
        s_readable (self);
}

/*  The stream ends in order, and its client has been told why. A client that doesn't take its bytes
 * isn't waited for. */
static void s_dismiss (zc_conn_t *self, const zc_farewell_t *why)
{
    zc_events_end (&self->client, false, why);
    zc_pump_send (zc_worker_pump (self->all->worker), &self->client);
    if (self->state == STATE_STREAMING && zc_client_lag (&self->client) > 0)
        s_close (self);
    else if (self->state == STATE_STREAMING)
        s_end_request (self);
}

/*  ---------------------------------------------------------------- all connections */

/*  NULL where the socket can't be watched; it is closed then. */
static zc_conn_t *s_new (zc_conns_t *all, int fd)
{
    zc_conn_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->events = UV_READABLE;
    if (zc_watch_add (all->watch, fd, self->events, self) != 0) {
        close (fd);
        free (self);
        return NULL;
    }
    self->all = all;
    self->client.fd = fd;
    zc_record_init (&self->record);
    return self;
}

void zc_conns_add (zc_conns_t *all, int fd, bool refuse)
{
    zc_conn_t *self = s_new (all, fd);
    if (!self)
        return;
    self->refuse = refuse;
    s_start_timeout (self, TIMEOUT_REQUEST);
    all->stats.connections++;
    s_readable (self); /* the request is usually there already */
}

static void s_expire (zc_conn_t *self)
{
    if (self->state == STATE_READING && !(self->kept && zc_record_idle (&self->record))) {
        self->all->stats.timeouts++;
        zc_log_limited (
            &s_limit_timeout, ZC_LOG_WARN,
            ZC_EVENT ("webserver.silent",
                      "a web server's connection is closed: its request stayed incomplete"));
    }
    s_close (self);
}

/*  A client that waits for the broker is cut at once: it resumes elsewhere. */
static void s_cut_if_sent (zc_conn_t *self)
{
    if (self->state == STATE_STREAMING && zc_client_lag (&self->client) == 0)
        s_cut_stream (self);
}

static void s_stop (zc_conns_t *all)
{
    if (!uv_is_closing ((uv_handle_t *)&all->tick))
        uv_close ((uv_handle_t *)&all->tick, NULL);
    zc_watch_destroy (&all->watch);
    zc_worker_stop (all->worker);
}

static void s_on_tick (uv_timer_t *timer)
{
    zc_conns_t *all = timer->data;
    zc_timeout_t *due;
    while ((due = zc_timeouts_due (&all->timeouts, uv_now (timer->loop))))
        s_expire (ZC_TIMEOUT_OWNER (due, zc_conn_t, timeout));
    for (zc_conn_t *self = LIST_FIRST (&all->streaming), *next; all->front.draining && self;
         self = next) {
        next = LIST_NEXT (self, link);
        s_cut_if_sent (self);
    }
    if (!zc_timeouts_idle (&all->timeouts) ||
        (all->front.draining && !LIST_EMPTY (&all->streaming)))
        return;
    uv_timer_stop (timer);
    if (all->front.draining)
        s_stop (all);
}

/*  ---------------------------------------------------------------- upgrades */

static bool s_can_go (const zc_conn_t *self)
{
    return !self->client.leaving && !self->request && self->out.len == 0 &&
           zc_record_whole (&self->record) && zc_hub_portable (&self->client) &&
           zc_client_private (&self->client) <= ZC_HANDOVER_FRAME_MAX / 2;
}

static void s_list_topics (const zc_client_t *client, zc_buf_t *out)
{
    const zc_slice_t *topics;
    size_t count = zc_hub_topics (client, &topics);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            zc_buf_addc (out, '\n');
        zc_buf_add (out, topics[i].at, topics[i].len);
    }
}

static void s_fill_record (zc_conn_t *self, zc_handover_t *client)
{
    const char *encoding = zc_hub_encoding (&self->client);
    *client = (zc_handover_t){
        .kind = ZC_HANDOVER_CLIENT,
        .protocol = ZC_HANDOVER_FASTCGI,
        .encoding = {encoding, strlen (encoding)},
        .position = zc_hub_position (&self->client), /* the rest of its message is private now */
        .port = self->port,
        .client = zc_client_id (&self->client),
        .request = self->record.request,
        .request_flags = (self->record.body ? 1u : 0) | (self->record.keep ? 2u : 0),
        .owed_header = self->framing.header,
        .owed_content = self->framing.content,
    };
    if (self->counted)
        client->address = (zc_slice_t){self->counted, strlen (self->counted)};
    if (self->client.private_)
        client->unsent =
            (zc_slice_t){(const char *)self->client.private_->data + self->client.private_sent,
                         zc_client_private (&self->client)};
}

static void s_give (zc_conn_t *self, zc_giver_t *giver)
{
    zc_handover_t client;
    zc_buf_t topics = ZC_BUF_INIT, lists = ZC_BUF_INIT;
    char peer[INET6_ADDRSTRLEN];
    s_fill_record (self, &client);
    s_list_topics (&self->client, &topics);
    client.topics = (zc_slice_t){(const char *)topics.data, topics.len};
    if (self->family)
        client.peer = (zc_slice_t){s_address (self, peer), strlen (peer)};
    zc_passport_write (&client, self->rights, &lists);
    zc_giver_add (giver, &client, self->client.fd, self);
    zc_buf_clear (&topics);
    zc_buf_clear (&lists);
}

void zc_conns_give (zc_conns_t *all, zc_giver_t *giver)
{
    zc_conn_t *self;
    LIST_FOREACH (self, &all->streaming, link)
    if (s_can_go (self))
        s_give (self, giver);
}

void zc_conn_given (void *conn)
{
    s_close (conn);
}

size_t zc_conns_left (const zc_conns_t *all)
{
    const zc_conn_t *self;
    size_t count = 0;
    LIST_FOREACH (self, &all->streaming, link)
    count++;
    return count;
}

const zc_encoding_t *zc_conns_encoding (zc_slice_t name)
{
    return zc_slice_is (name, zc_encoding_sse.name)        ? &zc_encoding_sse
           : zc_slice_is (name, zc_encoding_sse_json.name) ? &zc_encoding_sse_json
                                                           : NULL;
}

bool zc_conns_can_take (const zc_handover_t *client)
{
    return client->protocol == ZC_HANDOVER_FASTCGI && client->request && client->topics.len > 0 &&
           zc_conns_encoding (client->encoding) &&
           (!(client->flags & ZC_HANDOVER_IDENTITY) || client->limit_key.len > 0);
}

/*  As s_stream and s_begin_request have left it in the other process. */
static void s_adopt (zc_conn_t *self, const zc_handover_t *client)
{
    zc_front_t *front = &self->all->front;
    zc_request_t request = {.peer = client->peer, .port = (uint16_t)client->port};
    s_note_peer (self, &request);
    self->client.transport = &s_transport;
    zc_record_adopt (&self->record, (uint16_t)client->request, client->request_flags & 1,
                     client->request_flags & 2);
    self->framing.header = (uint8_t)client->owed_header;
    self->framing.content = (uint16_t)client->owed_content;
    if (client->address.len) {
        if (!(self->counted = strndup (client->address.at, client->address.len)))
            abort ();
        zc_addresses_enter (front->addresses, self->counted, 0);
    }
    self->rights = zc_passport_read (client, front);
    zc_registry_add (zc_worker_registry (self->all->worker), &self->client, client->client);
    zc_rights_watch (self->rights, &self->client);
    s_start_streaming (self);
}

static void s_join (zc_conn_t *self, const zc_handover_t *client)
{
    zc_slice_t list = client->topics, topic, *topics = NULL;
    size_t count = 0;
    while (zc_handover_next (&list, &topic)) {
        if (count % 16 == 0 && !(topics = realloc (topics, (count + 16) * sizeof *topics)))
            abort ();
        topics[count++] = topic;
    }
    zc_keeper_resume (&self->all->front, self->rights, &self->client,
                      zc_conns_encoding (client->encoding), topics, count, client->position);
    free (topics);
}

void zc_conns_take (zc_conns_t *all, const zc_handover_t *client, int fd)
{
    zc_conn_t *self = s_new (all, fd);
    if (!self)
        return;
    s_adopt (self, client);
    if (client->unsent.len > 0)
        zc_client_add (&self->client, client->unsent.at, client->unsent.len);
    s_join (self, client);
    s_update_watch (self);
    zc_pump_send (zc_worker_pump (all->worker), &self->client);
}

int zc_conns_init (zc_conns_t *all, zc_worker_t *worker, zc_options_t *options)
{
    memset (all, 0, sizeof *all);
    all->worker = worker;
    all->options = options;
    zc_front_init (&all->front, worker, options);
    all->front.fallback =
        &zc_door_events; /* the web server has chosen this program, whatever the path */
    zc_front_open (&all->front, "/events", &zc_door_events);
    zc_front_open (&all->front, "/metrics", &zc_door_metrics);
    zc_console_open (&all->front);
    zc_front_open (&all->front, "/live", &zc_door_live);
    zc_front_open (&all->front, "/ready", &zc_door_ready);
    zc_front_open (&all->front, "/publish", &zc_door_publish);
    zc_timeouts_init (&all->timeouts);
    LIST_INIT (&all->streaming);
    zc_conns_configure (all);
    all->keeper = zc_keeper_new (&all->front);
    all->watch = all->keeper ? zc_watch_new (zc_worker_loop (worker), s_on_ready, free) : NULL;
    if (!all->watch) {
        zc_keeper_rest (all->keeper);
        return -1;
    }
    uv_timer_init (zc_worker_loop (worker), &all->tick);
    all->tick.data = all;
    return 0;
}

void zc_conns_configure (zc_conns_t *all)
{
    unsigned request = (unsigned)zc_options_number (all->options, "request-timeout");
    zc_timeouts_set (&all->timeouts, TIMEOUT_REQUEST, request);
    zc_timeouts_set (&all->timeouts, TIMEOUT_ANSWER, ANSWER_MS);
    zc_timeouts_set (&all->timeouts, TIMEOUT_KEEP, KEEP_MS);
    zc_timeouts_set (&all->timeouts, TIMEOUT_LINGER, LINGER_MS);
    zc_timeouts_set (&all->timeouts, TIMEOUT_HURRY, request < HURRY_MS ? request : HURRY_MS);
    all->max_head = (size_t)zc_options_number (all->options, "max-head");
    zc_front_configure (&all->front);
    if (all->keeper)
        zc_keeper_configure (all->keeper);
}

void zc_conns_clear (zc_conns_t *all)
{
    zc_keeper_destroy (&all->keeper);
    zc_front_clear (&all->front);
}

void zc_conns_drain (zc_conns_t *all)
{
    all->front.draining = true;
    zc_keeper_rest (all->keeper);
    zc_health_rest (&all->front);
    zc_ticker_rest (&all->front);
    for (zc_timeout_t *one; (one = zc_timeouts_first (&all->timeouts, TIMEOUT_KEEP));)
        s_close (ZC_TIMEOUT_OWNER (one, zc_conn_t, timeout));
    for (zc_timeout_t *one = zc_timeouts_first (&all->timeouts, TIMEOUT_REQUEST), *next; one;
         one = next) {
        zc_conn_t *self = ZC_TIMEOUT_OWNER (one, zc_conn_t, timeout);
        next = zc_timeouts_next (one);
        if (self->state == STATE_READING) /* a request on its way is still answered */
            s_start_timeout (self, TIMEOUT_HURRY);
    }
    for (zc_conn_t *self = LIST_FIRST (&all->streaming), *next; self; self = next) {
        next = LIST_NEXT (self, link);
        zc_events_retry (&self->client, all->worker, false);
        zc_pump_send (zc_worker_pump (all->worker), &self->client);
        s_cut_if_sent (self);
    }
    uv_timer_start (&all->tick, s_on_tick, DRAIN_MS, DRAIN_MS);
}

void zc_conns_abort (zc_conns_t *all)
{
    for (unsigned kind = 0; kind < ZC_TIMEOUT_KINDS; kind++)
        for (zc_timeout_t *one; (one = zc_timeouts_first (&all->timeouts, kind));)
            s_close (ZC_TIMEOUT_OWNER (one, zc_conn_t, timeout));
    while (!LIST_EMPTY (&all->streaming))
        s_close (LIST_FIRST (&all->streaming));
    s_stop (all);
}
