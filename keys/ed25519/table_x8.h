/* Window tables built eight windows at a time. Only for processors with AVX-512 IFMA. */
#pragma once

#include "keys/ed25519/table.h"

/* As table_build, in a quarter of the time. */
void table_build_x8(const struct window_shape *shape, const struct curve_point *point, struct niels_packed *entries);
