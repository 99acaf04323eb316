#include "keys/issuer.h"

#define ISSUER_KEY_FIELDS 9

size_t issuer_key_encode(const struct issuer_key *key, uint8_t *room, size_t size)
{
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_array(&out, ISSUER_KEY_FIELDS);
    cbor_put_bytes(&out, (struct bytes){key->kid, COSE_KID_SIZE});
    cbor_put_bytes(&out, (struct bytes){key->public_key, sizeof key->public_key});
    cbor_put_text(&out, bytes_of_text(key->issuer));
    cbor_put_uint(&out, key->use);
    cbor_put_uint(&out, key->not_before_s);
    cbor_put_uint(&out, key->not_after_s);
    cbor_put_uint(&out, key->classes);
    cbor_put_array(&out, key->region_count);
    for (uint32_t i = 0; i < key->region_count; i++)
        cbor_put_uint(&out, key->regions[i]);
    cbor_put_bool(&out, key->retired);
    return cbor_written(&out).length;
}

bool issuer_key_decode(struct bytes encoded, struct issuer_key *out)
{
    memset(out, 0, sizeof *out);
    struct cbor_reader in = cbor_read(encoded);
    if (cbor_take_array(&in, ISSUER_KEY_FIELDS) != ISSUER_KEY_FIELDS)
        return false;
    struct bytes kid = cbor_take_bytes(&in);
    struct bytes public_key = cbor_take_bytes(&in);
    struct bytes issuer = cbor_take_text(&in);
    uint64_t use = cbor_take_uint(&in);
    out->not_before_s = cbor_take_uint(&in);
    out->not_after_s = cbor_take_uint(&in);
    uint64_t classes = cbor_take_uint(&in);
    out->region_count = cbor_take_array(&in, ISSUER_REGIONS_MAX);
    for (uint32_t i = 0; i < out->region_count; i++)
        out->regions[i] = (uint32_t)cbor_take_uint(&in);
    out->retired = cbor_take_bool(&in);
    if (!cbor_done(&in) || kid.length != sizeof out->kid || public_key.length != sizeof out->public_key ||
        issuer.length == 0 || issuer.length > CREDENTIAL_ISSUER_MAX || memchr(issuer.data, 0, issuer.length) ||
        use > KEY_USE_RULES || classes >= 1u << CLASS_COUNT)
        return false;
    memcpy(out->kid, kid.data, kid.length);
    memcpy(out->public_key, public_key.data, public_key.length);
    memcpy(out->issuer, issuer.data, issuer.length);
    out->use = (enum key_use)use;
    out->classes = (uint32_t)classes;
    return true;
}

/* GB/T 2260: two digits each for province, prefecture and county; zeros at the end name the whole of what is above. */
static bool region_lies_in(uint32_t region, uint32_t scope)
{
    if (scope % 10000 == 0)
        return region / 10000 == scope / 10000;
    if (scope % 100 == 0)
        return region / 100 == scope / 100;
    return region == scope;
}

bool issuer_key_covers_region(const struct issuer_key *key, uint32_t region)
{
    for (uint32_t i = 0; i < key->region_count; i++)
        if (region_lies_in(region, key->regions[i]))
            return true;
    return key->region_count == 0;
}
