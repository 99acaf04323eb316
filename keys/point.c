#include "keys/point.h"

#include "keys/cbor.h"

#define POINT_FIELDS 13
#define OSCORE_FIELDS 6
#define PRIORITY_MAX 3

static void put_oscore(struct cbor_writer *out, const struct point_oscore *o)
{
    cbor_put_array(out, OSCORE_FIELDS);
    cbor_put_uint(out, o->alg);
    cbor_put_bytes(out, (struct bytes){o->master_secret, o->master_secret_size});
    cbor_put_bytes(out, (struct bytes){o->master_salt, o->master_salt_size});
    cbor_put_bytes(out, (struct bytes){o->id_context, o->id_context_size});
    cbor_put_bytes(out, (struct bytes){o->point_id, o->point_id_size});
    cbor_put_bytes(out, (struct bytes){o->appliance_id, o->appliance_id_size});
}

size_t point_encode(const struct point *point, uint8_t *room, size_t size)
{
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_array(&out, POINT_FIELDS);
    cbor_put_uint(&out, point->id);
    cbor_put_text(&out, bytes_of_text(point->venue));
    cbor_put_text(&out, bytes_of_text(point->venue_class));
    cbor_put_text(&out, bytes_of_text(point->group));
    cbor_put_uint(&out, point->district);
    cbor_put_uint(&out, point->zone);
    cbor_put_uint(&out, point->mode);
    cbor_put_uint(&out, point->priority);
    cbor_put_uint(&out, point->address_family);
    cbor_put_bytes(&out, (struct bytes){point->address, sizeof point->address});
    cbor_put_uint(&out, point->rate_per_s);
    cbor_put_uint(&out, point->burst);
    put_oscore(&out, &point->oscore);
    return cbor_written(&out).length;
}

static void take_text(struct cbor_reader *in, char *room)
{
    struct bytes text = cbor_take_text(in);
    if (text.length > POINT_TEXT_MAX || (text.length > 0 && memchr(text.data, 0, text.length)))
        in->failed = true;
    else if (text.length > 0)
        memcpy(room, text.data, text.length);
}

static uint32_t take_u32(struct cbor_reader *in, uint64_t max)
{
    uint64_t value = cbor_take_uint(in);
    if (value > max)
        in->failed = true;
    return (uint32_t)value;
}

static uint8_t take_field(struct cbor_reader *in, uint8_t *room, size_t size)
{
    struct bytes value = cbor_take_bytes(in);
    if (value.length > size)
        in->failed = true;
    else if (value.length > 0)
        memcpy(room, value.data, value.length);
    return (uint8_t)value.length;
}

static void take_oscore(struct cbor_reader *in, struct point_oscore *o)
{
    if (cbor_take_array(in, OSCORE_FIELDS) != OSCORE_FIELDS)
        in->failed = true;
    o->alg = (enum point_oscore_alg)take_u32(in, POINT_OSCORE_CHACHA20);
    if (o->alg != POINT_OSCORE_NONE && o->alg != POINT_OSCORE_AES_CCM && o->alg != POINT_OSCORE_CHACHA20)
        in->failed = true;
    o->master_secret_size = take_field(in, o->master_secret, sizeof o->master_secret);
    o->master_salt_size = take_field(in, o->master_salt, sizeof o->master_salt);
    o->id_context_size = take_field(in, o->id_context, sizeof o->id_context);
    o->point_id_size = take_field(in, o->point_id, sizeof o->point_id);
    o->appliance_id_size = take_field(in, o->appliance_id, sizeof o->appliance_id);
}

bool point_decode(struct bytes encoded, struct point *out)
{
    memset(out, 0, sizeof *out);
    struct cbor_reader in = cbor_read(encoded);
    if (cbor_take_array(&in, POINT_FIELDS) != POINT_FIELDS)
        return false;
    out->id = take_u32(&in, UINT32_MAX);
    take_text(&in, out->venue);
    take_text(&in, out->venue_class);
    take_text(&in, out->group);
    out->district = take_u32(&in, UINT32_MAX);
    out->zone = take_u32(&in, UINT32_MAX);
    out->mode = (enum point_mode)take_u32(&in, POINT_MODE_NOT_REQUIRED);
    out->priority = (uint8_t)take_u32(&in, PRIORITY_MAX);
    out->address_family = (uint8_t)take_u32(&in, 6);
    struct bytes address = cbor_take_bytes(&in);
    out->rate_per_s = take_u32(&in, UINT32_MAX);
    out->burst = take_u32(&in, UINT32_MAX);
    take_oscore(&in, &out->oscore);
    if (!cbor_done(&in) || address.length != sizeof out->address)
        return false;
    memcpy(out->address, address.data, sizeof out->address);
    return out->address_family == 0 || out->address_family == 4 || out->address_family == 6;
}

const char *point_mode_name(enum point_mode mode)
{
    static const char *const names[] = {"enforce", "advisory", "not-required"};
    return (unsigned)mode <= POINT_MODE_NOT_REQUIRED ? names[mode] : "unknown";
}
