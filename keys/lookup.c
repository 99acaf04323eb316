#include "keys/lookup.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define REAP_MAX 64
#define TRIES_MAX 8

/* One read under way, or a free place. */
struct slot {
    uint8_t key[SUBJECT_KEY_SIZE];
    uint64_t cookie;
    uint64_t store; /* whose table is read: another store may stand in its place, with tables of the same numbers */
    uint64_t table; /* its number */
    uint64_t page;
    unsigned chain; /* pages read before this one */
    unsigned tries; /* of this page */
    unsigned next_free;
};

struct lookup {
    struct disk_queue *queue;
    uint64_t store; /* whose table the queue reads */
    uint64_t table; /* its number; 0: none */
    unsigned depth;
    unsigned pending;
    unsigned free; /* first free slot, or `depth` */
    struct slot slots[];
};

int lookup_open(unsigned depth, struct lookup **out)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup) + depth * sizeof(lookup->slots[0]));
    if (!lookup)
        return -ENOMEM;
    int result = disk_queue_open(depth, &lookup->queue);
    if (result < 0) {
        free(lookup);
        return result;
    }
    lookup->depth = depth;
    for (unsigned i = 0; i < depth; i++)
        lookup->slots[i].next_free = i + 1;
    *out = lookup;
    return 0;
}

int lookup_start_thread(struct lookup *lookup)
{
    return disk_queue_start(lookup->queue);
}

void lookup_close(struct lookup *lookup)
{
    if (!lookup)
        return;
    disk_queue_close(lookup->queue);
    free(lookup);
}

void lookup_prefetch(const struct store_view *view, const uint8_t key[SUBJECT_KEY_SIZE])
{
    overlay_prefetch(view->overlay, key);
    if (view->table && view->table->filter)
        filter_prefetch(view->table->filter, key);
}

static enum lookup_status of_record(const struct subject_record *record)
{
    return record->flags & SUBJECT_REMOVED ? LOOKUP_ABSENT : LOOKUP_FOUND;
}

/* Makes the view's table the one that is read. What was put before keeps its own: it is submitted first. */
static bool use_table(struct lookup *lookup, const struct table *table)
{
    if (lookup->store == table->shape.store && lookup->table == table->shape.number)
        return true;
    if (disk_queue_submit(lookup->queue) < 0 || disk_queue_use(lookup->queue, table->file) < 0)
        return false;
    lookup->store = table->shape.store;
    lookup->table = table->shape.number;
    return true;
}

static void put(struct lookup *lookup, unsigned i, const struct table *table, uint64_t page, unsigned chain)
{
    struct slot *slot = &lookup->slots[i];
    slot->store = table->shape.store;
    slot->table = table->shape.number;
    slot->page = page;
    slot->chain = chain;
    slot->tries = 0;
    disk_queue_put(lookup->queue, i, table_page_offset(page));
}

/* What memory alone says; LOOKUP_PENDING where the table must be asked. A record in the overlay is newer than the
 * table's, unless its change came late: then only the versions tell. */
static enum lookup_status ask_memory(const struct store_view *view, const uint8_t key[SUBJECT_KEY_SIZE],
                                     struct subject_record *out)
{
    const struct table *table = view->table;
    bool over = overlay_get(view->overlay, key, out);
    if (over && (!table || out->version >= table->shape.version_max))
        return of_record(out);
    if (!over && atomic_load_explicit(view->incomplete, memory_order_acquire))
        return LOOKUP_DAMAGED;
    if (!table)
        return LOOKUP_ABSENT;
    if (table->file < 0)
        return LOOKUP_DAMAGED;
    if (table->filter && !filter_contains(table->filter, key))
        return over ? of_record(out) : LOOKUP_ABSENT;
    return LOOKUP_PENDING;
}

enum lookup_status lookup_start(struct lookup *lookup, const struct store_view *view,
                                const uint8_t key[SUBJECT_KEY_SIZE], uint64_t cookie, struct subject_record *out)
{
    enum lookup_status status = ask_memory(view, key, out);
    if (status != LOOKUP_PENDING)
        return status;
    if (lookup->free == lookup->depth)
        return LOOKUP_BUSY;
    const struct table *table = view->table;
    if (!use_table(lookup, table))
        return LOOKUP_FAILED;
    unsigned i = lookup->free;
    struct slot *slot = &lookup->slots[i];
    lookup->free = slot->next_free;
    lookup->pending++;
    memcpy(slot->key, key, SUBJECT_KEY_SIZE);
    slot->cookie = cookie;
    put(lookup, i, table, table_home(&table->shape, key), 0);
    return LOOKUP_PENDING;
}

void lookup_submit(struct lookup *lookup)
{
    /* Where it fails, for want of memory, the next call submits; requests meet their deadline meanwhile. */
    disk_queue_submit(lookup->queue);
}

/* The later of what the overlay and the table have. */
static enum lookup_status later(const struct store_view *view, const struct slot *slot, bool in_table,
                                struct subject_record *out)
{
    struct subject_record over;
    if (overlay_get(view->overlay, slot->key, &over) && (!in_table || over.version >= out->version)) {
        *out = over;
        return of_record(out);
    }
    return in_table ? of_record(out) : LOOKUP_ABSENT;
}

/* What a finished read means in the present view; LOOKUP_PENDING where another was put. */
static enum lookup_status judge(struct lookup *lookup, const struct store_view *view, const struct disk_done *done,
                                struct subject_record *out)
{
    struct slot *slot = &lookup->slots[done->slot];
    enum lookup_status status = ask_memory(view, slot->key, out);
    if (status != LOOKUP_PENDING)
        return status;
    const struct table *table = view->table;
    if (slot->store != table->shape.store || slot->table != table->shape.number) {
        if (!use_table(lookup, table))
            return LOOKUP_FAILED;
        put(lookup, done->slot, table, table_home(&table->shape, slot->key), 0);
        return LOOKUP_PENDING;
    }
    if (done->result < 0)
        return LOOKUP_FAILED;
    if (done->result != DISK_BLOCK_SIZE) {
        /* A short read may be whole the next time; where the file ends it never is. */
        if (++slot->tries == TRIES_MAX)
            return LOOKUP_DAMAGED;
        disk_queue_put(lookup->queue, done->slot, table_page_offset(slot->page));
        return LOOKUP_PENDING;
    }
    switch (table_page_find(disk_queue_room(lookup->queue, done->slot), &table->shape, slot->page, slot->key, out)) {
    case TABLE_FOUND:
        return later(view, slot, true, out);
    case TABLE_ABSENT:
        return later(view, slot, false, out);
    case TABLE_DAMAGED:
        return LOOKUP_DAMAGED;
    case TABLE_NEXT:
        if (slot->chain + 1 == TABLE_CHAIN_MAX)
            return LOOKUP_DAMAGED; /* no builder makes such a table */
        put(lookup, done->slot, table, slot->page + 1, slot->chain + 1);
        return LOOKUP_PENDING;
    }
    return LOOKUP_DAMAGED;
}

unsigned lookup_reap(struct lookup *lookup, const struct store_view *view, struct lookup_result results[], unsigned n)
{
    if (lookup->pending == 0)
        return 0;
    struct disk_done done[REAP_MAX];
    unsigned count = 0, reaped = disk_queue_reap(lookup->queue, done, n < REAP_MAX ? n : REAP_MAX);
    for (unsigned i = 0; i < reaped; i++) {
        struct lookup_result *result = &results[count];
        struct slot *slot = &lookup->slots[done[i].slot];
        result->status = judge(lookup, view, &done[i], &result->record);
        if (result->status == LOOKUP_PENDING)
            continue;
        result->cookie = slot->cookie;
        slot->next_free = lookup->free;
        lookup->free = done[i].slot;
        lookup->pending--;
        count++;
    }
    disk_queue_submit(lookup->queue); /* second pages; where it fails, lookup_submit tries again */
    return count;
}

unsigned lookup_pending(const struct lookup *lookup)
{
    return lookup->pending;
}
