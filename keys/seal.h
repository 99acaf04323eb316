/* Sealing of secrets at rest: XSalsa20-Poly1305 (libsodium's secretbox) under a key of 32 random bytes that stays in a
 * file on the appliance, beside nothing that is copied elsewhere: a store directory, a backup or a replica of the log
 * without that file gives no point's secret away. */
#pragma once

#include "keys/point.h"

#define SEAL_OVERHEAD (24 + 16) /* nonce and tag */

struct seal_key; /* in memory that is locked, not dumped, not inherited */

enum seal_open { SEAL_MUST_EXIST, SEAL_MAY_CREATE };

/* Reads the key file; creates it, mode 0640 (the dataplane may be another user of the group) and durable, where it may
 * and there is none. Refuses one that is not a regular file of that size, or that others than its owner and group may
 * read. NULL with one line in `error`. */
struct seal_key *seal_key_open(const char *path, enum seal_open how, char *error, size_t error_size);
void seal_key_close(struct seal_key *key);

/* Writes nonce, tag and ciphertext; returns in.length + SEAL_OVERHEAD, or 0 where `size` is too small. */
size_t seal(const struct seal_key *key, struct bytes in, uint8_t *room, size_t size);
/* False where it was sealed with another key or touched, or `size` is too small. */
bool unseal(const struct seal_key *key, struct bytes in, uint8_t *room, size_t size, size_t *length);

/* Seals the point's master secret in place, or opens it again. A point without a context stays what it is. False, and
 * unchanged, where it is sealed already, or not sealed with this key. */
bool point_seal(struct point *point, const struct seal_key *key);
bool point_unseal(struct point *point, const struct seal_key *key);
/* Whether the point has a secret that must be unsealed before it is used. */
bool point_is_sealed(const struct point *point);
