/*  table.c - chained hashing with incremental growth. Rejected: open addressing, whose look-ups
 *  take an eighth fewer instructions, but which moves all entries at once when it grows. */
#include "lib/base/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define S_FIRST_BUCKETS 64
#define S_MOVES 8 /* old buckets emptied with each insertion */

static zc_node_t **s_buckets (size_t count)
{
    zc_node_t **buckets = calloc (count, sizeof *buckets);
    if (!buckets)
        abort ();
    return buckets;
}

void zc_table_init (zc_table_t *self)
{
    *self = (zc_table_t){.mask = S_FIRST_BUCKETS - 1};
}

void zc_table_clear (zc_table_t *self)
{
    free (self->buckets);
    free (self->old);
    zc_table_init (self);
}

static void s_push (zc_node_t **bucket, zc_node_t *node)
{
    node->next = *bucket;
    *bucket = node;
}

static void s_grow (zc_table_t *self)
{
    self->old = self->buckets;
    self->old_mask = self->mask;
    self->moved = 0;
    self->mask = self->mask * 2 + 1;
    self->buckets = s_buckets (self->mask + 1);
}

static void s_move (zc_table_t *self)
{
    for (int i = 0; i < S_MOVES && self->moved <= self->old_mask; i++) {
        zc_node_t *node = self->old[self->moved];
        self->old[self->moved++] = NULL;
        while (node) {
            zc_node_t *next = node->next;
            s_push (&self->buckets[node->hash & self->mask], node);
            node = next;
        }
    }
    if (self->moved > self->old_mask) {
        free (self->old);
        self->old = NULL;
    }
}

void zc_table_insert (zc_table_t *self, zc_node_t *node, uint64_t hash)
{
    node->hash = hash;
    if (!self->buckets)
        self->buckets = s_buckets (self->mask + 1);
    if (self->old)
        s_move (self);
    else if (self->size > self->mask)
        s_grow (self);
    s_push (&self->buckets[hash & self->mask], node);
    self->size++;
}

static bool s_unlink (zc_node_t **at, zc_node_t *node)
{
    while (*at && *at != node)
        at = &(*at)->next;
    if (!*at)
        return false;
    *at = node->next;
    return true;
}

void zc_table_remove (zc_table_t *self, zc_node_t *node)
{
    if (!s_unlink (&self->buckets[node->hash & self->mask], node))
        s_unlink (&self->old[node->hash & self->old_mask], node);
    self->size--;
}

static zc_node_t *s_search (zc_node_t *node, uint64_t hash,
                            bool (*same) (const zc_node_t *node, const void *key), const void *key)
{
    while (node && !(node->hash == hash && same (node, key)))
        node = node->next;
    return node;
}

zc_node_t *zc_table_find (const zc_table_t *self, uint64_t hash,
                          bool (*same) (const zc_node_t *node, const void *key), const void *key)
{
    if (self->size == 0)
        return NULL;
    zc_node_t *found = s_search (self->buckets[hash & self->mask], hash, same, key);
    if (!found && self->old)
        found = s_search (self->old[hash & self->old_mask], hash, same, key);
    return found;
}

void *zc_table_next (const zc_table_t *self, zc_table_cursor_t *cursor)
{
    size_t old = self->old ? self->old_mask + 1 : 0;
    size_t end = self->buckets ? old + self->mask + 1 : 0;
    while (!cursor->node && cursor->at < end) {
        size_t i = cursor->at++;
        cursor->node = i < old ? self->old[i] : self->buckets[i - old];
    }
    zc_node_t *node = cursor->node;
    if (node)
        cursor->node = node->next;
    return node;
}

/*  For objects with a key. */

typedef struct {
    zc_node_t node;
    zc_slice_t key;
} s_object_t;

static bool s_same (const zc_node_t *node, const void *key)
{
    const zc_slice_t *have = &((const s_object_t *)node)->key, *want = key;
    return have->len == want->len && memcmp (have->at, want->at, want->len) == 0;
}

static uint64_t s_hash (zc_slice_t key)
{
    return zc_hash (key.at, key.len, 0);
}

void zc_table_add (zc_table_t *self, void *object)
{
    s_object_t *it = object;
    zc_table_insert (self, &it->node, s_hash (it->key));
}

void *zc_table_get (const zc_table_t *self, zc_slice_t key)
{
    return self->size ? zc_table_find (self, s_hash (key), s_same, &key) : NULL;
}

/*  Hashes. */

bool zc_hash_repeatable = false;

static uint64_t s_secret (void)
{
    static uint64_t secret;
    if (secret == 0 && zc_hash_repeatable)
        secret = 0x9e3779b97f4a7c15u;
    while (secret == 0)
        if (getrandom (&secret, sizeof secret, 0) != sizeof secret)
            secret = (uint64_t)(uintptr_t)&secret | 1;
    return secret;
}

static uint64_t s_mix (uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*  Folded multiplication (the principle of wyhash), eight bytes at a time. */
uint64_t zc_hash (const void *bytes, size_t len, uint64_t seed)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u, secret = s_secret ();
    const uint8_t *at = bytes;
    uint64_t hash = seed ^ secret ^ s_mix (len ^ odd, secret | 1);
    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word;
        memcpy (&word, at, 8);
        hash = s_mix (hash ^ word, odd ^ secret);
    }
    uint64_t rest = 0;
    if (len > 0)
        memcpy (&rest, at, len);
    return s_mix (hash ^ rest, secret ^ 0xe7037ed1a0b428dbu);
}
