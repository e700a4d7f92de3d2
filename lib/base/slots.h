/*  slots.h - a set of objects that know their places in it, so that taking one out needs no
 *  search.
 *
 *  An object keeps one number for each set that it may be in: its place, counted from 1; 0 means
 *  that it is in none, so a new object needs no preparation. The set keeps its order only where
 *  zc_slots_blank alone takes objects out. */
#ifndef ZC_SLOTS_H
#define ZC_SLOTS_H

#include <stddef.h>

typedef struct {
    void *item;   /* borrowed; NULL where the place is blank */
    size_t *slot; /* the object's place, borrowed with it */
} zc_slot_t;

typedef struct {
    zc_slot_t *at; /* owned */
    size_t count, cap;
} zc_slots_t;

/*  Adds an object that isn't in this set; *slot becomes its place. */
void zc_slots_add (zc_slots_t *self, void *item, size_t *slot);
/*  Takes out the object at *slot; the last object moves to its place. Does nothing where *slot
 *  is 0. */
void zc_slots_take (zc_slots_t *self, size_t *slot);
/*  Takes out the object at *slot, and leaves its place blank: for a set that is being walked, or
 *  whose order counts. */
void zc_slots_blank (zc_slots_t *self, size_t *slot);
/*  Takes out the last object, passing over blank places. NULL where the set is empty. */
void *zc_slots_pop (zc_slots_t *self);
/*  Takes out all objects, and frees the set's memory. */
void zc_slots_clear (zc_slots_t *self);

#endif
