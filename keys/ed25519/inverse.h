/* Inversion modulo p by division steps (Bernstein and Yang, "Fast constant-time gcd computation and modular
 * inversion", 2019), in variable time. */
#pragma once

#include "keys/ed25519/field_51.h"

/* 1 / a, tight; zero of zero. Loose limbs are taken. */
struct field field_invert(struct field a);
