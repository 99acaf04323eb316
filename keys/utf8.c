#include "keys/utf8.h"

/* The length of a sequence by its first byte, 0 where no sequence begins so; the bounds of the second byte. */
static unsigned sequence(uint8_t first, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    if (first < 0xe0)
        return 2;
    if (first == 0xe0)
        *low = 0xa0; /* shorter forms exist below */
    if (first == 0xed)
        *high = 0x9f; /* surrogates lie above */
    if (first == 0xf0)
        *low = 0x90;
    if (first == 0xf4)
        *high = 0x8f; /* U+10FFFF */
    return first < 0xf0 ? 3 : 4;
}

/* How many bytes from the start are ASCII for certain: most text is, and eight of them are seen at once. */
static size_t ascii_prefix(struct bytes text)
{
    size_t at = 0;
    uint64_t eight;
    for (; at + sizeof eight <= text.length; at += sizeof eight) {
        memcpy(&eight, text.data + at, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    return at;
}

bool utf8_valid(struct bytes text)
{
    for (size_t i = ascii_prefix(text); i < text.length;) {
        if (text.data[i] < 0x80) {
            i++;
            continue;
        }
        uint8_t low, high;
        unsigned length = sequence(text.data[i], &low, &high);
        if (length == 0 || length > text.length - i)
            return false;
        if (length > 1 && (text.data[i + 1] < low || text.data[i + 1] > high))
            return false;
        for (unsigned j = 2; j < length; j++)
            if (text.data[i + j] >> 6 != 2)
                return false;
        i += length;
    }
    return true;
}
