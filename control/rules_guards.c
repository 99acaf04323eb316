/* What errs in a condition although the file is well formed: comparisons with facts that may be missing where nothing
 * before them asked whether they are there, and comparisons of what is never a number or a date. */
#include <string.h>

#include "control/rules_program.h"
#include "dataplane/date_time.h"

/* Facts by bit. */
typedef uint64_t facts_known;
static_assert(FACT_COUNT <= 64, "a bit each");
#define KNOWN(fact) (UINT64_C(1) << (fact))

/* The point is known always, and of a credential what each one has: without any code rows are asked at not-required
 * points only. */
#define KNOWN_ALWAYS                                                                                                   \
    (KNOWN(FACT_NOW) | KNOWN(FACT_POINT_ID) | KNOWN(FACT_POINT_VENUE) | KNOWN(FACT_POINT_CLASS) |                      \
     KNOWN(FACT_POINT_MODE) | KNOWN(FACT_CREDENTIAL_ISSUER) | KNOWN(FACT_CREDENTIAL_CLASS) |                           \
     KNOWN(FACT_CREDENTIAL_IAT) | KNOWN(FACT_CREDENTIAL_EXP) | KNOWN(FACT_CREDENTIAL_DELEGATE) |                       \
     KNOWN(FACT_CREDENTIAL_NEEDS_ID))

/* What is there where the fact is: a sighting and a subject's record bring several. */
static facts_known known_with(enum fact fact)
{
    static const facts_known together[] = {KNOWN(FACT_CREDENTIAL_SEEN_ZONE) | KNOWN(FACT_CREDENTIAL_SEEN_AGE),
                                           KNOWN(FACT_STATUS_REASON) | KNOWN(FACT_STATUS_SINCE) |
                                               KNOWN(FACT_STATUS_KEY_REGION)};
    facts_known known = KNOWN(fact);
    for (size_t i = 0; i < sizeof together / sizeof *together; i++)
        if (together[i] & KNOWN(fact))
            known |= together[i];
    return known;
}

/* The facts that are there where an expression came out truthy, and falsy. */
struct outcome {
    facts_known truthy, falsy;
};

static struct outcome walk(struct json_problems *problems, const struct json_place *place, facts_known known);

static struct json_place operand_at(const struct json_place *operands, int index)
{
    return json_item(operands, cJSON_GetArrayItem(operands->value, index), (size_t)index);
}

static bool is_fact(const cJSON *expression, enum fact *fact)
{
    return cJSON_IsObject(expression) && strcmp(expression->child->string, "var") == 0 &&
           fact_from_path(bytes_of_text(expression->child->valuestring), fact);
}

static bool is_literal(const cJSON *expression)
{
    return cJSON_IsString(expression) || cJSON_IsNumber(expression) || cJSON_IsBool(expression);
}

/* An operand that errs where it is missing. */
static facts_known want(struct json_problems *problems, const struct json_place *operand, facts_known known)
{
    enum fact fact;
    if (!is_fact(operand->value, &fact)) {
        struct outcome out = walk(problems, operand, known);
        return out.truthy & out.falsy;
    }
    if (!(known & KNOWN(fact)))
        json_warn(problems, operand,
                  "%s may be missing, and the row errs then: name it before, as in \"and\": [{\"var\": \"%s\"}, …]",
                  fact_path(fact), fact_path(fact));
    return known | known_with(fact);
}

/* What no comparison of that kind can take. */
static void warn_kind(struct json_problems *problems, const struct json_place *operand, bool times)
{
    enum fact fact;
    bool of_fact = is_fact(operand->value, &fact);
    if (times && (of_fact || is_literal(operand->value)))
        json_warn(problems, operand, "always errs: dates are compared as plusTime makes them");
    else if (!times && ((of_fact && fact_type(fact) != FACT_TYPE_UINT && fact_type(fact) != FACT_TYPE_INT) ||
                        cJSON_IsString(operand->value) || cJSON_IsBool(operand->value)))
        json_warn(problems, operand, "always errs: numbers are compared, and this is none");
}

static struct outcome walk_wants(struct json_problems *problems, const struct json_place *operands, facts_known known)
{
    const cJSON *item;
    size_t index = 0;
    cJSON_ArrayForEach(item, operands->value)
    {
        struct json_place operand = json_item(operands, item, index++);
        known = want(problems, &operand, known);
    }
    return (struct outcome){known, known};
}

static struct outcome walk_comparison(struct json_problems *problems, const struct json_place *operands, bool times,
                                      facts_known known)
{
    const cJSON *item;
    size_t index = 0;
    cJSON_ArrayForEach(item, operands->value)
    {
        struct json_place operand = json_item(operands, item, index++);
        warn_kind(problems, &operand, times);
    }
    return walk_wants(problems, operands, known);
}

static struct outcome walk_and(struct json_problems *problems, const struct json_place *operands, facts_known known)
{
    struct outcome out = {known, UINT64_MAX};
    const cJSON *item;
    size_t index = 0;
    cJSON_ArrayForEach(item, operands->value)
    {
        struct json_place operand = json_item(operands, item, index++);
        struct outcome one = walk(problems, &operand, out.truthy);
        out.falsy &= one.falsy;
        out.truthy = one.truthy;
    }
    return out;
}

static struct outcome walk_if(struct json_problems *problems, const struct json_place *operands, facts_known known)
{
    struct json_place guard = operand_at(operands, 0), then = operand_at(operands, 1), other = operand_at(operands, 2);
    struct outcome asked = walk(problems, &guard, known);
    struct outcome one = walk(problems, &then, asked.truthy), two = walk(problems, &other, asked.falsy);
    return (struct outcome){one.truthy & two.truthy, one.falsy & two.falsy};
}

/* Equal to a constant, or one of several: it is there then. */
static struct outcome walk_equality(struct json_problems *problems, const struct json_place *operands,
                                    facts_known known)
{
    struct json_place left = operand_at(operands, 0), right = operand_at(operands, 1);
    struct outcome out = {known, known};
    enum fact fact;
    walk(problems, &left, known);
    walk(problems, &right, known);
    if (is_fact(left.value, &fact) && (is_literal(right.value) || cJSON_IsArray(right.value)))
        out.truthy |= known_with(fact);
    if (is_fact(right.value, &fact) && is_literal(left.value))
        out.truthy |= known_with(fact);
    return out;
}

static struct outcome walk_operation(struct json_problems *problems, const struct json_place *place, facts_known known)
{
    static const char *const numbers[] = {"<", ">", "<=", ">="};
    static const char *const times[] = {"before", "after", "not-after", "not-before"};
    const char *name = place->value->child->string;
    struct json_place operands = json_member(place, name), first = operand_at(&operands, 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i]) == 0 || strcmp(name, times[i]) == 0)
            return walk_comparison(problems, &operands, strcmp(name, times[i]) == 0, known);
    if (strcmp(name, "and") == 0)
        return walk_and(problems, &operands, known);
    if (strcmp(name, "if") == 0)
        return walk_if(problems, &operands, known);
    if (strcmp(name, "===") == 0 || strcmp(name, "in") == 0)
        return walk_equality(problems, &operands, known);
    if (strcmp(name, "+") == 0)
        return walk_wants(problems, &operands, known);
    if (strcmp(name, "!") == 0) {
        struct outcome inner = walk(problems, &first, known);
        return (struct outcome){inner.falsy, inner.truthy};
    }
    int64_t ms;
    if (strcmp(name, "dccDateOfBirth") == 0 && cJSON_IsString(first.value) &&
        !date_of_birth_parse(bytes_of_text(first.value->valuestring), &ms))
        json_warn(problems, &first, "always errs: not a date of birth: %s", first.value->valuestring);
    if (strcmp(name, "plusTime") == 0)
        known = want(problems, &first, known);
    else /* of reduce what it begins with: in its lambda there are no facts */
        walk(problems, &first, known);
    return (struct outcome){known, known};
}

static struct outcome walk(struct json_problems *problems, const struct json_place *place, facts_known known)
{
    struct outcome out = {known, known};
    enum fact fact;
    if (is_fact(place->value, &fact))
        out.truthy |= known_with(fact);
    else if (cJSON_IsObject(place->value) && strcmp(place->value->child->string, "var") != 0)
        return walk_operation(problems, place, known);
    const cJSON *item;
    size_t index = 0;
    if (!cJSON_IsArray(place->value))
        return out;
    cJSON_ArrayForEach(item, place->value)
    {
        struct json_place inner = json_item(place, item, index++);
        walk(problems, &inner, known);
    }
    return out;
}

void program_warn_guards(const struct rules_program *program)
{
    facts_known city = KNOWN_ALWAYS, known = KNOWN_ALWAYS;
    for (uint32_t i = 0; i < program->row_count; i++) {
        const struct program_row *row = &program->rows[i];
        struct json_place place = json_item(row->list, row->json, row->index);
        struct json_place when = json_member(&place, "when"), until = json_member(&place, "until");
        if (i >= program->city_count && (i == program->city_count || row->list != program->rows[i - 1].list))
            known = city;
        struct outcome out = walk(program->problems, &when, known);
        if (until.value && !cJSON_IsNull(until.value))
            walk(program->problems, &until, out.truthy);
        /* The rows after it are asked where it did not match. */
        if (row->from_s <= program->from_s && row->to_s >= program->to_s)
            known = out.falsy | known;
        if (i < program->city_count)
            city = known;
    }
}
