/* The latest record of every subject, in the order of keys: those of a table and changes beyond it, as a sorter has
 * them. */
#pragma once

#include "keys/sorter.h"
#include "keys/table.h"

struct merge {
    struct table_scan *table; /* NULL: no table */
    struct sorter *changes;
    const struct subject_record *from_table, *from_changes; /* NULL: at the end */
    bool take_table, take_changes;                          /* those were given out and go with the next call */
};

/* Both belong to the caller. */
void merge_begin(struct merge *merge, struct table_scan *table, struct sorter *changes);
/* 1 and a record that is valid until the next call; 0 at the end; -EBADMSG at a damaged page of the table, or another
 * negative errno. Of two with one key the later version, and of one version that of the changes. */
int merge_next(struct merge *merge, const struct subject_record **out);
