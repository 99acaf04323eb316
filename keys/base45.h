/* base45 (RFC 9285), strict: canonical lengths, values at most 65535 and 255. */
#pragma once

#include "keys/bytes.h"

#define BASE45_PREFIX "SC1:"

/* Room that decoding `length` characters needs at most, and that encoding `length` bytes needs. */
#define BASE45_DECODED_MAX(length) ((length) / 3 * 2 + 1)
#define BASE45_ENCODED_SIZE(length) ((length) / 2 * 3 + (length) % 2 * 2)

/* Returns false where the text is no base45 or `size` is too small. `room` may be the memory of `text` itself: output
 * never overtakes input. */
bool base45_decode(struct bytes text, uint8_t *room, size_t size, size_t *length);
/* Writes BASE45_ENCODED_SIZE characters, no terminating zero; returns their number, or 0 where `size` is too small. */
size_t base45_encode(struct bytes in, char *room, size_t size);
