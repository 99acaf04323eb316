#include "keys/sorter.h"

#include <errno.h>
#include <stdlib.h>

#include "keys/spill.h"

#define PARTITIONS_MAX 2048
/* A partition of so many records is sorted inside the processor's caches. */
#define PARTITION_PLANNED (1u << 17)
#define BUCKET_PLANNED 4
/* A bucket with more is sorted by the library: insertion would be quadratic. */
#define BUCKET_INSERTION_MAX 64
/* Sorted records that are asked for ahead of their turn. */
#define AHEAD 8

/* A packed record: its key, a bit for each later word of 32 bits that is not zero and above them the number of those,
 * and those words. */
#define WORDS ((sizeof(struct subject_record) - SUBJECT_KEY_SIZE) / sizeof(uint32_t))
#define HEAD_SIZE (SUBJECT_KEY_SIZE + sizeof(uint16_t))
#define PACKED_MAX (HEAD_SIZE + WORDS * sizeof(uint32_t))
#define MASK_BITS 12
static_assert(WORDS <= MASK_BITS && SPILL_LEAST_BYTES > 16 * PACKED_MAX,
              "a bit a word, and little of a chunk is left unused");

/* A record of the partition that is being sorted: its place in the order. */
struct entry {
    uint64_t prefix; /* first bytes of its key, big-endian */
    const uint8_t *packed;
};

struct sorter {
    struct spill *spill;
    uint64_t count;
    unsigned partitions;
    uint64_t counts[PARTITIONS_MAX];

    unsigned loaded; /* partitions that were loaded so far */
    struct entry *entries, *scattered;
    uint64_t entries_room;
    uint32_t *starts;
    uint64_t starts_room;
    uint64_t entry, entry_count;
    struct subject_record current;
};

static uint64_t prefix_of(const uint8_t *key)
{
    uint64_t prefix;
    memcpy(&prefix, key, sizeof(prefix));
    return __builtin_bswap64(prefix);
}

static uint64_t scale(uint64_t prefix, uint64_t parts)
{
    return (uint64_t)((unsigned __int128)prefix * parts >> 64);
}

static size_t pack(uint8_t *out, const struct subject_record *record)
{
    uint32_t words[WORDS], mask = 0;
    memcpy(out, record->key, SUBJECT_KEY_SIZE);
    memcpy(words, (const uint8_t *)record + SUBJECT_KEY_SIZE, sizeof(words));
    uint8_t *at = out + HEAD_SIZE;
    uint32_t count = 0;
    for (unsigned i = 0; i < WORDS; i++) {
        if (words[i] == 0)
            continue;
        memcpy(at + count++ * sizeof(words[i]), &words[i], sizeof(words[i]));
        mask |= UINT32_C(1) << i;
    }
    uint16_t bits = (uint16_t)(count << MASK_BITS | mask);
    memcpy(out + SUBJECT_KEY_SIZE, &bits, sizeof(bits));
    return HEAD_SIZE + count * sizeof(words[0]);
}

static uint32_t bits_of(const uint8_t *packed)
{
    uint16_t bits;
    memcpy(&bits, packed + SUBJECT_KEY_SIZE, sizeof(bits));
    return bits;
}

static size_t packed_size(const uint8_t *packed)
{
    return HEAD_SIZE + (bits_of(packed) >> MASK_BITS) * sizeof(uint32_t);
}

static void unpack(const uint8_t *packed, struct subject_record *out)
{
    uint32_t words[WORDS] = {0}, mask = bits_of(packed) & ((1u << MASK_BITS) - 1);
    memcpy(out->key, packed, SUBJECT_KEY_SIZE);
    const uint8_t *at = packed + HEAD_SIZE;
    for (; mask != 0; mask &= mask - 1, at += sizeof(uint32_t))
        memcpy(&words[__builtin_ctz(mask)], at, sizeof(uint32_t));
    memcpy((uint8_t *)out + SUBJECT_KEY_SIZE, words, sizeof(words));
}

int sorter_open(struct disk *disk, uint64_t records_max, uint64_t memory_bytes, struct sorter **out)
{
    /* Four partitions fit memory, or they are as large as is good for the caches. */
    uint64_t planned = memory_bytes / 4 / sizeof(struct subject_record);
    uint64_t partitions = records_max / (planned < PARTITION_PLANNED ? planned + 1 : PARTITION_PLANNED) + 1;
    struct sorter *sorter = calloc(1, sizeof(*sorter));
    if (!sorter)
        return -ENOMEM;
    sorter->partitions = partitions > PARTITIONS_MAX ? PARTITIONS_MAX : (unsigned)partitions;
    int result = spill_open(disk, sorter->partitions, memory_bytes, &sorter->spill);
    if (result < 0) {
        free(sorter);
        return result;
    }
    *out = sorter;
    return 0;
}

int sorter_put(struct sorter *sorter, const struct subject_record *record)
{
    unsigned partition = (unsigned)scale(prefix_of(record->key), sorter->partitions);
    uint8_t *room = spill_room(sorter->spill, partition, PACKED_MAX);
    if (!room)
        return spill_error(sorter->spill);
    /* Many streams are written side by side: the processor does not see by itself where each goes on. */
    __builtin_prefetch(room + 2 * PACKED_MAX, 1);
    spill_put(sorter->spill, partition, pack(room, record));
    sorter->counts[partition]++;
    sorter->count++;
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

static int compare(const struct entry *a, const struct entry *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    int keys = memcmp(a->packed, b->packed, SUBJECT_KEY_SIZE);
    if (keys != 0)
        return keys;
    struct subject_record x, y;
    unpack(a->packed, &x);
    unpack(b->packed, &y);
    return x.version < y.version ? -1 : x.version > y.version;
}

static void sort_short(struct entry *entries, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct entry moving = entries[i];
        size_t at = i;
        for (; at > 0 && compare(&entries[at - 1], &moving) > 0; at--)
            entries[at] = entries[at - 1];
        entries[at] = moving;
    }
}

/* Stable, as what is equal stands in the order it came in. `room` has place for n. */
static void sort_bucket(struct entry *entries, struct entry *room, size_t n)
{
    if (n <= BUCKET_INSERTION_MAX) {
        sort_short(entries, n);
        return;
    }
    size_t half = n / 2, left = 0, right = half;
    sort_bucket(entries, room, half);
    sort_bucket(entries + half, room + half, n - half);
    for (size_t i = 0; i < n; i++) {
        bool from_left = right == n || (left < half && compare(&entries[left], &entries[right]) <= 0);
        room[i] = entries[from_left ? left++ : right++];
    }
    memcpy(entries, room, n * sizeof(*entries));
}

static int make_room(struct sorter *sorter, uint64_t count, uint64_t buckets)
{
    uint64_t room = sorter->entries_room, same = room;
    int result = grow((void **)&sorter->entries, &room, count, sizeof(struct entry));
    if (result == 0)
        result = grow((void **)&sorter->scattered, &same, count, sizeof(struct entry));
    sorter->entries_room = same < room ? same : room;
    if (result == 0)
        result = grow((void **)&sorter->starts, &sorter->starts_room, buckets + 2, sizeof(*sorter->starts));
    return result;
}

/* Keys are uniform, so one pass of counting puts nearly every record at its place. */
static int sort(struct sorter *sorter, const struct spill_piece *pieces, int piece_count, uint64_t count)
{
    uint64_t buckets = count / BUCKET_PLANNED + 1;
    int result = count > UINT32_MAX ? -EOVERFLOW : make_room(sorter, count, buckets);
    if (result < 0)
        return result;
    /* The partition's share of the keys, spread over all of 64 bits; base is its least prefix. */
    unsigned __int128 before = ((unsigned __int128)(sorter->loaded - 1) << 64) + sorter->partitions - 1;
    uint64_t base = (uint64_t)(before / sorter->partitions), n = 0;
    uint32_t *starts = sorter->starts;
    memset(starts, 0, (buckets + 2) * sizeof(*starts));
    for (int i = 0; i < piece_count; i++) {
        const uint8_t *end = pieces[i].data + pieces[i].size;
        for (const uint8_t *at = pieces[i].data; at < end; at += packed_size(at)) {
            uint64_t spread = (prefix_of(at) - base) * sorter->partitions;
            sorter->entries[n++] = (struct entry){prefix_of(at), at};
            starts[scale(spread, buckets) + 2]++;
        }
    }
    assert(n == count);
    for (uint64_t i = 2; i < buckets + 2; i++)
        starts[i] += starts[i - 1];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t spread = (sorter->entries[i].prefix - base) * sorter->partitions;
        sorter->scattered[starts[scale(spread, buckets) + 1]++] = sorter->entries[i];
    }
    for (uint64_t i = 0; i < buckets; i++)
        sort_bucket(sorter->scattered + starts[i], sorter->entries, starts[i + 1] - starts[i]);
    sorter->entry = 0;
    sorter->entry_count = count;
    return 0;
}

static int load(struct sorter *sorter)
{
    const struct spill_piece *pieces;
    unsigned partition = sorter->loaded++;
    int piece_count = spill_take(sorter->spill, partition, &pieces);
    return piece_count < 0 ? piece_count : sort(sorter, pieces, piece_count, sorter->counts[partition]);
}

static bool same_key(const struct entry *a, const struct entry *b)
{
    return a->prefix == b->prefix && memcmp(a->packed, b->packed, SUBJECT_KEY_SIZE) == 0;
}

int sorter_next(struct sorter *sorter, const struct subject_record **out)
{
    while (sorter->entry == sorter->entry_count) {
        if (sorter->loaded == sorter->partitions)
            return 0;
        int result = load(sorter);
        if (result < 0)
            return result;
    }
    /* The last of those with one key is the latest. */
    const struct entry *entries = sorter->scattered;
    while (sorter->entry + 1 < sorter->entry_count && same_key(&entries[sorter->entry], &entries[sorter->entry + 1]))
        sorter->entry++;
    if (sorter->entry + AHEAD < sorter->entry_count)
        __builtin_prefetch(entries[sorter->entry + AHEAD].packed);
    unpack(entries[sorter->entry++].packed, &sorter->current);
    *out = &sorter->current;
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
    spill_close(sorter->spill);
    free(sorter->entries);
    free(sorter->scattered);
    free(sorter->starts);
    free(sorter);
}
