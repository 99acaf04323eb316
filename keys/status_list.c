#include "keys/status_list.h"

#include "keys/cbor.h"

#define STATUS_LIST_FIELDS 7
#define STATUS_CHANGE_FIELDS 5
#define VALUE_BITS 2

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

void status_change_put(uint8_t *entries, uint32_t at, uint32_t index, enum status_value value)
{
    uint32_t entry = index << VALUE_BITS | (uint32_t)value;
    memcpy(entries + (size_t)at * sizeof(entry), &entry, sizeof(entry));
}

uint32_t status_change_at(const struct status_change *change, uint32_t at, enum status_value *value)
{
    uint32_t entry;
    memcpy(&entry, change->entries + (size_t)at * sizeof(entry), sizeof(entry));
    *value = (enum status_value)(entry & ((1u << VALUE_BITS) - 1));
    return entry >> VALUE_BITS;
}

size_t status_change_encode(const struct status_change *change, uint8_t *room, size_t size)
{
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_array(&out, STATUS_CHANGE_FIELDS);
    cbor_put_text(&out, bytes_of_text(change->uri));
    cbor_put_uint(&out, change->iat_s);
    cbor_put_uint(&out, change->exp_s);
    cbor_put_uint(&out, change->ttl_s);
    cbor_put_bytes(&out, (struct bytes){change->entries, (size_t)change->count * STATUS_CHANGE_ENTRY_SIZE});
    return cbor_written(&out).length;
}

bool status_change_decode(struct bytes encoded, struct status_change *out)
{
    memset(out, 0, sizeof *out);
    struct cbor_reader in = cbor_read(encoded);
    if (cbor_take_array(&in, STATUS_CHANGE_FIELDS) != STATUS_CHANGE_FIELDS)
        return false;
    struct bytes uri = cbor_take_text(&in);
    out->iat_s = cbor_take_uint(&in);
    out->exp_s = cbor_take_uint(&in);
    uint64_t ttl_s = cbor_take_uint(&in);
    struct bytes entries = cbor_take_bytes(&in);
    if (!cbor_done(&in) || ttl_s > UINT32_MAX || entries.length == 0 ||
        entries.length % STATUS_CHANGE_ENTRY_SIZE != 0 ||
        entries.length / STATUS_CHANGE_ENTRY_SIZE > STATUS_CHANGE_ENTRIES_MAX)
        return false;
    out->ttl_s = (uint32_t)ttl_s;
    out->count = (uint32_t)(entries.length / STATUS_CHANGE_ENTRY_SIZE);
    out->entries = entries.data;
    return copy_text(uri, out->uri, CREDENTIAL_URI_MAX);
}

bool status_change_apply(const struct status_change *change, struct status_list *list, uint8_t *bits)
{
    enum status_value value;
    if (strcmp(change->uri, list->uri) != 0)
        return false;
    for (uint32_t i = 0; i < change->count; i++) {
        if (status_change_at(change, i, &value) >= list->entries)
            return false;
    }
    for (uint32_t i = 0; i < change->count; i++) {
        uint32_t index = status_change_at(change, i, &value);
        unsigned shift = (index & 3) * VALUE_BITS;
        uint8_t *byte = &bits[index >> 2];
        *byte = (uint8_t)((*byte & ~(3u << shift)) | (unsigned)value << shift);
    }
    list->iat_s = change->iat_s;
    list->exp_s = change->exp_s;
    list->ttl_s = change->ttl_s;
    return true;
}
