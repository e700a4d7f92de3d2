/*  topics.h - what the broker knows of each topic: its last position, and where history has it.
 *
 *  Bounded. Where there are too many topics, one makes room for a new one: of those that nobody is
 *  subscribed to the one that was least recently published on. But a publisher that has an eighth
 * of them or more already makes room among its own topics: whoever invents topics doesn't push out
 *  what others have. What is lost with a topic is kept as one position, `forgotten`: on a topic
 * that isn't in the table, nothing was published after that. */
#ifndef ZC_TOPICS_H
#define ZC_TOPICS_H

#include "lib/base/table.h"
#include "lib/wire/id.h"
#include "lib/base/text.h"

typedef struct zc_topic {
    zc_node_t node;                           /* in the table, by name */
    struct zc_topic *less, *more;             /* less and more recently used */
    struct zc_topic *owner_less, *owner_more; /* the same, of its owner's */
    zc_id_t last;         /* the position last given on it: the next message's prev */
    zc_id_t sent;         /* the last one delivered */
    zc_id_t floor;        /* history is complete after this (kept by the history) */
    zc_id_t lost;         /* the last one delivered that history couldn't take */
    void *store;          /* the history's own */
    uint64_t number;      /* the history's own */
    uint32_t pins;        /* pinned: isn't evicted */
    uint32_t subscribers; /* of exactly this topic; each is a pin too */
    uint32_t owner;       /* who was the first to publish on it; 0: not known */
    bool published;       /* something ever was, and not only subscribed to */
    uint16_t len;         /* of the name */
    char name[];          /* not NUL-terminated */
} zc_topic_t;

typedef struct zc_topics zc_topics_t;

/*  `evict` is called before a topic leaves the table. */
zc_topics_t *zc_topics_new (size_t max, zc_id_t forgotten,
                            void (*evict) (void *arg, zc_topic_t *topic), void *arg);
/*  Frees the topics, without calling evict. */
void zc_topics_destroy (zc_topics_t **self_p);

/*  NULL where it isn't known. Valid until the next zc_topics_use, or until unpinned. */
zc_topic_t *zc_topics_find (const zc_topics_t *self, zc_slice_t name);
/*  Finds or makes the topic, and marks it as just used. A new one begins at `forgotten`. */
zc_topic_t *zc_topics_use (zc_topics_t *self, zc_slice_t name);
/*  The same, for something that is published on it. `who` (called for a new one only) gives the
 *  number of its publisher, 1 to ZC_OWNERS_MAX; 0: not known. */
#define ZC_OWNERS_MAX 1000000
zc_topic_t *zc_topics_use_by (zc_topics_t *self, zc_slice_t name, uint32_t (*who) (void *arg),
                              void *arg);
/*  In order of last use, the least recent first, and the other way round; NULL: begins, and at the
 *  end. */
zc_topic_t *zc_topics_next (const zc_topics_t *self, const zc_topic_t *topic);
zc_topic_t *zc_topics_previous (const zc_topics_t *self, const zc_topic_t *topic);

/*  A subscriber of exactly this topic has come, or gone: as long as there is one, nothing about the
 *  topic is forgotten, not even since when nothing was published on it. */
void zc_topics_subscribe (zc_topics_t *self, zc_slice_t name, bool on);

size_t zc_topics_size (const zc_topics_t *self);
void zc_topics_set_max (zc_topics_t *self, size_t max);
zc_id_t zc_topics_forgotten (const zc_topics_t *self);
/*  Something up to here may have been published on any topic: what comes next on each is after
 *  that. */
void zc_topics_lose (zc_topics_t *self, zc_id_t upto);
/*  Nothing is known of unknown topics before this position (it never goes down). */
void zc_topics_forget (zc_topics_t *self, zc_id_t position);

#endif
