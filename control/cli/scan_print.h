/* A scan's answer, for people or as JSON. */
#pragma once

#include <stdio.h>

#include "control/scan/chengmen_scan.h"

struct scan_print_style {
    bool json;    /* one JSON object on one line */
    bool chinese; /* texts; names and JSON members are the same in both */
};

void scan_print(FILE *out, const struct chengmen_scan_answer *answer, const struct scan_print_style *style);
