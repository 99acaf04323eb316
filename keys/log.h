/* The log: the interface between control and dataplane. What is in it, and only that, is in force. Append-only segments
 * of framed records (length, type, sequence, checksum) in the store's directory; one writer, any number of readers. */
#pragma once

#include <assert.h>

#include "keys/bytes.h"

enum log_type {
    LOG_KEY = 1,          /* issuer_key_encode: adds, replaces or retires the key of that kid */
    LOG_POINT = 2,        /* point_encode: adds or replaces the point of that id */
    LOG_POINT_REMOVE = 3, /* CBOR uint: the point's id */
    LOG_RULES = 4,        /* a compiled rule program (dataplane/rules.h) */
    LOG_STATUS_LIST = 5,  /* status_list_encode: replaces the list of that uri */
    LOG_SUBJECT = 6,      /* one or more struct subject_record, back to back */
    LOG_TABLE = 7,        /* struct log_table: that table is in force, and subject changes up to `covers` are in it */
    LOG_RULES_TEXT = 8,   /* the JSON text of the LOG_RULES record that follows: for people, read by control alone */
    LOG_LIST_CHANGE = 9,  /* status_change_encode: entries of the list of that uri. Where the log begins behind that
                             list, the list comes again later with the change in it, and the change is left out */
};

/* The payload of LOG_TABLE, little-endian. Everything before LOG_TABLE that is neither a subject change nor older than
 * `state_from` was appended again from `state_from` on, so that segments before both may go. */
struct log_table {
    uint64_t number;
    uint64_t covers;     /* the last sequence whose subject changes are in the table */
    uint64_t state_from; /* the first sequence of what was appended again */
    uint64_t records;
};
static_assert(sizeof(struct log_table) == 32, "on disk");

#define LOG_PAYLOAD_MAX (4u << 20)

/* A record as a reader gets it. The payload is valid until the next call on the same reader. */
struct log_record {
    enum log_type type;
    uint64_t sequence; /* ascending; numbers are left out where a fold appended again what this reader had before */
    struct bytes payload;
};

enum log_status {
    LOG_OK,
    LOG_END,       /* nothing more now; more may come */
    LOG_LOCKED,    /* another writer holds the directory */
    LOG_DAMAGED,   /* a record before the tail fails its checksum or sequence: `log_error` names segment and offset */
    LOG_FAILED,    /* I/O failed: nothing more is acknowledged by this writer; `log_error` says what and where */
    LOG_TOO_LARGE, /* payload above LOG_PAYLOAD_MAX */
    LOG_NO_SPACE,  /* the disk is full: this record was not taken, the writer goes on with what fits */
    LOG_BEHIND,    /* the segment a reader needs next was dropped after a fold: open the reader again */
    LOG_NO_STORE   /* there is no store in this directory yet: try again later */
};

/* Writer (control), for one thread. Opening takes the exclusive lock, recovers (a torn tail is cut at the last whole
 * record; what is whole is made durable) and creates what is missing, the directory included. `error` gets one line for
 * people. */
struct log_writer;
enum log_status log_writer_open(const char *directory, struct log_writer **out, char *error, size_t error_size);
/* Adds to what waits; it is in force only after log_writer_commit returned LOG_OK, which one fsync makes for all that
 * waits. `sequence` may be NULL. */
enum log_status log_writer_append(struct log_writer *log, enum log_type type, struct bytes payload, uint64_t *sequence);
enum log_status log_writer_commit(struct log_writer *log);
const char *log_writer_error(const struct log_writer *log);
/* Commits what waits. */
void log_writer_close(struct log_writer *log);

struct log_writer_info {
    uint64_t first;   /* oldest sequence still held; 1 in a store that never dropped a segment */
    uint64_t last;    /* last sequence that was given out; 0 in an empty store */
    uint64_t durable; /* last sequence that was committed */
    uint64_t segments;
    uint64_t bytes;         /* of the segments, what waits for commit included; all but the last taken for full */
    uint32_t segment_bytes; /* a segment is full at this size */
    bool space_low;         /* the next segment could not be reserved: free disk space before this one is full */
    uint64_t cut_bytes;     /* torn tail that recovery cut when this writer was opened; 0 where the log ended whole */
};
void log_writer_info(const struct log_writer *log, struct log_writer_info *out);
/* Begins a new segment after about that many bytes, for small stores. At most, and unless told, 64 MiB. */
void log_writer_set_segment_bytes(struct log_writer *log, uint32_t bytes);
/* Reserves the next segment's disk space where that failed before; false where it fails still. For a periodic call. */
bool log_writer_reserve(struct log_writer *log);
/* Removes whole segments whose records are all older than `sequence`. The caller has committed a LOG_TABLE that makes
 * them dispensable. */
enum log_status log_writer_drop_before(struct log_writer *log, uint64_t sequence);

/* Reader (dataplane's store thread, tools), for one thread. Starts before the first record. Sees only what is
 * committed. After a restart of the machine, and until a writer has opened the store, it sees every whole record: what
 * was read then came from the disk. At the end log_reader_next costs a load from shared memory and no system call. */
struct log_reader;
enum log_status log_reader_open(const char *directory, struct log_reader **out, char *error, size_t error_size);
enum log_status log_reader_next(struct log_reader *log, struct log_record *out);
const char *log_reader_error(const struct log_reader *log);
void log_reader_close(struct log_reader *log);
