/*  ages.c - see ages.h. */
#include "lib/engine/ages.h"

void zc_ages_take (zc_ages_t *self, zc_ages_t *round)
{
    for (size_t i = 0; i < self->count; i++) /* usually one or two: cheaper than a call */
        round->at[i] = self->at[i];
    round->count = self->count;
    self->count = 0;
}

void zc_ages_sent (zc_ages_t *self, uint64_t now_ms, zc_histogram_t *histogram)
{
    for (size_t i = 0; i < self->count; i++) {
        uint64_t stamp_ms = self->at[i].stamp_ms;
        zc_histogram_add (histogram, stamp_ms < now_ms ? (now_ms - stamp_ms) * 1000 : 0,
                          self->at[i].clients);
    }
    self->count = 0;
}
