#include "tests/bench/target.h"

#include <stdio.h>
#include <stdlib.h>

#include "dataplane/follower.h"
#include "dataplane/port_dpdk.h"
#include "dataplane/worker.h"
#include "tests/bench/store_make.h"
#include "tests/load/port.h"

#define LOOKUP_DEPTH 128
#define KEYS_EXPECTED 16
/* Above any load, for points and for failures: the bench wants an answer to each request. */
#define POINT_BUDGET 1000000

struct target {
    struct config config;
    struct port *ports[1];
    struct publisher *publisher;
    struct admit *admit;
    struct oscore *oscore;
    struct follower *follower;
    struct worker *worker;
    unsigned core;
    bool stopping;
};

static int work(void *context)
{
    struct target *target = context;
    if (!worker_start_thread(target->worker))
        return -1;
    publisher_enter(target->publisher, 0);
    while (!__atomic_load_n(&target->stopping, __ATOMIC_RELAXED))
        worker_step(target->worker);
    publisher_leave(target->publisher, 0);
    return 0;
}

static void put_address(struct config_prefix *prefix, uint32_t address, unsigned length)
{
    prefix->family = 4;
    prefix->length = (uint8_t)length;
    for (unsigned i = 0; i < 4; i++)
        prefix->address[i] = (uint8_t)(address >> (24 - 8 * i));
}

static void configure(struct target *target, const struct target_options *options)
{
    struct config *config = &target->config;
    config_defaults(config);
    snprintf(config->store, sizeof config->store, "%s", options->store);
    store_seal_path(options->store, config->seal_key, sizeof config->seal_key);
    snprintf(config->ports[0], sizeof config->ports[0], "%s", options->device);
    config->port_count = 1;
    put_address(&config->addresses[0].prefix, options->address, 32);
    config->address_count = 1;
    put_address(&config->trusted[0], options->trusted, options->trusted_length);
    config->trusted_count = 1;
    config->worker_count = 1;
    config->idle = CONFIG_IDLE_SPIN;
    config->points_max = options->points;
    config->point_rate_per_s = POINT_BUDGET;
    config->point_burst = POINT_BUDGET;
    config->overload_per_s = UINT32_MAX; /* the bench finds the limit itself */
}

static bool make(struct target *target, const struct target_options *options, char *error, size_t error_size)
{
    const struct config *config = &target->config;
    ed25519_configure(KEYS_EXPECTED, (size_t)config->table_memory_mb << 20);
    if (!ed25519_start(options->engine, error, error_size) || !port_dpdk_buffers(1, 1, error, error_size))
        return false;
    target->ports[0] = port_dpdk_open(options->device, 1, error, error_size);
    if (!target->ports[0])
        return false;
    snprintf(error, error_size, "out of memory");
    target->publisher = publisher_new(1);
    target->admit = admit_create(&(struct admit_options){.points_max = config->points_max,
                                                         .point = {config->point_rate_per_s, config->point_burst},
                                                         .failure = {POINT_BUDGET, POINT_BUDGET},
                                                         .failure_all = {POINT_BUDGET, POINT_BUDGET},
                                                         .failures_max = ADMIT_FAILURES_MAX_DEFAULT});
    target->oscore = options->aead ? oscore_create(config->points_max, 1) : NULL;
    if (options->aead && !target->oscore)
        return false;
    target->follower = target->publisher ? follower_new(config, target->publisher, target->oscore, NULL) : NULL;
    target->worker = aligned_alloc(64, (sizeof *target->worker + 63) / 64 * 64);
    struct worker_terms terms = {.config = config,
                                 .ports = target->ports,
                                 .publisher = target->publisher,
                                 .admit = target->admit,
                                 .oscore = target->oscore ? oscore_worker_create(target->oscore, options->aead) : NULL,
                                 .replay = replay_new(config->replay_entries, 1),
                                 .answers = answers_new(config->answers_per_worker, 1),
                                 .park = park_new((uint64_t)config->store_deadline_us * 1000)};
    if (!target->admit || !target->follower || !target->worker || !terms.answers || !terms.park || !terms.replay ||
        lookup_open(LOOKUP_DEPTH, &terms.lookup) != 0)
        return false;
    worker_init(target->worker, &terms);
    return true;
}

void target_follow(struct target *target)
{
    while (follower_step(target->follower))
        ;
}

bool target_follow_step(struct target *target)
{
    return follower_step(target->follower);
}

uint64_t target_sequence(struct target *target)
{
    struct follower_state state;
    follower_state(target->follower, &state);
    return state.sequence;
}

static bool store_read(struct target *target, char *error, size_t error_size)
{
    struct follower_state state;
    target_follow(target);
    follower_state(target->follower, &state);
    snprintf(error, error_size, "the store is not read: %s", state.error);
    return state.reading && state.sequence > 0 && state.records_refused == 0;
}

struct target *target_start(const struct target_options *options, char *error, size_t error_size)
{
    struct target *target = calloc(1, sizeof *target);
    if (!target)
        return NULL;
    target->core = options->core;
    configure(target, options);
    if (make(target, options, error, error_size) && store_read(target, error, error_size)) {
        if (load_core_start(options->core, work, target))
            return target;
        snprintf(error, error_size, "no core for the worker");
    }
    free(target); /* the process ends: the parts go with it */
    return NULL;
}

const uint8_t *target_mac(const struct target *target)
{
    return port_mac(target->ports[0]);
}

void target_stop(struct target *target)
{
    __atomic_store_n(&target->stopping, true, __ATOMIC_RELAXED);
    load_core_wait(target->core);
}
