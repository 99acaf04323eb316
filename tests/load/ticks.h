/* The processor's own clock: one instruction, the same on every core (invariant TSC). Where it is not known, the
 * monotonic clock in nanoseconds. */
#pragma once

#include <stdint.h>

#if !defined(__x86_64__)
#include <time.h>
#endif

static inline uint64_t ticks_now(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

/* Measured against the monotonic clock, once a process; takes 50 ms. */
double ticks_per_s(void);

static inline uint64_t ticks_of_ns(uint64_t ns, double per_s)
{
    return (uint64_t)((double)ns * per_s * 1e-9);
}
