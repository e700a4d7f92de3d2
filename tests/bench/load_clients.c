/*  load_clients.c - one process full of subscribers on one epoll. Every client parses, counts
 *  and times every message: a message that isn't seen here did not arrive.
 *
 *  Bytes pass through up to two layers: the transfer layer (HTTP chunks or FastCGI records),
 *  which tells how many of the next bytes are content, and the event layer (SSE lines or
 *  WebSocket frames). Neither keeps more of a message than the head with its stamp. */
#define _GNU_SOURCE
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (256 * 1024)
#define LINE_MAX_KEPT 96
#define HEAD_MAX 4096

typedef enum { S_NONE, S_CONNECTING, S_HEAD, S_OPEN, S_CLOSED } s_state_t;
typedef enum { S_PLAIN, S_CHUNKED, S_RECORDS } s_transfer_t;

typedef struct {
    int fd;
    unsigned number;
    uint8_t state, transfer;
    bool ended;    /* the transfer layer saw its end */
    int64_t began; /* when connect was called */
    char *head;    /* response head while it comes; else NULL */
    unsigned head_len;
    uint8_t frame[14]; /* the transfer layer's or WebSocket's partial header */
    uint8_t frame_len;
    uint8_t opcode;
    uint64_t left;            /* content bytes left in this chunk, record or frame */
    unsigned skip;            /* bytes to skip after the content: padding, CR LF */
    char line[LINE_MAX_KEPT]; /* head of the line or frame that is coming */
    uint64_t line_len;
    bool verdict;     /* the event that is coming is zcast.continuity */
    char id[80];      /* last event id seen */
    uint32_t last[2]; /* last sequence on the own and the shared topic */
    uint32_t received;
    bool current;
} s_client_t;

typedef struct {
    const zl_options_t *options;
    zl_board_t *board;
    zl_receiver_t *figures;
    int epoll;
    s_client_t *clients;
    unsigned count, started, pending; /* pending: handshakes under way */
    unsigned *again, agains;          /* clients whose handshake failed: they try again */
    int64_t start, now;               /* now: taken once a read */
    uint8_t *bytes;
    bool resuming;
} s_receiver_t;

/*  A system may wrap the payload in JSON: there it begins behind a quotation mark. */
static void s_message (s_receiver_t *self, s_client_t *client, const char *bytes, size_t len)
{
    zl_stamp_t stamp;
    const char *quoted = len > 0 && bytes[0] == '{' ? memmem (bytes, len, "\"zb", 3) : NULL;
    if (quoted) {
        len -= (size_t)(quoted + 1 - bytes);
        bytes = quoted + 1;
    }
    if (!zl_stamp_read (bytes, len, &stamp))
        return;
    uint32_t *last = &client->last[stamp.topic == ZL_TOPICS_MAX];
    zl_receiver_t *figures = self->figures;
    if (stamp.sequence <= *last) {
        figures->repeats++;
        return;
    }
    if (stamp.sequence != *last + 1)
        figures->disorder++;
    *last = stamp.sequence;
    client->received++;
    atomic_store_explicit (&figures->received,
                           atomic_load_explicit (&figures->received, memory_order_relaxed) + 1,
                           memory_order_relaxed);
    if (stamp.intended >= atomic_load_explicit (&self->board->from, memory_order_relaxed))
        zl_histogram_add (&figures->latency, self->now - stamp.intended);
}

/* ---- SSE ---- */

static const char *s_field (const char *line, size_t len, const char *name, size_t *value_len)
{
    size_t n = strlen (name);
    if (len < n || memcmp (line, name, n) != 0)
        return NULL;
    n += len > n && line[n] == ' ';
    *value_len = len - n;
    return line + n;
}

static void s_line (s_receiver_t *self, s_client_t *client)
{
    size_t len = client->line_len < LINE_MAX_KEPT ? client->line_len : LINE_MAX_KEPT, n;
    const char *value;
    if (len && client->line[len - 1] == '\r')
        len--;
    if ((value = s_field (client->line, len, "data:", &n))) {
        if (client->verdict)
            memmem (value, n, "\"gap\"", 5) ? self->figures->gaps++ : self->figures->continued++;
        else
            s_message (self, client, value, n);
    } else if ((value = s_field (client->line, len, "id:", &n)))
        snprintf (client->id, sizeof client->id, "%.*s", (int)n, value);
    else if ((value = s_field (client->line, len, "event:", &n)))
        client->verdict = n == 16 && memcmp (value, "zcast.continuity", 16) == 0;
    else if (len == 0)
        client->verdict = false;
}

static void s_keep (s_client_t *client, const uint8_t *bytes, size_t len)
{
    if (client->line_len < LINE_MAX_KEPT) {
        size_t room = LINE_MAX_KEPT - client->line_len;
        memcpy (client->line + client->line_len, bytes, len < room ? len : room);
    }
    client->line_len += len;
}

static void s_sse (s_receiver_t *self, s_client_t *client, const uint8_t *bytes, size_t len)
{
    while (len) {
        const uint8_t *end = memchr (bytes, '\n', len);
        size_t n = end ? (size_t)(end - bytes) : len;
        s_keep (client, bytes, n);
        if (!end)
            return;
        s_line (self, client);
        client->line_len = 0;
        bytes += n + 1, len -= n + 1;
    }
}

/* ---- transfer layer of SSE ---- */

/*  One byte of a chunk's size line; the CR LF that ends a chunk leaves an empty line first. */
static void s_chunk_byte (s_client_t *client, uint8_t byte)
{
    if (byte != '\n') {
        if (byte != '\r' && client->frame_len < sizeof client->frame - 1)
            client->frame[client->frame_len++] = byte;
        return;
    }
    if (client->frame_len) {
        client->frame[client->frame_len] = 0;
        client->left = strtoull ((char *)client->frame, NULL, 16);
        client->ended = client->left == 0;
    }
    client->frame_len = 0;
}

static void s_record_byte (s_client_t *client, uint8_t byte)
{
    client->frame[client->frame_len++] = byte;
    if (client->frame_len < 8)
        return;
    client->frame_len = 0;
    client->opcode = client->frame[1];
    client->left = (uint64_t)client->frame[4] << 8 | client->frame[5];
    client->skip = client->frame[6];
    client->ended |= client->opcode == 3; /* END_REQUEST */
}

static void s_transfer (s_receiver_t *self, s_client_t *client, const uint8_t *bytes, size_t len)
{
    if (client->transfer == S_PLAIN) {
        s_sse (self, client, bytes, len);
        return;
    }
    while (len) {
        if (client->left) {
            size_t n = client->left < len ? client->left : len;
            if (client->transfer == S_CHUNKED || client->opcode == 6) /* STDOUT */
                s_sse (self, client, bytes, n);
            client->left -= n;
            bytes += n, len -= n;
        } else if (client->skip) {
            size_t n = client->skip < len ? client->skip : len;
            client->skip -= n;
            bytes += n, len -= n;
        } else {
            client->transfer == S_CHUNKED ? s_chunk_byte (client, *bytes)
                                          : s_record_byte (client, *bytes);
            bytes++, len--;
        }
    }
}

/* ---- WebSocket ---- */

/*  Returns true once the header is whole; a server's frames have no mask. */
static bool s_frame_head (s_client_t *client, uint8_t byte)
{
    client->frame[client->frame_len++] = byte;
    if (client->frame_len < 2)
        return false;
    unsigned code = client->frame[1] & 127, extra = code == 126 ? 2 : code == 127 ? 8 : 0;
    if (client->frame_len < 2 + extra)
        return false;
    client->left = extra ? 0 : code;
    for (unsigned i = 0; i < extra; i++)
        client->left = client->left << 8 | client->frame[2 + i];
    client->opcode = client->frame[0] & 15;
    client->frame_len = 0;
    client->line_len = 0;
    return true;
}

static void s_frame (s_receiver_t *self, s_client_t *client)
{
    size_t len = client->line_len < LINE_MAX_KEPT ? client->line_len : LINE_MAX_KEPT;
    if (client->opcode <= 2)
        s_message (self, client, client->line, len);
    else if (client->opcode == 8)
        client->ended = true;
    else if (client->opcode == 9) {
        uint8_t pong[6 + 125] = {0x8a, (uint8_t)(0x80 | len)}; /* a mask of zeros */
        memcpy (pong + 6, client->line, len);
        (void)send (client->fd, pong, 6 + len, MSG_DONTWAIT | MSG_NOSIGNAL);
        self->figures->pings++;
    }
}

static void s_ws (s_receiver_t *self, s_client_t *client, const uint8_t *bytes, size_t len)
{
    while (len) {
        if (!client->left) {
            bool whole = s_frame_head (client, *bytes++);
            len--;
            if (whole && !client->left)
                s_frame (self, client);
            continue;
        }
        size_t n = client->left < len ? client->left : len;
        s_keep (client, bytes, n);
        client->left -= n;
        bytes += n, len -= n;
        if (!client->left)
            s_frame (self, client);
    }
}

/* ---- connections ---- */

static unsigned s_topic (const s_receiver_t *self, const s_client_t *client)
{
    return client->number % self->options->topics;
}

/*  Messages that this client should have had by now. */
static uint32_t s_wanted (const s_receiver_t *self, const s_client_t *client)
{
    uint32_t wanted = atomic_load (&self->board->sent[s_topic (self, client)]);
    return wanted + (self->options->shared ? atomic_load (&self->board->sent[ZL_TOPICS_MAX]) : 0);
}

static void s_close (s_receiver_t *self, s_client_t *client)
{
    if (client->state == S_NONE || client->state == S_CLOSED)
        return;
    /*  A reset leaves no TIME_WAIT behind, and looks like a lost network. */
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt (client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close (client->fd);
    free (client->head);
    client->head = NULL;
    if (client->state == S_OPEN) {
        atomic_fetch_sub (&self->figures->open, 1);
        atomic_fetch_add (&self->figures->closed, 1);
    } else {
        self->pending--;
        atomic_fetch_add (&self->figures->failed, 1);
        if (atomic_load (&self->board->command) != ZL_RESET)
            self->again[self->agains++] = (unsigned)(client - self->clients);
    }
    client->state = S_CLOSED;
}

static void s_opened (s_receiver_t *self, s_client_t *client)
{
    free (client->head);
    client->head = NULL;
    client->state = S_OPEN;
    self->pending--;
    zl_histogram_add (&self->figures->handshake, self->now - client->began);
    unsigned open = atomic_fetch_add (&self->figures->open, 1) + 1;
    if (open == self->count)
        atomic_store (&self->figures->connected_at, self->now);
}

static size_t s_pair (uint8_t *out, const char *name, const char *value)
{
    size_t n = strlen (name), v = strlen (value);
    out[0] = (uint8_t)n;
    for (int i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)((v | 0x80000000u) >> (24 - 8 * i));
    memcpy (out + 5, name, n);
    memcpy (out + 5 + n, value, v);
    return 5 + n + v;
}

/*  BEGIN_REQUEST (responder), PARAMS, end of PARAMS, end of STDIN (FastCGI 1.0 §5). */
static size_t s_fcgi_request (const s_client_t *client, uint8_t *out, const char *path)
{
    static const uint8_t begin[16] = {1, 1, 0, 1, 0, 8, 0, 0, 0, 1};
    static const uint8_t end[16] = {1, 4, 0, 1, 0, 0, 0, 0, 1, 5, 0, 1};
    memcpy (out, begin, 16);
    uint8_t *content = out + 24;
    size_t len = 0;
    const char *query = strchr (path, '?');
    len += s_pair (content + len, "REQUEST_METHOD", "GET");
    len += s_pair (content + len, "QUERY_STRING", query ? query + 1 : "");
    len += s_pair (content + len, "REQUEST_URI", path);
    len += s_pair (content + len, "REMOTE_ADDR", "127.0.0.1");
    if (*client->id)
        len += s_pair (content + len, "HTTP_LAST_EVENT_ID", client->id);
    uint8_t head[8] = {1, 4, 0, 1, (uint8_t)(len >> 8), (uint8_t)len};
    memcpy (out + 16, head, 8);
    memcpy (content + len, end, 16);
    return 24 + len + 16;
}

static size_t s_http_request (const s_receiver_t *self, const s_client_t *client, char *out,
                              size_t size, const char *path)
{
    const zl_options_t *options = self->options;
    const char *kind = options->transport == ZL_WS
                           ? "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       : options->transport == ZL_SSE ? "Accept: text/event-stream\r\n"
                                                      : "Connection: close\r\n";
    bool resume = self->resuming && *client->id;
    return (size_t)snprintf (out, size, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s%s%s%s%s%s\r\n",
                             path, kind, options->header ? options->header : "",
                             options->header ? "\r\n" : "", resume ? "Last-Event-ID: " : "",
                             resume ? client->id : "", resume ? "\r\n" : "");
}

static void s_request (s_receiver_t *self, s_client_t *client)
{
    char path[1024], number[16], out[HEAD_MAX];
    snprintf (number, sizeof number, "%u", client->number);
    zl_pattern (path, sizeof path, self->options->path, number);
    size_t len = self->options->transport == ZL_FCGI
                     ? s_fcgi_request (client, (uint8_t *)out, path)
                     : s_http_request (self, client, out, sizeof out, path);
    if (send (client->fd, out, len, MSG_NOSIGNAL) != (ssize_t)len) {
        s_close (self, client);
        return;
    }
    client->state = S_HEAD;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl (self->epoll, EPOLL_CTL_MOD, client->fd, &event);
}

static void s_start (s_receiver_t *self, s_client_t *client)
{
    client->began = zl_now ();
    client->transfer = self->options->transport == ZL_FCGI ? S_RECORDS : S_PLAIN;
    client->left = client->line_len = 0;
    client->frame_len = 0;
    client->skip = 0;
    client->ended = client->verdict = client->current = false;
    client->state = S_CONNECTING;
    self->pending++;
    client->fd = zl_connect (self->options->connect, true, self->options->rcvbuf);
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = client};
    if (client->fd < 0 || epoll_ctl (self->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        s_close (self, client); /* it tries again in the loop's next turn */
}

static void s_body (s_receiver_t *self, s_client_t *client, const uint8_t *bytes, size_t len)
{
    self->figures->bytes += len;
    switch (self->options->transport) {
    case ZL_WS:
        s_ws (self, client, bytes, len);
        break;
    case ZL_HTTP:
        break;
    default:
        s_transfer (self, client, bytes, len);
    }
    if (client->ended)
        s_close (self, client);
}

static void s_head (s_receiver_t *self, s_client_t *client, const uint8_t *bytes, size_t len)
{
    if (!client->head) {
        client->head = calloc (1, HEAD_MAX);
        client->head_len = 0;
    }
    size_t old = client->head_len;
    size_t n = len < HEAD_MAX - 1 - old ? len : HEAD_MAX - 1 - old;
    memcpy (client->head + old, bytes, n);
    client->head_len += (unsigned)n;
    client->head[client->head_len] = 0;
    char *end = strstr (client->head, "\r\n\r\n");
    bool good = strncmp (client->head, "HTTP/1.1 101", 12) == 0 ||
                strncmp (client->head, "HTTP/1.1 200", 12) == 0;
    if (!end || !good) {
        if (end || client->head_len == HEAD_MAX - 1)
            s_close (self, client);
        return;
    }
    size_t used = (size_t)(end + 4 - client->head) - old;
    if (strcasestr (client->head, "transfer-encoding: chunked"))
        client->transfer = S_CHUNKED;
    s_opened (self, client);
    s_body (self, client, bytes + used, len - used);
}

static void s_readable (s_receiver_t *self, s_client_t *client)
{
    ssize_t got = recv (client->fd, self->bytes, READ_SIZE, 0);
    self->now = zl_now ();
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        s_close (self, client);
    else if (client->state == S_OPEN)
        s_body (self, client, self->bytes, (size_t)got);
    else if (self->options->transport == ZL_FCGI) {
        s_opened (self, client); /* the head comes as STDOUT: lines that are no fields of SSE */
        s_body (self, client, self->bytes, (size_t)got);
    } else
        s_head (self, client, self->bytes, (size_t)got);
}

/*  Starts as many clients as the window and the rate allow. */
static void s_start_some (s_receiver_t *self)
{
    const zl_options_t *options = self->options;
    double rate = options->connect_rate / options->receivers;
    uint64_t due = rate > 0 ? (uint64_t)((double)(zl_now () - self->start) * rate / 1e9) : ~0ull;
    while (self->started < self->count && self->pending < options->window && self->started < due)
        s_start (self, &self->clients[self->started++]);
    for (unsigned n = self->agains; n && self->pending < options->window; n--)
        s_start (self, &self->clients[self->again[--self->agains]]);
}

/*  A client is current once it has all messages published; checked while storms are timed. */
static void s_check_current (s_receiver_t *self, s_client_t *client)
{
    if (!self->resuming || client->current || client->state != S_OPEN)
        return;
    uint32_t sum = client->last[0] + client->last[1];
    if (sum < s_wanted (self, client))
        return;
    client->current = true;
    if (atomic_fetch_add (&self->figures->current, 1) + 1 == self->count)
        atomic_store (&self->figures->current_at, self->now);
}

static void s_obey (s_receiver_t *self, int command)
{
    if (command == ZL_RESET) {
        for (unsigned i = 0; i < self->count; i++)
            s_close (self, &self->clients[i]);
        self->started = self->count;
        self->agains = 0;
    } else if (command == ZL_RECONNECT) {
        self->resuming = true;
        self->started = 0;
        self->start = zl_now ();
    }
}

static void s_finish (s_receiver_t *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        uint32_t wanted = s_wanted (self, &self->clients[i]);
        if (self->clients[i].received < wanted) {
            self->figures->missing += wanted - self->clients[i].received;
            self->figures->incomplete++;
        }
    }
}

static void s_loop (s_receiver_t *self)
{
    int command = ZL_RUN;
    struct epoll_event events[512];
    while (command != ZL_QUIT) {
        s_start_some (self);
        bool busy =
            (self->agains || self->started < self->count) && self->pending < self->options->window;
        int n = epoll_wait (self->epoll, events, 512, busy ? 1 : 5);
        for (int i = 0; i < n; i++) {
            s_client_t *client = events[i].data.ptr;
            if (client->state == S_CONNECTING)
                s_request (self, client);
            else if (client->state == S_HEAD || client->state == S_OPEN)
                s_readable (self, client);
            s_check_current (self, client);
            if (self->agains || self->started < self->count)
                s_start_some (self);
        }
        int wish = atomic_load (&self->board->command);
        if (wish != command)
            s_obey (self, command = wish);
    }
    s_finish (self);
}

int zl_receiver_run (const zl_options_t *options, zl_board_t *board, unsigned number)
{
    s_receiver_t self = {.options = options,
                         .board = board,
                         .figures = &board->receiver[number],
                         .epoll = epoll_create1 (0),
                         .start = zl_now (),
                         .bytes = malloc (READ_SIZE)};
    self.clients = calloc (options->clients, sizeof *self.clients);
    self.again = calloc (options->clients, sizeof *self.again);
    for (unsigned i = number; i < options->clients; i += options->receivers)
        self.clients[self.count++] = (s_client_t){.number = i, .fd = -1};
    s_loop (&self);
    return 0; /* descriptors and memory go with the process */
}
