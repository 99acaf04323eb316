/* A signature at a time, in 64-bit words: for any processor. */
#include "keys/ed25519/key.h"
#include "keys/ed25519/sha512.h"

#include <stdlib.h>

/* One signature before its additions: what is to be added or subtracted. */
struct work {
    unsigned count;
    struct {
        const struct niels_packed *entry;
        bool subtract;
    } steps[2 * TABLE_WINDOWS_MAX];
};

/* Entries, of two cache lines each, are asked into the second-level cache as soon as they are known: there, many
 * requests may be under way. Into the first-level cache they are asked this many additions ahead. */
#define FETCH_NEAR 2
#define LEVEL_2 2
#define LEVEL_1 3
#define FETCH(entry_, level)                                                                                           \
    do {                                                                                                               \
        __builtin_prefetch((entry_), 0, level);                                                                        \
        __builtin_prefetch(&(entry_)->t2d[3], 0, level);                                                               \
    } while (0)

static void append(struct work *work, const struct window_shape *shape, const struct niels_packed *table,
                   const struct scalar *k)
{
    uint64_t digits[4];
    table_recode(shape, k, digits);
    for (unsigned i = 0; i < shape->windows; i++) {
        int digit = table_digit(shape, digits, i);
        if (digit == 0)
            continue;
        const struct niels_packed *entry = &table[(size_t)i * shape->stride + (unsigned)abs(digit)];
        FETCH(entry, LEVEL_2);
        work->steps[work->count].entry = entry;
        work->steps[work->count++].subtract = digit < 0;
    }
}

static void prepare(const struct tables *tables, const struct ed25519_check *check, struct work *work)
{
    uint8_t digest[64];
    struct scalar s, h;
    sha512_challenge(check->signature, check->key->public_key, check->message, check->length, digest);
    h = scalar_reduce(digest);
    scalar_from_bytes(check->signature + 32, &s);
    work->count = 0;
    append(work, &tables->base_shape, tables->base, &s);
    append(work, &tables->key_shape, check->key->table, &h);
}

static struct curve_point add_up(const struct work *work)
{
    struct curve_point sum = point_identity();
    for (unsigned i = 0; i < work->count; i++) {
        if (i + FETCH_NEAR < work->count)
            FETCH(work->steps[i + FETCH_NEAR].entry, LEVEL_1);
        struct niels entry = niels_unpack(work->steps[i].entry);
        point_add_niels(&sum, &entry, work->steps[i].subtract);
    }
    return sum;
}

void verify_portable(const struct tables *tables, const struct ed25519_check *const checks[], bool valid[], unsigned n)
{
    static_assert(ED25519_BURST_MAX <= POINT_SHARED_MAX, "a burst shares one inversion");
    struct curve_point sums[ED25519_BURST_MAX];
    uint8_t encodings[ED25519_BURST_MAX][32];
    struct work works[2];
    prepare(tables, checks[0], &works[0]);
    for (unsigned i = 0; i < n; i++) {
        /* While this one is added up, the entries of the next are under way. */
        if (i + 1 < n)
            prepare(tables, checks[i + 1], &works[(i + 1) % 2]);
        sums[i] = add_up(&works[i % 2]);
    }
    point_encode_burst(sums, encodings, n);
    for (unsigned i = 0; i < n; i++)
        valid[i] = memcmp(encodings[i], checks[i]->signature, 32) == 0;
}
