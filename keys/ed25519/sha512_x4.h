/* SHA-512 of four challenges side by side. Only for files compiled for AVX2. */
#pragma once

#include "keys/ed25519/ed25519.h"

/* Lanes may have any lengths; the time is that of the longest. */
void sha512_challenge_x4(const struct ed25519_check *const checks[4], uint8_t digest[4][64]);
