/*  backlog.h - what may wait for each subscriber, in bytes, and the end of one that takes nothing.
 *
 *  ZeroMQ bounds what waits for a subscriber in messages, and tells neither how many there are nor
 *  which: ten thousand of a megabyte are ten gigabytes. What can be seen from outside is whether a
 *  connection's socket is writable: then ZeroMQ has nothing to write to it. So no more waits for it
 *  than was published since, and of that no more messages than the queue holds: the largest of
 *  them are the bound. */
#ifndef ZC_BACKLOG_H
#define ZC_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct zc_backlog zc_backlog_t;

/*  `hwm`: messages that a queue holds. `max_bytes`: of one subscriber; 0: no bound. */
zc_backlog_t *zc_backlog_new (int hwm, uint64_t max_bytes);
void zc_backlog_destroy (zc_backlog_t **self_p);
void zc_backlog_set_max (zc_backlog_t *self, uint64_t max_bytes);

/*  A message of so many bytes, in all frames, was given to ZeroMQ. */
void zc_backlog_published (zc_backlog_t *self, size_t bytes);
/*  ZeroMQ accepted a connection, or ended one. The descriptor is ZeroMQ's. */
void zc_backlog_opened (zc_backlog_t *self, int fd);
void zc_backlog_closed (zc_backlog_t *self, int fd);

/*  Whether zc_backlog_turn has something to do: a few times a second, and more often where much is
 *  published. `now_ms` doesn't step back. */
bool zc_backlog_due (const zc_backlog_t *self, uint64_t now_ms);
/*  Looks at the connections. Those for which too much may wait are shut down, of which ZeroMQ then
 *  learns. What has been opened and closed until now has been told. */
void zc_backlog_turn (zc_backlog_t *self, uint64_t now_ms);
/*  The names of those that take nothing now, the first three: "10.0.0.5:40022, 10.0.0.6:5311 and 4
 *  more"; "" where there are none. */
void zc_backlog_names (const zc_backlog_t *self, char *text, size_t size);

typedef struct {
    uint64_t connections; /* now */
    uint64_t behind;      /* of them, those that take nothing now */
    uint64_t bytes;       /* that may wait for the one with the most */
    uint64_t cut;         /* shut down since they took nothing */
} zc_backlog_stats_t;
zc_backlog_stats_t zc_backlog_stats (const zc_backlog_t *self);

#endif
