/*  listen.c - listening sockets and their peers.
 *
 *  Operators meet these errors more than any others, so each says what to do. Connecting to a
 *  socket file tells whether a killed server left it over, or a living one listens there. */
#define _GNU_SOURCE /* accept4 */
#include "lib/base/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define S_WAIT_MS 100      /* between two tries at an address that is in use */
#define S_WAIT_MAX_MS 3000 /* of all tries */
#define S_PATH_FORM "a socket's path has 1 to 107 bytes"
#define S_PORT_FORM "expected HOST:PORT, :PORT, a path with a / in it, or unix:PATH"

bool zc_wait_for_end (unsigned *waited_ms)
{
    const struct timespec moment = {0, S_WAIT_MS * 1000000L};
    if (*waited_ms >= S_WAIT_MAX_MS)
        return false;
    nanosleep (&moment, NULL);
    *waited_ms += S_WAIT_MS;
    return true;
}

/*  The path of a Unix socket's address; NULL for HOST:PORT. */
static const char *s_path (const char *address)
{
    if (strncmp (address, "unix:", 5) == 0)
        return address + 5;
    return strchr (address, '/') ? address : NULL;
}

/*  Keeps errno. */
static int s_fail (int fd, char *error, size_t size, const char *address, const char *what)
{
    int saved = errno;
    if (fd >= 0)
        close (fd);
    snprintf (error, size, "%s: %s", address, what);
    errno = saved;
    return -1;
}

static const char *s_path_reason (int number)
{
    switch (number) {
    case EADDRINUSE:
        return "in use by a running server; stop it or choose another path";
    case ENOENT:
    case ENOTDIR:
        return "its directory doesn't exist; make it or choose another path";
    case EACCES:
    case EPERM:
        return "no permission; check the owner and mode of the file and its directory";
    case EROFS:
        return "the file system is read-only; choose another path";
    case EEXIST:
        return "exists and isn't a socket; remove it or choose another path";
    default:
        return strerror (number);
    }
}

static const char *s_port_reason (int number)
{
    switch (number) {
    case EADDRINUSE:
        return "in use by another program; stop it or choose another port";
    case EACCES:
        return "no permission; a port below 1024 needs CAP_NET_BIND_SERVICE, choose a higher one";
    case EADDRNOTAVAIL:
        return "not an address of this machine";
    default:
        return strerror (number);
    }
}

/*  Removes a dead server's socket file. Returns 0 if the path is free, or an errno. */
static int s_clear_path (const struct sockaddr_un *where)
{
    struct stat info;
    if (lstat (where->sun_path, &info) != 0)
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK (info.st_mode))
        return EEXIST;
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int rc = connect (fd, (const struct sockaddr *)where, sizeof *where);
    int why = rc == 0 ? 0 : errno;
    close (fd);
    if (why == EACCES || why == EPERM)
        return why;
    if (why != ECONNREFUSED)
        return why == ENOENT ? 0 : EADDRINUSE;
    return unlink (where->sun_path) == 0 || errno == ENOENT ? 0 : errno;
}

/*  The mask is set before the file appears, so the file never has more permissions than in the
 *  end. */
static int s_bind_path (int fd, const struct sockaddr_un *where, unsigned mode)
{
    mode_t before = umask (0777 & ~mode);
    int rc = bind (fd, (const struct sockaddr *)where, sizeof *where);
    int saved = errno;
    umask (before);
    errno = saved;
    return rc == 0 ? chmod (where->sun_path, mode) : -1;
}

int zc_make_runtime_folder (const char *path)
{
    static const char *const roots[] = {"/run/", "/var/run/"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        size_t len = strlen (roots[i]);
        const char *slash = strncmp (path, roots[i], len) == 0 ? strchr (path + len, '/') : NULL;
        char folder[sizeof ((struct sockaddr_un *)0)->sun_path];
        if (!slash || strchr (slash + 1, '/') || (size_t)(slash - path) >= sizeof folder)
            continue;
        snprintf (folder, sizeof folder, "%.*s", (int)(slash - path), path);
        /* regardless of the mask: the peers are other users, and must reach the socket */
        return mkdir (folder, 0755) == 0 ? chmod (folder, 0755) : -1;
    }
    return -1;
}

/*  Like s_bind_path, and makes the folder if a reboot has removed it. */
static int s_bind_anyhow (int fd, const struct sockaddr_un *where, unsigned mode)
{
    int rc = s_bind_path (fd, where, mode);
    if (rc == 0 || errno != ENOENT)
        return rc;
    if (zc_make_runtime_folder (where->sun_path) == 0)
        return s_bind_path (fd, where, mode);
    errno = ENOENT; /* the error to report */
    return -1;
}

static int s_address (const char *path, struct sockaddr_un *where)
{
    size_t len = strlen (path);
    *where = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len == 0 || len >= sizeof where->sun_path)
        return -1;
    memcpy (where->sun_path, path, len);
    return 0;
}

static int s_listen_path (const char *address, const char *path, unsigned mode, int backlog,
                          char *error, size_t size)
{
    struct sockaddr_un where;
    errno = EINVAL;
    if (s_address (path, &where) != 0)
        return s_fail (-1, error, size, address, S_PATH_FORM);
    errno = s_clear_path (&where);
    if (errno)
        return s_fail (-1, error, size, address, s_path_reason (errno));
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || s_bind_anyhow (fd, &where, mode) != 0 || listen (fd, backlog) != 0)
        return s_fail (fd, error, size, address, s_path_reason (errno));
    return fd;
}

/*  Splits "HOST:PORT", "[IPV6]:PORT", ":PORT" and "*:PORT". Returns 0 or -1. */
static int s_split (const char *address, char *host, size_t size, const char **port)
{
    const char *colon = strrchr (address, ':');
    if (!colon || !colon[1] || strspn (colon + 1, "0123456789") != strlen (colon + 1) ||
        strlen (colon + 1) > 5)
        return -1;
    const char *from = address;
    size_t len = (size_t)(colon - address);
    bool brackets = len >= 2 && from[0] == '[' && from[len - 1] == ']';
    if (brackets) {
        from++;
        len -= 2;
    }
    if (len >= size || (!brackets && memchr (from, ':', len)))
        return -1;
    memcpy (host, from, len);
    host[len] = 0;
    if (len == 0)
        snprintf (host, size, "127.0.0.1");
    else if (strcmp (host, "*") == 0)
        snprintf (host, size, "0.0.0.0");
    *port = colon + 1;
    return 0;
}

unsigned zc_file_mode (const char *text)
{
    char *end;
    unsigned long mode = strtoul (text, &end, 8);
    return *end || text[0] < '0' || text[0] > '7' || mode > 0777 ? UINT_MAX : (unsigned)mode;
}

const char *zc_listen_form (const char *address)
{
    char host[256];
    const char *port, *path = s_path (address);
    struct sockaddr_un where;
    if (path)
        return s_address (path, &where) == 0 ? NULL : S_PATH_FORM;
    return s_split (address, host, sizeof host, &port) == 0 && strtoul (port, NULL, 10) <= 65535
               ? NULL
               : S_PORT_FORM;
}

static int s_listen_at (const struct addrinfo *where, int backlog)
{
    int on = 1;
    int fd = socket (where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind (fd, where->ai_addr, where->ai_addrlen) == 0 && listen (fd, backlog) == 0)
        return fd;
    int saved = errno;
    if (fd >= 0)
        close (fd);
    errno = saved;
    return -1;
}

/*  The first address of the family. */
static const struct addrinfo *s_of_family (const struct addrinfo *found, int family)
{
    while (found && found->ai_family != family)
        found = found->ai_next;
    return found;
}

static int s_listen_port (const char *address, int backlog, char *error, size_t size)
{
    char host[256];
    const char *port;
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    errno = EINVAL;
    if (zc_listen_form (address) || s_split (address, host, sizeof host, &port) != 0)
        return s_fail (-1, error, size, address, S_PORT_FORM);
    int rc = getaddrinfo (host, port, &hints, &found);
    errno = EINVAL;
    if (rc != 0)
        return s_fail (-1, error, size, address, gai_strerror (rc));
    const struct addrinfo *where = s_of_family (found, AF_INET);
    int fd = s_listen_at (where ? where : found, backlog);
    if (fd < 0)
        s_fail (-1, error, size, address, s_port_reason (errno));
    int saved = errno;
    freeaddrinfo (found);
    errno = saved;
    return fd;
}

int zc_listen (const char *address, unsigned mode, int backlog, char *error, size_t size)
{
    const char *path = s_path (address);
    unsigned waited = 0;
    int fd;
    do
        fd = path ? s_listen_path (address, path, mode, backlog, error, size)
                  : s_listen_port (address, backlog, error, size);
    while (fd < 0 && errno == EADDRINUSE && zc_wait_for_end (&waited));
    return fd;
}

/*  A server that drains has stopped listening long before, and another one may have taken the
 *  path meanwhile. So the path is checked, as at a start. */
void zc_unlisten (const char *address)
{
    const char *path = s_path (address);
    struct sockaddr_un where;
    if (path && s_address (path, &where) == 0)
        s_clear_path (&where);
}

int zc_accept (int listener)
{
    while (true) {
        int fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            return fd;
        switch (errno) {
        case EINTR:
        case ECONNABORTED:
        /* errors of the connection itself, which Linux returns from accept (accept(2)) */
        case EPROTO:
        case ENOPROTOOPT:
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENONET:
        case EOPNOTSUPP:
        case EPERM:
            continue;
        case ENOBUFS:
        case ENOMEM:
            errno = ENFILE;
            return -1;
        default:
            return -1;
        }
    }
}

bool zc_is_loopback (const char *address)
{
    struct in_addr ip4;
    struct in6_addr ip6;
    if (inet_pton (AF_INET, address, &ip4) == 1)
        return ntohl (ip4.s_addr) >> 24 == 127;
    return inet_pton (AF_INET6, address, &ip6) == 1 &&
           (IN6_IS_ADDR_LOOPBACK (&ip6) || (IN6_IS_ADDR_V4MAPPED (&ip6) && ip6.s6_addr[12] == 127));
}

/*  The address family of one end, its address as text, and its port; IPv4 in IPv6 counts as
 *  IPv4. Returns -1 if the end is gone. */
static int s_end (int fd, int (*name) (int, struct sockaddr *, socklen_t *), char *host,
                  size_t size, unsigned *port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
        struct sockaddr_storage room;
    } peer;
    socklen_t len = sizeof peer;
    *host = 0;
    if (name (fd, &peer.any, &len) != 0)
        return -1;
    int family = peer.any.sa_family;
    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED (&peer.ip6.sin6_addr)) {
        inet_ntop (AF_INET, peer.ip6.sin6_addr.s6_addr + 12, host, (socklen_t)size);
        *port = ntohs (peer.ip6.sin6_port);
        return AF_INET;
    }
    if (family == AF_INET || family == AF_INET6) {
        inet_ntop (family,
                   family == AF_INET ? (void *)&peer.ip4.sin_addr : (void *)&peer.ip6.sin6_addr,
                   host, (socklen_t)size);
        *port = ntohs (family == AF_INET ? peer.ip4.sin_port : peer.ip6.sin6_port);
    }
    return family;
}

static int s_peer (int fd, char *host, size_t size, unsigned *port)
{
    return s_end (fd, getpeername, host, size, port);
}

bool zc_listens_on_tcp (int listener)
{
    char host[INET6_ADDRSTRLEN];
    unsigned port;
    int family = s_end (listener, getsockname, host, sizeof host, &port);
    return family == AF_INET || family == AF_INET6;
}

bool zc_listens_to_others (int listener)
{
    char host[INET6_ADDRSTRLEN];
    unsigned port;
    int family = s_end (listener, getsockname, host, sizeof host, &port);
    return (family == AF_INET || family == AF_INET6) && !zc_is_loopback (host);
}

void zc_peer_name (int fd, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    unsigned port = 0;
    int family = s_peer (fd, host, sizeof host, &port);
    if (family == AF_INET || family == AF_INET6)
        snprintf (text, size, family == AF_INET ? "%s:%u" : "[%s]:%u", host, port);
    else
        snprintf (text, size, family < 0 ? "gone" : "unix");
}

void zc_peer_address (int fd, char text[INET6_ADDRSTRLEN])
{
    unsigned port;
    if (s_peer (fd, text, INET6_ADDRSTRLEN, &port) < 0)
        snprintf (text, INET6_ADDRSTRLEN, "gone"); /* an empty text is this machine */
}
