/*  samples.c - see samples.h. The width of buckets grows with their values: each power of two
 *  has 32 buckets. */
#include "tools/samples.h"

#include <stdio.h>

#define S_BITS 5

static const struct {
    const char *name;
    double share;
} s_percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};
#define S_PERCENTILES (sizeof s_percentiles / sizeof *s_percentiles)

static unsigned s_bucket (uint64_t us)
{
    if (us < 1u << S_BITS)
        return (unsigned)us;
    unsigned shift = 63 - (unsigned)__builtin_clzll (us) - S_BITS;
    return (shift + 1) << S_BITS | (unsigned)(us >> shift & ((1u << S_BITS) - 1));
}

/*  The highest value of a bucket. */
static uint64_t s_top (unsigned bucket)
{
    if (bucket < 1u << S_BITS)
        return bucket;
    unsigned shift = (bucket >> S_BITS) - 1;
    uint64_t low = (uint64_t)(1u << S_BITS | (bucket & ((1u << S_BITS) - 1))) << shift;
    return low + (((uint64_t)1 << shift) - 1);
}

void zc_samples_add (zc_samples_t *self, uint64_t us)
{
    self->buckets[s_bucket (us)]++;
    self->min = self->count && self->min < us ? self->min : us;
    self->max = self->max > us ? self->max : us;
    self->sum += us;
    self->count++;
}

uint64_t zc_samples_at (const zc_samples_t *self, double share)
{
    double wanted = share * (double)self->count;
    uint64_t seen = 0;
    for (unsigned i = 0; i < ZC_SAMPLES_BUCKETS && self->count; i++) {
        seen += self->buckets[i];
        if (self->buckets[i] && (double)seen >= wanted)
            return s_top (i) < self->max ? s_top (i) : self->max;
    }
    return self->max;
}

double zc_samples_mean (const zc_samples_t *self)
{
    return self->count ? (double)self->sum / (double)self->count : 0;
}

const char *zc_samples_text (const zc_samples_t *self, char *text)
{
    size_t len = 0;
    for (size_t i = 0; i < S_PERCENTILES; i++)
        len +=
            (size_t)snprintf (text + len, ZC_SAMPLES_TEXT - len, "%s %.2f, ", s_percentiles[i].name,
                              (double)zc_samples_at (self, s_percentiles[i].share) / 1000);
    snprintf (text + len, ZC_SAMPLES_TEXT - len, "max %.2f ms", (double)self->max / 1000);
    return text;
}

json_t *zc_samples_json (const zc_samples_t *self)
{
    json_t *object = json_object ();
    for (size_t i = 0; i < S_PERCENTILES; i++)
        json_object_set_new (
            object, s_percentiles[i].name,
            json_real ((double)zc_samples_at (self, s_percentiles[i].share) / 1000));
    json_object_set_new (object, "min", json_real ((double)self->min / 1000));
    json_object_set_new (object, "mean", json_real (zc_samples_mean (self) / 1000));
    json_object_set_new (object, "max", json_real ((double)self->max / 1000));
    return object;
}
