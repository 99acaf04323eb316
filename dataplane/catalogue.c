#include "dataplane/catalogue.h"

#include <stdlib.h>
#include <xxhash.h>

#include "keys/prefetch.h"

#define SLOTS_AT_FIRST 16

static const uint8_t *key_of(const struct catalogue *c, unsigned which, const struct catalogue_entry *entry)
{
    return (const uint8_t *)entry + c->keys[which].offset;
}

static uint32_t home_of(const struct catalogue *c, unsigned which, const void *key)
{
    return (uint32_t)XXH3_64bits(key, c->keys[which].size) & c->mask;
}

static bool has_key(const struct catalogue *c, unsigned which, const struct catalogue_entry *entry)
{
    return which == 0 || (which < c->key_count && key_of(c, which, entry)[0] != 0);
}

void catalogue_prefetch(const struct catalogue *c, unsigned which, const void *key)
{
    prefetch(&c->cells[which][home_of(c, which, key)]);
}

struct catalogue_entry *catalogue_find(const struct catalogue *c, unsigned which, const void *key)
{
    for (uint32_t at = home_of(c, which, key); c->cells[which][at] != 0; at = (at + 1) & c->mask) {
        struct catalogue_entry *entry = c->slots[c->cells[which][at] - 1];
        if (memcmp(key_of(c, which, entry), key, c->keys[which].size) == 0)
            return entry;
    }
    return NULL;
}

static void cell_insert(struct catalogue *c, unsigned which, const struct catalogue_entry *entry)
{
    uint32_t at = home_of(c, which, key_of(c, which, entry));
    while (c->cells[which][at] != 0)
        at = (at + 1) & c->mask;
    c->cells[which][at] = entry->slot + 1;
}

/* Linear probing without tombstones: what stands behind the hole and may stand in it moves there. */
static void cell_remove(struct catalogue *c, unsigned which, const struct catalogue_entry *entry)
{
    uint32_t *cells = c->cells[which];
    uint32_t hole = home_of(c, which, key_of(c, which, entry));
    while (cells[hole] != entry->slot + 1)
        hole = (hole + 1) & c->mask;
    for (uint32_t at = (hole + 1) & c->mask; cells[at] != 0; at = (at + 1) & c->mask) {
        uint32_t home = home_of(c, which, key_of(c, which, c->slots[cells[at] - 1]));
        if (((at - home) & c->mask) >= ((at - hole) & c->mask)) {
            cells[hole] = cells[at];
            hole = at;
        }
    }
    cells[hole] = 0;
}

static bool resize(struct catalogue *c, uint32_t slots_max)
{
    uint32_t cells = slots_max * 4; /* at most a quarter full, so that a search ends soon */
    uint32_t *made[CATALOGUE_KEYS_MAX] = {NULL};
    struct catalogue_entry **slots = realloc(c->slots, slots_max * sizeof(struct catalogue_entry *));
    if (!slots)
        return false;
    memset(slots + c->slots_max, 0, (slots_max - c->slots_max) * sizeof(struct catalogue_entry *));
    c->slots = slots;
    c->slots_max = slots_max;
    for (unsigned i = 0; i < c->key_count; i++) {
        made[i] = calloc(cells, sizeof *made[i]);
        if (!made[i]) {
            free(made[0]);
            return false;
        }
    }
    c->mask = cells - 1;
    for (unsigned i = 0; i < c->key_count; i++) {
        free(c->cells[i]);
        c->cells[i] = made[i];
        for (uint32_t slot = 0; slot < c->slots_used; slot++)
            if (c->slots[slot] && has_key(c, i, c->slots[slot]))
                cell_insert(c, i, c->slots[slot]);
    }
    return true;
}

struct catalogue *catalogue_new(const struct catalogue_key keys[], uint32_t key_count)
{
    struct catalogue *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->references = 1;
    c->key_count = key_count;
    memcpy(c->keys, keys, key_count * sizeof *keys);
    if (!resize(c, SLOTS_AT_FIRST)) {
        catalogue_release(c);
        return NULL;
    }
    return c;
}

struct catalogue *catalogue_clone(const struct catalogue *from)
{
    struct catalogue *c = malloc(sizeof *c);
    if (!c)
        return NULL;
    *c = *from;
    c->references = 1;
    size_t cells_size = ((size_t)c->mask + 1) * sizeof(uint32_t);
    c->slots = malloc(c->slots_max * sizeof(struct catalogue_entry *));
    bool complete = c->slots;
    for (unsigned i = 0; i < c->key_count; i++) {
        c->cells[i] = malloc(cells_size);
        complete = complete && c->cells[i];
    }
    if (!complete) {
        c->slots_used = 0; /* no entry was taken over */
        catalogue_release(c);
        return NULL;
    }
    memcpy(c->slots, from->slots, c->slots_max * sizeof(struct catalogue_entry *));
    for (unsigned i = 0; i < c->key_count; i++)
        memcpy(c->cells[i], from->cells[i], cells_size);
    for (uint32_t slot = 0; slot < c->slots_used; slot++)
        if (c->slots[slot])
            c->slots[slot]->references++;
    return c;
}

static void entry_release(struct catalogue_entry *entry)
{
    if (--entry->references == 0)
        entry->free(entry);
}

void catalogue_release(struct catalogue *c)
{
    if (--c->references > 0)
        return;
    for (uint32_t slot = 0; slot < c->slots_used; slot++)
        if (c->slots[slot])
            entry_release(c->slots[slot]);
    for (unsigned i = 0; i < c->key_count; i++)
        free(c->cells[i]);
    free(c->slots);
    free(c);
}

static void detach(struct catalogue *c, struct catalogue_entry *entry)
{
    for (unsigned i = 0; i < c->key_count; i++)
        if (has_key(c, i, entry))
            cell_remove(c, i, entry);
    c->slots[entry->slot] = NULL;
    c->count--;
    entry_release(entry);
}

/* A slot that nobody has: behind the last one, or, where those are used up, one that was left. */
static bool free_slot(struct catalogue *c, uint32_t *slot)
{
    if (c->slots_used == c->slots_max && c->count < c->slots_max / 2) {
        for (*slot = 0; c->slots[*slot]; (*slot)++)
            ;
        return true;
    }
    if (c->slots_used == c->slots_max && !resize(c, c->slots_max * 2))
        return false;
    *slot = c->slots_used++;
    return true;
}

enum catalogue_result catalogue_put(struct catalogue *c, struct catalogue_entry *entry)
{
    struct catalogue_entry *before = catalogue_find(c, 0, key_of(c, 0, entry));
    if (c->key_count > 1 && has_key(c, 1, entry)) {
        struct catalogue_entry *other = catalogue_find(c, 1, key_of(c, 1, entry));
        if (other && other != before)
            return CATALOGUE_KEY_TAKEN;
    }
    if (before) {
        entry->slot = before->slot;
        detach(c, before);
    } else if (!free_slot(c, &entry->slot)) {
        return CATALOGUE_OUT_OF_MEMORY;
    }
    c->slots[entry->slot] = entry;
    c->count++;
    for (unsigned i = 0; i < c->key_count; i++)
        if (has_key(c, i, entry))
            cell_insert(c, i, entry);
    return CATALOGUE_OK;
}

bool catalogue_remove(struct catalogue *c, const void *key)
{
    struct catalogue_entry *entry = catalogue_find(c, 0, key);
    if (entry)
        detach(c, entry);
    return entry;
}
