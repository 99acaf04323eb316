#include "keys/ed25519/table.h"

#include <assert.h>

#define SCALAR_BITS 252

struct window_shape window_shape(unsigned width)
{
    assert(width >= TABLE_WIDTH_MIN && width <= TABLE_WIDTH_MAX);
    struct window_shape shape = {.width = width, .windows = (SCALAR_BITS + width - 1) / width};
    unsigned lower = shape.windows - 1;
    shape.top = SCALAR_BITS - lower * width;
    for (unsigned i = 0; i < lower; i++) {
        unsigned bit = i * width + width - 1;
        shape.offset[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    shape.stride = (1u << (width - 1)) + 1;
    shape.entries = lower * shape.stride + (1u << shape.top) + 1;
    shape.bytes = shape.entries * sizeof(struct niels_packed);
    return shape;
}

struct curve_point table_build_window(const struct curve_point *point, struct niels_packed *entries, uint32_t last)
{
    struct curve_point chunk[POINT_SHARED_MAX];
    struct curve_point multiple = point_identity();
    struct niels_packed packed;
    point_pack(point, &packed, 1);
    const struct niels one = niels_unpack(&packed);
    uint32_t made = 0;
    while (made <= last) {
        unsigned count = 0;
        while (count < POINT_SHARED_MAX && made + count <= last) {
            if (made + count > 0)
                point_add_niels(&multiple, &one, false);
            chunk[count++] = multiple;
        }
        point_pack(chunk, entries + made, count);
        made += count;
    }
    return multiple;
}

void table_build(const struct window_shape *shape, const struct curve_point *point, struct niels_packed *entries)
{
    struct curve_point window = *point;
    for (unsigned i = 0; i + 1 < shape->windows; i++) {
        struct curve_point half = table_build_window(&window, entries + (size_t)i * shape->stride, shape->stride - 1);
        window = point_add(&half, &half);
    }
    table_build_window(&window, entries + (size_t)(shape->windows - 1) * shape->stride, 1u << shape->top);
}

void table_recode(const struct window_shape *shape, const struct scalar *k, uint64_t sum[4])
{
    unsigned __int128 carry = 0;
    for (unsigned i = 0; i < 4; i++) {
        carry += (unsigned __int128)k->word[i] + shape->offset[i];
        sum[i] = (uint64_t)carry;
        carry >>= 64;
    }
}
