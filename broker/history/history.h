/*  history.h - what was published, for those who come back: one interface, two keepings (memory,
 *  LMDB).
 *
 *  An item is appended, and later, or at once, `settled` is called for it, in the order of
 *  appending: from then on it can be read. Reading seeks by topic and position. All calls come from
 *  the broker's one thread. */
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
    zc_id_t dropped;              /* what meta says of it */
    uint64_t expires_ms;          /* wall clock; 0: with age only */
    uint16_t event_at, event_len; /* the publisher's own id or key: where in meta; length 0: none */
    void *origin;                 /* the broker's: who waits for the answer; NULL: nobody */
} zc_item_t;

/*  One message as it is kept. Borrowed until the next call of the history. */
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
    uint64_t trimmed, lost;  /* let go of by the limits; never kept, as history had failed */
    uint64_t commits, syncs; /* of the disk */
    zc_id_t floor;           /* the last position let go of, of all topics */
    const char *error;       /* NULL: all is well */
} zc_history_stats_t;

/*  The item is on its way no more: `kept` tells whether history has it. The callee may take the
 *  frames. */
typedef void (*zc_settled_fn) (void *arg, zc_item_t *item, bool kept);

/*  The topic's messages up to the position asked for are gone, for good: `count` of them. `done` is
 *  false if history ends before. */
typedef void (*zc_purged_fn) (void *arg, void *origin, uint64_t count, bool done);

/*  Of several messages of a topic that have the same own id or key. */
typedef enum {
    ZC_EARLIEST, /* for who resumes from it: what came after any of them isn't missed */
    ZC_NEWEST,   /* for what repeats it: that is what it repeats */
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
    int fd;         /* readable when zc_history_settle has something to do; -1: never */
    zc_line_t line; /* that the positions are of */
};

/*  History in memory. `file`: where the last position and its line are kept (position.h), so that
 *  positions don't go back where the clock does; NULL: nowhere. *last: the last position that may
 *  have been given. NULL with a sentence in `error`. */
zc_history_t *zc_history_memory_new (const char *file, zc_id_t *last, char *error, size_t size);

static inline void zc_history_destroy (zc_history_t **self_p)
{
    if (*self_p)
        (*self_p)->ops->destroy (*self_p);
    *self_p = NULL;
}

/*  Takes the frames of the item, and leaves empty ones. Its id is above every one before. */
static inline void zc_history_append (zc_history_t *self, zc_item_t *item)
{
    self->ops->append (self, item);
}

/*  Sees to what was appended; called once a turn of the loop. */
static inline void zc_history_flush (zc_history_t *self)
{
    self->ops->flush (self);
}

/*  Calls `settled` for what is done. */
static inline void zc_history_settle (zc_history_t *self)
{
    self->ops->settle (self);
}

/*  So much is on its way that no more should be appended for now. */
static inline bool zc_history_full (zc_history_t *self)
{
    return self->ops->full (self);
}

/*  Something is on its way. */
static inline bool zc_history_busy (zc_history_t *self)
{
    return self->ops->busy (self);
}

/*  Lets go of what is beyond the limits, a bounded number. True where there is more to do. */
static inline bool zc_history_trim (zc_history_t *self, uint64_t now_ms)
{
    return self->ops->trim (self, now_ms);
}

/*  The topic leaves the table: lets go of all its messages. */
static inline void zc_history_evict (zc_history_t *self, zc_topic_t *topic)
{
    self->ops->evict (self, topic);
}

/*  Lets go of the topic's messages up to a position, those on their way included, little by little
 *  in zc_history_trim; then calls `purged` with `origin`. The floor rises as they go. The topic is
 *  pinned until then. */
static inline void zc_history_purge (zc_history_t *self, zc_topic_t *topic, zc_id_t upto,
                                     void *origin)
{
    self->ops->purge (self, topic, upto, origin);
}

/*  On any topic something up to here may have been published that nobody knows of: no floor is
 *  before it. */
static inline void zc_history_lose (zc_history_t *self, zc_id_t upto)
{
    self->ops->lose (self, upto);
}

/*  Everything on this topic after the floor is here, but what has expired since (its ttl raises
 *  the floor too). */
static inline zc_id_t zc_history_floor (zc_history_t *self, zc_topic_t *topic)
{
    return self->ops->floor (self, topic);
}

/*  The first message on the topic after a position. False where there is none. */
static inline bool zc_history_next (zc_history_t *self, zc_topic_t *topic, zc_id_t after,
                                    zc_stored_t *stored)
{
    return self->ops->next (self, topic, after, stored);
}

/*  How many messages the topic has after a position, up to and including another. */
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

/*  The position of a message that has this own id or key. False where there is none. */
static inline bool zc_history_find (zc_history_t *self, zc_topic_t *topic, zc_slice_t name,
                                    zc_which_t which, zc_id_t *id)
{
    return self->ops->find (self, topic, name, which, id);
}

/*  Begins a run of reading: false where all that is read until zc_history_release is of one
 *  consistent view. True where history can't be read for now: it would look empty. */
static inline bool zc_history_unreadable (zc_history_t *self)
{
    return self->ops->unreadable (self);
}

/*  Ends a run of reading: what it held for a consistent view is let go. */
static inline void zc_history_release (zc_history_t *self)
{
    self->ops->release (self);
}

static inline void zc_history_stats (zc_history_t *self, zc_history_stats_t *stats)
{
    self->ops->stats (self, stats);
}

#endif
