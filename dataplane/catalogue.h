/* A catalogue: entries found in constant time by one or two keys of fixed size that lie inside them. The store thread
 * changes its own copy and clones it for each generation; clones are immutable, and entries are shared between them,
 * counted by references that only the store thread touches. An entry keeps its slot for as long as it is replaced in
 * place by its first key, so that state beside the catalogue can be kept by slot. */
#pragma once

#include "keys/bytes.h"

#define CATALOGUE_KEYS_MAX 2

/* Begins every entry. */
struct catalogue_entry {
    uint32_t references;
    uint32_t slot;
    void (*free)(struct catalogue_entry *entry);
};

/* Where a key lies in an entry. The second key may be absent: its first byte is 0 then. */
struct catalogue_key {
    uint32_t offset;
    uint32_t size;
};

struct catalogue {
    uint32_t references;
    uint32_t count;
    uint32_t key_count;
    uint32_t mask;       /* cells of each key - 1; a power of two above twice the slots */
    uint32_t slots_used; /* slots ever given out */
    uint32_t slots_max;
    struct catalogue_key keys[CATALOGUE_KEYS_MAX];
    struct catalogue_entry **slots;
    uint32_t *cells[CATALOGUE_KEYS_MAX]; /* slot + 1, or 0 */
};

/* NULL where memory is out. */
struct catalogue *catalogue_new(const struct catalogue_key keys[], uint32_t key_count);
struct catalogue *catalogue_clone(const struct catalogue *from);
/* Gives up one reference; the last one frees the catalogue and gives up its entries. */
void catalogue_release(struct catalogue *catalogue);

enum catalogue_result { CATALOGUE_OK, CATALOGUE_OUT_OF_MEMORY, CATALOGUE_KEY_TAKEN };
/* Puts an entry in the place of the one with the same first key, or in a new one. KEY_TAKEN: another entry has its
 * second key; nothing changed. Takes over the caller's reference where it succeeds. */
enum catalogue_result catalogue_put(struct catalogue *catalogue, struct catalogue_entry *entry);
/* False where there is none. `key` has the first key's size. */
bool catalogue_remove(struct catalogue *catalogue, const void *key);
/* Fetches where catalogue_find begins. */
void catalogue_prefetch(const struct catalogue *catalogue, unsigned which, const void *key);
struct catalogue_entry *catalogue_find(const struct catalogue *catalogue, unsigned which, const void *key);
