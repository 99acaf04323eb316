/* What the store says now, read by a tool without the dataplane: the same generation, built by the same code. */
#pragma once

#include "dataplane/generation.h"
#include "dataplane/rules.h"
#include "keys/log_state.h"
#include "keys/lookup.h"

/* A rule set as a record of the log brought it. */
struct snapshot_rules {
    uint64_t sequence;
    struct rule_set *rules;
    char *text; /* JSON; NULL where the log has it no more */
};

struct snapshot {
    struct generation *generation;
    struct generation_builder *builder;
    struct store *store;
    struct log_reader *log;
    struct lookup *lookup;
    uint64_t records_refused;
    struct snapshot_rules rules[LOG_RULES_KEPT]; /* the last that the log holds, ascending */
    uint32_t rules_count;
    char *rules_text; /* of the rules that come next */
};

/* Reads the whole store in `directory`. False with one line in `error`. */
bool snapshot_open(struct snapshot *snapshot, const char *directory, char *error, size_t error_size);
void snapshot_close(struct snapshot *snapshot);

/* The last rule set of that version; NULL where the store holds it no more. */
const struct snapshot_rules *snapshot_rules(const struct snapshot *snapshot, uint32_t version);

/* Waits for the disk where the worker would park. */
enum lookup_status snapshot_subject(struct snapshot *snapshot, const uint8_t key[SUBJECT_KEY_SIZE],
                                    struct subject_record *out);
