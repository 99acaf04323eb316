/* Ed25519 verification for known keys (RFC 8032; accept set of libsodium 1.0.18: cofactorless, S below L, R and A not
 * of small order, A canonical). Everything here is public data: variable time is right. */
#pragma once

#include "keys/bytes.h"

#define ED25519_BURST_MAX 128

enum ed25519_engine { ED25519_AUTO, ED25519_AVX512, ED25519_AVX2, ED25519_PORTABLE, ED25519_SODIUM };

/* Chooses the path and proves it on known answers. Called once, before any other function here. Returns false where the
 * processor or this build lacks the path, or where the proof fails; `error` gets one line for people. */
bool ed25519_start(enum ed25519_engine engine, char *error, size_t error_size);
const char *ed25519_engine_name(void); /* the path in use: "avx512", … */

/* A key with its window tables. Prepared off the workers, shared by all of them, immutable. A key that the accept set
 * refuses (small order, not canonical, no point) prepares well and verifies nothing. NULL where memory is out. */
struct ed25519_key;
struct ed25519_key *ed25519_key_prepare(const uint8_t public_key[32]);
void ed25519_key_free(struct ed25519_key *key);
size_t ed25519_key_memory_bytes(const struct ed25519_key *key);

struct ed25519_check {
    const uint8_t *message;
    size_t length;
    const uint8_t *signature; /* 64 bytes */
    const struct ed25519_key *key;
};

/* Verifies n signatures, 1 to ED25519_BURST_MAX, mixed keys and lengths; valid[i] depends on checks[i] alone. Never
 * allocates, never fails, safe to call from any number of threads. */
void ed25519_verify_burst(const struct ed25519_check checks[], bool valid[], unsigned n);
