#include "keys/ed25519/sha512_x4.h"

#include "keys/ed25519/field_fma.h"
#include "keys/ed25519/key.h"
#include "keys/ed25519/sha512.h"

FIELD4_INLINE __m256i swap_bytes(__m256i words)
{
    const __m256i order =
        _mm256_set_epi64x(0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607);
    return _mm256_shuffle_epi8(words, order);
}

/* w holds the block on entry, and is used up. */
static void compress_x4(__m256i state[8], __m256i w[16])
{
    __m256i a = state[0], b = state[1], c = state[2], d = state[3];
    __m256i e = state[4], f = state[5], g = state[6], h = state[7];
#define ADD(x, y) _mm256_add_epi64(x, y)
#define XOR(x, y) _mm256_xor_si256(x, y)
#define AND(x, y) _mm256_and_si256(x, y)
#define ROTATE(x, n) XOR(_mm256_srli_epi64(x, n), _mm256_slli_epi64(x, 64 - (n)))
#define SUM(x, i, j, k) XOR(XOR(ROTATE(x, i), ROTATE(x, j)), ROTATE(x, k))
/* The majority of a, b and c is b, or a where b is neither a nor c; a ^ b is the next round's b ^ c. */
#define ROUND(a, b, c, d, e, f, g, h, i, constant)                                                                     \
    do {                                                                                                               \
        __m256i choice = XOR(g, AND(e, XOR(f, g))), a_b = XOR(a, b);                                                   \
        __m256i majority = XOR(b, AND(a_b, b_c));                                                                      \
        __m256i t =                                                                                                    \
            ADD(ADD(h, ADD(w[i], _mm256_set1_epi64x((long long)(constant)))), ADD(SUM(e, 14, 18, 41), choice));        \
        d = ADD(d, t);                                                                                                 \
        h = ADD(t, ADD(SUM(a, 28, 34, 39), majority));                                                                 \
        b_c = a_b;                                                                                                     \
    } while (0)
    const __m256i by_eight =
        _mm256_set_epi64x(0x080f0e0d0c0b0a09, 0x0007060504030201, 0x080f0e0d0c0b0a09, 0x0007060504030201);
    __m256i b_c = XOR(b, c);
#pragma GCC unroll 1
    for (unsigned round = 0; round < 80; round += 16) {
        if (round > 0) {
#pragma GCC unroll 16
            for (unsigned i = 0; i < 16; i++) {
                __m256i before_15 = w[(i + 1) % 16], before_2 = w[(i + 14) % 16];
                __m256i mix_15 = XOR(XOR(ROTATE(before_15, 1), _mm256_shuffle_epi8(before_15, by_eight)),
                                     _mm256_srli_epi64(before_15, 7));
                __m256i mix_2 = XOR(XOR(ROTATE(before_2, 19), ROTATE(before_2, 61)), _mm256_srli_epi64(before_2, 6));
                w[i] = ADD(ADD(w[i], mix_15), ADD(w[(i + 9) % 16], mix_2));
            }
        }
        const uint64_t *k = &sha512_constant[round];
#pragma GCC unroll 2
        for (unsigned i = 0; i < 16; i += 8) {
            ROUND(a, b, c, d, e, f, g, h, i + 0, k[i + 0]);
            ROUND(h, a, b, c, d, e, f, g, i + 1, k[i + 1]);
            ROUND(g, h, a, b, c, d, e, f, i + 2, k[i + 2]);
            ROUND(f, g, h, a, b, c, d, e, i + 3, k[i + 3]);
            ROUND(e, f, g, h, a, b, c, d, i + 4, k[i + 4]);
            ROUND(d, e, f, g, h, a, b, c, i + 5, k[i + 5]);
            ROUND(c, d, e, f, g, h, a, b, i + 6, k[i + 6]);
            ROUND(b, c, d, e, f, g, h, a, i + 7, k[i + 7]);
        }
    }
#undef ROUND
#undef SUM
#undef ROTATE
#undef AND
#undef XOR
    const __m256i mixed[8] = {a, b, c, d, e, f, g, h};
    for (unsigned i = 0; i < 8; i++)
        state[i] = ADD(state[i], mixed[i]);
#undef ADD
}

/* Block `index` of each lane as sixteen words of four lanes; a lane that has ended gives its last block again. */
static void load_block_x4(const struct ed25519_check *const checks[4], size_t index, __m256i w[16])
{
    uint8_t room[4][SHA512_BLOCK_SIZE];
    uint64_t block[4];
    for (unsigned lane = 0; lane < 4; lane++) {
        const struct ed25519_check *check = checks[lane];
        size_t blocks = sha512_blocks(check->length), mine = index < blocks ? index : blocks - 1;
        block[lane] = (uintptr_t)sha512_block(check->signature, check->key->public_key, check->message, check->length,
                                              mine, room[lane]);
    }
    for (unsigned i = 0; i < 16; i += 4) {
        load_words4(block, 8 * i, &w[i]);
        for (unsigned j = i; j < i + 4; j++)
            w[j] = swap_bytes(w[j]);
    }
}

void sha512_challenge_x4(const struct ed25519_check *const checks[4], uint8_t digest[4][64])
{
    uint64_t blocks[4], most = 0;
    for (unsigned lane = 0; lane < 4; lane++) {
        blocks[lane] = sha512_blocks(checks[lane]->length);
        if (blocks[lane] > most)
            most = blocks[lane];
    }
    const __m256i ends = _mm256_loadu_si256((const __m256i *)blocks);
    __m256i state[8], w[16];
    for (unsigned i = 0; i < 8; i++)
        state[i] = lanes_of(sha512_start[i]);
    for (uint64_t index = 0; index < most; index++) {
        __m256i next[8];
        memcpy(next, state, sizeof next);
        load_block_x4(checks, index, w);
        compress_x4(next, w);
        /* Numbers of blocks are below 2^63. */
        __m256i running = _mm256_cmpgt_epi64(ends, lanes_of(index));
        for (unsigned i = 0; i < 8; i++)
            state[i] = _mm256_blendv_epi8(state[i], next[i], running);
    }
    for (unsigned i = 0; i < 8; i++) {
        uint64_t word[4];
        _mm256_storeu_si256((__m256i *)word, swap_bytes(state[i]));
        for (unsigned lane = 0; lane < 4; lane++)
            memcpy(&digest[lane][8 * i], &word[lane], sizeof word[lane]);
    }
}
