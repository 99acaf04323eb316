/* The end of eight verifications: is the sum R? Only for files compiled for AVX-512 IFMA. */
#pragma once

#include "keys/ed25519/walk_x8.h"

/* 1 / a in every lane, by one inversion. */
struct field8 invert_x8(struct field8 a);

/* Whether the encoding of the point is the 32 bytes at r's address, lane by lane; inverse is 1 / z. */
__mmask8 encodes_x8(const struct affine8 *point, struct field8 inverse, const uint64_t r[LANES]);
