/*  busy.h - the topics on which most is published: an exact count of each topic's messages in a
 * window of ten seconds, and the topics with the highest counts. No I/O. */
#ifndef ZC_BUSY_H
#define ZC_BUSY_H

#include "lib/base/text.h"

#define ZC_BUSY_MAX 50 /* topics that are listed */

typedef struct zc_busy zc_busy_t;

/*  Embedded in a topic; begins as zeros. Only busy.c changes it. */
typedef struct {
    uint32_t window, count; /* messages in the window of that number */
    uint32_t place;         /* among those listed, from 1; 0: it isn't listed */
} zc_busy_mark_t;

zc_busy_t *zc_busy_new (void);
void zc_busy_destroy (zc_busy_t **self_p);
/*  Counts a message on a topic. The name stays where it is until the topic is forgotten. */
void zc_busy_count (zc_busy_t *self, zc_busy_mark_t *topic, zc_slice_t name);
/*  The topic goes away. If it was listed, its place may stay empty in this window: the next busiest
 *  one gets it with its next message. */
void zc_busy_forget (zc_busy_t *self, const zc_busy_mark_t *topic);
/*  Begins another window where this one is over; `now_ms` is monotonic. To be called about once a
 *  second. */
void zc_busy_tick (zc_busy_t *self, uint64_t now_ms);

/*  The topic with this index in the last whole window, from 0, the busiest first. False at the end.
 */
typedef struct {
    zc_slice_t topic; /* borrowed until the next tick */
    double rate;      /* messages a second */
} zc_busy_row_t;
bool zc_busy_row (const zc_busy_t *self, size_t index, zc_busy_row_t *row);

#endif
