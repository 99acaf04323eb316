/* Eight signatures side by side, one a lane of AVX-512 IFMA. */
#include "keys/ed25519/field_ifma.h"
#include "keys/ed25519/inverse.h"
#include "keys/ed25519/key.h"
#include "keys/ed25519/scalar_x8.h"
#include "keys/ed25519/sha512.h"
#include "keys/ed25519/sha512_x8.h"

#define LANES 8
#define GROUPS_MAX (ED25519_BURST_MAX / LANES)
#define STEPS_MAX (2 * TABLE_WINDOWS_MAX)

/* Entries come from far: they are asked into the second-level cache this many additions ahead, where many requests may
 * be under way, and into the first-level cache shortly before their use. */
#define FETCH_FAR 16
#define FETCH_NEAR 2

/* One addition in each lane: where the entries stand. A negative digit takes y + x for y - x and the other way round,
 * and has its 2 d x y negated. */
struct step {
    uint64_t plus[LANES], minus[LANES], entry[LANES];
    __mmask8 negative;
};

/* The additions of one group, all known before the first. */
struct walk {
    unsigned count;
    struct step steps[STEPS_MAX];
};

/* Eight signatures; fewer are filled up with the first. */
struct group {
    const struct ed25519_check *checks[LANES];
    unsigned index[LANES]; /* in the burst */
    unsigned count;
    __m512i base_digits[4], key_digits[4]; /* recoded S and h */
};

/* y + x and y - x and t are reduced, z is raw with bias_8. */
struct point8 {
    struct field8 sum, difference, z, t;
};

/* What an encoding is made of, reduced. */
struct affine8 {
    struct field8 x, y, z;
};

static void walk_table(struct walk *walk, const struct table_shape *shape, __m512i tables, const __m512i digits[4])
{
    const __m512i half = lanes_of(UINT64_C(1) << (shape->width - 1)),
                  mask = lanes_of((UINT64_C(1) << shape->width) - 1);
    const __m512i stride = lanes_of((uint64_t)shape->stride * sizeof(struct niels_packed));
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
        __m512i entry = _mm512_add_epi64(tables, offset), other = _mm512_add_epi64(entry, lanes_of(32));
        _mm512_storeu_si512(step->entry, entry);
        _mm512_storeu_si512(step->plus, _mm512_mask_mov_epi64(entry, step->negative, other));
        _mm512_storeu_si512(step->minus, _mm512_mask_mov_epi64(other, step->negative, entry));
        tables = _mm512_add_epi64(tables, stride);
    }
}

static void walk_prepare(struct walk *walk, const struct tables *tables, const struct group *group)
{
    uint64_t key_tables[LANES];
    for (unsigned lane = 0; lane < LANES; lane++)
        key_tables[lane] = (uintptr_t)group->checks[lane]->key->table;
    walk->count = 0;
    walk_table(walk, &tables->base_shape, lanes_of((uintptr_t)tables->base), group->base_digits);
    walk_table(walk, &tables->key_shape, _mm512_loadu_si512(key_tables), group->key_digits);
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

/* The part of an addition before its last products: x = e f, y = g h, z = f g, t = e h. */
struct halfway8 {
    struct field8 e, f, g, h;
};

FIELD8_INLINE struct halfway8 add_entry(const struct point8 *p, const struct step *step)
{
    struct field8 a = field8_multiply_raw(p->difference, load_field8(step->minus, 0));
    struct field8 b = field8_multiply_biased(p->sum, load_field8(step->plus, 0), FIELD8_BIAS_9);
    struct field8 c = field8_multiply_raw(p->t, load_t2d(step));
    struct field8 two_z = field8_add(p->z, p->z);
    return (struct halfway8){
        .e = field8_carry(field8_subtract(b, a)),
        .f = field8_carry(field8_subtract(two_z, c)),
        .g = field8_carry(field8_add(two_z, c)),
        .h = field8_carry(field8_add(b, a)),
    };
}

/* Walks are longer than any distance. */
FIELD8_INLINE const struct step *step_ahead(const struct walk *walk, const struct walk *next, unsigned i)
{
    return i < walk->count ? &walk->steps[i] : &next->steps[i - walk->count];
}

static struct affine8 accumulate(const struct walk *walk, const struct walk *next)
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

FIELD8_INLINE struct field8 rotate_lanes(struct field8 a, unsigned by)
{
    const __m512i order =
        _mm512_and_si512(_mm512_add_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), lanes_of(by)), lanes_of(LANES - 1));
    for (unsigned i = 0; i < 5; i++)
        a.limb[i] = _mm512_permutexvar_epi64(order, a.limb[i]);
    return a;
}

/* 1 / a in every lane by one inversion: the other lanes' product is built beside the product of all. */
static struct field8 invert_lanes(struct field8 a)
{
    struct field8 beside_1 = rotate_lanes(a, 4), pairs = field8_multiply(a, beside_1);
    struct field8 beside_2 = rotate_lanes(pairs, 2), fours = field8_multiply(pairs, beside_2);
    struct field8 beside_4 = rotate_lanes(fours, 1), all = field8_multiply(fours, beside_4);
    struct field product;
    for (unsigned i = 0; i < 5; i++)
        product.limb[i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(all.limb[i]));
    struct field inverse = field_invert(product);
    struct field8 others = field8_multiply(beside_1, field8_multiply(beside_2, beside_4));
    return field8_multiply(others, field8_of(&inverse));
}

/* Whether the encoding of x/z, y/z is R, lane by lane; inverse is 1/z. */
static __mmask8 encodes_r(const struct affine8 *point, struct field8 inverse, const struct group *group)
{
    uint64_t r[LANES];
    for (unsigned lane = 0; lane < LANES; lane++)
        r[lane] = (uintptr_t)group->checks[lane]->signature;
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

/* The signature's hash and both scalars' digits. */
static void prepare(const struct tables *tables, struct group *group)
{
    __m512i digest[8], h[4], s[4];
    uint64_t s_address[LANES];
    sha512_challenge_x8(group->checks, digest);
    scalar_reduce_x8(digest, h);
    for (unsigned lane = 0; lane < LANES; lane++)
        s_address[lane] = (uintptr_t)group->checks[lane]->signature;
    load_words8(s_address, 32, s);
    table_recode_x8(&tables->base_shape, s, group->base_digits);
    table_recode_x8(&tables->key_shape, h, group->key_digits);
}

/* Lanes hashed together should have as many blocks each: groups are cut from the burst in order of block counts.
 * Returns the number of groups. */
#define BLOCKS_SORTED 16
static unsigned make_groups(struct group groups[GROUPS_MAX], const struct ed25519_check *const checks[], unsigned n)
{
    uint8_t blocks[ED25519_BURST_MAX], order[ED25519_BURST_MAX];
    unsigned start[BLOCKS_SORTED + 1] = {0};
    for (unsigned i = 0; i < n; i++) {
        size_t count = sha512_blocks(checks[i]->length);
        blocks[i] = (uint8_t)(count < BLOCKS_SORTED ? count : BLOCKS_SORTED) - 1;
        start[blocks[i] + 1]++;
    }
    for (unsigned i = 1; i < BLOCKS_SORTED; i++)
        start[i] += start[i - 1];
    for (unsigned i = 0; i < n; i++)
        order[start[blocks[i]]++] = (uint8_t)i;
    unsigned group_count = (n + LANES - 1) / LANES;
    for (unsigned g = 0; g < group_count; g++) {
        groups[g].count = n - g * LANES < LANES ? n - g * LANES : LANES;
        for (unsigned lane = 0; lane < LANES; lane++) {
            groups[g].index[lane] = order[g * LANES + (lane < groups[g].count ? lane : 0)];
            groups[g].checks[lane] = checks[groups[g].index[lane]];
        }
    }
    return group_count;
}

void verify_avx512(const struct tables *tables, const struct ed25519_check *const checks[], bool valid[], unsigned n)
{
    struct group groups[GROUPS_MAX];
    struct affine8 sums[GROUPS_MAX];
    struct field8 before[GROUPS_MAX]; /* product of the z of the groups before */
    struct walk walks[2];

    unsigned count = make_groups(groups, checks, n);
    /* The first group's entries are under way while the others are hashed. */
    prepare(tables, &groups[0]);
    walk_prepare(&walks[0], tables, &groups[0]);
    for (unsigned i = 0; i < FETCH_FAR; i++)
        for (unsigned lane = 0; lane < LANES; lane += 2)
            fetch_lanes(&walks[0].steps[i], &walks[0].steps[i % FETCH_NEAR], lane);
    for (unsigned g = 1; g < count; g++)
        prepare(tables, &groups[g]);
    struct field8 product = field8_of(&field_one);
    for (unsigned g = 0; g < count; g++) {
        struct walk *walk = &walks[g % 2], *next = &walks[(g + 1) % 2];
        /* After the last group its own first entries are fetched again, for nothing. */
        walk_prepare(next, tables, &groups[g + 1 < count ? g + 1 : g]);
        sums[g] = accumulate(walk, next);
        before[g] = product;
        product = field8_multiply(product, sums[g].z);
    }
    struct field8 rest = invert_lanes(product);
    for (unsigned g = count; g-- > 0;) {
        __mmask8 equal = encodes_r(&sums[g], field8_multiply(rest, before[g]), &groups[g]);
        rest = field8_multiply(rest, sums[g].z);
        for (unsigned lane = 0; lane < groups[g].count; lane++)
            valid[groups[g].index[lane]] = equal >> lane & 1;
    }
}
