/* Window tables of fixed points: k P is one addition a window, no doubling.
 *
 * A scalar k below 2^252 + 2^125 is cut into windows of `width` bits; the last takes what is left of 252 bits, `top`
 * bits, and its digit is not negative. With K = sum over the lower windows of 2^(width - 1) 2^(width i), digit i is
 * ((k + K) >> width i) modulo 2^width, less 2^(width - 1): no carry runs from digit to digit. The last digit,
 * (k + K) >> (252 - top), is at most 2^top, for K + 2^125 is below 2^(252 - top) from 126 bits on. */
#pragma once

#include "keys/ed25519/point.h"
#include "keys/ed25519/scalar.h"

#define TABLE_WIDTH_MIN 4
#define TABLE_WIDTH_MAX 16
#define TABLE_WINDOWS_MAX 63

struct window_shape {
    unsigned width;     /* bits a lower window */
    unsigned windows;   /* all of them, the last one with them */
    unsigned top;       /* bits of the last one */
    uint64_t offset[4]; /* K */
    uint32_t stride;    /* entries a lower window: |digit| = 0 .. 2^(width - 1) */
    uint32_t entries;   /* of all windows */
    size_t bytes;
};

struct window_shape window_shape(unsigned width);

/* Fills shape->entries entries: window i starts at entry i * stride, and its entry number d is d 2^(width i) P. */
void table_build(const struct window_shape *shape, const struct curve_point *point, struct niels_packed *entries);

/* Fills entries 0 to `last` of one window of multiples of `point`. Returns last * point. */
struct curve_point table_build_window(const struct curve_point *point, struct niels_packed *entries, uint32_t last);

/* A digit of k + K. */
static inline int table_digit(const struct window_shape *shape, const uint64_t sum[4], unsigned window)
{
    unsigned at = window * shape->width;
    uint64_t bits = sum[at / 64] >> at % 64;
    if (at % 64 != 0 && at / 64 < 3)
        bits |= sum[at / 64 + 1] << (64 - at % 64);
    if (window + 1 == shape->windows)
        return (int)bits;
    return (int)(bits & ((1u << shape->width) - 1)) - (1 << (shape->width - 1));
}

/* sum = k + K, below 2^254. */
void table_recode(const struct window_shape *shape, const struct scalar *k, uint64_t sum[4]);

/* What the engine sums for each signature: S B and h (-A). One shape for all keys. */
struct tables {
    struct window_shape base_shape, key_shape;
    struct niels_packed *base;
};
