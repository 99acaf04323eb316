#include "keys/credential.h"

/* Map keys stand in the order of RFC 8949 section 4.2.1: shorter encodings first, then by bytes; for numbers that is
 * unsigned before negative, each ascending. */

static void put_status(struct cbor_writer *out, const struct credential *c)
{
    cbor_put_uint(out, 65535);
    cbor_put_map(out, 1);
    cbor_put_text(out, bytes_of_text("status_list"));
    cbor_put_map(out, 2);
    cbor_put_text(out, bytes_of_text("idx"));
    cbor_put_uint(out, c->status_index);
    cbor_put_text(out, bytes_of_text("uri"));
    cbor_put_text(out, c->status_uri);
}

static void put_city_claims(struct cbor_writer *out, const struct credential *c)
{
    uint64_t count = 1u + c->has_region + (c->colour != COLOUR_UNKNOWN) + c->has_proofing + c->has_needs_id +
                     (c->delegate != NULL) + (c->photo_digest.length > 0) + (c->roles.length > 0) +
                     (c->venue.length > 0) + c->has_arrival + (c->occupation.length > 0);
    cbor_put_map(out, count);
    cbor_put_uint(out, 1);
    cbor_put_uint(out, c->class);
    if (c->has_region) {
        cbor_put_uint(out, 2);
        cbor_put_uint(out, c->region);
    }
    if (c->colour != COLOUR_UNKNOWN) {
        cbor_put_uint(out, 3);
        cbor_put_uint(out, c->colour);
    }
    if (c->has_proofing) {
        cbor_put_uint(out, 4);
        cbor_put_uint(out, c->proofing);
    }
    if (c->has_needs_id) {
        cbor_put_uint(out, 5);
        cbor_put_bool(out, c->needs_id);
    }
    if (c->delegate) {
        cbor_put_uint(out, 6);
        cbor_put_bytes(out, (struct bytes){c->delegate, 8});
    }
    if (c->photo_digest.length > 0) {
        cbor_put_uint(out, 7);
        cbor_put_bytes(out, c->photo_digest);
    }
    if (c->roles.length > 0) {
        cbor_put_uint(out, 8);
        cbor_put_item(out, c->roles);
    }
    if (c->venue.length > 0) {
        cbor_put_uint(out, 9);
        cbor_put_text(out, c->venue);
    }
    if (c->has_arrival) {
        cbor_put_uint(out, 10);
        cbor_put_uint(out, c->arrival_day);
    }
    if (c->occupation.length > 0) {
        cbor_put_uint(out, 11);
        cbor_put_text(out, c->occupation);
    }
}

size_t credential_claims_write(const struct credential *claims, uint8_t *room, size_t size)
{
    const struct credential *c = claims;
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_map(&out, 5u + (c->nbf_s > 0) + (c->cti != NULL) + (c->status_uri.length > 0));
    cbor_put_uint(&out, 1);
    cbor_put_text(&out, c->issuer);
    cbor_put_uint(&out, 2);
    cbor_put_bytes(&out, (struct bytes){c->subject, SUBJECT_SIZE});
    cbor_put_uint(&out, 4);
    cbor_put_uint(&out, c->exp_s);
    if (c->nbf_s > 0) {
        cbor_put_uint(&out, 5);
        cbor_put_uint(&out, c->nbf_s);
    }
    cbor_put_uint(&out, 6);
    cbor_put_uint(&out, c->iat_s);
    if (c->cti) {
        cbor_put_uint(&out, 7);
        cbor_put_bytes(&out, (struct bytes){c->cti, CTI_SIZE});
    }
    if (c->status_uri.length > 0)
        put_status(&out, c);
    cbor_put_int(&out, -65537);
    put_city_claims(&out, c);
    return cbor_written(&out).length;
}
