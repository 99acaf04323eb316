/* Ed25519 verification for known keys (RFC 8032; accept set of libsodium 1.0.18: cofactorless, S below L, R and A not
 * of small order, A canonical). Everything here is public data: variable time is right.
 *
 * Order of calls: ed25519_configure (or not), ed25519_start, then keys and bursts, then ed25519_stop. */
#pragma once

#include "keys/bytes.h"

#define ED25519_BURST_MAX 128

enum ed25519_engine { ED25519_AUTO, ED25519_AVX512, ED25519_AVX2, ED25519_PORTABLE, ED25519_SODIUM };

/* Chooses the widths of the window tables: the fewest additions a signature that `keys_expected` keys and the base
 * point reach within `budget_bytes`, and never less than the smallest tables. More keys than expected work and cost as
 * much each. Without this call: one key, ED25519_BUDGET_DEFAULT. Called before ed25519_start. */
#define ED25519_BUDGET_DEFAULT ((size_t)4 << 20)
void ed25519_configure(unsigned keys_expected, size_t budget_bytes);
/* Bounds the base point's table and a key's beside the budget; SIZE_MAX is no bound, and where nothing starts from. */
void ed25519_configure_limits(size_t base_bytes_max, size_t key_bytes_max);

/* Chooses the path, builds the base point's table (up to 50 MB; 0.05 to 0.3 s) and proves every path in use on
 * known answers. Called before any key is prepared. Returns false where the processor or this build lacks the path,
 * where memory is out or where the proof fails; `error` gets one line for people. */
bool ed25519_start(enum ed25519_engine engine, char *error, size_t error_size);
/* Frees the base point's table. Every key must have been freed. ed25519_start may follow. */
void ed25519_stop(void);
const char *ed25519_engine_name(void); /* the path in use: "avx512", … */

/* A key with its window tables. Prepared off the workers (up to 4 ms with AVX-512 IFMA, 12 ms with AVX2, 30 ms
 * without), shared by all of them, immutable. A key that the accept set refuses (small order, not canonical, no point)
 * prepares well and verifies nothing. NULL where memory is out. Both calls are safe from any thread, also while others
 * verify with other keys. */
struct ed25519_key;
struct ed25519_key *ed25519_key_prepare(const uint8_t public_key[32]);
/* The two halves of it, for who must not wait: a key that verifies at once, slowly, by libsodium, with the same
 * verdicts; and its tables, which any one thread may build while others verify with the key. False where memory is out:
 * the key stays as it is. */
struct ed25519_key *ed25519_key_open(const uint8_t public_key[32]);
bool ed25519_key_build(struct ed25519_key *key);
bool ed25519_key_is_built(const struct ed25519_key *key);
void ed25519_key_free(struct ed25519_key *key);
size_t ed25519_key_memory_bytes(const struct ed25519_key *key);

/* For telemetry. */
struct ed25519_memory {
    unsigned base_width_bits, key_width_bits; /* of the windows; 0 with libsodium */
    unsigned additions;                       /* of points, a signature */
    size_t base_bytes;                        /* the base point's table */
    size_t key_bytes;                         /* an accepted key's table */
    unsigned keys;                            /* prepared and not yet freed, refused ones with them */
    size_t total_bytes;                       /* all tables now */
};
struct ed25519_memory ed25519_memory(void);

struct ed25519_check {
    const uint8_t *message;
    size_t length;
    const uint8_t *signature; /* 64 bytes */
    const struct ed25519_key *key;
};

/* Verifies n signatures, 1 to ED25519_BURST_MAX, mixed keys and lengths; valid[i] depends on checks[i] alone. Never
 * allocates, never fails, safe to call from any number of threads. */
void ed25519_verify_burst(const struct ed25519_check checks[], bool valid[], unsigned n);
