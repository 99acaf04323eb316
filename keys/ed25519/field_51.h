/* Numbers modulo p = 2^255 - 19 in five limbs of radix 2^51, for any 64-bit machine.
 *
 * Two grades of limbs. "Tight": below 2^51 + 2^14, what multiplication and carrying return. "Loose": below 2^54, what
 * multiplication takes. A sum of two tight numbers and a difference of tight numbers are loose. */
#pragma once

#include "keys/bytes.h"

struct field {
    uint64_t limb[5];
};

#define FIELD_LIMB_MASK ((UINT64_C(1) << 51) - 1)

static const struct field field_zero = {{0}};
static const struct field field_one = {{1}};

/* a + b; the limbs add, nothing is carried. */
static inline struct field field_add(struct field a, struct field b)
{
    for (unsigned i = 0; i < 5; i++)
        a.limb[i] += b.limb[i];
    return a;
}

/* a - b for b below 2^53 - 76 a limb: 4p is added limb by limb, so that none goes below zero. Each limb of the result
 * is below a's plus 2^53. */
static inline struct field field_subtract(struct field a, struct field b)
{
    a.limb[0] += (UINT64_C(1) << 53) - 76 - b.limb[0];
    for (unsigned i = 1; i < 5; i++)
        a.limb[i] += (UINT64_C(1) << 53) - 4 - b.limb[i];
    return a;
}

/* Five sums of products below 2^115 become tight limbs. Each carry is below 2^64: 2^115 / 2^51. The last one comes
 * from a column without a factor 19, below 2^111, so that 19 times it is below 2^64.3 - 2^51 for loose factors: the
 * column holds five products below 2^108, their sum is below 2^110.4, the carry below 2^59.4, 19 times it below
 * 2^63.7. */
static inline struct field field_carry_wide(unsigned __int128 column[5])
{
    struct field r;
    for (unsigned i = 0; i < 4; i++) {
        r.limb[i] = (uint64_t)column[i] & FIELD_LIMB_MASK;
        column[i + 1] += (uint64_t)(column[i] >> 51);
    }
    r.limb[4] = (uint64_t)column[4] & FIELD_LIMB_MASK;
    r.limb[0] += 19 * (uint64_t)(column[4] >> 51);
    r.limb[1] += r.limb[0] >> 51; /* below 2^13 */
    r.limb[0] &= FIELD_LIMB_MASK;
    return r;
}

/* a * b, loose factors, tight product. 19 b is below 2^58.3; a column has at most five products below 2^112.3. */
static inline struct field field_multiply(struct field a, struct field b)
{
    const uint64_t *x = a.limb, *y = b.limb;
    uint64_t y1 = 19 * y[1], y2 = 19 * y[2], y3 = 19 * y[3], y4 = 19 * y[4];
#define TIMES(s, t) ((unsigned __int128)(s) * (t))
    unsigned __int128 column[5] = {
        TIMES(x[0], y[0]) + TIMES(x[1], y4) + TIMES(x[2], y3) + TIMES(x[3], y2) + TIMES(x[4], y1),
        TIMES(x[0], y[1]) + TIMES(x[1], y[0]) + TIMES(x[2], y4) + TIMES(x[3], y3) + TIMES(x[4], y2),
        TIMES(x[0], y[2]) + TIMES(x[1], y[1]) + TIMES(x[2], y[0]) + TIMES(x[3], y4) + TIMES(x[4], y3),
        TIMES(x[0], y[3]) + TIMES(x[1], y[2]) + TIMES(x[2], y[1]) + TIMES(x[3], y[0]) + TIMES(x[4], y4),
        TIMES(x[0], y[4]) + TIMES(x[1], y[3]) + TIMES(x[2], y[2]) + TIMES(x[3], y[1]) + TIMES(x[4], y[0]),
    };
#undef TIMES
    return field_carry_wide(column);
}

static inline struct field field_square(struct field a)
{
    return field_multiply(a, a);
}

/* The 32 bytes, little-endian, without bit 255. Any value below 2^255 is taken. */
static inline struct field field_from_words(const uint64_t word[4])
{
    struct field r;
    r.limb[0] = word[0] & FIELD_LIMB_MASK;
    r.limb[1] = (word[0] >> 51 | word[1] << 13) & FIELD_LIMB_MASK;
    r.limb[2] = (word[1] >> 38 | word[2] << 26) & FIELD_LIMB_MASK;
    r.limb[3] = (word[2] >> 25 | word[3] << 39) & FIELD_LIMB_MASK;
    r.limb[4] = (word[3] >> 12) & FIELD_LIMB_MASK;
    return r;
}
struct field field_from_bytes(const uint8_t bytes[32]);
/* The one representative below p, from loose limbs. */
void field_to_words(struct field a, uint64_t word[4]);
void field_to_bytes(struct field a, uint8_t bytes[32]);

bool field_is_zero(struct field a);
bool field_equal(struct field a, struct field b); /* b tight */
bool field_is_odd(struct field a);                /* of the representative below p */
struct field field_negate(struct field a);        /* tight in, tight out */

/* a^(2^252 - 3): what a square root needs. */
struct field field_power_p58(struct field a);
