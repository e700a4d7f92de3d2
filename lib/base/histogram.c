/*  histogram.c - see histogram.h. All histograms have the same bounds, so that readers of counts
 *  know them: from the time of a message on one machine to a time that everybody would call
 *  broken. */
#include "lib/base/histogram.h"

#define S_MIDDLE 5 /* a bound that halves the search */

static const struct {
    uint64_t us;
    const char *text;
} s_bounds[ZC_HISTOGRAM_BUCKETS] = {
    {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},    {10000, "0.01"},      {25000, "0.025"},
    {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"},   {500000, "0.5"},      {1000000, "1.0"},
    {2500000, "2.5"}, {5000000, "5.0"}, {10000000, "10.0"}, {UINT64_MAX, "+Inf"},
};

void zc_histogram_add (zc_histogram_t *self, uint64_t us, uint64_t count)
{
    size_t bucket = us > s_bounds[S_MIDDLE].us ? S_MIDDLE + 1 : 0;
    while (us > s_bounds[bucket].us)
        bucket++;
    self->counts[bucket] += count;
    self->sum_us += us * count;
}

const char *zc_histogram_bound (size_t bucket)
{
    return s_bounds[bucket].text;
}
