#include "keys/store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* One step: about a millisecond. */
#define STEP_FILTER_BYTES (2u << 20)
#define STEP_PLACES (1u << 14)

enum phase {
    PHASE_IDLE,
    PHASE_FILTER, /* the next table's filter is being read */
    PHASE_MOVE,   /* what the next table does not cover is being put in the next overlay */
};

struct store {
    struct disk *disk;
    struct store_identity identity;
    uint64_t overlay_records_max;
    struct log_table wanted; /* the last that the log named; number 0: none */
    uint64_t absent;         /* the table of that number was not there when it was wanted */

    struct overlay *overlay;
    struct table *table;
    _Atomic bool incomplete;
    uint64_t lost; /* sequence of the last change that the overlay could not take */

    enum phase phase;
    struct overlay *next_overlay;
    struct table *next_table;
    uint64_t place, places; /* how far the move is, and in an overlay of what size */

    struct overlay *old_overlay;
    struct table *old_table;
    bool unreleased;
};

int store_open(const char *directory, uint64_t overlay_records_max, struct store **out)
{
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return -ENOMEM;
    store->overlay_records_max = overlay_records_max;
    int result = disk_open(directory, false, &store->disk);
    if (result == 0)
        result = store_identity_read(store->disk, &store->identity);
    if (result == 0) {
        store->overlay = overlay_create(overlay_records_max);
        result = store->overlay ? 0 : -ENOMEM;
    }
    if (result < 0) {
        store_close(store);
        return result;
    }
    *out = store;
    return 0;
}

static void table_free(struct store *store, struct table *table)
{
    if (!table)
        return;
    disk_file_close(store->disk, table->file);
    filter_free(table->filter);
    free(table);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    table_free(store, store->table);
    table_free(store, store->next_table);
    table_free(store, store->old_table);
    overlay_free(store->overlay);
    overlay_free(store->next_overlay);
    overlay_free(store->old_overlay);
    disk_close(store->disk);
    free(store);
}

const struct store_identity *store_identity(const struct store *store)
{
    return &store->identity;
}

static bool put(struct store *store, struct overlay *overlay, const struct subject_record *record, uint64_t sequence)
{
    if (overlay_put(overlay, record, sequence) != OVERLAY_FULL)
        return true;
    store->lost = sequence;
    atomic_store_explicit(&store->incomplete, true, memory_order_release);
    return false;
}

static bool take_subjects(struct store *store, const struct log_record *record)
{
    if (record->payload.length % sizeof(struct subject_record) != 0)
        return false;
    bool taken = true;
    for (size_t at = 0; at < record->payload.length; at += sizeof(struct subject_record)) {
        struct subject_record subject;
        memcpy(&subject, record->payload.data + at, sizeof(subject));
        if (!subject_record_valid(&subject)) {
            taken = false;
            continue;
        }
        taken &= put(store, store->overlay, &subject, record->sequence);
        if (store->phase == PHASE_MOVE)
            taken &= put(store, store->next_overlay, &subject, record->sequence);
    }
    return taken;
}

bool store_take(struct store *store, const struct log_record *record)
{
    if (record->type == LOG_SUBJECT)
        return take_subjects(store, record);
    if (record->type != LOG_TABLE)
        return true;
    if (record->payload.length != sizeof(store->wanted))
        return false;
    memcpy(&store->wanted, record->payload.data, sizeof(store->wanted));
    return true;
}

/* A table that cannot be opened comes into force all the same: what it should say is not known, so nothing is. But one
 * whose file is gone may have been replaced, and then the log goes on to say so: it gets a second chance. */
static bool open_table(struct store *store)
{
    struct table *table = calloc(1, sizeof(*table));
    if (!table)
        return false;
    int result = table_file_open(store->disk, &store->identity, store->wanted.number, &table->file, &table->shape);
    if (result == -ENOENT && store->absent != store->wanted.number) {
        store->absent = store->wanted.number;
        free(table);
        return true;
    }
    if (result < 0) {
        table->file = -1;
        table->shape = (struct table_shape){
            .number = store->wanted.number, .covers = store->wanted.covers, .version_max = UINT64_MAX};
    } else if (filter_open(store->disk, &store->identity, store->wanted.number, &table->filter) < 0) {
        table->filter = NULL;
    }
    store->next_table = table;
    return true;
}

static void read_filter(struct store *store)
{
    struct table *table = store->next_table;
    int result = table->filter ? filter_read(table->filter, STEP_FILTER_BYTES) : 0;
    if (result > 0)
        return;
    if (result < 0) {
        filter_free(table->filter);
        table->filter = NULL;
    }
    store->next_overlay = overlay_create(store->overlay_records_max);
    if (!store->next_overlay)
        return; /* the next step tries again */
    store->place = 0;
    store->places = overlay_places(store->overlay);
    store->phase = PHASE_MOVE;
}

static void move_one(void *context, const struct subject_record *record, uint64_t sequence)
{
    struct store *store = context;
    if (sequence > store->next_table->shape.covers)
        put(store, store->next_overlay, record, sequence);
}

static bool move(struct store *store)
{
    if (store->places != overlay_places(store->overlay)) {
        store->place = 0; /* it grew: its order is another now */
        store->places = overlay_places(store->overlay);
    }
    if (overlay_each(store->overlay, &store->place, STEP_PLACES, move_one, store))
        return false;
    store->old_overlay = store->overlay;
    store->old_table = store->table;
    store->overlay = store->next_overlay;
    store->table = store->next_table;
    store->next_overlay = NULL;
    store->next_table = NULL;
    store->unreleased = true;
    store->phase = PHASE_IDLE;
    return true;
}

bool store_step(struct store *store, bool *changed)
{
    *changed = false;
    uint64_t in_force = store->table ? store->table->shape.number : 0;
    switch (store->phase) {
    case PHASE_IDLE:
        if (store->unreleased || store->wanted.number == in_force || !open_table(store))
            return false;
        if (store->next_table)
            store->phase = PHASE_FILTER;
        return true;
    case PHASE_FILTER:
        read_filter(store);
        return true;
    case PHASE_MOVE:
        *changed = move(store);
        return !*changed;
    }
    return false;
}

bool store_complete(const struct store *store)
{
    return store->wanted.number == (store->table ? store->table->shape.number : 0);
}

struct store_view store_view(const struct store *store)
{
    return (struct store_view){store->overlay, store->table, &store->incomplete};
}

void store_release(struct store *store)
{
    overlay_free(store->old_overlay);
    table_free(store, store->old_table);
    store->old_overlay = NULL;
    store->old_table = NULL;
    store->unreleased = false;
    overlay_reclaim(store->overlay);
    /* The workers are in the view of a table that has what was lost: nothing is missing any more. */
    if (store->table && store->lost <= store->table->shape.covers)
        atomic_store_explicit(&store->incomplete, false, memory_order_release);
}

void store_info(const struct store *store, struct store_info *out)
{
    const struct table *table = store->table;
    *out = (struct store_info){
        .overlay_records = overlay_count(store->overlay),
        .overlay_bytes = overlay_memory_bytes(store->overlay),
        .incomplete = atomic_load_explicit(&store->incomplete, memory_order_relaxed),
    };
    if (!table)
        return;
    out->table_number = table->shape.number;
    out->table_records = table->shape.records;
    out->table_covers = table->shape.covers;
    out->filter_bytes = table->filter ? filter_memory_bytes(table->filter) : 0;
    out->table_damaged = table->file < 0;
    out->filter_damaged = table->file >= 0 && !table->filter;
}
