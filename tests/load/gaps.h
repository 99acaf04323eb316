/* How often the machine takes a core away from a thread that never waits: interrupts, other threads, the hypervisor.
 * What happens to a request meanwhile is none of the load tester's own error. */
#pragma once

#include <stdint.h>

#define GAP_NS 1000 /* shorter ones are not counted */

struct gaps {
    double duration_s; /* how long to look */
    uint64_t count, longest_ns;
    double share;   /* of the time, that was taken */
    double mean_ns; /* of a gap */
};

/* Spins for the duration on the core it runs on. For load_core_start; always 0. */
int gaps_measure(void *gaps);
