/* The engine against libsodium on any bytes, within a burst of other signatures. The path is the best one, or the
 * one that the environment names: CHENGMEN_ENGINE=avx512, avx2 or portable.
 *
 *   1 byte    bit 0: 0 key, signature and message as they stand; 1 what is added, byte by byte, to a signature that
 *             somebody made; bits 1-7: the place in the burst
 *   32 bytes  key; or its first byte says whose signature
 *   64 bytes  signature, or what is added
 *   rest      message */
#include "keys/ed25519/ed25519.h"
#include "tests/unit/ed25519_cases.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define BURST 33
#define HEADER_SIZE 97

static struct case_key keys[CASE_KEYS_MAX];
static struct test_case made[BURST];
static struct ed25519_key *prepared[BURST];
static bool made_valid[BURST];

static bool sodium_says(const uint8_t key[32], const struct ed25519_check *check)
{
    return crypto_sign_verify_detached(check->signature, check->message, check->length, key) == 0;
}

static enum ed25519_engine engine_wanted(void)
{
    const char *name = getenv("CHENGMEN_ENGINE");
    if (!name)
        return ED25519_AUTO;
    if (strcmp(name, "avx512") == 0)
        return ED25519_AVX512;
    if (strcmp(name, "avx2") == 0)
        return ED25519_AVX2;
    if (strcmp(name, "portable") == 0)
        return ED25519_PORTABLE;
    fprintf(stderr, "no such path: %s\n", name);
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    struct case_random random = {1};
    char error[160];
    if (sodium_init() < 0)
        abort();
    unsigned key_count = case_keys_make(&random, keys);
    case_nonces_make(&random);
    /* The smallest tables: a key is prepared for every input. */
    ed25519_configure(1, 0);
    if (!ed25519_start(engine_wanted(), error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    for (unsigned i = 0; i < BURST; i++) {
        case_make(&random, keys, key_count, &made[i]);
        prepared[i] = ed25519_key_prepare(keys[made[i].key].encoding);
        if (!prepared[i])
            abort();
        struct ed25519_check check = {made[i].message, made[i].length, made[i].signature, prepared[i]};
        made_valid[i] = sodium_says(keys[made[i].key].encoding, &check);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEADER_SIZE)
        return 0;
    unsigned place = (data[0] >> 1) % BURST;
    uint8_t key[32], signature[64];
    const uint8_t *message = data + HEADER_SIZE;
    size_t length = size - HEADER_SIZE;
    memcpy(key, data + 1, sizeof key);
    memcpy(signature, data + 33, sizeof signature);
    if (data[0] & 1) {
        const struct test_case *base = &made[data[1] % BURST];
        memcpy(key, keys[base->key].encoding, sizeof key);
        for (unsigned i = 0; i < sizeof signature; i++)
            signature[i] = (uint8_t)(signature[i] + base->signature[i]);
        message = base->message;
        length = base->length;
    }
    struct ed25519_key *asked = ed25519_key_prepare(key);
    if (!asked)
        abort();
    struct ed25519_check checks[BURST];
    bool valid[BURST];
    for (unsigned i = 0; i < BURST; i++)
        checks[i] = (struct ed25519_check){made[i].message, made[i].length, made[i].signature, prepared[i]};
    checks[place] = (struct ed25519_check){message, length, signature, asked};
    ed25519_verify_burst(checks, valid, BURST);
    for (unsigned i = 0; i < BURST; i++)
        if (valid[i] != (i == place ? sodium_says(key, &checks[i]) : made_valid[i]))
            abort();
    ed25519_key_free(asked);
    return 0;
}
