#include "keys/status_list.h"

#include "keys/cbor.h"

#define STATUS_LIST_FIELDS 7

enum colour status_colour(enum status_value value)
{
    switch (value) {
    case STATUS_VALID:
        return COLOUR_GREEN;
    case STATUS_SUSPENDED:
        return COLOUR_YELLOW;
    case STATUS_APPLICATION:
        return COLOUR_RED;
    default:
        return COLOUR_UNKNOWN;
    }
}

size_t status_list_encode(const struct status_list *list, uint8_t *room, size_t size)
{
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_array(&out, STATUS_LIST_FIELDS);
    cbor_put_text(&out, bytes_of_text(list->uri));
    cbor_put_text(&out, bytes_of_text(list->issuer));
    cbor_put_uint(&out, list->iat_s);
    cbor_put_uint(&out, list->exp_s);
    cbor_put_uint(&out, list->ttl_s);
    cbor_put_uint(&out, list->entries);
    cbor_put_bytes(&out, (struct bytes){list->bits, list->entries / 4});
    return cbor_written(&out).length;
}

static bool copy_text(struct bytes text, char *room, size_t max)
{
    if (text.length == 0 || text.length > max || memchr(text.data, 0, text.length))
        return false;
    memcpy(room, text.data, text.length);
    return true;
}

bool status_list_decode(struct bytes encoded, struct status_list *out)
{
    memset(out, 0, sizeof *out);
    struct cbor_reader in = cbor_read(encoded);
    if (cbor_take_array(&in, STATUS_LIST_FIELDS) != STATUS_LIST_FIELDS)
        return false;
    struct bytes uri = cbor_take_text(&in);
    struct bytes issuer = cbor_take_text(&in);
    out->iat_s = cbor_take_uint(&in);
    out->exp_s = cbor_take_uint(&in);
    uint64_t ttl_s = cbor_take_uint(&in);
    uint64_t entries = cbor_take_uint(&in);
    struct bytes bits = cbor_take_bytes(&in);
    if (!cbor_done(&in) || ttl_s > UINT32_MAX || entries > STATUS_LIST_ENTRIES_MAX || entries % 4 != 0 ||
        bits.length != entries / 4)
        return false;
    out->ttl_s = (uint32_t)ttl_s;
    out->entries = (uint32_t)entries;
    out->bits = bits.data;
    return copy_text(uri, out->uri, CREDENTIAL_URI_MAX) && copy_text(issuer, out->issuer, CREDENTIAL_ISSUER_MAX);
}
