#include <stdlib.h>

#include "control/certlogic.h"
#include "control/json_internal.h"

#define SLOTS_FIRST 64

void certlogic_constants_free(struct certlogic_constants *constants)
{
    for (uint32_t i = 0; i < constants->block_count; i++)
        free(constants->blocks[i]);
    free(constants->blocks);
    free(constants->values);
    free(constants->slots);
    *constants = (struct certlogic_constants){.shared = constants->shared};
}

bool certlogic_scalar(const cJSON *value, struct value *out)
{
    if (cJSON_IsString(value))
        *out = value_of_text(bytes_of_text(value->valuestring));
    else if (cJSON_IsNumber(value))
        *out = value_of_number(value->valuedouble);
    else if (cJSON_IsBool(value))
        *out = value_of_bool(cJSON_IsTrue(value));
    else
        return false;
    return true;
}

/* Equal by content, arrays too. */
static bool equal(const struct value *a, const struct value *b)
{
    if (a->kind != VALUE_ARRAY || b->kind != VALUE_ARRAY)
        return value_same(a, b);
    for (uint32_t i = 0; i < a->length && a->length == b->length; i++)
        if (!value_same(&a->items[i], &b->items[i]))
            return false;
    return a->length == b->length;
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_value(uint64_t hash, const struct value *value)
{
    double number;
    switch (value->kind) {
    case VALUE_TEXT:
        return hash_bytes(hash ^ value->length, value->text, value->length);
    case VALUE_NUMBER:
        number = value->number + 0.0; /* -0 equals 0 */
        return hash_bytes(hash, &number, sizeof number);
    case VALUE_BOOL:
        return hash_bytes(hash, &value->boolean, 1);
    case VALUE_ARRAY:
        for (uint32_t i = 0; i < value->length; i++)
            hash = hash_value(hash * 31, &value->items[i]);
        return hash;
    default:
        return hash;
    }
}

static uint32_t *find_slot(const struct certlogic_constants *constants, const struct value *value)
{
    uint64_t hash = hash_value(UINT64_C(0xcbf29ce484222325), value);
    uint32_t slot = (uint32_t)(hash ^ hash >> 32) & (constants->slot_count - 1);
    while (constants->slots[slot] != 0 && !equal(&constants->values[constants->slots[slot] - 1], value))
        slot = (slot + 1) & (constants->slot_count - 1);
    return &constants->slots[slot];
}

static void grow_slots(struct certlogic_constants *constants)
{
    uint32_t count = constants->slot_count ? constants->slot_count * 2 : SLOTS_FIRST;
    constants->slots = json_grow(constants->slots, count * sizeof *constants->slots);
    constants->slot_count = count;
    memset(constants->slots, 0, count * sizeof *constants->slots);
    for (uint32_t i = 0; i < constants->count; i++)
        *find_slot(constants, &constants->values[i]) = i + 1;
}

static uint32_t add(struct certlogic_constants *constants, struct value value)
{
    if (constants->count == constants->room) {
        constants->room = constants->room ? constants->room * 2 : 32;
        constants->values = json_grow(constants->values, constants->room * sizeof *constants->values);
    }
    constants->values[constants->count] = value;
    return constants->count++;
}

uint32_t certlogic_constant(struct certlogic_constants *constants, struct value value)
{
    if (!constants->shared)
        return add(constants, value);
    if (constants->count * 2 >= constants->slot_count)
        grow_slots(constants);
    uint32_t *slot = find_slot(constants, &value);
    if (*slot == 0)
        *slot = add(constants, value) + 1;
    return *slot - 1;
}

uint32_t certlogic_constant_array(struct certlogic_constants *constants, const struct value *items, uint32_t count)
{
    struct value array = {.kind = VALUE_ARRAY, .length = count, .items = items};
    if (constants->shared && constants->slot_count > 0 && *find_slot(constants, &array) != 0)
        return *find_slot(constants, &array) - 1;
    if (constants->block_count == constants->block_room) {
        constants->block_room = constants->block_room ? constants->block_room * 2 : 8;
        constants->blocks = json_grow(constants->blocks, constants->block_room * sizeof *constants->blocks);
    }
    struct value *copy = json_grow(NULL, (count + 1) * sizeof *copy);
    memcpy(copy, items, count * sizeof *copy);
    constants->blocks[constants->block_count++] = copy;
    array.items = copy;
    return certlogic_constant(constants, array);
}
