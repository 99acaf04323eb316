/* AES-CCM-16-64-128 (RFC 9053 section 4.2) in bursts, behind a seam: aead_dpdk.c over DPDK's cryptodev, or the tests'
 * aead_openssl.c. Messages are independent: each has its own key and result. */
#pragma once

#include "keys/oscore_keys.h"

#define AEAD_BURST_MAX 64
#define AEAD_AAD_MAX 40
#define AEAD_SIZE_MAX 2048 /* bytes of a message without its tag */

struct aead_job {
    uint64_t key_id;    /* never two keys under one id in the life of the process: expanded keys are cached by it */
    const uint8_t *key; /* OSCORE_CCM_KEY_SIZE; read during the call only */
    uint8_t *data;      /* turned in place; the tag stands behind it */
    uint16_t size;      /* without the tag, 1 to AEAD_SIZE_MAX */
    uint8_t nonce[OSCORE_CCM_NONCE_SIZE];
    uint8_t aad_size; /* 1 to AEAD_AAD_MAX */
    uint8_t aad[AEAD_AAD_MAX];
    bool seal; /* else open */
    bool ok;   /* the result: sealed, or opened and authentic. Where it is false, data is undefined */
};

/* A worker's own. */
struct aead;

/* Runs up to AEAD_BURST_MAX jobs to their end. Never allocates. */
void aead_run(struct aead *aead, struct aead_job *jobs[], unsigned n);

/* Wipes what is cached of a key, or of all keys. */
void aead_forget(struct aead *aead, uint64_t key_id);
void aead_forget_all(struct aead *aead);
