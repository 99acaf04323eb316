#include "keys/ed25519/encode_x8.h"

#include "keys/ed25519/inverse.h"

FIELD8_INLINE struct field8 rotate_lanes(struct field8 a, unsigned by)
{
    const __m512i order =
        _mm512_and_si512(_mm512_add_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), lanes_of(by)), lanes_of(LANES - 1));
    for (unsigned i = 0; i < 5; i++)
        a.limb[i] = _mm512_permutexvar_epi64(order, a.limb[i]);
    return a;
}

/* The product of the other lanes is built beside the product of all. */
struct field8 invert_x8(struct field8 a)
{
    struct field8 beside_1 = rotate_lanes(a, 4), pairs = field8_multiply(a, beside_1);
    struct field8 beside_2 = rotate_lanes(pairs, 2), fours = field8_multiply(pairs, beside_2);
    struct field8 beside_4 = rotate_lanes(fours, 1), all = field8_multiply(fours, beside_4);
    struct field product;
    for (unsigned i = 0; i < 5; i++)
        product.limb[i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(all.limb[i]));
    /* Needs no inverse: the vector units have it ready before the integer ones are done. */
    struct field8 others = field8_multiply(beside_1, field8_multiply(beside_2, beside_4));
    struct field inverse = field_invert(product);
    return field8_multiply(others, field8_of(&inverse));
}

__mmask8 encodes_x8(const struct affine8 *point, struct field8 inverse, const uint64_t r[LANES])
{
    __m512i word[4];
    load_words8(r, 0, word);
    struct field8 wanted = field8_from_words(word);
    struct field8 x = field8_canonical(field8_multiply(point->x, inverse));
    struct field8 y = field8_canonical(field8_multiply(point->y, inverse));
    /* Bit 255 of R against bit 0 of x; the other bits against y, which is below p: an R that is not never agrees. */
    __m512i difference = _mm512_xor_si512(_mm512_srli_epi64(word[3], 63), _mm512_and_si512(x.limb[0], lanes_of(1)));
    for (unsigned i = 0; i < 5; i++)
        difference = _mm512_or_si512(difference, _mm512_xor_si512(y.limb[i], wanted.limb[i]));
    return _mm512_testn_epi64_mask(difference, difference);
}
