#include "control/encoding.h"

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct bytes text, uint8_t *room, size_t size)
{
    if (text.length != size * 2)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        room[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void hex_encode(struct bytes in, char *room)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.length; i++) {
        *room++ = digits[in.data[i] >> 4];
        *room++ = digits[in.data[i] & 15];
    }
    *room = '\0';
}

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool base64url_decode(struct bytes text, uint8_t *room, size_t size)
{
    if (text.length != BASE64URL_SIZE(size))
        return false;
    uint32_t waiting = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.length; i++) {
        const char *at = text.data[i] ? strchr(base64url, text.data[i]) : NULL;
        if (!at)
            return false;
        waiting = waiting << 6 | (uint32_t)(at - base64url);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *room++ = (uint8_t)(waiting >> bits);
            waiting &= (1u << bits) - 1;
        }
    }
    return waiting == 0;
}

void base64url_encode(struct bytes in, char *room)
{
    uint32_t waiting = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < in.length; i++) {
        waiting = (waiting & 0xff) << 8 | in.data[i];
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            *room++ = base64url[waiting >> bits & 63];
        }
    }
    if (bits > 0)
        *room++ = base64url[waiting << (6 - bits) & 63];
    *room = '\0';
}
