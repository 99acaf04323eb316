/* A signature at a time, in 64-bit words: for any processor. */
#include "keys/ed25519/key.h"
#include "keys/ed25519/sha512.h"

#include <stdlib.h>

/* One signature before its additions: the digits of S and h. */
struct work {
    uint64_t base_digits[4], key_digits[4];
};

/* The entry of a digit; digit 0 has one too. */
static const struct niels_packed *entry_of(const struct window_shape *shape, const struct niels_packed *table,
                                           unsigned window, int digit)
{
    return &table[(size_t)window * shape->stride + (unsigned)abs(digit)];
}

/* Asks for the entries of all digits, of two cache lines each, into the second-level cache: there, many requests may be
 * under way. Inlined, because gcc 12 takes a function of nothing but prefetches for one without effect and drops the
 * call. */
static inline __attribute__((always_inline)) void fetch(const struct window_shape *shape,
                                                        const struct niels_packed *table, const uint64_t digits[4])
{
    enum { LOW_LOCALITY = 2 };
    for (unsigned i = 0; i < shape->windows; i++) {
        const struct niels_packed *entry = entry_of(shape, table, i, table_digit(shape, digits, i));
        __builtin_prefetch(entry, 0, LOW_LOCALITY);
        __builtin_prefetch(&entry->t2d[3], 0, LOW_LOCALITY);
    }
}

static void prepare(const struct tables *tables, const struct ed25519_check *check, struct work *work)
{
    uint8_t digest[64];
    struct scalar s, h;
    sha512_challenge(check->signature, check->key->public_key, check->message, check->length, digest);
    h = scalar_reduce(digest);
    scalar_from_bytes(check->signature + 32, &s);
    table_recode(&tables->base_shape, &s, work->base_digits);
    table_recode(&tables->key_shape, &h, work->key_digits);
    fetch(&tables->base_shape, tables->base, work->base_digits);
    fetch(&tables->key_shape, check->key->table, work->key_digits);
}

static void add_multiple(struct curve_point *sum, const struct window_shape *shape, const struct niels_packed *table,
                         const uint64_t digits[4])
{
    for (unsigned i = 0; i < shape->windows; i++) {
        int digit = table_digit(shape, digits, i);
        if (digit == 0)
            continue;
        struct niels entry = niels_unpack(entry_of(shape, table, i, digit));
        point_add_niels(sum, &entry, digit < 0);
    }
}

void verify_portable(const struct tables *tables, const struct ed25519_check *const checks[], bool valid[], unsigned n)
{
    static_assert(ED25519_BURST_MAX <= POINT_SHARED_MAX, "a burst shares one inversion");
    struct curve_point sums[ED25519_BURST_MAX];
    uint8_t encodings[ED25519_BURST_MAX][32];
    struct work now, next;
    prepare(tables, checks[0], &next);
    for (unsigned i = 0; i < n; i++) {
        now = next;
        /* While this one is added up, the entries of the next are under way. */
        if (i + 1 < n)
            prepare(tables, checks[i + 1], &next);
        sums[i] = point_identity();
        add_multiple(&sums[i], &tables->base_shape, tables->base, now.base_digits);
        add_multiple(&sums[i], &tables->key_shape, checks[i]->key->table, now.key_digits);
    }
    point_encode_burst(sums, encodings, n);
    for (unsigned i = 0; i < n; i++)
        valid[i] = memcmp(encodings[i], checks[i]->signature, 32) == 0;
}
