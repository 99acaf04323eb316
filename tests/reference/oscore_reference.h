/* OSCORE (RFC 8613) once more, slow and on its own: OpenSSL's HKDF and ciphers, every structure spelled out in bytes.
 * Plays the scanning point against dataplane/oscore.c in tests, and is what the fuzzer compares with. */
#pragma once

#include "keys/point.h"

struct reference_keys {
    uint8_t point_key[32], appliance_key[32], common_iv[13];
};

void reference_derive(const struct point_oscore *point, struct reference_keys *out);

/* Seals a request's plaintext under `sequence`: writes the option's value and the ciphertext, returns its size. */
size_t reference_seal_request(const struct point_oscore *point, uint64_t sequence, struct bytes plain, uint8_t *option,
                              size_t *option_size, uint8_t *out);
/* Opens a request as the appliance should: `piv` as it stands in the option. Returns the plaintext's size, 0 where it
 * does not verify. */
size_t reference_open_request(const struct point_oscore *point, struct bytes piv, struct bytes ciphertext,
                              uint8_t *out);
/* Opens the answer to the request with `request_piv`; `piv` is the answer's own, empty where it has none. */
size_t reference_open_response(const struct point_oscore *point, struct bytes request_piv, struct bytes piv,
                               struct bytes ciphertext, uint8_t *out);
