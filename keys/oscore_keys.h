/* Keys of an OSCORE security context (RFC 8613 section 3.2): HKDF-SHA-256 over the master secret. Both ends derive with
 * this: the appliance from a point's record, the client library from its context file. */
#pragma once

#include "keys/point.h"

#define OSCORE_KEY_MAX 32
#define OSCORE_IV_MAX 13
#define OSCORE_CCM_KEY_SIZE 16
#define OSCORE_CCM_NONCE_SIZE 13
#define OSCORE_CCM_TAG_SIZE 8
#define OSCORE_CHACHA_KEY_SIZE 32
#define OSCORE_CHACHA_NONCE_SIZE 12
#define OSCORE_CHACHA_TAG_SIZE 16
#define OSCORE_TAG_MAX OSCORE_CHACHA_TAG_SIZE

struct oscore_keys {
    enum point_oscore_alg alg;
    uint8_t sender_key[OSCORE_KEY_MAX];
    uint8_t recipient_key[OSCORE_KEY_MAX];
    uint8_t common_iv[OSCORE_IV_MAX];
    uint8_t key_size, nonce_size, tag_size;
};

/* Which end derives: the point sends with the key of point_id, the appliance with the key of appliance_id. */
enum oscore_end { OSCORE_END_APPLIANCE, OSCORE_END_POINT };

/* False where the algorithm is none of ours, the secret is empty or sealed, an id is longer than the nonce allows, or
 * both ids are the same. An ID context or salt of size 0 is absent. The caller wipes `out`. */
bool oscore_keys_derive(const struct point_oscore *point, enum oscore_end end, struct oscore_keys *out);

/* Overwrites memory that held secrets; the compiler does not drop it. */
void oscore_wipe(void *secret, size_t size);
