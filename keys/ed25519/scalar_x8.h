/* Numbers modulo L = 2^252 + C, eight side by side. Only for files compiled for AVX-512 IFMA. */
#pragma once

#include <immintrin.h>

#include "keys/ed25519/table.h"

/* word[i] holds word i of each lane's 512-bit number; out likewise, four words, below L. */
void scalar_reduce_x8(const __m512i word[8], __m512i out[4]);

/* sum = k + K of the shape (table.h). */
void table_recode_x8(const struct window_shape *shape, const __m512i k[4], __m512i sum[4]);
