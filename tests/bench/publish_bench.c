/*  publish_bench.c - publishing with an answer for each message: a number of clients, each with
 *  one request under way. Prints a line of JSON with the answers a second.
 *
 *  publish_bench http HOST:PORT CLIENTS SECONDS
 *  publish_bench control ENDPOINT CLIENTS SECONDS
 *
 *  Both are loops of one thread, whose clients cost about the same. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define S_CLIENTS_MAX 256
#define S_PAYLOAD 100
#define S_WARM_UP 1.0 /* s */

typedef struct {
    int fd;
    char text[4096];
    size_t len;
} s_client_t;

static uint64_t s_answered, s_refused;

static double s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void s_fail (const char *what)
{
    fprintf (stderr, "publish_bench: %s\n", what);
    exit (1);
}

static int s_connect (const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    const char *colon = strrchr (address, ':');
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    to.sin_port = htons ((uint16_t)(colon ? atoi (colon + 1) : 0));
    to.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    if (fd < 0 || connect (fd, (struct sockaddr *)&to, sizeof to) != 0)
        s_fail ("can't connect");
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void s_post (s_client_t *client)
{
    static char request[512];
    static size_t len;
    if (len == 0)
        len = (size_t)snprintf (request, sizeof request,
                                "POST /publish?topic=bench HTTP/1.1\r\nHost: localhost\r\n"
                                "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%0*d",
                                S_PAYLOAD, S_PAYLOAD, 0);
    if (send (client->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
        s_fail ("a connection is lost");
}

/*  Takes an answer, if it is whole. Returns whether it was. */
static bool s_take_answer (s_client_t *client)
{
    client->text[client->len] = 0;
    char *end = strstr (client->text, "\r\n\r\n");
    char *length = end ? strcasestr (client->text, "\r\ncontent-length:") : NULL;
    if (!length || length > end)
        return false;
    size_t whole = (size_t)(end + 4 - client->text) + strtoul (length + 17, NULL, 10);
    if (client->len < whole)
        return false;
    *(strncmp (client->text, "HTTP/1.1 200", 12) == 0 ? &s_answered : &s_refused) += 1;
    client->len = 0;
    return true;
}

static void s_read (s_client_t *client)
{
    ssize_t got =
        recv (client->fd, client->text + client->len, sizeof client->text - 1 - client->len, 0);
    if (got <= 0)
        s_fail ("a connection is lost");
    client->len += (size_t)got;
    if (s_take_answer (client))
        s_post (client);
}

static void s_http (const char *address, int count, double end)
{
    static s_client_t clients[S_CLIENTS_MAX];
    static struct pollfd items[S_CLIENTS_MAX];
    for (int i = 0; i < count; i++) {
        if (items[i].fd == 0) {
            clients[i].fd = s_connect (address);
            items[i] = (struct pollfd){clients[i].fd, POLLIN, 0};
            s_post (&clients[i]);
        }
    }
    while (s_now () < end) {
        poll (items, (nfds_t)count, 100);
        for (int i = 0; i < count; i++)
            if (items[i].revents)
                s_read (&clients[i]);
    }
}

static void s_request (void *socket)
{
    static char payload[S_PAYLOAD];
    zmq_send (socket, "", 0, ZMQ_SNDMORE);
    zmq_send (socket, "PUBLISH", 7, ZMQ_SNDMORE);
    zmq_send (socket, "bench", 5, ZMQ_SNDMORE);
    zmq_send (socket, payload, sizeof payload, 0);
}

static void s_reply (void *socket)
{
    char frame[64];
    int len = 0, number = 0, more = 1;
    for (size_t size = sizeof more; more; zmq_getsockopt (socket, ZMQ_RCVMORE, &more, &size)) {
        int got = zmq_recv (socket, frame, sizeof frame, 0);
        if (number++ == 1)
            len = got == 2 && memcmp (frame, "OK", 2) == 0;
    }
    *(len ? &s_answered : &s_refused) += 1;
}

static void s_control (const char *endpoint, int count, double end)
{
    static zmq_pollitem_t items[S_CLIENTS_MAX];
    static void *context;
    if (!context) {
        context = zmq_ctx_new ();
        for (int i = 0; i < count; i++) {
            items[i] = (zmq_pollitem_t){zmq_socket (context, ZMQ_DEALER), 0, ZMQ_POLLIN, 0};
            if (zmq_connect (items[i].socket, endpoint) != 0)
                s_fail ("can't connect");
            s_request (items[i].socket);
        }
    }
    while (s_now () < end) {
        zmq_poll (items, count, 100);
        for (int i = 0; i < count; i++)
            if (items[i].revents) {
                s_reply (items[i].socket);
                s_request (items[i].socket);
            }
    }
}

int main (int argc, char **argv)
{
    int count = argc == 5 ? atoi (argv[3]) : 0;
    if (count < 1 || count > S_CLIENTS_MAX)
        s_fail ("http|control ADDRESS CLIENTS SECONDS");
    void (*run) (const char *, int, double) = strcmp (argv[1], "http") == 0 ? s_http : s_control;
    double seconds = atof (argv[4]);
    alarm ((unsigned)seconds + 30); /* whatever happens, it ends */
    run (argv[2], count, s_now () + S_WARM_UP);
    s_answered = s_refused = 0;
    double begun = s_now ();
    run (argv[2], count, begun + seconds);
    printf ("{\"rate\":%.1f,\"answered\":%lu,\"refused\":%lu}\n",
            (double)s_answered / (s_now () - begun), s_answered, s_refused);
    return 0;
}
