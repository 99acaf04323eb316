/* The store in motion: how soon a change is in force, and what folding does to lookups. Three threads as in production:
 * the writer's, the store thread's and a worker's; the store thread looks for news every POLL_US, as without a wake-up.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "keys/fold.h"
#include "tests/bench/store_bench.h"

#define POLL_US 1000
#define DEPTH 128
#define BURST 32
#define CHANGES 20000
#define CHANGE_PAUSE_US 200
#define SAMPLES_MAX 2000000
#define TABLE_RECORDS 2000000
#define FOLD_CHANGES 200000
#define FOLD_PAUSE_US 2000

static struct bench_world world;
static _Atomic bool stop;
static _Atomic uint64_t epoch;   /* views published */
static _Atomic uint64_t seen_at; /* the epoch that the worker has reached */
static struct store_view view;   /* the one in force; changes only between epochs that the worker has left */
static _Atomic uint64_t wanted;  /* change that the writer waits for, plus one */
static _Atomic uint64_t in_force;
static float *samples;
static size_t sample_count;

static void *run_store(void *context)
{
    (void)context;
    struct log_record record;
    bool unreleased = false;
    while (!atomic_load(&stop)) {
        enum log_status status;
        while ((status = log_reader_next(world.reader, &record)) == LOG_OK)
            store_take(world.store, &record);
        if (status != LOG_END)
            bench_fail("%s", log_reader_error(world.reader));
        if (unreleased && atomic_load(&seen_at) == atomic_load(&epoch)) {
            store_release(world.store);
            unreleased = false;
        }
        bool changed = false, more = !unreleased && store_step(world.store, &changed);
        if (changed) {
            /* The worker copies the view when it sees a new epoch, and says so before it is released. */
            view = store_view(world.store);
            atomic_fetch_add(&epoch, 1);
            unreleased = true;
        }
        if (!more && !changed)
            usleep(POLL_US);
    }
    return NULL;
}

/* Looks up records and absent subjects in bursts; notes how long each lookup took to its answer. */
static void *run_worker(void *context)
{
    (void)context;
    static double started[DEPTH * 2];
    struct store_view mine = view;
    struct lookup_result results[DEPTH];
    uint64_t n = 0, cookie = 0;
    if (lookup_start_thread(world.lookup) < 0)
        bench_fail("cannot start the ring");
    while (!atomic_load(&stop)) {
        uint64_t now_epoch = atomic_load(&epoch);
        if (now_epoch != atomic_load(&seen_at)) {
            mine = view;
            atomic_store(&seen_at, now_epoch);
        }
        double start_s = bench_now_s();
        for (unsigned i = 0; i < BURST; i++) {
            struct subject_record record;
            uint8_t key[SUBJECT_KEY_SIZE];
            bool present = i % 8 == 0;
            uint64_t subject = bench_mix(n++);
            bench_key(present ? subject % TABLE_RECORDS : BENCH_ABSENT + subject % BENCH_ABSENT, key);
            if (lookup_pending(world.lookup) >= DEPTH / 2)
                break;
            started[cookie % (DEPTH * 2)] = start_s;
            lookup_start(world.lookup, &mine, key, cookie++, &record);
        }
        lookup_submit(world.lookup);
        unsigned got = lookup_reap(world.lookup, &mine, results, DEPTH);
        double end_s = bench_now_s();
        for (unsigned i = 0; i < got && sample_count < SAMPLES_MAX; i++)
            samples[sample_count++] = (float)(end_s - started[results[i].cookie % (DEPTH * 2)]);
        uint64_t change = atomic_load(&wanted);
        struct subject_record record;
        uint8_t key[SUBJECT_KEY_SIZE];
        bench_key(BENCH_ABSENT / 2, key);
        if (change && overlay_get(mine.overlay, key, &record) && record.version >= change)
            atomic_store(&in_force, change);
    }
    return NULL;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static double p999(float *values, size_t count)
{
    if (count == 0)
        bench_fail("nothing was measured");
    qsort(values, count, sizeof(*values), compare_floats);
    return values[count - 1 - count / 1000];
}

static void put(struct log_writer *writer, uint64_t subject, uint64_t version)
{
    struct subject_record record = bench_record(subject, version);
    if (log_writer_append(writer, LOG_SUBJECT, (struct bytes){(const uint8_t *)&record, sizeof(record)}, NULL) !=
        LOG_OK)
        bench_fail("%s", log_writer_error(writer));
}

static void commit(struct log_writer *writer)
{
    if (log_writer_commit(writer) != LOG_OK)
        bench_fail("%s", log_writer_error(writer));
}

static double in_force_ms(const struct bench *bench, struct log_writer *writer)
{
    float *delays = malloc(CHANGES * sizeof(*delays));
    size_t count = 0;
    double end_s = bench_now_s() + 3 * bench->seconds;
    for (uint64_t change = 1; change <= CHANGES && bench_now_s() < end_s; change++) {
        put(writer, BENCH_ABSENT / 2, change);
        commit(writer);
        double start_s = bench_now_s();
        atomic_store(&wanted, change);
        while (atomic_load(&in_force) < change)
            usleep(50);
        delays[count++] = (float)(bench_now_s() - start_s);
        usleep(CHANGE_PAUSE_US);
    }
    atomic_store(&wanted, 0);
    double result = p999(delays, count) * 1e3;
    bench_note("in force: %zu changes, 99.9 %% within %.2f ms, median %.2f ms", count, result,
               (double)delays[count / 2] * 1e3);
    free(delays);
    return result;
}

static void fold(const struct bench *bench, struct log_writer *writer)
{
    char error[256];
    struct fold *folding;
    for (uint64_t i = 0; i < FOLD_CHANGES; i++)
        put(writer, i, 2);
    commit(writer);
    if (fold_open(bench->directory, &folding, error, sizeof(error)) != FOLD_MORE)
        bench_fail("%s", error);
    enum fold_status status;
    while ((status = fold_step(folding)) == FOLD_MORE)
        usleep(FOLD_PAUSE_US);
    if (status != FOLD_READY || fold_commit(folding, writer) != FOLD_DONE)
        bench_fail("%s", fold_error(folding));
    fold_close(folding);
}

void bench_live(const struct bench *bench, struct bench_results *out)
{
    char error[256];
    struct log_writer *writer;
    pthread_t store_thread, worker;
    bench_load(bench, TABLE_RECORDS);
    if (log_writer_open(bench->directory, &writer, error, sizeof(error)) != LOG_OK)
        bench_fail("%s", error);
    samples = malloc(SAMPLES_MAX * sizeof(*samples));
    if (store_open(bench->directory, 8 << 20, &world.store) != 0 || lookup_open(DEPTH, &world.lookup) != 0 ||
        log_reader_open(bench->directory, &world.reader, error, sizeof(error)) != LOG_OK || !samples)
        bench_fail("cannot open %s", bench->directory);
    bench_follow(&world);
    view = store_view(world.store);
    pthread_create(&store_thread, NULL, run_store, NULL);
    pthread_create(&worker, NULL, run_worker, NULL);
    out->in_force_ms_p999 = in_force_ms(bench, writer);
    sample_count = 0;
    usleep((useconds_t)(bench->seconds * 1e6));
    size_t calm = sample_count;
    fold(bench, writer);
    size_t folding = sample_count;
    atomic_store(&stop, true);
    pthread_join(store_thread, NULL);
    pthread_join(worker, NULL);
    double calm_s = p999(samples, calm), fold_s = p999(samples + calm, folding - calm);
    out->fold_latency_factor = fold_s / calm_s;
    bench_note("lookups from the table, 99.9 %%: calm %.2f ms (%zu), folding %.2f ms (%zu)", calm_s * 1e3, calm,
               fold_s * 1e3, folding - calm);
    bench_close(&world);
    log_writer_close(writer);
    free(samples);
}
