#include "keys/filter_peel.h"

#include <math.h>
#include <stdlib.h>

#define WINDOW_MAX (1u << 18)
#define SEEDS_MAX 100
/* A window grows with the number of keys, so that there are some hundreds of them at most. */
#define WINDOWS_MAX 1024

struct filter_peel {
    uint64_t *xors;    /* a place: all hashes that have it, xored */
    uint8_t *counts;   /* a place: how many hashes << 2, and which of its three places it is, xored */
    uint64_t *order;   /* hashes in the order of peeling; before it, in the order of their places */
    uint8_t *order_at; /* and the place of the three that was alone */
    uint32_t *alone;
    uint32_t *starts; /* of the windows in `order` */
};
struct filter_peel *filter_peel_new(void)
{
    struct filter_peel *peel = calloc(1, sizeof(*peel));
    if (!peel)
        return NULL;
    peel->xors = malloc(SHARD_ROOM * sizeof(*peel->xors));
    peel->counts = malloc(SHARD_ROOM);
    peel->order = malloc(SHARD_KEYS_MAX * sizeof(*peel->order));
    peel->order_at = malloc(SHARD_KEYS_MAX);
    peel->alone = malloc(SHARD_ROOM * sizeof(*peel->alone));
    peel->starts = malloc((WINDOWS_MAX + 1) * sizeof(*peel->starts));
    if (peel->xors && peel->counts && peel->order && peel->order_at && peel->alone && peel->starts)
        return peel;
    filter_peel_free(peel);
    return NULL;
}

void filter_peel_free(struct filter_peel *peel)
{
    if (!peel)
        return;
    free(peel->xors);
    free(peel->counts);
    free(peel->order);
    free(peel->order_at);
    free(peel->alone);
    free(peel->starts);
    free(peel);
}

/* Sizes as in the paper's code, for 3 places. */
static void shape_shard(struct filter_shard *shard, uint32_t keys)
{
    if (keys == 0) {
        shard->window = 1;
        shard->range = 0;
        return;
    }
    double size = keys;
    uint32_t window = 1u << (unsigned)floor(log(size) / log(3.33) + 2.25);
    if (window > WINDOW_MAX)
        window = WINDOW_MAX;
    double factor = keys == 1 ? 0 : fmax(1.125, 0.875 + 0.25 * log(1e6) / log(size));
    uint32_t capacity = (uint32_t)round(size * factor);
    uint32_t segments = (capacity + window - 1) / window;
    segments = segments <= 2 ? 1 : segments - 2;
    shard->window = window;
    shard->range = segments * window;
}

/* The keys' hashes, those whose first place is in the same window side by side: what follows goes through memory once
 * from beginning to end instead of to and fro. */
static void order_hashes(struct filter_peel *peel, const uint64_t *keys, uint32_t count,
                         const struct filter_shard *shard)
{
    uint32_t windows = shard->range / shard->window;
    assert(windows < WINDOWS_MAX);
    unsigned shift = (unsigned)__builtin_ctz(shard->window);
    memset(peel->starts, 0, (windows + 1) * sizeof(*peel->starts));
    for (uint32_t i = 0; i < count; i++)
        peel->starts[(filter_places(shard, filter_mix(keys[i], shard->seed)).at[0] >> shift) + 1]++;
    for (uint32_t i = 1; i <= windows; i++)
        peel->starts[i] += peel->starts[i - 1];
    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash = filter_mix(keys[i], shard->seed);
        peel->order[peel->starts[filter_places(shard, hash).at[0] >> shift]++] = hash;
    }
}

/* Counts who has which place. False where one place has more than a byte counts. */
static bool count_places(struct filter_peel *peel, uint32_t count, const struct filter_shard *shard, uint32_t places)
{
    memset(peel->xors, 0, places * sizeof(*peel->xors));
    memset(peel->counts, 0, places);
    bool overflow = false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash = peel->order[i];
        struct filter_places p = filter_places(shard, hash);
        for (uint32_t j = 0; j < 3; j++) {
            peel->counts[p.at[j]] = (uint8_t)((peel->counts[p.at[j]] + 4) ^ j);
            peel->xors[p.at[j]] ^= hash;
            overflow |= peel->counts[p.at[j]] < 4;
        }
    }
    return !overflow;
}

/* One attempt with the shard's seed: finds an order in which each key has a place that no later key has. */
static bool peel_all(struct filter_peel *peel, const uint64_t *keys, uint32_t count, const struct filter_shard *shard)
{
    uint32_t places = (uint32_t)filter_shard_bytes(shard);
    order_hashes(peel, keys, count, shard);
    if (!count_places(peel, count, shard, places))
        return false;
    uint32_t waiting = 0, done = 0;
    for (uint32_t i = 0; i < places; i++) {
        if (peel->counts[i] >> 2 == 1)
            peel->alone[waiting++] = i;
    }
    while (waiting > 0) {
        uint32_t at = peel->alone[--waiting];
        if (peel->counts[at] >> 2 != 1)
            continue;
        uint64_t hash = peel->xors[at];
        uint8_t which = peel->counts[at] & 3;
        peel->order[done] = hash;
        peel->order_at[done++] = which;
        struct filter_places p = filter_places(shard, hash);
        for (uint32_t j = 0; j < 3; j++) {
            peel->counts[p.at[j]] = (uint8_t)((peel->counts[p.at[j]] - 4) ^ j);
            peel->xors[p.at[j]] ^= hash;
            if (j != which && peel->counts[p.at[j]] >> 2 == 1)
                peel->alone[waiting++] = p.at[j];
        }
    }
    return done == count;
}

static void assign(const struct filter_peel *peel, uint32_t count, const struct filter_shard *shard, uint8_t *room)
{
    memset(room, 0, filter_shard_bytes(shard));
    for (uint32_t i = count; i-- > 0;) {
        uint64_t hash = peel->order[i];
        struct filter_places p = filter_places(shard, hash);
        uint8_t value = filter_fingerprint(hash);
        for (uint32_t j = 0; j < 3; j++)
            value ^= j == peel->order_at[i] ? 0 : room[p.at[j]];
        room[p.at[peel->order_at[i]]] = value;
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Two keys that agree in this half are one to the filter, and would never peel. Returns how many are left. */
static uint32_t remove_twins(uint64_t *keys, uint32_t count)
{
    qsort(keys, count, sizeof(*keys), compare_u64);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || keys[i] != keys[kept - 1])
            keys[kept++] = keys[i];
    }
    return kept;
}

bool filter_peel_make(struct filter_peel *peel, uint64_t *keys, uint32_t count, uint64_t seed, uint64_t seed_key,
                      struct filter_shard *shard, uint8_t *room)
{
    shape_shard(shard, count);
    bool made = count == 0;
    for (unsigned i = 0; !made && i < SEEDS_MAX; i++) {
        if (i == 2)
            count = remove_twins(keys, count);
        shard->seed = filter_mix(seed, seed_key + i);
        made = peel_all(peel, keys, count, shard);
    }
    if (!made)
        return false;
    assign(peel, count, shard, room);
    uint64_t size = filter_shard_bytes(shard);
    shard->checksum = XXH3_64bits(room, size);
    memset(room + size, 0, filter_shard_padded(shard) - size);
    return true;
}
