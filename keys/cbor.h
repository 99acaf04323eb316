/* CBOR (RFC 8949), the strict subset of the design: definite lengths, shortest forms, no duplicate labels, depth at
 * most CBOR_DEPTH_MAX, integers that fit an int64_t; floats only where an item is skipped. The order of map entries is
 * free on input; what the writer makes is deterministic as long as its caller writes map keys in the order of RFC 8949
 * section 4.2.1. */
#pragma once

#include "keys/bytes.h"

#define CBOR_DEPTH_MAX 8

enum cbor_type {
    CBOR_UINT = 0,
    CBOR_NEGATIVE = 1,
    CBOR_BYTES = 2,
    CBOR_TEXT = 3,
    CBOR_ARRAY = 4,
    CBOR_MAP = 5,
    CBOR_TAG = 6,
    CBOR_SIMPLE = 7,
};

/* A cursor over bytes owned by the caller. `failed` is sticky: after it every take returns zero or an empty view and
 * does not move, so that a reader reads straight down and asks once at the end. */
struct cbor_reader {
    const uint8_t *next;
    const uint8_t *end;
    bool failed;
};

static inline struct cbor_reader cbor_read(struct bytes in)
{
    return (struct cbor_reader){in.data, in.data ? in.data + in.length : NULL, in.data == NULL};
}

/* Fails the reader for good. */
static inline uint64_t cbor_fail(struct cbor_reader *in)
{
    in->failed = true;
    in->next = in->end;
    return 0;
}

/* The argument of an item's head (RFC 8949 section 3), which must be of that type and in its shortest form. Most fit
 * the head's own byte, and a credential has some fifty of them: that case is inline. */
uint64_t cbor_take_long_argument(struct cbor_reader *in, enum cbor_type type);
static inline uint64_t cbor_take_argument(struct cbor_reader *in, enum cbor_type type)
{
    if (in->failed || in->next == in->end || *in->next >> 5 != type)
        return cbor_fail(in);
    unsigned info = *in->next & 31;
    if (info >= 24)
        return cbor_take_long_argument(in, type);
    in->next++;
    return info;
}

/* The type of the next item without taking it. CBOR_SIMPLE and failed at the end of the input. */
static inline enum cbor_type cbor_peek(struct cbor_reader *in)
{
    if (in->failed || in->next == in->end) {
        cbor_fail(in);
        return CBOR_SIMPLE;
    }
    return (enum cbor_type)(*in->next >> 5);
}

static inline uint64_t cbor_take_uint(struct cbor_reader *in)
{
    return cbor_take_argument(in, CBOR_UINT);
}

static inline struct bytes cbor_take_string(struct cbor_reader *in, enum cbor_type type)
{
    uint64_t length = cbor_take_argument(in, type);
    if (in->failed || length > (size_t)(in->end - in->next)) {
        cbor_fail(in);
        return (struct bytes){NULL, 0};
    }
    struct bytes value = {in->next, (size_t)length};
    in->next += length;
    return value;
}

static inline struct bytes cbor_take_bytes(struct cbor_reader *in)
{
    return cbor_take_string(in, CBOR_BYTES);
}

int64_t cbor_take_int(struct cbor_reader *in);
bool cbor_take_bool(struct cbor_reader *in);
/* Text is checked to be UTF-8 (RFC 3629). */
struct bytes cbor_take_text(struct cbor_reader *in);
/* The number of items (array) or of entries (map) that follow; fails where it is above `max` or the bytes that are
 * left cannot hold so many. */
uint32_t cbor_take_array(struct cbor_reader *in, uint32_t max);
uint32_t cbor_take_map(struct cbor_reader *in, uint32_t max);
uint64_t cbor_take_tag(struct cbor_reader *in);
/* Takes one whole item of any allowed type, checks it, and returns the view of its encoding. */
struct bytes cbor_take_item(struct cbor_reader *in);
/* True where all was taken and nothing failed. */
bool cbor_done(const struct cbor_reader *in);

/* Labels of one map that were seen, so that a duplicate is a failure. The counts begin at 0. */
#define CBOR_LABELS_MAX 32
struct cbor_labels {
    uint32_t number_count;
    uint32_t text_count;
    int64_t highest; /* of the numbers */
    int64_t numbers[CBOR_LABELS_MAX];
    struct bytes texts[CBOR_LABELS_MAX];
};
/* A label as it stands in a map: a text where `text.data` is not NULL, else a number. */
struct cbor_label {
    int64_t number;
    struct bytes text;
};
/* Takes a label, number or text, and fails where this map had it before, or has more than CBOR_LABELS_MAX of a kind. */
struct cbor_label cbor_take_label(struct cbor_reader *in, struct cbor_labels *labels);
/* The same where only numbers are allowed. */
int64_t cbor_take_number_label(struct cbor_reader *in, struct cbor_labels *labels);

/* A writer into memory of the caller's. `failed` is sticky and set where the room ends. */
struct cbor_writer {
    uint8_t *start;
    uint8_t *next;
    uint8_t *end;
    bool failed;
};

struct cbor_writer cbor_write(uint8_t *room, size_t size);
void cbor_put_uint(struct cbor_writer *out, uint64_t value);
void cbor_put_int(struct cbor_writer *out, int64_t value);
void cbor_put_bool(struct cbor_writer *out, bool value);
void cbor_put_null(struct cbor_writer *out);
void cbor_put_bytes(struct cbor_writer *out, struct bytes value);
void cbor_put_text(struct cbor_writer *out, struct bytes value);
void cbor_put_array(struct cbor_writer *out, uint64_t count);
void cbor_put_map(struct cbor_writer *out, uint64_t count);
void cbor_put_tag(struct cbor_writer *out, uint64_t tag);
/* Copies an item that is already encoded. */
void cbor_put_item(struct cbor_writer *out, struct bytes encoded);
/* What was written so far; empty where the room ended. */
struct bytes cbor_written(const struct cbor_writer *out);
