/* A set of byte strings, each with its number in the order of adding: what is equal becomes one. */
#pragma once

#include "keys/bytes.h"

struct byte_set {
    struct bytes *items; /* own copies */
    uint32_t count, room;
    uint32_t *slots;
    uint32_t slot_count;
};

/* The number of the string; `added` (may be NULL) says whether it is new. */
uint32_t byte_set_add(struct byte_set *set, struct bytes bytes, bool *added);
/* Whether the string is there, and its number. */
bool byte_set_find(const struct byte_set *set, struct bytes bytes, uint32_t *number);
void byte_set_free(struct byte_set *set);
