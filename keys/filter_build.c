#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "keys/filter_peel.h"
#include "keys/table.h"

/* The shard that is being made, in a thread of its own: that takes as long as all the rest of building a table. The
 * disk stays with the caller's thread. */
struct helper {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t turn;
    bool busy, stopping; /* under the lock; the rest belongs to the thread while busy, else to the caller */
    bool waits;          /* a shard was handed over and not written yet */
    bool made;
    struct filter_peel *peel;
    struct filter_shard *shard;
    uint64_t *keys;
    uint32_t count;
    uint64_t seed, seed_key;
    uint8_t *room; /* SHARD_ROOM */
};

struct filter_build {
    struct disk *disk;
    int file;
    struct filter_header header;
    struct filter_shard *shards;
    uint64_t shard; /* the one being gathered */
    uint64_t *keys; /* of that shard */
    uint32_t count;
    struct helper helper;
    bool finished;
};

static void make(struct helper *helper)
{
    helper->made = filter_peel_make(helper->peel, helper->keys, helper->count, helper->seed, helper->seed_key,
                                    helper->shard, helper->room);
}

static void *run(void *context)
{
    struct helper *helper = context;
    pthread_mutex_lock(&helper->lock);
    for (;;) {
        while (!helper->busy && !helper->stopping)
            pthread_cond_wait(&helper->turn, &helper->lock);
        if (helper->stopping)
            break;
        pthread_mutex_unlock(&helper->lock);
        make(helper);
        pthread_mutex_lock(&helper->lock);
        helper->busy = false;
        pthread_cond_signal(&helper->turn);
    }
    pthread_mutex_unlock(&helper->lock);
    return NULL;
}

static void set_busy(struct helper *helper)
{
    if (!helper->started)
        helper->started = pthread_create(&helper->thread, NULL, run, helper) == 0;
    if (!helper->started) {
        make(helper); /* without a thread it takes longer */
        return;
    }
    pthread_mutex_lock(&helper->lock);
    helper->busy = true;
    pthread_cond_signal(&helper->turn);
    pthread_mutex_unlock(&helper->lock);
}

/* Waits for the shard that was handed over, and writes it. */
static int collect(struct filter_build *build)
{
    struct helper *helper = &build->helper;
    if (!helper->waits)
        return 0;
    helper->waits = false;
    pthread_mutex_lock(&helper->lock);
    while (helper->busy)
        pthread_cond_wait(&helper->turn, &helper->lock);
    pthread_mutex_unlock(&helper->lock);
    if (!helper->made)
        return -EOVERFLOW;
    struct filter_shard *shard = helper->shard;
    shard->offset = build->header.bytes;
    build->header.bytes += filter_shard_padded(shard);
    return disk_write_all(build->disk, build->file, helper->room, filter_shard_padded(shard),
                          filter_data_offset(build->header.shards) + shard->offset);
}

/* Hands over the shard that was gathered, and begins with the next. */
static int close_shard(struct filter_build *build)
{
    int result = collect(build);
    if (result < 0)
        return result;
    struct helper *helper = &build->helper;
    uint64_t *keys = helper->keys;
    helper->shard = &build->shards[build->shard++];
    helper->keys = build->keys;
    helper->count = build->count;
    helper->seed = build->header.number ^ build->shard << 32;
    helper->seed_key = build->header.store;
    helper->waits = true;
    build->keys = keys;
    build->count = 0;
    set_busy(helper);
    return 0;
}

static bool take_memory(struct filter_build *build)
{
    struct helper *helper = &build->helper;
    build->shards = calloc(build->header.shards, sizeof(*build->shards));
    build->keys = malloc(SHARD_KEYS_MAX * sizeof(*build->keys));
    helper->keys = malloc(SHARD_KEYS_MAX * sizeof(*helper->keys));
    helper->room = malloc(SHARD_ROOM);
    helper->peel = filter_peel_new();
    return build->shards && build->keys && helper->keys && helper->room && helper->peel;
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
    pthread_mutex_init(&build->helper.lock, NULL);
    pthread_cond_init(&build->helper.turn, NULL);
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

int filter_build_end(struct filter_build *build)
{
    int result = 0;
    while (build->shard < build->header.shards && result == 0)
        result = close_shard(build);
    return result;
}

bool filter_build_busy(struct filter_build *build)
{
    pthread_mutex_lock(&build->helper.lock);
    bool busy = build->helper.busy;
    pthread_mutex_unlock(&build->helper.lock);
    return busy;
}

int filter_build_finish(struct filter_build *build)
{
    int result = filter_build_end(build);
    if (result == 0)
        result = collect(build);
    if (result < 0)
        return result;
    build->header.checksum = filter_directory_checksum(&build->header, build->shards);
    result = disk_write_all(build->disk, build->file, build->shards, build->header.shards * sizeof(*build->shards),
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
    struct helper *helper = &build->helper;
    pthread_mutex_lock(&helper->lock);
    helper->stopping = true;
    pthread_cond_signal(&helper->turn);
    pthread_mutex_unlock(&helper->lock);
    if (helper->started)
        pthread_join(helper->thread, NULL);
    pthread_cond_destroy(&helper->turn);
    pthread_mutex_destroy(&helper->lock);
    disk_file_close(build->disk, build->file);
    if (!build->finished)
        disk_remove(build->disk, FILTER_NEW_NAME); /* a leftover is overwritten by the next build */
    free(build->shards);
    free(build->keys);
    free(helper->keys);
    free(helper->room);
    filter_peel_free(helper->peel);
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
