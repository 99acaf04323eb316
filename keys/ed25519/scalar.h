/* Numbers modulo L = 2^252 + 27742317777372353535851937790883648493, the order of the base point. */
#pragma once

#include "keys/bytes.h"

struct scalar {
    uint64_t word[4]; /* little-endian, below L */
};

/* The little-endian number modulo L, exactly: keys with a part of small order tell h from h + L. */
struct scalar scalar_reduce(const uint8_t wide[64]);

/* Returns false where the number is L or more. */
bool scalar_from_bytes(const uint8_t bytes[32], struct scalar *out);
