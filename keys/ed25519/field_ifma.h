/* Numbers modulo p = 2^255 - 19, eight side by side, one a lane: five limbs of radix 2^51 in the 52-bit multipliers of
 * AVX-512 IFMA. Only for files compiled for it.
 *
 * Two grades of limbs. "Reduced": below 2^51 + 2^15, what carrying returns and multiplication takes. "Raw": what
 * multiplication returns, below 2^59, plus a bias below 2^60 where one was asked for. Sums of raw numbers stay below
 * 2^62, far from wrapping. */
#pragma once

#include <immintrin.h>

#include "keys/ed25519/field_51.h"

struct field8 {
    __m512i limb[5];
};

/* Multiples of p with limbs above every raw limb, so that a difference stays positive: bias_9 is 2^9 p, with limbs
 * 2^60 - 19 * 2^9 and 2^60 - 2^9; bias_8 is half of it. Column 0 of a product starts from the whole, columns 1 to 4
 * from half, since they are doubled on the way. */
enum field8_bias { FIELD8_BIAS_NONE, FIELD8_BIAS_8, FIELD8_BIAS_9 };

#define FIELD8_INLINE static inline __attribute__((always_inline))

FIELD8_INLINE __m512i lanes_of(uint64_t value)
{
    return _mm512_set1_epi64((long long)value);
}

FIELD8_INLINE struct field8 field8_of(const struct field *value)
{
    struct field8 r;
    for (unsigned i = 0; i < 5; i++)
        r.limb[i] = lanes_of(value->limb[i]);
    return r;
}

/* bias_8 or bias_9, shifted right by `halve` bits. */
FIELD8_INLINE __m512i bias_limb(enum field8_bias bias, unsigned limb, unsigned halve)
{
    if (bias == FIELD8_BIAS_NONE)
        return _mm512_setzero_si512();
    uint64_t power = bias == FIELD8_BIAS_8 ? UINT64_C(1) << 8 : UINT64_C(1) << 9;
    uint64_t limb_of_p = limb == 0 ? (UINT64_C(1) << 51) - 19 : (UINT64_C(1) << 51) - 1;
    return lanes_of(power * limb_of_p >> halve);
}

/* 19 x modulo 2^64 by the multiplier: gcc would make five shifts and additions of it, which is slower here. */
FIELD8_INLINE __m512i times_19(__m512i x)
{
    __m512i nineteen = lanes_of(19);
    __asm__("" : "+v"(nineteen));
    return _mm512_mullo_epi64(x, nineteen);
}

/* a * b + bias: reduced factors, raw product.
 *
 * A product of limbs is high * 2^52 + low, which is 2 high * 2^51 + low: the high halves go one column up, doubled. All
 * of them are summed first and doubled in the nine columns, then the low halves are added.
 *
 * Reduced factors have low halves below 2^52 and high halves below 2^50 + 2^16, which doubled are 0.51 * 2^52. A column
 * has at most five of each, less than 8 * 2^52, and 19 times that fits 64 bits. The first limb of the result is the
 * largest: one low half, and 19 times four low halves and five doubled high ones:
 *
 *     (1 + 19 * (4 + 5 * 0.51)) * 2^52 < 126 * 2^52 < 2^59
 *
 * One of the factors may have all of 52 bits instead: then (1 + 19 * (4 + 5 * 1.01)) * 2^52 < 173 * 2^52 < 2^59.5. */
FIELD8_INLINE struct field8 field8_multiply_biased(struct field8 a, struct field8 b, enum field8_bias bias)
{
    __m512i column[10];
    column[0] = bias_limb(bias, 0, 0);
    for (unsigned i = 1; i < 5; i++)
        column[i] = bias_limb(bias, i, 1);
    for (unsigned i = 5; i < 10; i++)
        column[i] = _mm512_setzero_si512();
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; i++)
#pragma GCC unroll 5
        for (unsigned j = 0; j < 5; j++)
            column[i + j + 1] = _mm512_madd52hi_epu64(column[i + j + 1], a.limb[i], b.limb[j]);
#pragma GCC unroll 9
    for (unsigned i = 1; i < 10; i++)
        column[i] = _mm512_add_epi64(column[i], column[i]);
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; i++)
#pragma GCC unroll 5
        for (unsigned j = 0; j < 5; j++)
            column[i + j] = _mm512_madd52lo_epu64(column[i + j], a.limb[i], b.limb[j]);
    struct field8 r;
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; i++)
        r.limb[i] = _mm512_add_epi64(column[i], times_19(column[i + 5]));
    return r;
}

FIELD8_INLINE struct field8 field8_multiply_raw(struct field8 a, struct field8 b)
{
    return field8_multiply_biased(a, b, FIELD8_BIAS_NONE);
}

FIELD8_INLINE struct field8 field8_add(struct field8 a, struct field8 b)
{
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; i++)
        a.limb[i] = _mm512_add_epi64(a.limb[i], b.limb[i]);
    return a;
}

/* a - b, for an a whose bias exceeds b. */
FIELD8_INLINE struct field8 field8_subtract(struct field8 a, struct field8 b)
{
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; i++)
        a.limb[i] = _mm512_sub_epi64(a.limb[i], b.limb[i]);
    return a;
}

/* Every limb gives what exceeds 51 bits to the next, the last one 19 times to the first. From limbs below 2^61.7 that
 * is below 2^10.7, and 19 times it below 2^15: reduced. The sums of an addition stay below 2^61.5: 2 z + c with z below
 * 2^59 + 2^59 and c below 2^59.5. */
FIELD8_INLINE struct field8 field8_carry(struct field8 a)
{
    const __m512i mask = lanes_of(FIELD_LIMB_MASK);
    struct field8 r;
    r.limb[0] =
        _mm512_madd52lo_epu64(_mm512_and_si512(a.limb[0], mask), _mm512_srli_epi64(a.limb[4], 51), lanes_of(19));
#pragma GCC unroll 4
    for (unsigned i = 1; i < 5; i++)
        r.limb[i] = _mm512_add_epi64(_mm512_and_si512(a.limb[i], mask), _mm512_srli_epi64(a.limb[i - 1], 51));
    return r;
}

FIELD8_INLINE struct field8 field8_multiply(struct field8 a, struct field8 b)
{
    return field8_carry(field8_multiply_raw(a, b));
}

/* Four words a lane, below 2^256, without bit 255: limbs below 2^51. */
FIELD8_INLINE struct field8 field8_from_words(const __m512i word[4])
{
    const __m512i mask = lanes_of(FIELD_LIMB_MASK);
    return (struct field8){{
        _mm512_and_si512(word[0], mask),
        _mm512_and_si512(_mm512_shrdi_epi64(word[0], word[1], 51), mask),
        _mm512_and_si512(_mm512_shrdi_epi64(word[1], word[2], 38), mask),
        _mm512_and_si512(_mm512_shrdi_epi64(word[2], word[3], 25), mask),
        _mm512_and_si512(_mm512_srli_epi64(word[3], 12), mask),
    }};
}

/* word[i] holds word i of the 32 bytes at each lane's address: loads of 32 bytes and a transposition, which beat
 * gathering. */
FIELD8_INLINE void load_words8(const uint64_t address[8], unsigned offset, __m512i word[4])
{
#define HALF(lane) _mm256_loadu_si256((const __m256i *)(address[lane] + offset))
#define PAIR(low, high) _mm512_inserti64x4(_mm512_castsi256_si512(HALF(low)), HALF(high), 1)
    __m512i row02 = PAIR(0, 2), row13 = PAIR(1, 3), row46 = PAIR(4, 6), row57 = PAIR(5, 7);
#undef PAIR
#undef HALF
    __m512i even_low = _mm512_unpacklo_epi64(row02, row13), odd_low = _mm512_unpackhi_epi64(row02, row13);
    __m512i even_high = _mm512_unpacklo_epi64(row46, row57), odd_high = _mm512_unpackhi_epi64(row46, row57);
    word[0] = _mm512_shuffle_i64x2(even_low, even_high, 0x88);
    word[1] = _mm512_shuffle_i64x2(odd_low, odd_high, 0x88);
    word[2] = _mm512_shuffle_i64x2(even_low, even_high, 0xdd);
    word[3] = _mm512_shuffle_i64x2(odd_low, odd_high, 0xdd);
}

/* The representative below p, from reduced limbs. */
FIELD8_INLINE struct field8 field8_canonical(struct field8 a)
{
    const __m512i mask = lanes_of(FIELD_LIMB_MASK), nineteen = lanes_of(19);
    /* After a round of carries in order, a is below 2^255 + 2^19: the next limb's carry is at most 1, and so is the
     * quotient by p, which is the carry out of a + 19. */
    for (unsigned i = 0; i < 4; i++) {
        a.limb[i + 1] = _mm512_add_epi64(a.limb[i + 1], _mm512_srli_epi64(a.limb[i], 51));
        a.limb[i] = _mm512_and_si512(a.limb[i], mask);
    }
    a.limb[0] = _mm512_madd52lo_epu64(a.limb[0], _mm512_srli_epi64(a.limb[4], 51), nineteen);
    a.limb[4] = _mm512_and_si512(a.limb[4], mask);
    __m512i carry = nineteen;
    for (unsigned i = 0; i < 5; i++)
        carry = _mm512_srli_epi64(_mm512_add_epi64(a.limb[i], carry), 51);
    carry = _mm512_madd52lo_epu64(_mm512_setzero_si512(), carry, nineteen);
    for (unsigned i = 0; i < 5; i++) {
        a.limb[i] = _mm512_add_epi64(a.limb[i], carry);
        carry = _mm512_srli_epi64(a.limb[i], 51);
        a.limb[i] = _mm512_and_si512(a.limb[i], mask);
    }
    return a;
}
