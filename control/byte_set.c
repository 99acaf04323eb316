#include "control/byte_set.h"

#include <stdlib.h>

#include "control/json_internal.h"

#define SLOTS_FIRST 64

static uint32_t *find_slot(const struct byte_set *set, struct bytes bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ bytes.length;
    for (size_t i = 0; i < bytes.length; i++)
        hash = (hash ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    uint32_t slot = (uint32_t)(hash ^ hash >> 32) & (set->slot_count - 1);
    while (set->slots[slot] != 0 && !bytes_equal(set->items[set->slots[slot] - 1], bytes))
        slot = (slot + 1) & (set->slot_count - 1);
    return &set->slots[slot];
}

static void grow(struct byte_set *set)
{
    set->slot_count = set->slot_count ? set->slot_count * 2 : SLOTS_FIRST;
    set->slots = json_grow(set->slots, set->slot_count * sizeof *set->slots);
    memset(set->slots, 0, set->slot_count * sizeof *set->slots);
    for (uint32_t i = 0; i < set->count; i++)
        *find_slot(set, set->items[i]) = i + 1;
}

uint32_t byte_set_add(struct byte_set *set, struct bytes bytes, bool *added)
{
    if (set->count * 2 >= set->slot_count)
        grow(set);
    uint32_t *slot = find_slot(set, bytes);
    if (added)
        *added = *slot == 0;
    if (*slot != 0)
        return *slot - 1;
    if (set->count == set->room) {
        set->room = set->room ? set->room * 2 : 32;
        set->items = json_grow(set->items, set->room * sizeof *set->items);
    }
    uint8_t *copy = json_grow(NULL, bytes.length + 1);
    if (bytes.length > 0)
        memcpy(copy, bytes.data, bytes.length);
    set->items[set->count] = (struct bytes){copy, bytes.length};
    *slot = ++set->count;
    return set->count - 1;
}

bool byte_set_find(const struct byte_set *set, struct bytes bytes, uint32_t *number)
{
    uint32_t slot = set->slot_count > 0 ? *find_slot(set, bytes) : 0;
    *number = slot - 1;
    return slot != 0;
}

void byte_set_free(struct byte_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        free((void *)set->items[i].data);
    free(set->items);
    free(set->slots);
    *set = (struct byte_set){0};
}
