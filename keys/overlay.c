#include "keys/overlay.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "keys/prefetch.h"

/* Open addressing with linear probing over places of 8 bytes, at most half full. A place holds a tag of 32 bits of the
 * key, so that a probe for an absent subject rarely touches a record, and the number of the record plus one. */
#define PLACES_MIN 1024
#define CHUNK_RECORDS 4096
#define PLACE_EMPTY 0

struct places {
    uint64_t mask;
    struct places *older; /* replaced, but perhaps read still */
    _Atomic uint64_t place[];
};

struct chunk {
    struct subject_record records[CHUNK_RECORDS];
    uint64_t sequences[CHUNK_RECORDS]; /* only for the inserting thread */
};

struct overlay {
    _Atomic(struct places *) places;
    struct chunk **chunks; /* chunks_max of them, so that readers never see this array move */
    uint64_t records_max;
    uint64_t chunks_max;
    uint64_t count; /* subjects */
    uint64_t used;  /* records ever taken from the chunks */
    uint32_t *free; /* records that nobody can see */
    uint64_t free_count, free_room;
    uint32_t *replaced; /* records that readers may still see */
    uint64_t replaced_count, replaced_room;
};

/* The key is a keyed hash: its bytes are uniform to everybody who does not hold the store's secret. */
static uint64_t start_of(const uint8_t key[SUBJECT_KEY_SIZE])
{
    uint64_t bits;
    memcpy(&bits, key, sizeof(bits));
    return bits;
}

static uint32_t tag_of(const uint8_t key[SUBJECT_KEY_SIZE])
{
    uint32_t bits;
    memcpy(&bits, key + 8, sizeof(bits));
    return bits;
}

static uint64_t place_make(uint32_t tag, uint32_t record)
{
    return (uint64_t)tag << 32 | (record + 1);
}

static struct subject_record *record_at(const struct overlay *overlay, uint32_t record)
{
    return &overlay->chunks[record / CHUNK_RECORDS]->records[record % CHUNK_RECORDS];
}

static struct places *places_new(uint64_t count)
{
    struct places *places = calloc(1, sizeof(*places) + count * sizeof(places->place[0]));
    if (places)
        places->mask = count - 1;
    return places;
}

struct overlay *overlay_create(uint64_t records_max)
{
    if (records_max > UINT32_MAX - 1)
        records_max = UINT32_MAX - 1;
    struct overlay *overlay = calloc(1, sizeof(*overlay));
    if (!overlay)
        return NULL;
    overlay->records_max = records_max;
    overlay->chunks_max = records_max / CHUNK_RECORDS + 1;
    overlay->chunks = calloc(overlay->chunks_max, sizeof(*overlay->chunks));
    struct places *places = places_new(PLACES_MIN);
    if (!overlay->chunks || !places) {
        free(places);
        free(overlay->chunks);
        free(overlay);
        return NULL;
    }
    atomic_init(&overlay->places, places);
    return overlay;
}

static void free_older(struct places *places)
{
    while (places->older) {
        struct places *older = places->older;
        places->older = older->older;
        free(older);
    }
}

void overlay_free(struct overlay *overlay)
{
    if (!overlay)
        return;
    struct places *places = atomic_load(&overlay->places);
    free_older(places);
    free(places);
    for (uint64_t i = 0; i < overlay->chunks_max; i++)
        free(overlay->chunks[i]);
    free(overlay->chunks);
    free(overlay->free);
    free(overlay->replaced);
    free(overlay);
}

/* The place of the subject, or the empty one where it would go; `found` gets the place's value. */
static uint64_t probe(const struct overlay *overlay, const struct places *places, const uint8_t key[SUBJECT_KEY_SIZE],
                      uint64_t *found)
{
    uint32_t tag = tag_of(key);
    for (uint64_t i = start_of(key) & places->mask;; i = (i + 1) & places->mask) {
        uint64_t value = atomic_load_explicit(&places->place[i], memory_order_acquire);
        if (value == PLACE_EMPTY ||
            (value >> 32 == tag && memcmp(record_at(overlay, (uint32_t)value - 1)->key, key, SUBJECT_KEY_SIZE) == 0)) {
            *found = value;
            return i;
        }
    }
}

static bool grow(struct overlay *overlay, struct places *old)
{
    struct places *places = places_new((old->mask + 1) * 2);
    if (!places)
        return false;
    for (uint64_t i = 0; i <= old->mask; i++) {
        uint64_t value = atomic_load_explicit(&old->place[i], memory_order_relaxed);
        if (value == PLACE_EMPTY)
            continue;
        uint64_t at = start_of(record_at(overlay, (uint32_t)value - 1)->key) & places->mask;
        while (atomic_load_explicit(&places->place[at], memory_order_relaxed) != PLACE_EMPTY)
            at = (at + 1) & places->mask;
        atomic_store_explicit(&places->place[at], value, memory_order_relaxed);
    }
    places->older = old;
    /* Orders the places before the pointer: a reader that sees the new array sees it filled. */
    atomic_store_explicit(&overlay->places, places, memory_order_release);
    return true;
}

static bool push(uint32_t **list, uint64_t *count, uint64_t *room, uint32_t record)
{
    if (*count == *room) {
        uint64_t wanted = *room ? *room * 2 : 256;
        uint32_t *grown = realloc(*list, wanted * sizeof(**list));
        if (!grown)
            return false;
        *list = grown;
        *room = wanted;
    }
    (*list)[(*count)++] = record;
    return true;
}

/* A record that no reader sees. */
static bool take_record(struct overlay *overlay, uint32_t *record)
{
    if (overlay->free_count > 0) {
        *record = overlay->free[--overlay->free_count];
        return true;
    }
    if (overlay->used == overlay->records_max)
        return false;
    struct chunk **chunk = &overlay->chunks[overlay->used / CHUNK_RECORDS];
    if (!*chunk && !(*chunk = aligned_alloc(64, sizeof(**chunk))))
        return false;
    *record = (uint32_t)overlay->used++;
    return true;
}

enum overlay_insert overlay_put(struct overlay *overlay, const struct subject_record *record, uint64_t sequence)
{
    struct places *places = atomic_load_explicit(&overlay->places, memory_order_relaxed);
    if (overlay->count * 2 > places->mask) {
        if (!grow(overlay, places))
            return OVERLAY_FULL;
        places = atomic_load_explicit(&overlay->places, memory_order_relaxed);
    }
    uint64_t present;
    uint64_t at = probe(overlay, places, record->key, &present);
    if (present != PLACE_EMPTY) {
        if (record_at(overlay, (uint32_t)present - 1)->version > record->version)
            return OVERLAY_OLDER;
    }
    uint32_t fresh;
    if (!take_record(overlay, &fresh))
        return OVERLAY_FULL;
    if (present != PLACE_EMPTY &&
        !push(&overlay->replaced, &overlay->replaced_count, &overlay->replaced_room, (uint32_t)present - 1)) {
        push(&overlay->free, &overlay->free_count, &overlay->free_room, fresh);
        return OVERLAY_FULL;
    }
    *record_at(overlay, fresh) = *record;
    overlay->chunks[fresh / CHUNK_RECORDS]->sequences[fresh % CHUNK_RECORDS] = sequence;
    overlay->count += present == PLACE_EMPTY;
    /* Orders the record before its place: a reader that finds the place sees the record whole. */
    atomic_store_explicit(&places->place[at], place_make(tag_of(record->key), fresh), memory_order_release);
    return OVERLAY_INSERTED;
}

void overlay_reclaim(struct overlay *overlay)
{
    free_older(atomic_load_explicit(&overlay->places, memory_order_relaxed));
    while (overlay->replaced_count > 0 && push(&overlay->free, &overlay->free_count, &overlay->free_room,
                                               overlay->replaced[overlay->replaced_count - 1]))
        overlay->replaced_count--;
}

bool overlay_get(const struct overlay *overlay, const uint8_t key[SUBJECT_KEY_SIZE], struct subject_record *out)
{
    const struct places *places = atomic_load_explicit(&overlay->places, memory_order_acquire);
    uint64_t value;
    probe(overlay, places, key, &value);
    if (value == PLACE_EMPTY)
        return false;
    *out = *record_at(overlay, (uint32_t)value - 1);
    return true;
}

void overlay_prefetch(const struct overlay *overlay, const uint8_t key[SUBJECT_KEY_SIZE])
{
    const struct places *places = atomic_load_explicit(&overlay->places, memory_order_acquire);
    prefetch(&places->place[start_of(key) & places->mask]);
}

uint64_t overlay_count(const struct overlay *overlay)
{
    return overlay->count;
}

uint64_t overlay_memory_bytes(const struct overlay *overlay)
{
    uint64_t chunks = (overlay->used + CHUNK_RECORDS - 1) / CHUNK_RECORDS;
    const struct places *places = atomic_load_explicit(&overlay->places, memory_order_relaxed);
    return chunks * sizeof(struct chunk) + (places->mask + 1) * sizeof(places->place[0]) +
           overlay->chunks_max * sizeof(*overlay->chunks) +
           (overlay->free_room + overlay->replaced_room) * sizeof(uint32_t);
}

uint64_t overlay_places(const struct overlay *overlay)
{
    return atomic_load_explicit(&overlay->places, memory_order_relaxed)->mask + 1;
}

bool overlay_each(const struct overlay *overlay, uint64_t *place, uint64_t places_max,
                  void (*visit)(void *context, const struct subject_record *record, uint64_t sequence), void *context)
{
    const struct places *places = atomic_load_explicit(&overlay->places, memory_order_relaxed);
    uint64_t end = places->mask + 1 - *place > places_max ? *place + places_max : places->mask + 1;
    for (; *place < end; (*place)++) {
        uint64_t value = atomic_load_explicit(&places->place[*place], memory_order_relaxed);
        if (value == PLACE_EMPTY)
            continue;
        uint32_t record = (uint32_t)value - 1;
        visit(context, record_at(overlay, record),
              overlay->chunks[record / CHUNK_RECORDS]->sequences[record % CHUNK_RECORDS]);
    }
    return end <= places->mask;
}
