#include "keys/ed25519/encode_x4.h"

#include "keys/ed25519/inverse.h"

/* The product of the other lanes is built beside the product of all. */
struct field4 invert_x4(const struct field4 *a)
{
    struct field4 beside_1 = field4_rotate(*a, 2), pairs = field4_multiply(*a, beside_1);
    struct field4 beside_2 = field4_rotate(pairs, 1);
    struct raw4 all = field4_integers(field4_multiply(pairs, beside_2));
    struct field product;
    for (unsigned i = 0; i < 5; i++)
        product.limb[i] = (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(all.limb[i]));
    struct field4 others = field4_multiply(beside_1, beside_2);
    struct field inverse = field_invert(product);
    return field4_multiply(others, field4_of(&inverse));
}

unsigned encodes_x4(const struct affine4 *point, const struct field4 *inverse, const uint64_t r[LANES])
{
    __m256i word[4];
    load_words4(r, 0, word);
    struct raw4 wanted = raw4_from_words(word);
    struct raw4 x = field4_canonical(field4_multiply(point->x, *inverse));
    struct raw4 y = field4_canonical(field4_multiply(point->y, *inverse));
    /* Bit 255 of R against bit 0 of x; the other bits against y, which is below p: an R that is not never agrees. */
    __m256i difference = _mm256_xor_si256(_mm256_srli_epi64(word[3], 63), _mm256_and_si256(x.limb[0], lanes_of(1)));
    for (unsigned i = 0; i < 5; i++)
        difference = _mm256_or_si256(difference, _mm256_xor_si256(y.limb[i], wanted.limb[i]));
    __m256i equal = _mm256_cmpeq_epi64(difference, _mm256_setzero_si256());
    return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(equal));
}
