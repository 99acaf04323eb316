/* Status lists as an issuer publishes them: compressed, in a CWT, signed (IETF Token Status List, section 5.2). */
#include <sodium.h>
#include <stdlib.h>
#include <zlib.h>

#include "keys/status_token.h"
#include "tests/load/sign.h"

enum { CLAIM_ISS = 1, CLAIM_SUB = 2, CLAIM_EXP = 4, CLAIM_IAT = 6, CLAIM_LIST = 65533, CLAIM_TTL = 65534 };

struct issuer_key signer_status_key(const struct signer *signer, uint32_t number)
{
    const struct sign_issuer *issuer = &signer->issuers[number];
    struct issuer_key key = {.use = KEY_USE_STATUS_LIST, .not_after_s = UINT64_C(1) << 40};
    memcpy(key.kid, issuer->status_kid, sizeof key.kid);
    memcpy(key.public_key, issuer->status_public_key, sizeof key.public_key);
    memcpy(key.issuer, issuer->name, sizeof key.issuer);
    return key;
}

static size_t write_protected(const struct sign_issuer *issuer, uint8_t *room, size_t size)
{
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_map(&out, 3);
    cbor_put_uint(&out, 1);
    cbor_put_int(&out, COSE_ALG_EDDSA);
    cbor_put_uint(&out, 4);
    cbor_put_bytes(&out, (struct bytes){issuer->status_kid, COSE_KID_SIZE});
    cbor_put_uint(&out, 16);
    cbor_put_text(&out, bytes_of_text(STATUS_TOKEN_TYP_TEXT));
    return cbor_written(&out).length;
}

static size_t write_claims(const struct sign_issuer *issuer, const struct status_list *list, struct bytes packed,
                           uint8_t *room, size_t size)
{
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_map(&out, 6);
    cbor_put_uint(&out, CLAIM_ISS);
    cbor_put_text(&out, bytes_of_text(issuer->name));
    cbor_put_uint(&out, CLAIM_SUB);
    cbor_put_text(&out, bytes_of_text(list->uri));
    cbor_put_uint(&out, CLAIM_EXP);
    cbor_put_uint(&out, list->exp_s);
    cbor_put_uint(&out, CLAIM_IAT);
    cbor_put_uint(&out, list->iat_s);
    cbor_put_uint(&out, CLAIM_LIST);
    cbor_put_map(&out, 2);
    cbor_put_text(&out, bytes_of_text("bits"));
    cbor_put_uint(&out, 2);
    cbor_put_text(&out, bytes_of_text("lst"));
    cbor_put_bytes(&out, packed);
    cbor_put_uint(&out, CLAIM_TTL);
    cbor_put_uint(&out, list->ttl_s);
    return cbor_written(&out).length;
}

size_t signer_sign_list(const struct signer *signer, uint32_t number, const struct status_list *list,
                        uint8_t room[SIGN_LIST_SIZE_MAX])
{
    const struct sign_issuer *issuer = &signer->issuers[number];
    uint8_t header[64], signature[64];
    uLongf packed_size = compressBound(list->entries / 4);
    size_t size = packed_size + 1024, length = 0;
    uint8_t *packed = malloc(packed_size), *payload = malloc(size), *to_sign = malloc(size);
    struct cbor_writer out = cbor_write(room, SIGN_LIST_SIZE_MAX);
    if (packed && payload && to_sign && compress2(packed, &packed_size, list->bits, list->entries / 4, 9) == Z_OK) {
        struct cose_sign1 cose = {
            .protected_header = {header, write_protected(issuer, header, sizeof header)},
            .payload = {payload, write_claims(issuer, list, (struct bytes){packed, packed_size}, payload, size)},
        };
        length = cose_signed_bytes(&cose, to_sign, size);
        crypto_sign_detached(signature, NULL, to_sign, length, issuer->status_secret_key);
        cbor_put_tag(&out, 18);
        cbor_put_array(&out, 4);
        cbor_put_bytes(&out, cose.protected_header);
        cbor_put_map(&out, 0);
        cbor_put_bytes(&out, cose.payload);
        cbor_put_bytes(&out, (struct bytes){signature, sizeof signature});
    }
    free(packed);
    free(payload);
    free(to_sign);
    return length > 0 ? cbor_written(&out).length : 0;
}
