/*  index.c - chained hashing. Incremental growth, since rehashing a million nodes at once would
 *  hold up every message for tens of milliseconds. */
#include "broker/index.h"

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

void zc_index_init (zc_index_t *self)
{
    *self = (zc_index_t){.buckets = s_buckets (S_FIRST_BUCKETS), .mask = S_FIRST_BUCKETS - 1};
}

void zc_index_clear (zc_index_t *self)
{
    free (self->buckets);
    free (self->old);
    memset (self, 0, sizeof *self);
}

static void s_push (zc_node_t **bucket, zc_node_t *node)
{
    node->next = *bucket;
    *bucket = node;
}

static void s_grow (zc_index_t *self)
{
    self->old = self->buckets;
    self->old_mask = self->mask;
    self->moved = 0;
    self->mask = self->mask * 2 + 1;
    self->buckets = s_buckets (self->mask + 1);
}

static void s_move (zc_index_t *self)
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

void zc_index_insert (zc_index_t *self, zc_node_t *node, uint64_t hash)
{
    node->hash = hash;
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

void zc_index_remove (zc_index_t *self, zc_node_t *node)
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

zc_node_t *zc_index_find (const zc_index_t *self, uint64_t hash,
                          bool (*same) (const zc_node_t *node, const void *key), const void *key)
{
    zc_node_t *found = s_search (self->buckets[hash & self->mask], hash, same, key);
    if (!found && self->old)
        found = s_search (self->old[hash & self->old_mask], hash, same, key);
    return found;
}

zc_node_t *zc_index_pop (zc_index_t *self, size_t *at)
{
    size_t old = self->old ? self->old_mask + 1 : 0;
    for (; *at <= self->mask + old; ++*at) {
        zc_node_t *node = *at < old ? self->old[*at] : self->buckets[*at - old];
        if (node) {
            zc_index_remove (self, node);
            return node;
        }
    }
    return NULL;
}

static uint64_t s_secret (void)
{
    static uint64_t secret;
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
