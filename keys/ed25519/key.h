/* A prepared key, as the paths see it. */
#pragma once

#include <stdatomic.h>

#include "keys/ed25519/ed25519.h"
#include "keys/ed25519/table.h"

struct ed25519_key {
    uint8_t public_key[32];
    bool accepted;              /* by the accept set; a refused key has no table */
    struct niels_packed *table; /* of -A, in the shape of all keys; not to be looked at before it is `built` */
    atomic_bool built;
};

/* One path: n checks whose keys are accepted, whose S is below L and whose R is not of small order. n is 1 to
 * ED25519_BURST_MAX. */
typedef void verify_path(const struct tables *tables, const struct ed25519_check *const checks[], bool valid[],
                         unsigned n);

verify_path verify_portable;
verify_path verify_avx2;
verify_path verify_avx512;
