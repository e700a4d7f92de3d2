/*  cgi.c - the engine and the front with one request: the environment is its head, descriptor 0
 *  its body, descriptor 1 its answer. Rejected: libfcgi's FCGX streams, which block, and would
 *  need a loop of their own. */
#include "fcgi/cgi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fcgi/params.h"
#include "fcgi/server.h"
#include "lib/base/log.h"
#include "lib/front/events.h"
#include "lib/front/publish.h"
#include "lib/front/keeper.h"

extern char **environ;

#define DRAIN_MS 20    /* how often to check, while draining, whether all bytes are sent */
#define READ_MAX 65536 /* bytes read at once */
#define WAIT_MS 10     /* how often to check whether the broker's connection stands */
#define WAITS 500      /* and how many times, before giving up */

typedef struct {
    zc_client_t client; /* must be first */
    zc_options_t *options;
    zc_worker_t *worker;
    zc_front_t front;
    zc_keeper_t *keeper; /* owned; the front's guard */
    zc_rights_t *rights; /* owned; NULL: of no subject */
    zc_exchange_t exchange;
    zc_buf_t reply;      /* the whole answer, unless it is a stream */
    zc_params_t *params; /* owned; holds the exchange's slices */
    uv_poll_t poll;      /* of stdout, while it streams */
    bool polled;         /* stdout can be polled: it isn't a file */
    bool streaming;      /* the client is in the hub */
    bool left;           /* nothing is left to do */
    uv_poll_t body;      /* of stdin, while a body is read */
    bool reading;        /* `body` is active */
    uv_timer_t wait;     /* for the broker's connection, before publishing */
    unsigned waited;     /* times */
    uv_timer_t drain;    /* until the last bytes are sent */
} s_cgi_t;

bool zc_cgi_wanted (void)
{
    return getenv ("REQUEST_METHOD") && !zc_server_inherited ();
}

bool zc_cgi_words_are_foreign (void)
{
    const char *query = getenv ("QUERY_STRING"), *method = getenv ("REQUEST_METHOD");
    bool search = method && (strcmp (method, "GET") == 0 || strcmp (method, "HEAD") == 0);
    return search && query && *query && !strchr (query, '=');
}

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    ssize_t sent = writev (client->fd, iov, count);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    return (long)sent;
}

static void s_stop_reading (s_cgi_t *self)
{
    if (self->reading)
        uv_close ((uv_handle_t *)&self->body, NULL);
    self->reading = false;
}

/*  May be called again, from the end of a drain that was under way. */
static void s_leave (s_cgi_t *self)
{
    if (self->left)
        return;
    self->left = true;
    zc_keeper_rest (self->keeper);
    s_stop_reading (self);
    zc_hub_leave (zc_worker_hub (self->worker), &self->client);
    zc_registry_remove (zc_worker_registry (self->worker), &self->client);
    if (self->polled)
        uv_close ((uv_handle_t *)&self->poll, NULL);
    uv_close ((uv_handle_t *)&self->drain, NULL);
    zc_worker_stop (self->worker);
}

static void s_on_poll (uv_poll_t *poll, int status, int events)
{
    s_cgi_t *self = poll->data;
    if (status < 0 || events & UV_DISCONNECT) /* nobody reads stdout any more */
        s_leave (self);
    else if (events & UV_WRITABLE)
        zc_pump_send (zc_worker_pump (self->worker), &self->client);
}

/*  poll tells of a pipe without readers, whatever events it waits for. */
static void s_want_write (zc_client_t *client, bool on)
{
    s_cgi_t *self = (s_cgi_t *)client;
    if (self->polled)
        uv_poll_start (&self->poll, UV_DISCONNECT | (on ? UV_WRITABLE : 0), s_on_poll);
}

static void s_gone (zc_client_t *client, zc_gone_t why)
{
    s_cgi_t *self = (s_cgi_t *)client;
    const zc_farewell_t *farewell = zc_gone_farewell (why);
    if (farewell) {
        zc_events_end (client, false, farewell);
        zc_pump_send (zc_worker_pump (self->worker), client);
    }
    if (zc_gone_reason (why))
        zc_warn (ZC_EVENT ("client.dropped reason", "the client is dropped: %s"),
                 zc_gone_reason (why));
    s_leave (self);
}

static void s_describe (zc_client_t *client, char *text, size_t size)
{
    (void)client;
    const char *address = getenv ("REMOTE_ADDR");
    snprintf (text, size, "%s", address ? address : "unknown");
}

static const zc_transport_t s_transport = {
    .name = "cgi",
    .write = s_write,
    .want_write = s_want_write,
    .gone = s_gone,
    .describe = s_describe,
};

/*  ---------------------------------------------------------------- the carrier's hooks */

static s_cgi_t *s_self (zc_exchange_t *exchange)
{
    return (s_cgi_t *)(void *)((char *)exchange - offsetof (s_cgi_t, exchange));
}

/*  The answer is written after the loop, because its reader may be slow. */
static void s_answer (zc_exchange_t *exchange, const zc_response_t *response)
{
    s_cgi_t *self = s_self (exchange);
    zc_response_write_cgi (response, exchange->request.method == ZC_METHOD_HEAD, &self->reply);
    s_leave (self);
}

static zc_client_t *s_stream (zc_exchange_t *exchange, const zc_response_t *response)
{
    s_cgi_t *self = s_self (exchange);
    zc_buf_t head = ZC_BUF_INIT;
    int flags = fcntl (STDOUT_FILENO, F_GETFL);
    fcntl (STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK);
    self->client.transport = &s_transport;
    self->client.fd = STDOUT_FILENO;
    self->polled = uv_poll_init (zc_worker_loop (self->worker), &self->poll, STDOUT_FILENO) == 0;
    self->poll.data = self;
    self->streaming = true;
    s_want_write (&self->client, false);
    self->rights = zc_exchange_take_rights (exchange);
    zc_registry_add (zc_worker_registry (self->worker), &self->client, 0);
    zc_rights_watch (self->rights, &self->client);
    zc_client_asked (&self->client, exchange->begun_ms);
    zc_response_write_cgi (response, false, &head);
    zc_client_add (&self->client, head.data, head.len);
    zc_buf_clear (&head);
    return &self->client;
}

static const zc_carrier_t s_carrier = {
    .name = "cgi",
    .answer = s_answer,
    .stream = s_stream,
};

/*  ---------------------------------------------------------------- the request */

/*  Returns false if there is nothing more to read, for now or for ever. */
static bool s_read_body (s_cgi_t *self)
{
    static uint8_t bytes[READ_MAX];
    int64_t length = self->exchange.request.body;
    size_t want = sizeof bytes;
    if (length >= 0 && (uint64_t)length - self->exchange.received < want)
        want = (size_t)((uint64_t)length - self->exchange.received);
    ssize_t len = read (STDIN_FILENO, bytes, want);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (len > 0)
        zc_exchange_body (&self->exchange, bytes, (size_t)len);
    else
        zc_exchange_end (&self->exchange);
    return len > 0 && zc_exchange_wants_body (&self->exchange);
}

static void s_on_body (uv_poll_t *poll, int status, int events)
{
    s_cgi_t *self = poll->data;
    (void)status, (void)events;
    s_read_body (self);
    if (!zc_exchange_wants_body (&self->exchange))
        s_stop_reading (self);
}

/*  A file can't be polled, and is always ready. */
static void s_start_reading (s_cgi_t *self)
{
    self->body.data = self;
    if (uv_poll_init (zc_worker_loop (self->worker), &self->body, STDIN_FILENO) != 0) {
        while (s_read_body (self))
            ;
        return;
    }
    self->reading = true;
    uv_poll_start (&self->body, UV_READABLE | UV_DISCONNECT, s_on_body);
}

static void s_begin (s_cgi_t *self)
{
    zc_exchange_t *exchange = &self->exchange;
    uv_close ((uv_handle_t *)&self->wait, NULL);
    zc_front_begin (exchange);
    if (zc_exchange_wants_body (exchange))
        s_start_reading (self);
}

/*  This process serves one request. A stream can wait for the broker's connection; publishing
 *  needs it at once, and so does the list of revoked tokens. */
static void s_on_wait (uv_timer_t *timer)
{
    s_cgi_t *self = timer->data;
    bool ready =
        zc_link_connected (zc_worker_link (self->worker)) && !zc_worker_waits (self->worker);
    if (ready || ++self->waited >= WAITS)
        s_begin (self);
}

static void s_take_request (s_cgi_t *self)
{
    zc_slice_t values[ZC_VARIABLE_COUNT];
    zc_exchange_t *exchange = &self->exchange;
    self->params = zc_params_new (zc_cgi_find, ZC_VARIABLE_COUNT, 0);
    exchange->front = &self->front;
    exchange->carrier = &s_carrier;
    zc_params_read_environment (self->params, environ);
    zc_params_values (self->params, values);
    uv_timer_init (zc_worker_loop (self->worker), &self->wait);
    self->wait.data = self;
    if (zc_request_from_variables (&exchange->request, values) != 0) {
        uv_close ((uv_handle_t *)&self->wait, NULL);
        zc_exchange_refuse (exchange, 400, "body", "CONTENT_LENGTH is no number");
    } else if (exchange->request.method == ZC_METHOD_POST || zc_worker_waits (self->worker))
        uv_timer_start (&self->wait, s_on_wait, 0, WAIT_MS);
    else
        s_begin (self);
}

static int s_start (void *arg, zc_worker_t *worker)
{
    s_cgi_t *self = arg;
    self->worker = worker;
    uv_timer_init (zc_worker_loop (worker), &self->drain);
    self->drain.data = self;
    zc_front_init (&self->front, worker, self->options);
    self->front.fallback =
        &zc_door_events; /* the web server has chosen this program, whatever the path */
    zc_front_open (&self->front, "/events", &zc_door_events);
    zc_front_open (&self->front, "/publish", &zc_door_publish);
    self->keeper = zc_keeper_new (&self->front);
    if (!self->keeper)
        return -1;
    s_take_request (self);
    return 0;
}

static void s_on_drain (uv_timer_t *timer)
{
    s_cgi_t *self = timer->data;
    if (zc_client_lag (&self->client) == 0)
        s_leave (self);
}

/*  An answer may still come; the drain's timeout bounds it. */
static void s_drain (void *arg)
{
    s_cgi_t *self = arg;
    if (self->left || !self->streaming)
        return; /* the web server has seen the client leave, too */
    zc_events_retry (&self->client, self->worker, false);
    zc_pump_send (zc_worker_pump (self->worker), &self->client);
    if (!self->left)
        uv_timer_start (&self->drain, s_on_drain, 0, DRAIN_MS);
}

static void s_abort (void *arg)
{
    s_leave (arg);
}

static void s_reload (void *arg)
{
    (void)arg;
}

static int s_write_all (const zc_buf_t *bytes)
{
    for (size_t done = 0; done < bytes->len;) {
        ssize_t step = write (STDOUT_FILENO, bytes->data + done, bytes->len - done);
        if (step < 0 && errno != EINTR)
            return EXIT_FAILURE;
        done += step > 0 ? (size_t)step : 0;
    }
    return EXIT_SUCCESS;
}

int zc_cgi_run (zc_options_t *options)
{
    s_cgi_t self = {.options = options};
    const zc_service_t service = {
        .arg = &self,
        .start = s_start,
        .drain = s_drain,
        .abort = s_abort,
        .reload = s_reload,
    };
    char name[32];
    snprintf (name, sizeof name, "cgi.%d", (int)getpid ());
    int status = zc_worker_run (options, name, &service);
    if (status == EXIT_SUCCESS)
        status = s_write_all (&self.reply);
    zc_exchange_clear (&self.exchange);
    zc_rights_release (&self.rights);
    zc_keeper_destroy (&self.keeper);
    zc_front_clear (&self.front);
    zc_params_destroy (&self.params);
    zc_buf_clear (&self.reply);
    return status;
}
