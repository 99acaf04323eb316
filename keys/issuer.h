/* Issuer keys: what is trusted, for what, and when. */
#pragma once

#include "keys/credential.h"

#define ISSUER_REGIONS_MAX 64

enum key_use { KEY_USE_CREDENTIAL = 0, KEY_USE_STATUS_LIST = 1, KEY_USE_RULES = 2 };

/* One key as the log carries it. A key signs for one use only. */
struct issuer_key {
    uint8_t kid[COSE_KID_SIZE];
    uint8_t public_key[32];
    char issuer[CREDENTIAL_ISSUER_MAX + 1]; /* the `iss` it may sign */
    enum key_use use;
    uint64_t not_before_s;
    uint64_t not_after_s;                 /* exclusive */
    uint32_t classes;                     /* bit 1 << enum credential_class */
    uint32_t region_count;                /* 0: every region */
    uint32_t regions[ISSUER_REGIONS_MAX]; /* GB/T 2260: 310000 covers 3101xx, 310100 covers 310100..310199 */
    bool retired;
};

#define ISSUER_KEY_ENCODED_MAX 768
/* The log's form (CBOR). Encoding returns the size, or 0 where `size` is too small. Decoding refuses what is not in
 * the exact form. */
size_t issuer_key_encode(const struct issuer_key *key, uint8_t *room, size_t size);
bool issuer_key_decode(struct bytes in, struct issuer_key *out);

/* Whether GB/T 2260 code `region` lies in the key's scope. */
bool issuer_key_covers_region(const struct issuer_key *key, uint32_t region);
