/*  table.h - a hash table of objects that begin with their key, a zc_slice_t. The table borrows
 *  the objects. It uses open addressing, and hashes with a secret, so that nobody can choose
 *  topics that collide. */
#ifndef ZC_TABLE_H
#define ZC_TABLE_H

#include "lib/base/text.h"

typedef struct {
    void **slots; /* owned; objects, NULL: free */
    size_t cap;   /* a power of two, or 0 */
    size_t count;
    uint64_t secret;
} zc_table_t;

/*  Tests set it: all tables then iterate in the same order in every run. */
extern bool zc_table_repeatable;
void zc_table_init (zc_table_t *self);
/*  Frees the table, not the objects. */
void zc_table_clear (zc_table_t *self);
/*  The object with this key, or NULL. */
void *zc_table_get (const zc_table_t *self, zc_slice_t key);
/*  Adds an object whose key isn't in the table. */
void zc_table_add (zc_table_t *self, void *object);
/*  Removes an object that is in the table. */
void zc_table_remove (zc_table_t *self, const void *object);
/*  The next object, in no particular order; NULL at the end. *at begins at 0. Nothing may be
 *  added or removed meanwhile. */
void *zc_table_next (const zc_table_t *self, size_t *at);

#endif
