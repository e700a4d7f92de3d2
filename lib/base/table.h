/*  table.h - a hash table of objects that embed their node. The table borrows the objects, and
 * hashes with a secret, so that nobody can choose topics that collide.
 *
 *  It grows by a few buckets with every insertion: to hash a million entries anew at once would
 * stop a program for most of a second. */
#ifndef ZC_TABLE_H
#define ZC_TABLE_H

#include "lib/base/text.h"

typedef struct zc_node {
    struct zc_node *next;
    uint64_t hash;
} zc_node_t;

typedef struct {
    zc_node_t **buckets; /* NULL: there was no node yet */
    size_t mask;         /* buckets - 1, a power of two less one */
    size_t size;         /* nodes */
    zc_node_t **old;     /* the smaller table that is being emptied; NULL: none */
    size_t old_mask, moved;
} zc_table_t;

void zc_table_init (zc_table_t *self);
/*  Frees the buckets, not the objects; the table can be used again. */
void zc_table_clear (zc_table_t *self);

/*  A hash that outsiders can't predict (seeded once a process). */
uint64_t zc_hash (const void *bytes, size_t len, uint64_t seed);
/*  Tests set it before anything is hashed: all runs then have the same hashes. */
extern bool zc_hash_repeatable;

/*  Of any objects. The table knows no keys: the caller passes hash and comparison. */
void zc_table_insert (zc_table_t *self, zc_node_t *node, uint64_t hash);
/*  The first node with this hash for which `same` is true of `key`; NULL where there is none. */
zc_node_t *zc_table_find (const zc_table_t *self, uint64_t hash,
                          bool (*same) (const zc_node_t *node, const void *key), const void *key);
/*  The node must be in the table. */
void zc_table_remove (zc_table_t *self, zc_node_t *node);

/*  Of objects that begin with a node and their key, a zc_slice_t. */
void zc_table_add (zc_table_t *self, void *object);
/*  The object with this key, or NULL. */
void *zc_table_get (const zc_table_t *self, zc_slice_t key);

/*  The next node, in no particular order; NULL at the end. The cursor begins as zeros. Nothing may
 * be added meanwhile, and nothing removed but the last node that was returned. */
typedef struct {
    size_t at;
    zc_node_t *node;
} zc_table_cursor_t;
void *zc_table_next (const zc_table_t *self, zc_table_cursor_t *cursor);

#endif
