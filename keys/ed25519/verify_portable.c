/* A signature at a time, in 64-bit words: for any processor. */
#include "keys/ed25519/key.h"
#include "keys/ed25519/sha512.h"

/* sum += k P from the table of P. */
static void add_multiple(struct point *sum, const struct table_shape *shape, const struct niels_packed *table,
                         const struct scalar *k)
{
    uint64_t recoded[4];
    table_recode(shape, k, recoded);
    for (unsigned i = 0; i < shape->windows; i++) {
        int digit = table_digit(shape, recoded, i);
        if (digit == 0)
            continue;
        unsigned size = digit < 0 ? (unsigned)-digit : (unsigned)digit;
        struct niels entry = niels_unpack(&table[(size_t)i * shape->stride + size]);
        point_add_niels(sum, &entry, digit < 0);
    }
}

void verify_portable(const struct tables *tables, const struct ed25519_check *const checks[], bool valid[], unsigned n)
{
    for (unsigned done = 0; done < n;) {
        struct point sums[POINT_SHARED_MAX];
        uint8_t encodings[POINT_SHARED_MAX][32];
        unsigned count = 0;
        for (; count < POINT_SHARED_MAX && done + count < n; count++) {
            const struct ed25519_check *check = checks[done + count];
            uint8_t digest[64];
            struct scalar s, h;
            sha512_challenge(check->signature, check->key->public_key, check->message, check->length, digest);
            h = scalar_reduce(digest);
            scalar_from_bytes(check->signature + 32, &s);
            sums[count] = point_identity();
            add_multiple(&sums[count], &tables->base_shape, tables->base, &s);
            add_multiple(&sums[count], &tables->key_shape, check->key->table, &h);
        }
        point_encode_burst(sums, encodings, count);
        for (unsigned i = 0; i < count; i++)
            valid[done + i] = memcmp(encodings[i], checks[done + i]->signature, 32) == 0;
        done += count;
    }
}
