/* What operators do with a store beside the daemons: check all of it, compact it, carry it elsewhere. Checking and
 * dumping go beside a running writer; compacting and restoring are the writer's. */
#pragma once

#include <stdio.h>

#include "keys/log.h"

/* Numbers of a store, and what a check found. */
struct store_report {
    uint64_t log_segments, log_bytes, log_records;
    uint64_t log_first, log_last;
    uint64_t keys, points, lists, rules; /* records of each kind in the log, those replaced included */
    uint64_t changes;                    /* of subjects, in the log */
    uint64_t table_number, table_records, table_pages, table_bytes, table_covers;
    uint64_t filter_bytes;
    uint64_t free_bytes;
    uint64_t findings; /* damage; 0: all is sound */
};
/* Called for every finding with one line for people. */
typedef void store_finding(void *context, const char *line);

/* Reads the log and the headers. False where there is no store or it cannot be read; then `error` says why. */
bool store_tools_info(const char *directory, struct store_report *out, char *error, size_t error_size);
/* Checks every record of the log, every page of the table, and that the filter has every record. */
bool store_tools_verify(const char *directory, struct store_report *out, store_finding *finding, void *context,
                        char *error, size_t error_size);

/* Folds all changes into a new table and drops what is no longer needed; mends a damaged filter. */
bool store_tools_compact(const char *directory, struct store_report *out, char *error, size_t error_size);

/* Writes everything in force to a file: the secret under which subjects are hashed and the points' secrets are in it.
 * What comes out depends on what is in force alone, so that a restored store dumps the same bytes. */
bool store_tools_dump(const char *directory, FILE *out, uint64_t *subjects, char *error, size_t error_size);
/* Makes a store of a dump in a directory that has none. Where it fails, nothing of it is left, the directory neither
 * where it was missing. */
bool store_tools_restore(const char *directory, FILE *in, uint64_t *subjects, char *error, size_t error_size);
