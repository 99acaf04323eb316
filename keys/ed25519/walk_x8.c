#include "keys/ed25519/walk_x8.h"

#include "keys/ed25519/point_x8.h"

/* Entries come from far: they are asked into the second-level cache this many additions ahead, where many requests may
 * be under way, and into the first-level cache shortly before their use. */
#define FETCH_FAR 16
#define FETCH_NEAR 2

void walk_append(struct walk *walk, const struct window_shape *shape, const uint64_t tables[LANES],
                 const __m512i digits[4])
{
    const __m512i half = lanes_of(UINT64_C(1) << (shape->width - 1)),
                  mask = lanes_of((UINT64_C(1) << shape->width) - 1);
    const __m512i stride = lanes_of((uint64_t)shape->stride * sizeof(struct niels_packed));
    __m512i window = _mm512_loadu_si512(tables);
    for (unsigned i = 0; i < shape->windows; i++) {
        unsigned at = i * shape->width;
        __m512i high = at / 64 < 3 ? digits[at / 64 + 1] : _mm512_setzero_si512();
        __m512i digit = _mm512_shrdv_epi64(digits[at / 64], high, lanes_of(at % 64));
        if (i + 1 < shape->windows)
            digit = _mm512_sub_epi64(_mm512_and_si512(digit, mask), half);
        struct step *step = &walk->steps[walk->count++];
        step->negative = _mm512_movepi64_mask(digit);
        __m512i size = _mm512_abs_epi64(digit);
        /* 96 bytes an entry */
        __m512i offset = _mm512_add_epi64(_mm512_slli_epi64(size, 6), _mm512_slli_epi64(size, 5));
        __m512i entry = _mm512_add_epi64(window, offset), other = _mm512_add_epi64(entry, lanes_of(32));
        _mm512_storeu_si512(step->entry, entry);
        _mm512_storeu_si512(step->plus, _mm512_mask_mov_epi64(entry, step->negative, other));
        _mm512_storeu_si512(step->minus, _mm512_mask_mov_epi64(other, step->negative, entry));
        window = _mm512_add_epi64(window, stride);
    }
}

/* An entry lies in two cache lines. */
#define FETCH(step, lane, hint)                                                                                        \
    do {                                                                                                               \
        _mm_prefetch((const char *)(step)->entry[lane], hint);                                                         \
        _mm_prefetch((const char *)(step)->entry[lane] + sizeof(struct niels_packed) - 1, hint);                       \
    } while (0)

/* Two lanes at a time, between multiplications. */
FIELD8_INLINE void fetch_lanes(const struct step *far, const struct step *near, unsigned first)
{
    FETCH(far, first, _MM_HINT_T1);
    FETCH(far, first + 1, _MM_HINT_T1);
    FETCH(near, first, _MM_HINT_T0);
    FETCH(near, first + 1, _MM_HINT_T0);
}

FIELD8_INLINE struct field8 load_field8(const uint64_t address[LANES], unsigned offset)
{
    __m512i word[4];
    load_words8(address, offset, word);
    return field8_from_words(word);
}

/* 2 d x y of the entries, negated where the digit is: 2 p - t has limbs below 2^52, and limbs below 2^52 multiply. */
FIELD8_INLINE struct field8 load_t2d(const struct step *step)
{
    struct field8 t = load_field8(step->entry, 64);
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; i++) {
        const __m512i twice_p = lanes_of((UINT64_C(1) << 52) - (i == 0 ? 38 : 2));
        t.limb[i] = _mm512_mask_sub_epi64(t.limb[i], step->negative, twice_p, t.limb[i]);
    }
    return t;
}

/* The first entry is the sum so far: x and y with z = 1 and t = x y = (2 d x y) / (2 d). */
FIELD8_INLINE struct point8 first_point(const struct step *step)
{
    /* 1 / (2 d) */
    static const struct field half_inverse_d = {
        {0x0793b66e4fc18, 0x184279542e25e, 0x3739ecc16bbad, 0x390cac5884533, 0x60483f690a6ae}};
    struct point8 p;
    p.sum = load_field8(step->plus, 0);
    p.difference = load_field8(step->minus, 0);
    p.t = field8_multiply(load_t2d(step), field8_of(&half_inverse_d));
    for (unsigned i = 0; i < 5; i++)
        p.z.limb[i] = bias_limb(FIELD8_BIAS_8, i, 0);
    p.z.limb[0] = _mm512_add_epi64(p.z.limb[0], lanes_of(1));
    return p;
}

FIELD8_INLINE struct halfway8 add_entry(const struct point8 *p, const struct step *step)
{
    struct niels8 entry = {load_field8(step->plus, 0), load_field8(step->minus, 0), load_t2d(step)};
    return point8_add_halfway(p, &entry);
}

/* Walks are longer than any distance. */
FIELD8_INLINE const struct step *step_ahead(const struct walk *walk, const struct walk *next, unsigned i)
{
    return i < walk->count ? &walk->steps[i] : &next->steps[i - walk->count];
}

struct affine8 walk_sum(const struct walk *walk, const struct walk *next)
{
    struct point8 p = first_point(&walk->steps[0]);
    unsigned last = walk->count - 1;
    for (unsigned i = 1; i < last; i++) {
        const struct step *far = step_ahead(walk, next, i + FETCH_FAR);
        const struct step *near = step_ahead(walk, next, i + FETCH_NEAR);
        struct halfway8 half = add_entry(&p, &walk->steps[i]);
        fetch_lanes(far, near, 0);
        struct field8 x = field8_multiply_raw(half.e, half.f);
        fetch_lanes(far, near, 2);
        struct field8 y = field8_multiply_biased(half.g, half.h, FIELD8_BIAS_9);
        p.difference = field8_carry(field8_subtract(y, x));
        p.sum = field8_carry(field8_add(y, x));
        fetch_lanes(far, near, 4);
        p.z = field8_multiply_biased(half.f, half.g, FIELD8_BIAS_8);
        fetch_lanes(far, near, 6);
        p.t = field8_multiply(half.e, half.h);
    }
    struct halfway8 half = add_entry(&p, &walk->steps[last]);
    return (struct affine8){
        .x = field8_multiply(half.e, half.f),
        .y = field8_multiply(half.g, half.h),
        .z = field8_multiply(half.f, half.g),
    };
}

void walk_fetch(const struct walk *walk)
{
    for (unsigned i = 0; i < FETCH_FAR; i++)
        for (unsigned lane = 0; lane < LANES; lane += 2)
            fetch_lanes(&walk->steps[i], &walk->steps[i % FETCH_NEAR], lane);
}
