/*  server.c - see server.h. A few connections are accepted at a time, so that processes that
 *  share the socket share the clients. */
#include "ws/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/daemon.h"
#include "lib/base/listen.h"
#include "lib/base/log.h"
#include "lib/front/console.h"
#include "lib/front/events.h"
#include "lib/front/health.h"
#include "lib/front/metrics.h"
#include "lib/front/publish.h"
#include "lib/front/ticker.h"
#include "ws/deflate.h"
#include "ws/handshake.h"
#include "ws/http.h"
#include "ws/travel.h"
#include "lib/wire/figures.h"

#define ACCEPT_MAX 16                /* connections accepted in one turn */
#define EXPIRE_MAX 500               /* sessions whose timeout is over, handled in one turn */
#define TICK_MS 250                  /* how often timeouts are checked, at most */
#define CLOSE_MS 2000                /* for the client's half of a close */
#define STREAM_MS (24 * 3600 * 1000) /* does nothing when it is over: a stream has no end */
#define ANSWER_MS 60000 /* for a door to answer; doors have timeouts of their own, far below */
#define DRAIN_MS 1000   /* for a request that has begun, from when the daemon stops */

static zc_log_limit_t s_limit_files;

static unsigned s_number (const zc_server_t *self, const char *name)
{
    return (unsigned)zc_options_number (self->options, name);
}

static void s_configure (zc_server_t *self)
{
    unsigned silence = s_number (self, "pong-timeout");
    self->max_head = s_number (self, "max-head");
    self->max_message = s_number (self, "max-message");
    self->deflate_from = s_number (self, "deflate-from");
    zc_deflate_from (self->deflate_from);
    self->rate = s_number (self, "rate");
    self->burst = s_number (self, "burst");
    self->silence = silence;
    zc_timeouts_set (&self->timeouts, ZC_SESSION_HEAD, s_number (self, "head-timeout"));
    zc_timeouts_set (&self->timeouts, ZC_SESSION_WAITING, ANSWER_MS);
    zc_timeouts_set (&self->timeouts, ZC_SESSION_KEPT, s_number (self, "keep-alive"));
    zc_timeouts_set (&self->timeouts, ZC_SESSION_STREAM, STREAM_MS);
    zc_timeouts_set (&self->timeouts, ZC_SESSION_OPEN, silence - silence / 3);
    zc_timeouts_set (&self->timeouts, ZC_SESSION_PINGED, silence / 3);
    zc_timeouts_set (&self->timeouts, ZC_SESSION_CLOSING, CLOSE_MS);
    zc_front_configure (&self->front);
    self->proxy_protocol = zc_options_bool (self->options, "proxy-protocol");
}

/*  If two doors have the same path, the first one gets it. */
static void s_open_doors (zc_server_t *self)
{
    zc_front_t *front = &self->front;
    zc_front_open (front, zc_options_text (self->options, "path"), &zc_door_ws);
    if (zc_options_bool (self->options, "test-echo"))
        zc_front_open (front, "/echo", &zc_door_echo);
    zc_front_open (front, "/events", &zc_door_events);
    zc_front_open (front, "/metrics", &zc_door_metrics);
    zc_console_open (front);
    zc_front_open (front, "/live", &zc_door_live);
    zc_front_open (front, "/ready", &zc_door_ready);
    zc_front_open (front, "/publish", &zc_door_publish);
    zc_front_open (front, "/", &zc_door_ws);
}

/*  Timeouts. */

static void s_on_timer (uv_timer_t *timer)
{
    zc_server_t *self = timer->data;
    unsigned handled = 0;
    zc_timeout_t *due;
    while (handled < EXPIRE_MAX &&
           (due = zc_timeouts_due (&self->timeouts, uv_now (timer->loop)))) {
        zc_session_t *session = ZC_TIMEOUT_OWNER (due, zc_session_t, timeout);
        session->protocol->expire (session);
        handled++;
    }
    if (!uv_is_closing ((uv_handle_t *)timer))
        uv_timer_start (timer, s_on_timer, handled < EXPIRE_MAX ? TICK_MS : 1, 0);
}

/*  Accepting. */

static void s_on_pause_over (uv_timer_t *timer);

/*  Out of descriptors: peers wait in the backlog until some are free. */
static void s_pause (zc_server_t *self)
{
    zc_log_limited (&s_limit_files, ZC_LOG_WARN,
                    ZC_EVENT ("descriptors.scarce", "out of file descriptors: new connections wait "
                                                    "(raise the limit: LimitNOFILE, ulimit -n)"));
    self->stats.out_of_files++;
    uv_poll_stop (&self->poll);
    uv_timer_start (&self->pause, s_on_pause_over, ZC_ACCEPT_PAUSE_MS, 0);
}

/*  Moves a connection to the lowest free number, if that is lower. */
static int s_move_down (int fd)
{
    int lowest = fcntl (fd, F_DUPFD_CLOEXEC, 0);
    if (lowest < 0)
        return fd;
    int moved = lowest < fd ? lowest : fd;
    close (lowest < fd ? fd : lowest);
    return moved;
}

/*  Accepts the next connection. Returns -1 if there is none, or it has to wait. */
static int s_next (zc_server_t *self)
{
    int fd = self->waiting >= 0 ? s_move_down (self->waiting) : zc_accept (self->listener);
    bool waits = fd >= self->descriptors;
    self->waiting = waits ? fd : -1;
    if (waits || (fd < 0 && errno != EAGAIN))
        s_pause (self);
    return waits ? -1 : fd;
}

static void s_accept (zc_server_t *self, unsigned max)
{
    int fd;
    for (unsigned i = 0; i < max && (fd = s_next (self)) >= 0; i++) {
        self->stats.accepted++;
        zc_http_serve (self, fd);
    }
}

static void s_on_poll (uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    s_accept (poll->data, ACCEPT_MAX);
}

static void s_on_pause_over (uv_timer_t *timer)
{
    zc_server_t *self = timer->data;
    uv_poll_start (&self->poll, UV_READABLE, s_on_poll);
    s_accept (self, ACCEPT_MAX);
}

/*  The service. */

static void s_begin (void *arg)
{
    zc_server_t *self = arg;
    self->accepts = true;
    uv_poll_start (&self->poll, UV_READABLE, s_on_poll);
}

/*  A successor accepts from now on. */
static void s_on_committed (void *arg)
{
    zc_server_t *self = arg;
    self->accepts = false;
    self->handed_over = true;
    uv_poll_stop (&self->poll);
    uv_timer_stop (&self->pause);
    zc_travel_hold (self);
}

static size_t s_left_to_go (void *arg)
{
    return zc_travel_left (arg);
}

static void s_give (void *arg, zc_giver_t *giver)
{
    zc_travel_give (arg, giver);
}

static void s_given (void *arg, void *session)
{
    (void)arg;
    zc_session_drop (session);
}

static const zc_encoding_t *s_encoding (void *arg, zc_slice_t name)
{
    (void)arg;
    return zc_travel_encoding (name);
}

static bool s_can_take (void *arg, const zc_handover_t *client)
{
    return zc_travel_can_take (arg, client);
}

static void s_take (void *arg, const zc_handover_t *client, int fd)
{
    zc_travel_take (arg, client, fd);
}

static int s_start (void *arg, zc_worker_t *worker)
{
    zc_server_t *self = arg;
    uv_loop_t *loop = zc_worker_loop (worker);
    self->worker = worker;
    zc_front_init (&self->front, worker, self->options);
    s_open_doors (self);
    s_configure (self);
    self->keeper = zc_keeper_new (&self->front);
    if (!self->keeper)
        return -1;
    self->descriptors = zc_descriptor_limit () - ZC_DESCRIPTORS_RESERVE;
    self->timer.data = self->pause.data = self->poll.data = self;
    if (uv_poll_init (loop, &self->poll, self->listener) != 0) {
        zc_error (ZC_EVENT ("start.failed", "the listening socket can't be watched"));
        return -1;
    }
    self->watch = zc_watch_new (loop, zc_session_ready, zc_session_release);
    if (!self->watch) {
        zc_error (ZC_EVENT ("start.failed error", "epoll: %s"), strerror (errno));
        return -1;
    }
    zc_worker_batch (worker);
    uv_timer_init (loop, &self->timer);
    uv_timer_init (loop, &self->pause);
    if (!zc_worker_waits (worker))
        s_begin (self);
    uv_timer_start (&self->timer, s_on_timer, TICK_MS, 0);
    return 0;
}

static void s_stop (zc_server_t *self)
{
    if (!uv_is_closing ((uv_handle_t *)&self->timer))
        uv_close ((uv_handle_t *)&self->timer, NULL);
    zc_watch_destroy (&self->watch);
    zc_worker_stop (self->worker);
}

static void s_left (zc_server_t *self)
{
    if (--self->stats.sessions == 0 && self->front.draining)
        s_stop (self);
}

static void s_close_listener (zc_server_t *self)
{
    if (self->listener >= 0 && !self->handed_over)
        close (self->listener);
    self->listener = -1;
}

static void s_on_drain (void *arg)
{
    zc_server_t *self = arg;
    self->front.draining = true;
    zc_keeper_rest (self->keeper);
    zc_health_rest (&self->front);
    zc_ticker_rest (&self->front);
    /* so that the last one doesn't end the server while others are being told */
    self->stats.sessions++;
    if (s_number (self, "head-timeout") > DRAIN_MS) {
        zc_timeouts_set (&self->timeouts, ZC_SESSION_HEAD, DRAIN_MS);
        zc_timeouts_restart (&self->timeouts, uv_now (zc_worker_loop (self->worker)));
    }
    if (self->accepts)
        s_accept (self, ZC_BACKLOG); /* peers in the backlog are told to come back, too */
    if (self->waiting >= 0)
        close (self->waiting);
    uv_close ((uv_handle_t *)&self->poll, NULL);
    uv_close ((uv_handle_t *)&self->pause, NULL);
    s_close_listener (self);
    for (unsigned kind = 0; kind < ZC_SESSION_CLOSING; kind++) {
        zc_timeout_t *one = zc_timeouts_first (&self->timeouts, kind), *next;
        for (; one; one = next) {
            next = zc_timeouts_next (one);
            zc_session_t *session = ZC_TIMEOUT_OWNER (one, zc_session_t, timeout);
            session->protocol->restart (session);
        }
    }
    s_left (self);
}

static void s_on_abort (void *arg)
{
    zc_server_t *self = arg;
    for (unsigned kind = 0; kind < ZC_SESSION_CLOSED; kind++) {
        zc_timeout_t *first;
        while ((first = zc_timeouts_first (&self->timeouts, kind)))
            zc_session_drop (ZC_TIMEOUT_OWNER (first, zc_session_t, timeout));
    }
}

static void s_on_reload (void *arg)
{
    zc_server_t *self = arg;
    s_configure (self);
    zc_keeper_configure (self->keeper);
}

static void s_on_stats (void *arg, json_t *report)
{
    zc_server_t *self = arg;
    self->stats.addresses = zc_addresses_size (self->front.addresses);
    zc_figures_write (zc_ws_figures, &self->stats, report);
    zc_front_stats (&self->front, report);
}

int zc_ws_run (zc_options_t *options, int listener, unsigned index)
{
    zc_server_t self = {.options = options,
                        .listener = listener,
                        .waiting = -1,
                        .left = s_left,
                        .open_refused = zc_handshake_refuse};
    const zc_service_t service = {
        .arg = &self,
        .start = s_start,
        .drain = s_on_drain,
        .abort = s_on_abort,
        .reload = s_on_reload,
        .stats = s_on_stats,
        .listener = listener,
        .give = s_give,
        .given = s_given,
        .committed = s_on_committed,
        .left = s_left_to_go,
        .encoding = s_encoding,
        .can_take = s_can_take,
        .take = s_take,
        .begin = s_begin,
    };
    char name[32];
    snprintf (name, sizeof name, "ws.%u", index);
    zc_timeouts_init (&self.timeouts);
    self.waits = zc_addresses_new ();
    int status = zc_worker_run (options, name, &service);
    s_close_listener (&self);
    zc_keeper_destroy (&self.keeper);
    zc_front_clear (&self.front);
    zc_addresses_destroy (&self.waits);
    return status;
}
