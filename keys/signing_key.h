/* An issuer's signing key (Ed25519). The appliance has none: this is for the reference issuer and for tests. */
#pragma once

#include "keys/cose.h"

#define SIGNING_SEED_SIZE 32

struct signing_key {
    uint8_t seed[SIGNING_SEED_SIZE];
    uint8_t public_key[32];
    uint8_t secret_key[64]; /* libsodium's form, for cose_sign */
    uint8_t kid[COSE_KID_SIZE];
};

/* Both set the kid to the first bytes of the public key's JWK thumbprint (RFC 7638, RFC 8037 appendix A.3). False where
 * libsodium does not start. */
bool signing_key_generate(struct signing_key *out);
bool signing_key_from_seed(const uint8_t seed[SIGNING_SEED_SIZE], struct signing_key *out);
/* Overwrites the key where the compiler may not leave it out. */
void signing_key_wipe(struct signing_key *key);

/* Random bytes for identifiers that a test or the reference issuer makes up. */
void random_bytes(uint8_t *room, size_t size);
/* Overwrites a secret of another kind. */
void secret_wipe(void *secret, size_t size);
