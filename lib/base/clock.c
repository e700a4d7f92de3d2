/*  clock.c - clocks and random numbers from the kernel. */
#include "lib/base/clock.h"

#include <sys/random.h>
#include <time.h>

static uint64_t s_clock_us (clockid_t clock)
{
    struct timespec now;
    clock_gettime (clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t zc_wall_ms (void)
{
    return s_clock_us (CLOCK_REALTIME) / 1000;
}

uint64_t zc_mono_ms (void)
{
    return s_clock_us (CLOCK_MONOTONIC) / 1000;
}

uint64_t zc_mono_us (void)
{
    return s_clock_us (CLOCK_MONOTONIC);
}

unsigned zc_random_between (unsigned low, unsigned high)
{
    uint32_t random;
    while (getrandom (&random, sizeof random, 0) != sizeof random)
        continue;
    uint64_t span = (uint64_t)high - low + 1;
    return low + (unsigned)(random * span >> 32);
}
