/* Random numbers that a seed reproduces: splitmix64 (Steele, Lea, Flood 2014) and what a load needs of it. For test
 * data only, never for secrets. */
#pragma once

#include <stdint.h>

struct random {
    uint64_t state;
};

/* One step of splitmix64's mixing: a good 64-bit hash of its argument. */
static inline uint64_t random_mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

static inline uint64_t random_next(struct random *random)
{
    uint64_t value = random_mix(random->state);
    random->state += 0x9e3779b97f4a7c15u;
    return value;
}

/* A generator of its own for each (seed, purpose, number), so that parts can be made in any order or in parallel. */
static inline struct random random_of(uint64_t seed, uint64_t purpose, uint64_t number)
{
    return (struct random){random_mix(random_mix(seed ^ purpose << 56) ^ random_mix(number))};
}

/* Below `limit`, which is not 0 (Lemire's multiplication; the bias is below limit / 2^64). */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return (uint64_t)((unsigned __int128)random_next(random) * limit >> 64);
}

/* From 0 to below 1. */
static inline double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

/* Exponentially distributed with mean 1. */
double random_exponential(struct random *random);
void random_fill(struct random *random, uint8_t *out, uint32_t size);

/* Zipf's law over 1 … n: P(k) in proportion to k^-s, s from 0 (all alike) up. Rejection-inversion (Hörmann and
 * Derflinger 1996): constant time and no table whatever n is. */
struct zipf {
    uint64_t n;
    double s;
    double high, low, accept; /* H(n + 1/2), H(3/2) - 1, and the sure-accept width */
};
void zipf_start(struct zipf *zipf, uint64_t n, double s);
/* From 0 (the most frequent) to n - 1. */
uint64_t zipf_draw(const struct zipf *zipf, struct random *random);
