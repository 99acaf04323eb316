#include "control/certlogic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What the operands of an operation must be, besides expressions. */
struct operation {
    const char *name;
    int least, most;   /* operands; most -1: any number */
    const char *arity; /* what it says where there are others */
};

static const struct operation operations[] = {
    {"if", 3, 3, "an \"if\"-operation must have exactly 3 values/operands, but it has %d"},
    {"and", 2, -1, "an \"and\" operation must have at least 2 operands, but it has %d"},
    {"!", 1, 1, "a !-operation (logical not/negation) must have exactly 1 operand, but it has %d"},
    {"===", 2, 2, "an operation with operator \"===\" must have 2 operands, but it has %d"},
    {"in", 2, 2, "an operation with operator \"in\" must have 2 operands, but it has %d"},
    {"+", 2, 2, "an operation with operator \"+\" must have 2 operands, but it has %d"},
    {"<", 2, 3, "an operation with operator \"<\" must have 2 or 3 operands, but it has %d"},
    {">", 2, 3, "an operation with operator \">\" must have 2 or 3 operands, but it has %d"},
    {"<=", 2, 3, "an operation with operator \"<=\" must have 2 or 3 operands, but it has %d"},
    {">=", 2, 3, "an operation with operator \">=\" must have 2 or 3 operands, but it has %d"},
    {"after", 2, 3, "an operation with operator \"after\" must have 2 or 3 operands, but it has %d"},
    {"before", 2, 3, "an operation with operator \"before\" must have 2 or 3 operands, but it has %d"},
    {"not-after", 2, 3, "an operation with operator \"not-after\" must have 2 or 3 operands, but it has %d"},
    {"not-before", 2, 3, "an operation with operator \"not-before\" must have 2 or 3 operands, but it has %d"},
    {"plusTime", 3, 3, "a \"plusTime\"-operation must have exactly 3 values/operands, but it has %d"},
    {"reduce", 3, 3, "a \"reduce\"-operation must have exactly 3 values/operands, but it has %d"},
    {"extractFromUVCI", 2, 2, "an \"extractFromUVCI\"-operation must have exactly 2 values/operands, but it has %d"},
    {"dccDateOfBirth", 1, 1, "a \"dccDateOfBirth\"-operation must have exactly 1 value/operand, but it has %d"},
};

static bool refuse(struct json_problems *problems, const struct json_place *place, const char *message)
{
    json_refuse(problems, place, "%s", message);
    return false;
}

static bool is_integer(const cJSON *value)
{
    return cJSON_IsNumber(value) && trunc(value->valuedouble) == value->valuedouble;
}

/* Fragments between periods, none empty; or no path at all. */
static bool path_valid(const char *path)
{
    size_t length = strlen(path);
    return length == 0 || (path[0] != '.' && path[length - 1] != '.' && !strstr(path, ".."));
}

static bool validate_var(const struct json_place *place, const cJSON *path, struct json_problems *problems)
{
    if (!cJSON_IsString(path))
        return refuse(problems, place, "not of the form { \"var\": \"<path>\" }");
    if (path_valid(path->valuestring))
        return true;
    json_refuse(problems, place, "data access path doesn't have a valid format: %s", path->valuestring);
    return false;
}

static bool validate_amount(const struct json_place *place, const cJSON *amount, const char *name,
                            struct json_problems *problems)
{
    if (!amount || is_integer(amount))
        return true;
    json_refuse(problems, place, "%s must be an integer", name);
    return false;
}

static bool validate_unit(const struct json_place *place, const cJSON *unit, struct json_problems *problems)
{
    static const char *const units[] = {"year", "month", "day", "hour", NULL};
    for (unsigned i = 0; unit && cJSON_IsString(unit) && units[i]; i++)
        if (strcmp(units[i], unit->valuestring) == 0)
            return true;
    return !unit || refuse(problems, place,
                           "\"unit\" argument (#3) of \"plusTime\" must be a string equal to one of year, month, day, "
                           "hour");
}

/* Operands that are not expressions themselves: all but the first of plusTime and extractFromUVCI. */
static bool validate_literals(const struct json_place *place, const char *operator, const cJSON * operands,
                              struct json_problems *problems)
{
    const cJSON *second = cJSON_GetArrayItem(operands, 1);
    if (strcmp(operator, "plusTime") != 0)
        return validate_amount(place, second, "\"index\" argument (#2) of \"extractFromUVCI\"", problems);
    bool ok = validate_amount(place, second, "\"amount\" argument (#2) of \"plusTime\"", problems);
    return validate_unit(place, cJSON_GetArrayItem(operands, 2), problems) && ok;
}

static bool validate_operands(const struct json_place *place, const struct operation *operation,
                              const struct json_place *operands, struct json_problems *problems)
{
    int count = cJSON_GetArraySize(operands->value);
    bool literals = strcmp(operation->name, "plusTime") == 0 || strcmp(operation->name, "extractFromUVCI") == 0;
    bool ok = true;
    int index = 0;
    if (count < operation->least || (operation->most >= 0 && count > operation->most)) {
        char message[JSON_MESSAGE_MAX];
        snprintf(message, sizeof message, operation->arity, count);
        ok = refuse(problems, place, message);
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, operands->value)
    {
        struct json_place operand = json_item(operands, item, (size_t)index);
        if (index == (literals ? 1 : operation->most))
            break;
        ok = certlogic_validate(&operand, problems) && ok;
        index++;
    }
    if (literals)
        ok = validate_literals(place, operation->name, operands->value, problems) && ok;
    return ok;
}

static bool validate_object(const struct json_place *place, struct json_problems *problems)
{
    int count = cJSON_GetArraySize(place->value);
    if (count != 1) {
        json_refuse(problems, place, "expression object must have exactly one key, but it has %d", count);
        return false;
    }
    const cJSON *operands = place->value->child;
    struct json_place inner = json_member(place, operands->string);
    if (strcmp(operands->string, "var") == 0)
        return validate_var(place, operands, problems);
    if (!cJSON_IsArray(operands))
        return refuse(problems, place, "operation not of the form { \"<operator>\": [ <values...> ] }");
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].name, operands->string) == 0)
            return validate_operands(place, &operations[i], &inner, problems);
    json_refuse(problems, place, "unrecognised operator: \"%s\"", operands->string);
    return false;
}

bool certlogic_validate(const struct json_place *expression, struct json_problems *problems)
{
    const cJSON *value = expression->value;
    bool ok = true;
    size_t index = 0;
    if (cJSON_IsString(value) || cJSON_IsBool(value) || is_integer(value))
        return true;
    if (cJSON_IsNumber(value)) {
        /* As it was written, where 15 digits say it. */
        char number[32];
        snprintf(number, sizeof number, "%.15g", value->valuedouble);
        if (strtod(number, NULL) != value->valuedouble)
            snprintf(number, sizeof number, "%.17g", value->valuedouble);
        json_refuse(problems, expression, "%s is a non-integer number", number);
        return false;
    }
    if (cJSON_IsObject(value))
        return validate_object(expression, problems);
    if (!cJSON_IsArray(value))
        return refuse(problems, expression, "invalid CertLogic expression");
    const cJSON *item;
    cJSON_ArrayForEach(item, value)
    {
        struct json_place place = json_item(expression, item, index++);
        ok = certlogic_validate(&place, problems) && ok;
    }
    return ok;
}
