/* COSE_Sign1 (RFC 9052 section 4.2) as the design allows it: alg EdDSA (-8) or Ed25519 (-19), kid of 8 bytes in either
 * header, typ (16) in the protected header, payload attached. Tags 61 (CWT) and 18 may stand before it. */
#pragma once

#include "keys/cbor.h"

#define COSE_KID_SIZE 8
#define COSE_SIGNATURE_SIZE 64
#define COSE_ALG_EDDSA (-8)
#define COSE_ALG_ED25519 (-19)
/* Room for the largest Sig_structure that a credential or a venue pass needs. */
#define COSE_SIGNED_MAX 1024

enum cose_typ {
    COSE_TYP_CREDENTIAL = 65000,
    COSE_TYP_STATUS_LIST = 65001,
    COSE_TYP_RULES = 65002,
};

enum cose_error {
    COSE_OK,
    COSE_ERROR_FORM,      /* not a COSE_Sign1 in the strict form */
    COSE_ERROR_ALGORITHM, /* alg is neither -8 nor -19 */
};

/* Views into the parsed message; valid as long as it is. */
struct cose_sign1 {
    struct bytes protected_header; /* the content of the bstr */
    struct bytes payload;
    const uint8_t *signature; /* COSE_SIGNATURE_SIZE */
    uint8_t kid[COSE_KID_SIZE];
    uint64_t typ;          /* enum cose_typ or another number; 0 where absent or text */
    struct bytes typ_text; /* empty where absent or a number */
};

/* Parses all of `in`. The caller compares typ with its use. */
enum cose_error cose_parse(struct bytes in, struct cose_sign1 *out);

/* Writes the Sig_structure (RFC 9052 section 4.4, "Signature1", no external data) to `room`; returns its size, or 0
 * where `size` is too small. */
size_t cose_signed_bytes(const struct cose_sign1 *message, uint8_t *room, size_t size);

/* Signs `payload` with a libsodium secret key (64 bytes) and writes tag 18 and the COSE_Sign1 to `room`; returns its
 * size, or 0 where `size` is too small. */
size_t cose_sign(struct bytes payload, uint64_t typ, const uint8_t kid[COSE_KID_SIZE], const uint8_t secret_key[64],
                 uint8_t *room, size_t size);
