#include "dataplane/coap.h"

#define PAYLOAD_MARKER 0xff
#define HEADER_SIZE 4

/* Extended delta or length (RFC 7252 section 3.1); sets *failed where it ends early or is 15. */
static uint32_t take_extended(const uint8_t **next, const uint8_t *end, unsigned nibble, bool *failed)
{
    size_t size = nibble == 13 ? 1 : nibble == 14 ? 2 : 0;
    if (nibble == 15 || (size_t)(end - *next) < size) {
        *failed = true;
        return 0;
    }
    const uint8_t *at = *next;
    *next += size;
    if (size == 0)
        return nibble;
    return size == 1 ? 13u + at[0] : 269u + ((uint32_t)at[0] << 8 | at[1]);
}

enum coap_error coap_parse_options(struct bytes in, struct coap_message *out)
{
    const uint8_t *next = in.data, *end = in.data + in.length;
    uint32_t number = 0;
    bool too_many = false;
    out->option_count = 0;
    out->payload = (struct bytes){NULL, 0};
    while (next < end && *next != PAYLOAD_MARKER) {
        bool failed = false;
        unsigned head = *next++;
        number += take_extended(&next, end, head >> 4, &failed);
        uint32_t length = take_extended(&next, end, head & 15, &failed);
        if (failed || number > UINT16_MAX || length > (size_t)(end - next))
            return COAP_ERROR_FORMAT;
        if (out->option_count < COAP_OPTIONS_MAX)
            out->options[out->option_count++] = (struct coap_option){(uint16_t)number, {next, length}};
        else
            too_many = true;
        next += length;
    }
    if (next < end) {
        next++;
        if (next == end) /* a marker with nothing behind it */
            return COAP_ERROR_FORMAT;
        out->payload = (struct bytes){next, (size_t)(end - next)};
    }
    return too_many ? COAP_ERROR_OPTIONS : COAP_OK;
}

enum coap_error coap_parse(struct bytes in, struct coap_message *out)
{
    if (in.length < HEADER_SIZE)
        return COAP_ERROR_SHORT;
    const uint8_t *p = in.data;
    if (p[0] >> 6 != 1)
        return COAP_ERROR_VERSION;
    out->type = (enum coap_type)(p[0] >> 4 & 3);
    out->token_length = p[0] & 15;
    out->code = p[1];
    out->id = (uint16_t)(p[2] << 8 | p[3]);
    out->token = p + HEADER_SIZE;
    out->option_count = 0;
    out->payload = (struct bytes){NULL, 0};
    if (out->token_length > COAP_TOKEN_MAX || in.length - HEADER_SIZE < out->token_length) {
        out->token_length = 0;
        return COAP_ERROR_FORMAT;
    }
    size_t header = HEADER_SIZE + (size_t)out->token_length;
    /* Section 4.1: an Empty message has nothing behind its id. */
    if (out->code == COAP_EMPTY)
        return in.length == HEADER_SIZE ? COAP_OK : COAP_ERROR_FORMAT;
    return coap_parse_options((struct bytes){p + header, in.length - header}, out);
}

const struct coap_option *coap_find(const struct coap_message *message, uint16_t number)
{
    for (unsigned i = 0; i < message->option_count; i++)
        if (message->options[i].number == number)
            return &message->options[i];
    return NULL;
}

bool coap_option_uint(const struct coap_option *option, uint32_t *out)
{
    if (option->value.length > sizeof *out)
        return false;
    *out = 0;
    for (size_t i = 0; i < option->value.length; i++)
        *out = *out << 8 | option->value.data[i];
    return true;
}

struct coap_writer coap_write_options(uint8_t *room, size_t size)
{
    return (struct coap_writer){room, room, room + size, 0, false};
}

static void put_raw(struct coap_writer *out, const void *data, size_t length)
{
    if (out->failed || (size_t)(out->end - out->next) < length) {
        out->failed = true;
        return;
    }
    if (length > 0)
        memmove(out->next, data, length);
    out->next += length;
}

struct coap_writer coap_write(uint8_t *room, size_t size, enum coap_type type, uint8_t code, uint16_t id,
                              struct bytes token)
{
    struct coap_writer out = coap_write_options(room, size);
    uint8_t header[HEADER_SIZE] = {(uint8_t)(1 << 6 | (unsigned)type << 4 | (unsigned)token.length), code,
                                   (uint8_t)(id >> 8), (uint8_t)id};
    out.failed = token.length > COAP_TOKEN_MAX;
    put_raw(&out, header, sizeof header);
    put_raw(&out, token.data, token.length);
    return out;
}

/* The nibble of a delta or length, and its extension behind the head. */
static unsigned extend(uint32_t value, uint8_t extension[2], size_t *size)
{
    *size = value < 13 ? 0 : value < 269 ? 1 : 2;
    if (*size == 0)
        return value;
    if (*size == 1) {
        extension[0] = (uint8_t)(value - 13);
        return 13;
    }
    extension[0] = (uint8_t)((value - 269) >> 8);
    extension[1] = (uint8_t)(value - 269);
    return 14;
}

void coap_put_option(struct coap_writer *out, uint16_t number, struct bytes value)
{
    uint8_t delta[2], length[2];
    size_t delta_size, length_size;
    if (number < out->last_option || value.length > UINT16_MAX) {
        out->failed = true;
        return;
    }
    unsigned high = extend(number - (uint32_t)out->last_option, delta, &delta_size);
    unsigned low = extend((uint32_t)value.length, length, &length_size);
    uint8_t head = (uint8_t)(high << 4 | low);
    put_raw(out, &head, 1);
    put_raw(out, delta, delta_size);
    put_raw(out, length, length_size);
    put_raw(out, value.data, value.length);
    out->last_option = number;
}

void coap_put_option_uint(struct coap_writer *out, uint16_t number, uint32_t value)
{
    uint8_t bytes[4];
    size_t length = 0;
    for (int shift = 24; shift >= 0; shift -= 8)
        if (length > 0 || value >> shift != 0)
            bytes[length++] = (uint8_t)(value >> shift);
    coap_put_option(out, number, (struct bytes){bytes, length});
}

void coap_put_payload(struct coap_writer *out, struct bytes payload)
{
    static const uint8_t marker = PAYLOAD_MARKER;
    if (payload.length == 0)
        return;
    put_raw(out, &marker, 1);
    put_raw(out, payload.data, payload.length);
}

size_t coap_written(const struct coap_writer *out)
{
    return out->failed ? 0 : (size_t)(out->next - out->start);
}
