/* The one writer of the store: appends records, keeps `state` in step, makes a turn's changes durable together and
 * wakes the dataplane. */
#pragma once

#include "control/state.h"
#include "keys/overlay.h"
#include "keys/store_identity.h"

struct journal {
    struct log_writer *log;
    struct state state;
    char store[256];
    struct store_identity identity;
    struct overlay *overlay; /* subject records of the log */
    int wake;                /* datagram socket */
    bool waiting;            /* appended and not committed */
};

/* Opens the store (creating it where it is missing) and replays its log. `error` gets one line. */
bool journal_open(const char *store, struct journal *out, char *error, size_t error_size);
void journal_close(struct journal *journal);

/* Appends a record and applies it to the state. It is in force, and may be acknowledged, only after journal_commit. On
 * false nothing was taken; `error` gets one line. */
bool journal_append(struct journal *journal, enum log_type type, struct bytes payload, char *error, size_t error_size);

/* Sets an entry of a list and marks the list, which journal_commit appends once however many entries were set. */
void journal_set_status(struct journal *journal, struct state_list *list, uint64_t index, enum status_value value,
                        uint64_t now_s);

/* One fsync for all that was appended since the last commit, then a byte to the dataplane's wake socket. False: nothing
 * of it may be acknowledged and the state in memory is ahead of the disk, so the process must end. */
bool journal_commit(struct journal *journal, char *error, size_t error_size);

/* The latest record of a subject, a tombstone included. */
enum journal_subject { JOURNAL_SUBJECT_FOUND, JOURNAL_SUBJECT_ABSENT, JOURNAL_SUBJECT_FAILED };
enum journal_subject journal_subject(struct journal *journal, const uint8_t key[SUBJECT_KEY_SIZE],
                                     struct subject_record *out);
