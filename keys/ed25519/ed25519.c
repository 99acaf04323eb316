#include "keys/ed25519/ed25519.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

struct ed25519_key {
    uint8_t public_key[32];
};

bool ed25519_start(enum ed25519_engine engine, char *error, size_t error_size)
{
    if (engine != ED25519_AUTO && engine != ED25519_SODIUM) {
        snprintf(error, error_size, "this build verifies with libsodium only");
        return false;
    }
    if (sodium_init() < 0) {
        snprintf(error, error_size, "libsodium does not start");
        return false;
    }
    return true;
}

const char *ed25519_engine_name(void)
{
    return "sodium";
}

struct ed25519_key *ed25519_key_prepare(const uint8_t public_key[32])
{
    struct ed25519_key *key = malloc(sizeof *key);
    if (key)
        memcpy(key->public_key, public_key, sizeof key->public_key);
    return key;
}

void ed25519_key_free(struct ed25519_key *key)
{
    free(key);
}

size_t ed25519_key_memory_bytes(const struct ed25519_key *key)
{
    return sizeof *key;
}

void ed25519_verify_burst(const struct ed25519_check checks[], bool valid[], unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        valid[i] = crypto_sign_verify_detached(checks[i].signature, checks[i].message, checks[i].length,
                                               checks[i].key->public_key) == 0;
}
