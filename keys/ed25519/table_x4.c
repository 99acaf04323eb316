#include "keys/ed25519/table_x4.h"

#include "keys/ed25519/encode_x4.h"
#include "keys/ed25519/point_x4.h"

#include <assert.h>

/* Points that share an inversion, in each lane. */
#define CHUNK 64

/* The four words of each lane, to 32 bytes at its address. */
FIELD4_INLINE void store_words4(const uint64_t address[LANES], unsigned offset, const __m256i word[4])
{
    __m256i even_low = _mm256_unpacklo_epi64(word[0], word[1]), odd_low = _mm256_unpackhi_epi64(word[0], word[1]);
    __m256i even_high = _mm256_unpacklo_epi64(word[2], word[3]), odd_high = _mm256_unpackhi_epi64(word[2], word[3]);
#define STORE(lane, low, high, halves)                                                                                 \
    _mm256_storeu_si256((__m256i *)(address[lane] + offset), _mm256_permute2x128_si256(low, high, halves))
    STORE(0, even_low, even_high, 0x20);
    STORE(1, odd_low, odd_high, 0x20);
    STORE(2, even_low, even_high, 0x31);
    STORE(3, odd_low, odd_high, 0x31);
#undef STORE
}

FIELD4_INLINE void store_field4(const uint64_t address[LANES], unsigned offset, struct field4 reduced)
{
    struct raw4 a = field4_canonical(reduced);
#define JOIN(low, right, high, left) _mm256_or_si256(_mm256_srli_epi64(low, right), _mm256_slli_epi64(high, left))
    const __m256i word[4] = {
        JOIN(a.limb[0], 0, a.limb[1], 51),
        JOIN(a.limb[1], 13, a.limb[2], 38),
        JOIN(a.limb[2], 26, a.limb[3], 25),
        JOIN(a.limb[3], 39, a.limb[4], 12),
    };
#undef JOIN
    store_words4(address, offset, word);
}

/* Packs the points' affine forms to address[lane], one after the other, and moves the addresses on. */
static void pack_chunk(const struct affine4 points[], unsigned count, uint64_t address[LANES])
{
    struct field4 inverse[CHUNK];
    struct field4 product = field4_of(&field_one);
    for (unsigned i = 0; i < count; i++) {
        inverse[i] = product;
        product = field4_multiply(product, points[i].z);
    }
    struct field4 rest = invert_x4(&product), two_d = field4_of(&field_2d);
    for (unsigned i = count; i-- > 0;) {
        inverse[i] = field4_multiply(inverse[i], rest);
        rest = field4_multiply(rest, points[i].z);
    }
    for (unsigned i = 0; i < count; i++) {
        struct raw4 raw_x = field4_multiply_raw(points[i].x, inverse[i], FIELD4_BIAS_NONE);
        struct raw4 raw_y = field4_multiply_raw(points[i].y, inverse[i], FIELD4_BIAS);
        struct field4 x = field4_multiply(points[i].x, inverse[i]), y = raw4_carry(raw_y);
        store_field4(address, 0, raw4_carry(raw4_add(raw_y, raw_x)));
        store_field4(address, 32, raw4_carry(raw4_subtract(raw_y, raw_x)));
        store_field4(address, 64, field4_multiply(field4_multiply(x, y), two_d));
        for (unsigned lane = 0; lane < LANES; lane++)
            address[lane] += sizeof(struct niels_packed);
    }
}

static void niels4_of(const struct niels_packed packed[LANES], struct niels4 *out)
{
    uint64_t address[LANES];
    struct field4 *const part[] = {&out->plus, &out->minus, &out->t2d};
    for (unsigned lane = 0; lane < LANES; lane++)
        address[lane] = (uintptr_t)&packed[lane];
    for (unsigned i = 0; i < 3; i++) {
        __m256i word[4];
        load_words4(address, 32 * i, word);
        *part[i] = field4_from_words(word);
    }
}

/* Entries 0 to count - 1 of four windows: the multiples of four points, each to its lane's address. */
static void build_windows(const struct curve_point points[LANES], uint32_t count, uint64_t address[LANES])
{
    struct niels_packed packed[LANES];
    struct affine4 chunk[CHUNK];
    struct niels4 one;
    point_pack(points, packed, LANES);
    niels4_of(packed, &one);
    struct affine4 now = {field4_of(&field_zero), field4_of(&field_one), field4_of(&field_one)};
    struct point4 p = {.sum = now.y, .difference = now.y, .t = now.x, .z = point4_z_one()};
    const __m256i half_bias = lanes_of(BIAS_VALUE / 2);
    for (uint32_t made = 0; made < count;) {
        unsigned filled = 0;
        while (filled < CHUNK && made + filled < count) {
            chunk[filled++] = now;
            struct halfway4 half = point4_add_halfway(&p, &one);
            struct raw4 x, y, z;
            point4_finish(&half, &p, &x, &y);
            for (unsigned i = 0; i < 5; i++) {
                x.limb[i] = _mm256_add_epi64(x.limb[i], _mm256_add_epi64(half_bias, half_bias));
                z.limb[i] = _mm256_add_epi64(p.z.limb[i], half_bias);
            }
            now = (struct affine4){raw4_carry(x), raw4_carry(y), raw4_carry(z)};
        }
        pack_chunk(chunk, filled, address);
        made += filled;
    }
}

void table_build_x4(const struct window_shape *shape, const struct curve_point *point, struct niels_packed *entries)
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
