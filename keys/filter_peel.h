/* The construction of one shard's binary fuse filter ("peeling"), from keys alone: no disk. */
#pragma once

#include "keys/filter_format.h"

/* A shard gets its planned number of keys give or take; one twice as large was not made from keyed hashes. */
#define SHARD_KEYS_MAX (2 * FILTER_SHARD_RECORDS)
/* Places that so many keys take at most, with their alignment. */
#define SHARD_ROOM (SHARD_KEYS_MAX + SHARD_KEYS_MAX / 2)

struct filter_peel;
struct filter_peel *filter_peel_new(void); /* NULL: out of memory */
void filter_peel_free(struct filter_peel *peel);

/* Fills in shape, seed and checksum of `shard` and its fingerprints in `room`, SHARD_ROOM bytes, zeros up to the next
 * multiple of FILTER_ALIGN. `keys` are put in another order, and fewer where two are alike. False where the keys are no
 * hashes: no filter holds them. */
bool filter_peel_make(struct filter_peel *peel, uint64_t *keys, uint32_t count, uint64_t seed, uint64_t seed_key,
                      struct filter_shard *shard, uint8_t *room);
