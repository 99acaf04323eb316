/* Tables: building, starting, looking up what is there and what is not, against fio and against bare memory. */
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/bench/store_bench.h"

#define BURST 32
#define DEPTH_MAX 128
#define SMALL_RECORDS 1000000
#define ABSENT_KEYS (1u << 16)
#define ABSENT_ROUNDS 20

/* Processor time of this thread: what others take from it on a shared machine does not count. */
static double worked_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* Nanoseconds a lookup of subjects without a record, in bursts: the best of ABSENT_ROUNDS rounds. The one in 256 that
 * passes the filter is counted as what it is, a lookup from the disk: its read is not in the time. */
static double absent_ns(struct bench_world *world, double *passing)
{
    static uint8_t keys[ABSENT_KEYS][SUBJECT_KEY_SIZE];
    struct store_view view = store_view(world->store);
    struct lookup_result results[DEPTH_MAX];
    struct subject_record record;
    uint64_t passed = 0;
    double best_s = INFINITY;
    for (uint64_t round = 0; round < ABSENT_ROUNDS; round++) {
        for (unsigned i = 0; i < ABSENT_KEYS; i++)
            bench_key(BENCH_ABSENT + round * ABSENT_KEYS + i, keys[i]);
        double start_s = worked_s();
        for (unsigned at = 0; at < ABSENT_KEYS; at += BURST) {
            for (unsigned i = at; i < at + BURST; i++)
                lookup_prefetch(&view, keys[i]);
            for (unsigned i = at; i < at + BURST; i++)
                passed += lookup_start(world->lookup, &view, keys[i], i, &record) != LOOKUP_ABSENT;
        }
        best_s = least(best_s, worked_s() - start_s);
        lookup_submit(world->lookup);
        while (lookup_pending(world->lookup) > 0)
            lookup_reap(world->lookup, &view, results, DEPTH_MAX);
    }
    *passing = (double)passed / (ABSENT_ROUNDS * ABSENT_KEYS);
    return best_s * 1e9 / ABSENT_KEYS;
}

/* Nanoseconds for the memory accesses alone that such a lookup makes, in memory of that size: three bytes of a filter
 * within 24 KiB, in bursts of the same size, prefetched alike. */
static double memory_ns(uint64_t bytes)
{
    static uint64_t hashes[ABSENT_KEYS];
    size_t size = (bytes + (2u << 20)) / (2u << 20) * (2u << 20) + (2u << 20);
    uint8_t *memory = aligned_alloc(2u << 20, size);
    if (!memory)
        bench_fail("out of memory");
    madvise(memory, size, MADV_HUGEPAGE);
    memset(memory, 1, size);
    uint64_t sum = 0;
    double best_s = INFINITY;
    for (uint64_t round = 0; round < ABSENT_ROUNDS; round++) {
        for (unsigned i = 0; i < ABSENT_KEYS; i++)
            hashes[i] = bench_mix(round * ABSENT_KEYS + i);
        double start_s = worked_s();
        for (unsigned at = 0; at < ABSENT_KEYS; at += BURST) {
            const uint8_t *places[BURST][3];
            for (unsigned i = 0; i < BURST; i++) {
                uint64_t hash = hashes[at + i];
                const uint8_t *base = memory + (uint64_t)((unsigned __int128)hash * bytes >> 64);
                for (unsigned j = 0; j < 3; j++)
                    __builtin_prefetch(places[i][j] = base + j * 8192 + (hash >> (j * 13) & 8191));
            }
            for (unsigned i = 0; i < BURST; i++)
                sum += (uint64_t)*places[i][0] + *places[i][1] + *places[i][2];
        }
        best_s = least(best_s, worked_s() - start_s);
    }
    free(memory);
    return sum == 0 ? NAN : best_s * 1e9 / ABSENT_KEYS;
}

/* Records read a second with so many reads under way, subjects in an order of chance. */
static double cold_rate(const struct bench *bench, struct bench_world *world, unsigned depth, uint64_t seed)
{
    struct store_view view = store_view(world->store);
    struct lookup_result results[DEPTH_MAX];
    struct subject_record record;
    uint64_t done = 0, n = 0;
    double start_s = bench_now_s(), end_s = start_s;
    while (end_s - start_s < bench->seconds) {
        while (lookup_pending(world->lookup) < depth) {
            uint8_t key[SUBJECT_KEY_SIZE];
            bench_key(bench_mix(seed << 32 | n++) % bench->records, key);
            if (lookup_start(world->lookup, &view, key, n, &record) != LOOKUP_PENDING)
                bench_fail("a record is not in the table");
        }
        lookup_submit(world->lookup);
        unsigned got = lookup_reap(world->lookup, &view, results, DEPTH_MAX);
        for (unsigned i = 0; i < got; i++)
            if (results[i].status != LOOKUP_FOUND)
                bench_fail("lookup ends with %d", results[i].status);
        done += got;
        if (got == 0)
            sched_yield(); /* as a worker does whose poll was empty */
        end_s = bench_now_s();
    }
    while (lookup_pending(world->lookup) > 0)
        lookup_reap(world->lookup, &view, results, DEPTH_MAX);
    return (double)done / (end_s - start_s);
}

static double fio_rate(const struct bench *bench, unsigned depth, uint64_t seed)
{
    char arguments[512];
    snprintf(arguments, sizeof(arguments),
             "--filename=%s/table-1 --readonly --rw=randread --bs=4k --direct=1 --ioengine=io_uring --iodepth=%u "
             "--time_based --runtime=%.0f --randseed=%llu --norandommap",
             bench->directory, depth, bench->seconds, (unsigned long long)seed);
    return bench_fio("read", "iops", arguments);
}

static void cold(const struct bench *bench, struct bench_world *world, struct bench_results *out)
{
    static const unsigned depths[] = {1, 8, 32, 128};
    for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        /* Ours, fio's, fio's, ours: a cache that fills favours neither. */
        double ours = cold_rate(bench, world, depths[i], 1 + i);
        double fio = fio_rate(bench, depths[i], 11 + i);
        fio += fio_rate(bench, depths[i], 21 + i);
        ours += cold_rate(bench, world, depths[i], 31 + i);
        bench_note("depth %3u: %.0f lookups a second, fio %.0f: %.2f", depths[i], ours / 2, fio / 2, ours / fio);
        out->cold_lookups_per_s = ours / 2;
        out->fio_reads_per_s = fio / 2;
        out->cold_lookup_vs_fio = ours / fio;
    }
}

static double fio_write_s(const struct bench *bench, uint64_t bytes)
{
    char arguments[512];
    snprintf(
        arguments, sizeof(arguments),
        "--filename=%s/fio --rw=write --bs=1m --size=%llu --direct=1 --ioengine=io_uring --iodepth=8 --end_fsync=1 "
        "&& rm -f %s/fio",
        bench->directory, (unsigned long long)(bytes / (1 << 20) * (1 << 20)), bench->directory);
    return bench_fio("write", "runtime", arguments) / 1e3;
}

/* For whoever works at the building of tables alone. */
void bench_load_only(const struct bench *bench, struct bench_results *out)
{
    out->load_s = bench_load(bench, bench->records);
    struct bench_world world;
    bench_open(bench, DEPTH_MAX, &world);
    struct store_info info;
    store_info(world.store, &info);
    uint64_t bytes = store_view(world.store).table->shape.pages * DISK_BLOCK_SIZE + info.filter_bytes;
    bench_close(&world);
    double fio_s = fio_write_s(bench, bytes);
    out->load_vs_fio = out->load_s / fio_s;
    bench_note("load: %.1f s, fio writes as many bytes in %.1f s", out->load_s, fio_s);
}

void bench_tables(const struct bench *bench, struct bench_results *out)
{
    struct bench_world world;
    double passing;
    bench_load(bench, SMALL_RECORDS);
    bench_open(bench, DEPTH_MAX, &world);
    struct store_info small, large;
    store_info(world.store, &small);
    double small_ns = absent_ns(&world, &passing);
    bench_close(&world);

    out->load_s = bench_load(bench, bench->records);
    double start_s = bench_now_s();
    bench_open(bench, DEPTH_MAX, &world);
    out->start_s = bench_now_s() - start_s;
    store_info(world.store, &large);
    if (large.filter_damaged || large.table_records != bench->records)
        bench_fail("the table is not whole");
    out->filter_bits = (double)large.filter_bytes * 8 / (double)bench->records;
    out->bytes_per_record = (double)(large.filter_bytes + sizeof(struct table)) / (double)bench->records;
    out->absent_lookup_ns = absent_ns(&world, &passing);
    out->false_positive_rate = passing;
    double small_memory = memory_ns(small.filter_bytes), large_memory = memory_ns(large.filter_bytes);
    /* What is left when the difference that bare memory makes is taken off. */
    out->growth_1m_100m = (out->absent_lookup_ns - (large_memory - small_memory)) / small_ns;
    bench_note("absent: %.1f ns with 1 M, %.1f ns with %.0f M; its memory alone: %.1f ns, %.1f ns", small_ns,
               out->absent_lookup_ns, (double)bench->records * 1e-6, small_memory, large_memory);
    cold(bench, &world, out);
    uint64_t bytes = store_view(world.store).table->shape.pages * DISK_BLOCK_SIZE + large.filter_bytes;
    bench_close(&world);
    double fio_s = fio_write_s(bench, bytes);
    out->load_vs_fio = out->load_s / fio_s;
    bench_note("load: %.1f s, fio writes as many bytes in %.1f s", out->load_s, fio_s);
}
