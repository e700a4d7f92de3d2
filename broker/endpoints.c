/*  endpoints.c - see endpoints.h.
 *
 *  ZeroMQ reports the events of an endpoint on a monitor socket. Nothing waits for these events:
 *  they are read a few times a second, apart from messages. The kernel gives the lowest free
 *  number to a new descriptor, so that number tells how many are left. */
#include "broker/endpoints.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>
#include "broker/acceptors.h"
#include "lib/base/daemon.h"
#include "lib/base/listen.h"
#include "lib/base/log.h"
#include "lib/peer/redial.h"

#define S_ENDPOINTS 3
#define S_LOOK_MS 100
#define S_RESERVE 8 /* fewer free descriptors than this count as none */

typedef struct {
    void *socket; /* borrowed */
    zc_intake_role_t role;
    char *name;    /* owned; as bound, with the actual port */
    void *monitor; /* owned */
} s_endpoint_t;

struct zc_endpoints {
    void *context;
    zc_broker_figures_t *counters;
    zc_backlog_t *backlog; /* borrowed; for the endpoint of this role: */
    zc_intake_role_t told;
    s_endpoint_t all[S_ENDPOINTS];
    size_t count;
    int descriptors; /* limit of the process */
    bool paused;     /* nobody is accepted, since a successor is to do that */
    bool left;       /* the files of ipc endpoints are another process's */
    bool scarce;     /* few descriptors are left, so no connection is accepted */
    zc_acceptors_t *acceptors;
    uint64_t cut; /* count of ended connections, as last logged */
    uint64_t looked_ms;
};

/*  Another server may listen on a socket file, and ZeroMQ would remove that file in silence. */
static bool s_ipc_in_use (const char *endpoint)
{
    if (strncmp (endpoint, "ipc://", 6) != 0)
        return false;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen (endpoint + 6) >= sizeof address.sun_path)
        return false;
    strcpy (address.sun_path, endpoint + 6);
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool used = fd >= 0 && connect (fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close (fd);
    return used;
}

/*  Without a high-water mark: when the queue is full, ZeroMQ's thread, which writes the events,
 *  would block. */
static void *s_monitor (void *context, void *socket, const char *role)
{
    char name[48];
    int none = 0;
    snprintf (name, sizeof name, "inproc://%s-monitor", role);
    void *monitor = zmq_socket (context, ZMQ_PAIR);
    if (!monitor)
        return NULL;
    zmq_setsockopt (monitor, ZMQ_RCVHWM, &none, sizeof none);
    zmq_setsockopt (monitor, ZMQ_LINGER, &none, sizeof none);
    if (zmq_socket_monitor (
            socket, name,
            ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) == 0 &&
        zmq_connect (monitor, name) == 0)
        return monitor;
    zmq_close (monitor);
    return NULL;
}

static void s_end_monitor (s_endpoint_t *endpoint)
{
    zmq_socket_monitor (endpoint->socket, NULL, 0);
    if (endpoint->monitor)
        zmq_close (endpoint->monitor);
    endpoint->monitor = NULL;
}

/*  Binds to all addresses of a host name, since ZeroMQ's bind resolves no names. */
static int s_bind_host (void *socket, const char *name)
{
    char host[256], numeric[64], one[128];
    const char *port = strrchr (name, ':');
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
    snprintf (host, sizeof host, "%.*s", (int)(port - name) - 6, name + 6);
    if (getaddrinfo (host, NULL, &hints, &found) != 0) {
        errno = ENODEV;
        return -1;
    }
    int rc = 0;
    for (const struct addrinfo *at = found; at && rc == 0; at = at->ai_next) {
        bool ip6 = at->ai_family == AF_INET6;
        getnameinfo (at->ai_addr, at->ai_addrlen, numeric, sizeof numeric, NULL, 0, NI_NUMERICHOST);
        snprintf (one, sizeof one, ip6 ? "tcp://[%s]%s" : "tcp://%s%s", numeric, port);
        zc_endpoint_family (socket, one, 0);
        rc = zmq_bind (socket, one);
    }
    freeaddrinfo (found);
    return rc;
}

/*  A name is that of an interface, which may have only IPv6 addresses, or of a host. */
static int s_bind_tcp (void *socket, const char *name)
{
    int rc = -1;
    errno = ENODEV;
    for (unsigned attempt = 0; attempt < 2 && rc != 0 && errno == ENODEV; attempt++) {
        zc_endpoint_family (socket, name, attempt);
        rc = zmq_bind (socket, name);
    }
    return rc == 0 || errno != ENODEV || !zc_endpoint_named (name) ? rc
                                                                   : s_bind_host (socket, name);
}

static int s_bind (void *socket, const char *name)
{
    if (strncmp (name, "ipc://", 6) != 0)
        return s_bind_tcp (socket, name);
    int rc = zmq_bind (socket, name);
    if (rc == 0 || errno != ENOENT)
        return rc;
    if (zc_make_runtime_folder (name + 6) == 0)
        return zmq_bind (socket, name);
    errno = ENOENT;
    return -1;
}

static const char *s_role (zc_intake_role_t role)
{
    static const char *const roles[] = {"control", "subscribe", "publish"};
    return roles[role];
}

/*  Waits for an address that a broker still has which is just stopping. */
static int s_bind_free (void *socket, const char *name)
{
    unsigned waited = 0;
    int rc;
    do {
        rc = -1;
        errno = EADDRINUSE;
        if (!s_ipc_in_use (name))
            rc = s_bind (socket, name);
    } while (rc != 0 && errno == EADDRINUSE && zc_wait_for_end (&waited));
    return rc;
}

static s_endpoint_t *s_begin (zc_endpoints_t *self, void *socket, zc_intake_role_t role)
{
    assert (self->count < S_ENDPOINTS);
    s_endpoint_t *endpoint = &self->all[self->count];
    *endpoint = (s_endpoint_t){.socket = socket, .role = role};
    endpoint->monitor =
        s_monitor (self->context, socket, s_role (role)); /* before the first connection */
    return endpoint;
}

static void s_name (s_endpoint_t *endpoint, const char *name)
{
    free (endpoint->name);
    if (!(endpoint->name = strdup (name)))
        abort ();
}

int zc_endpoints_bind (zc_endpoints_t *self, void *socket, zc_intake_role_t role, const char *name,
                       char *error, size_t size)
{
    s_endpoint_t *endpoint = s_begin (self, socket, role);
    zc_intake_bind (role);
    int rc = s_bind_free (socket, name);
    zc_intake_bind (ZC_INTAKE_NONE);
    if (rc != 0) {
        snprintf (error, size, "%s: can't bind %s: %s", s_role (role), name, zmq_strerror (errno));
        s_end_monitor (endpoint);
        return -1;
    }
    char real[256] = "";
    size_t len = sizeof real;
    zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, real, &len);
    s_name (endpoint, *real ? real : name);
    self->count++;
    zc_info (ZC_EVENT ("endpoint.bound role endpoint", "%s endpoint %s"), s_role (role),
             endpoint->name);
    return 0;
}

/*  Taking over. */

void zc_endpoints_expect (zc_endpoints_t *self, void *socket, zc_intake_role_t role,
                          const char *name)
{
    s_name (s_begin (self, socket, role), name);
    self->count++;
    self->left = true; /* as yet */
}

int zc_endpoints_adopt (zc_endpoints_t *self, zc_intake_role_t role, const char *address, int fd)
{
    static const int none = -1;
    s_endpoint_t *endpoint = self->all;
    while (endpoint->role != role)
        endpoint++;
    zc_intake_listens (fd, role);
    zmq_setsockopt (endpoint->socket, ZMQ_USE_FD, &fd, sizeof fd);
    int rc = zmq_bind (endpoint->socket, address);
    int saved = errno;
    /* another bind is to make a socket of its own */
    zmq_setsockopt (endpoint->socket, ZMQ_USE_FD, &none, sizeof none);
    self->left = false;
    if (rc == 0)
        s_name (endpoint, address);
    else
        close (fd);
    errno = saved;
    return rc;
}

void zc_endpoints_name (int fd, char *text, size_t size)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    char host[64] = "", port[16] = "";
    getsockname (fd, (struct sockaddr *)&address, &len);
    if (address.ss_family == AF_UNIX) {
        const struct sockaddr_un *file = (const struct sockaddr_un *)&address;
        size_t max = len - offsetof (struct sockaddr_un, sun_path);
        bool abstract = max > 0 && !file->sun_path[0];
        snprintf (text, size, "ipc://%s%.*s", abstract ? "@" : "", (int)max - abstract,
                  file->sun_path + abstract);
        return;
    }
    getnameinfo ((const struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                 NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf (text, size, address.ss_family == AF_INET6 ? "tcp://[%s]:%s" : "tcp://%s:%s", host,
              port);
}

void zc_endpoints_pause (zc_endpoints_t *self, bool on)
{
    self->paused = on;
    if (on)
        zc_acceptors_pause (self->acceptors);
    else
        zc_acceptors_resume (self->acceptors);
    self->scarce = false; /* it is determined anew */
}

void zc_endpoints_leave (zc_endpoints_t *self)
{
    self->left = true;
}

void zc_endpoints_tell (zc_endpoints_t *self, zc_intake_role_t role, zc_backlog_t *backlog)
{
    self->told = role;
    self->backlog = backlog;
}

/*  Events. */

static void s_stranger (zc_endpoints_t *self, const s_endpoint_t *endpoint)
{
    static zc_log_limit_t limit;
    self->counters->strangers++;
    zc_log_limited (&limit, ZC_LOG_WARN,
                    ZC_EVENT ("endpoint.foreign role",
                              "%s endpoint: a connection ended without having spoken ZeroMQ"),
                    s_role (endpoint->role));
}

static void s_event (zc_endpoints_t *self, const s_endpoint_t *endpoint, uint16_t event, int fd)
{
    bool told = self->backlog && endpoint->role == self->told;
    if (event != ZMQ_EVENT_ACCEPTED && event != ZMQ_EVENT_DISCONNECTED)
        s_stranger (self, endpoint);
    else if (told && event == ZMQ_EVENT_ACCEPTED)
        zc_backlog_opened (self->backlog, fd);
    else if (told)
        zc_backlog_closed (self->backlog, fd);
}

/*  An event is two frames: 16 bits of number and 32 of value, then the endpoint. */
static void s_read_monitor (zc_endpoints_t *self, const s_endpoint_t *endpoint)
{
    uint8_t head[6];
    char peer[256];
    while (endpoint->monitor &&
           zmq_recv (endpoint->monitor, head, sizeof head, ZMQ_DONTWAIT) >= 0) {
        uint16_t event;
        int32_t value;
        memcpy (&event, head, sizeof event);
        memcpy (&value, head + sizeof event, sizeof value);
        zmq_recv (endpoint->monitor, peer, sizeof peer, 0);
        s_event (self, endpoint, event, value);
    }
}

/*  Logs peers that sent more than the limits allow. */
static void s_tell_cut (zc_endpoints_t *self)
{
    static zc_log_limit_t limit;
    char text[160];
    uint64_t before = self->cut;
    if (!zc_intake_cut (&self->cut, text, sizeof text))
        return;
    self->counters->cut += self->cut - before;
    zc_log_limited (&limit, ZC_LOG_WARN,
                    ZC_EVENT ("connection.cut peer", "%s: its connection is cut"), text);
}

/*  Descriptors. */

static bool s_has_left (const zc_endpoints_t *self, int few)
{
    int fd = fcntl (STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        close (fd);
    return fd >= 0 && fd < self->descriptors - few;
}

/*  Logs each shortage once, however long it lasts. */
static void s_watch_descriptors (zc_endpoints_t *self)
{
    static zc_log_limit_t limit;
    bool left = s_has_left (self, self->scarce ? 2 * S_RESERVE : S_RESERVE);
    if (self->scarce && left)
        zc_acceptors_resume (self->acceptors);
    bool scarce = !left || zc_acceptors_resting (self->acceptors);
    if (scarce && !self->scarce) {
        zc_acceptors_pause (self->acceptors);
        self->counters->out_of_files++;
        zc_log_limited (&limit, ZC_LOG_WARN,
                        ZC_EVENT ("descriptors.scarce",
                                  "out of descriptors: new connections wait (raise the "
                                  "limit: LimitNOFILE, ulimit -n)"));
    }
    self->scarce = scarce;
}

void zc_endpoints_turn (zc_endpoints_t *self, uint64_t now_ms)
{
    bool due = self->backlog && zc_backlog_due (self->backlog, now_ms);
    bool time = now_ms - self->looked_ms >= S_LOOK_MS;
    for (size_t i = 0; (due || time) && i < self->count; i++)
        s_read_monitor (self, &self->all[i]);
    if (due)
        zc_backlog_turn (self->backlog, now_ms);
    if (!time)
        return;
    self->looked_ms = now_ms;
    s_tell_cut (self);
    if (!self->paused)
        s_watch_descriptors (self);
}

/*  ZeroMQ can't end the connection of one peer, so the whole endpoint is unbound, which ends its
 *  connections. Another thread releases the address, so it may still be in use for a moment. */
static void s_rebind (s_endpoint_t *endpoint)
{
    const struct timespec moment = {0, 5000000};
    zc_intake_bind (endpoint->role);
    zmq_unbind (endpoint->socket, endpoint->name);
    for (int left = 400; zmq_bind (endpoint->socket, endpoint->name) != 0; left--) {
        if (left == 0) {
            zc_error (ZC_EVENT ("endpoint.lost role endpoint error",
                                "%s endpoint %s: can't be bound again: %s; nobody can connect"),
                      s_role (endpoint->role), endpoint->name, zmq_strerror (errno));
            break;
        }
        nanosleep (&moment, NULL);
    }
    zc_intake_bind (ZC_INTAKE_NONE);
}

void zc_endpoints_rebind (zc_endpoints_t *self)
{
    zc_info (ZC_EVENT (
        "certificates.changed",
        "a certificate was removed or changed: all connections are ended, and come back"));
    zc_acceptors_resume (self->acceptors);
    self->scarce = false; /* it is determined anew */
    for (size_t i = 0; i < self->count; i++)
        s_rebind (&self->all[i]);
}

/*  Beginning and end. */

zc_endpoints_t *zc_endpoints_new (void *context, zc_broker_figures_t *counters)
{
    zc_endpoints_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->context = context;
    self->counters = counters;
    self->descriptors = zc_descriptor_limit ();
    self->acceptors = zc_acceptors_new ();
    zc_intake_start (self->acceptors);
    char last[8];
    zc_intake_cut (&self->cut, last, sizeof last);
    return self;
}

/*  ZeroMQ doesn't remove the files of ipc endpoints. */
static void s_endpoint_clear (s_endpoint_t *endpoint, bool left)
{
    if (!left && strncmp (endpoint->name, "ipc://", 6) == 0)
        unlink (endpoint->name + 6);
    s_end_monitor (endpoint);
    free (endpoint->name);
}

void zc_endpoints_destroy (zc_endpoints_t **self_p)
{
    zc_endpoints_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        s_endpoint_clear (&self->all[i], self->left);
    zc_intake_stop ();
    zc_acceptors_destroy (&self->acceptors);
    free (self);
    *self_p = NULL;
}
