/* One request's facts, as rules see them. Filled by the stages, read by decide.c; views point into the request's buffer
 * or into its generation. */
#pragma once

#include <assert.h>

#include "keys/bytes.h"

enum fact {
#define FACT(name, path, type) FACT_##name,
#include "dataplane/facts.def"
#undef FACT
    FACT_COUNT
};
static_assert(FACT_COUNT <= 64, "present is one word");

enum fact_type {
    FACT_TYPE_TEXT,
    FACT_TYPE_UINT,
    FACT_TYPE_INT,
    FACT_TYPE_BOOL,
    FACT_TYPE_TEXTS,
    FACT_TYPE_TIME,
    FACT_TYPE_DAY,
    FACT_TYPE_COLOUR,
    FACT_TYPE_CLASS,
    FACT_TYPE_MODE
};

union fact_value {
    struct bytes text; /* TEXT; for TEXTS the CBOR encoding of an array of text */
    uint64_t number;   /* UINT, TIME, DAY, BOOL (0 or 1), COLOUR, CLASS, MODE (their enum) */
    int64_t integer;   /* INT */
};

struct facts {
    uint64_t present; /* bit 1 << enum fact */
    union fact_value value[FACT_COUNT];
};

static inline void fact_set_number(struct facts *facts, enum fact fact, uint64_t number)
{
    facts->value[fact].number = number;
    facts->present |= UINT64_C(1) << fact;
}

static inline void fact_set_integer(struct facts *facts, enum fact fact, int64_t integer)
{
    facts->value[fact].integer = integer;
    facts->present |= UINT64_C(1) << fact;
}

static inline void fact_set_text(struct facts *facts, enum fact fact, struct bytes text)
{
    facts->value[fact].text = text;
    facts->present |= UINT64_C(1) << fact;
}

static inline bool fact_present(const struct facts *facts, enum fact fact)
{
    return facts->present >> fact & 1;
}

enum fact_type fact_type(enum fact fact);
/* "credential.issuer", static. */
const char *fact_path(enum fact fact);
/* False where no fact has this path. */
bool fact_from_path(struct bytes path, enum fact *out);
/* The words of a COLOUR, CLASS or MODE: NULL above the last, and for every other type. */
const char *fact_symbol(enum fact_type type, uint64_t number);
