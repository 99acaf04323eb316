/* Budgets of many who are known by a key, in a table of fixed size that workers share without locks. Each budget is a
 * token bucket in its virtual-scheduling form (ITU-T I.371, GCRA): one number, the time at which the bucket will be
 * full again. Who is full leaves no trace, so the table holds only who asked lately, and memory stays what it is
 * however many ask. Where more ask at once than the table holds, the one who is nearest to full is forgotten.
 *
 * Keys are hashed under a random key: nobody can choose to share a budget with another. Two keys share one where 20
 * bits of their hashes and their bucket are the same: at 100,000 keys in a table made for them fewer than one pair. */
#pragma once

#include <stdatomic.h>

#include "keys/keyed_hash.h"

/* Time counts in ticks of 16 µs, so that 44 bits last for nine years. */
#define METER_TICK_NS UINT64_C(16384)
#define METER_RATE_MAX_PER_S UINT32_C(60000)

struct meter_rate {
    uint32_t per_s; /* 0: no limit; above METER_RATE_MAX_PER_S it is taken as that */
    uint32_t burst; /* at least 1 */
};

struct meters;

/* A table for `keys` budgets at once. NULL where there is no memory. */
struct meters *meters_create(uint32_t keys);
void meters_destroy(struct meters *meters);

/* Fetches what meter_take will read. */
void meter_prefetch(const struct meters *meters, struct bytes key);

/* Takes one from the key's budget. True where it was there; else `*wait_ns` is when it will be. The same key is always
 * asked for with the same rate. */
bool meter_take(struct meters *meters, struct bytes key, struct meter_rate rate, uint64_t now_ns, uint64_t *wait_ns);

/* A table may hold marks instead of budgets: a key is marked until a time, and forgotten after it. */
void meter_mark(struct meters *meters, struct bytes key, uint64_t until_ns);
bool meter_marked(struct meters *meters, struct bytes key, uint64_t now_ns);
