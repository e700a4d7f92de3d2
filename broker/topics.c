/*  topics.c - a hash table and a list in order of use. */
#include "broker/topics.h"

#include <stdlib.h>
#include <string.h>

#define S_LOOK 100 /* topics, for one to evict */

struct zc_topics {
    zc_table_t index;
    size_t max;
    zc_id_t forgotten;
    zc_topic_t *least, *most; /* ends of the list of use */
    zc_topic_t *hand;         /* those before it were pinned when it passed; NULL: none did */
    zc_topic_t *cached;       /* the one last used: a publisher often stays on its topic */
    void (*evict) (void *arg, zc_topic_t *topic);
    void *arg;
};

zc_topics_t *zc_topics_new (size_t max, zc_id_t forgotten,
                            void (*evict) (void *arg, zc_topic_t *topic), void *arg)
{
    zc_topics_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    zc_table_init (&self->index);
    self->max = max;
    self->forgotten = forgotten;
    self->evict = evict;
    self->arg = arg;
    return self;
}

void zc_topics_destroy (zc_topics_t **self_p)
{
    zc_topics_t *self = *self_p;
    if (!self)
        return;
    while (self->least) {
        zc_topic_t *topic = self->least;
        self->least = topic->more;
        free (topic);
    }
    zc_table_clear (&self->index);
    free (self);
    *self_p = NULL;
}

static bool s_named (const zc_topic_t *topic, zc_slice_t name)
{
    return topic->len == name.len && memcmp (topic->name, name.at, name.len) == 0;
}

static bool s_same (const zc_node_t *node, const void *key)
{
    return s_named ((const zc_topic_t *)node, *(const zc_slice_t *)key);
}

static zc_topic_t *s_find (const zc_topics_t *self, zc_slice_t name, uint64_t hash)
{
    return (zc_topic_t *)zc_table_find (&self->index, hash, s_same, &name);
}

zc_topic_t *zc_topics_find (const zc_topics_t *self, zc_slice_t name)
{
    return s_find (self, name, zc_hash (name.at, name.len, 0));
}

static void s_unlink (zc_topics_t *self, zc_topic_t *topic)
{
    if (self->hand == topic)
        self->hand = topic->more;
    if (topic->less)
        topic->less->more = topic->more;
    else
        self->least = topic->more;
    if (topic->more)
        topic->more->less = topic->less;
    else
        self->most = topic->less;
}

static void s_link (zc_topics_t *self, zc_topic_t *topic)
{
    topic->less = self->most;
    topic->more = NULL;
    if (self->most)
        self->most->more = topic;
    else
        self->least = topic;
    self->most = topic;
}

/*  Looks at a bounded number: many may be pinned, and each new topic comes here. Where the least
 *  recently used ones all are, the search goes on from where it ended the last time. */
static zc_topic_t *s_unpinned (zc_topics_t *self)
{
    zc_topic_t *topic = self->least;
    for (int i = 0; i < S_LOOK && topic; i++, topic = topic->more)
        if (!topic->pins)
            return topic;
    for (int i = 0; i < S_LOOK; i++) {
        topic = self->hand ? self->hand : topic;
        if (!topic || !topic->pins)
            return topic;
        self->hand = topic->more;
    }
    return NULL;
}

static void s_evict (zc_topics_t *self)
{
    zc_topic_t *topic = s_unpinned (self);
    if (!topic)
        return;
    if (self->evict)
        self->evict (self->arg, topic);
    zc_topics_forget (self, topic->last);
    if (self->cached == topic)
        self->cached = NULL;
    zc_table_remove (&self->index, &topic->node);
    s_unlink (self, topic);
    free (topic);
}

static zc_topic_t *s_make (zc_topics_t *self, zc_slice_t name, uint64_t hash)
{
    /*  Two at a time at most: a lowered limit is met little by little. Where all are pinned the
     *  table exceeds its limit for as long as they are. */
    for (int i = 0; i < 2 && self->index.size >= self->max; i++)
        s_evict (self);
    zc_topic_t *topic = calloc (1, sizeof *topic + name.len);
    if (!topic)
        abort ();
    topic->last = topic->sent = topic->floor = self->forgotten;
    topic->len = (uint16_t)name.len;
    memcpy (topic->name, name.at, name.len);
    zc_table_insert (&self->index, &topic->node, hash);
    s_link (self, topic);
    return topic;
}

zc_topic_t *zc_topics_use (zc_topics_t *self, zc_slice_t name)
{
    if (self->cached && s_named (self->cached, name))
        return self->cached;
    uint64_t hash = zc_hash (name.at, name.len, 0);
    zc_topic_t *topic = s_find (self, name, hash);
    if (!topic)
        topic = s_make (self, name, hash);
    else if (topic->more) {
        s_unlink (self, topic);
        s_link (self, topic);
    }
    self->cached = topic;
    return topic;
}

zc_topic_t *zc_topics_next (const zc_topics_t *self, const zc_topic_t *topic)
{
    return topic ? topic->more : self->least;
}

zc_topic_t *zc_topics_previous (const zc_topics_t *self, const zc_topic_t *topic)
{
    return topic ? topic->less : self->most;
}

size_t zc_topics_size (const zc_topics_t *self)
{
    return self->index.size;
}

void zc_topics_set_max (zc_topics_t *self, size_t max)
{
    self->max = max;
}

zc_id_t zc_topics_forgotten (const zc_topics_t *self)
{
    return self->forgotten;
}

void zc_topics_forget (zc_topics_t *self, zc_id_t position)
{
    if (position > self->forgotten)
        self->forgotten = position;
}

void zc_topics_lose (zc_topics_t *self, zc_id_t upto)
{
    for (zc_topic_t *topic = self->least; topic; topic = topic->more) {
        topic->last = topic->last < upto ? upto : topic->last;
        topic->sent = topic->sent < upto ? upto : topic->sent;
    }
    zc_topics_forget (self, upto);
}
