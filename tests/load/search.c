#include "tests/load/search.h"

#include <stdlib.h>

#define NOT_RUN (-1)
#define CONFIRM_STEP_DOWN 0.97
#define CONFIRM_TRIES 12

struct search_options search_defaults(void)
{
    return (struct search_options){
        .first_per_s = 1000, .highest_per_s = 20e6, .precision = 0.02, .trial_s = 1, .confirm_s = 3, .tries = 2};
}

/* 1 good, 0 bad, NOT_RUN. */
static int step(const struct search_options *options, search_trial *trial, search_report *report, void *context,
                double rate_per_s, double duration_s)
{
    struct result *result = malloc(sizeof *result);
    int outcome = result ? 0 : NOT_RUN;
    for (unsigned i = 0; i < options->tries && outcome == 0; i++) {
        if (!trial(context, rate_per_s, duration_s, result)) {
            outcome = NOT_RUN;
            break;
        }
        bool good = result_good(result, options->loss_limit);
        if (good && options->latency_share > 0)
            good = histogram_percentile(&result->latency, options->latency_share) <= options->latency_limit_ns;
        if (report)
            report(context, rate_per_s, result, good);
        if (load_counts_wrong(&result->counts) > 0 || result->interrupted)
            outcome = NOT_RUN;
        else if (good)
            outcome = 1;
    }
    free(result);
    return outcome;
}

double search_highest(const struct search_options *options, search_trial *trial, search_report *report, void *context)
{
    double good = 0, bad = 0, rate = options->first_per_s;
    while (bad == 0 || (bad - good) / bad > options->precision) {
        int outcome = step(options, trial, report, context, rate, options->trial_s);
        if (outcome == NOT_RUN)
            return NOT_RUN;
        if (outcome == 1)
            good = rate;
        else
            bad = rate;
        if (bad == 0 && good >= options->highest_per_s)
            break;
        if (bad > 0 && bad < options->first_per_s / 64)
            return 0;
        rate = bad == 0 ? rate * 2 : (good + bad) / 2;
        if (rate > options->highest_per_s)
            rate = options->highest_per_s;
    }
    for (int i = 0; i < CONFIRM_TRIES && good > 0; i++) {
        int outcome = step(options, trial, report, context, good, options->confirm_s);
        if (outcome != 0)
            return outcome == 1 ? good : NOT_RUN;
        good *= CONFIRM_STEP_DOWN;
    }
    return 0;
}
