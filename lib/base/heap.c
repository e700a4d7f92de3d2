/*  heap.c - a binary heap in a vector: the children of place n are at 2n and 2n + 1. */
#include "lib/base/heap.h"

#include <assert.h>
#include <stdlib.h>

static void s_put (zc_heap_t *self, size_t place, zc_heap_entry_t entry)
{
    self->at[place - 1] = entry;
    *entry.slot = place;
}

/*  Puts the entry at this place, or above as far as it belongs. */
static void s_up (zc_heap_t *self, size_t place, zc_heap_entry_t entry)
{
    while (place > 1 && self->at[place / 2 - 1].order > entry.order) {
        s_put (self, place, self->at[place / 2 - 1]);
        place /= 2;
    }
    s_put (self, place, entry);
}

/*  Puts the entry at this place, or below as far as it belongs. */
static void s_down (zc_heap_t *self, size_t place, zc_heap_entry_t entry)
{
    for (size_t child; (child = 2 * place) <= self->count; place = child) {
        if (child < self->count && self->at[child].order < self->at[child - 1].order)
            child++;
        if (self->at[child - 1].order >= entry.order)
            break;
        s_put (self, place, self->at[child - 1]);
    }
    s_put (self, place, entry);
}

void zc_heap_add (zc_heap_t *self, void *item, uint64_t order, size_t *slot)
{
    assert (*slot == 0);
    if (self->count == self->cap) {
        self->cap = self->cap ? self->cap * 2 : 4;
        self->at = realloc (self->at, self->cap * sizeof *self->at);
        if (!self->at)
            abort ();
    }
    self->count++;
    s_up (self, self->count, (zc_heap_entry_t){order, item, slot});
}

/*  Puts the entry at this place, or to where it belongs. */
static void s_move (zc_heap_t *self, size_t place, zc_heap_entry_t entry)
{
    if (place > 1 && self->at[place / 2 - 1].order > entry.order)
        s_up (self, place, entry);
    else
        s_down (self, place, entry);
}

void zc_heap_set (zc_heap_t *self, const size_t *slot, uint64_t order)
{
    zc_heap_entry_t entry = self->at[*slot - 1];
    entry.order = order;
    s_move (self, *slot, entry);
}

/*  The next one is among the children of those that were found. */
size_t zc_heap_firsts (const zc_heap_t *self, void **items, size_t max)
{
    size_t next[ZC_HEAP_FIRST_MAX + 1] = {1}; /* places */
    size_t found = 0, open = self->count ? 1 : 0;
    assert (max <= ZC_HEAP_FIRST_MAX);
    while (found < max && open) {
        size_t best = 0;
        for (size_t i = 1; i < open; i++)
            if (self->at[next[i] - 1].order < self->at[next[best] - 1].order)
                best = i;
        size_t place = next[best];
        items[found++] = self->at[place - 1].item;
        next[best] = next[--open];
        for (size_t child = 2 * place; child <= 2 * place + 1 && child <= self->count; child++)
            next[open++] = child;
    }
    return found;
}

void zc_heap_take (zc_heap_t *self, size_t *slot)
{
    size_t place = *slot;
    if (place == 0)
        return;
    zc_heap_entry_t last = self->at[--self->count];
    if (place <= self->count)
        s_move (self, place, last);
    *slot = 0;
}

void *zc_heap_first (const zc_heap_t *self)
{
    return self->count ? self->at[0].item : NULL;
}

void zc_heap_clear (zc_heap_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        *self->at[i].slot = 0;
    free (self->at);
    *self = (zc_heap_t){0};
}
