/* Bytes as text: hexadecimal, and base64url without padding (RFC 4648 section 5), both strict. */
#pragma once

#include "keys/bytes.h"

/* Decodes exactly `size` bytes from 2 * size digits of either case. */
bool hex_decode(struct bytes text, uint8_t *room, size_t size);
/* Writes 2 * length digits in lower case and a zero byte. */
void hex_encode(struct bytes in, char *room);

/* Decodes exactly `size` bytes. The unused bits of the last character must be zero. */
bool base64url_decode(struct bytes text, uint8_t *room, size_t size);
#define BASE64URL_SIZE(length) (((length)*4 + 2) / 3)
/* Writes BASE64URL_SIZE(length) characters and a zero byte. */
void base64url_encode(struct bytes in, char *room);
