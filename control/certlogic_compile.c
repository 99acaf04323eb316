#include <stdlib.h>

#include "control/certlogic.h"
#include "control/json_internal.h"
#include "dataplane/date_time.h"

struct compiler {
    const struct certlogic_names *names;
    struct certlogic_constants *constants;
    struct certlogic_code *out;
    struct json_problems *problems;
    unsigned lambdas;
};

static bool compile(struct compiler *compiler, const struct json_place *place);

static uint32_t emit(struct compiler *compiler, enum machine_operation operation, unsigned small, unsigned count,
                     uint32_t operand)
{
    struct certlogic_code *out = compiler->out;
    if (out->count == out->room) {
        out->room = out->room ? out->room * 2 : 16;
        out->instructions = json_grow(out->instructions, out->room * sizeof *out->instructions);
    }
    out->instructions[out->count] = (struct instruction){(uint8_t)operation, (uint8_t)small, (uint16_t)count, operand};
    return out->count++;
}

/* The jump at `from` goes to what is emitted next. */
static void land(struct compiler *compiler, uint32_t from)
{
    compiler->out->instructions[from].operand = compiler->out->count - from - 1;
}

static uint32_t text_constant(struct compiler *compiler, struct bytes text)
{
    return certlogic_constant(compiler->constants, value_of_text(text));
}

/* The path that is left, a fragment at a time. Fragments are copied where they are not the path's last, which is a
 * text of the tree as it stands; all of them point into it, with their length. */
static void emit_drills(struct compiler *compiler, const char *path)
{
    while (*path) {
        size_t length = strcspn(path, ".");
        emit(compiler, OP_DRILL, 0, 0, text_constant(compiler, (struct bytes){(const uint8_t *)path, length}));
        path += length + (path[length] == '.');
    }
}

/* The rest of the path behind a first fragment of that name; NULL where it begins otherwise. */
static const char *behind(const char *path, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(path, name, length) != 0 || (path[length] != 0 && path[length] != '.'))
        return NULL;
    return path + length + (path[length] == '.');
}

static bool compile_lambda_var(struct compiler *compiler, const struct json_place *place, const char *path)
{
    const char *accumulator = behind(path, "accumulator"), *current = behind(path, "current");
    if (path[0] == 0) {
        emit(compiler, OP_CONTEXT, 0, 0, 0);
    } else if (accumulator) {
        emit(compiler, OP_ACCUMULATOR, 0, 0, 0);
        emit_drills(compiler, accumulator);
    } else if (current) {
        emit(compiler, OP_CURRENT, 0, 0, 0);
        emit_drills(compiler, current);
    } else if (compiler->names->only_facts) {
        json_refuse(compiler->problems, place, "within reduce there are only accumulator and current, not %s", path);
        return false;
    } else {
        emit(compiler, OP_CONSTANT, 0, 0, certlogic_constant(compiler->constants, (struct value){.kind = VALUE_NULL}));
    }
    return true;
}

static bool compile_var(struct compiler *compiler, const struct json_place *place, const char *path)
{
    uint32_t slot;
    const char *rest;
    if (compiler->lambdas > 0)
        return compile_lambda_var(compiler, place, path);
    if (!compiler->names->slot(compiler->names->context, place, path, &slot, &rest, compiler->problems))
        return false;
    emit(compiler, OP_READ, 0, 0, slot);
    emit_drills(compiler, rest);
    return true;
}

static bool all_scalars(const cJSON *array)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        struct value scalar;
        if (!certlogic_scalar(item, &scalar))
            return false;
    }
    return true;
}

/* An array of literals as a constant: where several programs share constants, only in places where nobody can tell one
 * array from another. */
static bool compile_constant_array(struct compiler *compiler, const cJSON *array)
{
    if (!cJSON_IsArray(array) || !all_scalars(array))
        return false;
    uint32_t count = 0;
    struct value *items = json_grow(NULL, ((size_t)cJSON_GetArraySize(array) + 1) * sizeof *items);
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        certlogic_scalar(item, &items[count++]);
    }
    emit(compiler, OP_CONSTANT, 0, 0, certlogic_constant_array(compiler->constants, items, count));
    free(items);
    return true;
}

static bool compile_array(struct compiler *compiler, const struct json_place *place)
{
    size_t count = 0;
    bool ok = true;
    if (!compiler->constants->shared && compile_constant_array(compiler, place->value))
        return true;
    const cJSON *item;
    cJSON_ArrayForEach(item, place->value)
    {
        struct json_place child = json_item(place, item, count++);
        ok = compile(compiler, &child) && ok;
    }
    if (count > UINT16_MAX) {
        json_refuse(compiler->problems, place, "array too long");
        return false;
    }
    emit(compiler, OP_ARRAY, 0, (unsigned)count, 0);
    return ok;
}

/* An operand of which only the items count. */
static bool compile_items(struct compiler *compiler, const struct json_place *place)
{
    return compile_constant_array(compiler, place->value) || compile(compiler, place);
}

static struct json_place operand_at(const struct json_place *operands, int index)
{
    return json_item(operands, cJSON_GetArrayItem(operands->value, index), (size_t)index);
}

static bool compile_and(struct compiler *compiler, const struct json_place *operands)
{
    bool ok = true;
    size_t index = 0, count = (size_t)cJSON_GetArraySize(operands->value);
    uint32_t *jumps = json_grow(NULL, count * sizeof *jumps);
    const cJSON *item;
    cJSON_ArrayForEach(item, operands->value)
    {
        struct json_place operand = json_item(operands, item, index);
        ok = compile(compiler, &operand) && ok;
        jumps[index] = emit(compiler, index + 1 < count ? OP_AND : OP_TRUTH, 0, 0, 0);
        index++;
    }
    for (size_t i = 0; i + 1 < count; i++)
        land(compiler, jumps[i]);
    free(jumps);
    return ok;
}

static bool compile_if(struct compiler *compiler, const struct json_place *operands)
{
    struct json_place guard = operand_at(operands, 0), then = operand_at(operands, 1), other = operand_at(operands, 2);
    bool ok = compile(compiler, &guard);
    uint32_t to_other = emit(compiler, OP_IF, 0, 0, 0);
    ok = compile(compiler, &then) && ok;
    uint32_t to_end = emit(compiler, OP_JUMP, 0, 0, 0);
    land(compiler, to_other);
    ok = compile(compiler, &other) && ok;
    land(compiler, to_end);
    return ok;
}

static bool compile_reduce(struct compiler *compiler, const struct json_place *operands)
{
    struct json_place array = operand_at(operands, 0), lambda = operand_at(operands, 1),
                      initial = operand_at(operands, 2);
    if (compiler->lambdas == MACHINE_REDUCE_DEPTH_MAX) {
        json_refuse(compiler->problems, operands, "reduce within reduce more than %u deep", MACHINE_REDUCE_DEPTH_MAX);
        return false;
    }
    bool ok = compile_items(compiler, &array);
    ok = compile(compiler, &initial) && ok;
    uint32_t begin = emit(compiler, OP_REDUCE, 0, 0, 0);
    compiler->lambdas++;
    ok = compile(compiler, &lambda) && ok;
    compiler->lambdas--;
    land(compiler, begin);
    return ok;
}

static bool compile_plus_time(struct compiler *compiler, const struct json_place *operands)
{
    static const char *const units[] = {"year", "month", "day", "hour"};
    struct json_place date = operand_at(operands, 0);
    const cJSON *amount = cJSON_GetArrayItem(operands->value, 1), *unit = cJSON_GetArrayItem(operands->value, 2);
    unsigned which = 0;
    while (strcmp(units[which], unit->valuestring) != 0)
        which++;
    bool ok = compile(compiler, &date);
    emit(compiler, OP_PLUS_TIME, which, 0,
         certlogic_constant(compiler->constants, value_of_number(amount->valuedouble)));
    return ok;
}

static bool compile_extract(struct compiler *compiler, const struct json_place *operands)
{
    struct json_place text = operand_at(operands, 0);
    const cJSON *index = cJSON_GetArrayItem(operands->value, 1);
    bool ok = compile(compiler, &text);
    emit(compiler, OP_EXTRACT, 0, 0, certlogic_constant(compiler->constants, value_of_number(index->valuedouble)));
    return ok;
}

/* Operations that take all their operands from the stack. */
static const struct {
    const char *name;
    enum machine_operation operation;
    enum machine_relation relation;
} plain[] = {
    {"===", OP_SAME, 0},
    {"+", OP_PLUS, 0},
    {"!", OP_NOT, 0},
    {"dccDateOfBirth", OP_DATE_OF_BIRTH, 0},
    {"<", OP_COMPARE, RELATION_LESS},
    {">", OP_COMPARE, RELATION_GREATER},
    {"<=", OP_COMPARE, RELATION_LESS_EQUAL},
    {">=", OP_COMPARE, RELATION_GREATER_EQUAL},
    {"before", OP_COMPARE_TIMES, RELATION_LESS},
    {"after", OP_COMPARE_TIMES, RELATION_GREATER},
    {"not-after", OP_COMPARE_TIMES, RELATION_LESS_EQUAL},
    {"not-before", OP_COMPARE_TIMES, RELATION_GREATER_EQUAL},
};

static bool compile_plain(struct compiler *compiler, const char *operator, const struct json_place * operands)
{
    bool ok = true;
    unsigned count = 0, which = 0;
    while (strcmp(plain[which].name, operator) != 0)
        which++;
    const cJSON *item;
    cJSON_ArrayForEach(item, operands->value)
    {
        struct json_place operand = json_item(operands, item, count++);
        ok = compile(compiler, &operand) && ok;
    }
    emit(compiler, plain[which].operation, plain[which].relation, count, 0);
    return ok;
}

static bool compile_in(struct compiler *compiler, const struct json_place *operands)
{
    struct json_place item = operand_at(operands, 0), array = operand_at(operands, 1);
    bool ok = compile(compiler, &item);
    ok = compile_items(compiler, &array) && ok;
    emit(compiler, OP_IN, 0, 0, 0);
    return ok;
}

static bool compile_operation(struct compiler *compiler, const struct json_place *place)
{
    const char *operator= place->value->child->string;
    struct json_place operands = json_member(place, operator);
    if (strcmp(operator, "var") == 0)
        return compile_var(compiler, place, operands.value->valuestring);
    if (strcmp(operator, "and") == 0)
        return compile_and(compiler, &operands);
    if (strcmp(operator, "if") == 0)
        return compile_if(compiler, &operands);
    if (strcmp(operator, "in") == 0)
        return compile_in(compiler, &operands);
    if (strcmp(operator, "reduce") == 0)
        return compile_reduce(compiler, &operands);
    if (strcmp(operator, "plusTime") == 0)
        return compile_plus_time(compiler, &operands);
    if (strcmp(operator, "extractFromUVCI") == 0)
        return compile_extract(compiler, &operands);
    return compile_plain(compiler, operator, & operands);
}

static bool compile(struct compiler *compiler, const struct json_place *place)
{
    struct value scalar;
    if (certlogic_scalar(place->value, &scalar)) {
        emit(compiler, OP_CONSTANT, 0, 0, certlogic_constant(compiler->constants, scalar));
        return true;
    }
    return cJSON_IsArray(place->value) ? compile_array(compiler, place) : compile_operation(compiler, place);
}

bool certlogic_compile(const struct json_place *expression, const struct certlogic_names *names,
                       struct certlogic_constants *constants, struct certlogic_code *out,
                       struct json_problems *problems)
{
    struct compiler compiler = {names, constants, out, problems, 0};
    return compile(&compiler, expression);
}
