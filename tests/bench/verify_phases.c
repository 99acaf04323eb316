/* Compiled for AVX-512 IFMA where the build has it. */
#include "tests/bench/verify_phases.h"

#ifdef ED25519_HAS_AVX512
#include "keys/ed25519/encode_x8.h"
#include "keys/ed25519/key.h"
#include "keys/ed25519/memory.h"
#include "keys/ed25519/scalar_x8.h"
#include "keys/ed25519/sha512_x8.h"
#include "keys/huge_memory.h"

#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#define SAMPLES 61
#define REPEATS 64
#define MESSAGE_SIZE 150
/* Tables that the second-level cache holds, so that the arithmetic is measured and not the memory. */
#define WIDTH 8
#define GROUPS 8

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median nanoseconds of one run of `statement`. */
#define MEDIAN_NS(out, statement)                                                                                      \
    do {                                                                                                               \
        double samples[SAMPLES];                                                                                       \
        for (unsigned sample = 0; sample < SAMPLES; sample++) {                                                        \
            double from = cpu_ns();                                                                                    \
            for (unsigned repeat = 0; repeat < REPEATS; repeat++) {                                                    \
                statement;                                                                                             \
                __asm__ volatile("" ::: "memory");                                                                     \
            }                                                                                                          \
            samples[sample] = (cpu_ns() - from) / REPEATS;                                                             \
        }                                                                                                              \
        qsort(samples, SAMPLES, sizeof *samples, compare);                                                             \
        (out) = samples[SAMPLES / 2];                                                                                  \
    } while (0)

static double clock_ghz(void)
{
    enum { ADDITIONS = 100000 };
    double ns;
    MEDIAN_NS(ns, {
        unsigned long sum = 0;
        for (unsigned i = 0; i < ADDITIONS / 8; i++)
            __asm__ volatile("add $1,%0\nadd $1,%0\nadd $1,%0\nadd $1,%0\nadd $1,%0\nadd $1,%0\nadd $1,%0\nadd $1,%0"
                             : "+r"(sum));
    });
    return ADDITIONS / ns;
}

static void measure(struct verify_phases *out, const struct window_shape *shape, const struct niels_packed *table,
                    const struct ed25519_check *const checks[LANES])
{
    static struct walk walk;
    __m512i digest[8], h[4], digits[4];
    uint64_t tables[LANES], signatures[LANES];
    struct affine8 sum;
    struct field8 inverse;
    for (unsigned lane = 0; lane < LANES; lane++) {
        tables[lane] = (uintptr_t)table;
        signatures[lane] = (uintptr_t)checks[lane]->signature;
    }
    double hash, reduction, walking, summing, inversion, encoding;
    MEDIAN_NS(hash, sha512_challenge_x8(checks, digest));
    MEDIAN_NS(reduction, scalar_reduce_x8(digest, h); table_recode_x8(shape, h, digits));
    MEDIAN_NS(walking, walk.count = 0; walk_append(&walk, shape, tables, digits);
              walk_append(&walk, shape, tables, digits));
    MEDIAN_NS(summing, sum = walk_sum(&walk, &walk));
    MEDIAN_NS(inversion, inverse = invert_x8(sum.z));
    volatile __mmask8 equal;
    MEDIAN_NS(encoding, equal = encodes_x8(&sum, inverse, signatures));
    (void)equal;
    out->hash_ns = hash / LANES;
    out->reduction_ns = (reduction + walking) / LANES;
    out->curve_ns = summing / LANES;
    out->addition_ns = out->curve_ns / (walk.count - 1);
    out->encoding_ns = (encoding + inversion / GROUPS) / LANES;
    out->ghz = clock_ghz();
}

bool verify_phases_measure(struct verify_phases *out)
{
    struct window_shape shape = window_shape(WIDTH);
    struct niels_packed *table = huge_memory_take(shape.bytes);
    if (!table)
        return false;
    table_build(&shape, &point_base, table);
    struct ed25519_key key = {.accepted = true, .table = table};
    uint8_t messages[LANES][MESSAGE_SIZE], signatures[LANES][64];
    struct ed25519_check checks[LANES];
    const struct ed25519_check *pointers[LANES];
    randombytes_buf(messages, sizeof messages);
    randombytes_buf(signatures, sizeof signatures);
    for (unsigned lane = 0; lane < LANES; lane++) {
        checks[lane] = (struct ed25519_check){messages[lane], MESSAGE_SIZE, signatures[lane], &key};
        pointers[lane] = &checks[lane];
    }
    measure(out, &shape, table, pointers);
    huge_memory_give(table, shape.bytes);
    return true;
}
#else
bool verify_phases_measure(struct verify_phases *out)
{
    (void)out;
    return false;
}
#endif
