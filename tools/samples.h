/*  samples.h - samples of durations, for percentiles: any number of them in bounded memory,
 *  exact to 3 %. No I/O. */
#ifndef ZC_SAMPLES_H
#define ZC_SAMPLES_H

#include <jansson.h>
#include <stdint.h>

#define ZC_SAMPLES_BUCKETS (64 * 32)

/*  All zero: empty. */
typedef struct {
    uint64_t buckets[ZC_SAMPLES_BUCKETS];
    uint64_t count, sum, min, max; /* of the values: exact */
} zc_samples_t;

void zc_samples_add (zc_samples_t *self, uint64_t us);
/*  The value that `share` of the samples (0 to 1) don't exceed; 0 if there are none. */
uint64_t zc_samples_at (const zc_samples_t *self, double share);
double zc_samples_mean (const zc_samples_t *self);

#define ZC_SAMPLES_TEXT 160
/*  "p50 0.11, p90 0.20, p99 0.41, p99.9 1.20, max 3.02 ms". Returns `text`, which holds
 *  ZC_SAMPLES_TEXT bytes. */
const char *zc_samples_text (const zc_samples_t *self, char *text);
/*  The same as an object with min and mean, in milliseconds; the caller owns it. */
json_t *zc_samples_json (const zc_samples_t *self);

#endif
