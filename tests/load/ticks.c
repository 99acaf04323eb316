#include "tests/load/ticks.h"

#include <time.h>

static double monotonic_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A pair of readings whose distance in time is the smallest of several tries, so that a preemption between the two
 * does not count. */
static double paired(uint64_t *ticks)
{
    double best_width = 1, at = 0;
    for (int i = 0; i < 32; i++) {
        double before = monotonic_s();
        uint64_t now = ticks_now();
        double after = monotonic_s();
        if (after - before < best_width) {
            best_width = after - before;
            at = (before + after) / 2;
            *ticks = now;
        }
    }
    return at;
}

double ticks_per_s(void)
{
    static double known;
    if (known > 0)
        return known;
    uint64_t first = 0, last = 0;
    double start = paired(&first);
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    double end = paired(&last);
    known = (double)(last - first) / (end - start);
    return known;
}
