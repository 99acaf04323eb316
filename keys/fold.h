/* Folding: a new table from the one in force and the subject changes that the log holds beyond it, beside the running
 * writer and readers. Where the log holds no such changes, but much else that is not in force any more, the table stays
 * and only the log is written anew. Steps may run in a thread of their own, at whatever rate the caller grants; the
 * commit belongs to the writer's thread. The same makes a table from a bulk of records (chengmen store restore). */
#pragma once

#include "keys/log.h"
#include "keys/subject.h"

struct fold;

enum fold_status {
    FOLD_MORE,
    FOLD_READY,   /* the table stands beside the old one; now fold_commit */
    FOLD_DONE,    /* it is in force */
    FOLD_NOTHING, /* the log holds no subject change beyond the table, and little that could go */
    FOLD_FAILED,  /* fold_error says what; nothing has changed */
};

/* FOLD_MORE, or FOLD_NOTHING or FOLD_FAILED and no fold; `error` gets one line for people. */
enum fold_status fold_open(const char *directory, struct fold **out, char *error, size_t error_size);
/* As fold_open, with room for a bulk of records besides: put them with fold_put before the first step. */
enum fold_status fold_open_bulk(const char *directory, uint64_t records_max, struct fold **out, char *error,
                                size_t error_size);
enum fold_status fold_put(struct fold *fold, const struct subject_record *record);

/* A bounded piece: about FOLD_STEP_BYTES read or written. */
#define FOLD_STEP_BYTES (1u << 20)
enum fold_status fold_step(struct fold *fold);
/* Puts the new table in force: LOG_TABLE is committed through the writer. Where it is worth while, everything but
 * subject changes is appended again before it, lists with the changes of their entries applied, and old segments go.
 * Old tables' files go. */
enum fold_status fold_commit(struct fold *fold, struct log_writer *writer);

struct fold_progress {
    uint64_t records_read, records_written;
    uint64_t covers; /* sequence up to which the log is folded in */
};
void fold_progress(const struct fold *fold, struct fold_progress *out);
const char *fold_error(const struct fold *fold);
/* Frees; without a commit nothing of it is left in force. */
void fold_close(struct fold *fold);
