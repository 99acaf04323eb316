/* The filter: which subjects surely have no record in the table. Binary fuse filters (Graf and Lemire, "Binary Fuse
 * Filters: Fast and Smaller Than Xor Filters", 2022) with 3 places and 8 bits, one for each FILTER_SHARD_RECORDS or so
 * of the table's records in the order of their keys, so that building takes the memory of one. About 9.05 bits a
 * record; 1 in 256 absent subjects passes. Keyed: what goes in are keyed hashes, and each shard has its own seed.
 * File `filter-N`. */
#pragma once

#include "keys/disk.h"
#include "keys/store_identity.h"

#define FILTER_SHARD_RECORDS (1u << 20)

/* Immutable; any number of threads may ask it. */
struct filter;

/* Opens and reads all. 0; -EBADMSG where it is damaged or of another table: then build it again from the table; or
 * another negative errno.
 */
int filter_load(struct disk *disk, const struct store_identity *identity, uint64_t number, struct filter **out);
/* The same in steps, for a thread that has other work: open, then read until the result is 0. 1: there is more. Only
 * then may it be asked. */
int filter_open(struct disk *disk, const struct store_identity *identity, uint64_t number, struct filter **out);
int filter_read(struct filter *filter, uint64_t bytes_max);
void filter_free(struct filter *filter);
bool filter_contains(const struct filter *filter, const uint8_t key[SUBJECT_KEY_SIZE]);
/* Asks the processor for what filter_contains will touch. */
void filter_prefetch(const struct filter *filter, const uint8_t key[SUBJECT_KEY_SIZE]);
uint64_t filter_records(const struct filter *filter);
uint64_t filter_memory_bytes(const struct filter *filter);
void filter_name(uint64_t number, char name[DISK_NAME_MAX]);

/* Makes `filter-N` from keys in ascending order. Nothing has that name before filter_build_finish, which makes it
 * durable, but leaves its name to the caller's disk_sync_directory. */
struct filter_build;
int filter_build_open(struct disk *disk, const struct store_identity *identity, uint64_t number, uint64_t records_max,
                      struct filter_build **out);
int filter_build_put(struct filter_build *build, const uint8_t key[SUBJECT_KEY_SIZE]);
/* Before filter_build_finish, for a caller that must not wait as long as making a shard takes: all keys were put; then
 * ask until it is not busy. */
int filter_build_end(struct filter_build *build);
bool filter_build_busy(struct filter_build *build);
int filter_build_finish(struct filter_build *build);
void filter_build_close(struct filter_build *build);

/* Makes `filter-N` again from `table-N`, durably. */
int filter_rebuild(struct disk *disk, const struct store_identity *identity, uint64_t number);
