#include "dataplane/oscore_contexts.h"

#include <assert.h>
#include <stdlib.h>

#include "keys/secret_memory.h"

/* Contexts that wait for their grace period while others are added. */
#define LIMBO_MAX(contexts) ((contexts) / 8 + 64)

static uint32_t power_of_two(uint32_t least)
{
    uint32_t value = 1;
    while (value < least)
        value <<= 1;
    return value;
}

struct oscore *oscore_create(uint32_t contexts_max, uint32_t start)
{
    if (start > OSCORE_START_MAX || contexts_max == 0 || contexts_max > UINT32_C(1) << 26)
        return NULL;
    struct oscore *o = secret_memory_take(sizeof *o, NULL);
    if (!o)
        return NULL;
    o->slots = contexts_max + LIMBO_MAX(contexts_max);
    /* At most two contexts a bucket of eight on average: with two buckets to choose from, none overflows in practice,
     * and oscore_put says so if one does. */
    uint32_t buckets = power_of_two(o->slots / 2 + 1), points = power_of_two(o->slots);
    o->bucket_mask = buckets - 1;
    o->point_mask = points - 1;
    o->contexts_size = (size_t)o->slots * sizeof *o->contexts;
    o->buckets_size = (size_t)buckets * sizeof *o->buckets;
    o->points_size = (size_t)points * sizeof *o->points;
    o->contexts = secret_memory_take(o->contexts_size, NULL);
    o->buckets = secret_memory_take(o->buckets_size, NULL);
    o->points = secret_memory_take(o->points_size, NULL);
    if (!o->contexts || !o->buckets || !o->points) {
        oscore_destroy(o);
        return NULL;
    }
    memset(o->points, 0xff, o->points_size);
    o->limbo = CONTEXT_NONE;
    o->free = CONTEXT_NONE;
    for (uint32_t slot = o->slots; slot-- > 0;) {
        o->contexts[slot].next = o->free;
        o->free = slot;
    }
    o->start = start;
    o->hash = keyed_hash_random();
    o->echo = keyed_hash_random();
    return o;
}

void oscore_destroy(struct oscore *o)
{
    if (!o)
        return;
    secret_memory_give(o->contexts, o->contexts_size);
    secret_memory_give(o->buckets, o->buckets_size);
    secret_memory_give(o->points, o->points_size);
    secret_memory_give(o, sizeof *o);
}

uint32_t oscore_count(const struct oscore *o)
{
    return o->count;
}

struct context_hint context_hint(const struct oscore *o, struct bytes kid, struct bytes kid_context)
{
    uint8_t name[1 + OSCORE_KID_MAX + OSCORE_KID_CONTEXT_MAX];
    name[0] = (uint8_t)kid.length;
    if (kid.length)
        memcpy(name + 1, kid.data, kid.length);
    if (kid_context.length)
        memcpy(name + 1 + kid.length, kid_context.data, kid_context.length);
    uint64_t hash = keyed_hash_of(&o->hash, (struct bytes){name, 1 + kid.length + kid_context.length});
    struct context_hint hint = {.tag = (uint32_t)(hash >> 32), .first = (uint32_t)hash & o->bucket_mask};
    /* The second bucket follows from other bits of the hash, and is never the first where there is more than one. */
    hint.second = (hint.first ^ ((uint32_t)(hash >> 26) | 1)) & o->bucket_mask;
    __builtin_prefetch(&o->buckets[hint.first]);
    __builtin_prefetch(&o->buckets[hint.second]);
    return hint;
}

static bool is_named(const struct context *c, struct bytes kid, struct bytes kid_context)
{
    return bytes_equal((struct bytes){c->ids.point_id, c->ids.point_id_size}, kid) &&
           bytes_equal((struct bytes){c->ids.id_context, c->ids.id_context_size}, kid_context);
}

/* The entry and, as it was when it was compared, its slot; NULL where there is none. */
static _Atomic uint64_t *find_entry(const struct oscore *o, struct context_hint hint, struct bytes kid,
                                    struct bytes kid_context, uint32_t *slot)
{
    const uint32_t both[] = {hint.first, hint.second};
    for (unsigned b = 0; b < 2; b++)
        for (unsigned i = 0; i < CONTEXT_BUCKET; i++) {
            _Atomic uint64_t *entry = &o->buckets[both[b]].entries[i];
            uint64_t value = atomic_load_explicit(entry, memory_order_acquire);
            if (value >> 32 == hint.tag && (uint32_t)value != 0 &&
                is_named(&o->contexts[(uint32_t)value - 1], kid, kid_context)) {
                *slot = (uint32_t)value - 1;
                return entry;
            }
        }
    *slot = CONTEXT_NONE;
    return NULL;
}

uint32_t context_find(const struct oscore *o, struct context_hint hint, struct bytes kid, struct bytes kid_context)
{
    uint32_t slot;
    find_entry(o, hint, kid, kid_context, &slot);
    return slot;
}

/* An empty entry in the emptier of both buckets, or NULL. */
static _Atomic uint64_t *find_room(const struct oscore *o, struct context_hint hint)
{
    const uint32_t both[] = {hint.first, hint.second};
    _Atomic uint64_t *room[2] = {NULL, NULL};
    unsigned empty[2] = {0, 0};
    for (unsigned b = 0; b < 2; b++)
        for (unsigned i = 0; i < CONTEXT_BUCKET; i++)
            if (atomic_load_explicit(&o->buckets[both[b]].entries[i], memory_order_relaxed) == 0) {
                room[b] = &o->buckets[both[b]].entries[i];
                empty[b]++;
            }
    return empty[0] >= empty[1] ? room[0] : room[1];
}

static uint32_t *chain_of(struct oscore *o, uint32_t point)
{
    return &o->points[(point * UINT32_C(0x9e3779b1)) & o->point_mask];
}

/* The link that holds the point's slot, or the end of its chain. */
static uint32_t *link_of(struct oscore *o, uint32_t point)
{
    uint32_t *link = chain_of(o, point);
    while (*link != CONTEXT_NONE && o->contexts[*link].point != point)
        link = &o->contexts[*link].next;
    return link;
}

static struct bytes kid_of(const struct point_oscore *ids)
{
    return (struct bytes){ids->point_id, ids->point_id_size};
}

static struct bytes kid_context_of(const struct point_oscore *ids)
{
    return (struct bytes){ids->id_context, ids->id_context_size};
}

static bool is_same(const struct context *c, const struct point_oscore *ids, const struct oscore_keys *keys)
{
    return bytes_equal(kid_of(&c->ids), kid_of(ids)) && bytes_equal(kid_context_of(&c->ids), kid_context_of(ids)) &&
           bytes_equal((struct bytes){c->ids.appliance_id, c->ids.appliance_id_size},
                       (struct bytes){ids->appliance_id, ids->appliance_id_size}) &&
           memcmp(&c->keys, keys, sizeof *keys) == 0;
}

/* Takes the context at `link` out of its chain and out of the index. */
static void retire(struct oscore *o, uint32_t *link)
{
    uint32_t slot = *link;
    struct context *c = &o->contexts[slot];
    struct bytes kid = kid_of(&c->ids), kid_context = kid_context_of(&c->ids);
    uint32_t found;
    _Atomic uint64_t *entry = find_entry(o, context_hint(o, kid, kid_context), kid, kid_context, &found);
    if (entry && found == slot)
        atomic_store_explicit(entry, 0, memory_order_release);
    *link = c->next;
    c->next = o->limbo;
    o->limbo = slot;
    o->count--;
    uint32_t own = atomic_load_explicit(&c->own, memory_order_relaxed);
    /* A worker may take one more number before it passes its quiescent state: oscore_reclaim looks again. */
    if (own > atomic_load_explicit(&o->own_floor, memory_order_relaxed))
        atomic_store_explicit(&o->own_floor, own, memory_order_relaxed);
    uint32_t gone = atomic_load_explicit(&o->revoked_count, memory_order_relaxed);
    atomic_store_explicit(&o->revoked[gone % CONTEXT_REVOKED_RING],
                          atomic_load_explicit(&c->serial, memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(&o->revoked_count, gone + 1, memory_order_release);
}

static void fill(struct oscore *o, struct context *c, const struct point *point, const struct oscore_keys *keys)
{
    c->point = point->id;
    c->ids = point->oscore;
    oscore_wipe(c->ids.master_secret, sizeof c->ids.master_secret);
    c->keys = *keys;
    atomic_store_explicit(&c->window, 0, memory_order_relaxed);
    /* Contexts in limbo may still take numbers: stay above what they can have taken, a margin of one burst of every
     * worker there may be. */
    uint32_t own = atomic_load_explicit(&o->own_floor, memory_order_relaxed);
    atomic_store_explicit(&c->own, own ? own + OSCORE_BURST_MAX * 64 : 0, memory_order_relaxed);
    o->last_serial++;
    if (o->last_serial == 0)
        o->last_serial = 1;
    /* Orders the context's content before whoever finds it by its serial. */
    atomic_store_explicit(&c->serial, o->last_serial, memory_order_release);
}

static enum oscore_change put_derived(struct oscore *o, const struct point *point, const struct oscore_keys *keys)
{
    const struct point_oscore *ids = &point->oscore;
    uint32_t *link = link_of(o, point->id);
    if (*link != CONTEXT_NONE && is_same(&o->contexts[*link], ids, keys))
        return OSCORE_KEPT;
    struct context_hint hint = context_hint(o, kid_of(ids), kid_context_of(ids));
    uint32_t found;
    _Atomic uint64_t *entry = find_entry(o, hint, kid_of(ids), kid_context_of(ids), &found);
    if (entry && found != *link)
        return OSCORE_DUPLICATE;
    if (!entry)
        entry = find_room(o, hint);
    if (!entry || o->free == CONTEXT_NONE)
        return OSCORE_FULL;
    uint32_t slot = o->free, earlier = *link;
    struct context *c = &o->contexts[slot];
    o->free = c->next;
    /* From here the earlier context finds no new request. Its numbers bound the new one's, so it goes first. */
    if (earlier != CONTEXT_NONE)
        retire(o, link);
    fill(o, c, point, keys);
    uint32_t *chain = chain_of(o, point->id);
    c->next = *chain;
    *chain = slot;
    o->count++;
    atomic_store_explicit(entry, (uint64_t)hint.tag << 32 | (slot + 1), memory_order_release);
    return OSCORE_ADDED;
}

enum oscore_change oscore_put(struct oscore *o, const struct point *point)
{
    if (point->oscore.alg == POINT_OSCORE_NONE)
        return oscore_remove(o, point->id);
    struct oscore_keys keys;
    if (!oscore_keys_derive(&point->oscore, OSCORE_END_APPLIANCE, &keys))
        return OSCORE_INVALID;
    enum oscore_change change = put_derived(o, point, &keys);
    oscore_wipe(&keys, sizeof keys);
    return change;
}

enum oscore_change oscore_remove(struct oscore *o, uint32_t point_id)
{
    uint32_t *link = link_of(o, point_id);
    if (*link == CONTEXT_NONE)
        return OSCORE_ABSENT;
    retire(o, link);
    return OSCORE_ADDED;
}

void oscore_remove_unless(struct oscore *o, bool (*wanted)(const void *context, uint32_t point_id), const void *context)
{
    for (uint32_t head = 0; head <= o->point_mask; head++)
        for (uint32_t *link = &o->points[head]; *link != CONTEXT_NONE;) {
            if (wanted(context, o->contexts[*link].point))
                link = &o->contexts[*link].next;
            else
                retire(o, link); /* the next one stands at `link` then */
        }
}

void oscore_reclaim(struct oscore *o)
{
    while (o->limbo != CONTEXT_NONE) {
        uint32_t slot = o->limbo;
        struct context *c = &o->contexts[slot];
        uint32_t own = atomic_load_explicit(&c->own, memory_order_relaxed);
        if (own > atomic_load_explicit(&o->own_floor, memory_order_relaxed))
            atomic_store_explicit(&o->own_floor, own, memory_order_relaxed);
        o->limbo = c->next;
        atomic_store_explicit(&c->serial, 0, memory_order_release); /* bindings that were kept find it gone */
        oscore_wipe(c, sizeof *c);
        c->next = o->free;
        o->free = slot;
    }
}
