#include "dataplane/replay.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <xxhash.h>

#include "keys/huge_memory.h"
#include "keys/prefetch.h"

#define WAYS 4
#define CLOCK_LAG_S 60 /* of one worker behind another, or where the clock is put back */

/* The fingerprint is taken by compare and swap; the place follows and carries 8 bits of the fingerprint, so that a
 * reader in between knows that it is not there yet. */
struct entry {
    _Atomic uint64_t fingerprint; /* 0: never used */
    _Atomic uint64_t place;       /* second (16 bits), point (20), zone (20), check (8) */
};

struct bucket {
    alignas(64) struct entry entries[WAYS];
};
static_assert(sizeof(struct bucket) == 64, "a cache line");

struct replay {
    uint64_t secret;
    uint32_t bucket_count;
    struct bucket *buckets;
};

struct replay *replay_new(uint32_t entries, uint64_t secret)
{
    struct replay *r = malloc(sizeof *r);
    if (!r)
        return NULL;
    r->secret = secret;
    r->bucket_count = entries / WAYS > 0 ? entries / WAYS : 1;
    size_t size = (size_t)r->bucket_count * sizeof *r->buckets;
    r->buckets = huge_memory_take(size);
    if (!r->buckets) {
        free(r);
        return NULL;
    }
    memset(r->buckets, 0, size); /* paid for now, not in a burst */
    return r;
}

void replay_free(struct replay *r)
{
    huge_memory_give(r->buckets, (size_t)r->bucket_count * sizeof *r->buckets);
    free(r);
}

/* Issuers number their codes each for itself, so a code's name is the kid's and its own. */
static uint64_t fingerprint_of(const struct replay *r, const uint8_t kid[COSE_KID_SIZE], const uint8_t cti[CTI_SIZE])
{
    uint8_t name[COSE_KID_SIZE + CTI_SIZE];
    memcpy(name, kid, COSE_KID_SIZE);
    memcpy(name + COSE_KID_SIZE, cti, CTI_SIZE);
    uint64_t fingerprint = XXH3_64bits_withSeed(name, sizeof name, r->secret);
    return fingerprint + (fingerprint == 0);
}

static struct bucket *bucket_of(const struct replay *r, uint64_t fingerprint)
{
    return &r->buckets[(fingerprint >> 32) * r->bucket_count >> 32];
}

void replay_prefetch(const struct replay *r, const uint8_t kid[COSE_KID_SIZE], const uint8_t cti[CTI_SIZE])
{
    prefetch_to_write(bucket_of(r, fingerprint_of(r, kid, cti)));
}

static uint64_t place_of(uint64_t fingerprint, uint32_t point_index, uint32_t zone, uint64_t now_s)
{
    uint64_t bounded_zone = zone < REPLAY_ZONE_MAX ? zone : REPLAY_ZONE_MAX;
    return (now_s & 0xffff) << 48 | (uint64_t)(point_index & (REPLAY_POINTS_MAX - 1)) << 28 | bounded_zone << 8 |
           (fingerprint & 0xff);
}

/* Seconds since an entry was written; exact while it can matter, for it lives far shorter than 2^16 s. Another worker
 * may have read the clock a moment later than this one: what seems to be of the near future was written just now. */
static uint32_t age_of(uint64_t place, uint64_t now_s)
{
    uint32_t age_s = (uint32_t)((now_s - (place >> 48)) & 0xffff);
    return age_s > 0xffff - CLOCK_LAG_S ? 0 : age_s;
}

static struct sighting sighting_of(uint64_t place, uint64_t fingerprint, uint64_t now_s)
{
    if (place == 0 || (place & 0xff) != (fingerprint & 0xff)) /* another worker writes it this very moment: elsewhere */
        return (struct sighting){.seen = true, .point_index = REPLAY_POINTS_MAX, .zone = REPLAY_ZONE_MAX};
    return (struct sighting){.seen = true,
                             .point_index = place >> 28 & (REPLAY_POINTS_MAX - 1),
                             .zone = place >> 8 & REPLAY_ZONE_MAX,
                             .age_s = age_of(place, now_s)};
}

/* The entry to write over: a free one, else the oldest. */
static struct entry *victim_of(struct bucket *bucket, uint64_t now_s, uint64_t *before, bool *alive)
{
    struct entry *oldest = NULL;
    uint32_t oldest_age = 0;
    for (unsigned i = 0; i < WAYS; i++) {
        struct entry *e = &bucket->entries[i];
        uint64_t fingerprint = atomic_load_explicit(&e->fingerprint, memory_order_relaxed);
        uint32_t age = age_of(atomic_load_explicit(&e->place, memory_order_relaxed), now_s);
        if (fingerprint != 0 && oldest && age <= oldest_age)
            continue;
        oldest = e;
        oldest_age = age;
        *before = fingerprint;
        *alive = fingerprint != 0 && age <= REPLAY_LIFE_S;
        if (fingerprint == 0)
            break;
    }
    return oldest;
}

static struct entry *find(struct bucket *bucket, uint64_t fingerprint, const struct entry *except)
{
    for (unsigned i = 0; i < WAYS; i++)
        if (&bucket->entries[i] != except && atomic_load(&bucket->entries[i].fingerprint) == fingerprint)
            return &bucket->entries[i];
    return NULL;
}

struct sighting replay_note(struct replay *r, const uint8_t kid[COSE_KID_SIZE], const uint8_t cti[CTI_SIZE],
                            uint32_t point_index, uint32_t zone, uint64_t now_s)
{
    uint64_t fingerprint = fingerprint_of(r, kid, cti);
    struct bucket *bucket = bucket_of(r, fingerprint);
    uint64_t place = place_of(fingerprint, point_index, zone, now_s);
    for (;;) {
        struct entry *known = find(bucket, fingerprint, NULL);
        if (known)
            return sighting_of(atomic_exchange(&known->place, place), fingerprint, now_s);
        uint64_t before = 0;
        bool alive = false;
        struct entry *victim = victim_of(bucket, now_s, &before, &alive);
        if (!atomic_compare_exchange_strong(&victim->fingerprint, &before, fingerprint))
            continue; /* somebody was faster, perhaps with the same code */
        atomic_store(&victim->place, place);
        /* Another worker may have taken another entry for the same code meanwhile. Each wrote before it looks again, in
         * one order for all, so at least one of the two sees the other. */
        struct entry *twin = find(bucket, fingerprint, victim);
        if (twin)
            return sighting_of(atomic_load(&twin->place), fingerprint, now_s);
        return (struct sighting){.forgot = alive};
    }
}
