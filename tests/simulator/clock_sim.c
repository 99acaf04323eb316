#include "tests/simulator/clock_sim.h"

static uint64_t now_s, now_ns;

void clock_sim_set(uint64_t wall_s, uint64_t monotonic_ns)
{
    now_s = wall_s;
    now_ns = monotonic_ns;
}

uint64_t clock_wall_s(void)
{
    return now_s;
}

uint64_t clock_wall_ns(void)
{
    return clock_wall_s() * 1000000000u;
}

uint64_t clock_monotonic_ns(void)
{
    return now_ns;
}
