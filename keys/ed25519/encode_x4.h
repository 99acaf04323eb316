/* The end of four verifications: is the sum R? Only for files compiled for AVX2 and FMA. */
#pragma once

#include "keys/ed25519/walk_x4.h"

/* 1 / a in every lane, by one inversion; reduced in, reduced out. */
struct field4 invert_x4(const struct field4 *a);

/* Whether the encoding of the point is the 32 bytes at r's address: a bit a lane. inverse is 1 / z. */
unsigned encodes_x4(const struct affine4 *point, const struct field4 *inverse, const uint64_t r[LANES]);
