/*  server.c - accepts a few connections at a time, so that processes that share the socket share
 *  the clients.
 *
 *  A shortage of descriptors is noticed before it happens: the kernel gives the lowest free
 *  number, so a number close to the limit says that few are left. These last ones go to clients
 *  that are told to come back. If none is left all the same, accepting rests for a moment, and
 *  peers wait in the backlog.
 *
 *  Rejected: libfcgi's FCGX_OpenSocket, which doesn't say why it failed, and removes a socket
 *  that another process listens on. */
#include "fcgi/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi/conn.h"
#include "lib/base/daemon.h"
#include "lib/base/listen.h"
#include "lib/base/log.h"
#include "lib/wire/figures.h"

#define ACCEPT_MAX 16 /* connections accepted in one turn */
/*  A web server spends three times as much on a send as we do, on another core if there is one:
 *  half of that counts. In a batch a send costs less for us, but not for the web server. */
#define SEND_WEIGHT 2.5
#define BATCHED_WEIGHT 3.2

typedef struct {
    zc_options_t *options; /* borrowed */
    zc_conns_t conns;
    int listener;
    bool accepts;         /* connections on it are for this process */
    bool handed_over;     /* they are for a successor; it stays open */
    bool tcp;             /* over which peers have addresses */
    zc_trust_t peers;     /* that may connect; owned */
    int descriptor_limit; /* connections with numbers from here on are told to come back */
    uv_poll_t poll;       /* of listener */
    uv_timer_t pause;     /* while nothing is accepted, for lack of descriptors */
    uint64_t pauses;
    uint64_t strangers; /* peers that were refused */
} s_server_t;

#define PEERS_MISSING                                                                     \
    "and whoever connects is believed whatever it says of its clients: name web servers " \
    "with allow-peer"

static void s_on_pause_over (uv_timer_t *timer);

bool zc_server_inherited (void)
{
    int listening = 0;
    socklen_t size = sizeof listening;
    return getsockopt (0, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

/*  Moves descriptor 0 away, and puts /dev/null in its place. */
static int s_take_inherited (void)
{
    int fd = fcntl (0, F_DUPFD_CLOEXEC, 3);
    int null = open ("/dev/null", O_RDONLY);
    if (fd < 0 || null < 0 || dup2 (null, 0) < 0 || fcntl (fd, F_SETFL, O_NONBLOCK) < 0) {
        zc_error (ZC_EVENT ("start.failed error", "the socket on descriptor 0 cannot be used: %s"),
                  strerror (errno));
        return -1;
    }
    close (null);
    return fd;
}

int zc_server_listen (const zc_options_t *options)
{
    char error[256];
    if (zc_server_inherited ())
        return s_take_inherited ();
    int fd = zc_listen (zc_options_text (options, "socket"),
                        zc_file_mode (zc_options_text (options, "socket-mode")), ZC_BACKLOG, error,
                        sizeof error);
    if (fd < 0)
        zc_error (ZC_EVENT ("start.failed error", "%s"), error);
    return fd;
}

/*  The reason why web servers must not connect from other machines; NULL: they may. */
static const char *s_objection (const zc_options_t *options)
{
    const char *key, *item, *why = zc_keeper_objects (options);
    if (!why && !zc_options_item (options, "allow-peer", 0, &key, &item))
        why = PEERS_MISSING;
    return why;
}

const char *zc_server_verify (const zc_options_t *options, char *error, size_t size)
{
    const char *key, *item, *wrong, *address = zc_options_text (options, "socket");
    for (size_t i = 0; zc_options_item (options, "allow-peer", i, &key, &item); i++)
        if ((wrong = zc_trust_check (item))) {
            snprintf (error, size, "%s, not \"%.100s\"", wrong, item);
            return "allow-peer";
        }
    wrong = zc_keeper_exposed (address) ? s_objection (options) : NULL;
    if (!wrong)
        return NULL;
    snprintf (error, size, "%s can be reached from other machines, %s", address, wrong);
    return "socket";
}

/*  What was inherited is in no option. */
bool zc_server_may_serve (const zc_options_t *options, int listener)
{
    const char *why = zc_listens_to_others (listener) ? s_objection (options) : NULL;
    if (why)
        zc_error (
            ZC_EVENT ("listener.exposed reason",
                      "the socket that was handed over can be reached from other machines, %s"),
            why);
    return !why;
}

void zc_server_unlisten (const zc_options_t *options)
{
    zc_unlisten (zc_options_text (options, "socket"));
}

static void s_take (s_server_t *self, int fd)
{
    static zc_log_limit_t limit;
    char peer[INET6_ADDRSTRLEN];
    if (self->tcp)
        zc_peer_address (fd, peer);
    if (!self->tcp || zc_trust_has (&self->peers, peer)) {
        zc_conns_add (&self->conns, fd, fd >= self->descriptor_limit);
        return;
    }
    self->strangers++;
    zc_log_limited (
        &limit, ZC_LOG_WARN,
        ZC_EVENT ("webserver.refused address", "%s: closed: allow-peer doesn't name it"), peer);
    close (fd);
}

/*  Returns false if no peer waits, or none can be served. */
static bool s_accept (s_server_t *self)
{
    static zc_log_limit_t limit;
    int fd = zc_accept (self->listener);
    if (fd >= 0) {
        s_take (self, fd);
        return true;
    }
    if (errno != EMFILE && errno != ENFILE)
        return false;
    zc_log_limited (
        &limit, ZC_LOG_WARN,
        ZC_EVENT ("descriptors.scarce ms", "out of descriptors: accepting rests for %d ms"),
        ZC_ACCEPT_PAUSE_MS);
    self->pauses++;
    uv_poll_stop (&self->poll);
    uv_timer_start (&self->pause, s_on_pause_over, ZC_ACCEPT_PAUSE_MS, 0);
    return false;
}

static void s_on_accept (uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPT_MAX && s_accept (poll->data); i++)
        ;
}

static void s_on_pause_over (uv_timer_t *timer)
{
    s_server_t *self = timer->data;
    uv_poll_start (&self->poll, UV_READABLE, s_on_accept);
}

static void s_begin (void *arg)
{
    s_server_t *self = arg;
    self->accepts = true;
    uv_poll_start (&self->poll, UV_READABLE, s_on_accept);
}

/*  A successor accepts from now on. */
static void s_on_committed (void *arg)
{
    s_server_t *self = arg;
    self->accepts = false;
    self->handed_over = true;
    uv_poll_stop (&self->poll);
    uv_timer_stop (&self->pause);
}

static void s_give (void *arg, zc_giver_t *giver)
{
    zc_conns_give (&((s_server_t *)arg)->conns, giver);
}

static void s_given (void *arg, void *conn)
{
    (void)arg;
    zc_conn_given (conn);
}

static size_t s_left (void *arg)
{
    return zc_conns_left (&((s_server_t *)arg)->conns);
}

static const zc_encoding_t *s_encoding (void *arg, zc_slice_t name)
{
    (void)arg;
    return zc_conns_encoding (name);
}

static bool s_can_take (void *arg, const zc_handover_t *client)
{
    (void)arg;
    return zc_conns_can_take (client);
}

static void s_take_client (void *arg, const zc_handover_t *client, int fd)
{
    zc_conns_take (&((s_server_t *)arg)->conns, client, fd);
}

static int s_start (void *arg, zc_worker_t *worker)
{
    s_server_t *self = arg;
    self->descriptor_limit = zc_descriptor_limit () - ZC_DESCRIPTORS_RESERVE;
    self->tcp = zc_listens_on_tcp (self->listener);
    zc_trust_read_list (&self->peers, self->options, "allow-peer");
    bool batched = zc_worker_batch (worker);
    zc_pump_weigh (zc_worker_pump (worker), batched ? BATCHED_WEIGHT : SEND_WEIGHT);
    if (zc_conns_init (&self->conns, worker, self->options) != 0) {
        zc_error (ZC_EVENT ("start.failed", "clients can't be served"));
        return -1;
    }
    uv_timer_init (zc_worker_loop (worker), &self->pause);
    self->pause.data = self;
    if (uv_poll_init (zc_worker_loop (worker), &self->poll, self->listener) != 0) {
        zc_error (ZC_EVENT ("start.failed", "the listening socket cannot be polled"));
        return -1;
    }
    self->poll.data = self;
    if (!zc_worker_waits (worker))
        s_begin (self);
    return 0;
}

static void s_close_listener (s_server_t *self)
{
    if (self->listener >= 0 && !self->handed_over)
        close (self->listener);
    self->listener = -1;
}

/*  Peers in the backlog are told to come back, too. */
static void s_drain (void *arg)
{
    s_server_t *self = arg;
    for (int i = 0; self->accepts && i < ZC_BACKLOG && s_accept (self); i++)
        ;
    uv_close ((uv_handle_t *)&self->pause, NULL);
    uv_close ((uv_handle_t *)&self->poll, NULL);
    s_close_listener (self);
    zc_conns_drain (&self->conns);
}

static void s_abort (void *arg)
{
    zc_conns_abort (&((s_server_t *)arg)->conns);
}

static void s_reload (void *arg)
{
    s_server_t *self = arg;
    zc_conns_configure (&self->conns);
    zc_trust_read_list (&self->peers, self->options, "allow-peer");
}

static void s_stats (void *arg, json_t *report)
{
    s_server_t *self = arg;
    const zc_conn_stats_t *stats = &self->conns.stats;
    const zc_front_stats_t *front = &self->conns.front.stats;
    const zc_fcgi_figures_t figures = {.connections = stats->connections,
                                       .requests = front->requests,
                                       .errors = front->errors,
                                       .refused = front->refused,
                                       .malformed = stats->malformed,
                                       .timeouts = stats->timeouts,
                                       .accept_pauses = self->pauses,
                                       .strangers = self->strangers};
    zc_figures_write (zc_fcgi_figures, &figures, report);
    zc_front_stats (&self->conns.front, report);
}

int zc_fcgi_run (zc_options_t *options, int listener, unsigned index)
{
    s_server_t self = {.options = options, .listener = listener};
    const zc_service_t service = {
        .arg = &self,
        .start = s_start,
        .drain = s_drain,
        .abort = s_abort,
        .reload = s_reload,
        .stats = s_stats,
        .listener = listener,
        .give = s_give,
        .given = s_given,
        .committed = s_on_committed,
        .left = s_left,
        .encoding = s_encoding,
        .can_take = s_can_take,
        .take = s_take_client,
        .begin = s_begin,
    };
    char name[32];
    snprintf (name, sizeof name, "fcgi.%u", index);
    int status = zc_worker_run (options, name, &service);
    s_close_listener (&self);
    zc_conns_clear (&self.conns);
    zc_trust_clear (&self.peers);
    return status;
}
