#include "keys/ed25519/walk_x4.h"

#include "keys/ed25519/point_x4.h"

/* Entries come from far: they are asked into the second-level cache this many additions ahead, where many requests may
 * be under way, and into the first-level cache shortly before their use. */
#define FETCH_FAR 16
#define FETCH_NEAR 2

void walk_append_x4(struct walk *walk, const struct window_shape *shape, const uint64_t tables[LANES],
                    const __m256i digits[4])
{
    const __m256i half = lanes_of(UINT64_C(1) << (shape->width - 1)), other = lanes_of(32);
    const __m256i mask = lanes_of((UINT64_C(1) << shape->width) - 1), zero = _mm256_setzero_si256();
    const __m256i stride = lanes_of((uint64_t)shape->stride * sizeof(struct niels_packed));
    __m256i window = _mm256_loadu_si256((const __m256i *)tables);
    for (unsigned i = 0; i < shape->windows; i++) {
        unsigned at = i * shape->width;
        __m128i right = _mm_cvtsi32_si128((int)(at % 64)), left = _mm_cvtsi32_si128(64 - (int)(at % 64));
        __m256i high = at / 64 < 3 ? digits[at / 64 + 1] : zero;
        /* A shift by 64 leaves nothing. */
        __m256i digit = _mm256_or_si256(_mm256_srl_epi64(digits[at / 64], right), _mm256_sll_epi64(high, left));
        if (i + 1 < shape->windows)
            digit = _mm256_sub_epi64(_mm256_and_si256(digit, mask), half);
        __m256i negative = _mm256_cmpgt_epi64(zero, digit);
        __m256i size = _mm256_sub_epi64(_mm256_xor_si256(digit, negative), negative);
        /* 96 bytes an entry */
        __m256i offset = _mm256_add_epi64(_mm256_slli_epi64(size, 6), _mm256_slli_epi64(size, 5));
        __m256i entry = _mm256_add_epi64(window, offset);
        struct step *step = &walk->steps[walk->count++];
        _mm256_storeu_si256((__m256i *)step->entry, entry);
        _mm256_storeu_si256((__m256i *)step->plus, _mm256_add_epi64(entry, _mm256_and_si256(negative, other)));
        _mm256_storeu_si256((__m256i *)step->minus, _mm256_add_epi64(entry, _mm256_andnot_si256(negative, other)));
        _mm256_storeu_si256((__m256i *)step->sign, _mm256_slli_epi64(negative, 63));
        window = _mm256_add_epi64(window, stride);
    }
}

void walk_spread_x4(struct walk *walk, unsigned count, const struct niels_packed *zero)
{
    unsigned windows = walk->count, parts = LANES / count;
    walk->count = (windows + parts - 1) / parts;
    walk->parts = parts;
    for (unsigned i = 0; i < walk->count; i++) {
        struct step *to = &walk->steps[i];
        /* In place: no step is written before it was read, lane by lane. */
        for (unsigned lane = 0; lane < LANES; lane++) {
            unsigned from = i * parts + lane / count;
            if (from < windows) {
                to->plus[lane] = walk->steps[from].plus[lane];
                to->minus[lane] = walk->steps[from].minus[lane];
                to->entry[lane] = walk->steps[from].entry[lane];
                to->sign[lane] = walk->steps[from].sign[lane];
            } else {
                to->plus[lane] = to->entry[lane] = (uintptr_t)zero->plus;
                to->minus[lane] = (uintptr_t)zero->minus;
                to->sign[lane] = 0;
            }
        }
    }
}

/* An entry lies in two cache lines. */
#define FETCH(step, lane, hint)                                                                                        \
    do {                                                                                                               \
        _mm_prefetch((const char *)(step)->entry[lane], hint);                                                         \
        _mm_prefetch((const char *)(step)->entry[lane] + sizeof(struct niels_packed) - 1, hint);                       \
    } while (0)

FIELD4_INLINE void fetch_lanes(const struct step *far, const struct step *near)
{
    for (unsigned lane = 0; lane < LANES; lane++) {
        FETCH(far, lane, _MM_HINT_T1);
        FETCH(near, lane, _MM_HINT_T0);
    }
}

FIELD4_INLINE struct field4 load_field4(const uint64_t address[LANES], unsigned offset)
{
    __m256i word[4];
    load_words4(address, offset, word);
    return field4_from_words(word);
}

/* 2 d x y of the entries, negated where the digit is. */
FIELD4_INLINE struct field4 load_t2d(const struct step *step)
{
    struct field4 t = load_field4(step->entry, 64);
    const __m256d sign = _mm256_castsi256_pd(_mm256_loadu_si256((const __m256i *)step->sign));
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; i++)
        t.limb[i] = _mm256_xor_pd(t.limb[i], sign);
    return t;
}

/* Reduced, where load_field4 is wide. */
FIELD4_INLINE struct field4 load_reduced(const uint64_t address[LANES])
{
    __m256i word[4];
    load_words4(address, 0, word);
    struct raw4 limbs = raw4_from_words(word);
    for (unsigned i = 0; i < 5; i++)
        limbs.limb[i] = _mm256_add_epi64(limbs.limb[i], lanes_of(BIAS_VALUE));
    return raw4_carry(limbs);
}

/* The first entry is the sum so far: x and y with z = 1 and t = x y = (2 d x y) / (2 d). */
static void first_point(const struct step *step, struct point4 *p)
{
    /* 1 / (2 d), reduced */
    static const double half_inverse_d[5] = {0x0793b66e4fc18 + 19, 0x184279542e25e, 0x3739ecc16bbad, 0x390cac5884533,
                                             0x60483f690a6ae - 0x1p51};
    struct field4 inverse;
    for (unsigned i = 0; i < 5; i++)
        inverse.limb[i] = _mm256_set1_pd(half_inverse_d[i]);
    p->sum = load_reduced(step->plus);
    p->difference = load_reduced(step->minus);
    p->t = field4_multiply(inverse, load_t2d(step));
    p->z = point4_z_one();
}

FIELD4_INLINE struct halfway4 add_entry(const struct point4 *p, const struct step *step)
{
    struct niels4 entry = {load_field4(step->plus, 0), load_field4(step->minus, 0), load_t2d(step)};
    return point4_add_halfway(p, &entry);
}

/* Adds to every lane's point that of the lane `by` further on, which takes the place of a table's entry with its own z.
 */
static struct halfway4 add_lanes(struct point4 *p, unsigned by)
{
    for (unsigned i = 0; i < 5; i++)
        p->z.limb[i] = _mm256_add_epi64(p->z.limb[i], lanes_of(BIAS_VALUE / 2));
    struct field4 z = raw4_carry(p->z), t2d = field4_multiply(p->t, field4_of(&field_2d));
    struct niels4 other = {field4_rotate(p->sum, by), field4_rotate(p->difference, by), field4_rotate(t2d, by)};
    p->z = field4_multiply_raw(z, field4_rotate(z, by), FIELD4_BIAS_HALF);
    return point4_add_halfway(p, &other);
}

/* The step `ahead` of step i, in this walk or the next, which may be shorter than that. */
FIELD4_INLINE const struct step *step_ahead(const struct walk *walk, const struct walk *next, unsigned i)
{
    if (i < walk->count)
        return &walk->steps[i];
    i -= walk->count;
    return &next->steps[i < next->count ? i : next->count - 1];
}

void walk_sum_x4(const struct walk *walk, const struct walk *next, struct affine4 *sum)
{
    struct point4 p;
    struct raw4 x, y;
    first_point(&walk->steps[0], &p);
    unsigned last = walk->count - 1;
    for (unsigned i = 1; i < last; i++) {
        fetch_lanes(step_ahead(walk, next, i + FETCH_FAR), step_ahead(walk, next, i + FETCH_NEAR));
        struct halfway4 half = add_entry(&p, &walk->steps[i]);
        point4_finish(&half, &p, &x, &y);
    }
    struct halfway4 half = add_entry(&p, &walk->steps[last]);
    for (unsigned parts = 1; parts < walk->parts; parts *= 2) {
        point4_finish(&half, &p, &x, &y);
        half = add_lanes(&p, 2 / parts);
    }
    sum->x = field4_multiply(half.e, half.f);
    sum->y = field4_multiply(half.g, half.h);
    sum->z = field4_multiply(half.f, half.g);
}

void walk_fetch_x4(const struct walk *walk)
{
    for (unsigned i = 0; i < FETCH_FAR; i++)
        fetch_lanes(step_ahead(walk, walk, i), step_ahead(walk, walk, i % FETCH_NEAR));
}
