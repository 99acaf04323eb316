#include "tests/load/gaps.h"

#include "tests/load/ticks.h"

int gaps_measure(void *argument)
{
    struct gaps *gaps = argument;
    double per_s = ticks_per_s();
    uint64_t least = ticks_of_ns(GAP_NS, per_s), taken = 0, longest = 0, count = 0;
    uint64_t start = ticks_now(), before = start, end = start + (uint64_t)(gaps->duration_s * per_s);
    while (before < end) {
        uint64_t now = ticks_now(), gap = now - before;
        before = now;
        if (gap < least)
            continue;
        count++;
        taken += gap;
        longest = gap > longest ? gap : longest;
    }
    gaps->count = count;
    gaps->share = (double)taken / (double)(before - start);
    gaps->mean_ns = count ? (double)taken / (double)count * 1e9 / per_s : 0;
    gaps->longest_ns = (uint64_t)((double)longest * 1e9 / per_s);
    return 0;
}
