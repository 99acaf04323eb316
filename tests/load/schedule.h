/* When requests are due. A schedule is a rate over time, given as straight pieces, and a way to place arrivals under
 * it. It knows nothing of the other side: that is what makes the load open-loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/load/random.h"

#define SCHEDULE_PIECES_MAX 96
#define SCHEDULE_NEVER UINT64_MAX

struct schedule_piece {
    double from_per_s;
    double to_per_s;
    double duration_s;
};

enum arrivals { ARRIVALS_EVEN, ARRIVALS_POISSON };

/* The rate over time: what a profile states. */
struct rate {
    struct schedule_piece pieces[SCHEDULE_PIECES_MAX];
    uint32_t count;
};

double rate_duration_s(const struct rate *rate);
double rate_peak_per_s(const struct rate *rate);
/* How many requests the rate stands for in all. */
double rate_requests(const struct rate *rate);
double rate_at(const struct rate *rate, double time_s);
void rate_scale(struct rate *rate, double factor);

struct schedule {
    struct rate rate;
    enum arrivals arrivals;
    double ticks_per_s;
    struct random random;
    uint32_t piece;
    double piece_start_s;
    double owed; /* requests due by the next arrival, counted from the piece's start */
};

/* Arrivals in ticks from the start. `share` and `shares` split one schedule among several senders: even arrivals
 * interleave, Poisson streams are independent. */
void schedule_start(struct schedule *schedule, const struct rate *rate, enum arrivals arrivals, double ticks_per_s,
                    uint64_t seed, uint32_t share, uint32_t shares);
/* The next arrival, never before the one before; SCHEDULE_NEVER after the last. */
uint64_t schedule_next(struct schedule *schedule);
