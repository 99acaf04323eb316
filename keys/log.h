/* The log: the interface between control and dataplane. What is in it, and only that, is in force. Append-only segments
 * of framed records (length, type, sequence, checksum) in the store's directory; one writer, any number of readers. */
#pragma once

#include "keys/bytes.h"

enum log_type {
    LOG_KEY = 1,          /* issuer_key_encode: adds, replaces or retires the key of that kid */
    LOG_POINT = 2,        /* point_encode: adds or replaces the point of that id */
    LOG_POINT_REMOVE = 3, /* CBOR uint: the point's id */
    LOG_RULES = 4,        /* a compiled rule program (dataplane/rules.h) */
    LOG_STATUS_LIST = 5,  /* status_list_encode: replaces the list of that uri */
    LOG_SUBJECT = 6,      /* one or more struct subject_record, back to back */
};

#define LOG_PAYLOAD_MAX (4u << 20)

/* A record as a reader gets it. The payload is valid until the next call on the same reader. */
struct log_record {
    enum log_type type;
    uint64_t sequence; /* 1, 2, 3 … without a gap over the life of the store */
    struct bytes payload;
};

enum log_status {
    LOG_OK,
    LOG_END,      /* nothing more now; more may come */
    LOG_LOCKED,   /* another writer holds the directory */
    LOG_DAMAGED,  /* a record before the tail fails its checksum or sequence: `log_error` names segment and offset */
    LOG_FAILED,   /* I/O failed: nothing more is acknowledged by this writer; `log_error` says what and where */
    LOG_TOO_LARGE /* payload above LOG_PAYLOAD_MAX */
};

/* Writer (control). Opening takes the exclusive lock, recovers (a torn tail is cut at the last whole record) and
 * creates what is missing, the directory included. `error` gets one line for people. */
struct log_writer;
enum log_status log_writer_open(const char *directory, struct log_writer **out, char *error, size_t error_size);
/* Adds to what waits; it is in force only after log_writer_commit returned LOG_OK, which one fsync makes for all that
 * waits. */
enum log_status log_writer_append(struct log_writer *log, enum log_type type, struct bytes payload, uint64_t *sequence);
enum log_status log_writer_commit(struct log_writer *log);
const char *log_writer_error(const struct log_writer *log);
void log_writer_close(struct log_writer *log);

/* Reader (dataplane's store thread, tools). Starts before the first record. Sees only what is committed, or at least
 * never half a record. */
struct log_reader;
enum log_status log_reader_open(const char *directory, struct log_reader **out, char *error, size_t error_size);
enum log_status log_reader_next(struct log_reader *log, struct log_record *out);
const char *log_reader_error(const struct log_reader *log);
void log_reader_close(struct log_reader *log);
