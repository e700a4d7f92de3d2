/*  load_publisher.c - an open-loop publisher: message k is due at start + k / rate, and is sent
 *  then, whether or not earlier ones were answered. Bytes that a socket doesn't take at once
 *  wait in our own memory. The time stamp stays that of the schedule, so the wait counts as
 *  latency. */
#define _GNU_SOURCE
#include "tests/bench/load.h"
#include "lib/base/buf.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define UNSENT_MAX (256u << 20) /* bytes; beyond it a message is counted as unsent */

typedef struct {
    const zl_options_t *options;
    zl_board_t *board;
    char kind; /* z, p, h, w, r: first letter of options->publish */
    void *context, *socket;
    int fd;
    const char *path; /* http, ws: may hold %s */
    char host[256];
    zc_buf_t out;    /* not yet taken by the socket */
    size_t out_sent; /* of which sent */
    char tail[16];   /* end of the previous read, where a status line may have been cut */
    size_t tail_len;
    char *payload, *body;
    size_t body_size;
} s_publisher_t;

static const char *s_after (const char *text, const char *prefix)
{
    return strncmp (text, prefix, strlen (prefix)) == 0 ? text + strlen (prefix) : NULL;
}

static void s_use_curve (void *socket, const char *keys)
{
    static const int options[] = {ZMQ_CURVE_SERVERKEY, ZMQ_CURVE_PUBLICKEY, ZMQ_CURVE_SECRETKEY};
    for (size_t i = 0; i < 3 && strlen (keys) >= 40 * (i + 1); i++) {
        char key[41] = "";
        memcpy (key, keys + 40 * i, 40);
        zmq_setsockopt (socket, options[i], key, 41);
    }
}

/*  An XPUB is a PUB that shows subscriptions: with it we know when messages get through. */
static bool s_open_zmq (s_publisher_t *self, const char *endpoint, int type)
{
    int unlimited = 0, linger = 0;
    self->context = zmq_ctx_new ();
    self->socket = zmq_socket (self->context, type);
    zmq_setsockopt (self->socket, ZMQ_SNDHWM, &unlimited, sizeof unlimited);
    zmq_setsockopt (self->socket, ZMQ_LINGER, &linger, sizeof linger);
    if (self->options->curve)
        s_use_curve (self->socket, self->options->curve);
    if (zmq_connect (self->socket, endpoint) != 0)
        return false;
    short event = type == ZMQ_XPUB ? ZMQ_POLLIN : ZMQ_POLLOUT;
    zmq_pollitem_t item = {.socket = self->socket, .events = event};
    return zmq_poll (&item, 1, 10000) == 1;
}

static bool s_read_answer (int fd)
{
    char head[2048];
    size_t len = 0;
    while (len < sizeof head - 1 && recv (fd, head + len, 1, 0) == 1) {
        head[++len] = 0;
        if (strstr (head, "\r\n\r\n"))
            return strncmp (head, "HTTP/1.1 101", 12) == 0;
    }
    return false;
}

static bool s_open_stream (s_publisher_t *self, const char *address)
{
    snprintf (self->host, sizeof self->host, "%.*s", (int)strcspn (address, "/"), address);
    self->path = address + strcspn (address, "/");
    self->fd = zl_connect (self->host, false, 0);
    if (self->fd < 0)
        return false;
    if (self->kind == 'w') {
        char head[1024];
        int len = snprintf (head, sizeof head,
                            "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                            *self->path ? self->path : "/", self->host);
        if (send (self->fd, head, (size_t)len, 0) != len || !s_read_answer (self->fd))
            return false;
    }
    return true;
}

static bool s_open (s_publisher_t *self)
{
    const char *rest, *how = self->options->publish;
    self->kind = *how;
    if ((rest = s_after (how, "zmq:")))
        return s_open_zmq (self, rest, ZMQ_XPUB);
    if ((rest = s_after (how, "push:")))
        return s_open_zmq (self, rest, ZMQ_PUSH);
    if ((rest = s_after (how, "http:")) || (rest = s_after (how, "ws:")) ||
        (rest = s_after (how, "raw:")))
        return s_open_stream (self, rest);
    return false;
}

/*  Counts the status lines of pipelined answers: cheap, and enough to know how many. */
static void s_count_answers (s_publisher_t *self, const char *bytes, size_t len)
{
    static const char mark[] = "HTTP/1.1 ";
    char joined[16 + 65536];
    memcpy (joined, self->tail, self->tail_len);
    memcpy (joined + self->tail_len, bytes, len);
    len += self->tail_len;
    size_t done = 0;
    for (size_t at = 0; at + sizeof mark <= len; at++)
        if (memcmp (joined + at, mark, sizeof mark - 1) == 0) {
            atomic_fetch_add (joined[at + sizeof mark - 1] == '2' ? &self->board->answered
                                                                  : &self->board->refused,
                              1);
            done = at + sizeof mark;
        }
    size_t keep = len - done < sizeof mark - 1 ? len - done : sizeof mark - 1;
    memcpy (self->tail, joined + len - keep, keep);
    self->tail_len = keep;
}

static void s_service (s_publisher_t *self)
{
    if (self->socket)
        return;
    static char bytes[65536];
    for (ssize_t got; (got = recv (self->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;)
        if (self->kind == 'h')
            s_count_answers (self, bytes, (size_t)got);
    size_t left = self->out.len - self->out_sent;
    if (!left)
        return;
    ssize_t sent =
        send (self->fd, self->out.data + self->out_sent, left, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
        self->out_sent += (size_t)sent;
    if (self->out_sent == self->out.len)
        self->out.len = self->out_sent = 0;
    else if (self->out_sent > 1 << 20) {
        zc_buf_shift (&self->out, self->out_sent);
        self->out_sent = 0;
    }
}

static void s_put_frame_head (zc_buf_t *out, size_t len)
{
    uint8_t head[14] = {0x81}; /* FIN, text */
    size_t n = 2;
    if (len < 126)
        head[1] = 0x80 | (uint8_t)len;
    else if (len < 65536) {
        head[1] = 0x80 | 126;
        head[2] = (uint8_t)(len >> 8), head[3] = (uint8_t)len, n = 4;
    } else {
        head[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++)
            head[2 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
        n = 10;
    }
    zc_buf_add (out, head, n + 4); /* a mask of zeros is a valid mask */
}

static const char *s_body (s_publisher_t *self, size_t *len)
{
    if (!self->options->body)
        return self->payload;
    zl_pattern (self->body, self->body_size, self->options->body, self->payload);
    *len = strlen (self->body);
    return self->body;
}

static void s_put (s_publisher_t *self, const char *topic)
{
    size_t len = self->options->payload;
    const char *body = self->payload;
    zc_buf_t *out = &self->out;
    if (self->kind == 'h') {
        char path[2048];
        zl_pattern (path, sizeof path, self->path, topic);
        body = s_body (self, &len);
        zc_buf_adds (out, "POST ");
        zc_buf_adds (out, path);
        zc_buf_addf (out,
                     " HTTP/1.1\r\nHost: %s\r\nContent-Type: text/plain\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     self->host, len);
    } else if (self->kind == 'w')
        s_put_frame_head (out, len);
    else {
        uint8_t size[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                           (uint8_t)len};
        zc_buf_add (out, size, 4);
    }
    zc_buf_add (out, body, len);
}

static void s_publish (s_publisher_t *self, uint32_t number, int64_t intended)
{
    const zl_options_t *options = self->options;
    zl_board_t *board = self->board;
    char topic[1024], text[16];
    snprintf (text, sizeof text, "%u", number);
    zl_pattern (topic, sizeof topic, number == ZL_TOPICS_MAX ? options->shared : options->topic,
                text);
    if (self->out.len - self->out_sent > UNSENT_MAX) {
        atomic_fetch_add (&board->unsent, 1);
        return;
    }
    zl_stamp_t stamp = {number, atomic_load (&board->sent[number]) + 1, intended};
    zl_stamp_write (self->payload, &stamp);
    if (self->kind == 'z') {
        zmq_send (self->socket, topic, strlen (topic), ZMQ_SNDMORE);
        zmq_send (self->socket, self->payload, options->payload, 0);
    } else if (self->kind == 'p') {
        size_t len = options->payload;
        const char *body = s_body (self, &len);
        zmq_send (self->socket, body, len, 0);
    } else
        s_put (self, topic);
    atomic_fetch_add (&board->sent[number], 1);
    atomic_fetch_add (&board->published, 1);
    int64_t late = (zl_now () - intended) / 1000;
    atomic_fetch_add (&board->late_sum_us, (uint64_t)late);
    if ((uint64_t)late > atomic_load (&board->late_max_us))
        atomic_store (&board->late_max_us, (uint64_t)late);
}

static uint64_t s_random (uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/*  Waits for `until`, and meanwhile reads answers and sends the bytes that are left. */
static void s_wait (s_publisher_t *self, int64_t until)
{
    for (;;) {
        s_service (self);
        int64_t left = until - zl_now ();
        if (left <= 0)
            return;
        bool busy = self->out.len > 0;
        struct pollfd item = {.fd = self->socket ? -1 : self->fd,
                              .events = (short)(POLLIN | (busy ? POLLOUT : 0))};
        struct timespec timeout = {left / 1000000000, left % 1000000000};
        if (ppoll (&item, 1, &timeout, NULL) > 0 && (item.revents & (POLLHUP | POLLERR)))
            atomic_store (&self->board->failed, true);
    }
}

static void s_work (s_publisher_t *self, const zl_job_t *job)
{
    uint64_t state = job->seed | 1;
    uint64_t own_total = (uint64_t)(job->rate * job->seconds + 0.5), own = 0;
    uint64_t shared_total = (uint64_t)(job->shared_rate * job->seconds + 0.5), shared = 0;
    int64_t start = zl_now () + 1000000;
    while ((own < own_total || shared < shared_total) && !atomic_load (&self->board->stop)) {
        int64_t own_at =
            own < own_total ? start + (int64_t)((double)own * 1e9 / job->rate) : INT64_MAX;
        int64_t shared_at = shared < shared_total
                                ? start + (int64_t)(((double)shared + 0.5) * 1e9 / job->shared_rate)
                                : INT64_MAX;
        s_wait (self, own_at < shared_at ? own_at : shared_at);
        if (own_at <= shared_at) {
            own++;
            s_publish (self, (uint32_t)(s_random (&state) % self->options->topics), own_at);
        } else {
            shared++;
            s_publish (self, ZL_TOPICS_MAX, shared_at);
        }
    }
    for (int i = 0; i < 3000 && self->out.len && !atomic_load (&self->board->stop); i++)
        s_wait (self, zl_now () + 1000000);
    s_service (self);
}

int zl_publisher_run (const zl_options_t *options, zl_board_t *board)
{
    s_publisher_t self = {.options = options, .board = board, .fd = -1};
    /*  Keeping to the schedule matters more than fairness. If this isn't allowed, the report
     *  shows the lateness. */
    (void)setpriority (PRIO_PROCESS, 0, -10);
    self.payload = calloc (1, options->payload + 1);
    memset (self.payload, 'x', options->payload);
    self.body_size = options->payload + 1 + (options->body ? strlen (options->body) : 0);
    self.body = malloc (self.body_size);
    if (!s_open (&self)) {
        fprintf (stderr, "load: can't publish to %s\n", options->publish);
        atomic_store (&board->failed, true);
        return 1;
    }
    atomic_store (&board->ready, true);
    while (!atomic_load (&board->stop)) {
        unsigned job = atomic_load (&board->job);
        if (job != atomic_load (&board->done)) {
            s_work (&self, &board->work);
            atomic_store (&board->done, job);
        }
        s_wait (&self, zl_now () + 2000000);
    }
    return 0; /* descriptors and memory go with the process */
}
