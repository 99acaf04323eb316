#include "keys/status_token.h"

#include <sodium.h>
#include <stdlib.h>
#include <zlib.h>

#define CLAIM_ISS 1
#define CLAIM_SUB 2
#define CLAIM_EXP 4
#define CLAIM_IAT 6
#define CLAIM_STATUS_LIST 65533
#define CLAIM_TTL 65534
#define CLAIMS_MAX 16
#define LIST_FIELDS_MAX 8
#define BITS 2
/* What the Sig_structure adds to protected header and payload. */
#define SIGNED_OVERHEAD 64

const char *status_token_error_text(enum status_token_error error)
{
    static const char *const texts[] = {
        [STATUS_TOKEN_OK] = "ok",
        [STATUS_TOKEN_FORM] = "not a status list token",
        [STATUS_TOKEN_TYP] = "typ is not that of a status list token",
        [STATUS_TOKEN_ALGORITHM] = "signature algorithm not accepted",
        [STATUS_TOKEN_BITS] = "the list is not of 2 bits an entry, the one width that is taken",
        [STATUS_TOKEN_KEY] = "key is retired, not valid now, for another use or another issuer",
        [STATUS_TOKEN_SIGNATURE] = "signature does not verify",
        [STATUS_TOKEN_URI] = "sub is not the uri of the list",
        [STATUS_TOKEN_FUTURE] = "issued in the future",
        [STATUS_TOKEN_EXPIRED] = "expired",
        [STATUS_TOKEN_OLDER] = "older than the list in force",
        [STATUS_TOKEN_INFLATE] = "does not inflate to a list of at most 2^20 entries",
        [STATUS_TOKEN_MEMORY] = "out of memory",
    };
    return texts[error];
}

static bool is(struct bytes text, const char *wanted)
{
    return bytes_equal(text, bytes_of_text(wanted));
}

/* {"bits": 2, "lst": bytes, ?"aggregation_uri": text} */
static uint64_t take_list(struct cbor_reader *in, struct bytes *compressed)
{
    uint64_t bits = 0;
    struct cbor_labels labels;
    labels.number_count = labels.text_count = 0;
    for (uint32_t count = cbor_take_map(in, LIST_FIELDS_MAX); count > 0 && !in->failed; count--) {
        struct cbor_label label = cbor_take_label(in, &labels);
        if (label.text.data && is(label.text, "bits"))
            bits = cbor_take_uint(in);
        else if (label.text.data && is(label.text, "lst"))
            *compressed = cbor_take_bytes(in);
        else
            cbor_take_item(in);
    }
    return bits;
}

enum status_token_error status_token_parse(struct bytes encoded, struct status_token *out)
{
    memset(out, 0, sizeof(*out));
    if (encoded.length > STATUS_TOKEN_SIZE_MAX)
        return STATUS_TOKEN_FORM;
    enum cose_error error = cose_parse(encoded, &out->cose);
    if (error == COSE_ERROR_ALGORITHM)
        return STATUS_TOKEN_ALGORITHM;
    if (error != COSE_OK)
        return STATUS_TOKEN_FORM;
    if (out->cose.typ != COSE_TYP_STATUS_LIST && !is(out->cose.typ_text, STATUS_TOKEN_TYP_TEXT))
        return STATUS_TOKEN_TYP;
    struct cbor_reader in = cbor_read(out->cose.payload);
    struct cbor_labels labels;
    labels.number_count = labels.text_count = 0;
    uint64_t bits = 0, ttl_s = 0;
    for (uint32_t count = cbor_take_map(&in, CLAIMS_MAX); count > 0 && !in.failed; count--) {
        struct cbor_label label = cbor_take_label(&in, &labels);
        if (label.text.data)
            cbor_take_item(&in);
        else if (label.number == CLAIM_ISS)
            out->issuer = cbor_take_text(&in);
        else if (label.number == CLAIM_SUB)
            out->uri = cbor_take_text(&in);
        else if (label.number == CLAIM_EXP)
            out->exp_s = cbor_take_uint(&in);
        else if (label.number == CLAIM_IAT)
            out->iat_s = cbor_take_uint(&in);
        else if (label.number == CLAIM_TTL)
            ttl_s = cbor_take_uint(&in);
        else if (label.number == CLAIM_STATUS_LIST)
            bits = take_list(&in, &out->compressed);
        else
            cbor_take_item(&in);
    }
    if (!cbor_done(&in) || out->uri.length == 0 || out->uri.length > CREDENTIAL_URI_MAX || out->iat_s == 0 ||
        out->compressed.length == 0 || ttl_s > UINT32_MAX || memchr(out->uri.data, 0, out->uri.length))
        return STATUS_TOKEN_FORM;
    out->ttl_s = (uint32_t)ttl_s;
    return bits == BITS ? STATUS_TOKEN_OK : STATUS_TOKEN_BITS;
}

static enum status_token_error verify(const struct status_token *token, const struct issuer_key *key)
{
    size_t size = token->cose.protected_header.length + token->cose.payload.length + SIGNED_OVERHEAD;
    uint8_t *room = malloc(size);
    if (!room)
        return STATUS_TOKEN_MEMORY;
    size_t length = cose_signed_bytes(&token->cose, room, size);
    bool valid = length > 0 && crypto_sign_verify_detached(token->cose.signature, room, length, key->public_key) == 0;
    free(room);
    return valid ? STATUS_TOKEN_OK : STATUS_TOKEN_SIGNATURE;
}

/* Inflates all of `in`, or nothing: a stream that goes on past the room, or bytes behind its end, are refused. */
static bool inflate_to(struct bytes in, uint8_t *room, size_t size, size_t *length)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.length};
    if (inflateInit(&stream) != Z_OK)
        return false;
    stream.next_out = room;
    stream.avail_out = (uInt)size;
    int result = inflate(&stream, Z_FINISH);
    *length = size - stream.avail_out;
    bool whole = result == Z_STREAM_END && stream.avail_in == 0;
    inflateEnd(&stream);
    return whole;
}

enum status_token_error status_token_open(const struct status_token *token, const struct issuer_key *key,
                                          struct bytes uri, uint64_t now_s, uint64_t in_force_iat_s, uint8_t *room,
                                          struct status_list *out)
{
    if (key->use != KEY_USE_STATUS_LIST || key->retired || now_s < key->not_before_s || now_s >= key->not_after_s ||
        memcmp(key->kid, token->cose.kid, COSE_KID_SIZE) != 0)
        return STATUS_TOKEN_KEY;
    if (token->issuer.length > 0 && !is(token->issuer, key->issuer))
        return STATUS_TOKEN_KEY;
    enum status_token_error error = verify(token, key);
    if (error != STATUS_TOKEN_OK)
        return error;
    if (uri.length > 0 && !bytes_equal(uri, token->uri))
        return STATUS_TOKEN_URI;
    if (token->iat_s > now_s + STATUS_TOKEN_SKEW_S)
        return STATUS_TOKEN_FUTURE;
    if (token->exp_s > 0 && token->exp_s <= now_s)
        return STATUS_TOKEN_EXPIRED;
    if (token->iat_s < in_force_iat_s)
        return STATUS_TOKEN_OLDER;
    size_t length;
    if (!inflate_to(token->compressed, room, STATUS_LIST_BYTES_MAX, &length))
        return STATUS_TOKEN_INFLATE;
    memset(out, 0, sizeof(*out));
    memcpy(out->uri, token->uri.data, token->uri.length);
    memcpy(out->issuer, key->issuer, sizeof(out->issuer));
    out->iat_s = token->iat_s;
    out->exp_s = token->exp_s;
    out->ttl_s = token->ttl_s;
    out->entries = (uint32_t)length * 4;
    out->bits = room;
    return STATUS_TOKEN_OK;
}
