#include "keys/ed25519/scalar_x8.h"

/* Limbs of radix 2^52. 252 bits are four limbs and 44 bits. */
#define LIMB_MASK ((INT64_C(1) << 52) - 1)
#define TOP_MASK ((INT64_C(1) << 44) - 1)

/* L = 2^252 + C; C in three limbs. */
static const int64_t order_limb[5] = {0x2631a5cf5d3ed, 0xdea2f79cd6581, 0x14def9, 0, INT64_C(1) << 44};

static inline __m512i lanes(int64_t value)
{
    return _mm512_set1_epi64(value);
}

/* product = a C with limbs below 2^52, for limbs below 2^52; product has count + 3 limbs. A column has at most three
 * low and three high halves, so the carries stay small. */
static inline void times_c(const __m512i *a, unsigned count, __m512i *product)
{
    for (unsigned i = 0; i < count + 3; i++)
        product[i] = _mm512_setzero_si512();
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < 3; j++) {
            product[i + j] = _mm512_madd52lo_epu64(product[i + j], a[i], lanes(order_limb[j]));
            product[i + j + 1] = _mm512_madd52hi_epu64(product[i + j + 1], a[i], lanes(order_limb[j]));
        }
    }
    for (unsigned i = 0; i + 1 < count + 3; i++) {
        product[i + 1] = _mm512_add_epi64(product[i + 1], _mm512_srli_epi64(product[i], 52));
        product[i] = _mm512_and_si512(product[i], lanes(LIMB_MASK));
    }
}

/* The limbs from bit 252 on, `count` of them; a has at least count + 5 limbs, or ends with the last one. */
static inline void above_252(const __m512i *a, unsigned limbs, __m512i *high, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        high[i] = _mm512_srli_epi64(a[i + 4], 44);
        if (i + 5 < limbs)
            high[i] = _mm512_or_si512(high[i], _mm512_and_si512(_mm512_slli_epi64(a[i + 5], 8), lanes(LIMB_MASK)));
    }
}

/* Limb i of the 512 bits from bit 52 i on. */
static inline __m512i limb_of_words(const __m512i word[8], unsigned i)
{
    unsigned at = 52 * i;
    __m512i low = word[at / 64];
    __m512i high = at / 64 + 1 < 8 ? word[at / 64 + 1] : _mm512_setzero_si512();
    return _mm512_and_si512(_mm512_shrdv_epi64(low, high, lanes(at % 64)), lanes(LIMB_MASK));
}

/* Signed limbs, above -2^62 and below 2^62, carry in order; the last one keeps what is left. */
static inline void carry_signed(__m512i limb[5])
{
    for (unsigned i = 0; i < 4; i++) {
        limb[i + 1] = _mm512_add_epi64(limb[i + 1], _mm512_srai_epi64(limb[i], 52));
        limb[i] = _mm512_and_si512(limb[i], lanes(LIMB_MASK));
    }
}

/* From limbs of a number within 0 and 4 L to its remainder: with q the bits from 252 on, the number less q L is above
 * -q C, so at most one L is missing. */
static inline void finish(__m512i limb[5])
{
    carry_signed(limb);
    __m512i q = _mm512_srli_epi64(limb[4], 44);
    limb[4] = _mm512_and_si512(limb[4], lanes(TOP_MASK));
    for (unsigned i = 0; i < 3; i++)
        limb[i] = _mm512_sub_epi64(limb[i], _mm512_mullo_epi64(q, lanes(order_limb[i])));
    carry_signed(limb);
    __mmask8 negative = _mm512_cmplt_epi64_mask(limb[4], _mm512_setzero_si512());
    for (unsigned i = 0; i < 5; i++)
        limb[i] = _mm512_mask_add_epi64(limb[i], negative, limb[i], lanes(order_limb[i]));
    carry_signed(limb);
}

void scalar_reduce_x8(const __m512i word[8], __m512i out[4])
{
    /* As scalar_reduce: 2^252 is -C, so x = x0 - y0 + z0 - z1 C, where x1 C = y1 2^252 + y0 and y1 C = z1 2^252 + z0.
     * x has 512 bits, x1 260, y1 133, z1 6. Two L more keep it above zero. */
    __m512i x[10], x1[5], y[8], y1[3], z[6], z1[1], last[4], r[5];
    for (unsigned i = 0; i < 10; i++)
        x[i] = limb_of_words(word, i);
    above_252(x, 10, x1, 5);
    times_c(x1, 5, y);
    above_252(y, 8, y1, 3);
    times_c(y1, 3, z);
    above_252(z, 6, z1, 1);
    times_c(z1, 1, last);
    for (unsigned i = 0; i < 5; i++) {
        __m512i mask = lanes(i < 4 ? LIMB_MASK : TOP_MASK);
        __m512i plus = _mm512_add_epi64(_mm512_and_si512(x[i], mask), _mm512_and_si512(z[i], mask));
        r[i] = _mm512_add_epi64(plus, lanes(2 * order_limb[i]));
        r[i] = _mm512_sub_epi64(r[i], _mm512_and_si512(y[i], mask));
        if (i < 4)
            r[i] = _mm512_sub_epi64(r[i], last[i]);
    }
    finish(r);
    out[0] = _mm512_or_si512(r[0], _mm512_slli_epi64(r[1], 52));
    out[1] = _mm512_or_si512(_mm512_srli_epi64(r[1], 12), _mm512_slli_epi64(r[2], 40));
    out[2] = _mm512_or_si512(_mm512_srli_epi64(r[2], 24), _mm512_slli_epi64(r[3], 28));
    out[3] = _mm512_or_si512(_mm512_srli_epi64(r[3], 36), _mm512_slli_epi64(r[4], 16));
}

void table_recode_x8(const struct window_shape *shape, const __m512i k[4], __m512i sum[4])
{
    __mmask8 carry = 0;
    for (unsigned i = 0; i < 4; i++) {
        __m512i offset = _mm512_set1_epi64((long long)shape->offset[i]);
        __m512i partial = _mm512_add_epi64(k[i], offset);
        /* offset + carry does not wrap: the shapes' words are never all ones. */
        sum[i] = _mm512_mask_add_epi64(partial, carry, partial, lanes(1));
        __mmask8 wrapped = _mm512_cmplt_epu64_mask(partial, offset);
        carry = (__mmask8)(wrapped | (carry & _mm512_cmpeq_epi64_mask(sum[i], _mm512_setzero_si512())));
    }
}
