/*  floor.c - the least that a server can do: an epoll loop that sends each message to each
 *  client with one send() of a frame that was made once, without topics, back-pressure or
 *  checks. A server's cost beyond this is for its users, or waste. Only batching costs less.
 *
 *  floor CLIENTS-PORT PUBLISHER-PORT
 *
 *  A client sends an HTTP head and is answered 101; its key isn't checked, as the load generator
 *  doesn't check the answer either. The publisher sends `length (4 bytes, big-endian) |
 *  payload`. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 20000
#define PAYLOAD_MAX (2u << 20)

static int s_client[CLIENTS_MAX]; /* descriptors that have had their 101 */
static unsigned s_clients;
static uint8_t s_in[PAYLOAD_MAX + 4], s_out[PAYLOAD_MAX + 10];
static size_t s_in_len;

static int s_listen (const char *port)
{
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons ((uint16_t)atoi (port)),
                             .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind (fd, (struct sockaddr *)&at, sizeof at) != 0 || listen (fd, 4096) != 0) {
        perror ("floor");
        exit (1);
    }
    return fd;
}

static void s_watch (int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl (epoll, EPOLL_CTL_ADD, fd, &event);
}

static int s_accept (int epoll, int listener)
{
    int fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK), one = 1;
    if (fd >= 0) {
        setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        s_watch (epoll, fd);
    }
    return fd;
}

/*  A client's head comes whole in one segment here; later bytes are dropped. */
static void s_client_readable (int fd)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\n\r\n";
    char bytes[4096];
    ssize_t got = recv (fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got > 0) {
        if (memcmp (bytes, "GET ", 4) == 0 && s_clients < CLIENTS_MAX) {
            s_client[s_clients++] = fd;
            (void)send (fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
        }
        return;
    }
    for (unsigned i = 0; i < s_clients; i++)
        if (s_client[i] == fd)
            s_client[i--] = s_client[--s_clients];
    close (fd);
}

static void s_send_all (int fd, const uint8_t *bytes, size_t len)
{
    while (len) {
        ssize_t sent = send (fd, bytes, len, MSG_NOSIGNAL);
        if (sent > 0)
            bytes += sent, len -= (size_t)sent;
        else if (errno == EAGAIN)
            poll (&(struct pollfd){fd, POLLOUT, 0}, 1, 1000);
        else
            return;
    }
}

static void s_broadcast (const uint8_t *payload, size_t len)
{
    size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;
    s_out[0] = 0x81;
    s_out[1] = (uint8_t)(head == 2 ? len : head == 4 ? 126 : 127);
    for (size_t i = 2; i < head; i++)
        s_out[i] = (uint8_t)((uint64_t)len >> (8 * (head - 1 - i)));
    memcpy (s_out + head, payload, len);
    for (unsigned i = 0; i < s_clients; i++)
        s_send_all (s_client[i], s_out, head + len);
}

static bool s_publisher_readable (int fd)
{
    ssize_t got = recv (fd, s_in + s_in_len, sizeof s_in - s_in_len, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    s_in_len += (size_t)got;
    size_t at = 0;
    while (s_in_len - at >= 4) {
        uint8_t *p = s_in + at;
        size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (len > PAYLOAD_MAX)
            return false;
        if (s_in_len - at - 4 < len)
            break;
        s_broadcast (p + 4, len);
        at += 4 + len;
    }
    memmove (s_in, s_in + at, s_in_len -= at);
    return true;
}

int main (int argc, char **argv)
{
    if (argc != 3) {
        fprintf (stderr, "usage: floor CLIENTS-PORT PUBLISHER-PORT\n");
        return 2;
    }
    signal (SIGPIPE, SIG_IGN);
    int epoll = epoll_create1 (0), clients = s_listen (argv[1]), publishers = s_listen (argv[2]);
    int publisher = -1;
    s_watch (epoll, clients);
    s_watch (epoll, publishers);
    struct epoll_event events[256];
    for (;;) {
        int n = epoll_wait (epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == clients)
                s_accept (epoll, clients);
            else if (fd == publishers) {
                publisher = s_accept (epoll, publishers);
                s_in_len = 0;
            } else if (fd != publisher)
                s_client_readable (fd);
            else if (!s_publisher_readable (fd)) {
                close (fd);
                publisher = -1;
            }
        }
    }
}
