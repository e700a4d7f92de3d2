/*  ages.h - how old messages are when they are sent: from the broker's stamp to the end of the
 * round that sends them to all clients.
 *
 *  The stamp is the broker's clock, so this says something where its clock is the worker's, or set
 *  by the same source; what looks younger than nothing counts as 0. What is noted for each message
 *  is its millisecond and for how many clients it is. A clock is read once a round. */
#ifndef ZC_AGES_H
#define ZC_AGES_H

#include "lib/base/histogram.h"

#define ZC_AGES_MAX \
    64 /* different milliseconds that wait for one round; further ones are the last */

typedef struct {
    size_t count;
    struct {
        uint64_t stamp_ms, clients;
    } at[ZC_AGES_MAX];
} zc_ages_t;

/*  A message was appended to the feed of so many clients. */
static inline void zc_ages_add (zc_ages_t *self, uint64_t stamp_ms, uint64_t clients)
{
    size_t last = self->count - 1;
    if (self->count > 0 && (self->at[last].stamp_ms == stamp_ms || self->count == ZC_AGES_MAX)) {
        self->at[last].clients += clients;
    } else if (clients > 0) {
        self->at[self->count].stamp_ms = stamp_ms;
        self->at[self->count++].clients = clients;
    }
}

/*  A round begins, and sends the messages noted so far. `round` is empty, and gets it. */
void zc_ages_take (zc_ages_t *self, zc_ages_t *round);
/*  The round is over; `self` is empty then. */
void zc_ages_sent (zc_ages_t *self, uint64_t now_ms, zc_histogram_t *histogram);

#endif
