/*  topics.h - what the broker knows of each topic: its last position, and where history has it.
 *
 *  Bounded: the topic that was least recently published on makes room for a new one. What is lost
 *  with it is kept as one position, `forgotten`: on a topic that isn't in the table, nothing was
 *  published after that. */
#ifndef ZC_TOPICS_H
#define ZC_TOPICS_H

#include "lib/base/table.h"
#include "lib/wire/id.h"
#include "lib/base/text.h"

typedef struct zc_topic {
    zc_node_t node;               /* in the table, by name */
    struct zc_topic *less, *more; /* less and more recently used */
    zc_id_t last;                 /* the position last given on it: the next message's prev */
    zc_id_t sent;                 /* the last one delivered */
    zc_id_t floor;                /* history is complete after this (kept by the history) */
    zc_id_t lost;                 /* the last one delivered that history couldn't take */
    void *store;                  /* the history's own */
    uint64_t number;              /* the history's own */
    uint32_t pins;                /* pinned: isn't evicted */
    uint16_t len;                 /* of the name */
    char name[];                  /* not NUL-terminated */
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
/*  In order of last use, the least recent first, and the other way round; NULL: begins, and at the
 *  end. */
zc_topic_t *zc_topics_next (const zc_topics_t *self, const zc_topic_t *topic);
zc_topic_t *zc_topics_previous (const zc_topics_t *self, const zc_topic_t *topic);

size_t zc_topics_size (const zc_topics_t *self);
void zc_topics_set_max (zc_topics_t *self, size_t max);
zc_id_t zc_topics_forgotten (const zc_topics_t *self);
/*  Something up to here may have been published on any topic: what comes next on each is after
 *  that. */
void zc_topics_lose (zc_topics_t *self, zc_id_t upto);
/*  Nothing is known of unknown topics before this position (it never goes down). */
void zc_topics_forget (zc_topics_t *self, zc_id_t position);

#endif
