/* Strict JSON (RFC 8259). cJSON is lenient, so a pre-check reads the whole text first: bytes after the value, invalid
 * UTF-8, NUL, lone surrogates, numbers outside a double's range, nesting beyond the bound are refused, and so are
 * duplicate names. Whoever reads the tree then walks it by places, which know their JSON pointer (RFC 6901), and
 * gathers problems instead of stopping at the first. */
#pragma once

#include <cjson/cJSON.h>

#include "keys/bytes.h"

#define JSON_DEPTH_MAX 128
#define JSON_SIZE_MAX (64u << 20)
#define JSON_POINTER_MAX 256
#define JSON_MESSAGE_MAX 256
#define JSON_PROBLEMS_MAX 1000
/* Integers are exact in a double up to here, and no further. */
#define JSON_INTEGER_MAX (UINT64_C(1) << 53)

enum json_severity { JSON_REFUSED, JSON_WARNING };

struct json_problem {
    enum json_severity severity;
    char pointer[JSON_POINTER_MAX]; /* "" is the whole document; cut where it is longer */
    char message[JSON_MESSAGE_MAX];
};

/* Begins as {0}; json_problems_free afterwards. Holds at most JSON_PROBLEMS_MAX, `refused` and `warnings` count all. */
struct json_problems {
    struct json_problem *items;
    size_t count;
    size_t room;
    size_t refused;
    size_t warnings;
};
void json_problems_free(struct json_problems *problems);

/* The tree, to be freed with cJSON_Delete, or NULL with one problem: its message carries line and column, its pointer
 * names the value that was being read. */
cJSON *json_parse(struct bytes text, struct json_problems *problems);
/* Reads a whole file, at most JSON_SIZE_MAX; "-" is standard input. The caller frees `out->data`. False with one line
 * in `error`. */
bool json_read_file(const char *path, struct bytes *out, char *error, size_t error_size);

/* A value and the way to it. Places live on the reader's stack and refer to their parents; `value` is NULL where the
 * member is absent. */
struct json_place {
    const cJSON *value;
    const struct json_place *parent;
    const char *member; /* NULL: the item `index` of an array */
    size_t index;
};

struct json_place json_root(const cJSON *value);
struct json_place json_member(const struct json_place *object, const char *name);
struct json_place json_item(const struct json_place *array, const cJSON *item, size_t index);

/* Adds a problem at a place. A NULL `problems` is allowed everywhere and reports nothing. */
__attribute__((format(printf, 3, 4))) void json_refuse(struct json_problems *problems, const struct json_place *place,
                                                       const char *format, ...);
__attribute__((format(printf, 3, 4))) void json_warn(struct json_problems *problems, const struct json_place *place,
                                                     const char *format, ...);
/* The JSON pointer of a place. */
void json_pointer(const struct json_place *place, char *room, size_t size);

/* Refuses members of the object that are not in `known` (ends with NULL); false also where it is no object. */
bool json_known_members(const struct json_place *object, const char *const known[], struct json_problems *problems);

/* Each reads one value of the type, or refuses it (absent, wrong type, out of range) and leaves `out` alone. For an
 * optional member ask `place.value` first. */
bool json_is_object(const struct json_place *place, struct json_problems *problems);
bool json_is_array(const struct json_place *place, struct json_problems *problems);
/* Text of min to max bytes; `out` belongs to the tree. */
bool json_text(const struct json_place *place, size_t min, size_t max, const char **out,
               struct json_problems *problems);
/* Copies text of at most size - 1 bytes. */
bool json_copy_text(const struct json_place *place, char *room, size_t size, struct json_problems *problems);
bool json_bool(const struct json_place *place, bool *out, struct json_problems *problems);
/* A number without a fraction, min to max (at most JSON_INTEGER_MAX). */
bool json_uint(const struct json_place *place, uint64_t min, uint64_t max, uint64_t *out,
               struct json_problems *problems);
bool json_int(const struct json_place *place, int64_t min, int64_t max, int64_t *out, struct json_problems *problems);
/* One of the names; `out` is its index. `names` ends with NULL. */
bool json_choice(const struct json_place *place, const char *const names[], unsigned *out,
                 struct json_problems *problems);

/* One line a problem, "POINTER: message\n"; the caller frees it. */
char *json_problems_text(const struct json_problems *problems);
/* An array of {"severity","pointer","message"}; the caller owns it. */
cJSON *json_problems_json(const struct json_problems *problems);
