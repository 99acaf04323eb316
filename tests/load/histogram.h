/* A log-linear histogram of durations (after HdrHistogram): 128 steps an octave, so that a value is known within 0.8 %
 * at any size. Fixed memory, no allocation. One thread records; others may copy it meanwhile with histogram_copy, which
 * sees each counter whole and the set of them nearly at one time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HISTOGRAM_STEP_BITS 7
#define HISTOGRAM_TOP_BIT 42 /* values from 2^43 ns (2.4 hours) count as the largest step */
#define HISTOGRAM_STEPS ((HISTOGRAM_TOP_BIT - HISTOGRAM_STEP_BITS + 2) << HISTOGRAM_STEP_BITS)

struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t min; /* meaningless where count is 0 */
    uint64_t max;
    uint64_t steps[HISTOGRAM_STEPS];
};

static inline uint32_t histogram_step(uint64_t value)
{
    if (value >> (HISTOGRAM_TOP_BIT + 1))
        return HISTOGRAM_STEPS - 1;
    uint32_t top = 63u - (uint32_t)__builtin_clzll(value | 1);
    uint32_t shift = top > HISTOGRAM_STEP_BITS ? top - HISTOGRAM_STEP_BITS : 0;
    return (shift << HISTOGRAM_STEP_BITS) + (uint32_t)(value >> shift);
}

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->steps[histogram_step(value)]++;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
    if (value < histogram->min || histogram->count == 1)
        histogram->min = value;
}

/* The smallest value that at least `share` (0 to 1) of the recorded values do not exceed, within a step's width; the
 * exact maximum for 1; 0 where nothing is recorded. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);
double histogram_mean(const struct histogram *histogram);
void histogram_add(struct histogram *to, const struct histogram *from);
/* The values in `now` that `before`, an earlier copy of the same histogram, does not hold. Minimum and maximum are
 * known within a step only. `out` may be `before`. */
void histogram_difference(const struct histogram *now, const struct histogram *before, struct histogram *out);
void histogram_copy(const struct histogram *from, struct histogram *to);
/* The smallest and largest value that a step stands for. */
uint64_t histogram_step_low(uint32_t step);
uint64_t histogram_step_high(uint32_t step);
