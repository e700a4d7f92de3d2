/*  heap.h - objects sorted by a number: the object with the lowest number is found at once, and
 *  adding or taking out any object takes logarithmic time.
 *
 *  An object keeps one number for each heap that it may be in: its place, counted from 1; 0
 *  means that it is in none. slots.h works in the same way. */
#ifndef ZC_HEAP_H
#define ZC_HEAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t order;
    void *item;   /* borrowed */
    size_t *slot; /* the object's place, borrowed with it */
} zc_heap_entry_t;

typedef struct {
    zc_heap_entry_t *at; /* owned */
    size_t count, cap;
} zc_heap_t;

/*  Adds an object that isn't in this heap. */
void zc_heap_add (zc_heap_t *self, void *item, uint64_t order, size_t *slot);
/*  Takes out the object at *slot. Does nothing where *slot is 0. */
void zc_heap_take (zc_heap_t *self, size_t *slot);
/*  Gives the object at *slot another number. */
void zc_heap_set (zc_heap_t *self, const size_t *slot, uint64_t order);
/*  Writes up to `max` (at most ZC_HEAP_FIRST_MAX) of the objects with the lowest numbers, the
 * lowest first. The cost is that of `max`, however many objects there are. Returns how many. */
#define ZC_HEAP_FIRST_MAX 64
size_t zc_heap_firsts (const zc_heap_t *self, void **items, size_t max);
/*  The object with the lowest number; NULL where the heap is empty. */
void *zc_heap_first (const zc_heap_t *self);
/*  Takes out all objects, and frees the heap's memory. */
void zc_heap_clear (zc_heap_t *self);

#endif
