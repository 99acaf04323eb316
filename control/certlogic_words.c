#include "control/certlogic_words.h"

#include <stdlib.h>
#include <string.h>

#include "control/json_internal.h"

/* How an operation is written: between its operands, or before them in brackets. */
static const struct {
    const char *name, *infix;
} operations[] = {
    {"===", "is"},
    {"and", "and"},
    {"in", "is one of"},
    {"<", "<"},
    {">", ">"},
    {"<=", "<="},
    {">=", ">="},
    {"before", "is before"},
    {"after", "is after"},
    {"not-before", "is not before"},
    {"not-after", "is not after"},
    {"+", "+"},
};

static const char *infix_of(const char *name)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].name, name) == 0)
            return operations[i].infix;
    return NULL;
}

static void put_json(const cJSON *value, FILE *out)
{
    char *text = cJSON_PrintUnformatted(value);
    fputs(text ? text : "", out);
    cJSON_free(text);
}

/* An operand that is itself written between operands stands in brackets. */
static void put_operand(const cJSON *operand, FILE *out)
{
    bool bracketed = cJSON_IsObject(operand) && operand->child && infix_of(operand->child->string);
    fputs(bracketed ? "(" : "", out);
    certlogic_words(operand, out);
    fputs(bracketed ? ")" : "", out);
}

static void put_infix(const char *infix, const cJSON *operands, FILE *out)
{
    const cJSON *operand;
    cJSON_ArrayForEach(operand, operands)
    {
        if (operand != operands->child)
            fprintf(out, " %s ", infix);
        put_operand(operand, out);
    }
}

static void put_list(const cJSON *items, const char *open, const char *close, FILE *out)
{
    const cJSON *item;
    fputs(open, out);
    cJSON_ArrayForEach(item, items)
    {
        fputs(item != items->child ? ", " : "", out);
        certlogic_words(item, out);
    }
    fputs(close, out);
}

/* "2020-03-06" plus 14 days. Nothing added makes a date of a text, which goes without saying. */
static void put_plus_time(const cJSON *operands, FILE *out)
{
    const cJSON *amount = cJSON_GetArrayItem(operands, 1), *unit = cJSON_GetArrayItem(operands, 2);
    put_operand(operands->child, out);
    if (amount->valuedouble == 0)
        return;
    fputs(amount->valuedouble < 0 ? " minus " : " plus ", out);
    fprintf(out, "%.0f %s%s", amount->valuedouble < 0 ? -amount->valuedouble : amount->valuedouble, unit->valuestring,
            amount->valuedouble == 1 || amount->valuedouble == -1 ? "" : "s");
}

static void put_operation(const cJSON *operation, FILE *out)
{
    const char *name = operation->string;
    int count = cJSON_GetArraySize(operation);
    const cJSON *first = operation->child;
    if (infix_of(name) && count >= 2) {
        put_infix(infix_of(name), operation, out);
    } else if (strcmp(name, "!") == 0 && count == 1) {
        fputs("not ", out);
        put_operand(first, out);
    } else if (strcmp(name, "if") == 0 && count == 3) {
        fputs("(if ", out);
        certlogic_words(first, out);
        fputs(" then ", out);
        certlogic_words(first->next, out);
        fputs(" else ", out);
        certlogic_words(first->next->next, out);
        fputc(')', out);
    } else if (strcmp(name, "plusTime") == 0 && count == 3 && cJSON_IsNumber(first->next) &&
               cJSON_IsString(first->next->next)) {
        put_plus_time(operation, out);
    } else {
        fputs(name, out);
        put_list(operation, "(", ")", out);
    }
}

void certlogic_words(const cJSON *expression, FILE *out)
{
    const cJSON *only = cJSON_IsObject(expression) ? expression->child : NULL;
    if (only && !only->next && strcmp(only->string, "var") == 0 && cJSON_IsString(only) && *only->valuestring)
        fputs(only->valuestring, out);
    else if (only && !only->next && cJSON_IsArray(only) && only->child)
        put_operation(only, out);
    else if (cJSON_IsArray(expression))
        put_list(expression, "[", "]", out);
    else
        put_json(expression, out);
}

char *certlogic_words_text(const cJSON *expression)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out) {
        certlogic_words(expression, out);
        fclose(out);
    }
    return text;
}
