/* Time, behind a seam: clock_real.c or the simulator's clock_sim.c. */
#pragma once

#include <stdint.h>

/* Seconds since 1970, UTC. */
uint64_t clock_wall_s(void);
/* The same in nanoseconds. */
uint64_t clock_wall_ns(void);
/* Nanoseconds of a clock that never goes back. */
uint64_t clock_monotonic_ns(void);
