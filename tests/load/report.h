/* What a run leaves behind: one JSON document, and an HTML page made of it and of nothing else, that opens without
 * network, in light and dark, and prints. */
#pragma once

#include <cjson/cJSON.h>
#include <stdio.h>

#include "tests/load/profile.h"
#include "tests/load/trial.h"

struct report_terms {
    const char *kind; /* "run", "search" */
    const struct profile *profile;
    const char *target, *port;
    const char *protection; /* of requests and answers: "none", "OSCORE" */
    uint64_t seed;
    double loss_limit; /* a share */
};

/* The document of one run. NULL where memory is out. */
cJSON *report_of_run(const struct report_terms *terms, const struct result *result);
/* Adds what a search found, and the latency at a share of it, one point after the other. */
void report_add_highest(cJSON *report, double highest_per_s);
void report_add_curve_point(cJSON *report, double share, double rate_per_s, const struct result *result);

/* Writes the page. Members that are absent leave their part out. False where the file could not be written. */
bool report_write_html(const cJSON *report, FILE *out);
bool report_save(const cJSON *report, const char *json_path, const char *html_path);
