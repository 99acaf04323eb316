#include "keys/keyed_hash.h"

#include <assert.h>
#include <sodium.h>

static_assert(crypto_shorthash_KEYBYTES == KEYED_HASH_KEY_SIZE, "SipHash's key");
static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "SipHash's output");

struct keyed_hash keyed_hash_random(void)
{
    struct keyed_hash hash;
    randombytes_buf(hash.key, sizeof hash.key);
    return hash;
}

uint64_t keyed_hash_of(const struct keyed_hash *hash, struct bytes in)
{
    static const uint8_t nothing = 0;
    uint64_t out;
    crypto_shorthash((uint8_t *)&out, in.data ? in.data : &nothing, in.length, hash->key);
    return out;
}
