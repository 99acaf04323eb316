/* The parts of OSCORE (RFC 8613) that need no key: the option's value, nonces, and the additional authenticated data.
 * Used by the dataplane and by the client library. */
#pragma once

#include "keys/bytes.h"
#include "keys/oscore_keys.h"

#define OSCORE_PIV_MAX 5
#define OSCORE_KID_MAX 7
#define OSCORE_KID_CONTEXT_MAX POINT_ID_CONTEXT_MAX
#define OSCORE_OPTION_MAX (1 + OSCORE_PIV_MAX + 1 + OSCORE_KID_CONTEXT_MAX + OSCORE_KID_MAX)
#define OSCORE_SEQUENCE_LIMIT (UINT64_C(1) << 40)
/* ["Encrypt0", h'', external_aad]: 13 bytes of frame around [1, [alg], kid, piv, h'']. */
#define OSCORE_AAD_MAX 40

/* The option's value (section 6.1). Views point into the message. */
struct oscore_option {
    struct bytes piv; /* empty where absent */
    struct bytes kid_context;
    struct bytes kid;
    bool has_kid, has_kid_context;
};

/* False where the value is malformed: reserved bits or lengths, a Partial IV with leading zeroes, an all-zero flag byte
 * that is written out. */
bool oscore_option_read(struct bytes value, struct oscore_option *out);
/* Writes into OSCORE_OPTION_MAX bytes; returns the size. A Partial IV and ids that are in their bounds are the
 * caller's duty. */
size_t oscore_option_write(const struct oscore_option *option, uint8_t room[OSCORE_OPTION_MAX]);

/* A sequence number as a Partial IV: big-endian, shortest, at least one byte. Returns its size. */
uint8_t oscore_piv_write(uint64_t sequence, uint8_t room[OSCORE_PIV_MAX]);
/* The value of a Partial IV of at most OSCORE_PIV_MAX bytes. */
uint64_t oscore_piv_read(struct bytes piv);

/* Section 5.2; `id` is the sender id of the end that chose the Partial IV. Both are in their bounds. */
void oscore_nonce(const uint8_t *common_iv, uint8_t nonce_size, struct bytes id, struct bytes piv,
                  uint8_t nonce[OSCORE_IV_MAX]);
/* Section 5.4, of the request's kid and Partial IV, for requests and responses alike. Returns the size. */
uint8_t oscore_aad(enum point_oscore_alg alg, struct bytes request_kid, struct bytes request_piv,
                   uint8_t room[OSCORE_AAD_MAX]);
