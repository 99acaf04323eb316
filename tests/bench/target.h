/* The appliance inside a benchmark's process: one worker on a core of its own, the store thread's work done before. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "keys/ed25519/ed25519.h"

struct aead;

struct target_options {
    const char *store;       /* a directory made by store_make */
    const char *device;      /* DPDK's name of the port that it serves */
    uint32_t address;        /* its own, host order */
    uint32_t trusted;        /* first address of the points' prefix, host order */
    unsigned trusted_length; /* bits */
    uint32_t points;         /* how many it has room for */
    unsigned core;           /* the n-th core behind main's */
    struct aead *aead;       /* the worker's cipher; NULL: no OSCORE */
    enum ed25519_engine engine;
};

struct target;
/* NULL: `error` has one line. The environment is started. */
struct target *target_start(const struct target_options *options, char *error, size_t error_size);
const uint8_t *target_mac(const struct target *target);
/* Reads the store on; for the store thread's periodic work. */
void target_follow(struct target *target);
/* One step of it; true while there is more. And the log's last record that is in force at the worker. */
bool target_follow_step(struct target *target);
uint64_t target_sequence(struct target *target);
void target_stop(struct target *target);
