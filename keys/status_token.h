/* Status List Tokens in CWT form (IETF draft-ietf-oauth-status-list, "Status List Token in CWT Format"): a signed,
 * compressed status list, on its way from an issuer to the log. Only control imports them. */
#pragma once

#include "keys/issuer.h"
#include "keys/status_list.h"

/* A list that does not compress, its deflate blocks, claims and signature. */
#define STATUS_TOKEN_SIZE_MAX (STATUS_LIST_BYTES_MAX + 4096)
#define STATUS_TOKEN_TYP_TEXT "application/statuslist+cwt"
#define STATUS_TOKEN_SKEW_S 60 /* an issuer's clock may be ahead by this */

enum status_token_error {
    STATUS_TOKEN_OK,
    STATUS_TOKEN_FORM, /* no COSE_Sign1 with the claims of a status list */
    STATUS_TOKEN_TYP,  /* typ is another use's, or absent */
    STATUS_TOKEN_ALGORITHM,
    STATUS_TOKEN_BITS, /* not 2 bits an entry */
    STATUS_TOKEN_KEY,  /* the key is retired, not valid now, for another use, or another issuer's */
    STATUS_TOKEN_SIGNATURE,
    STATUS_TOKEN_URI, /* `sub` is not the uri asked for */
    STATUS_TOKEN_FUTURE,
    STATUS_TOKEN_EXPIRED,
    STATUS_TOKEN_OLDER,   /* a younger list of this uri is in force */
    STATUS_TOKEN_INFLATE, /* does not inflate, or to more than a list may have */
    STATUS_TOKEN_MEMORY,
};
const char *status_token_error_text(enum status_token_error error);

/* Parsed and checked for form only. Views into the token; valid as long as it is. */
struct status_token {
    struct cose_sign1 cose;
    struct bytes issuer; /* `iss`; empty where absent */
    struct bytes uri;    /* `sub` */
    uint64_t iat_s;
    uint64_t exp_s; /* 0: absent */
    uint32_t ttl_s; /* 0: absent */
    struct bytes compressed;
};

/* The key to verify with is the one of out->cose.kid. */
enum status_token_error status_token_parse(struct bytes encoded, struct status_token *out);

/* Checks key, signature, `uri` (where it is not empty) and times, inflates to `room` (STATUS_LIST_BYTES_MAX), and fills
 * `out`, whose bits point into `room`. `in_force_iat_s` is that of the list of this uri in force, 0 where there is
 * none. */
enum status_token_error status_token_open(const struct status_token *token, const struct issuer_key *key,
                                          struct bytes uri, uint64_t now_s, uint64_t in_force_iat_s, uint8_t *room,
                                          struct status_list *out);
