/* Time that stands still until it is set. */
#pragma once

#include "dataplane/clock.h"

void clock_sim_set(uint64_t wall_s, uint64_t monotonic_ns);
