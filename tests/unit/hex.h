/* Hexadecimal text to bytes, for tables of cases. */
#pragma once

#include <sodium.h>
#include <stdlib.h>

#include "keys/bytes.h"

static inline struct bytes hex_bytes(const char *hex, uint8_t *room, size_t size)
{
    size_t length = 0;
    if (sodium_hex2bin(room, size, hex, strlen(hex), " ", &length, NULL) != 0)
        abort();
    return (struct bytes){room, length};
}
