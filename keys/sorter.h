/* Sorts more subject records than memory holds: they are dealt to partitions by their key, packed, and each partition
 * is sorted by itself. Of records with one key the latest version stays, and of those with one version the one that
 * came last. */
#pragma once

#include "keys/disk.h"
#include "keys/subject.h"

struct sorter;
/* `records_max` is an estimate from above: it decides the number of partitions. Nothing goes to the disk where all fits
 * `memory_bytes`, of which a few MiB are the least. Where the estimate was too low, more memory is taken. */
int sorter_open(struct disk *disk, uint64_t records_max, uint64_t memory_bytes, struct sorter **out);
int sorter_put(struct sorter *sorter, const struct subject_record *record);
/* 1 and the next record in the order of keys, valid until the next call; 0 at the end; or a negative errno. Nothing is
 * put after the first call. */
int sorter_next(struct sorter *sorter, const struct subject_record **out);
uint64_t sorter_count(const struct sorter *sorter); /* records that were put */
void sorter_close(struct sorter *sorter);
