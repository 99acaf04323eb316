/* What a rule set may say but hardly means. */
#include <stdio.h>
#include <stdlib.h>

#include "control/json_internal.h"
#include "control/rules_program.h"
#include "dataplane/clock.h"
#include "dataplane/date_time.h"
#include "keys/subject.h"

#define ROW_NONE UINT32_MAX
/* Comparisons of tests and constants: what a check does is bounded whatever the file holds. */
#define WORK_MAX 50000000
#define DEGREES_MAX 100 /* a temperature up to here was meant in degrees */

struct warnings {
    const struct rules_program *program;
    int64_t work_left;
};

static struct json_place place_of(const struct program_row *row)
{
    return json_item(row->list, row->json, row->index);
}

static bool spans_overlap(uint64_t from_a, uint64_t to_a, uint64_t from_b, uint64_t to_b)
{
    return from_a < to_b && from_b < to_a;
}

static void warn_equivalence(const struct rules_program *program)
{
    for (uint32_t i = 0; i < program->equivalence_count; i++) {
        const struct rule_equivalence *row = &program->equivalences[i];
        struct json_place place =
            json_item(&program->equivalence, cJSON_GetArrayItem(program->equivalence.value, (int)i), i);
        const cJSON *home;
        cJSON_ArrayForEach(home, program->home.value)
        {
            if (bytes_equal(bytes_of_text(home->valuestring), row->issuer))
                json_warn(program->problems, &place, "issuer is at home: this row says nothing");
        }
        for (uint32_t k = 0; k < i; k++) {
            const struct rule_equivalence *earlier = &program->equivalences[k];
            if (bytes_equal(earlier->issuer, row->issuer) &&
                spans_overlap(earlier->from_s, earlier->to_s, row->from_s, row->to_s))
                json_warn(program->problems, &place,
                          "dates overlap with those of /equivalence/%u, which stands first and counts", k);
        }
    }
}

static void warn_lists(const struct rules_program *program)
{
    if (program->to_s <= clock_wall_s()) {
        struct json_place to = json_member(&program->root, "to");
        json_warn(program->problems, &to, "the set has ended: every request is referred");
    }
    if (program->row_count == 0)
        json_warn(program->problems, &program->root, "no rows at all: every request is referred");
    for (uint32_t i = 0; i < program->venue_count; i++)
        if (program->venues[i].row_count == 0)
            json_warn(program->problems, &program->venues[i].place, "venue class without rows");
}

/* The list of symbols as one text, for messages. */
static const char *symbols(enum fact_type type, char *room, size_t size)
{
    size_t used = 0;
    room[0] = 0;
    for (uint64_t i = 0; fact_symbol(type, i) && used < size; i++)
        used += (size_t)snprintf(room + used, size - used, "%s%s", i ? ", " : "", fact_symbol(type, i));
    return room;
}

static bool is_symbol(enum fact_type type, const struct value *constant)
{
    for (uint64_t i = 0; fact_symbol(type, i); i++)
        if (constant->kind == VALUE_TEXT && bytes_equal(bytes_of_text(fact_symbol(type, i)), value_bytes(constant)))
            return true;
    return false;
}

/* Whether a date-time is written as the fact is: 2020-03-06T00:00:00Z, a day as 2020-03-06T00:00:00+08:00. */
static bool is_written_so(enum fact_type type, struct bytes text)
{
    static const char midnight[] = "T00:00:00+08:00";
    char room[DATE_TIME_ROOM];
    int64_t ms;
    if (!date_time_parse(text, &ms))
        return false;
    if (type == FACT_TYPE_DAY)
        return text.length == DATE_SIZE + sizeof midnight - 1 &&
               memcmp(text.data + DATE_SIZE, midnight, sizeof midnight - 1) == 0;
    return ms >= 0 &&
           bytes_equal((struct bytes){(const uint8_t *)room, date_time_write_s((uint64_t)ms / 1000, room)}, text);
}

static void warn_constant(const struct rules_program *program, const struct program_row *row, enum fact fact,
                          const struct value *constant)
{
    static const char *const names[] = {
        [FACT_TYPE_TEXT] = "a text",    [FACT_TYPE_UINT] = "a number",  [FACT_TYPE_INT] = "a number",
        [FACT_TYPE_BOOL] = "a boolean", [FACT_TYPE_TEXTS] = "an array", [FACT_TYPE_TIME] = "a text",
        [FACT_TYPE_DAY] = "a text",
    };
    static const enum value_kind kinds[] = {
        [FACT_TYPE_TEXT] = VALUE_TEXT, [FACT_TYPE_UINT] = VALUE_NUMBER, [FACT_TYPE_INT] = VALUE_NUMBER,
        [FACT_TYPE_BOOL] = VALUE_BOOL, [FACT_TYPE_TEXTS] = VALUE_ARRAY, [FACT_TYPE_TIME] = VALUE_TEXT,
        [FACT_TYPE_DAY] = VALUE_TEXT,
    };
    enum fact_type type = fact_type(fact);
    struct json_place place = place_of(row), when = json_member(&place, "when");
    char room[JSON_MESSAGE_MAX / 2];
    if (fact_symbol(type, 0)) {
        if (!is_symbol(type, constant))
            json_warn(program->problems, &when, "never equal: %s is one of %s", fact_path(fact),
                      symbols(type, room, sizeof room));
    } else if (constant->kind != kinds[type]) {
        json_warn(program->problems, &when, "never equal: %s is %s", fact_path(fact), names[type]);
    } else if ((type == FACT_TYPE_TIME || type == FACT_TYPE_DAY) && !is_written_so(type, value_bytes(constant))) {
        json_warn(program->problems, &when, "never equal: %s is written as 2020-03-06T00:00:00%s, not as %.*s",
                  fact_path(fact), type == FACT_TYPE_DAY ? "+08:00" : "Z", (int)value_bytes(constant).length,
                  (const char *)value_bytes(constant).data);
    }
}

static void warn_constants(const struct rules_program *program, const struct program_row *row)
{
    for (uint32_t i = 0; i < row->test_count; i++) {
        const struct rule_test *test = program_test(program, row->tests[i]);
        if (test->kind != TEST_ANY_OF)
            continue;
        const struct value *constant = &program->constants.values[test->operand];
        for (uint32_t k = 0; constant->kind == VALUE_ARRAY && k < constant->length; k++)
            warn_constant(program, row, test->fact, &constant->items[k]);
        if (constant->kind != VALUE_ARRAY)
            warn_constant(program, row, test->fact, constant);
    }
}

static bool share_item(struct warnings *warnings, const struct value *a, const struct value *b)
{
    const struct value *items_a = a->kind == VALUE_ARRAY ? a->items : a;
    const struct value *items_b = b->kind == VALUE_ARRAY ? b->items : b;
    uint32_t count_a = a->kind == VALUE_ARRAY ? a->length : 1, count_b = b->kind == VALUE_ARRAY ? b->length : 1;
    for (uint32_t i = 0; i < count_a; i++) {
        if ((warnings->work_left -= count_b) < 0)
            return true;
        for (uint32_t k = 0; k < count_b; k++)
            if (value_same(&items_a[i], &items_b[k]))
                return true;
    }
    return false;
}

/* Two tests that never hold together. */
static bool contradict(struct warnings *warnings, const struct rule_test *a, const struct rule_test *b)
{
    const struct value *constants = warnings->program->constants.values;
    if (a->kind == TEST_CODE || b->kind == TEST_CODE)
        return a->kind == b->kind && a->operand == b->operand && a->negated != b->negated;
    if (a->fact != b->fact)
        return false;
    if (a->kind == TEST_ANY_OF && b->kind == TEST_ANY_OF && !a->negated && !b->negated)
        return !share_item(warnings, &constants[a->operand], &constants[b->operand]);
    if (a->kind == TEST_RANGE && b->kind == TEST_RANGE && !a->negated && !b->negated && a->shift == b->shift)
        return a->low > b->high || b->low > a->high;
    return a->kind == b->kind && a->operand == b->operand && a->low == b->low && a->high == b->high &&
           a->shift == b->shift && a->negated != b->negated;
}

/* The slips of one unit for another that a rule set survives. */
static void warn_units(const struct rules_program *program, const struct program_row *row, const struct rule_test *test)
{
    struct json_place place = place_of(row), when = json_member(&place, "when");
    const struct value *constant;
    if (test->kind == TEST_RANGE && test->fact == FACT_EVIDENCE_TEMPERATURE &&
        ((test->low > 0 && test->low <= DEGREES_MAX) || (test->high > 0 && test->high <= DEGREES_MAX)))
        json_warn(program->problems, &when, "evidence.temperature is in hundredths of a degree: 3730 is 37.3");
    if (test->kind != TEST_ANY_OF || test->fact != FACT_STATUS_OCCUPATION)
        return;
    constant = &program->constants.values[test->operand];
    for (uint32_t i = 0; i < (constant->kind == VALUE_ARRAY ? constant->length : 1); i++) {
        const struct value *one = constant->kind == VALUE_ARRAY ? &constant->items[i] : constant;
        if (one->kind == VALUE_TEXT && value_bytes(one).length > SUBJECT_OCCUPATION_MAX)
            json_warn(program->problems, &when,
                      "never equal: a subject's record holds %u bytes of an occupation, %.*s is longer",
                      SUBJECT_OCCUPATION_MAX, (int)value_bytes(one).length, (const char *)value_bytes(one).data);
    }
}

static void warn_row(struct warnings *warnings, const struct program_row *row)
{
    const struct rules_program *program = warnings->program;
    struct json_place place = place_of(row);
    if ((row->obligations & 1u << OBLIGATION_OBSERVE_UNTIL) != 0 && row->until == RULE_NONE)
        json_warn(program->problems, &place, "OBSERVE_UNTIL without \"until\"");
    if (!spans_overlap(row->from_s, row->to_s, program->from_s, program->to_s))
        json_warn(program->problems, &place, "never in force: its dates lie outside the rule set's");
    else if (row->to_s <= program->issued_s)
        json_warn(program->problems, &place, "ended before the rule set was issued");
    for (uint32_t i = 0; i < row->test_count; i++)
        warn_units(program, row, program_test(program, row->tests[i]));
    for (uint32_t i = 0; i < row->test_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (contradict(warnings, program_test(program, row->tests[k]), program_test(program, row->tests[i]))) {
                json_warn(program->problems, &place, "never matches: its conditions exclude one another");
                return;
            }
}

static bool has_test(const struct program_row *row, uint32_t test)
{
    for (uint32_t i = 0; i < row->test_count; i++)
        if (row->tests[i] == test)
            return true;
    return false;
}

/* Where `later` matches, `earlier` does. */
static bool covers(const struct program_row *earlier, const struct program_row *later)
{
    if (earlier->from_s > later->from_s || earlier->to_s < later->to_s || earlier->test_count > later->test_count)
        return false;
    for (uint32_t i = 0; i < earlier->test_count; i++)
        if (!has_test(later, earlier->tests[i]))
            return false;
    return true;
}

/* Rows by their last test, which tells most; rows without any under the number after the last. */
struct buckets {
    uint32_t *first; /* of each test */
    uint32_t *next;  /* of each row */
};

static uint32_t key_of(const struct rules_program *program, const struct program_row *row)
{
    return row->test_count > 0 ? row->tests[row->test_count - 1] : program->tests.count;
}

static uint32_t covering(struct warnings *warnings, const struct buckets *buckets, uint32_t index)
{
    const struct rules_program *program = warnings->program;
    const struct program_row *row = &program->rows[index];
    for (uint32_t i = 0; i <= row->test_count; i++) {
        uint32_t key = i < row->test_count ? row->tests[i] : program->tests.count;
        for (uint32_t earlier = buckets->first[key]; earlier != ROW_NONE; earlier = buckets->next[earlier]) {
            bool stands_before = earlier < program->city_count || program->rows[earlier].list == row->list;
            warnings->work_left -= 1 + (stands_before ? row->test_count : 0);
            if (warnings->work_left < 0)
                return ROW_NONE;
            if (stands_before && covers(&program->rows[earlier], row))
                return earlier;
        }
    }
    return ROW_NONE;
}

static void warn_unreachable(struct warnings *warnings)
{
    const struct rules_program *program = warnings->program;
    struct buckets buckets = {
        .first = json_grow(NULL, (program->tests.count + 1) * sizeof *buckets.first),
        .next = json_grow(NULL, (program->row_count + 1) * sizeof *buckets.next),
    };
    memset(buckets.first, 0xff, (program->tests.count + 1) * sizeof *buckets.first);
    for (uint32_t i = 0; i < program->row_count; i++) {
        uint32_t earlier = covering(warnings, &buckets, i), key = key_of(program, &program->rows[i]);
        if (earlier != ROW_NONE) {
            struct json_place place = place_of(&program->rows[i]);
            json_warn(program->problems, &place, "never decides: row %s matches wherever it would",
                      program->rows[earlier].id);
        }
        buckets.next[i] = buckets.first[key];
        buckets.first[key] = i;
    }
    free(buckets.first);
    free(buckets.next);
}

void program_warn(const struct rules_program *program)
{
    struct warnings warnings = {program, WORK_MAX};
    warn_equivalence(program);
    warn_lists(program);
    for (uint32_t i = 0; i < program->row_count; i++) {
        warn_constants(program, &program->rows[i]);
        warn_row(&warnings, &program->rows[i]);
    }
    program_warn_guards(program);
    warn_unreachable(&warnings);
    if (warnings.work_left < 0)
        json_warn(program->problems, &program->root, "too large to compare every row with every other");
}
