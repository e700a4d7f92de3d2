/*  index.h - a hash table of nodes that are embedded in the objects. It knows no keys: the
 *  caller passes hash and comparison. It grows by a few buckets with every insertion;
 *  lib/base/table.h, which rehashes at once, would stop the broker for tens of milliseconds at a
 *  million entries. */
#ifndef ZC_INDEX_H
#define ZC_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct zc_node {
    struct zc_node *next;
    uint64_t hash;
} zc_node_t;

typedef struct {
    zc_node_t **buckets;
    size_t mask;     /* buckets - 1, a power of two less one */
    size_t size;     /* nodes */
    zc_node_t **old; /* the smaller table that is being emptied; NULL: none */
    size_t old_mask, moved;
} zc_index_t;

void zc_index_init (zc_index_t *self);
/*  Frees the buckets, not the nodes. */
void zc_index_clear (zc_index_t *self);
void zc_index_insert (zc_index_t *self, zc_node_t *node, uint64_t hash);
/*  The node must be in the table. */
void zc_index_remove (zc_index_t *self, zc_node_t *node);
/*  The first node with this hash for which `same` is true of `key`; NULL where there is none. */
zc_node_t *zc_index_find (const zc_index_t *self, uint64_t hash,
                          bool (*same) (const zc_node_t *node, const void *key), const void *key);

/*  Removes any node, and returns it; NULL where there is none. *at begins at 0; nothing may be
 *  added between calls. */
zc_node_t *zc_index_pop (zc_index_t *self, size_t *at);

/*  A hash that outsiders can't predict (seeded once a process). */
uint64_t zc_hash (const void *bytes, size_t len, uint64_t seed);

#endif
