/* The highest rate without loss (RFC 2544 section 26.1, with confirmation), and the highest within a latency limit. */
#pragma once

#include "tests/load/trial.h"

struct search_options {
    double first_per_s;   /* where the search begins, doubling upwards */
    double highest_per_s; /* where it ends at the latest */
    double precision;     /* the interval between good and bad, as a share, at which the search ends */
    double trial_s;       /* duration of a step */
    double confirm_s;     /* duration of the confirmation */
    double loss_limit;    /* share of requests that may be lost, late or shed */
    double latency_share; /* 0: no latency limit; else the percentile, such as 0.99 */
    uint64_t latency_limit_ns;
    unsigned tries; /* a step is bad when so many trials in a row are */
};
struct search_options search_defaults(void);

/* Runs the load at a rate for a time. False where it could not be run: `error` is the caller's to keep. */
typedef bool search_trial(void *context, double rate_per_s, double duration_s, struct result *out);
/* Told of each trial; may be NULL. */
typedef void search_report(void *context, double rate_per_s, const struct result *result, bool good);

/* Returns the rate that was confirmed, 0 where not even the first was good, below 0 where a trial could not be run or
 * found a wrong verdict: the rate of a target that answers wrongly means nothing. */
double search_highest(const struct search_options *options, search_trial *trial, search_report *report, void *context);
