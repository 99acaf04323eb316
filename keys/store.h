/* The subjects of the store as the dataplane follows them: the table in force and, over it, the overlay of what the log
 * holds beyond. One thread, the store thread, feeds it from the log; workers look up in a view (keys/lookup.h).
 *
 * The thread's round: log_reader_next and store_take until LOG_END; store_step until it returns false; where
 * store_step said that the view changed, publish store_view with the next generation, wait until every worker has left
 * the old one, then store_release. What store_take took is in force at once in the view that is published. */
#pragma once

#include "keys/disk.h"
#include "keys/filter.h"
#include "keys/log.h"
#include "keys/overlay.h"
#include "keys/store_identity.h"
#include "keys/table.h"

/* Immutable once it is in a view. */
struct table {
    struct table_shape shape;
    int file;              /* -1: the table is in force but cannot be read: every lookup in it is DAMAGED */
    struct filter *filter; /* NULL: damaged; lookups read the table instead */
};

struct store_view {
    const struct overlay *overlay;
    const struct table *table; /* NULL: no table yet */
    /* The overlay was full and lost a change that the table does not have: only what it holds is to be believed. */
    const _Atomic bool *incomplete;
};

struct store;
/* `overlay_records_max` bounds the memory of changes since the last fold. Returns 0 or a negative errno, as
 * store_identity_read. */
int store_open(const char *directory, uint64_t overlay_records_max, struct store **out);
void store_close(struct store *store);
const struct store_identity *store_identity(const struct store *store);

/* Takes LOG_SUBJECT and LOG_TABLE; ignores the others. False where the payload is not in the exact form or the overlay
 * is full: alarm. */
bool store_take(struct store *store, const struct log_record *record);

/* At the end of the log: a bounded piece of the work of bringing a new table into force. Returns true while there is
 * more; *changed says that store_view gives a new view now. */
bool store_step(struct store *store, bool *changed);
/* False while the table that the log named last is not in force yet: of a store that was just opened, the view is not
 * to be published before. */
bool store_complete(const struct store *store);
struct store_view store_view(const struct store *store);
/* Frees what the last new view replaced, and what insertions replaced. Every worker has passed a quiescent state since
 * the new view was published. Without it no further table comes into force. */
void store_release(struct store *store);

struct store_info {
    uint64_t table_number, table_records, table_covers;
    uint64_t overlay_records, overlay_bytes, filter_bytes;
    bool table_damaged, filter_damaged, incomplete;
};
void store_info(const struct store *store, struct store_info *out);
