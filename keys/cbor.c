#include "keys/cbor.h"

#include "keys/utf8.h"

/* Entries of a map inside a skipped item whose keys are compared with one another. */
#define SKIPPED_MAP_MAX 64

static size_t left(const struct cbor_reader *in)
{
    return (size_t)(in->end - in->next);
}

uint64_t cbor_take_long_argument(struct cbor_reader *in, enum cbor_type type)
{
    if (in->failed || in->next == in->end || *in->next >> 5 != type)
        return cbor_fail(in);
    unsigned info = *in->next++ & 31;
    size_t size = info >= 24 && info <= 27 ? (size_t)1 << (info - 24) : 0;
    if (size == 0 || left(in) < size)
        return cbor_fail(in);
    uint64_t value = 0, shorter_holds = 24;
    if (size == 1) {
        value = in->next[0];
    } else if (size == 2) {
        value = (uint64_t)in->next[0] << 8 | in->next[1];
        shorter_holds = UINT64_C(1) << 8;
    } else {
        for (size_t i = 0; i < size; i++)
            value = value << 8 | in->next[i];
        shorter_holds = UINT64_C(1) << (4 * size);
    }
    in->next += size;
    return value < shorter_holds ? cbor_fail(in) : value;
}

int64_t cbor_take_int(struct cbor_reader *in)
{
    enum cbor_type type = cbor_peek(in);
    if (type != CBOR_UINT && type != CBOR_NEGATIVE)
        return (int64_t)cbor_fail(in);
    uint64_t value = cbor_take_argument(in, type);
    if (value > INT64_MAX)
        return (int64_t)cbor_fail(in);
    return type == CBOR_UINT ? (int64_t)value : -1 - (int64_t)value;
}

bool cbor_take_bool(struct cbor_reader *in)
{
    uint64_t value = cbor_take_argument(in, CBOR_SIMPLE);
    if (value != 20 && value != 21)
        cbor_fail(in);
    return value == 21;
}

struct bytes cbor_take_text(struct cbor_reader *in)
{
    struct bytes value = cbor_take_string(in, CBOR_TEXT);
    if (!in->failed && !utf8_valid(value)) {
        cbor_fail(in);
        return (struct bytes){NULL, 0};
    }
    return value;
}

uint32_t cbor_take_array(struct cbor_reader *in, uint32_t max)
{
    uint64_t count = cbor_take_argument(in, CBOR_ARRAY);
    return count > max || count > left(in) ? (uint32_t)cbor_fail(in) : (uint32_t)count;
}

uint32_t cbor_take_map(struct cbor_reader *in, uint32_t max)
{
    uint64_t count = cbor_take_argument(in, CBOR_MAP);
    return count > max || count > left(in) / 2 ? (uint32_t)cbor_fail(in) : (uint32_t)count;
}

uint64_t cbor_take_tag(struct cbor_reader *in)
{
    return cbor_take_argument(in, CBOR_TAG);
}

static void skip_item(struct cbor_reader *in, unsigned depth);

static void skip_map(struct cbor_reader *in, unsigned depth)
{
    struct bytes keys[SKIPPED_MAP_MAX];
    uint32_t count = cbor_take_map(in, SKIPPED_MAP_MAX);
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        const uint8_t *start = in->next;
        skip_item(in, depth + 1);
        keys[i] = (struct bytes){start, (size_t)(in->next - start)};
        for (uint32_t j = 0; j < i; j++)
            if (bytes_equal(keys[i], keys[j]))
                cbor_fail(in);
        skip_item(in, depth + 1);
    }
}

/* Simple values and floats: false, true, null, undefined; half, single and double precision. */
static void skip_simple(struct cbor_reader *in)
{
    unsigned info = *in->next & 31;
    size_t size = info >= 25 && info <= 27 ? (size_t)1 << (info - 24) : 0;
    if ((info < 20 || info > 23) && size == 0)
        cbor_fail(in);
    else if (left(in) < 1 + size)
        cbor_fail(in);
    else
        in->next += 1 + size;
}

static void skip_item(struct cbor_reader *in, unsigned depth)
{
    enum cbor_type type = cbor_peek(in);
    if (in->failed)
        return;
    if (depth >= CBOR_DEPTH_MAX) {
        cbor_fail(in);
        return;
    }
    switch (type) {
    case CBOR_UINT:
    case CBOR_NEGATIVE:
        cbor_take_argument(in, type);
        break;
    case CBOR_BYTES:
        cbor_take_bytes(in);
        break;
    case CBOR_TEXT:
        cbor_take_text(in);
        break;
    case CBOR_ARRAY:
        for (uint32_t count = cbor_take_array(in, UINT32_MAX); count > 0 && !in->failed; count--)
            skip_item(in, depth + 1);
        break;
    case CBOR_MAP:
        skip_map(in, depth);
        break;
    case CBOR_TAG:
        cbor_take_tag(in);
        skip_item(in, depth + 1);
        break;
    case CBOR_SIMPLE:
        skip_simple(in);
        break;
    }
}

struct bytes cbor_take_item(struct cbor_reader *in)
{
    const uint8_t *start = in->next;
    skip_item(in, 0);
    return in->failed ? (struct bytes){NULL, 0} : (struct bytes){start, (size_t)(in->next - start)};
}

bool cbor_done(const struct cbor_reader *in)
{
    return !in->failed && in->next == in->end;
}

int64_t cbor_take_number_label(struct cbor_reader *in, struct cbor_labels *labels)
{
    int64_t label = cbor_take_int(in);
    uint32_t count = labels->number_count;
    if (in->failed || count == CBOR_LABELS_MAX)
        return (int64_t)cbor_fail(in);
    /* Most makers sort: what is above all before it is new. */
    if (count == 0 || label > labels->highest)
        labels->highest = label;
    else
        for (uint32_t i = 0; i < count; i++)
            if (labels->numbers[i] == label)
                return (int64_t)cbor_fail(in);
    labels->numbers[labels->number_count++] = label;
    return label;
}

struct cbor_label cbor_take_label(struct cbor_reader *in, struct cbor_labels *labels)
{
    if (cbor_peek(in) != CBOR_TEXT)
        return (struct cbor_label){.number = cbor_take_number_label(in, labels)};
    struct bytes text = cbor_take_text(in);
    if (labels->text_count == CBOR_LABELS_MAX)
        cbor_fail(in);
    for (uint32_t i = 0; i < labels->text_count; i++)
        if (bytes_equal(labels->texts[i], text))
            cbor_fail(in);
    if (in->failed)
        return (struct cbor_label){0};
    labels->texts[labels->text_count++] = text;
    return (struct cbor_label){.text = text};
}

struct cbor_writer cbor_write(uint8_t *room, size_t size)
{
    return (struct cbor_writer){room, room, room + size, false};
}

static void put_raw(struct cbor_writer *out, const void *data, size_t length)
{
    if (out->failed || (size_t)(out->end - out->next) < length) {
        out->failed = true;
        return;
    }
    if (length > 0)
        memcpy(out->next, data, length);
    out->next += length;
}

static void put_head(struct cbor_writer *out, enum cbor_type type, uint64_t argument)
{
    uint8_t head[9] = {(uint8_t)(type << 5)};
    if (argument < 24 && out->next < out->end && !out->failed) {
        *out->next++ = (uint8_t)(head[0] | argument);
        return;
    }
    if (argument < 24) {
        out->failed = true;
        return;
    }
    unsigned power = argument < 1u << 8 ? 0 : argument < 1u << 16 ? 1 : argument < UINT64_C(1) << 32 ? 2 : 3;
    unsigned size = 1u << power;
    head[0] = (uint8_t)(head[0] | (24 + power));
    for (unsigned i = 0; i < size; i++)
        head[1 + i] = (uint8_t)(argument >> (8 * (size - 1 - i)));
    put_raw(out, head, 1 + size);
}

void cbor_put_uint(struct cbor_writer *out, uint64_t value)
{
    put_head(out, CBOR_UINT, value);
}

void cbor_put_int(struct cbor_writer *out, int64_t value)
{
    if (value >= 0)
        put_head(out, CBOR_UINT, (uint64_t)value);
    else
        put_head(out, CBOR_NEGATIVE, (uint64_t)(-1 - value));
}

void cbor_put_bool(struct cbor_writer *out, bool value)
{
    put_head(out, CBOR_SIMPLE, value ? 21 : 20);
}

void cbor_put_null(struct cbor_writer *out)
{
    put_head(out, CBOR_SIMPLE, 22);
}

void cbor_put_bytes(struct cbor_writer *out, struct bytes value)
{
    put_head(out, CBOR_BYTES, value.length);
    put_raw(out, value.data, value.length);
}

void cbor_put_text(struct cbor_writer *out, struct bytes value)
{
    put_head(out, CBOR_TEXT, value.length);
    put_raw(out, value.data, value.length);
}

void cbor_put_array(struct cbor_writer *out, uint64_t count)
{
    put_head(out, CBOR_ARRAY, count);
}

void cbor_put_map(struct cbor_writer *out, uint64_t count)
{
    put_head(out, CBOR_MAP, count);
}

void cbor_put_tag(struct cbor_writer *out, uint64_t tag)
{
    put_head(out, CBOR_TAG, tag);
}

void cbor_put_item(struct cbor_writer *out, struct bytes encoded)
{
    put_raw(out, encoded.data, encoded.length);
}

struct bytes cbor_written(const struct cbor_writer *out)
{
    return out->failed ? (struct bytes){NULL, 0} : (struct bytes){out->start, (size_t)(out->next - out->start)};
}
