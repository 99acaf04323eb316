/* The overlay: subject records that the log holds beyond the table, in memory. One thread inserts, any number of others
 * look up without a lock. A record that a reader sees is whole: records never change once published, a new version is
 * a new record. Memory: 72 bytes a record and 16 to 32 for its place. */
#pragma once

#include "keys/subject.h"

struct overlay;

/* `records_max` bounds its memory, at most 2^32 - 2; room grows as records come. NULL where memory is out. */
struct overlay *overlay_create(uint64_t records_max);
void overlay_free(struct overlay *overlay);

enum overlay_insert {
    OVERLAY_INSERTED,
    OVERLAY_OLDER, /* it holds a later version already */
    OVERLAY_FULL,  /* records_max, or memory, is reached: the record was not taken */
};
/* The later version wins; of two with one version the one that comes last. `sequence` is that of the log record which
 * brought it. Only for the one thread. */
enum overlay_insert overlay_put(struct overlay *overlay, const struct subject_record *record, uint64_t sequence);

/* Frees what insertions replaced. The inserting thread calls it when every reader has passed a quiescent state since
 * the last overlay_put. */
void overlay_reclaim(struct overlay *overlay);

bool overlay_get(const struct overlay *overlay, const uint8_t key[SUBJECT_KEY_SIZE], struct subject_record *out);
/* Asks the processor for what overlay_get will touch first. */
void overlay_prefetch(const struct overlay *overlay, const uint8_t key[SUBJECT_KEY_SIZE]);

uint64_t overlay_count(const struct overlay *overlay);
uint64_t overlay_memory_bytes(const struct overlay *overlay);
/* Places to go over; changes when it grows, and then their order has changed. */
uint64_t overlay_places(const struct overlay *overlay);
/* Goes over the subjects a bounded number at a time, for the inserting thread. Looks at up to `places_max` places from
 * *place on, calls `visit` for what stands there, and moves *place on; returns false after the last. What is put
 * meanwhile may or may not be visited. */
bool overlay_each(const struct overlay *overlay, uint64_t *place, uint64_t places_max,
                  void (*visit)(void *context, const struct subject_record *record, uint64_t sequence), void *context);
