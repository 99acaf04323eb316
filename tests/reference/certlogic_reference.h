/* A slow CertLogic evaluator, written from the specification alone: it walks the JSON trees, shares nothing with the
 * machine, and computes dates with the C library. For differential tests. */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

/* The value as JSON text, to be freed, or NULL where the expression errs. Expressions are valid ones. */
char *reference_eval(const cJSON *logic, const cJSON *data);

enum reference_truth { REFERENCE_FALSY, REFERENCE_TRUTHY, REFERENCE_ERROR };
/* Whether the value is truthy; an error where it is neither, or the expression errs. */
enum reference_truth reference_truth(const cJSON *logic, const cJSON *data);
