/*  topics.h - the broker's knowledge of each topic: its last position, and its place in history.
 *
 *  The table is bounded. If it is full, a new topic takes the place of an old one: of the topics
 *  without subscribers, the one that was published on least recently. But if a publisher already
 *  has an eighth of all topics or more, its new topic takes the place of one of its own: so a
 *  publisher that invents topics doesn't push out the topics of others. Of all topics that were
 *  removed, one position is kept, `forgotten`: on a topic that isn't in the table, nothing was
 *  published after it. */
#ifndef ZC_TOPICS_H
#define ZC_TOPICS_H

#include <sys/queue.h>
#include "broker/busy.h"
#include "lib/base/table.h"
#include "lib/wire/id.h"
#include "lib/base/text.h"

typedef struct zc_topic {
    zc_node_t node;               /* in the table, by name */
    TAILQ_ENTRY (zc_topic) use;   /* in the order of use */
    TAILQ_ENTRY (zc_topic) owned; /* the same, among its owner's topics */
    zc_id_t last;                 /* the last position given on it: the next message's prev */
    zc_id_t sent;                 /* the last position delivered */
    zc_id_t floor;                /* history is complete after this (kept by the history) */
    zc_id_t lost;         /* the last position delivered whose message history couldn't take */
    zc_id_t mixed;        /* its last message that is private, or of an update on several topics */
    void *store;          /* the history's own */
    uint64_t number;      /* the history's own */
    uint32_t pins;        /* pinned: isn't evicted */
    uint32_t subscribers; /* subscribers of exactly this topic; each is a pin, too */
    uint32_t owner;       /* the first publisher on it; 0: not known */
    zc_busy_mark_t busy;
    bool published; /* a message was published on it; false: it only has subscribers */
    uint16_t len;   /* of the name */
    char name[];    /* not NUL-terminated */
} zc_topic_t;

typedef struct zc_topics zc_topics_t;

/*  `evict` is called before a topic leaves the table. */
zc_topics_t *zc_topics_new (size_t max, zc_id_t forgotten,
                            void (*evict) (void *arg, zc_topic_t *topic), void *arg);
/*  Frees the topics, without calling evict. */
void zc_topics_destroy (zc_topics_t **self_p);

/*  Finds a topic; NULL if it isn't in the table. Valid until the next zc_topics_use, or, if pinned,
 *  until unpinned. */
zc_topic_t *zc_topics_find (const zc_topics_t *self, zc_slice_t name);
/*  Finds or makes the topic, and marks it as just used. A new one begins at `forgotten`. */
zc_topic_t *zc_topics_use (zc_topics_t *self, zc_slice_t name);
/*  The same, for a topic that is published on. `who` (called for a new topic only) gives the number
 *  of the publisher, 1 to ZC_OWNERS_MAX; 0: not known. */
#define ZC_OWNERS_MAX 1000000
zc_topic_t *zc_topics_use_by (zc_topics_t *self, zc_slice_t name, uint32_t (*who) (void *arg),
                              void *arg);
/*  Counts a message on the topic. */
void zc_topics_count (zc_topics_t *self, zc_topic_t *topic);
/*  The topics on which most is published. */
zc_busy_t *zc_topics_busy (const zc_topics_t *self);
/*  The same as zc_topics_use, for a successor of another process, which tells whether the topic was
 *  published on. */
zc_topic_t *zc_topics_inherit (zc_topics_t *self, zc_slice_t name, bool published);
/*  Removes the least recently used topics, with what history has of them, until `count` are left.
 */
void zc_topics_keep (zc_topics_t *self, size_t count);
/*  Iterates in the order of last use: `next` from the least recent topic, `previous` from the most
 *  recent one. NULL as argument: begins. Returns NULL at the end. */
zc_topic_t *zc_topics_next (const zc_topics_t *self, const zc_topic_t *topic);
zc_topic_t *zc_topics_previous (const zc_topics_t *self, const zc_topic_t *topic);

/*  A subscriber of exactly this topic has come (`on`) or gone. As long as the topic has a
 *  subscriber, nothing about the topic is forgotten, not even the position since which nothing was
 *  published on it. */
void zc_topics_subscribe (zc_topics_t *self, zc_slice_t name, bool on);

size_t zc_topics_size (const zc_topics_t *self);
void zc_topics_set_max (zc_topics_t *self, size_t max);
zc_id_t zc_topics_forgotten (const zc_topics_t *self);
/*  Something may have been published up to this position on any topic: the next message of each
 *  topic comes after it. */
void zc_topics_lose (zc_topics_t *self, zc_id_t upto);
/*  Raises `forgotten`: of topics that aren't in the table, nothing is known up to this position. A
 *  lower position has no effect. */
void zc_topics_forget (zc_topics_t *self, zc_id_t position);

#endif
