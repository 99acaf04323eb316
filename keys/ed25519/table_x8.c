#include "keys/ed25519/table_x8.h"

#include "keys/ed25519/encode_x8.h"
#include "keys/ed25519/point_x8.h"

#include <assert.h>

/* Points that share an inversion, in each lane. */
#define CHUNK 32

/* The four words of each lane, 32 bytes at its address. */
FIELD8_INLINE void store_words8(const uint64_t address[LANES], unsigned offset, const __m512i word[4])
{
    __m512i even_low = _mm512_unpacklo_epi64(word[0], word[1]), odd_low = _mm512_unpackhi_epi64(word[0], word[1]);
    __m512i even_high = _mm512_unpacklo_epi64(word[2], word[3]), odd_high = _mm512_unpackhi_epi64(word[2], word[3]);
#define STORE(lane, low, high, quarter)                                                                                \
    do {                                                                                                               \
        _mm_storeu_si128((__m128i *)(address[lane] + offset), _mm512_extracti64x2_epi64(low, quarter));                \
        _mm_storeu_si128((__m128i *)(address[lane] + offset + 16), _mm512_extracti64x2_epi64(high, quarter));          \
    } while (0)
    STORE(0, even_low, even_high, 0);
    STORE(1, odd_low, odd_high, 0);
    STORE(2, even_low, even_high, 1);
    STORE(3, odd_low, odd_high, 1);
    STORE(4, even_low, even_high, 2);
    STORE(5, odd_low, odd_high, 2);
    STORE(6, even_low, even_high, 3);
    STORE(7, odd_low, odd_high, 3);
#undef STORE
}

FIELD8_INLINE void store_field8(const uint64_t address[LANES], unsigned offset, struct field8 reduced)
{
    struct field8 a = field8_canonical(reduced);
    const __m512i word[4] = {
        _mm512_or_si512(a.limb[0], _mm512_slli_epi64(a.limb[1], 51)),
        _mm512_or_si512(_mm512_srli_epi64(a.limb[1], 13), _mm512_slli_epi64(a.limb[2], 38)),
        _mm512_or_si512(_mm512_srli_epi64(a.limb[2], 26), _mm512_slli_epi64(a.limb[3], 25)),
        _mm512_or_si512(_mm512_srli_epi64(a.limb[3], 39), _mm512_slli_epi64(a.limb[4], 12)),
    };
    store_words8(address, offset, word);
}

/* Packs the points' affine forms to address[lane], one after the other, and moves the addresses on. */
static void pack_chunk(const struct affine8 points[], unsigned count, uint64_t address[LANES])
{
    struct field8 inverse[CHUNK];
    struct field8 product = field8_of(&field_one);
    for (unsigned i = 0; i < count; i++) {
        inverse[i] = product;
        product = field8_multiply(product, points[i].z);
    }
    struct field8 rest = invert_x8(product);
    for (unsigned i = count; i-- > 0;) {
        inverse[i] = field8_multiply(inverse[i], rest);
        rest = field8_multiply(rest, points[i].z);
    }
    struct field8 bias, two_d = field8_of(&field_2d);
    for (unsigned i = 0; i < 5; i++)
        bias.limb[i] = bias_limb(FIELD8_BIAS_8, i, 0);
    for (unsigned i = 0; i < count; i++) {
        struct field8 x = field8_multiply(points[i].x, inverse[i]), y = field8_multiply(points[i].y, inverse[i]);
        store_field8(address, 0, field8_carry(field8_add(y, x)));
        store_field8(address, 32, field8_carry(field8_subtract(field8_add(y, bias), x)));
        store_field8(address, 64, field8_multiply(field8_multiply(x, y), two_d));
        for (unsigned lane = 0; lane < LANES; lane++)
            address[lane] += sizeof(struct niels_packed);
    }
}

static struct niels8 niels8_of(const struct niels_packed packed[LANES])
{
    uint64_t address[LANES];
    struct niels8 r;
    struct field8 *const part[] = {&r.plus, &r.minus, &r.t2d};
    for (unsigned lane = 0; lane < LANES; lane++)
        address[lane] = (uintptr_t)&packed[lane];
    for (unsigned i = 0; i < 3; i++) {
        __m512i word[4];
        load_words8(address, 32 * i, word);
        *part[i] = field8_from_words(word);
    }
    return r;
}

/* Entries 0 to count - 1 of eight windows: the multiples of eight points, each to its lane's address. */
static void build_windows(const struct curve_point points[LANES], uint32_t count, uint64_t address[LANES])
{
    struct niels_packed packed[LANES];
    struct affine8 chunk[CHUNK];
    point_pack(points, packed, LANES);
    const struct niels8 one = niels8_of(packed);
    struct affine8 now = {field8_of(&field_zero), field8_of(&field_one), field8_of(&field_one)};
    struct point8 p = {.sum = now.y, .difference = now.y, .t = now.x};
    for (unsigned i = 0; i < 5; i++)
        p.z.limb[i] = bias_limb(FIELD8_BIAS_8, i, 0);
    p.z.limb[0] = _mm512_add_epi64(p.z.limb[0], lanes_of(1));
    for (uint32_t made = 0; made < count;) {
        unsigned filled = 0;
        while (filled < CHUNK && made + filled < count) {
            chunk[filled++] = now;
            struct halfway8 half = point8_add_halfway(&p, &one);
            struct field8 x = field8_multiply_raw(half.e, half.f);
            struct field8 y = field8_multiply_biased(half.g, half.h, FIELD8_BIAS_9);
            p.difference = field8_carry(field8_subtract(y, x));
            p.sum = field8_carry(field8_add(y, x));
            p.z = field8_multiply_biased(half.f, half.g, FIELD8_BIAS_8);
            p.t = field8_multiply(half.e, half.h);
            now = (struct affine8){field8_carry(x), field8_carry(y), field8_carry(p.z)};
        }
        pack_chunk(chunk, filled, address);
        made += filled;
    }
}

void table_build_x8(const struct window_shape *shape, const struct curve_point *point, struct niels_packed *entries)
{
    struct curve_point windows[TABLE_WINDOWS_MAX];
    unsigned lower = shape->windows - 1;
    windows[0] = *point;
    for (unsigned i = 1; i <= lower; i++) {
        windows[i] = windows[i - 1];
        for (unsigned bit = 0; bit < shape->width; bit++)
            windows[i] = point_add(&windows[i], &windows[i]);
    }
    /* Where the windows run out, the last group takes some of those before it again. */
    assert(lower >= LANES);
    for (unsigned done = 0; done < lower; done += LANES) {
        unsigned first = done + LANES <= lower ? done : lower - LANES;
        uint64_t address[LANES];
        for (unsigned lane = 0; lane < LANES; lane++)
            address[lane] = (uintptr_t)(entries + (size_t)(first + lane) * shape->stride);
        build_windows(&windows[first], shape->stride, address);
    }
    table_build_window(&windows[lower], entries + (size_t)lower * shape->stride, 1u << shape->top);
}
