/*  clock.h - the wall clock, the monotonic clock, and random intervals. */
#ifndef ZC_CLOCK_H
#define ZC_CLOCK_H

#include <stdint.h>

/*  A random number in [low, high], so that many processes don't do the same at the same moment. */
unsigned zc_random_between (unsigned low, unsigned high);
/*  Milliseconds since 1970. */
uint64_t zc_wall_ms (void);
uint64_t zc_mono_ms (void);
uint64_t zc_mono_us (void);

#endif
