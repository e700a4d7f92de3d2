/*  dedup.c - a table of (topic, own id), and a queue of the same by age. `now_ms` is of a clock
 * that doesn't step back. */
#include "broker/dedup.h"

#include <stdlib.h>
#include <string.h>
#include "broker/index.h"

#define S_EXPIRE_MAX 8 /* forgotten with each addition */

typedef struct s_seen {
    zc_node_t node;
    struct s_seen *older, *newer;
    zc_id_t id;
    uint64_t at_ms;
    uint16_t topic_len, event_len;
    char bytes[]; /* topic, own id */
} s_seen_t;

struct zc_dedup {
    zc_index_t index;
    s_seen_t *oldest, *newest;
    uint64_t window_ms;
    size_t max;
};

typedef struct {
    zc_slice_t topic, event;
} s_key_t;

zc_dedup_t *zc_dedup_new (void)
{
    zc_dedup_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    zc_index_init (&self->index);
    return self;
}

static void s_forget (zc_dedup_t *self, s_seen_t *seen)
{
    if (seen->older)
        seen->older->newer = seen->newer;
    else
        self->oldest = seen->newer;
    if (seen->newer)
        seen->newer->older = seen->older;
    else
        self->newest = seen->older;
    zc_index_remove (&self->index, &seen->node);
    free (seen);
}

void zc_dedup_destroy (zc_dedup_t **self_p)
{
    zc_dedup_t *self = *self_p;
    if (!self)
        return;
    while (self->oldest)
        s_forget (self, self->oldest);
    zc_index_clear (&self->index);
    free (self);
    *self_p = NULL;
}

void zc_dedup_configure (zc_dedup_t *self, uint64_t window_ms, size_t max)
{
    self->window_ms = window_ms;
    self->max = max;
}

static uint64_t s_hash (const s_key_t *key)
{
    return zc_hash (key->event.at, key->event.len, zc_hash (key->topic.at, key->topic.len, 0));
}

static bool s_same (const zc_node_t *node, const void *arg)
{
    const s_seen_t *seen = (const s_seen_t *)node;
    const s_key_t *key = arg;
    return seen->topic_len == key->topic.len && seen->event_len == key->event.len &&
           memcmp (seen->bytes, key->topic.at, key->topic.len) == 0 &&
           memcmp (seen->bytes + key->topic.len, key->event.at, key->event.len) == 0;
}

static s_seen_t *s_find (const zc_dedup_t *self, const s_key_t *key)
{
    return (s_seen_t *)zc_index_find (&self->index, s_hash (key), s_same, key);
}

static bool s_expired (const zc_dedup_t *self, const s_seen_t *seen, uint64_t now_ms)
{
    return now_ms - seen->at_ms >= self->window_ms;
}

void zc_dedup_add (zc_dedup_t *self, zc_slice_t topic, zc_slice_t event, zc_id_t id,
                   uint64_t now_ms)
{
    s_key_t key = {topic, event};
    s_seen_t *before = s_find (self, &key);
    if (before)
        s_forget (self, before);
    for (int i = 0; i < S_EXPIRE_MAX && self->oldest &&
                    (self->index.size >= self->max || s_expired (self, self->oldest, now_ms));
         i++)
        s_forget (self, self->oldest);
    if (self->max == 0 || self->window_ms == 0)
        return;
    s_seen_t *seen = malloc (sizeof *seen + topic.len + event.len);
    if (!seen)
        abort ();
    *seen = (s_seen_t){.older = self->newest,
                       .id = id,
                       .at_ms = now_ms,
                       .topic_len = (uint16_t)topic.len,
                       .event_len = (uint16_t)event.len};
    memcpy (seen->bytes, topic.at, topic.len);
    memcpy (seen->bytes + topic.len, event.at, event.len);
    if (self->newest)
        self->newest->newer = seen;
    else
        self->oldest = seen;
    self->newest = seen;
    zc_index_insert (&self->index, &seen->node, s_hash (&key));
}

bool zc_dedup_find (zc_dedup_t *self, zc_slice_t topic, zc_slice_t event, uint64_t now_ms,
                    zc_id_t *id)
{
    s_key_t key = {topic, event};
    const s_seen_t *seen = s_find (self, &key);
    if (!seen || s_expired (self, seen, now_ms))
        return false;
    *id = seen->id;
    return true;
}

void zc_dedup_remove (zc_dedup_t *self, zc_slice_t topic, zc_slice_t event, zc_id_t id)
{
    s_key_t key = {topic, event};
    s_seen_t *seen = s_find (self, &key);
    if (seen && seen->id == id)
        s_forget (self, seen);
}

size_t zc_dedup_size (const zc_dedup_t *self)
{
    return self->index.size;
}
