/*  histogram.h - how long things took, in buckets that Prometheus adds up over processes. No I/O.
 */
#ifndef ZC_HISTOGRAM_H
#define ZC_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define ZC_HISTOGRAM_BUCKETS 14 /* the last one has no bound */

/*  Each bucket has what is above the bound before it, and not above its own. All zero: empty. */
typedef struct {
    uint64_t counts[ZC_HISTOGRAM_BUCKETS];
    uint64_t sum_us;
} zc_histogram_t;

/*  `count` things took so long, each. */
void zc_histogram_add (zc_histogram_t *self, uint64_t us, uint64_t count);
/*  The bound of a bucket in seconds, as text: "0.001", …, "+Inf". */
const char *zc_histogram_bound (size_t bucket);

#endif
