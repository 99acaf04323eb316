#include "keys/signing_key.h"

#include <sodium.h>
#include <stdio.h>

/* The thumbprint hashes the required members in lexicographic order without white space. */
static void set_kid(struct signing_key *key)
{
    char x[sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    sodium_bin2base64(x, sizeof x, key->public_key, sizeof key->public_key, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char jwk[128];
    int length = snprintf(jwk, sizeof jwk, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", x);
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, (const uint8_t *)jwk, (unsigned long long)length);
    memcpy(key->kid, digest, sizeof key->kid);
}

bool signing_key_from_seed(const uint8_t seed[SIGNING_SEED_SIZE], struct signing_key *out)
{
    if (sodium_init() < 0)
        return false;
    memcpy(out->seed, seed, sizeof out->seed);
    crypto_sign_seed_keypair(out->public_key, out->secret_key, seed);
    set_kid(out);
    return true;
}

bool signing_key_generate(struct signing_key *out)
{
    if (sodium_init() < 0)
        return false;
    uint8_t seed[SIGNING_SEED_SIZE];
    randombytes_buf(seed, sizeof seed);
    bool ok = signing_key_from_seed(seed, out);
    sodium_memzero(seed, sizeof seed);
    return ok;
}

void signing_key_wipe(struct signing_key *key)
{
    sodium_memzero(key, sizeof *key);
}

void random_bytes(uint8_t *room, size_t size)
{
    randombytes_buf(room, size);
}

void secret_wipe(void *secret, size_t size)
{
    sodium_memzero(secret, size);
}
