/* The table of security contexts behind oscore.h: one writer, any number of workers that read without locks. Lookup by
 * (kid, ID context) takes two cache lines of the index and one or two contexts, whatever is asked for and however many
 * there are: a keyed hash names two buckets, and a context is in one of them.
 *
 * Lifetime: a worker may hold a context from its lookup until its next quiescent state. oscore_remove and a replacing
 * oscore_put take a context out of the index and into limbo; oscore_reclaim, called after a grace period, wipes it and
 * only then may its slot serve again, under a new serial. */
#pragma once

#include <stdatomic.h>

#include "dataplane/oscore.h"
#include "keys/keyed_hash.h"

#define CONTEXT_NONE UINT32_MAX
#define CONTEXT_OWN_MAX UINT32_C(0xffffff) /* numbers of our own a context has in a start */
#define CONTEXT_BUCKET 8
#define CONTEXT_REVOKED_RING 64

struct context {
    _Atomic uint64_t window; /* oscore_window.h */
    _Atomic uint32_t own;    /* numbers of our own that were taken */
    _Atomic uint32_t serial; /* 0: not in use. Never the same for two contexts of a start */
    uint32_t point;
    uint32_t next;           /* in the chain of its point, in limbo, or of free slots */
    struct point_oscore ids; /* without the master secret */
    struct oscore_keys keys;
};

/* Tag above, slot + 1 below; 0 is empty. */
struct context_bucket {
    _Alignas(64) _Atomic uint64_t entries[CONTEXT_BUCKET];
};

struct oscore {
    struct context *contexts;
    struct context_bucket *buckets;
    uint32_t *points; /* heads of chains by point id */
    uint32_t slots, bucket_mask, point_mask;
    uint32_t free, limbo, count;
    uint32_t last_serial, start;
    _Atomic uint32_t own_floor; /* where the counter of an added context begins */
    struct keyed_hash hash;     /* of the index */
    struct keyed_hash echo;     /* of challenges */
    size_t contexts_size, buckets_size, points_size;
    _Atomic uint32_t revoked_count; /* serials that went, ever; the last of them stand in the ring */
    _Atomic uint32_t revoked[CONTEXT_REVOKED_RING];
};

/* Where a (kid, ID context) is looked up, computed ahead so that a burst's cache misses overlap. */
struct context_hint {
    uint32_t tag, first, second;
};

static inline uint64_t context_key_id(uint32_t serial, bool seal)
{
    return (uint64_t)serial << 1 | seal;
}

/* kid at most OSCORE_KID_MAX, kid_context at most OSCORE_KID_CONTEXT_MAX bytes. Prefetches the buckets. */
struct context_hint context_hint(const struct oscore *oscore, struct bytes kid, struct bytes kid_context);
/* The slot, or CONTEXT_NONE. */
uint32_t context_find(const struct oscore *oscore, struct context_hint hint, struct bytes kid,
                      struct bytes kid_context);
