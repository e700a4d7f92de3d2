/*  clock.h - the wall clock, the monotonic clock, and random numbers for spreads. */
#ifndef ZC_CLOCK_H
#define ZC_CLOCK_H

#include <stdint.h>

/*  A random number in [low, high], for spreads and jitter. */
unsigned zc_random_between (unsigned low, unsigned high);
/*  Milliseconds since 1970, and of the monotonic clock. */
uint64_t zc_wall_ms (void);
uint64_t zc_mono_ms (void);
uint64_t zc_mono_us (void);

#endif
