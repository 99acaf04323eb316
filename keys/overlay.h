/* The overlay: subject records that the log holds beyond the table, in memory. One thread inserts, any number of others
 * look up without a lock. A record that a reader sees is whole: records never change once published, a new version is
 * a new record. Memory: 64 bytes a record and 16 to 32 for its place. */
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
/* The later version wins; of two with one version the one that comes last. Only for the one thread. */
enum overlay_insert overlay_put(struct overlay *overlay, const struct subject_record *record);

/* Frees what insertions replaced. The inserting thread calls it when every reader has passed a quiescent state since
 * the last overlay_put. */
void overlay_reclaim(struct overlay *overlay);

bool overlay_get(const struct overlay *overlay, const uint8_t key[SUBJECT_KEY_SIZE], struct subject_record *out);
/* Asks the processor for what overlay_get will touch first. */
void overlay_prefetch(const struct overlay *overlay, const uint8_t key[SUBJECT_KEY_SIZE]);

uint64_t overlay_count(const struct overlay *overlay);
uint64_t overlay_memory_bytes(const struct overlay *overlay);
/* Calls `visit` for each record; only for the inserting thread. */
void overlay_each(const struct overlay *overlay, void (*visit)(void *context, const struct subject_record *record),
                  void *context);
