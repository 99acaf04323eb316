/* One run of a load from start to end, and what it showed. */
#pragma once

#include "tests/load/generator.h"
#include "tests/load/profile.h"

#define SERIES_MAX 600

/* What happened in one interval of a run; latencies are of the answers that arrived in it. */
struct series_point {
    double at_s; /* the interval's end */
    double due_per_s, answered_per_s, lost_per_s;
    uint64_t p50_ns, p99_ns, max_ns;
};

struct result {
    struct load_counts counts;
    struct histogram latency, lag;
    double duration_s; /* over which requests were due */
    double rate_per_s; /* offered, on average */
    struct series_point series[SERIES_MAX];
    uint32_t series_count;
    struct wrong_sample samples[GENERATOR_SAMPLES_MAX];
    unsigned sample_count;
    bool interrupted;
};

/* Called on main's core after each interval with what is known so far. */
typedef void trial_progress(void *context, const struct result *so_far, double now_s, double end_s);

struct trial {
    struct generator_config config; /* of the one generator; its rate is the whole load */
    double duration_s;              /* what the rate, or the pool's own times, take */
    double interval_s;              /* 0: chosen so that the series fits */
    trial_progress *progress;       /* may be NULL */
    void *progress_context;
    const bool *stop; /* set from outside (a signal): the run ends early; may be NULL */
    /* Makes the pool anew when its credentials grow old; NULL: it never does. */
    bool (*renew)(void *context, struct pool *out);
    void *renew_context;
    double renew_every_s;
};

/* The generator runs on the first core behind main's, which waits and watches. Ends by itself: after the schedule's
 * end, when all is answered or given up. False where it could not start. */
bool trial_run(const struct trial *trial, struct result *out, char *error, size_t error_size);

/* All that is due was answered rightly, but for a share of `loss_limit` at most. */
bool result_good(const struct result *result, double loss_limit);
/* Share of the requests due that got no answer in time, or were shed. */
double result_loss(const struct result *result);
