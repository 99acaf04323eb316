#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "keys/filter_format.h"
#include "keys/table.h"

#define WINDOW_MAX (1u << 18)
#define SEEDS_MAX 100
/* A shard gets its planned number give or take; one twice as large was not made from keyed hashes. */
#define SHARD_KEYS_MAX (2 * FILTER_SHARD_RECORDS)

struct filter_build {
    struct disk *disk;
    int file;
    struct filter_header header;
    struct filter_shard *shards;
    uint64_t shard; /* the one being gathered */
    uint64_t *keys; /* of that shard */
    uint32_t count;
    uint8_t *room;     /* for one shard's fingerprints, SHARD_ROOM */
    uint64_t *xors;    /* a place: all hashes that have it, xored */
    uint8_t *counts;   /* a place: how many hashes << 2, and which of its three places it is, xored */
    uint64_t *order;   /* hashes in the order of peeling */
    uint8_t *order_at; /* and the place of the three that was alone */
    uint32_t *alone;
    bool finished;
};
#define SHARD_ROOM (SHARD_KEYS_MAX + SHARD_KEYS_MAX / 2)

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

/* One attempt with the shard's seed: finds an order in which each key has a place that no later key has. */
static bool peel(struct filter_build *build, const struct filter_shard *shard)
{
    uint32_t places = (uint32_t)filter_shard_bytes(shard);
    memset(build->xors, 0, places * sizeof(*build->xors));
    memset(build->counts, 0, places);
    bool overflow = false;
    for (uint32_t i = 0; i < build->count; i++) {
        uint64_t hash = filter_mix(build->keys[i], shard->seed);
        struct filter_places p = filter_places(shard, hash);
        for (uint32_t j = 0; j < 3; j++) {
            build->counts[p.at[j]] = (uint8_t)((build->counts[p.at[j]] + 4) ^ j);
            build->xors[p.at[j]] ^= hash;
            overflow |= build->counts[p.at[j]] < 4;
        }
    }
    if (overflow)
        return false;
    uint32_t waiting = 0, done = 0;
    for (uint32_t i = 0; i < places; i++) {
        if (build->counts[i] >> 2 == 1)
            build->alone[waiting++] = i;
    }
    while (waiting > 0) {
        uint32_t at = build->alone[--waiting];
        if (build->counts[at] >> 2 != 1)
            continue;
        uint64_t hash = build->xors[at];
        uint8_t which = build->counts[at] & 3;
        build->order[done] = hash;
        build->order_at[done++] = which;
        struct filter_places p = filter_places(shard, hash);
        for (uint32_t j = 0; j < 3; j++) {
            build->counts[p.at[j]] = (uint8_t)((build->counts[p.at[j]] - 4) ^ j);
            build->xors[p.at[j]] ^= hash;
            if (j != which && build->counts[p.at[j]] >> 2 == 1)
                build->alone[waiting++] = p.at[j];
        }
    }
    return done == build->count;
}

static void assign(struct filter_build *build, const struct filter_shard *shard)
{
    memset(build->room, 0, filter_shard_bytes(shard));
    for (uint32_t i = build->count; i-- > 0;) {
        uint64_t hash = build->order[i];
        struct filter_places p = filter_places(shard, hash);
        uint8_t value = filter_fingerprint(hash);
        for (uint32_t j = 0; j < 3; j++)
            value ^= j == build->order_at[i] ? 0 : build->room[p.at[j]];
        build->room[p.at[build->order_at[i]]] = value;
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Two keys that agree in this half are one to the filter, and would never peel. */
static void remove_twins(struct filter_build *build)
{
    qsort(build->keys, build->count, sizeof(*build->keys), compare_u64);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < build->count; i++) {
        if (kept == 0 || build->keys[i] != build->keys[kept - 1])
            build->keys[kept++] = build->keys[i];
    }
    build->count = kept;
}

/* Makes and writes the filter of the shard that was gathered. */
static int close_shard(struct filter_build *build)
{
    struct filter_shard *shard = &build->shards[build->shard++];
    shape_shard(shard, build->count);
    shard->offset = build->header.bytes;
    bool made = build->count == 0;
    for (unsigned i = 0; !made && i < SEEDS_MAX; i++) {
        if (i == 2)
            remove_twins(build);
        shard->seed = filter_mix(build->header.number ^ build->shard << 32, build->header.store + i);
        made = peel(build, shard);
    }
    if (!made)
        return -EOVERFLOW;
    assign(build, shard);
    uint64_t size = filter_shard_bytes(shard);
    shard->checksum = XXH3_64bits(build->room, size);
    uint64_t padded = (size + FILTER_ALIGN - 1) / FILTER_ALIGN * FILTER_ALIGN;
    memset(build->room + size, 0, padded - size);
    int result = disk_write_all(build->disk, build->file, build->room, padded,
                                filter_data_offset(build->header.shards) + shard->offset);
    build->header.bytes += padded;
    build->count = 0;
    return result;
}

static bool take_memory(struct filter_build *build)
{
    build->shards = calloc(build->header.shards, sizeof(*build->shards));
    build->keys = malloc(SHARD_KEYS_MAX * sizeof(*build->keys));
    build->room = malloc(SHARD_ROOM);
    build->xors = malloc(SHARD_ROOM * sizeof(*build->xors));
    build->counts = malloc(SHARD_ROOM);
    build->order = malloc(SHARD_KEYS_MAX * sizeof(*build->order));
    build->order_at = malloc(SHARD_KEYS_MAX);
    build->alone = malloc(SHARD_ROOM * sizeof(*build->alone));
    return build->shards && build->keys && build->room && build->xors && build->counts && build->order &&
           build->order_at && build->alone;
}

int filter_build_open(struct disk *disk, const struct store_identity *identity, uint64_t number, uint64_t records_max,
                      struct filter_build **out)
{
    uint64_t shards = records_max / FILTER_SHARD_RECORDS + 1;
    if (shards > FILTER_SHARDS_MAX)
        return -EOVERFLOW;
    struct filter_build *build = calloc(1, sizeof(*build));
    if (!build)
        return -ENOMEM;
    build->disk = disk;
    build->header.magic = FILTER_MAGIC;
    build->header.store = identity->id;
    build->header.number = number;
    build->header.shards = shards;
    build->file = -1;
    int result = take_memory(build) ? 0 : -ENOMEM;
    if (result == 0)
        result = build->file = disk_file_open(disk, FILTER_NEW_NAME, DISK_CREATE);
    if (result < 0) {
        filter_build_close(build);
        return result;
    }
    *out = build;
    return 0;
}

int filter_build_put(struct filter_build *build, const uint8_t key[SUBJECT_KEY_SIZE])
{
    uint64_t shard = filter_shard_of(build->header.shards, key);
    while (build->shard < shard) {
        int result = close_shard(build);
        if (result < 0)
            return result;
    }
    if (build->count == SHARD_KEYS_MAX)
        return -EOVERFLOW;
    build->keys[build->count++] = filter_key(key);
    build->header.records++;
    return 0;
}

int filter_build_finish(struct filter_build *build)
{
    while (build->shard < build->header.shards) {
        int result = close_shard(build);
        if (result < 0)
            return result;
    }
    build->header.checksum = filter_directory_checksum(&build->header, build->shards);
    int result = disk_write_all(build->disk, build->file, build->shards, build->header.shards * sizeof(*build->shards),
                                sizeof(build->header));
    if (result == 0 && build->header.bytes == 0) /* no fingerprints: the file still ends where they would begin */
        result = disk_truncate(build->disk, build->file, filter_data_offset(build->header.shards));
    if (result == 0)
        result = disk_write_sync(build->disk, build->file, &build->header, sizeof(build->header), 0);
    char name[DISK_NAME_MAX];
    filter_name(build->header.number, name);
    if (result == 0)
        result = disk_rename(build->disk, FILTER_NEW_NAME, name);
    build->finished = result == 0;
    return result;
}

void filter_build_close(struct filter_build *build)
{
    if (!build)
        return;
    disk_file_close(build->disk, build->file);
    if (!build->finished)
        disk_remove(build->disk, FILTER_NEW_NAME); /* a leftover is overwritten by the next build */
    free(build->shards);
    free(build->keys);
    free(build->room);
    free(build->xors);
    free(build->counts);
    free(build->order);
    free(build->order_at);
    free(build->alone);
    free(build);
}

int filter_rebuild(struct disk *disk, const struct store_identity *identity, uint64_t number)
{
    struct table_scan *scan;
    int result = table_scan_open(disk, identity, number, &scan);
    if (result < 0)
        return result;
    struct filter_build *build;
    result = filter_build_open(disk, identity, number, table_scan_shape(scan)->records, &build);
    if (result == 0) {
        const struct subject_record *record;
        int got;
        while ((got = table_scan_next(scan, &record)) > 0 && result == 0)
            result = filter_build_put(build, record->key);
        if (got < 0)
            result = got;
        if (result == 0)
            result = filter_build_finish(build);
        if (result == 0)
            result = disk_sync_directory(disk);
        filter_build_close(build);
    }
    table_scan_close(scan);
    return result;
}
