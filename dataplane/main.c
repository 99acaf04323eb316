/* chengmen-dataplane: reads its compiled configuration, takes all memory, starts a worker a core, and follows the
 * store. */
#include <getopt.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "dataplane/aead_dpdk.h"
#include "dataplane/epoch.h"
#include "dataplane/follower.h"
#include "dataplane/port_dpdk.h"
#include "dataplane/privilege.h"
#include "dataplane/telemetry.h"
#include "dataplane/wake.h"
#include "dataplane/worker.h"

#define EXIT_USAGE 2
#define EAL_ARGS_MAX (CONFIG_EAL_ARGS_MAX + 2 * CONFIG_PORTS_MAX + 8)

/* Issuer keys that the signature tables' memory is divided among; more keys still work. */
#define KEYS_EXPECTED 64

/* Expanded keys that each worker's cipher keeps, about 1.5 KiB each. */
#define AEAD_KEYS_PER_WORKER 8192

/* Reads of a worker that may be under way at once. */
#define LOOKUP_DEPTH 128

/* Empty polls before a worker that may sleep yields, and then sleeps. */
#define POLLS_BEFORE_YIELD 256
#define POLLS_BEFORE_SLEEP 2048
#define IDLE_SLEEP_NS 50000

/* Of the thread that builds keys' tables: the store thread, on the same core, hardly notices it. */
#define PREPARER_NICE 19

struct dataplane {
    struct config config;
    struct port *ports[CONFIG_PORTS_MAX];
    struct worker *workers[CONFIG_WORKERS_MAX];
    struct publisher *publisher;
    struct oscore *oscore;
    struct admit *admit;
    struct replay *replay;
    struct follower *follower;
    struct key_preparer *preparer;
};

static struct dataplane dataplane;
static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
    (void)signal_number;
    stopping = 1;
}

static int fail(const char *what, const char *detail)
{
    fprintf(stderr, "chengmen-dataplane: %s: %s\n", what, detail);
    return EXIT_FAILURE;
}

static bool read_config(const char *path, struct config *out, char *error, size_t error_size)
{
    static uint8_t room[CONFIG_ENCODED_MAX + 1];
    FILE *file = fopen(path, "rb");
    if (!file) {
        snprintf(error, error_size, "%m");
        return false;
    }
    size_t length = fread(room, 1, sizeof room, file);
    fclose(file);
    return config_decode((struct bytes){room, length}, out, error, error_size);
}

/* The name of a device without its arguments. */
static void device_name(const char *port, char *name, size_t size)
{
    snprintf(name, size, "%.*s", (int)strcspn(port, ","), port);
}

/* EAL's command line: the configuration's own words, then lcores pinned to cores (several may share one), then devices.
 */
static int start_eal(const struct config *config)
{
    static char lcores[16 * (CONFIG_WORKERS_MAX + 1)];
    char *args[EAL_ARGS_MAX] = {"chengmen-dataplane"};
    int count = 1;
    for (uint32_t i = 0; i < config->eal_arg_count; i++)
        args[count++] = (char *)(uintptr_t)config->eal_args[i];
    int length = snprintf(lcores, sizeof lcores, "0@%u", config->main_core);
    for (uint32_t i = 0; i < config->worker_count; i++)
        length += snprintf(lcores + length, sizeof lcores - (size_t)length, ",%u@%u", i + 1, config->workers[i]);
    args[count++] = "--lcores";
    args[count++] = lcores;
    args[count++] = "--main-lcore";
    args[count++] = "0";
    for (uint32_t i = 0; i < config->port_count; i++) {
        args[count++] = strncmp(config->ports[i], "net_", 4) == 0 ? "--vdev" : "--allow";
        args[count++] = (char *)(uintptr_t)config->ports[i];
    }
    return rte_eal_init(count, args);
}

static bool open_ports(struct dataplane *d, char *error, size_t error_size)
{
    const struct config *config = &d->config;
    if (!port_dpdk_buffers(config->port_count, config->worker_count, error, error_size))
        return false;
    for (uint32_t i = 0; i < config->port_count; i++) {
        char name[CONFIG_EAL_ARG_MAX];
        device_name(config->ports[i], name, sizeof name);
        d->ports[i] = port_dpdk_open(name, config->worker_count, error, error_size);
        if (!d->ports[i])
            return false;
    }
    return true;
}

/* Without a number for this start no nonce is safe: then nobody has a security context. */
static bool start_oscore(struct dataplane *d, char *error, size_t error_size)
{
    uint32_t start;
    struct aead_dpdk_options options = {.workers = d->config.worker_count, .keys_per_worker = AEAD_KEYS_PER_WORKER};
    if (!epoch_next(d->config.store, &start, error, error_size)) {
        fprintf(stderr, "chengmen-dataplane: OSCORE is off: %s\n", error);
        return true;
    }
    if (!aead_dpdk_start(&options, error, error_size))
        return false;
    d->oscore = oscore_create(d->config.points_max, start);
    snprintf(error, error_size, "no locked memory for %u security contexts", d->config.points_max);
    return d->oscore;
}

static struct admit *make_admit(const struct config *config)
{
    return admit_create(&(struct admit_options){.points_max = config->points_max,
                                                .point = {config->point_rate_per_s, config->point_burst},
                                                .venue = {config->venue_rate_per_s, config->venue_burst},
                                                .failure = ADMIT_FAILURE_DEFAULT,
                                                .failure_all = ADMIT_FAILURE_ALL_DEFAULT,
                                                .failures_max = ADMIT_FAILURES_MAX_DEFAULT});
}

static struct worker *make_worker(struct dataplane *d, unsigned number, uint64_t secret)
{
    struct worker_terms terms = {.number = number,
                                 .queue = number,
                                 .config = &d->config,
                                 .ports = d->ports,
                                 .publisher = d->publisher,
                                 .admit = d->admit,
                                 .replay = d->replay,
                                 .answers = answers_new(d->config.answers_per_worker, secret),
                                 .park = park_new((uint64_t)d->config.store_deadline_us * 1000)};
    struct backlog *backlogs[CONFIG_PORTS_MAX];
    terms.backlogs = backlogs;
    for (uint32_t i = 0; i < d->config.port_count; i++)
        if (!(backlogs[i] = backlog_new(secret ^ i)))
            return NULL;
    struct worker *worker = aligned_alloc(64, (sizeof *worker + 63) / 64 * 64);
    if (!worker || !terms.answers || !terms.park || lookup_open(LOOKUP_DEPTH, &terms.lookup) != 0)
        return NULL;
    if (d->oscore) {
        struct aead *aead = aead_dpdk_worker(number);
        terms.oscore = aead ? oscore_worker_create(d->oscore, aead) : NULL;
        if (!terms.oscore)
            return NULL;
    }
    worker_init(worker, &terms);
    return worker;
}

static bool make_workers(struct dataplane *d, char *error, size_t error_size)
{
    uint64_t secret;
    if (!start_oscore(d, error, error_size))
        return false;
    snprintf(error, error_size, "out of memory");
    if (getrandom(&secret, sizeof secret, 0) != sizeof secret)
        return false;
    d->replay = replay_new(d->config.replay_entries, secret);
    d->publisher = publisher_new(d->config.worker_count);
    d->admit = make_admit(&d->config);
    d->preparer = key_preparer_new();
    d->follower = d->preparer && d->publisher && d->admit && d->replay
                      ? follower_new(&d->config, d->publisher, d->oscore, d->preparer)
                      : NULL;
    if (!d->follower)
        return false;
    for (uint32_t i = 0; i < d->config.worker_count; i++) {
        d->workers[i] = make_worker(d, i, secret);
        if (!d->workers[i])
            return false;
    }
    return true;
}

/* Spin, then yield, then sleep: nothing under load, a thousandth of a core when idle. */
static void idle(unsigned empty_polls)
{
    static const struct timespec nap = {.tv_nsec = IDLE_SLEEP_NS};
    if (empty_polls < POLLS_BEFORE_YIELD)
        rte_pause();
    else if (empty_polls < POLLS_BEFORE_SLEEP)
        sched_yield();
    else
        nanosleep(&nap, NULL);
}

/* Virtual devices read and write descriptors; a NIC's queues are memory. */
static enum privilege_port port_kind(const struct config *config)
{
    for (uint32_t i = 0; i < config->port_count; i++)
        if (strncmp(config->ports[i], "net_", 4) == 0)
            return PRIVILEGE_PORT_KERNEL;
    return PRIVILEGE_PORT_USER;
}

static int worker_main(void *context)
{
    struct worker *worker = context;
    bool may_sleep = dataplane.config.idle == CONFIG_IDLE_SLEEP;
    unsigned empty_polls = 0;
    char error[256];
    if (!worker_start_thread(worker))
        return fail("worker", "its io_uring cannot be started");
    if (!privilege_drop_capabilities(error, sizeof error) ||
        !privilege_confine_worker(port_kind(&dataplane.config), error, sizeof error))
        return fail("worker", error);
    publisher_enter(worker->publisher, worker->number);
    while (!stopping) {
        empty_polls = worker_step(worker) > 0 ? 0 : empty_polls + (empty_polls < POLLS_BEFORE_SLEEP);
        if (may_sleep && empty_polls > 0)
            idle(empty_polls);
    }
    publisher_leave(worker->publisher, worker->number);
    return 0;
}

/* On the store thread's core, and always behind it. */
static void *prepare_keys(void *context)
{
    struct dataplane *d = context;
    setpriority(PRIO_PROCESS, 0, PREPARER_NICE); /* of this thread alone, in Linux */
    while (key_preparer_wait(d->preparer))
        key_preparer_step(d->preparer);
    return NULL;
}

static void follow(struct dataplane *d)
{
    int wake = -1;
    while (!stopping) {
        if (wake < 0)
            wake = wake_open(d->config.store);
        if (!follower_step(d->follower))
            wake_wait(wake);
    }
    wake_close(d->config.store, wake);
}

static int run(struct dataplane *d)
{
    char error[256];
    if (start_eal(&d->config) < 0)
        return fail("EAL does not start", rte_strerror(rte_errno));
    ed25519_configure(KEYS_EXPECTED, (size_t)d->config.table_memory_mb << 20);
    if (!ed25519_start((enum ed25519_engine)d->config.engine, error, sizeof error))
        return fail("signature engine", error);
    if (!open_ports(d, error, sizeof error))
        return fail("port", error);
    if (!make_workers(d, error, sizeof error))
        return fail("start", error);
    telemetry_start(d->workers, d->config.worker_count, d->follower);
    if (!telemetry_share(d->config.user, error, sizeof error))
        return fail("telemetry", error);
    if (!privilege_change_user(d->config.user, error, sizeof error) || !privilege_confine_process(error, sizeof error))
        return fail("privileges", error);
    for (uint32_t i = 0; i < d->config.worker_count; i++)
        rte_eal_remote_launch(worker_main, d->workers[i], i + 1);
    if (!privilege_drop_capabilities(error, sizeof error))
        return fail("privileges", error);
    pthread_t preparer;
    if (pthread_create(&preparer, NULL, prepare_keys, d) != 0)
        return fail("start", "no thread for the keys' tables");
    printf("chengmen-dataplane: %u workers, signatures by %s\n", d->config.worker_count, ed25519_engine_name());
    fflush(stdout);
    follow(d);
    key_preparer_stop(d->preparer);
    pthread_join(preparer, NULL);
    rte_eal_mp_wait_lcore();
    for (uint32_t i = 0; i < d->config.port_count; i++)
        port_dpdk_close(d->ports[i]);
    if (d->oscore)
        aead_dpdk_stop();
    rte_eal_cleanup();
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
    static const char usage[] = "usage: chengmen-dataplane CONFIG\n"
                                "CONFIG is made by `chengmen config compile FILE --output CONFIG`.\n";
    int option = getopt_long(argc, argv, "h", options, NULL);
    if (option == 'h') {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (option == 'v') {
        puts("chengmen-dataplane " CHENGMEN_VERSION);
        return EXIT_SUCCESS;
    }
    if (option != -1 || argc - optind != 1) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    char error[256];
    if (!read_config(argv[optind], &dataplane.config, error, sizeof error))
        return fail(argv[optind], error);
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return run(&dataplane);
}
