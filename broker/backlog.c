/*  backlog.c - see backlog.h.
 *
 *  Messages are counted by size, in classes of powers of two. A connection that isn't writable has
 *  a copy of the counts of when it last was: what was counted since is what may wait for it, but
 *  for what its peer has acknowledged since, and of that it has at most as many messages as the
 *  queue holds. That it is writable for one moment says nothing yet, since ZeroMQ may be about to
 *  fill it again: twice in a row does. Over a Unix socket nothing is acknowledged: what its peer
 * has read is what ZeroMQ has written, but for what the kernel holds, with its own overhead. So
 * there it is also looked closely whether the kernel's queue moves at all, and one that takes
 * something for some seconds, but never all, goes too.
 *
 *  Rejected: a high-water mark that follows the size of messages (it is one for all connections, so
 *  that a few large messages would make the queues of small ones too short); to match each message
 *  with each subscriber's topics (ZeroMQ does that already, and it is most of what a message
 *  costs). So a subscriber of quiet topics whose connection is jammed is held to what others get:
 *  what is published counts, whoever it is for. */
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
#define S_LOOK_SHARE 8   /* of max_bytes that were published, then it is looked at once */
#define S_LOOK_SOME 2500 /* connections; with more it is looked at them less often */
#define S_CLASSES 24     /* the first is up to S_SMALLEST bytes, each further one twice as many */
#define S_SMALLEST 256   /* bytes */
/*  Bytes that ZeroMQ takes for the three frames of a message, and for the buffer of 8 KiB that it
 * was received in, which goes with the last message in it. */
#define S_OVERHEAD 8512
#define S_STILL_LOOKS 20    /* at a queue that does not move, */
#define S_STILL_MS 100      /* and for how long */
#define S_BUSY_MS 4000      /* for one that does, and never empties */
#define S_NAMES 3           /* in a log line */
#define S_GIVE_BACK_MS 2000 /* until ZeroMQ has let go of what waited for a connection */

typedef struct {
    uint64_t messages, bytes;
} s_class_t;

typedef struct {
    s_class_t of[S_CLASSES];
} s_counts_t;

typedef struct {
    int fd;             /* ZeroMQ's */
    bool writable;      /* when it was looked at last */
    bool unix_;         /* a Unix socket: nothing on it is acknowledged */
    bool cut;           /* it is on its way out */
    uint64_t taken;     /* bytes, at the last look */
    uint64_t waiting;   /* unix_: bytes in the kernel, at the last look */
    s_counts_t *before; /* owned; NULL: it has taken all */
    uint64_t taken_before, before_ms;
    unsigned still; /* looks at its queue while too much may wait; 0: not so */
    uint64_t still_ms;
} s_reader_t;

struct zc_backlog {
    uint64_t hwm, max_bytes;
    uint64_t (*sent) (int fd);
    s_counts_t now, last; /* last: at the last look */
    s_reader_t *readers;
    struct pollfd *items; /* one for each of them */
    size_t count, room;
    size_t *places; /* by descriptor: where it is in readers, and one; 0: nowhere */
    size_t places_room;
    uint64_t volume;                  /* bytes since the last look */
    size_t suspects;                  /* readers that are looked at closely */
    uint64_t looked_ms, give_back_ms; /* give_back_ms: 0: nothing to */
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

/*  Of what was published since, without the first `taken` bytes: the largest messages, as many as
 *  the queue holds. */
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
    double share = all ? (double)rest / (double)all : 0; /* of the messages, that may wait */
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
    zc_backlog_closed (self, fd); /* in case its end wasn't told */
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

/*  A descriptor that isn't there any more counts as writable. */
static void s_poll (zc_backlog_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        self->items[i] = (struct pollfd){self->readers[i].fd, POLLOUT, 0};
    if (self->count)
        poll (self->items, self->count, 0);
}

/*  Bytes, with what the kernel adds to them. */
static uint64_t s_waiting (const s_reader_t *reader)
{
    int waiting = 0;
    return ioctl (reader->fd, SIOCOUTQ, &waiting) == 0 ? (uint64_t)waiting : 0;
}

/*  What the peer of a Unix socket has read, at least. */
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

/*  By RST, so that the kernel too forgets what waits. */
static void s_cut (zc_backlog_t *self, s_reader_t *reader, uint64_t bytes)
{
    static zc_log_limit_t limit;
    struct linger none = {1, 0};
    char name[64];
    s_name (reader, name, sizeof name);
    zc_log_limited (&limit, ZC_LOG_WARN,
                    "subscriber %s: disconnected, since it doesn't take what it is sent, and up to "
                    "%llu MiB may wait for it (subscribe-bytes)",
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

/*  Too much may wait for it, unless it is just taking it. */
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

/*  At those of Unix sockets for which too much may wait: at every turn. */
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
