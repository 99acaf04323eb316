#include "dataplane/meter.h"

#include "keys/prefetch.h"
#include "keys/secret_memory.h"

#define BUCKET 8
#define TICK_BITS 44
#define TICK_MASK ((UINT64_C(1) << TICK_BITS) - 1)
#define ATTEMPTS_MAX 4

/* Tag above, the tick at which the bucket is full below; 0 is empty. */
struct bucket {
    _Alignas(64) _Atomic uint64_t entries[BUCKET];
};

struct meters {
    struct bucket *buckets;
    size_t size;
    uint64_t mask;
    struct keyed_hash hash;
};

struct meters *meters_create(uint32_t keys)
{
    struct meters *m = secret_memory_take(sizeof *m, NULL);
    if (!m)
        return NULL;
    /* Half full on average when all keys are active. */
    uint64_t buckets = 1;
    while (buckets * BUCKET < 2 * (uint64_t)keys)
        buckets <<= 1;
    m->mask = buckets - 1;
    m->size = buckets * sizeof *m->buckets;
    m->buckets = secret_memory_take(m->size, NULL);
    m->hash = keyed_hash_random();
    if (m->buckets)
        return m;
    secret_memory_give(m, sizeof *m);
    return NULL;
}

void meters_destroy(struct meters *m)
{
    if (!m)
        return;
    secret_memory_give(m->buckets, m->size);
    secret_memory_give(m, sizeof *m);
}

/* The entry with this tag, else the one that is nearest to full. */
static _Atomic uint64_t *find(struct bucket *bucket, uint64_t tag, uint64_t *value)
{
    _Atomic uint64_t *least = &bucket->entries[0];
    uint64_t least_value = UINT64_MAX;
    for (unsigned i = 0; i < BUCKET; i++) {
        uint64_t seen = atomic_load_explicit(&bucket->entries[i], memory_order_relaxed);
        if (seen && seen >> TICK_BITS == tag) {
            *value = seen;
            return &bucket->entries[i];
        }
        if ((seen & TICK_MASK) < (least_value & TICK_MASK)) {
            least = &bucket->entries[i];
            least_value = seen;
        }
    }
    *value = least_value;
    return least;
}

void meter_prefetch(const struct meters *m, struct bytes key)
{
    prefetch_to_write(&m->buckets[keyed_hash_of(&m->hash, key) & m->mask]);
}

bool meter_take(struct meters *m, struct bytes key, struct meter_rate rate, uint64_t now_ns, uint64_t *wait_ns)
{
    *wait_ns = 0;
    if (rate.per_s == 0)
        return true;
    uint64_t per_s = rate.per_s < METER_RATE_MAX_PER_S ? rate.per_s : METER_RATE_MAX_PER_S;
    uint64_t hash = keyed_hash_of(&m->hash, key), tag = hash >> TICK_BITS;
    uint64_t interval = (UINT64_C(1000000000) / METER_TICK_NS + per_s / 2) / per_s;
    uint64_t tolerance = interval * (rate.burst > 1 ? rate.burst - 1 : 0), now = now_ns / METER_TICK_NS + 1;
    struct bucket *bucket = &m->buckets[hash & m->mask];
    /* Another worker's change to the same entry in between is seen and tried again; where that happens over and over,
     * the budget is being asked from all sides and is best called spent. */
    for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        uint64_t value;
        _Atomic uint64_t *entry = find(bucket, tag, &value);
        uint64_t full = value && value >> TICK_BITS == tag ? value & TICK_MASK : 0;
        if (full < now)
            full = now;
        if (full - now > tolerance) {
            *wait_ns = (full - now - tolerance) * METER_TICK_NS;
            return false;
        }
        if (atomic_compare_exchange_strong_explicit(entry, &value, tag << TICK_BITS | ((full + interval) & TICK_MASK),
                                                    memory_order_relaxed, memory_order_relaxed))
            return true;
    }
    *wait_ns = interval * METER_TICK_NS;
    return false;
}

void meter_mark(struct meters *m, struct bytes key, uint64_t until_ns)
{
    uint64_t hash = keyed_hash_of(&m->hash, key), tag = hash >> TICK_BITS, value;
    _Atomic uint64_t *entry = find(&m->buckets[hash & m->mask], tag, &value);
    /* Where another worker was here first, its mark is as good or the key is marked the next time. */
    atomic_compare_exchange_strong_explicit(entry, &value, tag << TICK_BITS | (until_ns / METER_TICK_NS & TICK_MASK),
                                            memory_order_relaxed, memory_order_relaxed);
}

bool meter_marked(struct meters *m, struct bytes key, uint64_t now_ns)
{
    uint64_t hash = keyed_hash_of(&m->hash, key), tag = hash >> TICK_BITS, value;
    find(&m->buckets[hash & m->mask], tag, &value);
    return value && value >> TICK_BITS == tag && (value & TICK_MASK) > now_ns / METER_TICK_NS;
}
