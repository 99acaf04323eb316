#include "tests/load/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/load/ticks.h"

#define START_AFTER_NS 50000000u
#define DRAIN_QUIET_NS 2000000u
#define DRAIN_NS_MAX 1000000000u
#define GRACE_S 5.0 /* beyond schedule, timeouts and retries: then the run is cut off */

struct watch {
    struct generator *generator;
    const struct trial *trial;
    struct result *result;
    struct histogram now, before;
    struct load_counts counts_before;
    double last_s, interval_s;
};

static int work(void *argument)
{
    struct generator *generator = argument;
    while (generator_step(generator))
        ;
    return 0;
}

static void add_point(struct watch *watch, double now_s)
{
    struct result *result = watch->result;
    double span_s = now_s - watch->last_s;
    generator_counts(watch->generator, &result->counts);
    generator_latency(watch->generator, &watch->now);
    histogram_difference(&watch->now, &watch->before, &watch->before);
    const struct load_counts *now = &result->counts, *before = &watch->counts_before;
    if (result->series_count < SERIES_MAX && span_s > 0)
        result->series[result->series_count++] = (struct series_point){
            .at_s = now_s,
            .due_per_s = (double)(now->due - before->due) / span_s,
            .answered_per_s = (double)(now->answered - before->answered) / span_s,
            .lost_per_s = (double)(int64_t)(now->lost + now->unsent - before->lost - before->unsent) / span_s,
            .p50_ns = histogram_percentile(&watch->before, 0.5),
            .p99_ns = histogram_percentile(&watch->before, 0.99),
            .max_ns = watch->before.max,
        };
    watch->before = watch->now;
    watch->counts_before = *now;
    watch->last_s = now_s;
    result->latency = watch->now;
}

/* Makes the pool anew in time. Two copies take turns: what is under way may still be sent again from the old one. */
static void renew(const struct trial *trial, struct generator *generator, struct pool copies[2], unsigned *turn)
{
    struct pool fresh;
    if (!trial->renew(trial->renew_context, &fresh))
        return; /* no memory now: the answers will say that the credentials expired */
    pool_free(&copies[*turn]);
    copies[*turn] = fresh;
    generator_set_pool(generator, &copies[*turn]);
    *turn ^= 1;
}

static void wait_for_end(struct watch *watch, uint64_t start, double limit_s)
{
    const struct trial *trial = watch->trial;
    struct pool copies[2] = {{0}, {0}};
    unsigned turn = 0;
    double renewed_s = 0;
    while (!load_core_done(0)) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        uint64_t now = ticks_now();
        double now_s = now > start ? (double)(now - start) / ticks_per_s() : 0;
        bool stop = (trial->stop && __atomic_load_n(trial->stop, __ATOMIC_RELAXED)) || now_s > limit_s;
        if (stop && !watch->result->interrupted) {
            watch->result->interrupted = true;
            generator_stop(watch->generator);
        }
        if (now_s - watch->last_s >= watch->interval_s) {
            add_point(watch, now_s);
            if (trial->progress)
                trial->progress(trial->progress_context, watch->result, now_s, trial->duration_s);
        }
        if (trial->renew && now_s - renewed_s >= trial->renew_every_s) {
            renew(trial, watch->generator, copies, &turn);
            renewed_s = now_s;
        }
    }
    load_core_wait(0);
    pool_free(&copies[0]);
    pool_free(&copies[1]);
}

/* What is still on its way from an earlier run is none of this one's. */
static void drain(const struct generator_config *config)
{
    struct load_frame frames[LOAD_BURST_MAX];
    uint64_t quiet_since = ticks_now(), end = quiet_since + ticks_of_ns(DRAIN_NS_MAX, ticks_per_s());
    uint64_t quiet = ticks_of_ns(DRAIN_QUIET_NS, ticks_per_s());
    for (uint64_t now = quiet_since; now < end && now - quiet_since < quiet; now = ticks_now()) {
        unsigned count = load_port_receive(config->port, config->queue, frames, LOAD_BURST_MAX);
        if (count == 0)
            continue;
        load_port_free(config->port, frames, count);
        quiet_since = now;
    }
}

bool trial_run(const struct trial *trial, struct result *out, char *error, size_t error_size)
{
    memset(out, 0, sizeof *out);
    struct generator_config config = trial->config;
    if (config.contexts && !contexts_take(config.contexts, generator_sequences(&config), &config.first_sequence)) {
        snprintf(error, error_size, "no OSCORE sequence numbers are left, or %s cannot be written",
                 config.contexts->sequence_path);
        return false;
    }
    struct watch *watch = calloc(1, sizeof *watch);
    struct generator *generator = watch ? generator_open(&config, error, error_size) : NULL;
    if (!generator) {
        free(watch);
        return false;
    }
    *watch = (struct watch){.generator = generator, .trial = trial, .result = out, .interval_s = trial->interval_s};
    if (watch->interval_s <= 0)
        watch->interval_s = trial->duration_s / 240 > 0.1 ? trial->duration_s / 240 : 0.1;
    double timeout_s = (double)trial->config.timeout_ns * 1e-9;
    double retry_s = (double)(trial->config.retry_after_ns + trial->config.retry_jitter_ns) * 1e-9;
    double limit_s = trial->duration_s + 2 * timeout_s + trial->config.retry_times * (timeout_s + retry_s) + GRACE_S;
    drain(&trial->config);
    uint64_t start = ticks_now() + ticks_of_ns(START_AFTER_NS, ticks_per_s());
    generator_start(generator, start);
    bool started = load_core_start(0, work, generator);
    if (started)
        wait_for_end(watch, start, limit_s);
    else
        snprintf(error, error_size, "no core for the generator: it needs one besides main's");
    generator_counts(generator, &out->counts);
    generator_latency(generator, &out->latency);
    out->lag = *generator_lag(generator);
    out->duration_s = trial->duration_s;
    out->rate_per_s = (double)out->counts.due / trial->duration_s;
    const struct wrong_sample *samples;
    out->sample_count = generator_samples(generator, &samples);
    memcpy(out->samples, samples, out->sample_count * sizeof *samples);
    generator_close(generator);
    free(watch);
    return started;
}
