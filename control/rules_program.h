/* A rule program in the making, shared by the files that make it. */
#pragma once

#include "control/byte_set.h"
#include "control/certlogic.h"
#include "control/rules_json.h"
#include "dataplane/rules_internal.h"

/* A row as it was compiled, and where it stands in the file. */
struct program_row {
    const char *id;
    const struct json_place *list; /* the array it is in */
    size_t index;
    const cJSON *json;
    uint64_t from_s, to_s;
    enum verdict verdict;
    enum reason reason;
    uint32_t obligations;
    uint32_t until; /* code, or RULE_NONE */
    uint32_t tests[RULE_ROW_TESTS_MAX];
    uint32_t test_count;
};

struct program_venue {
    const char *venue_class;
    struct json_place place; /* its array of rows */
    uint32_t row_count;
};

struct program_code {
    uint32_t row; /* the first that has it */
    struct machine_bounds bounds;
};

struct rules_program {
    uint32_t version;
    uint64_t issued_s, from_s, to_s;
    uint32_t same_point_s;
    struct json_place root, city, venues_place, equivalence, home;
    struct certlogic_constants constants;
    struct byte_set codes; /* instructions as the program carries them */
    struct program_code *code_info;
    uint32_t code_room;
    struct byte_set tests; /* struct rule_test, one each */
    struct byte_set ids;
    struct program_row *rows;
    uint32_t row_count, row_room, city_count;
    struct program_venue *venues;
    uint32_t venue_count;
    struct rule_equivalence *equivalences;
    uint32_t equivalence_count;
    struct json_problems *problems;
};

/* Turns a condition into the row's tests; false with problems. */
bool program_condition(struct rules_program *program, struct program_row *row, const struct json_place *when);
/* Compiles an expression over the facts; its number, or RULE_NONE with problems. */
uint32_t program_code(struct rules_program *program, const struct json_place *expression);
static inline const struct rule_test *program_test(const struct rules_program *program, uint32_t test)
{
    return (const struct rule_test *)(const void *)program->tests.items[test].data;
}

/* Bounds of every code and row; refuses what is beyond them. */
bool program_bounds(struct rules_program *program, struct rules_summary *out);
/* The program's bytes, or NULL where it is larger than a log record may be. */
uint8_t *program_encode(const struct rules_program *program, size_t *size);
/* Reports what is allowed but suspicious. */
void program_warn(const struct rules_program *program);
/* And, in rules_guards.c, what errs on facts that there may be. */
void program_warn_guards(const struct rules_program *program);
