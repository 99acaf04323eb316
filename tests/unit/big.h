/* Slow natural numbers of up to 1280 bits, as a model to check fast arithmetic against. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BIG_DIGITS 40

struct big {
    uint32_t digit[BIG_DIGITS]; /* little-endian */
};

static inline struct big big_of(uint64_t value)
{
    return (struct big){{(uint32_t)value, (uint32_t)(value >> 32)}};
}

static inline struct big big_add(struct big a, const struct big *b)
{
    uint64_t carry = 0;
    for (unsigned i = 0; i < BIG_DIGITS; i++) {
        carry += (uint64_t)a.digit[i] + b->digit[i];
        a.digit[i] = (uint32_t)carry;
        carry >>= 32;
    }
    assert(carry == 0);
    return a;
}

static inline bool big_below(const struct big *a, const struct big *b)
{
    for (unsigned i = BIG_DIGITS; i-- > 0;)
        if (a->digit[i] != b->digit[i])
            return a->digit[i] < b->digit[i];
    return false;
}

/* a - b for b <= a */
static inline struct big big_subtract(struct big a, const struct big *b)
{
    int64_t borrow = 0;
    for (unsigned i = 0; i < BIG_DIGITS; i++) {
        borrow += (int64_t)a.digit[i] - b->digit[i];
        a.digit[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    assert(borrow == 0);
    return a;
}

static inline struct big big_shift(const struct big *a, unsigned bits)
{
    struct big r = {{0}};
    for (unsigned i = 0; i < BIG_DIGITS; i++) {
        uint64_t wide = (uint64_t)a->digit[i] << bits % 32;
        unsigned at = i + bits / 32;
        assert(wide == 0 || at < BIG_DIGITS);
        if (at < BIG_DIGITS)
            r.digit[at] |= (uint32_t)wide;
        if (wide >> 32) {
            assert(at + 1 < BIG_DIGITS);
            r.digit[at + 1] |= (uint32_t)(wide >> 32);
        }
    }
    return r;
}

static inline struct big big_multiply(const struct big *a, const struct big *b)
{
    struct big r = {{0}};
    for (unsigned i = 0; i < BIG_DIGITS; i++) {
        uint64_t carry = 0;
        for (unsigned j = 0; i + j < BIG_DIGITS; j++) {
            carry += (uint64_t)a->digit[i] * b->digit[j] + r.digit[i + j];
            r.digit[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        assert(carry == 0);
    }
    return r;
}

/* By shifting and subtracting; m has at most 256 bits. */
static inline struct big big_modulo(struct big a, const struct big *m)
{
    for (unsigned bits = 32 * BIG_DIGITS - 256; bits-- > 0;) {
        struct big shifted = big_shift(m, bits);
        if (!big_below(&a, &shifted))
            a = big_subtract(a, &shifted);
    }
    return a;
}

static inline struct big big_of_bytes(const uint8_t *bytes, unsigned size)
{
    struct big r = {{0}};
    for (unsigned i = 0; i < size; i++)
        r.digit[i / 4] |= (uint32_t)bytes[i] << 8 * (i % 4);
    return r;
}

static inline void big_to_bytes(const struct big *a, uint8_t bytes[32])
{
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(a->digit[i / 4] >> 8 * (i % 4));
}

/* 2^255 - 19 and the group order L. */
static inline struct big big_p(void)
{
    struct big one = big_of(1), p = big_shift(&one, 255), nineteen = big_of(19);
    return big_subtract(p, &nineteen);
}

static inline struct big big_order(void)
{
    struct big one = big_of(1), order = big_shift(&one, 252);
    struct big high = big_of(0x14def9dea2f79cd6), low = big_of(0x5812631a5cf5d3ed);
    high = big_shift(&high, 64);
    order = big_add(order, &high);
    return big_add(order, &low);
}

/* Limbs of radix 2^51 as they stand, carried or not. */
static inline struct big big_of_limbs(const uint64_t limb[5])
{
    struct big r = {{0}};
    for (unsigned i = 0; i < 5; i++) {
        struct big part = big_of(limb[i]);
        part = big_shift(&part, 51 * i);
        r = big_add(r, &part);
    }
    return r;
}
