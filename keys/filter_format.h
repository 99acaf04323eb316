/* What the filter's reader and builder share. */
#pragma once

#include <xxhash.h>

#include "keys/filter.h"

#define FILTER_PREFIX "filter-"
#define FILTER_NEW_NAME "filter.new"
#define FILTER_MAGIC 0x31544c464748434du /* "MCHGFLT1" */
#define FILTER_SHARDS_MAX (1u << 20)
#define FILTER_ALIGN 64

struct filter_header {
    uint64_t checksum; /* of the rest and the shards' entries that follow it */
    uint64_t magic;
    uint64_t store;
    uint64_t number; /* of the table */
    uint64_t records;
    uint64_t shards;
    uint64_t bytes; /* of all fingerprints */
    uint64_t reserved;
};
static_assert(sizeof(struct filter_header) == 64, "on disk");

/* One binary fuse filter; `window` and `range` as segmentLength and segmentCountLength in the paper's code. A range of
 * zero is a filter of no keys. */
struct filter_shard {
    uint64_t seed;
    uint64_t offset; /* of its fingerprints among all; a multiple of FILTER_ALIGN */
    uint32_t window; /* a power of two */
    uint32_t range;
    uint64_t checksum; /* of its fingerprints */
};
static_assert(sizeof(struct filter_shard) == 32, "on disk");

/* Bytes of fingerprints of one shard. */
static inline uint64_t filter_shard_bytes(const struct filter_shard *shard)
{
    return shard->range == 0 ? 0 : (uint64_t)shard->range + 2 * (uint64_t)shard->window;
}

/* The same, up to where the next shard's begin. */
static inline uint64_t filter_shard_padded(const struct filter_shard *shard)
{
    return (filter_shard_bytes(shard) + FILTER_ALIGN - 1) / FILTER_ALIGN * FILTER_ALIGN;
}

static inline uint64_t filter_data_offset(uint64_t shards)
{
    uint64_t end = sizeof(struct filter_header) + shards * sizeof(struct filter_shard);
    return (end + DISK_BLOCK_SIZE - 1) / DISK_BLOCK_SIZE * DISK_BLOCK_SIZE;
}

static inline uint64_t filter_shard_of(uint64_t shards, const uint8_t key[SUBJECT_KEY_SIZE])
{
    uint64_t place;
    memcpy(&place, key, sizeof(place));
    return (uint64_t)((unsigned __int128)__builtin_bswap64(place) * shards >> 64);
}

/* The half of the key that does not choose the shard. */
static inline uint64_t filter_key(const uint8_t key[SUBJECT_KEY_SIZE])
{
    uint64_t bits;
    memcpy(&bits, key + 8, sizeof(bits));
    return bits;
}

/* MurmurHash3's finalizer, as in the paper's code. */
static inline uint64_t filter_mix(uint64_t bits, uint64_t seed)
{
    bits += seed;
    bits ^= bits >> 33;
    bits *= 0xff51afd7ed558ccdu;
    bits ^= bits >> 33;
    bits *= 0xc4ceb9fe1a85ec53u;
    return bits ^ bits >> 33;
}

static inline uint8_t filter_fingerprint(uint64_t hash)
{
    return (uint8_t)(hash ^ hash >> 32);
}

struct filter_places {
    uint32_t at[3];
};

static inline struct filter_places filter_places(const struct filter_shard *shard, uint64_t hash)
{
    struct filter_places places;
    uint32_t mask = shard->window - 1;
    places.at[0] = (uint32_t)((unsigned __int128)hash * shard->range >> 64);
    places.at[1] = (places.at[0] + shard->window) ^ ((uint32_t)(hash >> 18) & mask);
    places.at[2] = (places.at[0] + 2 * shard->window) ^ ((uint32_t)hash & mask);
    return places;
}

static inline uint64_t filter_directory_checksum(const struct filter_header *header, const struct filter_shard *shards)
{
    uint64_t seed = XXH3_64bits(&header->magic, sizeof(*header) - sizeof(header->checksum));
    return XXH3_64bits_withSeed(shards, header->shards * sizeof(*shards), seed);
}
