/* What the gate and its peer are measured with: a profile's requests, and the rehearsal of one search. */
#pragma once

#include "tests/load/pool_make.h"
#include "tests/load/search.h"

struct bench_load {
    struct profile profile;
    struct signer signer;
    struct pool pool;
    struct link link;
    struct load_port *port;
    struct contexts *contexts; /* NULL: plain requests */
    struct aead *aead;         /* the generator's cipher */
    uint64_t seed;
    uint64_t made_at_s; /* when the pool's credentials were issued */
    uint64_t cursor;    /* where the next trial begins, so that requests come round as late as possible */
    bool quiet;
    char error[256];
};

#define BENCH_FIRST_ADDRESS 0x0a400001u /* 10.64.0.1; the points' prefix is 10.64.0.0/10 */
#define BENCH_TARGET 0x0a000001u        /* 10.0.0.1 */

/* Reads the profile and makes its pool; `subjects` in place of the profile's number where it is not 0. */
bool bench_load_open(struct bench_load *load, const char *profile, uint64_t subjects);
void bench_load_close(struct bench_load *load);
/* A search_trial and a search_report over the load's port. */
bool bench_trial(void *context, double rate_per_s, double duration_s, struct result *out);
void bench_report(void *context, double rate_per_s, const struct result *result, bool good);
