#include "tests/load/sign.h"

#include <sodium.h>
#include <stdlib.h>

#include "tests/load/random.h"

static void derive_issuer(struct sign_issuer *issuer, uint64_t seed, uint32_t number)
{
    uint8_t key_seed[32], secret[64], hash[64], wide[64] = {0};
    struct random random = random_of(seed, 'K', number);
    random_fill(&random, key_seed, sizeof key_seed);
    random_fill(&random, issuer->kid, sizeof issuer->kid);
    crypto_sign_seed_keypair(issuer->public_key, secret, key_seed);
    crypto_hash_sha512(hash, key_seed, sizeof key_seed); /* RFC 8032 section 5.1.5 */
    memcpy(wide, hash, 32);
    wide[0] &= 248;
    wide[31] = (uint8_t)((wide[31] & 127) | 64);
    crypto_core_ed25519_scalar_reduce(issuer->scalar, wide);
    random = random_of(seed, 'S', number);
    random_fill(&random, key_seed, sizeof key_seed);
    random_fill(&random, issuer->status_kid, sizeof issuer->status_kid);
    crypto_sign_seed_keypair(issuer->status_public_key, issuer->status_secret_key, key_seed);
}

bool signer_open(struct signer *signer, uint64_t seed, const char names[][CREDENTIAL_ISSUER_MAX + 1], uint32_t count,
                 uint32_t nonces)
{
    memset(signer, 0, sizeof *signer);
    if (sodium_init() < 0 || count > SIGN_ISSUERS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct sign_issuer *issuer = &signer->issuers[i];
        memcpy(issuer->name, names[i], sizeof issuer->name);
        issuer->name[CREDENTIAL_ISSUER_MAX] = 0;
        const char *digits = strpbrk(issuer->name, "0123456789");
        issuer->region = digits ? (uint32_t)strtoul(digits, NULL, 10) : 0;
        derive_issuer(issuer, seed, i);
    }
    signer->issuer_count = count;
    signer->nonce_count = nonces;
    signer->nonces = calloc(nonces, sizeof *signer->nonces);
    for (uint32_t i = 0; signer->nonces && i < nonces; i++) {
        uint8_t wide[64];
        struct random random = random_of(seed, 'N', i);
        random_fill(&random, wide, sizeof wide);
        crypto_core_ed25519_scalar_reduce(signer->nonces[i].scalar, wide);
        if (crypto_scalarmult_ed25519_base_noclamp(signer->nonces[i].point, signer->nonces[i].scalar) != 0)
            return false; /* a zero scalar: the seed is one in 2^252 */
    }
    return signer->nonces != NULL;
}

void signer_close(struct signer *signer)
{
    free(signer->nonces);
    memset(signer, 0, sizeof *signer);
}

struct issuer_key signer_key(const struct signer *signer, uint32_t number)
{
    const struct sign_issuer *issuer = &signer->issuers[number];
    struct issuer_key key = {
        .use = KEY_USE_CREDENTIAL, .not_after_s = UINT64_C(1) << 40, .classes = (1u << CLASS_COUNT) - 1};
    memcpy(key.kid, issuer->kid, sizeof key.kid);
    memcpy(key.public_key, issuer->public_key, sizeof key.public_key);
    memcpy(key.issuer, issuer->name, sizeof key.issuer);
    return key;
}

/* S = r + SHA-512(R, A, M)·a modulo L (RFC 8032 section 5.1.6). */
static void sign_bytes(const struct sign_issuer *issuer, const struct sign_nonce *nonce, const uint8_t *message,
                       size_t size, uint8_t signature[64])
{
    uint8_t hash[64], h[32], product[32];
    crypto_hash_sha512_state state;
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, nonce->point, 32);
    crypto_hash_sha512_update(&state, issuer->public_key, 32);
    crypto_hash_sha512_update(&state, message, size);
    crypto_hash_sha512_final(&state, hash);
    crypto_core_ed25519_scalar_reduce(h, hash);
    crypto_core_ed25519_scalar_mul(product, h, issuer->scalar);
    memcpy(signature, nonce->point, 32);
    crypto_core_ed25519_scalar_add(signature + 32, nonce->scalar, product);
}

static size_t write_protected(const struct sign_issuer *issuer, uint8_t *room, size_t size)
{
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_map(&out, 3);
    cbor_put_uint(&out, 1);
    cbor_put_int(&out, COSE_ALG_EDDSA);
    cbor_put_uint(&out, 4);
    cbor_put_bytes(&out, (struct bytes){issuer->kid, COSE_KID_SIZE});
    cbor_put_uint(&out, 16);
    cbor_put_uint(&out, COSE_TYP_CREDENTIAL);
    return cbor_written(&out).length;
}

size_t signer_sign(const struct signer *signer, uint32_t number, uint64_t nonce, const struct credential *claims,
                   uint8_t *room, size_t size)
{
    const struct sign_issuer *issuer = &signer->issuers[number];
    uint8_t header[64], payload[CREDENTIAL_SIZE_MAX], to_sign[COSE_SIGNED_MAX], signature[64];
    struct cose_sign1 cose = {
        .protected_header = {header, write_protected(issuer, header, sizeof header)},
        .payload = {payload, credential_claims_write(claims, payload, sizeof payload)},
    };
    size_t length = cose_signed_bytes(&cose, to_sign, sizeof to_sign);
    if (cose.payload.length == 0 || length == 0)
        return 0;
    sign_bytes(issuer, &signer->nonces[nonce % signer->nonce_count], to_sign, length, signature);
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_tag(&out, 18);
    cbor_put_array(&out, 4);
    cbor_put_bytes(&out, cose.protected_header);
    cbor_put_map(&out, 0);
    cbor_put_bytes(&out, cose.payload);
    cbor_put_bytes(&out, (struct bytes){signature, sizeof signature});
    return cbor_written(&out).length;
}
