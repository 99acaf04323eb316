/* Additions of points in four lanes (point.h). Only for files compiled for AVX2 and FMA. */
#pragma once

#include "keys/ed25519/field_fma.h"

/* y + x, y - x and t are reduced, z is raw with half the bias. */
struct point4 {
    struct field4 sum, difference, t;
    struct raw4 z;
};

/* y + x, y - x and 2 d x y of affine points, wide. */
struct niels4 {
    struct field4 plus, minus, t2d;
};

/* The part of an addition before its last products: x = e f, y = g h, z = f g, t = e h. All reduced. */
struct halfway4 {
    struct field4 e, f, g, h;
};

/* Raw products are below 2^57.5 in size: the largest sum, 2 z + c, is below 3 * 2^57.5 < 2^60. */
FIELD4_INLINE struct halfway4 point4_add_halfway(const struct point4 *p, const struct niels4 *q)
{
    struct halfway4 half;
    struct raw4 a = field4_multiply_raw(p->difference, q->minus, FIELD4_BIAS_NONE);
    struct raw4 b = field4_multiply_raw(p->sum, q->plus, FIELD4_BIAS);
    half.e = raw4_carry(raw4_subtract(b, a));
    half.h = raw4_carry(raw4_add(b, a));
    struct raw4 c = field4_multiply_raw(p->t, q->t2d, FIELD4_BIAS_NONE);
    struct raw4 two_z = raw4_add(p->z, p->z);
    half.f = raw4_carry(raw4_subtract(two_z, c));
    half.g = raw4_carry(raw4_add(two_z, c));
    return half;
}

FIELD4_INLINE void point4_finish(const struct halfway4 *half, struct point4 *p, struct raw4 *x, struct raw4 *y)
{
    *x = field4_multiply_raw(half->e, half->f, FIELD4_BIAS_NONE);
    *y = field4_multiply_raw(half->g, half->h, FIELD4_BIAS);
    p->difference = raw4_carry(raw4_subtract(*y, *x));
    p->sum = raw4_carry(raw4_add(*y, *x));
    p->z = field4_multiply_raw(half->f, half->g, FIELD4_BIAS_HALF);
    p->t = field4_multiply(half->e, half->h);
}

/* z = 1, as points hold it. */
FIELD4_INLINE struct raw4 point4_z_one(void)
{
    struct raw4 z;
    for (unsigned i = 0; i < 5; i++)
        z.limb[i] = lanes_of(BIAS_VALUE / 2 + (i == 0));
    return z;
}
