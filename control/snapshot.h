/* What the store says now, read by a tool without the dataplane: the same generation, built by the same code. */
#pragma once

#include "dataplane/generation.h"
#include "keys/lookup.h"

struct snapshot {
    struct generation *generation;
    struct generation_builder *builder;
    struct store *store;
    struct log_reader *log;
    struct lookup *lookup;
    uint64_t records_refused;
};

/* Reads the whole store in `directory`. False with one line in `error`. */
bool snapshot_open(struct snapshot *snapshot, const char *directory, char *error, size_t error_size);
void snapshot_close(struct snapshot *snapshot);

/* Waits for the disk where the worker would park. */
enum lookup_status snapshot_subject(struct snapshot *snapshot, const uint8_t key[SUBJECT_KEY_SIZE],
                                    struct subject_record *out);
