/*  cgi.c - the same engine with one client, whose transport is descriptor 1 as it is. libfcgi's
 * FCGX streams, which could carry this too, block, and would need a loop of their own. */
#include "fcgi/cgi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fcgi/server.h"
#include "fcgi/stream.h"
#include "lib/base/log.h"

#define DRAIN_MS 20 /* how often it is seen, while draining, whether all is sent */

typedef struct {
    zc_client_t client; /* must be first */
    zc_options_t *options;
    zc_worker_t *worker;
    const zc_request_t *request;
    const zc_cors_t *cors;
    uv_poll_t poll;   /* of stdout */
    bool polled;      /* stdout can be polled: it isn't a file */
    uv_timer_t drain; /* while the last bytes are sent */
} s_cgi_t;

bool zc_cgi_wanted (void)
{
    return getenv ("REQUEST_METHOD") && !zc_server_inherited ();
}

bool zc_cgi_words_are_foreign (void)
{
    const char *query = getenv ("QUERY_STRING");
    return !query || !strchr (query, '=');
}

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    ssize_t sent = writev (client->fd, iov, count);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    return (long)sent;
}

/*  May come again, from the end of a drain that was under way. */
static void s_leave (s_cgi_t *self)
{
    if (uv_is_closing ((uv_handle_t *)&self->drain))
        return;
    zc_hub_leave (zc_worker_hub (self->worker), &self->client);
    if (self->polled)
        uv_close ((uv_handle_t *)&self->poll, NULL);
    uv_close ((uv_handle_t *)&self->drain, NULL);
    zc_worker_stop (self->worker);
}

static void s_on_poll (uv_poll_t *poll, int status, int events)
{
    s_cgi_t *self = poll->data;
    if (status < 0 || events & UV_DISCONNECT) /* nobody reads any more */
        s_leave (self);
    else if (events & UV_WRITABLE)
        zc_pump_send (zc_worker_pump (self->worker), &self->client);
}

/*  A pipe without readers is told to whoever polls it, whatever for. */
static void s_want_write (zc_client_t *client, bool on)
{
    s_cgi_t *self = (s_cgi_t *)client;
    if (self->polled)
        uv_poll_start (&self->poll, UV_DISCONNECT | (on ? UV_WRITABLE : 0), s_on_poll);
}

static void s_gone (zc_client_t *client, zc_gone_t why)
{
    if (why == ZC_GONE_SLOW)
        zc_warn ("the client fell too far behind");
    s_leave ((s_cgi_t *)client);
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

static int s_start (void *arg, zc_worker_t *worker)
{
    s_cgi_t *self = arg;
    uv_loop_t *loop = zc_worker_loop (worker);
    self->worker = worker;
    self->client.transport = &s_transport;
    self->client.fd = STDOUT_FILENO;
    uv_timer_init (loop, &self->drain);
    self->drain.data = self;
    self->polled = uv_poll_init (loop, &self->poll, STDOUT_FILENO) == 0;
    self->poll.data = self;
    s_want_write (&self->client, false);
    zc_stream_start (&self->client, worker, self->request, self->cors);
    return 0;
}

static void s_on_drain (uv_timer_t *timer)
{
    s_cgi_t *self = timer->data;
    if (zc_client_lag (&self->client) == 0)
        s_leave (self);
}

static void s_drain (void *arg)
{
    s_cgi_t *self = arg;
    if (uv_is_closing ((uv_handle_t *)&self->drain))
        return; /* the web server, too, has seen the client leave */
    zc_stream_retry (&self->client, self->worker);
    zc_pump_send (zc_worker_pump (self->worker), &self->client);
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

static int s_run_stream (zc_options_t *options, const zc_request_t *request, const zc_cors_t *cors)
{
    s_cgi_t self = {.options = options, .request = request, .cors = cors};
    const zc_service_t service = {&self, s_start, s_drain, s_abort, s_reload, NULL};
    char name[32];
    int flags = fcntl (STDOUT_FILENO, F_GETFL);
    fcntl (STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK);
    snprintf (name, sizeof name, "cgi.%d", (int)getpid ());
    return zc_worker_run (options, name, &service);
}

int zc_cgi_run (zc_options_t *options)
{
    zc_params_t *params = zc_params_new (zc_param_names, ZC_PARAM_COUNT, 0);
    zc_request_t request;
    zc_params_read_environment (params);
    zc_request_parse (&request, params, (size_t)zc_options_number (options, "max-topics"));
    zc_cors_t cors =
        zc_cors_check (options, "cors-origin", zc_params_get (params, ZC_PARAM_ORIGIN));
    int status;
    if (request.status != 200 || request.head) {
        zc_buf_t reply = ZC_BUF_INIT;
        zc_response_short (&reply, &cors, &request);
        status = s_write_all (&reply);
        zc_buf_clear (&reply);
    } else
        status = s_run_stream (options, &request, &cors);
    zc_request_clear (&request);
    zc_params_destroy (&params);
    return status;
}
