/* Additions of points in eight lanes (point.h). Only for files compiled for AVX-512 IFMA. */
#pragma once

#include "keys/ed25519/field_ifma.h"

/* y + x and y - x and t are reduced, z is raw with bias_8. */
struct point8 {
    struct field8 sum, difference, z, t;
};

/* y + x, y - x and 2 d x y of affine points; limbs below 2^51, of t2d below 2^52. */
struct niels8 {
    struct field8 plus, minus, t2d;
};

/* The part of an addition before its last products: x = e f, y = g h, z = f g, t = e h. */
struct halfway8 {
    struct field8 e, f, g, h;
};

/* With a t2d of 52 bits, c is below 2^59.5 and so still below the bias of 2 z. */
FIELD8_INLINE struct halfway8 point8_add_halfway(const struct point8 *p, const struct niels8 *q)
{
    struct field8 a = field8_multiply_raw(p->difference, q->minus);
    struct field8 b = field8_multiply_biased(p->sum, q->plus, FIELD8_BIAS_9);
    struct field8 c = field8_multiply_raw(p->t, q->t2d);
    struct field8 two_z = field8_add(p->z, p->z);
    return (struct halfway8){
        .e = field8_carry(field8_subtract(b, a)),
        .f = field8_carry(field8_subtract(two_z, c)),
        .g = field8_carry(field8_add(two_z, c)),
        .h = field8_carry(field8_add(b, a)),
    };
}
