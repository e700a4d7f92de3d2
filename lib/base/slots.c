/*  slots.c - a vector whose items know their places. */
#include "lib/base/slots.h"

#include <assert.h>
#include <stdlib.h>

void zc_slots_add (zc_slots_t *self, void *item, size_t *slot)
{
    assert (*slot == 0);
    if (self->count == self->cap) {
        self->cap = self->cap ? self->cap * 2 : 4;
        self->at = realloc (self->at, self->cap * sizeof *self->at);
        if (!self->at)
            abort ();
    }
    self->at[self->count++] = (zc_slot_t){item, slot};
    *slot = self->count;
}

void zc_slots_take (zc_slots_t *self, size_t *slot)
{
    if (*slot == 0)
        return;
    zc_slot_t last = self->at[--self->count];
    if (last.item) {
        self->at[*slot - 1] = last;
        *last.slot = *slot;
    } else {
        self->at[*slot - 1].item = NULL;
    }
    *slot = 0;
}

void zc_slots_blank (zc_slots_t *self, size_t *slot)
{
    if (*slot == 0)
        return;
    self->at[*slot - 1].item = NULL;
    *slot = 0;
}

void *zc_slots_pop (zc_slots_t *self)
{
    while (self->count > 0) {
        zc_slot_t last = self->at[--self->count];
        if (last.item) {
            *last.slot = 0;
            return last.item;
        }
    }
    return NULL;
}

void zc_slots_clear (zc_slots_t *self)
{
    while (zc_slots_pop (self))
        ;
    free (self->at);
    *self = (zc_slots_t){0};
}
