#include "keys/ed25519/point.h"

#include "keys/ed25519/inverse.h"

#include <assert.h>

const struct field field_d = {{0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
const struct field field_2d = {{0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}};
static const struct field root_of_minus_one = {
    {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d}};

const struct curve_point point_base = {
    .x = {{0x62d608f25d51a, 0x412a4b4f6592a, 0x75b7171a4b31d, 0x1ff60527118fe, 0x216936d3cd6e5}},
    .y = {{0x6666666666658, 0x4cccccccccccc, 0x1999999999999, 0x3333333333333, 0x6666666666666}},
    .z = {{1}},
    .t = {{0x68ab3a5b7dda3, 0x00eea2a5eadbb, 0x2af8df483c27e, 0x332b375274732, 0x67875f0fd78b7}},
};

struct curve_point point_identity(void)
{
    return (struct curve_point){field_zero, field_one, field_one, field_zero};
}

struct curve_point point_add(const struct curve_point *p, const struct curve_point *q)
{
    struct field a = field_multiply(field_subtract(p->y, p->x), field_subtract(q->y, q->x));
    struct field b = field_multiply(field_add(p->y, p->x), field_add(q->y, q->x));
    struct field c = field_multiply(field_multiply(p->t, q->t), field_2d);
    struct field d = field_multiply(field_add(p->z, p->z), q->z);
    struct field e = field_subtract(b, a), f = field_subtract(d, c), g = field_add(d, c), h = field_add(b, a);
    return (struct curve_point){field_multiply(e, f), field_multiply(g, h), field_multiply(f, g), field_multiply(e, h)};
}

struct curve_point point_negate(const struct curve_point *a)
{
    return (struct curve_point){field_negate(a->x), a->y, a->z, field_negate(a->t)};
}

/* The y of all points of small order, and y + p of those two where it still fits 255 bits. */
static const uint8_t small_order[][32] = {
    /* 0: order 4 */
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
    /* 1: order 1 */
    {0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
    /* order 8 */
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    /* order 8 */
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    /* p - 1: order 2 */
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    /* p: 0 again */
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    /* p + 1: 1 again */
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

bool point_encoding_has_small_order(const uint8_t encoding[32])
{
    for (unsigned i = 0; i < sizeof small_order / sizeof *small_order; i++) {
        /* A first look at eight bytes: nearly every encoding ends here, seven times. */
        uint64_t start, wanted;
        memcpy(&start, encoding, sizeof start);
        memcpy(&wanted, small_order[i], sizeof wanted);
        if (start == wanted && memcmp(encoding, small_order[i], 31) == 0 && (encoding[31] & 0x7f) == small_order[i][31])
            return true;
    }
    return false;
}

static bool y_is_canonical(const uint8_t encoding[32])
{
    if (encoding[0] < 0xed || (encoding[31] & 0x7f) != 0x7f)
        return true;
    for (unsigned i = 1; i < 31; i++)
        if (encoding[i] != 0xff)
            return true;
    return false;
}

/* x^2 = (y^2 - 1) / (d y^2 + 1) = u / v has the root u v^3 (u v^7)^((p - 5) / 8), or that times the root of -1, or
 * none (RFC 8032, section 5.1.3). */
static bool root_of_fraction(struct field u, struct field v, struct field *x)
{
    struct field v3 = field_multiply(field_square(v), v);
    struct field uv7 = field_multiply(field_multiply(field_square(v3), v), u);
    *x = field_multiply(field_multiply(field_power_p58(uv7), v3), u);
    struct field again = field_multiply(field_square(*x), v);
    if (field_equal(again, u))
        return true;
    *x = field_multiply(*x, root_of_minus_one);
    return field_equal(field_negate(again), u);
}

bool point_from_key(const uint8_t encoding[32], struct curve_point *out)
{
    if (!y_is_canonical(encoding) || point_encoding_has_small_order(encoding))
        return false;
    struct field y = field_from_bytes(encoding), x;
    struct field y2 = field_square(y);
    struct field u = field_multiply(field_subtract(y2, field_one), field_one);
    struct field v = field_multiply(field_add(field_multiply(y2, field_d), field_one), field_one);
    if (!root_of_fraction(u, v, &x))
        return false;
    if (field_is_odd(x) != (encoding[31] >> 7))
        x = field_negate(x);
    *out = (struct curve_point){x, y, field_one, field_multiply(x, y)};
    return true;
}

/* inverse[i] = 1 / points[i].z, by one inversion and three multiplications a point (Montgomery). */
static void invert_shared(const struct curve_point points[], struct field inverse[], unsigned count)
{
    assert(count >= 1 && count <= POINT_SHARED_MAX);
    /* inverse[i] is the product of the z before i, until the way back. */
    struct field product = field_one;
    for (unsigned i = 0; i < count; i++) {
        inverse[i] = product;
        product = field_multiply(product, points[i].z);
    }
    struct field rest = field_invert(product);
    for (unsigned i = count; i-- > 0;) {
        inverse[i] = field_multiply(inverse[i], rest);
        rest = field_multiply(rest, points[i].z);
    }
}

void point_pack(const struct curve_point points[], struct niels_packed out[], unsigned count)
{
    struct field inverse[POINT_SHARED_MAX];
    invert_shared(points, inverse, count);
    for (unsigned i = 0; i < count; i++) {
        struct field x = field_multiply(points[i].x, inverse[i]);
        struct field y = field_multiply(points[i].y, inverse[i]);
        field_to_words(field_add(y, x), out[i].plus);
        field_to_words(field_subtract(y, x), out[i].minus);
        field_to_words(field_multiply(field_multiply(x, y), field_2d), out[i].t2d);
    }
}

void point_encode_burst(const struct curve_point points[], uint8_t encodings[][32], unsigned count)
{
    struct field inverse[POINT_SHARED_MAX];
    invert_shared(points, inverse, count);
    for (unsigned i = 0; i < count; i++) {
        field_to_bytes(field_multiply(points[i].y, inverse[i]), encodings[i]);
        encodings[i][31] |= (uint8_t)(field_is_odd(field_multiply(points[i].x, inverse[i])) << 7);
    }
}
