/* Window tables built four windows at a time. Only for processors with AVX2 and FMA. */
#pragma once

#include "keys/ed25519/table.h"

/* As table_build, in half the time. */
void table_build_x4(const struct window_shape *shape, const struct curve_point *point, struct niels_packed *entries);
