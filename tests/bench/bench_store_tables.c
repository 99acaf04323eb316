/* Tables: building, starting, and looking up what is not there, against fio and against bare memory. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/bench/store_bench.h"

#define BURST 32
/* So few at a time that they themselves stay near the processor, as in a worker, which has just made them. */
#define ABSENT_KEYS (1u << 13)
#define ABSENT_ROUNDS 160

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

static const uint8_t *place_of(const uint8_t *memory, uint64_t bytes, uint64_t hash, unsigned j)
{
    return memory + (uint64_t)((unsigned __int128)hash * bytes >> 64) + j * 8192 + (hash >> (j * 13) & 8191);
}

/* Nanoseconds for the memory accesses alone that such a lookup makes, in memory of that size: three bytes of a filter
 * within 24 KiB at places that a hash tells, in bursts of the same size, prefetched alike. */
static double memory_ns(uint64_t bytes)
{
    static uint64_t keys[ABSENT_KEYS];
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
            keys[i] = bench_mix(round * ABSENT_KEYS + i);
        double start_s = worked_s();
        for (unsigned at = 0; at < ABSENT_KEYS; at += BURST) {
            for (unsigned i = at; i < at + BURST; i++)
                for (unsigned j = 0; j < 3; j++)
                    __builtin_prefetch(place_of(memory, bytes, bench_mix(keys[i]), j));
            for (unsigned i = at; i < at + BURST; i++)
                for (unsigned j = 0; j < 3; j++)
                    sum += *place_of(memory, bytes, bench_mix(keys[i]), j);
        }
        best_s = least(best_s, worked_s() - start_s);
    }
    free(memory);
    return sum == 0 ? NAN : best_s * 1e9 / ABSENT_KEYS;
}

/* What one size of table costs. */
struct size {
    uint64_t records;
    double absent_ns, memory_ns, passing;
};

static void measure(struct bench_world *world, struct size *size)
{
    struct store_info info;
    store_info(world->store, &info);
    if (info.filter_damaged || info.table_records != size->records)
        bench_fail("the table is not whole");
    size->absent_ns = absent_ns(world, &size->passing);
    size->memory_ns = memory_ns(info.filter_bytes);
    bench_note("absent, %9.1f M records: %5.1f ns; its memory accesses alone: %5.1f ns", (double)size->records * 1e-6,
               size->absent_ns, size->memory_ns);
}

/* The sizes below the largest, which is the one that everything else is measured with. */
static void measure_smaller(const struct bench *bench, struct size *smallest)
{
    static const uint64_t sizes[] = {1000000, 3000000, 10000000, 30000000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && (i == 0 || sizes[i] < bench->records); i++) {
        struct size size = {.records = sizes[i]};
        struct bench_world world;
        bench_load(bench, size.records);
        bench_open(bench, DEPTH_MAX, &world);
        measure(&world, &size);
        bench_close(&world);
        if (i == 0)
            *smallest = size;
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

/* Out of the page cache, as after the machine's start. */
static void drop_filter(const struct bench *bench)
{
    char path[192];
    snprintf(path, sizeof(path), "%s/filter-1", bench->directory);
    int file = open(path, O_RDONLY);
    if (file < 0 || posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0)
        bench_fail("cannot drop %s from the cache", path);
    close(file);
}

/* Building a table, beside writing as many bytes. */
void bench_loading(const struct bench *bench, struct bench_results *out)
{
    struct bench_world world;
    struct store_info info;
    out->load_s = bench_load(bench, bench->records);
    drop_filter(bench);
    double start_s = bench_now_s();
    bench_open(bench, DEPTH_MAX, &world);
    out->start_s = bench_now_s() - start_s;
    store_info(world.store, &info);
    uint64_t bytes = store_view(world.store).table->shape.pages * DISK_BLOCK_SIZE + info.filter_bytes;
    out->filter_bits = (double)info.filter_bytes * 8 / (double)bench->records;
    out->bytes_per_record = (double)(info.filter_bytes + sizeof(struct table)) / (double)bench->records;
    bench_close(&world);
    double fio_s = fio_write_s(bench, bytes);
    out->load_vs_fio = out->load_s / fio_s;
    bench_note("load: %.1f s, fio writes as many bytes in %.1f s; start: %.2f s", out->load_s, fio_s, out->start_s);
}

void bench_tables(const struct bench *bench, struct bench_results *out)
{
    struct bench_world world;
    struct size smallest, largest = {.records = bench->records};
    measure_smaller(bench, &smallest);
    bench_loading(bench, out);
    bench_open(bench, DEPTH_MAX, &world);
    measure(&world, &largest);
    out->absent_lookup_ns = largest.absent_ns;
    out->false_positive_rate = largest.passing;
    /* What is left when the difference that bare memory makes is taken off. */
    out->growth_1m_100m = (largest.absent_ns - (largest.memory_ns - smallest.memory_ns)) / smallest.absent_ns;
    bench_reads(bench, &world, out);
    bench_close(&world);
}
