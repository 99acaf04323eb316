#include "tests/unit/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/histogram.h"
#include "tests/load/random.h"
#include "tests/load/schedule.h"

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void steps_meet_without_gap_or_overlap(void **state)
{
    (void)state;
    for (uint32_t step = 0; step + 1 < HISTOGRAM_STEPS; step++) {
        assert_true(histogram_step_high(step) + 1 == histogram_step_low(step + 1));
        assert_int_equal(histogram_step(histogram_step_low(step)), step);
        assert_int_equal(histogram_step(histogram_step_high(step)), step);
    }
    assert_int_equal(histogram_step(UINT64_MAX), HISTOGRAM_STEPS - 1);
}

static void percentiles_are_those_of_an_exact_sort(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static const double shares[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    static struct histogram histogram;
    uint64_t *values = calloc(COUNT, sizeof *values);
    struct random random = random_of(1, 'H', 0);
    for (int scale = 0; scale < 6; scale++) {
        memset(&histogram, 0, sizeof histogram);
        for (int i = 0; i < COUNT; i++) {
            values[i] = (uint64_t)(random_exponential(&random) * pow(20, scale + 1));
            histogram_record(&histogram, values[i]);
        }
        qsort(values, COUNT, sizeof *values, by_value);
        for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
            double rank = ceil(shares[i] * COUNT);
            uint64_t exact = values[rank < 1 ? 0 : (size_t)rank - 1];
            uint64_t found = histogram_percentile(&histogram, shares[i]);
            assert_true(fabs((double)found - (double)exact) <= (double)exact * 0.008);
        }
        assert_true(histogram_percentile(&histogram, 1) == values[COUNT - 1]);
        assert_true(histogram.min == values[0]);
    }
    free(values);
}

static void difference_is_what_came_between(void **state)
{
    (void)state;
    static struct histogram all, before, between;
    struct random random = random_of(2, 'H', 0);
    for (int i = 0; i < 1000; i++)
        histogram_record(&all, random_below(&random, 1000));
    histogram_copy(&all, &before);
    for (int i = 0; i < 500; i++)
        histogram_record(&all, 5000 + random_below(&random, 1000));
    histogram_difference(&all, &before, &between);
    assert_int_equal(between.count, 500);
    assert_true(histogram_percentile(&between, 0) >= 4980);
    histogram_add(&before, &between);
    assert_memory_equal(before.steps, all.steps, sizeof all.steps);
    assert_int_equal(before.sum, all.sum);
}

static const struct rate day = {{{0, 100, 10}, {100, 100, 10}, {100, 50, 10}, {0, 0, 5}, {200, 200, 1}}, 5};

static void arrivals_follow_the_rate(void **state)
{
    (void)state;
    enum arrivals kinds[] = {ARRIVALS_EVEN, ARRIVALS_POISSON};
    for (int k = 0; k < 2; k++) {
        struct schedule schedule;
        uint64_t last = 0, due, counts[36] = {0};
        schedule_start(&schedule, &day, kinds[k], 1e6, 3, 0, 1);
        while ((due = schedule_next(&schedule)) != SCHEDULE_NEVER) {
            assert_true(due >= last && due < 36000000);
            counts[due / 1000000]++;
            last = due;
        }
        for (int second = 0; second < 36; second++) {
            double expected = (rate_at(&day, second) + rate_at(&day, second + 0.999999)) / 2;
            double slack = kinds[k] == ARRIVALS_EVEN ? 1.01 : 5 * sqrt(expected);
            assert_true(fabs((double)counts[second] - expected) <= slack);
        }
    }
}

static void even_shares_interleave_to_the_whole(void **state)
{
    (void)state;
    struct schedule whole, parts[3];
    schedule_start(&whole, &day, ARRIVALS_EVEN, 1e9, 3, 0, 1);
    for (uint32_t i = 0; i < 3; i++)
        schedule_start(&parts[i], &day, ARRIVALS_EVEN, 1e9, 3, i, 3);
    for (int i = 0; i < 2400; i++) {
        uint64_t all = schedule_next(&whole), part = schedule_next(&parts[i % 3]);
        assert_true(llabs((long long)(all - part)) < 1000);
    }
}

static void zipf_draws_in_proportion(void **state)
{
    (void)state;
    static const double exponents[] = {0, 0.5, 1, 1.3};
    enum { N = 50, DRAWS = 200000 };
    for (size_t e = 0; e < 4; e++) {
        struct zipf zipf;
        struct random random = random_of(4, 'Z', e);
        unsigned counts[N] = {0};
        double whole = 0;
        zipf_start(&zipf, N, exponents[e]);
        for (int i = 0; i < DRAWS; i++)
            counts[zipf_draw(&zipf, &random)]++;
        for (int k = 1; k <= N; k++)
            whole += pow(k, -exponents[e]);
        for (int k = 1; k <= N; k++) {
            double expected = DRAWS * pow(k, -exponents[e]) / whole;
            assert_true(fabs(counts[k - 1] - expected) < 6 * sqrt(expected) + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_meet_without_gap_or_overlap),   cmocka_unit_test(percentiles_are_those_of_an_exact_sort),
        cmocka_unit_test(difference_is_what_came_between),     cmocka_unit_test(arrivals_follow_the_rate),
        cmocka_unit_test(even_shares_interleave_to_the_whole), cmocka_unit_test(zipf_draws_in_proportion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
