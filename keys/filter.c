#include "keys/filter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "keys/filter_format.h"
#include "keys/prefetch.h"

#define HUGE_PAGE (2u << 20)
#define LOAD_BYTES (4u << 20)

struct filter {
    uint8_t *fingerprints;
    struct filter_shard *shards;
    struct filter_header header;
    struct disk *disk;
    int file;         /* until all is read, then -1 */
    uint64_t read;    /* bytes of fingerprints */
    uint64_t checked; /* shards */
};

void filter_name(uint64_t number, char name[DISK_NAME_MAX])
{
    snprintf(name, DISK_NAME_MAX, FILTER_PREFIX "%" PRIu64, number);
}

/* Whether a lookup in this shard stays inside its fingerprints, whatever the hash. */
static bool shard_sound(const struct filter_shard *shard, uint64_t bytes)
{
    uint64_t size = filter_shard_bytes(shard);
    return shard->window > 0 && (shard->window & (shard->window - 1)) == 0 && shard->range % shard->window == 0 &&
           size <= UINT32_MAX && shard->offset % FILTER_ALIGN == 0 && shard->offset <= bytes &&
           size <= bytes - shard->offset;
}

static int load_directory(struct disk *disk, int file, const struct store_identity *identity, uint64_t number,
                          struct filter *filter)
{
    struct filter_header *header = &filter->header;
    int64_t size = disk_size(disk, file);
    int64_t n = disk_read_all(disk, file, header, sizeof(*header), 0);
    if (n < 0 || size < 0)
        return (int)(n < 0 ? n : size);
    if (n != sizeof(*header) || header->magic != FILTER_MAGIC || header->store != identity->id ||
        header->number != number || header->shards == 0 || header->shards > FILTER_SHARDS_MAX ||
        header->bytes > (uint64_t)size || filter_data_offset(header->shards) + header->bytes != (uint64_t)size)
        return -EBADMSG;
    size_t wanted = header->shards * sizeof(*filter->shards);
    filter->shards = malloc(wanted);
    if (!filter->shards)
        return -ENOMEM;
    n = disk_read_all(disk, file, filter->shards, wanted, sizeof(*header));
    if (n < 0)
        return (int)n;
    if (n != (int64_t)wanted || header->checksum != filter_directory_checksum(header, filter->shards))
        return -EBADMSG;
    for (uint64_t i = 0; i < header->shards; i++) {
        if (!shard_sound(&filter->shards[i], header->bytes))
            return -EBADMSG;
    }
    return 0;
}

/* Memory in huge pages where the system has them: three misses of the TLB would cost more than those of the cache. */
static uint8_t *take_memory(uint64_t bytes)
{
    uint64_t size = (bytes + HUGE_PAGE) / HUGE_PAGE * HUGE_PAGE;
    uint8_t *memory = aligned_alloc(HUGE_PAGE, size);
    if (memory)
        madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

int filter_open(struct disk *disk, const struct store_identity *identity, uint64_t number, struct filter **out)
{
    char name[DISK_NAME_MAX];
    filter_name(number, name);
    struct filter *filter = calloc(1, sizeof(*filter));
    if (!filter)
        return -ENOMEM;
    filter->disk = disk;
    int result = filter->file = disk_file_open(disk, name, DISK_READ);
    if (result >= 0)
        result = load_directory(disk, filter->file, identity, number, filter);
    if (result == 0) {
        filter->fingerprints = take_memory(filter->header.bytes);
        result = filter->fingerprints ? 0 : -ENOMEM;
    }
    if (result == 0)
        *out = filter;
    else
        filter_free(filter);
    return result;
}

/* Checks the shards that have been read whole. */
static bool check_shards(struct filter *filter)
{
    for (; filter->checked < filter->header.shards; filter->checked++) {
        const struct filter_shard *shard = &filter->shards[filter->checked];
        uint64_t size = filter_shard_bytes(shard);
        if (shard->offset + size > filter->read)
            return true;
        if (shard->checksum != XXH3_64bits(filter->fingerprints + shard->offset, size))
            return false;
    }
    return true;
}

int filter_read(struct filter *filter, uint64_t bytes_max)
{
    const struct filter_header *header = &filter->header;
    uint64_t left = header->bytes - filter->read;
    size_t wanted = (size_t)(left < bytes_max ? left : bytes_max);
    int64_t n = disk_read_all(filter->disk, filter->file, filter->fingerprints + filter->read, wanted,
                              filter_data_offset(header->shards) + filter->read);
    if (n < 0)
        return (int)n;
    filter->read += wanted;
    if (n != (int64_t)wanted || !check_shards(filter))
        return -EBADMSG;
    if (filter->read < header->bytes)
        return 1;
    disk_file_close(filter->disk, filter->file);
    filter->file = -1;
    return filter->checked == header->shards ? 0 : -EBADMSG;
}

int filter_load(struct disk *disk, const struct store_identity *identity, uint64_t number, struct filter **out)
{
    struct filter *filter;
    int result = filter_open(disk, identity, number, &filter);
    if (result < 0)
        return result;
    while ((result = filter_read(filter, LOAD_BYTES)) > 0)
        ;
    if (result == 0)
        *out = filter;
    else
        filter_free(filter);
    return result;
}

void filter_free(struct filter *filter)
{
    if (!filter)
        return;
    disk_file_close(filter->disk, filter->file);
    free(filter->fingerprints);
    free(filter->shards);
    free(filter);
}

bool filter_contains(const struct filter *filter, const uint8_t key[SUBJECT_KEY_SIZE])
{
    const struct filter_shard *shard = &filter->shards[filter_shard_of(filter->header.shards, key)];
    if (shard->range == 0)
        return false;
    uint64_t hash = filter_mix(filter_key(key), shard->seed);
    struct filter_places places = filter_places(shard, hash);
    const uint8_t *base = filter->fingerprints + shard->offset;
    return (base[places.at[0]] ^ base[places.at[1]] ^ base[places.at[2]]) == filter_fingerprint(hash);
}

void filter_prefetch(const struct filter *filter, const uint8_t key[SUBJECT_KEY_SIZE])
{
    const struct filter_shard *shard = &filter->shards[filter_shard_of(filter->header.shards, key)];
    struct filter_places places = filter_places(shard, filter_mix(filter_key(key), shard->seed));
    const uint8_t *base = filter->fingerprints + shard->offset;
    for (unsigned i = 0; i < 3; i++)
        prefetch(base + places.at[i]);
}

uint64_t filter_records(const struct filter *filter)
{
    return filter->header.records;
}

uint64_t filter_memory_bytes(const struct filter *filter)
{
    return filter->header.bytes + filter->header.shards * sizeof(*filter->shards) + sizeof(*filter);
}
