/* The credential: a CWT (RFC 8392) in COSE_Sign1 with the city's claims (design section 4). */
#pragma once

#include "keys/cose.h"

#define CREDENTIAL_SIZE_MAX 800
#define CREDENTIAL_ISSUER_MAX 32
#define CREDENTIAL_URI_MAX 128
#define CREDENTIAL_TEXT_MAX 64
#define CREDENTIAL_ROLES_MAX 8
#define SUBJECT_SIZE 16
#define CTI_SIZE 8

enum credential_class {
    CLASS_DYNAMIC = 0,
    CLASS_PRINTED = 1,
    CLASS_DELEGATED = 2,
    CLASS_ENTERPRISE = 3,
    CLASS_VENUE_PASS = 4,
    CLASS_COUNT
};

enum colour { COLOUR_GREEN = 0, COLOUR_YELLOW = 1, COLOUR_RED = 2, COLOUR_UNKNOWN = 3 };

/* Parsed and checked for form only: nothing in it is to be believed before the signature is verified. Views point
 * into the message. `has_*` tells an absent optional claim from a zero. */
struct credential {
    struct cose_sign1 cose;
    struct bytes issuer;
    const uint8_t *subject; /* SUBJECT_SIZE */
    uint64_t exp_s;
    uint64_t iat_s;
    uint64_t nbf_s;          /* CWT claim 5; 0 where absent */
    const uint8_t *cti;      /* CTI_SIZE, or NULL */
    struct bytes status_uri; /* empty where there is no status claim */
    uint64_t status_index;
    enum credential_class class;
    uint32_t region;    /* GB/T 2260 */
    enum colour colour; /* COLOUR_UNKNOWN where absent */
    uint32_t proofing;
    bool needs_id;
    const uint8_t *delegate; /* 8 bytes, or NULL */
    struct bytes photo_digest;
    struct bytes roles; /* the claim's encoding, checked: an array of at most CREDENTIAL_ROLES_MAX texts; or empty */
    struct bytes venue; /* text; empty where absent */
    uint32_t arrival_day;
    struct bytes occupation; /* text; empty where absent */
    bool has_region, has_proofing, has_needs_id, has_arrival;
};

enum credential_error {
    CREDENTIAL_OK,
    CREDENTIAL_ERROR_FORM,
    CREDENTIAL_ERROR_ALGORITHM,
    CREDENTIAL_ERROR_TYP,
    CREDENTIAL_ERROR_CLAIMS, /* well-formed, but a claim is missing or not allowed for its class */
};

enum credential_error credential_parse(struct bytes cose, struct credential *out);

/* The longest life of each class, seconds (design section 4). */
uint64_t credential_life_max_s(enum credential_class class);
const char *credential_class_name(enum credential_class class);
const char *colour_name(enum colour colour);

/* Writes the claims of `claims` (its cose member is not read) as a CWT payload; returns its size, or 0 where `size` is
 * too small. Deterministic. */
size_t credential_claims_write(const struct credential *claims, uint8_t *room, size_t size);
