/*  history.h - keeps messages for clients that come back: one interface, and two kinds of
 *  history, in memory and in LMDB.
 *
 *  An item is appended. At once or later, `settled` is called for it, in the order of appending;
 *  from then on it can be read. Readers seek by topic and position. All calls come from the
 *  broker's one thread. */
#ifndef ZC_HISTORY_H
#define ZC_HISTORY_H

#include <zmq.h>
#include "broker/topics.h"
#include "lib/wire/line.h"

/*  A message on its way through the broker. */
typedef struct {
    zmq_msg_t topic, payload, meta; /* as they will be delivered */
    zc_topic_t *where;
    zc_id_t id;
    zc_id_t dropped;              /* the position that meta tells */
    uint64_t expires_ms;          /* wall clock; 0: it has no ttl */
    uint16_t event_at, event_len; /* own id or key, within meta; length 0: there is none */
    void *origin; /* the broker's: the request that waits for the answer; NULL: none */
} zc_item_t;

/*  One stored message, borrowed until the next call of the history. */
typedef struct {
    zc_id_t id;
    zc_slice_t meta;
    zc_slice_t payload;
    zmq_msg_t *shared; /* the payload as a message that can be shared by zmq_msg_copy; or NULL */
} zc_stored_t;

typedef struct {
    uint64_t messages, bytes, age_ms;                   /* in all */
    uint64_t topic_messages, topic_bytes, topic_age_ms; /* of each topic */
} zc_history_limits_t;

typedef struct {
    uint64_t messages, bytes;
    uint64_t trimmed, lost;  /* by the limits; and messages that a failure kept out of history */
    uint64_t commits, syncs; /* of the disk */
    zc_id_t floor;           /* the last position trimmed, of all topics */
    const char *error;       /* NULL: there is none */
} zc_history_stats_t;

/*  The item isn't on its way any more; `kept` tells whether history has it. The callee may take
 *  the frames. */
typedef void (*zc_settled_fn) (void *arg, zc_item_t *item, bool kept);

/*  The topic's messages up to the position asked for are gone, for good: `count` of them. `done` is
 *  false if history ends before. */
typedef void (*zc_purged_fn) (void *arg, void *origin, uint64_t count, bool done);

/*  Which one of several messages of a topic with the same own id or key. */
typedef enum {
    ZC_EARLIEST, /* for a client that resumes: it misses no message after any of them */
    ZC_NEWEST,   /* for a repeat: it repeats the newest */
} zc_which_t;

typedef struct zc_history zc_history_t;

typedef struct {
    const char *kind;
    void (*destroy) (zc_history_t *self);
    void (*append) (zc_history_t *self, zc_item_t *item);
    void (*flush) (zc_history_t *self);
    void (*settle) (zc_history_t *self);
    bool (*full) (zc_history_t *self);
    bool (*busy) (zc_history_t *self);
    bool (*trim) (zc_history_t *self, uint64_t now_ms);
    void (*evict) (zc_history_t *self, zc_topic_t *topic);
    void (*purge) (zc_history_t *self, zc_topic_t *topic, zc_id_t upto, void *origin);
    void (*lose) (zc_history_t *self, zc_id_t upto);
    int (*adopt) (zc_history_t *self, const zc_line_t *line);
    zc_id_t (*floor) (zc_history_t *self, zc_topic_t *topic);
    bool (*next) (zc_history_t *self, zc_topic_t *topic, zc_id_t after, zc_stored_t *stored);
    uint64_t (*count) (zc_history_t *self, zc_topic_t *topic, zc_id_t after, zc_id_t upto);
    uint64_t (*size) (zc_history_t *self, zc_topic_t *topic, uint64_t *bytes);
    bool (*find) (zc_history_t *self, zc_topic_t *topic, zc_slice_t name, zc_which_t which,
                  zc_id_t *id);
    bool (*unreadable) (zc_history_t *self);
    void (*release) (zc_history_t *self);
    void (*stats) (zc_history_t *self, zc_history_stats_t *stats);
} zc_history_ops_t;

struct zc_history {
    const zc_history_ops_t *ops;
    zc_history_limits_t limits;
    zc_settled_fn settled;
    zc_purged_fn purged;
    void *arg;
    int position;   /* file of the last position, which a successor takes over; -1: none */
    bool left;      /* the files are another process's: a predecessor's as yet, or a successor's */
    int fd;         /* readable when zc_history_settle has something to do; -1: never */
    zc_line_t line; /* of the positions */
};

static inline void zc_history_destroy (zc_history_t **self_p)
{
    if (*self_p)
        (*self_p)->ops->destroy (*self_p);
    *self_p = NULL;
}

/*  Takes the frames of the item, and leaves empty ones. Its id must be greater than all earlier
 *  ones. */
static inline void zc_history_append (zc_history_t *self, zc_item_t *item)
{
    self->ops->append (self, item);
}

/*  Starts storing the items appended so far; to be called once in each turn of the loop. */
static inline void zc_history_flush (zc_history_t *self)
{
    self->ops->flush (self);
}

/*  Calls `settled` for the items that are stored, or have failed. */
static inline void zc_history_settle (zc_history_t *self)
{
    self->ops->settle (self);
}

/*  Whether so many items are on their way that none should be appended for now. */
static inline bool zc_history_full (zc_history_t *self)
{
    return self->ops->full (self);
}

/*  Whether items are on their way. */
static inline bool zc_history_busy (zc_history_t *self)
{
    return self->ops->busy (self);
}

/*  Trims messages beyond the limits, a bounded number. Returns true if there are more. */
static inline bool zc_history_trim (zc_history_t *self, uint64_t now_ms)
{
    return self->ops->trim (self, now_ms);
}

/*  The topic leaves the table: removes all its messages. */
static inline void zc_history_evict (zc_history_t *self, zc_topic_t *topic)
{
    self->ops->evict (self, topic);
}

/*  Removes the topic's messages up to a position, those on their way included, little by little
 *  in zc_history_trim; then calls `purged` with `origin`. The floor rises as they go. The topic is
 *  pinned until then. */
static inline void zc_history_purge (zc_history_t *self, zc_topic_t *topic, zc_id_t upto,
                                     void *origin)
{
    self->ops->purge (self, topic, upto, origin);
}

/*  Messages that nobody knows of may have been published up to here, on any topic: raises all
 *  floors to this position. */
static inline void zc_history_lose (zc_history_t *self, zc_id_t upto)
{
    self->ops->lose (self, upto);
}

/*  Takes over the line of a log. The history is empty. Returns 0; or -1 if it can't keep the name.
 */
static inline int zc_history_adopt (zc_history_t *self, const zc_line_t *line)
{
    int rc = self->ops->adopt (self, line);
    if (rc == 0)
        self->line = *line;
    return rc;
}

/*  History has all messages of the topic after the floor, except for those that have expired
 *  since; an expired message raises the floor, too. */
static inline zc_id_t zc_history_floor (zc_history_t *self, zc_topic_t *topic)
{
    return self->ops->floor (self, topic);
}

/*  Finds the topic's first message after a position. Returns false if there is none. */
static inline bool zc_history_next (zc_history_t *self, zc_topic_t *topic, zc_id_t after,
                                    zc_stored_t *stored)
{
    return self->ops->next (self, topic, after, stored);
}

/*  Counts the topic's messages after a position, up to and including another one. */
static inline uint64_t zc_history_count (zc_history_t *self, zc_topic_t *topic, zc_id_t after,
                                         zc_id_t upto)
{
    return self->ops->count (self, topic, after, upto);
}

/*  How many messages are kept of the topic, and their bytes as the limits count them. */
static inline uint64_t zc_history_size (zc_history_t *self, zc_topic_t *topic, uint64_t *bytes)
{
    return self->ops->size (self, topic, bytes);
}

/*  Finds the position of a message with this own id or key. Returns false if there is none. */
static inline bool zc_history_find (zc_history_t *self, zc_topic_t *topic, zc_slice_t name,
                                    zc_which_t which, zc_id_t *id)
{
    return self->ops->find (self, topic, name, which, id);
}

/*  Begins a run of reading, which is a consistent view until zc_history_release. Returns true if
 *  history can't be read at present, and would look empty. */
static inline bool zc_history_unreadable (zc_history_t *self)
{
    return self->ops->unreadable (self);
}

/*  Ends a run of reading, and releases its view. */
static inline void zc_history_release (zc_history_t *self)
{
    self->ops->release (self);
}

static inline void zc_history_stats (zc_history_t *self, zc_history_stats_t *stats)
{
    self->ops->stats (self, stats);
}

#endif
