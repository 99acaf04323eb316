#include "tests/load/trial.h"

double result_loss(const struct result *result)
{
    const struct load_counts *c = &result->counts;
    return c->due ? (double)(c->lost + c->late + c->unsent + c->shed) / (double)c->due : 0;
}

bool result_good(const struct result *result, double loss_limit)
{
    return load_counts_wrong(&result->counts) == 0 && result->counts.checksum_bad == 0 && result->counts.due > 0 &&
           result_loss(result) <= loss_limit;
}

void load_counts_add(struct load_counts *to, const struct load_counts *from)
{
    const uint64_t *add = (const uint64_t *)from;
    uint64_t *sum = (uint64_t *)to;
    for (size_t i = 0; i < sizeof *to / sizeof *sum; i++)
        sum[i] += add[i];
}

uint64_t load_counts_wrong(const struct load_counts *counts)
{
    uint64_t sum = 0;
    for (unsigned i = 1; i < WRONG_COUNT; i++)
        sum += counts->wrong[i];
    return sum;
}

/* Each request once, for each time that its client comes back; what is challenged once more. */
uint64_t generator_sequences(const struct generator_config *config)
{
    double requests = config->pool->due_ns ? (double)config->pool->count : rate_requests(&config->rate) * 1.1 + 1000;
    return (uint64_t)(requests * (1 + config->retry_times) * (1 + GENERATOR_CHALLENGES_MAX));
}
