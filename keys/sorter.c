#include "keys/sorter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PARTITIONS_MAX 512
#define BUFFER_RECORDS 4096
#define BUFFER_BYTES (BUFFER_RECORDS * sizeof(struct subject_record))
static_assert(BUFFER_BYTES % DISK_BLOCK_SIZE == 0, "direct writes are whole blocks");
#define BUCKET_PLANNED 4
/* A bucket with more is sorted by the library: insertion would be quadratic. */
#define BUCKET_INSERTION_MAX 64

struct partition {
    int file;
    uint64_t count;
    struct subject_record *buffer; /* BUFFER_RECORDS that are not written yet: the last count % BUFFER_RECORDS */
};

/* A record of the loaded partition: its place in the order. */
struct entry {
    uint64_t prefix; /* first bytes of its key, big-endian */
    uint64_t index;
};

struct sorter {
    struct disk *disk;
    uint64_t count;
    unsigned partitions;
    struct partition partition[PARTITIONS_MAX];

    struct subject_record *spare; /* a partition's buffer: the one that is written, or none's */

    unsigned loaded; /* partitions that were loaded so far */
    struct subject_record *records;
    uint64_t records_room;
    struct subject_record *ahead; /* the next partition's, on their way from the disk */
    uint64_t ahead_room;
    struct entry *entries, *scattered;
    uint64_t entries_room;
    uint32_t *starts;
    uint64_t starts_room;
    uint64_t entry, entry_count;
};

static uint64_t prefix_of(const struct subject_record *record)
{
    uint64_t prefix;
    memcpy(&prefix, record->key, sizeof(prefix));
    return __builtin_bswap64(prefix);
}

static uint64_t scale(uint64_t prefix, uint64_t parts)
{
    return (uint64_t)((unsigned __int128)prefix * parts >> 64);
}

static void partition_name(unsigned i, char name[DISK_NAME_MAX])
{
    snprintf(name, DISK_NAME_MAX, "sort-%u", i);
}

int sorter_open(struct disk *disk, uint64_t records_max, uint64_t memory_bytes, struct sorter **out)
{
    /* A loaded partition takes its records and two entries each, and the next one its records. */
    uint64_t each = 2 * sizeof(struct subject_record) + 2 * sizeof(struct entry);
    uint64_t partitions = records_max / (memory_bytes / each + 1) + 1;
    struct sorter *sorter = calloc(1, sizeof(*sorter));
    if (!sorter)
        return -ENOMEM;
    sorter->disk = disk;
    sorter->partitions = partitions > PARTITIONS_MAX ? PARTITIONS_MAX : (unsigned)partitions;
    for (unsigned i = 0; i < sorter->partitions; i++)
        sorter->partition[i].file = -1;
    uint64_t expected = records_max / sorter->partitions * sizeof(struct subject_record);
    int result = 0;
    if (sorter->partitions > 1 && !(sorter->spare = aligned_alloc(DISK_BLOCK_SIZE, BUFFER_BYTES)))
        result = -ENOMEM;
    for (unsigned i = 0; sorter->partitions > 1 && i < sorter->partitions && result >= 0; i++) {
        char name[DISK_NAME_MAX];
        partition_name(i, name);
        struct partition *partition = &sorter->partition[i];
        partition->buffer = aligned_alloc(DISK_BLOCK_SIZE, BUFFER_BYTES);
        result = partition->buffer ? disk_file_open(disk, name, DISK_CREATE_DIRECT) : -ENOMEM;
        if (result >= 0)
            partition->file = result;
        /* Blocks that are there already are written without waiting for the file system. */
        int taken = result < 0 ? result : disk_allocate(disk, partition->file, expected);
        if (taken < 0 && taken != -EOPNOTSUPP)
            result = taken;
        /* The name goes at once: a crash leaves nothing behind, the content lives as long as the handle. */
        if (result >= 0)
            result = disk_remove(disk, name);
    }
    if (result < 0) {
        sorter_close(sorter);
        return result;
    }
    *out = sorter;
    return 0;
}

static int grow(void **memory, uint64_t *room, uint64_t wanted, size_t size)
{
    if (wanted <= *room)
        return 0;
    uint64_t larger = *room * 2 > wanted ? *room * 2 : wanted;
    void *grown = realloc(*memory, larger * size);
    if (!grown)
        return -ENOMEM;
    *memory = grown;
    *room = larger;
    return 0;
}

int sorter_put(struct sorter *sorter, const struct subject_record *record)
{
    if (sorter->partitions == 1) {
        int result = grow((void **)&sorter->records, &sorter->records_room, sorter->count + 1, sizeof(*record));
        if (result < 0)
            return result;
        sorter->records[sorter->count++] = *record;
        return 0;
    }
    struct partition *partition = &sorter->partition[scale(prefix_of(record), sorter->partitions)];
    partition->buffer[partition->count++ % BUFFER_RECORDS] = *record;
    sorter->count++;
    if (partition->count % BUFFER_RECORDS > 0)
        return 0;
    int64_t before = disk_end(sorter->disk, DISK_PLACE_SORT);
    if (before < 0)
        return (int)before;
    struct subject_record *full = partition->buffer;
    partition->buffer = sorter->spare;
    sorter->spare = full;
    disk_begin_write(sorter->disk, DISK_PLACE_SORT, partition->file, full, BUFFER_BYTES,
                     (partition->count - BUFFER_RECORDS) * sizeof(*record));
    return 0;
}

/* Has the disk read the blocks of the next partition. */
static int read_ahead(struct sorter *sorter)
{
    if (sorter->loaded == sorter->partitions)
        return 0;
    const struct partition *partition = &sorter->partition[sorter->loaded];
    if (partition->count > sorter->ahead_room) {
        free(sorter->ahead);
        sorter->ahead_room = (partition->count / BUFFER_RECORDS + 1) * BUFFER_RECORDS;
        sorter->ahead = aligned_alloc(DISK_BLOCK_SIZE, sorter->ahead_room * sizeof(*sorter->ahead));
        if (!sorter->ahead)
            return -ENOMEM;
    }
    uint64_t whole = partition->count - partition->count % BUFFER_RECORDS;
    if (whole > 0)
        disk_begin_read(sorter->disk, DISK_PLACE_SORT, partition->file, sorter->ahead, whole * sizeof(*sorter->ahead),
                        0);
    return 0;
}

/* Brings the records of the next partition to memory, and begins with the one after it. */
static int load(struct sorter *sorter, uint64_t *count)
{
    if (sorter->partitions == 1) {
        sorter->loaded = 1;
        *count = sorter->count;
        return 0;
    }
    if (sorter->loaded == 0) {
        int64_t written = disk_end(sorter->disk, DISK_PLACE_SORT);
        int result = written < 0 ? (int)written : read_ahead(sorter);
        if (result < 0)
            return result;
    }
    struct partition *partition = &sorter->partition[sorter->loaded++];
    uint64_t rest = partition->count % BUFFER_RECORDS, whole = partition->count - rest;
    int64_t n = disk_end(sorter->disk, DISK_PLACE_SORT);
    if (n < 0)
        return (int)n;
    if ((uint64_t)n != whole * sizeof(*sorter->ahead))
        return -EIO;
    struct subject_record *records = sorter->ahead;
    uint64_t room = sorter->ahead_room;
    sorter->ahead = sorter->records;
    sorter->ahead_room = sorter->records_room;
    sorter->records = records;
    sorter->records_room = room;
    if (rest > 0)
        memcpy(records + whole, partition->buffer, rest * sizeof(*records));
    *count = partition->count;
    disk_file_close(sorter->disk, partition->file);
    partition->file = -1;
    free(partition->buffer);
    partition->buffer = NULL;
    return read_ahead(sorter);
}

static int compare(const struct subject_record *records, const struct entry *a, const struct entry *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    const struct subject_record *x = &records[a->index], *y = &records[b->index];
    int keys = memcmp(x->key, y->key, SUBJECT_KEY_SIZE);
    if (keys != 0)
        return keys;
    if (x->version != y->version)
        return x->version < y->version ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static int compare_entries(const void *a, const void *b, void *records)
{
    return compare(records, a, b);
}

static void sort_bucket(const struct subject_record *records, struct entry *entries, size_t n)
{
    if (n > BUCKET_INSERTION_MAX) {
        qsort_r(entries, n, sizeof(*entries), compare_entries, (void *)(uintptr_t)records);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct entry moving = entries[i];
        size_t at = i;
        for (; at > 0 && compare(records, &entries[at - 1], &moving) > 0; at--)
            entries[at] = entries[at - 1];
        entries[at] = moving;
    }
}

/* Keys are uniform, so one pass of counting puts nearly every record at its place. */
static int sort(struct sorter *sorter, uint64_t count)
{
    uint64_t room = sorter->entries_room, same = room;
    int result = grow((void **)&sorter->entries, &room, count, sizeof(struct entry));
    if (result == 0)
        result = grow((void **)&sorter->scattered, &same, count, sizeof(struct entry));
    sorter->entries_room = same < room ? same : room;
    uint64_t buckets = count / BUCKET_PLANNED + 1;
    if (result == 0)
        result = grow((void **)&sorter->starts, &sorter->starts_room, buckets + 2, sizeof(*sorter->starts));
    if (result < 0)
        return result;
    if (count > UINT32_MAX)
        return -EOVERFLOW;
    /* The partition's share of the keys, spread over all of 64 bits; base is its least prefix. */
    unsigned __int128 before = ((unsigned __int128)(sorter->loaded - 1) << 64) + sorter->partitions - 1;
    uint64_t base = (uint64_t)(before / sorter->partitions);
    uint32_t *starts = sorter->starts;
    memset(starts, 0, (buckets + 2) * sizeof(*starts));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t prefix = prefix_of(&sorter->records[i]);
        sorter->entries[i] = (struct entry){prefix, i};
        uint64_t spread = sorter->partitions == 1 ? prefix : (prefix - base) * sorter->partitions;
        starts[scale(spread, buckets) + 2]++;
    }
    for (uint64_t i = 2; i < buckets + 2; i++)
        starts[i] += starts[i - 1];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t prefix = sorter->entries[i].prefix;
        uint64_t spread = sorter->partitions == 1 ? prefix : (prefix - base) * sorter->partitions;
        sorter->scattered[starts[scale(spread, buckets) + 1]++] = sorter->entries[i];
    }
    for (uint64_t i = 0; i < buckets; i++)
        sort_bucket(sorter->records, sorter->scattered + starts[i], starts[i + 1] - starts[i]);
    sorter->entry = 0;
    sorter->entry_count = count;
    return 0;
}

int sorter_next(struct sorter *sorter, const struct subject_record **out)
{
    while (sorter->entry == sorter->entry_count) {
        if (sorter->loaded == sorter->partitions)
            return 0;
        uint64_t count = 0;
        int result = load(sorter, &count);
        if (result == 0)
            result = sort(sorter, count);
        if (result < 0)
            return result;
    }
    const struct entry *entries = sorter->scattered;
    const struct subject_record *record = &sorter->records[entries[sorter->entry++].index];
    /* The last of those with one key is the latest. */
    while (sorter->entry < sorter->entry_count) {
        const struct subject_record *next = &sorter->records[entries[sorter->entry].index];
        if (memcmp(next->key, record->key, SUBJECT_KEY_SIZE) != 0)
            break;
        record = next;
        sorter->entry++;
    }
    if (sorter->entry + 8 < sorter->entry_count)
        __builtin_prefetch(&sorter->records[entries[sorter->entry + 8].index]);
    *out = record;
    return 1;
}

uint64_t sorter_count(const struct sorter *sorter)
{
    return sorter->count;
}

void sorter_close(struct sorter *sorter)
{
    if (!sorter)
        return;
    disk_end(sorter->disk, DISK_PLACE_SORT); /* its memory goes now; what became of it does not matter any more */
    for (unsigned i = 0; i < sorter->partitions; i++) {
        disk_file_close(sorter->disk, sorter->partition[i].file);
        free(sorter->partition[i].buffer);
    }
    free(sorter->spare);
    free(sorter->records);
    free(sorter->ahead);
    free(sorter->entries);
    free(sorter->scattered);
    free(sorter->starts);
    free(sorter);
}
