/* Network byte order, and the Internet checksum (RFC 1071). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void store_be16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

/* Adds `length` bytes to a sum of 16-bit words in the machine's order; the sum may be folded at the end because 2^16 is
 * 1 modulo 65535, whatever the order of bytes (RFC 1071 section 2 B). */
static inline uint64_t checksum_add(uint64_t sum, const uint8_t *p, size_t length)
{
    uint32_t word;
    while (length >= 4) {
        memcpy(&word, p, 4);
        sum += word;
        p += 4;
        length -= 4;
    }
    word = 0;
    memcpy(&word, p, length);
    return sum + word;
}

/* The 16-bit sum in the machine's order, not complemented: 0xffff where a correct checksum was summed too. */
static inline uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Stores the complement so that it is summed as it was made: in the machine's order. */
static inline void checksum_store(uint8_t *p, uint64_t sum)
{
    uint16_t checksum = (uint16_t)~checksum_fold(sum);
    memcpy(p, &checksum, sizeof checksum);
}
