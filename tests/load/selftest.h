/* The tool measured by what it cannot know better: an echo with known delays, stalls, losses and lies, over a ring pair
 * on a second core. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct selftest_options {
    double rate_per_s;     /* of the tests about truth */
    double duration_s;     /* of each test */
    double top_rate_per_s; /* what the tool must send and match */
    unsigned tries;        /* a test that failed is done again so often: noise of the machine is not the tool's */
    bool json;
};
struct selftest_options selftest_defaults(void);

/* Needs an environment with two cores behind main's. Prints a line a test; returns how many failed, or -1 where the
 * test cannot run (`error` says why). */
int selftest_run(const struct selftest_options *options, FILE *out, char *error, size_t error_size);
