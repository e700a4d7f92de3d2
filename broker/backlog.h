/*  backlog.h - bounds the bytes that may wait for each subscriber, and disconnects a subscriber
 *  that takes nothing.
 *
 *  ZeroMQ bounds a subscriber's queue in messages, and tells neither their number nor their
 *  sizes: ten thousand messages of a megabyte are ten gigabytes. From outside one can see
 *  whether a connection's socket is writable; if so, ZeroMQ has nothing to write to it. So at
 *  most the messages published since then wait for it, and no more of them than the queue holds:
 *  the sum of the largest ones is the bound. */
#ifndef ZC_BACKLOG_H
#define ZC_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct zc_backlog zc_backlog_t;

/*  `hwm`: messages that a queue holds. `max_bytes`: for each subscriber; 0: no limit. `sent` gives
 *  the bytes that ZeroMQ has written to a connection so far. */
zc_backlog_t *zc_backlog_new (int hwm, uint64_t max_bytes, uint64_t (*sent) (int fd));
void zc_backlog_destroy (zc_backlog_t **self_p);
void zc_backlog_set_max (zc_backlog_t *self, uint64_t max_bytes);

/*  A message of this size, in all frames, was given to ZeroMQ. */
void zc_backlog_published (zc_backlog_t *self, size_t bytes);
/*  ZeroMQ accepted a connection, or ended one. The descriptor stays ZeroMQ's. */
void zc_backlog_opened (zc_backlog_t *self, int fd);
void zc_backlog_closed (zc_backlog_t *self, int fd);

/*  Whether zc_backlog_turn has something to do: a few times a second, and more often where much is
 *  published. `now_ms` doesn't step back. */
bool zc_backlog_due (const zc_backlog_t *self, uint64_t now_ms);
/*  Looks at the connections, and shuts down those for which too much may wait; ZeroMQ then
 *  notices. All connections opened and closed until now have been reported before. */
void zc_backlog_turn (zc_backlog_t *self, uint64_t now_ms);
/*  Writes the names of the first three subscribers that take nothing now: "10.0.0.5:40022,
 *  10.0.0.6:5311 and 4 more"; "" if there are none. */
void zc_backlog_names (const zc_backlog_t *self, char *text, size_t size);

typedef struct {
    uint64_t connections; /* now */
    uint64_t behind;      /* connections that take nothing now */
    uint64_t bytes;       /* the most that may wait for one of them */
    uint64_t cut;         /* connections that were shut down */
} zc_backlog_stats_t;
zc_backlog_stats_t zc_backlog_stats (const zc_backlog_t *self);

#endif
