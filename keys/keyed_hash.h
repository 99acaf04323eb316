/* SipHash-2-4 under a key that strangers do not know, for tables that strangers fill. */
#pragma once

#include "keys/bytes.h"

#define KEYED_HASH_KEY_SIZE 16

struct keyed_hash {
    uint8_t key[KEYED_HASH_KEY_SIZE];
};

/* A key from the system's randomness. */
struct keyed_hash keyed_hash_random(void);
uint64_t keyed_hash_of(const struct keyed_hash *hash, struct bytes in);
