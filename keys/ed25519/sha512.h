/* SHA-512 (FIPS 180-4) of the one shape that a signature asks for: H(R, A, message). */
#pragma once

#include "keys/bytes.h"

/* Round constants, shared with the eight-lane form. */
extern const uint64_t sha512_constant[80];
extern const uint64_t sha512_start[8];

#define SHA512_BLOCK_SIZE 128

/* Blocks that 64 bytes of R and A, `length` bytes and the padding take. */
static inline size_t sha512_blocks(size_t length)
{
    return (64 + length + 17 + SHA512_BLOCK_SIZE - 1) / SHA512_BLOCK_SIZE;
}

/* Block number `index` of the padded input, of sha512_blocks(length). A block that lies wholly within the message is
 * returned where it stands; any other is made in `room`. */
const uint8_t *sha512_block(const uint8_t r[32], const uint8_t key[32], const uint8_t *message, size_t length,
                            size_t index, uint8_t room[SHA512_BLOCK_SIZE]);

void sha512_challenge(const uint8_t r[32], const uint8_t key[32], const uint8_t *message, size_t length,
                      uint8_t digest[64]);
