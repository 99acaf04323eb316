/* Conditions become lists of tests: comparisons of one fact with constants, which the dataplane's index knows, and code
 * for everything else. A list means what "and" means: in order, up to the first that fails or errs. */
#include <math.h>
#include <stdlib.h>

#include "control/json_internal.h"
#include "control/rules_program.h"
#include "dataplane/date_time.h"

/* Both bounds of a range stay exact in a double and one apart from its neighbours. */
#define BOUND_MAX ((double)JSON_INTEGER_MAX - 2)
#define SHIFT_MAX 1e12
/* A path that no fact has is taken for a slip of this many bytes at most. */
#define SLIPS_MAX 2
#define SLIP_TEXT_MAX 64

/* Bytes to change, add or take out to make one text of the other, of texts up to SLIP_TEXT_MAX. */
static unsigned slips_between(const char *a, const char *b)
{
    unsigned row[SLIP_TEXT_MAX + 1];
    size_t length = strlen(b);
    for (unsigned i = 0; i <= length; i++)
        row[i] = i;
    for (; *a; a++) {
        unsigned corner = row[0]++;
        for (size_t i = 0; i < length; i++) {
            unsigned changed = corner + (*a != b[i]), longer = row[i] + 1, shorter = row[i + 1] + 1;
            corner = row[i + 1];
            row[i + 1] = changed < longer ? changed : longer;
            row[i + 1] = row[i + 1] < shorter ? row[i + 1] : shorter;
        }
    }
    return row[length];
}

/* The fact whose path is few slips away; NULL where none is. */
static const char *nearest_fact(const char *path)
{
    const char *nearest = NULL;
    unsigned least = SLIPS_MAX + 1;
    size_t length = strlen(path);
    if (length > SLIP_TEXT_MAX || length < 3 * SLIPS_MAX)
        return NULL;
    for (enum fact fact = 0; fact < FACT_COUNT; fact++) {
        unsigned slips = slips_between(path, fact_path(fact));
        if (slips < least) {
            nearest = fact_path(fact);
            least = slips;
        }
    }
    return nearest;
}

static bool fact_slot(void *context, const struct json_place *place, const char *path, uint32_t *slot,
                      const char **rest, struct json_problems *problems)
{
    static const char roles[] = "credential.roles";
    enum fact fact;
    (void)context;
    *rest = "";
    if (fact_from_path(bytes_of_text(path), &fact)) {
        *slot = fact;
        return true;
    }
    const char *item = path + sizeof roles;
    if (strncmp(path, roles, sizeof roles - 1) == 0 && path[sizeof roles - 1] == '.' && *item &&
        strspn(item, "0123456789") == strlen(item)) {
        *slot = FACT_CREDENTIAL_ROLES;
        *rest = item;
        return true;
    }
    const char *near = nearest_fact(path);
    json_refuse(problems, place, "unknown fact: %s%s%s", path[0] ? path : "(all facts)", near ? "; is it meant: " : "",
                near ? near : "");
    return false;
}

static void put_instruction(uint8_t *out, const struct instruction *in)
{
    out[0] = in->operation;
    out[1] = in->small;
    out[2] = (uint8_t)in->count;
    out[3] = (uint8_t)(in->count >> 8);
    for (unsigned i = 0; i < 4; i++)
        out[4 + i] = (uint8_t)(in->operand >> 8 * i);
}

uint32_t program_code(struct rules_program *program, const struct json_place *expression)
{
    static const struct certlogic_names names = {fact_slot, NULL, true};
    struct certlogic_code code = {0};
    uint32_t number = RULE_NONE;
    if (certlogic_compile(expression, &names, &program->constants, &code, program->problems)) {
        bool added;
        uint8_t *bytes = json_grow(NULL, code.count * sizeof(struct instruction));
        for (uint32_t i = 0; i < code.count; i++)
            put_instruction(bytes + i * sizeof(struct instruction), &code.instructions[i]);
        number = byte_set_add(&program->codes, (struct bytes){bytes, code.count * sizeof(struct instruction)}, &added);
        free(bytes);
        if (number >= program->code_room) {
            program->code_room = program->code_room ? program->code_room * 2 : 32;
            program->code_info = json_grow(program->code_info, program->code_room * sizeof *program->code_info);
        }
        if (added)
            program->code_info[number] = (struct program_code){.row = program->row_count};
    }
    free(code.instructions);
    return number;
}

static bool add_test(struct rules_program *program, struct program_row *row, const struct json_place *place,
                     const struct rule_test *test)
{
    if (row->test_count == RULE_ROW_TESTS_MAX) {
        json_refuse(program->problems, place, "more than %u conditions", RULE_ROW_TESTS_MAX);
        return false;
    }
    /* Padding must be equal too. */
    struct rule_test clean;
    memset(&clean, 0, sizeof clean);
    clean.kind = test->kind;
    clean.fact = test->fact;
    clean.negated = test->negated;
    clean.operand = test->operand;
    clean.low = test->low;
    clean.high = test->high;
    clean.shift = test->shift;
    row->tests[row->test_count++] =
        byte_set_add(&program->tests, (struct bytes){(const uint8_t *)&clean, sizeof clean}, NULL);
    return true;
}

/* The operands of an operation of that name; NULL for everything else. */
static const cJSON *operands_of(const cJSON *expression, const char *operator)
{
    if (!cJSON_IsObject(expression) || strcmp(expression->child->string, operator) != 0)
        return NULL;
    return expression->child;
}

static bool is_fact(const cJSON *expression, enum fact *fact)
{
    const cJSON *path = operands_of(expression, "var");
    return path && fact_from_path(bytes_of_text(path->valuestring), fact);
}

static bool equality_test(struct rules_program *program, const cJSON *expression, struct rule_test *test)
{
    const cJSON *operands = operands_of(expression, "===");
    struct value scalar;
    if (!operands)
        return false;
    const cJSON *left = operands->child, *right = left->next;
    if (!(is_fact(left, &test->fact) && certlogic_scalar(right, &scalar)) &&
        !(is_fact(right, &test->fact) && certlogic_scalar(left, &scalar)))
        return false;
    test->kind = TEST_ANY_OF;
    test->operand = certlogic_constant(&program->constants, scalar);
    return true;
}

static bool membership_test(struct rules_program *program, const cJSON *expression, struct rule_test *test)
{
    const cJSON *operands = operands_of(expression, "in");
    if (!operands || !is_fact(operands->child, &test->fact) || !cJSON_IsArray(operands->child->next))
        return false;
    uint32_t count = 0;
    struct value *items = json_grow(NULL, ((size_t)cJSON_GetArraySize(operands->child->next) + 1) * sizeof *items);
    bool scalars = true;
    const cJSON *item;
    cJSON_ArrayForEach(item, operands->child->next)
    {
        scalars = scalars && certlogic_scalar(item, &items[count++]);
    }
    if (scalars) {
        test->kind = TEST_ANY_OF;
        test->operand = certlogic_constant_array(&program->constants, items, count);
    }
    free(items);
    return scalars;
}

/* One operand of a comparison, integers or times: a fact, shifted for times, or a constant. */
struct term {
    bool is_fact;
    enum fact fact;
    double shift;
    int64_t constant; /* a number; of times milliseconds since 1970 */
};

static bool number_term(const cJSON *expression, struct term *out)
{
    if (is_fact(expression, &out->fact)) {
        out->is_fact = true;
        return fact_type(out->fact) == FACT_TYPE_UINT || fact_type(out->fact) == FACT_TYPE_INT;
    }
    out->is_fact = false;
    if (!cJSON_IsNumber(expression) || fabs(expression->valuedouble) > BOUND_MAX)
        return false;
    out->constant = (int64_t)expression->valuedouble;
    return true;
}

static bool time_term(const cJSON *expression, struct term *out)
{
    const cJSON *operands = operands_of(expression, "plusTime");
    if (!operands)
        return false;
    const cJSON *date = operands->child, *amount = date->next, *unit = amount->next;
    double unit_s = strcmp(unit->valuestring, "day") == 0 ? 86400 : strcmp(unit->valuestring, "hour") == 0 ? 3600 : 0;
    out->is_fact = is_fact(date, &out->fact);
    if (out->is_fact) {
        out->shift = amount->valuedouble * unit_s;
        return (fact_type(out->fact) == FACT_TYPE_TIME || fact_type(out->fact) == FACT_TYPE_DAY) &&
               (unit_s > 0 || amount->valuedouble == 0) && fabs(out->shift) <= SHIFT_MAX;
    }
    static const char *const units[] = {"year", "month", "day", "hour"};
    unsigned which = 0;
    int64_t ms;
    while (strcmp(units[which], unit->valuestring) != 0)
        which++;
    if (!cJSON_IsString(date) || !date_time_parse(bytes_of_text(date->valuestring), &ms) ||
        !date_time_plus(ms, amount->valuedouble, (enum time_unit)which, &ms))
        return false;
    out->constant = ms;
    return true;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Narrows a range by: fact (on the left or right) relation bound, in units of `scale` of the fact's. */
static void narrow(struct rule_test *test, bool fact_left, enum machine_relation relation, int64_t bound, int64_t scale)
{
    bool below = (relation == RELATION_LESS || relation == RELATION_LESS_EQUAL) == fact_left;
    bool strict = relation == RELATION_LESS || relation == RELATION_GREATER;
    int64_t limit;
    if (below) {
        limit = floor_div(strict ? bound - 1 : bound, scale);
        test->high = limit < test->high ? limit : test->high;
    } else {
        limit = -floor_div(-(strict ? bound + 1 : bound), scale);
        test->low = limit > test->low ? limit : test->low;
    }
}

/* Two or three terms, exactly one of them a fact, which stands next to all others. */
static bool range_of(const struct term terms[], unsigned count, enum machine_relation relation, int64_t scale,
                     struct rule_test *test)
{
    unsigned fact = count;
    for (unsigned i = 0; i < count; i++) {
        if (terms[i].is_fact && fact < count)
            return false;
        fact = terms[i].is_fact ? i : fact;
    }
    if (fact == count || (count == 3 && fact != 1))
        return false;
    *test = (struct rule_test){.kind = TEST_RANGE,
                               .fact = terms[fact].fact,
                               .negated = test->negated,
                               .low = INT64_MIN,
                               .high = INT64_MAX,
                               .shift = (int64_t)terms[fact].shift};
    for (unsigned i = 0; i < count; i++)
        if (i != fact)
            narrow(test, fact < i, relation, terms[i].constant, scale);
    return true;
}

static bool range_test(const cJSON *expression, struct rule_test *test)
{
    static const struct {
        const char *name;
        enum machine_relation relation;
        bool times;
    } comparisons[] = {
        {"<", RELATION_LESS, false},
        {">", RELATION_GREATER, false},
        {"<=", RELATION_LESS_EQUAL, false},
        {">=", RELATION_GREATER_EQUAL, false},
        {"before", RELATION_LESS, true},
        {"after", RELATION_GREATER, true},
        {"not-after", RELATION_LESS_EQUAL, true},
        {"not-before", RELATION_GREATER_EQUAL, true},
    };
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++) {
        const cJSON *operand, *operands = operands_of(expression, comparisons[i].name);
        struct term terms[3] = {{0}};
        unsigned count = 0;
        if (!operands)
            continue;
        cJSON_ArrayForEach(operand, operands)
        {
            if (!(comparisons[i].times ? time_term : number_term)(operand, &terms[count++]))
                return false;
        }
        return range_of(terms, count, comparisons[i].relation, comparisons[i].times ? 1000 : 1, test);
    }
    return false;
}

/* A condition other than "and". */
static bool single(struct rules_program *program, struct program_row *row, const struct json_place *place, bool negated)
{
    struct rule_test test = {.kind = TEST_TRUTHY, .negated = negated};
    const cJSON *expression = place->value;
    if (cJSON_IsTrue(expression) && !negated)
        return true;
    if (!is_fact(expression, &test.fact) && !equality_test(program, expression, &test) &&
        !membership_test(program, expression, &test) && !range_test(expression, &test)) {
        test = (struct rule_test){.kind = TEST_CODE, .negated = negated};
        test.operand = program_code(program, place);
        if (test.operand == RULE_NONE)
            return false;
    }
    return add_test(program, row, place, &test);
}

bool program_condition(struct rules_program *program, struct program_row *row, const struct json_place *when)
{
    const cJSON *operands = operands_of(when->value, "and");
    bool negated = false, ok = true;
    if (operands) {
        struct json_place inner = json_member(when, "and");
        size_t index = 0;
        const cJSON *item;
        cJSON_ArrayForEach(item, operands)
        {
            struct json_place operand = json_item(&inner, item, index++);
            ok = program_condition(program, row, &operand) && ok;
        }
        return ok;
    }
    struct json_place place = *when;
    struct json_place outer[2 * JSON_DEPTH_MAX];
    for (unsigned depth = 0; operands_of(place.value, "!") && depth < 2 * JSON_DEPTH_MAX; depth += 2) {
        outer[depth] = place;
        outer[depth + 1] = json_member(&outer[depth], "!");
        place = json_item(&outer[depth + 1], outer[depth + 1].value->child, 0);
        negated = !negated;
    }
    if (!negated && operands_of(place.value, "and"))
        return program_condition(program, row, &place);
    return single(program, row, &place, negated);
}
