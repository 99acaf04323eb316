#include "control/cli/claims.h"

#include <stdlib.h>

#include "control/encoding.h"
#include "keys/credential.h"

#define ENTRIES_MAX 64
#define CITY_LABEL (-65537)

struct entry {
    struct bytes label, value;
};

bool claim_edit_from_text(const char *text, uint8_t *room, size_t size, struct claim_edit *out)
{
    memset(out, 0, sizeof *out);
    if (strncmp(text, "city.", 5) == 0) {
        out->city = true;
        text += 5;
    }
    char *end;
    long long label = strtoll(text, &end, 10);
    if (end == text || *end != '=')
        return false;
    struct cbor_writer writer = cbor_write(out->label, sizeof out->label);
    cbor_put_int(&writer, label);
    out->label_size = (uint8_t)cbor_written(&writer).length;
    struct bytes hex = bytes_of_text(end + 1);
    if (hex.length / 2 > size || !hex_decode(hex, room, hex.length / 2))
        return false;
    out->value = (struct bytes){room, hex.length / 2};
    return true;
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    size_t shared = a->label.length < b->label.length ? a->label.length : b->label.length;
    int order = memcmp(a->label.data, b->label.data, shared);
    return order ? order : (a->label.length > b->label.length) - (a->label.length < b->label.length);
}

static unsigned read_entries(struct bytes map, struct entry entries[])
{
    struct cbor_reader in = cbor_read(map);
    uint32_t count = cbor_take_map(&in, ENTRIES_MAX - CLAIM_EDITS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        entries[i].label = cbor_take_item(&in);
        entries[i].value = cbor_take_item(&in);
    }
    return cbor_done(&in) ? count : 0;
}

static unsigned set_entry(struct entry entries[], unsigned count, struct bytes label, struct bytes value)
{
    for (unsigned i = 0; i < count; i++)
        if (bytes_equal(entries[i].label, label)) {
            entries[i].value = value;
            return count;
        }
    entries[count] = (struct entry){label, value};
    return count + 1;
}

static size_t write_entries(struct entry entries[], unsigned count, uint8_t *room, size_t size)
{
    qsort(entries, count, sizeof entries[0], compare_entries);
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++)
        kept += entries[i].value.length > 0;
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_map(&out, kept);
    for (unsigned i = 0; i < count; i++)
        if (entries[i].value.length > 0) {
            cbor_put_item(&out, entries[i].label);
            cbor_put_item(&out, entries[i].value);
        }
    return cbor_written(&out).length;
}

static size_t edit_map(struct bytes map, const struct claim_edit edits[], unsigned count, bool city,
                       struct bytes nested, uint8_t *room, size_t size)
{
    static const uint8_t city_label[] = {0x3a, 0x00, 0x01, 0x00, 0x00};
    struct entry entries[ENTRIES_MAX + 1];
    unsigned entry_count = read_entries(map, entries);
    if (entry_count == 0)
        return 0;
    if (nested.length > 0)
        entry_count = set_entry(entries, entry_count, (struct bytes){city_label, sizeof city_label}, nested);
    for (unsigned i = 0; i < count; i++)
        if (edits[i].city == city)
            entry_count =
                set_entry(entries, entry_count, (struct bytes){edits[i].label, edits[i].label_size}, edits[i].value);
    return write_entries(entries, entry_count, room, size);
}

/* The value of the city's claims, or nothing. */
static struct bytes city_map(struct bytes payload)
{
    struct cbor_reader in = cbor_read(payload);
    for (uint32_t count = cbor_take_map(&in, ENTRIES_MAX); count > 0 && !in.failed; count--) {
        bool found = cbor_take_int(&in) == CITY_LABEL;
        struct bytes value = cbor_take_item(&in);
        if (found)
            return value;
    }
    return (struct bytes){NULL, 0};
}

size_t claims_edit(struct bytes payload, const struct claim_edit edits[], unsigned count, uint8_t *room, size_t size)
{
    uint8_t city_room[CREDENTIAL_SIZE_MAX];
    struct bytes city = city_map(payload);
    if (count > CLAIM_EDITS_MAX || !city.data)
        return 0;
    size_t city_size = edit_map(city, edits, count, true, (struct bytes){NULL, 0}, city_room, sizeof city_room);
    if (city_size == 0)
        return 0;
    return edit_map(payload, edits, count, false, (struct bytes){city_room, city_size}, room, size);
}
