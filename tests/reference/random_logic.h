/* Random CertLogic expressions and data, valid ones, for differential tests. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct random_logic {
    uint64_t state;
    bool facts; /* paths are those of facts.def, else those of random_data */
};

uint32_t random_below(struct random_logic *random, uint32_t limit);
/* Writes JSON text. */
void random_expression(struct random_logic *random, FILE *out, unsigned depth);
void random_data(struct random_logic *random, FILE *out);
