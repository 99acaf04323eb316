#include "tests/bench/admission_appliance.h"

#include <stdio.h>
#include <stdlib.h>

#include "dataplane/aead_dpdk.h"
#include "dataplane/follower.h"
#include "dataplane/port_dpdk.h"
#include "dataplane/worker.h"
#include "tests/load/port.h"
#include "tests/reference/oscore_reference.h"

#define LOOKUP_DEPTH 128
#define KEYS_EXPECTED 16
#define ROOM 128

struct appliance {
    struct config config;
    struct port *ports[1];
    struct publisher *publisher;
    struct oscore *oscore;
    struct follower *follower;
    struct worker *worker;
    unsigned core;
    bool stopping;
};

static int work(void *context)
{
    struct appliance *a = context;
    if (!worker_start_thread(a->worker))
        return -1;
    publisher_enter(a->publisher, 0);
    while (!__atomic_load_n(&a->stopping, __ATOMIC_RELAXED))
        worker_step(a->worker);
    publisher_leave(a->publisher, 0);
    return 0;
}

static void put_address(struct config_prefix *prefix, uint32_t address, uint8_t length)
{
    prefix->family = 4;
    prefix->length = length;
    for (unsigned i = 0; i < 4; i++)
        prefix->address[i] = (uint8_t)(address >> (24 - 8 * i));
}

static void configure(struct config *config, const struct appliance_options *options)
{
    config_defaults(config);
    snprintf(config->store, sizeof config->store, "%s", options->store);
    snprintf(config->ports[0], sizeof config->ports[0], "%s", options->device);
    config->port_count = 1;
    put_address(&config->addresses[0].prefix, APPLIANCE_ADDRESS, 32);
    config->address_count = 1;
    put_address(&config->trusted[0], APPLIANCE_POINTS & ~((1u << 22) - 1), 10);
    config->trusted_count = 1;
    config->worker_count = 1;
    config->idle = CONFIG_IDLE_SPIN;
}

struct point appliance_point(uint32_t n)
{
    struct point p = {.id = n + 1,
                      .oscore = {.alg = POINT_OSCORE_AES_CCM,
                                 .master_secret = {1},
                                 .master_secret_size = 16,
                                 .point_id_size = 4,
                                 .appliance_id_size = 1}};
    memcpy(p.oscore.master_secret + 1, &n, sizeof n);
    memcpy(p.oscore.point_id, &n, sizeof n);
    return p;
}

/* Asks once, and once more with the Echo that was wanted. */
static bool synchronise(struct oscore_worker *worker, const struct point *point)
{
    uint8_t echo[OSCORE_ECHO_SIZE];
    for (uint64_t sequence = 0; sequence < 2; sequence++) {
        uint8_t plain[ROOM], sealed[ROOM], option[OSCORE_OPTION_MAX], wire[ROOM];
        size_t option_size;
        plain[0] = COAP_POST;
        struct coap_writer inner = coap_write_options(plain + 1, sizeof plain - 1);
        if (sequence > 0)
            coap_put_option(&inner, COAP_OPTION_ECHO, (struct bytes){echo, sizeof echo});
        size_t size = reference_seal_request(&point->oscore, sequence, (struct bytes){plain, 1 + coap_written(&inner)},
                                             option, &option_size, sealed);
        struct coap_writer out = coap_write(wire, sizeof wire, COAP_CON, COAP_POST, 1, bytes_of_text("t"));
        coap_put_option(&out, COAP_OPTION_OSCORE, (struct bytes){option, option_size});
        coap_put_payload(&out, (struct bytes){sealed, size});
        struct coap_message message;
        struct oscore_request request = {.outer = &message}, *one = &request;
        coap_parse((struct bytes){wire, coap_written(&out)}, &message);
        oscore_unprotect_burst(worker, &one, 1);
        if (request.reason != (sequence > 0 ? REASON_NONE : REASON_OSCORE_ECHO))
            return false;
        memcpy(echo, request.echo, sizeof echo);
    }
    return true;
}

static struct oscore_worker *make_oscore(struct appliance *a, char *error, size_t error_size)
{
    struct aead_dpdk_options options = {.workers = 1, .keys_per_worker = 1024};
    a->oscore = oscore_create(APPLIANCE_CONTEXTS, 1);
    struct aead *aead = aead_dpdk_start(&options, error, error_size) ? aead_dpdk_worker(0) : NULL;
    struct oscore_worker *worker = a->oscore && aead ? oscore_worker_create(a->oscore, aead) : NULL;
    for (uint32_t i = 0; worker && i < APPLIANCE_CONTEXTS; i++) {
        struct point point = appliance_point(i);
        if (oscore_put(a->oscore, &point) != OSCORE_ADDED || !synchronise(worker, &point))
            return NULL;
    }
    return worker;
}

static bool read_store(struct appliance *a, char *error, size_t error_size)
{
    struct follower_state state;
    while (follower_step(a->follower))
        ;
    follower_state(a->follower, &state);
    snprintf(error, error_size, "the store is not read: %s", state.error);
    return state.reading && state.sequence > 0 && state.records_refused == 0;
}

static bool make(struct appliance *a, const struct appliance_options *options, char *error, size_t error_size)
{
    const struct config *config = &a->config;
    ed25519_configure(KEYS_EXPECTED, (size_t)config->table_memory_mb << 20);
    if (!ed25519_start(ED25519_AUTO, error, error_size) || !port_dpdk_buffers(1, 1, error, error_size))
        return false;
    a->ports[0] = port_dpdk_open(options->device, 1, error, error_size);
    if (!a->ports[0])
        return false;
    snprintf(error, error_size, "out of memory");
    a->publisher = publisher_new(1);
    a->follower = a->publisher ? follower_new(config, a->publisher, NULL, NULL) : NULL;
    struct backlog *backlog = backlog_new(1);
    a->worker = aligned_alloc(64, (sizeof *a->worker + 63) / 64 * 64);
    struct worker_terms terms = {.config = config,
                                 .ports = a->ports,
                                 .publisher = a->publisher,
                                 .oscore = make_oscore(a, error, error_size),
                                 .admit =
                                     admit_create(&(struct admit_options){.points_max = config->points_max,
                                                                          .venue = options->venue,
                                                                          .failure = options->failure,
                                                                          .failure_all = options->failure_all,
                                                                          .failures_max = ADMIT_FAILURES_MAX_DEFAULT}),
                                 .replay = replay_new(config->replay_entries, 1),
                                 .answers = answers_new(config->answers_per_worker, 1),
                                 .park = park_new((uint64_t)config->store_deadline_us * 1000),
                                 .backlogs = options->sheds ? &backlog : NULL};
    if (!a->follower || !a->worker || !terms.oscore || !terms.admit || !terms.replay || !terms.answers || !terms.park ||
        !backlog || lookup_open(LOOKUP_DEPTH, &terms.lookup) != 0)
        return false;
    worker_init(a->worker, &terms);
    return read_store(a, error, error_size);
}

struct appliance *appliance_start(const struct appliance_options *options, char *error, size_t error_size)
{
    struct appliance *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->core = options->core;
    configure(&a->config, options);
    if (make(a, options, error, error_size)) {
        if (load_core_start(options->core, work, a))
            return a;
        snprintf(error, error_size, "no core for the worker");
    }
    free(a); /* the process ends: the parts go with it */
    return NULL;
}

const uint8_t *appliance_mac(const struct appliance *a)
{
    return port_mac(a->ports[0]);
}

const struct counters *appliance_counters(const struct appliance *a)
{
    return &a->worker->counters;
}

void appliance_stop(struct appliance *a)
{
    __atomic_store_n(&a->stopping, true, __ATOMIC_RELAXED);
    load_core_wait(a->core);
}
