/* The one writer of the store: appends records, keeps `state` in step, makes a turn's changes durable together, wakes
 * the dataplane, and folds subject changes into the table in the background. */
#pragma once

#include "control/state.h"
#include "control/subject_lookup.h"
#include "keys/fold.h"

struct journal {
    struct log_writer *log;
    struct state state;
    struct store *subjects; /* what the log and the table hold of subjects */
    struct lookup *lookup;
    struct log_state *live; /* what of the log is in force: the rest is what a fold would free */
    struct fold *fold;      /* under way, or NULL */
    char store[256];
    int wake;     /* datagram socket */
    bool waiting; /* appended and not committed */
    uint64_t reserve_tried_ns;
    uint64_t fold_next_ns; /* when folding may go on */
    uint64_t fold_after;   /* the next fold is due only when the log is beyond this sequence */
    char fold_error[256];  /* why the last fold failed; empty where it did not */
};

/* Opens the store (creating it where it is missing) and replays its log. `error` gets one line. */
bool journal_open(const char *store, struct journal *out, char *error, size_t error_size);
void journal_close(struct journal *journal);

/* Appends a record and applies it to the state. It is in force, and may be acknowledged, only after journal_commit. On
 * false nothing was taken; `error` gets one line. */
bool journal_append(struct journal *journal, enum log_type type, struct bytes payload, char *error, size_t error_size);

/* One fsync for all that was appended since the last commit, then a byte to the dataplane's wake socket. False: nothing
 * of it may be acknowledged and the state in memory is ahead of the disk, so the process must end. */
bool journal_commit(struct journal *journal, char *error, size_t error_size);

/* Whether a fold is under way or due, and then a bounded piece of its work, to be called between turns. A fold that
 * fails changes nothing: `error` gets one line then, else it is empty, and the next is tried after more changes. */
bool journal_folding(struct journal *journal);
/* Milliseconds until the next piece may be done: folding rests as long as it works, so that changes, and lookups on the
 * same disk, come through. */
int journal_fold_wait_ms(const struct journal *journal);
void journal_fold_step(struct journal *journal, char *error, size_t error_size);

/* Where disk space for the log is short, looks again, once a second, whether there is enough now. */
void journal_reserve(struct journal *journal);

/* The latest record of a subject. */
enum subject_found journal_subject(struct journal *journal, const uint8_t key[SUBJECT_KEY_SIZE],
                                   struct subject_record *out);
