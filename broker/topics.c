/*  topics.c - a hash table, a list in order of use, and one such list for each publisher. */
#include "broker/topics.h"

#include <stdlib.h>
#include <string.h>

#define S_LOOK 100 /* topics checked in search of one to evict */
#define S_SHARE 8  /* an owner of more than 1/8 of the table makes room among its own topics */

/*  Topics by use: the least recently used one is first. */
typedef TAILQ_HEAD (s_uses, zc_topic) s_uses_t;

typedef struct {
    s_uses_t topics; /* without those that have subscribers */
    size_t count;
} s_owner_t;

struct zc_topics {
    zc_table_t index;
    size_t max;
    zc_id_t forgotten;
    s_uses_t topics;  /* all */
    zc_topic_t *hand; /* the topics before it were pinned when the search passed; NULL: none were */
    zc_topic_t *cached; /* the topic used last: a publisher often stays on its topic */
    size_t subscribed;  /* topics that have subscribers */
    s_owner_t **owners; /* owned, by number; 0: owner of topics whose owner is unknown */
    uint32_t owner_count;
    zc_busy_t *busy; /* owned */
    void (*evict) (void *arg, zc_topic_t *topic);
    void *arg;
};

static void s_know_owner (zc_topics_t *self, uint32_t who);

zc_topics_t *zc_topics_new (size_t max, zc_id_t forgotten,
                            void (*evict) (void *arg, zc_topic_t *topic), void *arg)
{
    zc_topics_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    zc_table_init (&self->index);
    TAILQ_INIT (&self->topics);
    self->max = max;
    s_know_owner (self, 0);
    self->busy = zc_busy_new ();
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
    zc_topic_t *topic;
    while ((topic = TAILQ_FIRST (&self->topics))) {
        TAILQ_REMOVE (&self->topics, topic, use);
        free (topic);
    }
    zc_table_clear (&self->index);
    for (uint32_t i = 0; i < self->owner_count; i++)
        free (self->owners[i]);
    free (self->owners);
    zc_busy_destroy (&self->busy);
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
        self->hand = TAILQ_NEXT (topic, use);
    TAILQ_REMOVE (&self->topics, topic, use);
}

/*  Topics with subscribers are in no owner's list. */
static void s_owner_unlink (zc_topics_t *self, zc_topic_t *topic)
{
    if (topic->subscribers)
        return;
    s_owner_t *owner = self->owners[topic->owner];
    TAILQ_REMOVE (&owner->topics, topic, owned);
    owner->count--;
}

static void s_owner_link (zc_topics_t *self, zc_topic_t *topic)
{
    if (topic->subscribers)
        return;
    s_owner_t *owner = self->owners[topic->owner];
    TAILQ_INSERT_TAIL (&owner->topics, topic, owned);
    owner->count++;
}

/*  Checks a bounded number of topics, because many may be pinned, and each new topic calls this.
 *  If the least recently used ones are all pinned, the search continues where it last ended. */
static zc_topic_t *s_unpinned (zc_topics_t *self)
{
    zc_topic_t *topic = TAILQ_FIRST (&self->topics);
    for (int i = 0; i < S_LOOK && topic; i++, topic = TAILQ_NEXT (topic, use))
        if (!topic->pins)
            return topic;
    for (int i = 0; i < S_LOOK; i++) {
        topic = self->hand ? self->hand : topic;
        if (!topic || !topic->pins)
            return topic;
        self->hand = TAILQ_NEXT (topic, use);
    }
    return NULL;
}

static void s_remove (zc_topics_t *self, zc_topic_t *topic)
{
    if (self->cached == topic)
        self->cached = NULL;
    zc_busy_forget (self->busy, &topic->busy);
    zc_table_remove (&self->index, &topic->node);
    s_unlink (self, topic);
    s_owner_unlink (self, topic);
    free (topic);
}

static void s_evict (zc_topics_t *self, zc_topic_t *topic)
{
    if (!topic)
        return;
    if (self->evict)
        self->evict (self->arg, topic);
    zc_topics_forget (self, topic->last);
    s_remove (self, topic);
}

/*  The least recently used topic of an owner that has its share already. NULL if all are on
 *  their way into history: there will be room in a moment. */
static zc_topic_t *s_unpinned_own (const zc_topics_t *self, uint32_t who)
{
    zc_topic_t *topic = TAILQ_FIRST (&self->owners[who]->topics);
    for (int i = 0; i < S_LOOK && topic; i++, topic = TAILQ_NEXT (topic, owned))
        if (!topic->pins)
            return topic;
    return NULL;
}

/*  Removes two topics at most, so a lowered limit is reached by degrees. While all topics are
 *  pinned, the table exceeds its limit. */
static void s_make_room (zc_topics_t *self, uint32_t who)
{
    for (int i = 0; i < 2 && self->index.size >= self->max + self->subscribed; i++) {
        bool has_share = who && self->owners[who]->count * S_SHARE >= self->max;
        s_evict (self, has_share ? s_unpinned_own (self, who) : s_unpinned (self));
    }
}

static void s_know_owner (zc_topics_t *self, uint32_t who)
{
    if (who >= self->owner_count) {
        uint32_t count = who + 1 > self->owner_count * 2 ? who + 1 : self->owner_count * 2;
        self->owners = realloc (self->owners, count * sizeof *self->owners);
        if (!self->owners)
            abort ();
        memset (self->owners + self->owner_count, 0,
                (count - self->owner_count) * sizeof *self->owners);
        self->owner_count = count;
    }
    if (self->owners[who])
        return;
    if (!(self->owners[who] = calloc (1, sizeof (s_owner_t))))
        abort ();
    TAILQ_INIT (&self->owners[who]->topics);
}

static zc_topic_t *s_make (zc_topics_t *self, zc_slice_t name, uint64_t hash, uint32_t who)
{
    s_make_room (self, who);
    zc_topic_t *topic = calloc (1, sizeof *topic + name.len);
    if (!topic)
        abort ();
    topic->last = topic->sent = topic->floor = self->forgotten;
    topic->owner = who;
    topic->len = (uint16_t)name.len;
    memcpy (topic->name, name.at, name.len);
    zc_table_insert (&self->index, &topic->node, hash);
    return topic;
}

static uint32_t s_nobody (void *arg)
{
    (void)arg;
    return 0;
}

zc_topic_t *zc_topics_use_by (zc_topics_t *self, zc_slice_t name, uint32_t (*who) (void *arg),
                              void *arg)
{
    if (self->cached && s_named (self->cached, name))
        return self->cached;
    uint64_t hash = zc_hash (name.at, name.len, 0);
    zc_topic_t *topic = s_find (self, name, hash);
    if (topic && topic->published && !TAILQ_NEXT (topic, use)) {
        self->cached = topic;
        return topic;
    }
    if (topic) {
        s_unlink (self, topic);
        s_owner_unlink (self, topic);
    }
    if (!topic || !topic->published) {
        uint32_t owner = who (arg);
        owner = owner <= ZC_OWNERS_MAX ? owner : 0;
        s_know_owner (self, owner);
        if (!topic)
            topic = s_make (self, name, hash, owner);
        topic->owner = owner;
        topic->published = true;
    }
    TAILQ_INSERT_TAIL (&self->topics, topic, use);
    s_owner_link (self, topic);
    self->cached = topic;
    return topic;
}

zc_topic_t *zc_topics_use (zc_topics_t *self, zc_slice_t name)
{
    return zc_topics_use_by (self, name, s_nobody, NULL);
}

zc_topic_t *zc_topics_inherit (zc_topics_t *self, zc_slice_t name, bool published)
{
    zc_topic_t *topic = zc_topics_use (self, name);
    topic->published = published;
    self->cached = NULL; /* it stands for a topic that was published on */
    return topic;
}

void zc_topics_keep (zc_topics_t *self, size_t count)
{
    while (self->index.size > count)
        s_evict (self, TAILQ_FIRST (&self->topics));
}

void zc_topics_subscribe (zc_topics_t *self, zc_slice_t name, bool on)
{
    uint64_t hash = zc_hash (name.at, name.len, 0);
    zc_topic_t *topic = s_find (self, name, hash);
    bool first = on && (!topic || !topic->subscribers);
    self->subscribed += first;
    if (!topic && on) {
        topic = s_make (self, name, hash, 0);
        /* at the least used end: as far as is known, its last message is before all others' */
        TAILQ_INSERT_HEAD (&self->topics, topic, use);
        s_owner_link (self, topic);
    }
    if (!topic || (!on && !topic->subscribers))
        return;
    s_owner_unlink (self, topic); /* does nothing if it had subscribers before */
    topic->pins += on ? 1 : -1u;
    topic->subscribers += on ? 1 : -1u;
    s_owner_link (self, topic); /* does nothing if it has subscribers now */
    self->subscribed -= !topic->subscribers;
    if (!topic->pins && !topic->published)
        s_remove (self, topic); /* no subscriber can have missed a message on it */
}

void zc_topics_count (zc_topics_t *self, zc_topic_t *topic)
{
    zc_busy_count (self->busy, &topic->busy, (zc_slice_t){topic->name, topic->len});
}

zc_busy_t *zc_topics_busy (const zc_topics_t *self)
{
    return self->busy;
}

zc_topic_t *zc_topics_next (const zc_topics_t *self, const zc_topic_t *topic)
{
    return topic ? TAILQ_NEXT (topic, use) : TAILQ_FIRST (&self->topics);
}

zc_topic_t *zc_topics_previous (const zc_topics_t *self, const zc_topic_t *topic)
{
    return topic ? TAILQ_PREV (topic, s_uses, use) : TAILQ_LAST (&self->topics, s_uses);
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
    zc_topic_t *topic;
    TAILQ_FOREACH (topic, &self->topics, use)
    {
        topic->last = topic->last < upto ? upto : topic->last;
        topic->sent = topic->sent < upto ? upto : topic->sent;
    }
    zc_topics_forget (self, upto);
}
