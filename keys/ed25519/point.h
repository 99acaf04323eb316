/* Points of the twisted Edwards curve -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032). The additions are complete: right for
 * every pair of points of the curve, equal, opposite or of small order (Hisil, Wong, Carter, Dawson, 2008). */
#pragma once

#include "keys/ed25519/field_51.h"

#include <assert.h>

/* x = X/Z, y = Y/Z, x y = T/Z. All tight. Z is never zero. */
struct curve_point {
    struct field x, y, z, t;
};

/* An affine point as additions take it (Niels form): y + x, y - x, 2 d x y. All tight. */
struct niels {
    struct field plus, minus, t2d;
};

/* The same as tables hold it: the representatives below p, 96 bytes. Vector loads take 32 bytes at a time. */
struct niels_packed {
    uint64_t plus[4], minus[4], t2d[4];
};
static_assert(sizeof(struct niels_packed) == 96, "table entries are packed");

extern const struct curve_point point_base;
extern const struct field field_d, field_2d;

struct curve_point point_identity(void);
struct curve_point point_add(const struct curve_point *a, const struct curve_point *b);
struct curve_point point_negate(const struct curve_point *a);

/* Takes an encoding as libsodium 1.0.18 takes a public key: y below p (bit 255 aside), a point of the curve, not of
 * small order. Points with a part of small order pass. */
bool point_from_key(const uint8_t encoding[32], struct curve_point *out);

/* Whether the encoding is one of a point of small order, bit 255 ignored, y reduced or not: what libsodium refuses as R
 * and as key. */
bool point_encoding_has_small_order(const uint8_t encoding[32]);

/* Affine form of `count` points with one inversion; count is at most POINT_SHARED_MAX. `out` holds what x = X/Z and y
 * give. */
#define POINT_SHARED_MAX 128
void point_pack(const struct curve_point points[], struct niels_packed out[], unsigned count);

/* encodings[i] is that of x[i]/z[i], y[i]/z[i]; one inversion for all; count is at most POINT_SHARED_MAX. */
void point_encode_burst(const struct curve_point points[], uint8_t encodings[][32], unsigned count);

static inline struct niels niels_unpack(const struct niels_packed *packed)
{
    return (struct niels){field_from_words(packed->plus), field_from_words(packed->minus),
                          field_from_words(packed->t2d)};
}

/* p + q, or p - q. The opposite of q has plus and minus changed about and t2d negated, which exchanges f and g. */
static inline void point_add_niels(struct curve_point *p, const struct niels *q, bool subtract)
{
    const struct field *plus = subtract ? &q->minus : &q->plus;
    const struct field *minus = subtract ? &q->plus : &q->minus;
    struct field a = field_multiply(field_subtract(p->y, p->x), *minus);
    struct field b = field_multiply(field_add(p->y, p->x), *plus);
    struct field c = field_multiply(p->t, q->t2d);
    struct field two_z = field_add(p->z, p->z);
    struct field e = field_subtract(b, a), h = field_add(b, a);
    struct field less = field_subtract(two_z, c), more = field_add(two_z, c);
    struct field f = subtract ? more : less, g = subtract ? less : more;
    p->x = field_multiply(e, f);
    p->y = field_multiply(g, h);
    p->z = field_multiply(f, g);
    p->t = field_multiply(e, h);
}
