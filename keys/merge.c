#include "keys/merge.h"

void merge_begin(struct merge *merge, struct table_scan *table, struct sorter *changes)
{
    *merge = (struct merge){.table = table, .changes = changes, .take_table = true, .take_changes = true};
}

static int advance(struct merge *merge)
{
    if (merge->take_table) {
        int got = merge->table ? table_scan_next(merge->table, &merge->from_table) : 0;
        if (got < 0)
            return got;
        if (got == 0)
            merge->from_table = NULL;
    }
    if (merge->take_changes) {
        int got = sorter_next(merge->changes, &merge->from_changes);
        if (got < 0)
            return got;
        if (got == 0)
            merge->from_changes = NULL;
    }
    return 0;
}

int merge_next(struct merge *merge, const struct subject_record **out)
{
    int result = advance(merge);
    if (result < 0)
        return result;
    const struct subject_record *old = merge->from_table, *new = merge->from_changes;
    if (!old && !new) {
        merge->take_table = merge->take_changes = false;
        return 0;
    }
    int order = !old ? 1 : !new ? -1 : memcmp(old->key, new->key, SUBJECT_KEY_SIZE);
    merge->take_table = order <= 0;
    merge->take_changes = order >= 0;
    *out = order < 0 || (order == 0 && old->version > new->version) ? old : new;
    return 1;
}
