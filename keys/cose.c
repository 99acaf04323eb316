#include "keys/cose.h"

#include <sodium.h>

#define TAG_COSE_SIGN1 18
#define TAG_CWT 61
#define HEADER_ALG 1
#define HEADER_CRIT 2
#define HEADER_KID 4
#define HEADER_TYP 16
#define HEADERS_MAX 16

static const char signature_context[] = "Signature1";

struct headers {
    bool has_alg, has_kid;
    int64_t alg;
};

static void take_kid(struct cbor_reader *in, struct headers *headers, struct cose_sign1 *out)
{
    struct bytes kid = cbor_take_bytes(in);
    if (kid.length != COSE_KID_SIZE || headers->has_kid) {
        in->failed = true;
        return;
    }
    memcpy(out->kid, kid.data, COSE_KID_SIZE);
    headers->has_kid = true;
}

/* RFC 9052 section 3.1. A label that is not understood is passed over, unless `crit` says that it may not be. */
static bool parse_protected(struct headers *headers, struct cose_sign1 *out)
{
    struct cbor_reader in = cbor_read(out->protected_header);
    struct cbor_labels labels;
    labels.number_count = labels.text_count = 0;
    for (uint32_t count = cbor_take_map(&in, HEADERS_MAX); count > 0 && !in.failed; count--) {
        struct cbor_label label = cbor_take_label(&in, &labels);
        if (label.text.data) {
            cbor_take_item(&in);
        } else if (label.number == HEADER_ALG) {
            headers->alg = cbor_take_int(&in);
            headers->has_alg = true;
        } else if (label.number == HEADER_KID) {
            take_kid(&in, headers, out);
        } else if (label.number == HEADER_TYP && cbor_peek(&in) == CBOR_TEXT) {
            out->typ_text = cbor_take_text(&in);
        } else if (label.number == HEADER_TYP) {
            out->typ = cbor_take_uint(&in);
        } else if (label.number == HEADER_CRIT) {
            return false;
        } else {
            cbor_take_item(&in);
        }
    }
    return cbor_done(&in);
}

/* Only the kid may stand here. */
static void take_unprotected(struct cbor_reader *in, struct headers *headers, struct cose_sign1 *out)
{
    if (cbor_take_map(in, 1) == 0)
        return;
    if (cbor_take_int(in) == HEADER_KID)
        take_kid(in, headers, out);
    else
        in->failed = true;
}

enum cose_error cose_parse(struct bytes encoded, struct cose_sign1 *out)
{
    struct headers headers = {0};
    struct cbor_reader in = cbor_read(encoded);
    bool cwt = cbor_peek(&in) == CBOR_TAG && *in.next == 0xd8; /* 61 takes two bytes, 18 one */
    if (cwt && cbor_take_tag(&in) != TAG_CWT)
        return COSE_ERROR_FORM;
    if (cbor_peek(&in) == CBOR_TAG && cbor_take_tag(&in) != TAG_COSE_SIGN1)
        return COSE_ERROR_FORM;
    out->typ = 0;
    out->typ_text = (struct bytes){NULL, 0};
    if (cbor_take_array(&in, 4) != 4)
        return COSE_ERROR_FORM;
    out->protected_header = cbor_take_bytes(&in);
    take_unprotected(&in, &headers, out);
    out->payload = cbor_take_bytes(&in);
    struct bytes signature = cbor_take_bytes(&in);
    if (!cbor_done(&in) || signature.length != COSE_SIGNATURE_SIZE || out->protected_header.length == 0)
        return COSE_ERROR_FORM;
    out->signature = signature.data;
    if (!parse_protected(&headers, out) || !headers.has_kid || !headers.has_alg)
        return COSE_ERROR_FORM;
    return headers.alg == COSE_ALG_EDDSA || headers.alg == COSE_ALG_ED25519 ? COSE_OK : COSE_ERROR_ALGORITHM;
}

size_t cose_signed_bytes(const struct cose_sign1 *message, uint8_t *room, size_t size)
{
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_array(&out, 4);
    cbor_put_text(&out, (struct bytes){(const uint8_t *)signature_context, sizeof signature_context - 1});
    cbor_put_bytes(&out, message->protected_header);
    cbor_put_bytes(&out, (struct bytes){NULL, 0});
    cbor_put_bytes(&out, message->payload);
    return cbor_written(&out).length;
}

size_t cose_sign(struct bytes payload, uint64_t typ, const uint8_t kid[COSE_KID_SIZE], const uint8_t secret_key[64],
                 uint8_t *room, size_t size)
{
    uint8_t header[32], signed_bytes[COSE_SIGNED_MAX], signature[COSE_SIGNATURE_SIZE];
    struct cbor_writer out = cbor_write(header, sizeof header);
    cbor_put_map(&out, 3);
    cbor_put_uint(&out, HEADER_ALG);
    cbor_put_int(&out, COSE_ALG_EDDSA);
    cbor_put_uint(&out, HEADER_KID);
    cbor_put_bytes(&out, (struct bytes){kid, COSE_KID_SIZE});
    cbor_put_uint(&out, HEADER_TYP);
    cbor_put_uint(&out, typ);
    struct cose_sign1 message = {.protected_header = cbor_written(&out), .payload = payload};
    size_t signed_size = cose_signed_bytes(&message, signed_bytes, sizeof signed_bytes);
    if (signed_size == 0)
        return 0;
    crypto_sign_detached(signature, NULL, signed_bytes, signed_size, secret_key);

    out = cbor_write(room, size);
    cbor_put_tag(&out, TAG_COSE_SIGN1);
    cbor_put_array(&out, 4);
    cbor_put_bytes(&out, message.protected_header);
    cbor_put_map(&out, 0);
    cbor_put_bytes(&out, payload);
    cbor_put_bytes(&out, (struct bytes){signature, sizeof signature});
    return cbor_written(&out).length;
}
