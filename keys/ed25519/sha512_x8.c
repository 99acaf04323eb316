#include "keys/ed25519/sha512_x8.h"

#include "keys/ed25519/key.h"
#include "keys/ed25519/sha512.h"

static inline __m512i swap_bytes(__m512i words)
{
    const __m512i order = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607);
    return _mm512_shuffle_epi8(words, order);
}

/* row[i] holds eight words of lane i; afterwards row[i] holds word i of the eight lanes. */
static inline void transpose(__m512i row[8])
{
    __m512i pair[8], quad[8];
    for (unsigned i = 0; i < 8; i += 2) {
        pair[i] = _mm512_unpacklo_epi64(row[i], row[i + 1]);
        pair[i + 1] = _mm512_unpackhi_epi64(row[i], row[i + 1]);
    }
    /* pair[i] holds words 0, 2, 4, 6 (or 1, 3, 5, 7) of two lanes, in quarters. */
    for (unsigned half = 0; half < 8; half += 4) {
        for (unsigned odd = 0; odd < 2; odd++) {
            quad[half + odd] = _mm512_shuffle_i64x2(pair[half + odd], pair[half + 2 + odd], 0x88);
            quad[half + 2 + odd] = _mm512_shuffle_i64x2(pair[half + odd], pair[half + 2 + odd], 0xdd);
        }
    }
    /* quad[i] holds words i and i + 4 of four lanes, two lanes a quarter: words in quarters 0 and 2, 1 and 3. */
    for (unsigned i = 0; i < 4; i++) {
        row[i] = _mm512_shuffle_i64x2(quad[i], quad[i + 4], 0x88);
        row[i + 4] = _mm512_shuffle_i64x2(quad[i], quad[i + 4], 0xdd);
    }
}

static void compress_x8(__m512i state[8], __m512i w[16])
{
    __m512i a = state[0], b = state[1], c = state[2], d = state[3];
    __m512i e = state[4], f = state[5], g = state[6], h = state[7];
#define ADD(x, y) _mm512_add_epi64(x, y)
#define SUM(x, i, j, k)                                                                                                \
    _mm512_ternarylogic_epi64(_mm512_ror_epi64(x, i), _mm512_ror_epi64(x, j), _mm512_ror_epi64(x, k), 0x96)
#define MIX(x, i, j, k)                                                                                                \
    _mm512_ternarylogic_epi64(_mm512_ror_epi64(x, i), _mm512_ror_epi64(x, j), _mm512_srli_epi64(x, k), 0x96)
#define ROUND(a, b, c, d, e, f, g, h, i, constant)                                                                     \
    do {                                                                                                               \
        __m512i choice = _mm512_ternarylogic_epi64(e, f, g, 0xca);                                                     \
        __m512i majority = _mm512_ternarylogic_epi64(a, b, c, 0xe8);                                                   \
        __m512i t = ADD(ADD(h, ADD(w[i], _mm512_set1_epi64((long long)(constant)))), ADD(SUM(e, 14, 18, 41), choice)); \
        d = ADD(d, t);                                                                                                 \
        h = ADD(t, ADD(SUM(a, 28, 34, 39), majority));                                                                 \
    } while (0)
#pragma GCC unroll 1
    for (unsigned round = 0; round < 80; round += 16) {
        if (round > 0) {
#pragma GCC unroll 16
            for (unsigned i = 0; i < 16; i++)
                w[i] = ADD(ADD(w[i], MIX(w[(i + 1) % 16], 1, 8, 7)),
                           ADD(w[(i + 9) % 16], MIX(w[(i + 14) % 16], 19, 61, 6)));
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
#undef MIX
#undef SUM
    const __m512i mixed[8] = {a, b, c, d, e, f, g, h};
    for (unsigned i = 0; i < 8; i++)
        state[i] = ADD(state[i], mixed[i]);
#undef ADD
}

/* 64 bytes of the padded message from byte `at` on: what lies within the message, the end bit, zeros, and the length in
 * the last 16 bytes of all. `at` and `end`, the size of everything, count from the message's start. */
static inline __m512i load_half(const uint8_t *message, size_t length, size_t at, size_t end)
{
    if (at + 64 <= length)
        return _mm512_loadu_si512(message + at);
    __m512i half = _mm512_setzero_si512();
    if (at <= length) {
        __mmask64 inside = (UINT64_C(1) << (length - at)) - 1;
        if (at < length) /* an empty message may have no address */
            half = _mm512_mask_loadu_epi8(half, inside, message + at);
        half = _mm512_mask_mov_epi8(half, inside + 1, _mm512_set1_epi8((char)0x80));
    }
    if (at + 64 == end) {
        uint64_t bytes = (uint64_t)length + 64;
        half = _mm512_mask_set1_epi64(half, 0x40, (long long)__builtin_bswap64(bytes >> 61));
        half = _mm512_mask_set1_epi64(half, 0x80, (long long)__builtin_bswap64(bytes << 3));
    }
    return half;
}

/* Block `index` of each lane as sixteen words of eight lanes; a lane that has ended gives its last block again. */
static void load_block_x8(const struct ed25519_check *const checks[8], size_t index, __m512i w[16])
{
    __m512i low[8], high[8];
    for (unsigned lane = 0; lane < 8; lane++) {
        const struct ed25519_check *check = checks[lane];
        size_t blocks = sha512_blocks(check->length), block = index < blocks ? index : blocks - 1;
        size_t end = blocks * SHA512_BLOCK_SIZE - 64, at = block * SHA512_BLOCK_SIZE;
        if (block == 0) {
            const uint8_t *key = check->key->public_key;
            low[lane] = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)check->signature));
            low[lane] = _mm512_inserti64x4(low[lane], _mm256_loadu_si256((const __m256i *)key), 1);
        } else {
            low[lane] = load_half(check->message, check->length, at - 64, end);
        }
        high[lane] = load_half(check->message, check->length, at, end);
    }
    transpose(low);
    transpose(high);
    for (unsigned i = 0; i < 8; i++) {
        w[i] = swap_bytes(low[i]);
        w[i + 8] = swap_bytes(high[i]);
    }
}

void sha512_challenge_x8(const struct ed25519_check *const checks[8], __m512i digest[8])
{
    size_t blocks[8], most = 0;
    for (unsigned lane = 0; lane < 8; lane++) {
        blocks[lane] = sha512_blocks(checks[lane]->length);
        if (blocks[lane] > most)
            most = blocks[lane];
    }
    const __m512i ends = _mm512_loadu_si512(blocks);
    __m512i state[8], w[16];
    for (unsigned i = 0; i < 8; i++)
        state[i] = _mm512_set1_epi64((long long)sha512_start[i]);
    for (size_t index = 0; index < most; index++) {
        __m512i next[8];
        memcpy(next, state, sizeof next);
        load_block_x8(checks, index, w);
        compress_x8(next, w);
        __mmask8 running = _mm512_cmpgt_epu64_mask(ends, _mm512_set1_epi64((long long)index));
        for (unsigned i = 0; i < 8; i++)
            state[i] = _mm512_mask_mov_epi64(state[i], running, next[i]);
    }
    for (unsigned i = 0; i < 8; i++)
        digest[i] = swap_bytes(state[i]);
}
