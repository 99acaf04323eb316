#include "keys/base45.h"

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/* The value of a character, or 255. */
static unsigned digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)c - '0';
    if (c >= 'A' && c <= 'Z')
        return (unsigned)c - 'A' + 10;
    const char *found = c ? strchr(alphabet + 36, c) : NULL;
    return found ? (unsigned)(found - alphabet) : 255;
}

bool base45_decode(struct bytes text, uint8_t *room, size_t size, size_t *length)
{
    size_t rest = text.length % 3, out = 0;
    if (rest == 1 || size < text.length / 3 * 2 + (rest ? 1 : 0))
        return false;
    for (size_t i = 0; i < text.length; i += 3) {
        size_t digits = text.length - i < 3 ? 2 : 3;
        unsigned c = digit_of(text.data[i]), d = digit_of(text.data[i + 1]);
        unsigned e = digits == 3 ? digit_of(text.data[i + 2]) : 0;
        if (c == 255 || d == 255 || e == 255)
            return false;
        unsigned value = c + d * 45 + e * 45 * 45;
        if (value > (digits == 3 ? 0xffffu : 0xffu))
            return false;
        if (digits == 3)
            room[out++] = (uint8_t)(value >> 8);
        room[out++] = (uint8_t)value;
    }
    *length = out;
    return true;
}

size_t base45_encode(struct bytes in, char *room, size_t size)
{
    if (size < BASE45_ENCODED_SIZE(in.length))
        return 0;
    size_t out = 0;
    for (size_t i = 0; i < in.length; i += 2) {
        bool pair = i + 1 < in.length;
        unsigned value = pair ? (unsigned)in.data[i] << 8 | in.data[i + 1] : in.data[i];
        room[out++] = alphabet[value % 45];
        room[out++] = alphabet[value / 45 % 45];
        if (pair)
            room[out++] = alphabet[value / 45 / 45];
    }
    return out;
}
