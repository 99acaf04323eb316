/* What json.c and json_place.c share. */
#pragma once

#include "control/json.h"

/* realloc that ends the program where memory ends: control runs with bounded input. */
void *json_grow(void *memory, size_t size);

struct json_pointer_writer {
    char *next;
    const char *end;
};
void json_pointer_add(struct json_pointer_writer *out, const char *name, size_t length);
void json_pointer_add_index(struct json_pointer_writer *out, size_t index);

__attribute__((format(printf, 4, 5))) void json_problem_add(struct json_problems *problems, enum json_severity severity,
                                                            const char *pointer, const char *format, ...);
