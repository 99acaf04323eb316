#include "dataplane/oscore_message.h"

#include <assert.h>

enum option_flags { FLAG_PIV_LENGTH = 0x07, FLAG_KID = 0x08, FLAG_KID_CONTEXT = 0x10, FLAG_RESERVED = 0xe0 };

bool oscore_option_read(struct bytes value, struct oscore_option *out)
{
    *out = (struct oscore_option){0};
    if (value.length == 0)
        return true;
    const uint8_t *next = value.data + 1, *end = value.data + value.length;
    uint8_t flags = value.data[0], piv_size = flags & FLAG_PIV_LENGTH;
    if (flags == 0 || flags & FLAG_RESERVED || piv_size > OSCORE_PIV_MAX || piv_size > end - next)
        return false;
    out->piv = (struct bytes){next, piv_size};
    next += piv_size;
    if (piv_size > 1 && out->piv.data[0] == 0)
        return false;
    if (flags & FLAG_KID_CONTEXT) {
        if (next == end || *next > end - next - 1)
            return false;
        out->kid_context = (struct bytes){next + 1, *next};
        out->has_kid_context = true;
        next += 1 + *next;
    }
    if (flags & FLAG_KID) {
        out->kid = (struct bytes){next, (size_t)(end - next)};
        out->has_kid = true;
        next = end;
    }
    return next == end;
}

static uint8_t *put(uint8_t *next, struct bytes in)
{
    if (in.length)
        memcpy(next, in.data, in.length);
    return next + in.length;
}

size_t oscore_option_write(const struct oscore_option *option, uint8_t room[OSCORE_OPTION_MAX])
{
    assert(option->piv.length <= OSCORE_PIV_MAX && option->kid_context.length <= OSCORE_KID_CONTEXT_MAX &&
           option->kid.length <= OSCORE_KID_MAX);
    room[0] = (uint8_t)(option->piv.length | (option->has_kid ? FLAG_KID : 0) |
                        (option->has_kid_context ? FLAG_KID_CONTEXT : 0));
    if (room[0] == 0)
        return 0;
    uint8_t *next = put(room + 1, option->piv);
    if (option->has_kid_context) {
        *next++ = (uint8_t)option->kid_context.length;
        next = put(next, option->kid_context);
    }
    return (size_t)(put(next, option->kid) - room);
}

uint8_t oscore_piv_write(uint64_t sequence, uint8_t room[OSCORE_PIV_MAX])
{
    assert(sequence < OSCORE_SEQUENCE_LIMIT);
    uint8_t size = 1;
    while (size < OSCORE_PIV_MAX && sequence >> (8 * size))
        size++;
    for (uint8_t i = 0; i < size; i++)
        room[i] = (uint8_t)(sequence >> (8 * (size - 1 - i)));
    return size;
}

uint64_t oscore_piv_read(struct bytes piv)
{
    uint64_t value = 0;
    for (size_t i = 0; i < piv.length; i++)
        value = value << 8 | piv.data[i];
    return value;
}

void oscore_nonce(const uint8_t *common_iv, uint8_t nonce_size, struct bytes id, struct bytes piv,
                  uint8_t nonce[OSCORE_IV_MAX])
{
    assert(id.length + 1 + OSCORE_PIV_MAX <= nonce_size && piv.length <= OSCORE_PIV_MAX);
    memcpy(nonce, common_iv, nonce_size);
    nonce[0] ^= (uint8_t)id.length;
    for (size_t i = 0; i < id.length; i++)
        nonce[nonce_size - OSCORE_PIV_MAX - id.length + i] ^= id.data[i];
    for (size_t i = 0; i < piv.length; i++)
        nonce[nonce_size - piv.length + i] ^= piv.data[i];
}

static_assert(3 + 2 + 1 + OSCORE_KID_MAX + 1 + OSCORE_PIV_MAX + 1 < 24, "external_aad has a head of one byte");

/* Written byte by byte: it is made twice for each request. */
uint8_t oscore_aad(enum point_oscore_alg alg, struct bytes request_kid, struct bytes request_piv,
                   uint8_t room[OSCORE_AAD_MAX])
{
    static const uint8_t head[] = {0x83, 0x68, 'E', 'n', 'c', 'r', 'y', 'p', 't', '0', 0x40};
    assert(request_kid.length <= OSCORE_KID_MAX && request_piv.length <= OSCORE_PIV_MAX);
    memcpy(room, head, sizeof head);
    uint8_t *array = room + sizeof head + 1, *next = array;
    *next++ = 0x85; /* array of 5 */
    *next++ = 0x01; /* oscore_version */
    *next++ = 0x81; /* array of 1 */
    if (alg > 23)
        *next++ = 0x18;
    *next++ = (uint8_t)alg;
    *next++ = (uint8_t)(0x40 + request_kid.length);
    next = put(next, request_kid);
    *next++ = (uint8_t)(0x40 + request_piv.length);
    next = put(next, request_piv);
    *next++ = 0x40; /* no Class I options exist */
    room[sizeof head] = (uint8_t)(0x40 + (next - array));
    return (uint8_t)(next - room);
}
