/* SHA-512 of eight challenges side by side. Only for files compiled for AVX-512. */
#pragma once

#include <immintrin.h>

#include "keys/ed25519/ed25519.h"

/* digest[i] holds word i of each lane's digest as a little-endian number. Lanes may have any lengths; the time is that
 * of the longest. */
void sha512_challenge_x8(const struct ed25519_check *const checks[8], __m512i digest[8]);
