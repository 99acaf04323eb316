#include "tests/load/histogram.h"

#include <assert.h>
#include <string.h>

static_assert(HISTOGRAM_STEP_BITS < HISTOGRAM_TOP_BIT && HISTOGRAM_TOP_BIT < 63, "shifts stay inside a word");

uint64_t histogram_step_low(uint32_t step)
{
    uint32_t shift = step >> HISTOGRAM_STEP_BITS;
    if (shift <= 1)
        return step;
    shift--;
    return (uint64_t)(step - (shift << HISTOGRAM_STEP_BITS)) << shift;
}

uint64_t histogram_step_high(uint32_t step)
{
    return histogram_step_low(step + 1) - 1;
}

uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
    if (histogram->count == 0)
        return 0;
    if (share >= 1)
        return histogram->max;
    double exact = share * (double)histogram->count;
    uint64_t rank = (uint64_t)exact;
    if ((double)rank < exact || rank == 0)
        rank++;
    uint64_t seen = 0;
    for (uint32_t step = 0; step < HISTOGRAM_STEPS; step++) {
        seen += histogram->steps[step];
        if (seen < rank)
            continue;
        uint64_t low = histogram_step_low(step);
        uint64_t value = low + (histogram_step_high(step) - low) / 2;
        if (value > histogram->max)
            return histogram->max;
        return value < histogram->min ? histogram->min : value;
    }
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count ? (double)histogram->sum / (double)histogram->count : 0;
}

void histogram_add(struct histogram *to, const struct histogram *from)
{
    if (from->count == 0)
        return;
    if (to->count == 0 || from->min < to->min)
        to->min = from->min;
    if (from->max > to->max)
        to->max = from->max;
    to->count += from->count;
    to->sum += from->sum;
    for (uint32_t step = 0; step < HISTOGRAM_STEPS; step++)
        to->steps[step] += from->steps[step];
}

void histogram_difference(const struct histogram *now, const struct histogram *before, struct histogram *out)
{
    uint64_t count = 0, min = 0, max = 0;
    uint64_t sum = now->sum - before->sum;
    for (uint32_t step = 0; step < HISTOGRAM_STEPS; step++) {
        uint64_t n = now->steps[step] - before->steps[step];
        if (n) {
            if (count == 0)
                min = histogram_step_low(step);
            max = histogram_step_high(step);
        }
        count += n;
        out->steps[step] = n;
    }
    out->count = count;
    out->sum = sum;
    out->min = min;
    out->max = max < now->max ? max : now->max;
}

void histogram_copy(const struct histogram *from, struct histogram *to)
{
    to->sum = __atomic_load_n(&from->sum, __ATOMIC_RELAXED);
    to->min = __atomic_load_n(&from->min, __ATOMIC_RELAXED);
    to->max = __atomic_load_n(&from->max, __ATOMIC_RELAXED);
    uint64_t count = 0;
    for (uint32_t step = 0; step < HISTOGRAM_STEPS; step++) {
        to->steps[step] = __atomic_load_n(&from->steps[step], __ATOMIC_RELAXED);
        count += to->steps[step];
    }
    to->count = count; /* of the steps, so that ranks and steps agree */
}
