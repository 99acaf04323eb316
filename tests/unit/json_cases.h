/* The JSON parsing test suite's cases, for test_json.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "keys/bytes.h"

struct json_case {
    const char *name;
    struct bytes text;
    bool accepted;
};
extern const struct json_case json_cases[];
extern const size_t json_case_count;
