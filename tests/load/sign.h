/* Credentials by the million. What is dear in an Ed25519 signature is R = r·B, and it does not depend on the message: a
 * table of (r, R) is made once, and each signature then costs two hash blocks and one multiplication modulo L, about
 * 2 µs instead of 25. Using r again tells the private key to whoever sees two messages: these are the keys of test
 * issuers, derived from a seed that stands in a file, and never anything else. */
#pragma once

#include "keys/issuer.h"
#include "keys/status_list.h"

#define SIGN_NONCES 65536
#define SIGN_ISSUERS_MAX 64

struct sign_issuer {
    char name[CREDENTIAL_ISSUER_MAX + 1];
    uint32_t region;
    uint8_t kid[COSE_KID_SIZE];
    uint8_t public_key[32];
    uint8_t scalar[32];                /* reduced modulo L */
    uint8_t status_kid[COSE_KID_SIZE]; /* of the key that signs its status lists */
    uint8_t status_public_key[32];
    uint8_t status_secret_key[64];
};

struct sign_nonce {
    uint8_t scalar[32];
    uint8_t point[32];
};

struct signer {
    struct sign_issuer issuers[SIGN_ISSUERS_MAX];
    uint32_t issuer_count;
    uint32_t nonce_count;
    struct sign_nonce *nonces; /* owned */
};

/* Keys of `count` issuers of the given names; a name that stands twice has two keys. Takes about 25 µs a nonce. False
 * where memory is out. */
bool signer_open(struct signer *signer, uint64_t seed, const char names[][CREDENTIAL_ISSUER_MAX + 1], uint32_t count,
                 uint32_t nonces);
void signer_close(struct signer *signer);
/* The issuer's key as the log carries it, valid for every class, region and time. */
struct issuer_key signer_key(const struct signer *signer, uint32_t issuer);
/* COSE_Sign1 of the claims, signed by the issuer's key with the nonce of that number (any number). Returns its size, or
 * 0 where `size` is too small. */
size_t signer_sign(const struct signer *signer, uint32_t issuer, uint64_t nonce, const struct credential *claims,
                   uint8_t *room, size_t size);

/* The issuer's key for status lists. */
struct issuer_key signer_status_key(const struct signer *signer, uint32_t issuer);
/* Room for the largest list's token. */
#define SIGN_LIST_SIZE_MAX (STATUS_LIST_BYTES_MAX + 4096)
/* The list as a signed Status List Token (CWT form). Its issuer is that of the key; `entries` is a multiple of 4.
 * Returns its size, or 0 where memory is out. */
size_t signer_sign_list(const struct signer *signer, uint32_t issuer, const struct status_list *list,
                        uint8_t room[SIGN_LIST_SIZE_MAX]);
