/* JSON Web Keys (RFC 7517) of Ed25519 (RFC 8037: kty OKP, crv Ed25519) to issuer keys and back. */
#pragma once

#include "control/json.h"
#include "keys/issuer.h"
#include "keys/signing_key.h"

#define JWKS_KEYS_MAX 256

/* Members of an imported key. A private one (`d`) is refused; any other is ignored (RFC 7517 section 4), with a warning
 * unless it is one of RFC 7517's.
 *   kty "OKP", crv "Ed25519", x     required
 *   kid                             required: 16 hexadecimal digits, the COSE kid's 8 bytes
 *   iss                             required: the issuer it signs for
 *   use                             "credential" (default; "sig" is the same), "status" or "rules"
 *   key_ops                         where it stands, "verify" must be in it
 *   retired                         must not be true: key.list says it of a key that must not come back
 *   nbf, exp                        seconds since 1970; default 0 and the end of time
 *   regions                         array of GB/T 2260 codes; default: every region
 *   classes                         array of class names; default: every class (of a credential key)
 *   alg                             "EdDSA" or "Ed25519", may stand, says nothing */

struct jwks {
    struct issuer_key *keys; /* freed by jwks_free */
    uint32_t count;
};

/* Reads one JWK, or a JWKS ({"keys": […]}, at least one, no kid twice). Of a set, keys of another type or curve are
 * left out with a warning. On false nothing is held. */
bool jwks_read(const struct json_place *document, struct jwks *out, struct json_problems *problems);
void jwks_free(struct jwks *jwks);

/* The key as a JWK with every member in force, and "retired" where it is. */
cJSON *issuer_key_json(const struct issuer_key *key);

/* The reference issuer's own file: a JWK with the private member `d`, which only `chengmen key generate` writes and
 * only `chengmen issue` reads. The public form of it can be imported as it is. `issuer` gets the empty text where the
 * key names none. */
bool signing_key_read(const struct json_place *document, struct signing_key *out,
                      char issuer[CREDENTIAL_ISSUER_MAX + 1], struct json_problems *problems);
cJSON *signing_key_json(const struct signing_key *key, enum key_use use, const char *issuer, bool with_private);
/* Reads the file; problems go to standard error. */
bool signing_key_load(const char *path, struct signing_key *out, char issuer[CREDENTIAL_ISSUER_MAX + 1]);
extern const char *const key_use_names[]; /* by enum key_use, ends with NULL */
