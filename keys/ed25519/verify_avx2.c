/* Four signatures side by side, one a lane of AVX2. */
#include "keys/ed25519/encode_x4.h"
#include "keys/ed25519/key.h"
#include "keys/ed25519/sha512.h"
#include "keys/ed25519/sha512_x4.h"

#define GROUPS_MAX (ED25519_BURST_MAX / LANES)

/* Four signatures; fewer go around. */
struct group {
    const struct ed25519_check *checks[LANES];
    uint64_t signatures[LANES], tables[LANES]; /* addresses */
    unsigned index[LANES];                     /* in the burst */
    unsigned count;
    __m256i base_digits[4], key_digits[4]; /* recoded S and h */
};

static void walk_prepare(struct walk *walk, const struct tables *tables, const struct group *group)
{
    uint64_t base[LANES];
    for (unsigned lane = 0; lane < LANES; lane++)
        base[lane] = (uintptr_t)tables->base;
    walk->count = 0;
    walk->parts = 1;
    walk_append_x4(walk, &tables->base_shape, base, group->base_digits);
    walk_append_x4(walk, &tables->key_shape, group->tables, group->key_digits);
    /* One alone, or two, leave no lane idle. */
    if (group->count <= LANES / 2)
        walk_spread_x4(walk, group->count, tables->base);
}

/* The signature's hash and both scalars' digits. */
static void prepare(const struct tables *tables, struct group *group)
{
    uint8_t digest[LANES][64];
    uint64_t base[LANES][4], key[LANES][4];
    const struct ed25519_check *first = group->checks[0];
    if (group->count == 1) {
        sha512_challenge(first->signature, first->key->public_key, first->message, first->length, digest[0]);
    } else {
        sha512_challenge_x4(group->checks, digest);
    }
    for (unsigned lane = 0; lane < LANES; lane++) {
        if (lane >= group->count) {
            memcpy(base[lane], base[lane - group->count], sizeof base[lane]);
            memcpy(key[lane], key[lane - group->count], sizeof key[lane]);
            continue;
        }
        struct scalar s, h = scalar_reduce(digest[lane]);
        scalar_from_bytes(group->checks[lane]->signature + 32, &s);
        table_recode(&tables->base_shape, &s, base[lane]);
        table_recode(&tables->key_shape, &h, key[lane]);
    }
    for (unsigned i = 0; i < 4; i++) {
        group->base_digits[i] = _mm256_set_epi64x((long long)base[3][i], (long long)base[2][i], (long long)base[1][i],
                                                  (long long)base[0][i]);
        group->key_digits[i] =
            _mm256_set_epi64x((long long)key[3][i], (long long)key[2][i], (long long)key[1][i], (long long)key[0][i]);
    }
}

/* Lanes hashed together should have as many blocks each: groups are cut from the burst in order of block counts.
 * Returns the number of groups. */
#define BLOCKS_SORTED 16
static unsigned make_groups(struct group groups[GROUPS_MAX], const struct ed25519_check *const checks[], unsigned n)
{
    uint8_t blocks[ED25519_BURST_MAX], order[ED25519_BURST_MAX];
    unsigned start[BLOCKS_SORTED + 1] = {0};
    for (unsigned i = 0; i < n; i++) {
        size_t count = sha512_blocks(checks[i]->length);
        blocks[i] = (uint8_t)(count < BLOCKS_SORTED ? count : BLOCKS_SORTED) - 1;
        start[blocks[i] + 1]++;
    }
    for (unsigned i = 1; i < BLOCKS_SORTED; i++)
        start[i] += start[i - 1];
    for (unsigned i = 0; i < n; i++)
        order[start[blocks[i]]++] = (uint8_t)i;
    unsigned group_count = (n + LANES - 1) / LANES;
    for (unsigned g = 0; g < group_count; g++) {
        groups[g].count = n - g * LANES < LANES ? n - g * LANES : LANES;
        for (unsigned lane = 0; lane < LANES; lane++) {
            groups[g].index[lane] = order[g * LANES + lane % groups[g].count];
            groups[g].checks[lane] = checks[groups[g].index[lane]];
            groups[g].signatures[lane] = (uintptr_t)groups[g].checks[lane]->signature;
            groups[g].tables[lane] = (uintptr_t)groups[g].checks[lane]->key->table;
        }
    }
    return group_count;
}

void verify_avx2(const struct tables *tables, const struct ed25519_check *const checks[], bool valid[], unsigned n)
{
    struct group groups[GROUPS_MAX];
    struct affine4 sums[GROUPS_MAX];
    struct field4 before[GROUPS_MAX]; /* product of the z of the groups before */
    struct walk walks[2];

    unsigned count = make_groups(groups, checks, n);
    /* The first group's entries are under way while the others are hashed. */
    prepare(tables, &groups[0]);
    walk_prepare(&walks[0], tables, &groups[0]);
    walk_fetch_x4(&walks[0]);
    for (unsigned g = 1; g < count; g++)
        prepare(tables, &groups[g]);
    struct field4 product = field4_of(&field_one);
    for (unsigned g = 0; g < count; g++) {
        struct walk *walk = &walks[g % 2], *next = &walks[(g + 1) % 2];
        /* After the last group its own first entries are fetched again, for nothing. */
        walk_prepare(next, tables, &groups[g + 1 < count ? g + 1 : g]);
        walk_sum_x4(walk, next, &sums[g]);
        before[g] = product;
        product = field4_multiply(product, sums[g].z);
    }
    struct field4 rest = invert_x4(&product);
    for (unsigned g = count; g-- > 0;) {
        struct field4 inverse = field4_multiply(rest, before[g]);
        unsigned equal = encodes_x4(&sums[g], &inverse, groups[g].signatures);
        rest = field4_multiply(rest, sums[g].z);
        for (unsigned lane = 0; lane < groups[g].count; lane++)
            valid[groups[g].index[lane]] = equal >> lane & 1;
    }
}
