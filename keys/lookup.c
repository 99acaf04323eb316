#include "keys/lookup.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define REAP_MAX 64

/* One read under way, or a free place. */
struct slot {
    uint8_t key[SUBJECT_KEY_SIZE];
    uint64_t cookie;
    uint64_t table; /* number of the one that is read */
    uint64_t page;
    unsigned chain; /* pages read before this one */
    unsigned next_free;
};

struct lookup {
    struct disk_queue *queue;
    uint64_t table; /* number of the one that the queue reads; 0: none */
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
    if (lookup->table == table->shape.number)
        return true;
    if (disk_queue_submit(lookup->queue) < 0 || disk_queue_use(lookup->queue, table->file) < 0)
        return false;
    lookup->table = table->shape.number;
    return true;
}

static void put(struct lookup *lookup, unsigned i, const struct table *table, uint64_t page, unsigned chain)
{
    struct slot *slot = &lookup->slots[i];
    slot->table = table->shape.number;
    slot->page = page;
    slot->chain = chain;
    disk_queue_put(lookup->queue, i, table_page_offset(page));
}

enum lookup_status lookup_start(struct lookup *lookup, const struct store_view *view,
                                const uint8_t key[SUBJECT_KEY_SIZE], uint64_t cookie, struct subject_record *out)
{
    if (overlay_get(view->overlay, key, out))
        return of_record(out);
    if (atomic_load_explicit(view->incomplete, memory_order_acquire))
        return LOOKUP_DAMAGED;
    const struct table *table = view->table;
    if (!table)
        return LOOKUP_ABSENT;
    if (table->file < 0)
        return LOOKUP_DAMAGED;
    if (table->filter && !filter_contains(table->filter, key))
        return LOOKUP_ABSENT;
    if (lookup->free == lookup->depth)
        return LOOKUP_BUSY;
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

/* What a finished read means in the present view; LOOKUP_PENDING where another was put. */
static enum lookup_status judge(struct lookup *lookup, const struct store_view *view, const struct disk_done *done,
                                struct subject_record *out)
{
    struct slot *slot = &lookup->slots[done->slot];
    const struct table *table = view->table;
    if (overlay_get(view->overlay, slot->key, out))
        return of_record(out);
    if (!table || table->file < 0 || atomic_load_explicit(view->incomplete, memory_order_acquire))
        return LOOKUP_DAMAGED;
    if (slot->table != table->shape.number) {
        if (!use_table(lookup, table))
            return LOOKUP_FAILED;
        put(lookup, done->slot, table, table_home(&table->shape, slot->key), 0);
        return LOOKUP_PENDING;
    }
    if (done->result < 0)
        return LOOKUP_FAILED;
    if (done->result != DISK_BLOCK_SIZE)
        return LOOKUP_DAMAGED;
    switch (table_page_find(disk_queue_room(lookup->queue, done->slot), &table->shape, slot->page, slot->key, out)) {
    case TABLE_FOUND:
        return of_record(out);
    case TABLE_ABSENT:
        return LOOKUP_ABSENT;
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
