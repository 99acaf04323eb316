#include "keys/ed25519/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "keys/huge_memory.h"

#define SLAB_BYTES ((size_t)32 << 20)
#define SLAB_SLOTS_MAX 512
#define CACHE_LINE 64

struct slab {
    struct slab *next;
    uint8_t *slots;
    size_t bytes;
    unsigned used;
    bool taken[SLAB_SLOTS_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slab *slabs;
static size_t slot_size;
static unsigned slots_per_slab;

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

void memory_slots_configure(size_t slot_bytes)
{
    pthread_mutex_lock(&lock);
    assert(slabs == NULL);
    slot_size = round_up(slot_bytes, CACHE_LINE);
    size_t fit = SLAB_BYTES / slot_size;
    slots_per_slab = fit < 1 ? 1 : fit > SLAB_SLOTS_MAX ? SLAB_SLOTS_MAX : (unsigned)fit;
    pthread_mutex_unlock(&lock);
}

static struct slab *slab_add(void)
{
    struct slab *slab = calloc(1, sizeof *slab);
    if (!slab)
        return NULL;
    slab->bytes = slots_per_slab * slot_size;
    slab->slots = huge_memory_take(slab->bytes);
    if (!slab->slots) {
        free(slab);
        return NULL;
    }
    slab->next = slabs;
    slabs = slab;
    return slab;
}

void *memory_slot_take(void)
{
    void *found = NULL;
    pthread_mutex_lock(&lock);
    struct slab *slab = slabs;
    while (slab && slab->used == slots_per_slab)
        slab = slab->next;
    if (!slab)
        slab = slab_add();
    for (unsigned i = 0; slab && !found && i < slots_per_slab; i++) {
        if (slab->taken[i])
            continue;
        slab->taken[i] = true;
        slab->used++;
        found = slab->slots + i * slot_size;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void memory_slot_free(void *slot)
{
    if (!slot)
        return;
    pthread_mutex_lock(&lock);
    struct slab **link = &slabs;
    while (*link && !((uint8_t *)slot >= (*link)->slots && (uint8_t *)slot < (*link)->slots + (*link)->bytes))
        link = &(*link)->next;
    struct slab *slab = *link;
    assert(slab);
    size_t index = (size_t)((uint8_t *)slot - slab->slots) / slot_size;
    assert(slab->taken[index]);
    slab->taken[index] = false;
    if (--slab->used == 0) {
        *link = slab->next;
        huge_memory_give(slab->slots, slab->bytes);
        free(slab);
    }
    pthread_mutex_unlock(&lock);
}
