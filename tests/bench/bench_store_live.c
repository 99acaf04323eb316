/* The store in motion, under load: how soon a change is in force, and what folding, importing lists and loading a
 * filter do to verdicts. The real parts in one process: control's journal in the main thread, the dataplane's follower
 * in a thread of its own, a worker on its own core, and the load tester's generator, open loop, over a ring pair. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "dataplane/clock.h"
#include "dataplane/coap.h"
#include "dataplane/reasons.h"
#include "dataplane/wake.h"
#include "keys/fold.h"
#include "tests/bench/gate_setup.h"
#include "tests/bench/live_control.h"
#include "tests/bench/store_bench.h"
#include "tests/bench/store_make.h"
#include "tests/bench/target.h"
#include "tests/load/generator.h"
#include "tests/load/ticks.h"

#define RING_DEPTH 8192
#define MEMORY_MB 600
#define TABLE_RECORDS 10000000
#define HAS_RECORD 8         /* every so many-th subject of the load */
#define FOLD_CHANGES 1100000 /* more than what makes control fold */
#define CHANGE_EVERY_NS 2000000
#define CHANGES_MAX 40000
#define LISTS 64
#define LIST_EVERY_NS 20000000
#define GENERATOR_NAP_NS 20000
#define TURN_NAP_NS 200000

static struct bench_load load;
static struct target *target;
static struct generator *generator;
static _Atomic bool stopping;
static bool crowded;
static char store[160], error[256];

struct moment {
    uint64_t sequence, at_ns;
    bool crowded; /* among a million others */
};
static struct moment acknowledged[CHANGES_MAX], seen[1 << 20];
static unsigned acknowledged_count, seen_count;

static void nap(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* The dataplane's store thread, as its main has it; notes when every worker has left what was before. */
static void *run_follower(void *context)
{
    (void)context;
    int wake = wake_open(store);
    uint64_t last = 0;
    while (!atomic_load(&stopping)) {
        bool more = target_follow_step(target);
        uint64_t sequence = target_sequence(target);
        if (sequence != last && seen_count < sizeof(seen) / sizeof(seen[0]))
            seen[seen_count++] = (struct moment){sequence, clock_monotonic_ns(), false};
        last = sequence;
        if (!more)
            wake_wait(wake);
    }
    wake_close(store, wake);
    return NULL;
}

/* It shares its core with control and the store thread, so it comes before them and sleeps whenever it has sent. */
static int run_generator(void *context)
{
    struct sched_param first = {.sched_priority = 1};
    (void)context;
    sched_setscheduler(0, SCHED_FIFO, &first);
    while (generator_step(generator))
        nap(GENERATOR_NAP_NS);
    return 0;
}

/* Every HAS_RECORDth subject of the load has a record, which says nothing new; so have others. */
static void make_table(void)
{
    struct log_writer *writer;
    struct fold *fold;
    struct store_identity identity;
    struct disk *disk;
    if (log_writer_open(store, &writer, error, sizeof(error)) != LOG_OK ||
        fold_open_bulk(store, TABLE_RECORDS, &fold, error, sizeof(error)) != FOLD_MORE)
        bench_fail("%s", error);
    if (disk_open(store, false, &disk) != 0 || store_identity_read(disk, &identity) != 0)
        bench_fail("cannot read the identity of %s", store);
    disk_close(disk);
    for (uint64_t i = 0; i < TABLE_RECORDS; i++) {
        struct subject_record record = {.version = 1, .since_s = 1};
        uint64_t subject = i * HAS_RECORD;
        if (subject < load.profile.subjects) {
            uint8_t pseudonym[SUBJECT_SIZE];
            subject_pseudonym(load.seed, subject, pseudonym);
            uint32_t issuer = subject_place(&load.profile, subject).issuer;
            subject_key(identity.hash_key, bytes_of_text(load.signer.issuers[issuer].name), pseudonym, record.key);
        } else {
            bench_key(i, record.key);
        }
        if (fold_put(fold, &record) != FOLD_MORE)
            bench_fail("%s", fold_error(fold));
    }
    enum fold_status status;
    while ((status = fold_step(fold)) == FOLD_MORE)
        ;
    if (status != FOLD_READY || fold_commit(fold, writer) != FOLD_DONE)
        bench_fail("%s", fold_error(fold));
    fold_close(fold);
    log_writer_close(writer);
}

/* One change a while, as one operator makes it. */
static void change(void)
{
    static uint64_t next_ns, number;
    uint64_t now_ns = clock_monotonic_ns();
    if (now_ns < next_ns || acknowledged_count == CHANGES_MAX)
        return;
    next_ns = now_ns + CHANGE_EVERY_NS;
    struct subject_record record = bench_record(BENCH_ABSENT + number % 1000, 2 + number);
    number++;
    live_append(LOG_SUBJECT, &record, sizeof(record));
    uint64_t sequence = live_commit();
    acknowledged[acknowledged_count++] = (struct moment){sequence, clock_monotonic_ns(), crowded};
}

/* A turn of control's loop, in the order of its main. False: there is nothing to fold. */
static bool turn(void)
{
    change();
    bool folding = live_fold();
    nap(TURN_NAP_NS);
    return folding;
}

static void turns(double seconds)
{
    for (double end_s = bench_now_s() + seconds; bench_now_s() < end_s;)
        turn();
}

/* 99.9th percentile of verdicts since the last call. */
static double lap_ms(const char *name)
{
    static struct histogram now, before, lap;
    generator_latency(generator, &now);
    histogram_difference(&now, &before, &lap);
    before = now;
    double p999 = (double)histogram_percentile(&lap, 0.999) * 1e-6;
    bench_note("%-24s %7lu verdicts: p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, longest %.1f ms", name,
               (unsigned long)lap.count, (double)histogram_percentile(&lap, 0.5) * 1e-6,
               (double)histogram_percentile(&lap, 0.99) * 1e-6, p999, (double)lap.max * 1e-6);
    return p999;
}

/* More changes at once than control lets lie, then until the table that has them is in force. */
static double fold_ms(void)
{
    static struct subject_record records[LOG_PAYLOAD_MAX / sizeof(struct subject_record)];
    const uint64_t batch = sizeof(records) / sizeof(records[0]);
    crowded = true;
    for (uint64_t done = 0; done < FOLD_CHANGES; done += batch) {
        for (uint64_t i = 0; i < batch; i++)
            records[i] = bench_record(done + i, 1 + acknowledged_count + CHANGES_MAX);
        live_append(LOG_SUBJECT, records, sizeof(records));
        live_commit();
        turn();
    }
    while (target_sequence(target) < acknowledged[acknowledged_count - 1].sequence)
        turn();
    crowded = false;
    double start_s = bench_now_s(), batch_ms = lap_ms("a million changes");
    while (turn())
        ;
    bench_note("folded in %.1f s", bench_now_s() - start_s);
    double folding_ms = lap_ms("folding");
    turns(1);
    double loading_ms = lap_ms("loading the filter");
    folding_ms = folding_ms > batch_ms ? folding_ms : batch_ms;
    return folding_ms > loading_ms ? folding_ms : loading_ms;
}

static double import_ms(void)
{
    static uint8_t bits[STATUS_LIST_BYTES_MAX], room[STATUS_LIST_ENCODED_MAX];
    for (unsigned i = 0; i < LISTS; i++) {
        struct status_list list = {
            .iat_s = clock_wall_s(), .exp_s = clock_wall_s() + 86400, .bits = bits, .entries = STATUS_LIST_ENTRIES_MAX};
        snprintf(list.uri, sizeof(list.uri), "https://status.example/other/%u", i % 16);
        memcpy(list.issuer, load.signer.issuers[0].name, sizeof(list.issuer));
        live_append(LOG_STATUS_LIST, room, status_list_encode(&list, room, sizeof(room)));
        live_commit();
        turns(LIST_EVERY_NS * 1e-9);
    }
    return lap_ms("importing lists");
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* From each acknowledgement until the generation that has it was in force at every worker: 99.9th percentile. */
static double in_force_ms(bool among_many, const char *name)
{
    static double delays[CHANGES_MAX];
    unsigned count = 0, at = 0;
    for (unsigned i = 0; i < acknowledged_count; i++) {
        while (at < seen_count && seen[at].sequence < acknowledged[i].sequence)
            at++;
        if (at == seen_count)
            bench_fail("change %u of %u did not come into force", i, acknowledged_count);
        double later_ns = (double)(int64_t)(seen[at].at_ns - acknowledged[i].at_ns);
        if (acknowledged[i].crowded == among_many)
            delays[count++] = later_ns > 0 ? later_ns * 1e-6 : 0;
    }
    if (count == 0)
        bench_fail("no change was made");
    qsort(delays, count, sizeof(*delays), compare_doubles);
    bench_note("in force, %s: %u changes, median %.2f ms, 99.9 %% within %.2f ms, all within %.2f ms", name, count,
               delays[count / 2], delays[count - 1 - count / 1000], delays[count - 1]);
    return delays[count - 1 - count / 1000];
}

static void note_losses(struct bench_results *out)
{
    struct load_counts counts;
    const struct wrong_sample *samples;
    generator_counts(generator, &counts);
    out->requests_lost = (double)(counts.due - counts.right);
    bench_note("%lu requests, %lu unsent, %lu lost, %lu late, %lu shed, %lu wrong", (unsigned long)counts.due,
               (unsigned long)counts.unsent, (unsigned long)counts.lost, (unsigned long)counts.late,
               (unsigned long)counts.shed, (unsigned long)load_counts_wrong(&counts));
    for (unsigned i = 0, n = generator_samples(generator, &samples); i < n && i < 4; i++)
        bench_note("wrong: expected %s %s, got %s %s", verdict_name(samples[i].expected.verdict),
                   reason_name(samples[i].expected.reason), verdict_name(samples[i].verdict),
                   reason_name(samples[i].reason));
}

static void open_all(const struct bench *bench)
{
    struct load_port *ends[2];
    char device[LOAD_PORT_NAME_MAX];
    snprintf(store, sizeof(store), "%s", bench->directory);
    if (mkdir(store, 0750) != 0)
        bench_fail("cannot make %s", store);
    if (!bench_load_open(&load, STORE_PROFILE, 0) ||
        !store_make(store, &load.profile, &load.signer, load.seed, BENCH_FIRST_ADDRESS, CHENGMEN_RULES, clock_wall_s(),
                    load.error, sizeof(load.error)))
        bench_fail("%s", load.error);
    make_table();
    if (!load_environment_start("0@0,1@0,2@1", NULL, 0, MEMORY_MB, error, sizeof(error)) ||
        !load_port_pair("live", RING_DEPTH, ends, device, error, sizeof(error)))
        bench_fail("%s", error);
    load.port = ends[0];
    struct target_options options = {.store = store,
                                     .device = device,
                                     .address = BENCH_TARGET,
                                     .trusted = BENCH_FIRST_ADDRESS & ~((1u << 22) - 1),
                                     .trusted_length = 10,
                                     .core = 1};
    if (!(target = target_start(&options, error, sizeof(error))) ||
        !link_open(&load.link, load_port_mac(load.port), BENCH_TARGET, COAP_PORT, BENCH_FIRST_ADDRESS,
                   load.profile.points, error, sizeof(error)))
        bench_fail("%s", error);
    live_control_open(store);
    link_set_target_mac(&load.link, target_mac(target));
    struct generator_config config = {.port = load.port,
                                      .link = &load.link,
                                      .pool = &load.pool,
                                      .rate = load.profile.rate,
                                      .arrivals = load.profile.arrivals,
                                      .seed = load.seed,
                                      .shares = 1,
                                      .timeout_ns = load.profile.timeout_ns};
    if (!(generator = generator_open(&config, error, sizeof(error))))
        bench_fail("%s", error);
}

void bench_live(const struct bench *bench, struct bench_results *out)
{
    pthread_t follower;
    bench_clean(bench);
    open_all(bench);
    pthread_create(&follower, NULL, run_follower, NULL);
    generator_start(generator, ticks_now());
    if (!load_core_start(0, run_generator, NULL))
        bench_fail("no core for the generator");
    turns(1);
    lap_ms("starting");
    turns(bench->seconds);
    double calm_ms = lap_ms("calm");
    double worst_ms = fold_ms(), lists_ms = import_ms();
    generator_stop(generator);
    load_core_wait(0);
    nap(100000000);
    atomic_store(&stopping, true);
    pthread_join(follower, NULL);
    target_stop(target);
    out->in_force_ms_p999 = in_force_ms(false, "under load, folding, importing");
    in_force_ms(true, "among a million at once");
    out->fold_latency_factor = (worst_ms > lists_ms ? worst_ms : lists_ms) / calm_ms;
    note_losses(out);
    generator_close(generator);
    live_control_close();
    bench_load_close(&load);
}
