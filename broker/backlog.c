/*  backlog.c - see backlog.h.
 *
 *  Messages are counted by size, in classes of powers of two. For a connection that isn't
 *  writable, there is a copy of the counts of the time when it last was. Messages counted since
 *  then may wait for the connection, without the bytes that its peer has acknowledged since, and
 *  at most as many messages as the queue holds. A connection counts as caught up when it was
 *  found writable twice in a row: once isn't enough, since ZeroMQ may be about to fill it again.
 *
 *  A Unix socket has no acknowledgements. Its peer has read all bytes that ZeroMQ has written,
 *  except those that the kernel holds, which the kernel counts with an overhead. So for a Unix
 *  socket the kernel's queue is checked closely: whether it changes at all. A peer that takes
 *  bytes for seconds and never takes all of them is disconnected, too.
 *
 *  Rejected: a high-water mark that follows the size of messages, because it is the same for all
 *  connections, and a few large messages would make the queues for small ones too short;
 *  matching each message with each subscriber's topics, which ZeroMQ does already, and which is
 *  most of a message's cost. As a consequence, a subscriber of quiet topics whose connection is
 *  jammed is judged by all messages that are published, and not only by its own. */
#define _GNU_SOURCE /* ucred */
#include "broker/backlog.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "lib/base/listen.h"
#include "lib/base/log.h"

#define S_LOOK_MS 250
#define S_LOOK_LEAST_MS 10
#define S_LOOK_SHARE 8   /* a look follows at once after this share of max_bytes was published */
#define S_LOOK_SOME 2500 /* connections; with more of them, looks are rarer */
#define S_CLASSES 24   /* the first is up to S_SMALLEST bytes; each further one is twice as large */
#define S_SMALLEST 256 /* bytes */
/*  Bytes that ZeroMQ needs for the three frames of a message, and for the receive buffer of 8
 *  KiB, which is freed with the last message in it. */
#define S_OVERHEAD 8512
#define S_STILL_LOOKS 20    /* a queue that hasn't changed in so many looks, */
#define S_STILL_MS 100      /* and for so long, is jammed */
#define S_BUSY_MS 4000      /* a queue that changes may be non-empty for so long */
#define S_NAMES 3           /* peers named in a log line */
#define S_GIVE_BACK_MS 2000 /* until ZeroMQ has freed the messages that waited for a connection */

typedef struct {
    uint64_t messages, bytes;
} s_class_t;

typedef struct {
    s_class_t of[S_CLASSES];
} s_counts_t;

typedef struct {
    int fd;             /* ZeroMQ's */
    bool writable;      /* at the last look */
    bool unix_;         /* a Unix socket, which has no acknowledgements */
    bool cut;           /* it has been shut down */
    uint64_t taken;     /* bytes that its peer had taken at the last look */
    uint64_t waiting;   /* unix_: bytes in the kernel at the last look */
    s_counts_t *before; /* owned; the counts when it fell behind; NULL: it hasn't */
    uint64_t taken_before, before_ms;
    unsigned still; /* close looks at its queue so far; 0: it isn't suspect */
    uint64_t still_ms;
} s_reader_t;

struct zc_backlog {
    uint64_t hwm, max_bytes;
    uint64_t (*sent) (int fd);
    s_counts_t now, last; /* last: at the last look */
    s_reader_t *readers;
    struct pollfd *items; /* one for each reader */
    size_t count, room;
    size_t *places; /* by descriptor: its index in readers + 1; 0: it isn't there */
    size_t places_room;
    uint64_t volume;                  /* bytes published since the last look */
    size_t suspects;                  /* readers with `still` */
    uint64_t looked_ms, give_back_ms; /* give_back_ms: 0: there is nothing to give back */
    uint64_t behind, bytes, cut;
};

zc_backlog_t *zc_backlog_new (int hwm, uint64_t max_bytes, uint64_t (*sent) (int fd))
{
    zc_backlog_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->hwm = hwm > 0 ? (uint64_t)hwm : UINT64_MAX;
    self->max_bytes = max_bytes;
    self->sent = sent;
    return self;
}

void zc_backlog_destroy (zc_backlog_t **self_p)
{
    zc_backlog_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        free (self->readers[i].before);
    free (self->readers);
    free (self->items);
    free (self->places);
    free (self);
    *self_p = NULL;
}

void zc_backlog_set_max (zc_backlog_t *self, uint64_t max_bytes)
{
    self->max_bytes = max_bytes;
}

/*  Messages. */

static size_t s_class_of (size_t bytes)
{
    if (bytes <= S_SMALLEST)
        return 0;
    size_t class = (size_t)(64 - __builtin_clzll ((bytes - 1) / S_SMALLEST));
    return class < S_CLASSES ? class : S_CLASSES - 1;
}

void zc_backlog_published (zc_backlog_t *self, size_t bytes)
{
    s_class_t *class = &self->now.of[s_class_of (bytes)];
    class->messages++;
    class->bytes += bytes;
    self->volume += bytes;
}

/*  Bytes that may wait: of the messages since `before`, without the first `taken` bytes, the
 *  largest ones, as many as the queue holds. */
static uint64_t s_bound (const zc_backlog_t *self, const s_counts_t *before, uint64_t taken)
{
    uint64_t left = self->hwm, largest = 0, all = 0;
    for (size_t i = S_CLASSES; i-- > 0;) {
        uint64_t messages = self->now.of[i].messages - before->of[i].messages;
        uint64_t bytes = self->now.of[i].bytes - before->of[i].bytes;
        uint64_t some = left * ((uint64_t)S_SMALLEST << i);
        all += bytes;
        largest += messages > left && some < bytes ? some : bytes;
        left -= messages < left ? messages : left;
    }
    uint64_t rest = taken < all ? all - taken : 0;
    /* the share of the messages that may wait */
    double share = all ? (double)rest / (double)all : 0;
    uint64_t overhead = (uint64_t)(share * (double)((self->hwm - left) * S_OVERHEAD));
    return (rest < largest ? rest : largest) + overhead;
}

/*  Connections. */

static size_t *s_place (zc_backlog_t *self, int fd)
{
    size_t want = (size_t)fd + 1;
    if (want > self->places_room) {
        self->places = realloc (self->places, want * 2 * sizeof *self->places);
        if (!self->places)
            abort ();
        memset (self->places + self->places_room, 0,
                (want * 2 - self->places_room) * sizeof *self->places);
        self->places_room = want * 2;
    }
    return &self->places[fd];
}

static bool s_is_unix (int fd)
{
    int family = 0;
    socklen_t size = sizeof family;
    getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
    return family == AF_UNIX;
}

void zc_backlog_opened (zc_backlog_t *self, int fd)
{
    if (fd < 0)
        return;
    zc_backlog_closed (self, fd); /* in case its end wasn't reported */
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 16;
        self->readers = realloc (self->readers, self->room * sizeof *self->readers);
        self->items = realloc (self->items, self->room * sizeof *self->items);
        if (!self->readers || !self->items)
            abort ();
    }
    self->readers[self->count++] =
        (s_reader_t){.fd = fd, .writable = true, .unix_ = s_is_unix (fd)};
    *s_place (self, fd) = self->count;
}

void zc_backlog_closed (zc_backlog_t *self, int fd)
{
    if (fd < 0 || (size_t)fd >= self->places_room || !self->places[fd])
        return;
    s_reader_t *reader = &self->readers[self->places[fd] - 1];
    if (reader->before)
        self->give_back_ms = self->looked_ms + S_GIVE_BACK_MS;
    self->suspects -= reader->still > 0;
    free (reader->before);
    *reader = self->readers[--self->count];
    self->places[reader->fd] = self->places[fd];
    self->places[fd] = 0;
}

/*  A descriptor that is closed counts as writable. */
static void s_poll (zc_backlog_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        self->items[i] = (struct pollfd){self->readers[i].fd, POLLOUT, 0};
    if (self->count)
        poll (self->items, self->count, 0);
}

/*  Bytes in the kernel, with the kernel's overhead. */
static uint64_t s_waiting (const s_reader_t *reader)
{
    int waiting = 0;
    return ioctl (reader->fd, SIOCOUTQ, &waiting) == 0 ? (uint64_t)waiting : 0;
}

/*  The bytes that the peer of a Unix socket has read, at least. */
static uint64_t s_read (const zc_backlog_t *self, const s_reader_t *reader)
{
    uint64_t sent = self->sent (reader->fd), waiting = s_waiting (reader);
    return sent > waiting ? sent - waiting : 0;
}

static uint64_t s_taken (const zc_backlog_t *self, const s_reader_t *reader)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (reader->unix_)
        return s_read (self, reader);
    bool known = getsockopt (reader->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
                 size >= offsetof (struct tcp_info, tcpi_bytes_received);
    return known ? info.tcpi_bytes_acked : 0;
}

static void s_name (const s_reader_t *reader, char *text, size_t size)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (reader->unix_ && getsockopt (reader->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
        snprintf (text, size, "process %d", (int)peer.pid);
    else
        zc_peer_name (reader->fd, text, size);
}

/*  Ends it by RST, so that the kernel, too, frees the bytes that wait. */
static void s_cut (zc_backlog_t *self, s_reader_t *reader, uint64_t bytes)
{
    static zc_log_limit_t limit;
    struct linger none = {1, 0};
    char name[64];
    s_name (reader, name, sizeof name);
    zc_log_limited (&limit, ZC_LOG_WARN,
                    ZC_EVENT ("subscriber.slow subscriber mib",
                              "subscriber %s: disconnected, since it doesn't take what it is sent, "
                              "and up to %llu MiB may wait for it (subscribe-bytes)"),
                    name, (unsigned long long)(bytes >> 20));
    setsockopt (reader->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    shutdown (reader->fd, SHUT_RDWR);
    reader->cut = true;
    self->cut++;
}

static void s_fall_behind (zc_backlog_t *self, s_reader_t *reader, uint64_t now_ms)
{
    reader->before = malloc (sizeof *reader->before);
    if (!reader->before)
        abort ();
    *reader->before = self->last;
    reader->taken_before = reader->taken;
    reader->before_ms = now_ms;
}

/*  Too much may wait for the reader, unless it is taking those bytes just now. */
static void s_suspect (zc_backlog_t *self, s_reader_t *reader, uint64_t bytes, uint64_t now_ms)
{
    if (!reader->unix_ || now_ms - reader->before_ms >= S_BUSY_MS) {
        s_cut (self, reader, bytes);
    } else if (!reader->still) {
        reader->still = 1;
        reader->still_ms = now_ms;
        self->suspects++;
    }
}

static void s_acquit (zc_backlog_t *self, s_reader_t *reader)
{
    self->suspects -= reader->still > 0;
    reader->still = 0;
}

static void s_judge (zc_backlog_t *self, s_reader_t *reader, bool writable, uint64_t now_ms)
{
    uint64_t taken = s_taken (self, reader);
    if (writable && reader->writable) {
        free (reader->before);
        reader->before = NULL;
        s_acquit (self, reader);
    } else if (!reader->before) {
        s_fall_behind (self, reader, now_ms);
    }
    reader->taken = taken;
    reader->waiting = reader->unix_ ? s_waiting (reader) : 0;
    reader->writable = writable;
    if (!reader->before)
        return;
    self->behind += !writable;
    uint64_t since = taken > reader->taken_before ? taken - reader->taken_before : 0;
    uint64_t bytes = s_bound (self, reader->before, since);
    if (bytes > self->bytes)
        self->bytes = bytes;
    if (self->max_bytes && bytes > self->max_bytes && !writable && !reader->cut)
        s_suspect (self, reader, bytes, now_ms);
}

static void s_look (zc_backlog_t *self, uint64_t now_ms)
{
    self->looked_ms = now_ms;
    self->behind = self->bytes = self->volume = 0;
    s_poll (self);
    for (size_t i = 0; i < self->count; i++)
        s_judge (self, &self->readers[i], self->items[i].revents != 0, now_ms);
    self->last = self->now;
}

/*  Every turn, looks at the Unix sockets for which too much may wait. */
static void s_look_closely (zc_backlog_t *self, uint64_t now_ms)
{
    for (size_t i = 0; i < self->count && self->suspects; i++) {
        s_reader_t *reader = &self->readers[i];
        if (!reader->still)
            continue;
        if (s_waiting (reader) != reader->waiting) {
            s_acquit (self, reader);
        } else if (reader->still++ >= S_STILL_LOOKS && now_ms - reader->still_ms >= S_STILL_MS) {
            s_acquit (self, reader);
            s_cut (self, reader,
                   s_bound (self, reader->before, reader->taken - reader->taken_before));
        }
    }
}

static bool s_is_time_to_look (const zc_backlog_t *self, uint64_t now_ms)
{
    uint64_t passed = now_ms - self->looked_ms;
    bool much = self->max_bytes && self->volume >= self->max_bytes / S_LOOK_SHARE;
    uint64_t least = much ? S_LOOK_LEAST_MS : S_LOOK_MS;
    return passed >= least * (1 + self->count / S_LOOK_SOME);
}

bool zc_backlog_due (const zc_backlog_t *self, uint64_t now_ms)
{
    return self->suspects || s_is_time_to_look (self, now_ms);
}

void zc_backlog_turn (zc_backlog_t *self, uint64_t now_ms)
{
    if (self->suspects)
        s_look_closely (self, now_ms);
    if (s_is_time_to_look (self, now_ms))
        s_look (self, now_ms);
    if (self->give_back_ms && now_ms >= self->give_back_ms) {
        self->give_back_ms = 0;
        malloc_trim (0);
    }
}

void zc_backlog_names (const zc_backlog_t *self, char *text, size_t size)
{
    size_t names = 0, used = 0;
    char name[64];
    text[0] = 0;
    for (size_t i = 0; i < self->count; i++) {
        struct pollfd item = {self->readers[i].fd, POLLOUT, 0};
        if (poll (&item, 1, 0) != 0 || names++ >= S_NAMES)
            continue;
        s_name (&self->readers[i], name, sizeof name);
        int len = snprintf (text + used, size - used, "%s%s", names > 1 ? ", " : "", name);
        used += len > 0 && (size_t)len < size - used ? (size_t)len : 0;
    }
    if (names > S_NAMES)
        snprintf (text + used, size - used, " and %zu more", names - S_NAMES);
}

zc_backlog_stats_t zc_backlog_stats (const zc_backlog_t *self)
{
    return (zc_backlog_stats_t){self->count, self->behind, self->bytes, self->cut};
}
