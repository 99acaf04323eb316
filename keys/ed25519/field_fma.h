/* Numbers modulo p = 2^255 - 19, four side by side, one a lane: five limbs of radix 2^51, each an integer in a double.
 * Only for files compiled for AVX2 and FMA, which have no wide integer multiplier, but two for doubles.
 *
 * Grades. "Reduced": limbs at most 2^50 + 2^13 in size, of either sign, what carrying returns. "Wide": at most 2^51 +
 * 2^14 in size, what unpacking returns. A product takes a reduced factor and a wide one, and is "raw": integers below
 * 2^57.5 in size, plus a bias where one was asked for. */
#pragma once

#include <immintrin.h>

#include "keys/ed25519/field_51.h"

struct field4 {
    __m256d limb[5];
};

struct raw4 {
    __m256i limb[5];
};

#define FIELD4_INLINE static inline __attribute__((always_inline))

FIELD4_INLINE __m256i lanes_of(uint64_t value)
{
    return _mm256_set1_epi64x((long long)value);
}

/* The doubles from 2^52 to 2^53 are the integers there, and count up with their bits: an integer below 2^52 becomes a
 * double by these bits above it, less 2^52. */
#define INTEGER_BITS UINT64_C(0x4330000000000000) /* of 2^52 */

/* A product of limbs is cut in two by one addition each that is rounded once, to the nearest. Near 1.5 * 2^103 the
 * doubles are 2^51 apart: high = a b + 1.5 * 2^103, rounded, is a multiple of 2^51. Then low = a b - (high - 1.5 *
 * 2^103) is at most 2^50 in size, and a b + (1.5 * 2^103 + 1.5 * 2^52 - high) is low + 1.5 * 2^52, without rounding:
 * the number in brackets is a multiple of 2^51 below 2^104, and the sum lies between 2^52 and 2^53. The bits of both
 * count up with their values, so integer additions sum the halves, high in units of 2^51, once the bits for nothing are
 * taken off. That wants a b below 2^102 in size. */
#define CUT_HIGH 0x1.8p103
#define CUT_LOW 0x1.8p52
#define HIGH_BITS UINT64_C(0x4668000000000000) /* of 1.5 * 2^103 */
#define LOW_BITS UINT64_C(0x4338000000000000)  /* of 1.5 * 2^52 */

/* Raw numbers have a sign; carrying wants none, and rounds. Half the bias is for a number that will be doubled. */
enum field4_bias { FIELD4_BIAS_NONE, FIELD4_BIAS_HALF, FIELD4_BIAS };
#define BIAS_VALUE ((UINT64_C(1) << 61) + (UINT64_C(1) << 50))

/* What the columns of a product start from: column k gets k + 1 low halves (9 - k from 5 on), and as many high ones as
 * column k - 1 gets low ones. */
#define START(high, low) (0 - (high)*HIGH_BITS - (low)*LOW_BITS)
#define STARTS(bias)                                                                                                   \
    {                                                                                                                  \
        START(0, 1) + (bias), START(1, 2) + (bias), START(2, 3) + (bias), START(3, 4) + (bias), START(4, 5) + (bias),  \
            START(5, 4), START(4, 3), START(3, 2), START(2, 1), START(1, 0)                                            \
    }
static const uint64_t field4_start[3][10] = {STARTS(UINT64_C(0)), STARTS(BIAS_VALUE / 2), STARTS(BIAS_VALUE)};

/* low + 19 high. The compiler would sum in another order, or multiply, and need more registers than there are. */
FIELD4_INLINE __m256i fold_column(__m256i low, __m256i high)
{
    __m256i twice = _mm256_add_epi64(high, high), sixteen = _mm256_slli_epi64(high, 4);
    __asm__("" : "+x"(twice), "+x"(sixteen));
    return _mm256_add_epi64(_mm256_add_epi64(low, high), _mm256_add_epi64(twice, sixteen));
}

/* a * b + bias: one factor reduced, one wide; raw product.
 *
 * Products of limbs are below (2^50 + 2^13) (2^51 + 2^14) < 2^101 + 2^66: high halves are at most 2^50 + 2^15 in size,
 * low ones 2^50. Columns 0 to 9 have 1, 3, 5, 7, 9, 9, 7, 5, 3, 1 of them. Column 5 goes 19-fold to column 0, the
 * largest: (1 + 19 * 9) (2^50 + 2^15) < 2^57.5.
 *
 * Two columns are under way at a time; the empty assembly keeps the compiler at this order, which needs the fewest
 * registers. */
FIELD4_INLINE struct raw4 field4_multiply_raw(struct field4 a, struct field4 b, enum field4_bias bias)
{
    const __m256d high_cut = _mm256_set1_pd(CUT_HIGH), both_cuts = _mm256_set1_pd(CUT_HIGH + CUT_LOW);
    const uint64_t *start = field4_start[bias];
    __asm__("" : "+r"(start)); /* a load each, not a constant put together */
    struct raw4 r;
    __m256i column = lanes_of(start[0]);
#pragma GCC unroll 9
    for (unsigned k = 0; k < 9; k++) {
        __m256i next = lanes_of(start[k + 1]);
#pragma GCC unroll 5
        for (unsigned i = k < 5 ? 0 : k - 4; i <= (k < 5 ? k : 4); i++) {
            __m256d high = _mm256_fmadd_pd(a.limb[i], b.limb[k - i], high_cut);
            __m256d low = _mm256_fmadd_pd(a.limb[i], b.limb[k - i], _mm256_sub_pd(both_cuts, high));
            next = _mm256_add_epi64(next, _mm256_castpd_si256(high));
            column = _mm256_add_epi64(column, _mm256_castpd_si256(low));
            __asm__("" : "+x"(column), "+x"(next));
        }
        r.limb[k % 5] = k < 5 ? column : fold_column(r.limb[k % 5], column);
        column = next;
    }
    r.limb[4] = fold_column(r.limb[4], column);
    return r;
}

FIELD4_INLINE struct raw4 raw4_add(struct raw4 a, struct raw4 b)
{
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; i++)
        a.limb[i] = _mm256_add_epi64(a.limb[i], b.limb[i]);
    return a;
}

FIELD4_INLINE struct raw4 raw4_subtract(struct raw4 a, struct raw4 b)
{
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; i++)
        a.limb[i] = _mm256_sub_epi64(a.limb[i], b.limb[i]);
    return a;
}

/* Integers below 2^52, less a constant, as doubles. */
FIELD4_INLINE __m256d double_of(__m256i integer, double less)
{
    __m256i bits = _mm256_or_si256(integer, lanes_of(INTEGER_BITS));
    return _mm256_sub_pd(_mm256_castsi256_pd(bits), _mm256_set1_pd(0x1p52 + less));
}

/* x + bias, x below 2^60 in size: reduced. Every limb gives its multiples of 2^51 to the next, to the nearest, for the
 * bias has half of 2^51 in it; the last one gives them 19 times to the first. The bias' other part, 2^61, goes along as
 * 2^10 and is taken off with the half: limb 0 is left with at most 2^50 + 19 * 2^9 in size, the others 2^50 + 2^9. */
FIELD4_INLINE struct field4 raw4_carry(struct raw4 a)
{
    const __m256i mask = lanes_of(FIELD_LIMB_MASK);
    struct field4 r;
    __m256i round = _mm256_mul_epu32(_mm256_srli_epi64(a.limb[4], 51), lanes_of(19));
    r.limb[0] = double_of(_mm256_add_epi64(_mm256_and_si256(a.limb[0], mask), round), 0x1p50 + 19 * 0x1p10);
#pragma GCC unroll 4
    for (unsigned i = 1; i < 5; i++) {
        __m256i carry = _mm256_srli_epi64(a.limb[i - 1], 51);
        r.limb[i] = double_of(_mm256_add_epi64(_mm256_and_si256(a.limb[i], mask), carry), 0x1p50 + 0x1p10);
    }
    return r;
}

FIELD4_INLINE struct field4 field4_multiply(struct field4 a, struct field4 b)
{
    return raw4_carry(field4_multiply_raw(a, b, FIELD4_BIAS));
}

/* The same number in every lane: wide, from tight limbs. */
FIELD4_INLINE struct field4 field4_of(const struct field *value)
{
    struct field4 r;
    for (unsigned i = 0; i < 5; i++)
        r.limb[i] = _mm256_set1_pd((double)value->limb[i]);
    return r;
}

/* Lane i gets what lane i + by has, in a circle; by is 1 or 2. */
FIELD4_INLINE struct field4 field4_rotate(struct field4 a, unsigned by)
{
    for (unsigned i = 0; i < 5; i++)
        a.limb[i] = by == 2 ? _mm256_permute4x64_pd(a.limb[i], 0x4e) : _mm256_permute4x64_pd(a.limb[i], 0x39);
    return a;
}

/* word[i] holds word i of the 32 bytes at each lane's address. */
FIELD4_INLINE void load_words4(const uint64_t address[4], unsigned offset, __m256i word[4])
{
#define ROW(lane) _mm256_loadu_si256((const __m256i *)(address[lane] + offset))
    __m256i even_low = _mm256_unpacklo_epi64(ROW(0), ROW(1)), odd_low = _mm256_unpackhi_epi64(ROW(0), ROW(1));
    __m256i even_high = _mm256_unpacklo_epi64(ROW(2), ROW(3)), odd_high = _mm256_unpackhi_epi64(ROW(2), ROW(3));
#undef ROW
    word[0] = _mm256_permute2x128_si256(even_low, even_high, 0x20);
    word[1] = _mm256_permute2x128_si256(odd_low, odd_high, 0x20);
    word[2] = _mm256_permute2x128_si256(even_low, even_high, 0x31);
    word[3] = _mm256_permute2x128_si256(odd_low, odd_high, 0x31);
}

/* Four words a lane, below 2^256, without bit 255: limbs below 2^51. */
FIELD4_INLINE struct raw4 raw4_from_words(const __m256i word[4])
{
    const __m256i mask = lanes_of(FIELD_LIMB_MASK);
#define CUT(low, right, high, left)                                                                                    \
    _mm256_and_si256(_mm256_or_si256(_mm256_srli_epi64(low, right), _mm256_slli_epi64(high, left)), mask)
    return (struct raw4){{
        _mm256_and_si256(word[0], mask),
        CUT(word[0], 51, word[1], 13),
        CUT(word[1], 38, word[2], 26),
        CUT(word[2], 25, word[3], 39),
        _mm256_and_si256(_mm256_srli_epi64(word[3], 12), mask),
    }};
#undef CUT
}

FIELD4_INLINE struct field4 field4_from_words(const __m256i word[4])
{
    struct raw4 limbs = raw4_from_words(word);
    struct field4 r;
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; i++)
        r.limb[i] = double_of(limbs.limb[i], 0);
    return r;
}

/* Integers, above zero: the limbs of a + 2 p. */
FIELD4_INLINE struct raw4 field4_integers(struct field4 a)
{
    struct raw4 r;
    for (unsigned i = 0; i < 5; i++) {
        uint64_t twice_p = (UINT64_C(1) << 52) - (i == 0 ? 38 : 2);
        __m256i bits = _mm256_castpd_si256(_mm256_add_pd(a.limb[i], _mm256_set1_pd(CUT_LOW)));
        r.limb[i] = _mm256_add_epi64(bits, lanes_of(twice_p - LOW_BITS));
    }
    return r;
}

/* The representative below p, from reduced limbs. */
FIELD4_INLINE struct raw4 field4_canonical(struct field4 a)
{
    const __m256i mask = lanes_of(FIELD_LIMB_MASK), nineteen = lanes_of(19);
    struct raw4 r = field4_integers(a);
    /* Limbs are below 2^53. After a round of carries in order the number is below 2^255 + 19 * 2^2, and so the quotient
     * by p is at most 1: the carry out of r + 19. */
    for (unsigned i = 0; i < 4; i++) {
        r.limb[i + 1] = _mm256_add_epi64(r.limb[i + 1], _mm256_srli_epi64(r.limb[i], 51));
        r.limb[i] = _mm256_and_si256(r.limb[i], mask);
    }
    r.limb[0] = _mm256_add_epi64(r.limb[0], _mm256_mul_epu32(_mm256_srli_epi64(r.limb[4], 51), nineteen));
    r.limb[4] = _mm256_and_si256(r.limb[4], mask);
    __m256i carry = nineteen;
    for (unsigned i = 0; i < 5; i++)
        carry = _mm256_srli_epi64(_mm256_add_epi64(r.limb[i], carry), 51);
    carry = _mm256_mul_epu32(carry, nineteen);
    for (unsigned i = 0; i < 5; i++) {
        r.limb[i] = _mm256_add_epi64(r.limb[i], carry);
        carry = _mm256_srli_epi64(r.limb[i], 51);
        r.limb[i] = _mm256_and_si256(r.limb[i], mask);
    }
    return r;
}
