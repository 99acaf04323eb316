#include "keys/ed25519/inverse.h"

#include <assert.h>

/* f and g: two's complement in five limbs of 62 bits, the top one signed. Both stay within p in size. */
#define STEP_BITS 62
#define STEP_MASK ((UINT64_C(1) << STEP_BITS) - 1)

/* Bernstein and Yang bound the division steps for 255 bits by 741 = 12 * 62 - 3. */
#define ROUNDS_MAX 12

/* 2^(-62 n) modulo p: the powers of two that n rounds leave to be divided out. */
static const struct field power_of_round[ROUNDS_MAX + 1] = {
    {{0x0000000000001, 0x0000000000000, 0x0000000000000, 0x0000000000000, 0x0000000000000}},
    {{0x7fffffffffffe, 0x7ffffffffffff, 0x7ffffffffffff, 0x21affffffffff, 0x0d79435e50d79}},
    {{0x7fffffffffff1, 0x7ffffffffffff, 0x579435fffffff, 0x3ca1af286bca1, 0x650d79435e50d}},
    {{0x7fffffffffff8, 0x4a1af286bffff, 0x50d79435e50d7, 0x06bca1af286bc, 0x35e50d79435e5}},
    {{0x0d79435e50d7d, 0x6bca1af286bca, 0x5e50d79435e50, 0x7286bca1af286, 0x1435e50d79435}},
    {{0x650d79435e4fc, 0x286bca1af286b, 0x435e50d79435e, 0x62f286bca1af2, 0x75b7aae72e181}},
    {{0x35e50d79435e3, 0x2f286bca1af28, 0x181c5e50d7943, 0x694eb6f55ce5c, 0x0dd408827b63f}},
    {{0x1435e50d79425, 0x65c3038bca1af, 0x63fd29d6deab9, 0x4f11ba81104f6, 0x71d132595a0f9}},
    {{0x2b9cb86071794, 0x4f6c7fa53adbd, 0x0f99e23750220, 0x1e7e3a264b2b4, 0x016b1490aa31a}},
    {{0x2209ed8ff4a6c, 0x2b41f33c46ea0, 0x31a3cfc744c96, 0x49c02d6292154, 0x417706156c6c8}},
    {{0x4965683e6788a, 0x15463479f8e89, 0x6c893805ac524, 0x16482ee0c2ad8, 0x19ca54469d942}},
    {{0x5242a8c68f3e5, 0x2d8d912700b58, 0x1422c905dc185, 0x28e3394a88d3b, 0x5658e7676c333}},
    {{0x1855b1b224df9, 0x53b2845920bb8, 0x33351c6729511, 0x327acb1ceced8, 0x38b66f98b076d}},
};

struct wide {
    int64_t limb[5];
};

/* 2^62 times the product of 62 division steps: (f, g) becomes (u f + v g, q f + r g) / 2^62. |u| + |v| and |q| + |r|
 * are at most 2^62. */
struct steps {
    int64_t u, v, q, r;
};

/* 62 division steps from the low bits of f and g; f is odd. Runs of even g are taken at once, and where g is odd a
 * multiple of f is added that clears as many bits as the sign of delta and the run leave, at most six. Returns the new
 * delta, the paper's. */
static int64_t divide_steps(int64_t delta, uint64_t f, uint64_t g, struct steps *steps)
{
    uint64_t u = 1, v = 0, q = 0, r = 1;
    int left = STEP_BITS;
    for (;;) {
        /* The bits at and above `left` stop the count there. */
        int zeros = __builtin_ctzll(g | UINT64_MAX << left);
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        delta += zeros;
        left -= zeros;
        if (left == 0)
            break;
        if (delta > 0) {
            uint64_t old_f = f, old_u = u, old_v = v;
            f = g, u = q, v = r;
            g = -old_f, q = -old_u, r = -old_v;
            delta = -delta;
        }
        /* Until delta is above zero again, each step adds f or nothing to g: 1 - delta steps, in one go. */
        int64_t steps_now = 1 - delta < left ? 1 - delta : left;
        uint64_t mask = (steps_now >= 6 ? 64 : UINT64_C(1) << steps_now) - 1;
        /* f (2 - f^2) is 1 / f modulo 64, because f^2 is 1 modulo 8; so this is -g / f. */
        uint64_t times = f * g * (f * f - 2) & mask;
        g += f * times;
        q += u * times;
        r += v * times;
    }
    *steps = (struct steps){(int64_t)u, (int64_t)v, (int64_t)q, (int64_t)r};
    return delta;
}

/* (f, g) becomes (u f + v g, q f + r g) / 2^62; the low 62 bits are zero by construction. */
static void apply(struct wide *f, struct wide *g, const struct steps *s)
{
    __int128 sum_f = 0, sum_g = 0;
    for (unsigned i = 0; i < 5; i++) {
        sum_f += (__int128)s->u * f->limb[i] + (__int128)s->v * g->limb[i];
        sum_g += (__int128)s->q * f->limb[i] + (__int128)s->r * g->limb[i];
        if (i > 0) {
            f->limb[i - 1] = (int64_t)((uint64_t)sum_f & STEP_MASK);
            g->limb[i - 1] = (int64_t)((uint64_t)sum_g & STEP_MASK);
        }
        sum_f >>= STEP_BITS;
        sum_g >>= STEP_BITS;
    }
    f->limb[4] = (int64_t)sum_f;
    g->limb[4] = (int64_t)sum_g;
}

static bool is_zero(const struct wide *a)
{
    return (a->limb[0] | a->limb[1] | a->limb[2] | a->limb[3] | a->limb[4]) == 0;
}

/* m d + n e modulo p for |m| + |n| <= 2^62 and tight d, e. A column is less than 2^62 (2^51 + 2^14) in size, so 2^62
 * times the limbs of 2 p make every column positive and leave it below 2^115: carries fit 64 bits but for the last,
 * below 2^64 + 2^13, which is carried on 19-fold in 128 bits. */
static struct field combine(int64_t m, const struct field *d, int64_t n, const struct field *e)
{
    struct field out;
    unsigned __int128 carry = 0;
    for (unsigned i = 0; i < 5; i++) {
        uint64_t twice_p = (UINT64_C(1) << 52) - (i == 0 ? 38 : 2);
        __int128 sum = (__int128)m * (int64_t)d->limb[i] + (__int128)n * (int64_t)e->limb[i];
        carry += ((unsigned __int128)twice_p << STEP_BITS) + (unsigned __int128)sum;
        out.limb[i] = (uint64_t)carry & FIELD_LIMB_MASK;
        carry >>= 51;
    }
    carry = 19 * carry + out.limb[0];
    out.limb[0] = (uint64_t)carry & FIELD_LIMB_MASK;
    carry = (carry >> 51) + out.limb[1];
    out.limb[1] = (uint64_t)carry & FIELD_LIMB_MASK;
    out.limb[2] += (uint64_t)(carry >> 51);
    return out;
}

struct field field_invert(struct field a)
{
    uint64_t word[4];
    field_to_words(a, word);
    struct wide f = {{(int64_t)(STEP_MASK - 18), (int64_t)STEP_MASK, (int64_t)STEP_MASK, (int64_t)STEP_MASK, 127}};
    struct wide g = {{
        (int64_t)(word[0] & STEP_MASK),
        (int64_t)((word[0] >> 62 | word[1] << 2) & STEP_MASK),
        (int64_t)((word[1] >> 60 | word[2] << 4) & STEP_MASK),
        (int64_t)((word[2] >> 58 | word[3] << 6) & STEP_MASK),
        (int64_t)(word[3] >> 56),
    }};
    /* d a and e a stay f and g modulo p, but for the powers of two. */
    struct field d = field_zero, e = field_one;
    int64_t delta = 1;
    unsigned round = 0;
    while (!is_zero(&g)) {
        assert(round < ROUNDS_MAX);
        struct steps s;
        uint64_t low_f = (uint64_t)f.limb[0] | (uint64_t)f.limb[1] << 62;
        uint64_t low_g = (uint64_t)g.limb[0] | (uint64_t)g.limb[1] << 62;
        delta = divide_steps(delta, low_f, low_g, &s);
        apply(&f, &g, &s);
        struct field next = combine(s.u, &d, s.v, &e);
        e = combine(s.q, &d, s.r, &e);
        d = next;
        round++;
    }
    /* f is the greatest common divisor, 1 or -1, or p where a is zero: then d is zero. */
    if (f.limb[4] < 0)
        d = field_subtract(field_zero, d);
    return field_multiply(d, power_of_round[round]);
}
