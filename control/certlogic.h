/* CertLogic (eu-dcc-business-rules, certlogic/specification, versions 1.0 to 1.3.2): validation of expressions, and
 * their compiler for the dataplane's machine. */
#pragma once

#include "control/json.h"
#include "dataplane/machine.h"

/* Refuses what is not a valid expression, each problem with its pointer, in the words of the published validation
 * suite. */
bool certlogic_validate(const struct json_place *expression, struct json_problems *problems);

/* Constants of the programs made together. Texts belong to the JSON trees they came from. */
struct certlogic_constants {
    struct value *values;
    uint32_t count, room;
    uint32_t *slots; /* of equal scalars and equal arrays; NULL where `shared` is false */
    uint32_t slot_count;
    bool shared;   /* equal constants are one */
    void **blocks; /* items of arrays */
    uint32_t block_count, block_room;
};
void certlogic_constants_free(struct certlogic_constants *constants);
/* The number of a scalar, or of an array of scalars, `items` being copied. */
uint32_t certlogic_constant(struct certlogic_constants *constants, struct value scalar);
uint32_t certlogic_constant_array(struct certlogic_constants *constants, const struct value *items, uint32_t count);
/* False for what is no text, number or boolean. */
bool certlogic_scalar(const cJSON *value, struct value *out);

struct certlogic_code {
    struct instruction *instructions;
    uint32_t count, room;
};

/* Where values come from: `slot` gives the slot of a path, and the part of the path that is yet to be walked from
 * there ("" where none is); false where there is no such fact, after saying so. */
struct certlogic_names {
    bool (*slot)(void *context, const struct json_place *place, const char *path, uint32_t *slot, const char **rest,
                 struct json_problems *problems);
    void *context;
    bool only_facts; /* within reduce, paths other than accumulator and current are refused instead of null */
};

/* Compiles a valid expression. False with problems where it is too large for the machine or names unknown facts; what
 * was compiled until then is in `out` still. */
bool certlogic_compile(const struct json_place *expression, const struct certlogic_names *names,
                       struct certlogic_constants *constants, struct certlogic_code *out,
                       struct json_problems *problems);

#define CERTLOGIC_ERROR_MAX (JSON_POINTER_MAX + JSON_MESSAGE_MAX + 4)
/* The value of an expression with its data, both JSON trees, as JSON text that the caller frees; NULL with one line in
 * `error`. It is computed by the dataplane's machine. */
char *certlogic_eval(const cJSON *logic, const cJSON *data, char *error, size_t error_size);
