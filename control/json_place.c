#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/json_internal.h"
#include "keys/utf8.h"

void *json_grow(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (!memory) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return memory;
}

static void add_byte(struct json_pointer_writer *out, char byte)
{
    if (out->next + 1 < out->end) {
        *out->next++ = byte;
        *out->next = 0;
    }
}

void json_pointer_add(struct json_pointer_writer *out, const char *name, size_t length)
{
    add_byte(out, '/');
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '~' || name[i] == '/') {
            add_byte(out, '~');
            add_byte(out, name[i] == '~' ? '0' : '1');
        } else {
            add_byte(out, name[i]);
        }
    }
}

void json_pointer_add_index(struct json_pointer_writer *out, size_t index)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%zu", index);
    json_pointer_add(out, digits, (size_t)length);
}

static void write_place(struct json_pointer_writer *out, const struct json_place *place)
{
    if (!place->parent)
        return;
    write_place(out, place->parent);
    if (place->member)
        json_pointer_add(out, place->member, strlen(place->member));
    else
        json_pointer_add_index(out, place->index);
}

/* A cut inside a character, and names that are no UTF-8 themselves, would make the answer that quotes them invalid:
 * each byte that belongs to no character becomes a question mark. */
static void repair_utf8(char *text)
{
    for (size_t length = strlen(text), at = 0; at < length;) {
        size_t size = 1;
        while (size < 4 && size < length - at && !utf8_valid((struct bytes){(uint8_t *)text + at, size}))
            size++;
        if (utf8_valid((struct bytes){(uint8_t *)text + at, size})) {
            at += size;
        } else {
            text[at++] = '?';
        }
    }
}

void json_pointer(const struct json_place *place, char *room, size_t size)
{
    struct json_pointer_writer out = {room, room + size};
    room[0] = 0;
    write_place(&out, place);
    repair_utf8(room);
}

__attribute__((format(printf, 4, 0), nonnull(4))) static void add_problem(struct json_problems *problems,
                                                                          enum json_severity severity,
                                                                          const char *pointer, const char *format,
                                                                          va_list arguments)
{
    if (!problems)
        return;
    if (severity == JSON_REFUSED)
        problems->refused++;
    else
        problems->warnings++;
    if (problems->count == JSON_PROBLEMS_MAX)
        return;
    if (problems->count == problems->room) {
        problems->room = problems->room ? problems->room * 2 : 8;
        problems->items = json_grow(problems->items, problems->room * sizeof *problems->items);
    }
    struct json_problem *problem = &problems->items[problems->count++];
    problem->severity = severity;
    snprintf(problem->pointer, sizeof problem->pointer, "%s", pointer);
    repair_utf8(problem->pointer);
    vsnprintf(problem->message, sizeof problem->message, format, arguments);
    repair_utf8(problem->message);
}

void json_problem_add(struct json_problems *problems, enum json_severity severity, const char *pointer,
                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_problem(problems, severity, pointer, format, arguments);
    va_end(arguments);
}

void json_refuse(struct json_problems *problems, const struct json_place *place, const char *format, ...)
{
    char pointer[JSON_POINTER_MAX];
    va_list arguments;
    json_pointer(place, pointer, sizeof pointer);
    va_start(arguments, format);
    add_problem(problems, JSON_REFUSED, pointer, format, arguments);
    va_end(arguments);
}

void json_warn(struct json_problems *problems, const struct json_place *place, const char *format, ...)
{
    char pointer[JSON_POINTER_MAX];
    va_list arguments;
    json_pointer(place, pointer, sizeof pointer);
    va_start(arguments, format);
    add_problem(problems, JSON_WARNING, pointer, format, arguments);
    va_end(arguments);
}

void json_problems_free(struct json_problems *problems)
{
    free(problems->items);
    *problems = (struct json_problems){0};
}

struct json_place json_root(const cJSON *value)
{
    return (struct json_place){.value = value};
}

struct json_place json_member(const struct json_place *object, const char *name)
{
    const cJSON *value = cJSON_IsObject(object->value) ? cJSON_GetObjectItemCaseSensitive(object->value, name) : NULL;
    return (struct json_place){value, object, name, 0};
}

struct json_place json_item(const struct json_place *array, const cJSON *item, size_t index)
{
    return (struct json_place){item, array, NULL, index};
}

static const char *type_name(const cJSON *value)
{
    if (!value)
        return "nothing";
    if (cJSON_IsNull(value))
        return "null";
    if (cJSON_IsBool(value))
        return "a boolean";
    if (cJSON_IsNumber(value))
        return "a number";
    if (cJSON_IsString(value))
        return "a text";
    return cJSON_IsArray(value) ? "an array" : "an object";
}

static bool refuse_type(const struct json_place *place, const char *wanted, struct json_problems *problems)
{
    if (place->value)
        json_refuse(problems, place, "%s expected, not %s", wanted, type_name(place->value));
    else
        json_refuse(problems, place, "missing");
    return false;
}

bool json_known_members(const struct json_place *object, const char *const known[], struct json_problems *problems)
{
    bool ok = json_is_object(object, problems);
    const cJSON *item;
    if (!ok)
        return false;
    cJSON_ArrayForEach(item, object->value)
    {
        unsigned i = 0;
        while (known[i] && strcmp(known[i], item->string) != 0)
            i++;
        if (!known[i]) {
            struct json_place member = {item, object, item->string, 0};
            json_refuse(problems, &member, "unknown member");
            ok = false;
        }
    }
    return ok;
}

bool json_is_object(const struct json_place *place, struct json_problems *problems)
{
    return cJSON_IsObject(place->value) || refuse_type(place, "an object", problems);
}

bool json_is_array(const struct json_place *place, struct json_problems *problems)
{
    return cJSON_IsArray(place->value) || refuse_type(place, "an array", problems);
}

bool json_text(const struct json_place *place, size_t min, size_t max, const char **out, struct json_problems *problems)
{
    if (!cJSON_IsString(place->value))
        return refuse_type(place, "a text", problems);
    size_t length = strlen(place->value->valuestring);
    if (length < min || length > max) {
        json_refuse(problems, place, "text of %zu to %zu bytes expected, it has %zu", min, max, length);
        return false;
    }
    *out = place->value->valuestring;
    return true;
}

bool json_copy_text(const struct json_place *place, char *room, size_t size, struct json_problems *problems)
{
    const char *text;
    if (!json_text(place, 0, size - 1, &text, problems))
        return false;
    memcpy(room, text, strlen(text) + 1);
    return true;
}

bool json_bool(const struct json_place *place, bool *out, struct json_problems *problems)
{
    if (!cJSON_IsBool(place->value))
        return refuse_type(place, "a boolean", problems);
    *out = cJSON_IsTrue(place->value);
    return true;
}

static bool take_whole(const struct json_place *place, double *out, struct json_problems *problems)
{
    if (!cJSON_IsNumber(place->value))
        return refuse_type(place, "a number", problems);
    double value = place->value->valuedouble;
    if (value != trunc(value) || fabs(value) > (double)JSON_INTEGER_MAX) {
        json_refuse(problems, place, "a whole number expected");
        return false;
    }
    *out = value;
    return true;
}

bool json_uint(const struct json_place *place, uint64_t min, uint64_t max, uint64_t *out,
               struct json_problems *problems)
{
    double value = 0;
    if (!take_whole(place, &value, problems))
        return false;
    if (value < 0 || (uint64_t)value < min || (uint64_t)value > max) {
        json_refuse(problems, place, "number from %" PRIu64 " to %" PRIu64 " expected", min, max);
        return false;
    }
    *out = (uint64_t)value;
    return true;
}

bool json_int(const struct json_place *place, int64_t min, int64_t max, int64_t *out, struct json_problems *problems)
{
    double value = 0;
    if (!take_whole(place, &value, problems))
        return false;
    if ((int64_t)value < min || (int64_t)value > max) {
        json_refuse(problems, place, "number from %" PRId64 " to %" PRId64 " expected", min, max);
        return false;
    }
    *out = (int64_t)value;
    return true;
}

bool json_choice(const struct json_place *place, const char *const names[], unsigned *out,
                 struct json_problems *problems)
{
    const char *text;
    if (!json_text(place, 0, SIZE_MAX, &text, problems))
        return false;
    for (unsigned i = 0; names[i]; i++)
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return true;
        }
    char list[JSON_MESSAGE_MAX] = "";
    size_t used = 0;
    for (unsigned i = 0; names[i] && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    json_refuse(problems, place, "one of %s expected", list);
    return false;
}

char *json_problems_text(const struct json_problems *problems)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (size_t i = 0; i < problems->count; i++) {
        const struct json_problem *problem = &problems->items[i];
        fprintf(out, "%s: %s%s\n", problem->pointer[0] ? problem->pointer : "(document)",
                problem->severity == JSON_WARNING ? "warning: " : "", problem->message);
    }
    size_t more = problems->refused + problems->warnings - problems->count;
    if (more > 0)
        fprintf(out, "… and %zu more\n", more);
    fclose(out);
    return text;
}

cJSON *json_problems_json(const struct json_problems *problems)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < problems->count; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "severity", problems->items[i].severity == JSON_WARNING ? "warning" : "refused");
        cJSON_AddStringToObject(item, "pointer", problems->items[i].pointer);
        cJSON_AddStringToObject(item, "message", problems->items[i].message);
        cJSON_AddItemToArray(list, item);
    }
    return list;
}
