/* Looking up what is in the table, against fio, as often from the disk as it comes and from the host's cache. */
#include <sched.h>

#include "tests/bench/store_bench.h"

/* A range of the table's pages. Each measurement from the disk has one of its own, which nobody has read before. */
struct slice {
    uint64_t first, count;
};
#define DEPTHS 4
#define SLICES (4 * DEPTHS + 1)
#define WARM_PAGES 65536

/* Records read a second with so many reads under way, subjects in an order of chance. */
static double our_rate(const struct bench *bench, struct bench_world *world, unsigned depth, const struct slice *slice)
{
    struct store_view view = store_view(world->store);
    struct lookup_result results[DEPTH_MAX];
    struct subject_record record;
    static uint64_t tries;
    uint64_t done = 0;
    double start_s = bench_now_s(), end_s = start_s;
    while (end_s - start_s < bench->seconds) {
        while (lookup_pending(world->lookup) < depth) {
            uint8_t key[SUBJECT_KEY_SIZE];
            do
                bench_key(bench_mix(tries++) % bench->records, key);
            while (table_home(&view.table->shape, key) - slice->first >= slice->count);
            if (lookup_start(world->lookup, &view, key, 0, &record) != LOOKUP_PENDING)
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

static double fio_rate(const struct bench *bench, unsigned depth, const struct slice *slice, const char *how)
{
    char arguments[512];
    snprintf(
        arguments, sizeof(arguments),
        "--filename=%s/table-1 --readonly --direct=1 --ioengine=io_uring --iodepth=%u --offset=%llu --size=%llu %s",
        bench->directory, depth, (unsigned long long)table_page_offset(slice->first),
        (unsigned long long)(slice->count * DISK_BLOCK_SIZE), how);
    return bench_fio("read", "iops", arguments);
}

static double fio_random_rate(const struct bench *bench, unsigned depth, const struct slice *slice)
{
    char how[128];
    snprintf(how, sizeof(how), "--rw=randread --bs=4k --norandommap --time_based --runtime=%.0f", bench->seconds);
    return fio_rate(bench, depth, slice, how);
}

/* Ours, fio's, fio's, ours: what changes with time or place favours neither. Slices are side by side. */
static double compare(const struct bench *bench, struct bench_world *world, unsigned depth,
                      const struct slice slices[4], const char *name, double *ours, double *fio)
{
    *ours = our_rate(bench, world, depth, &slices[0]);
    *fio = fio_random_rate(bench, depth, &slices[1]);
    *fio = (*fio + fio_random_rate(bench, depth, &slices[2])) / 2;
    *ours = (*ours + our_rate(bench, world, depth, &slices[3])) / 2;
    bench_note("%s, depth %3u: %.0f lookups a second, fio %.0f: %.2f", name, depth, *ours, *fio, *ours / *fio);
    return *ours / *fio;
}

void bench_reads(const struct bench *bench, struct bench_world *world, struct bench_results *out)
{
    static const unsigned depths[DEPTHS] = {1, 8, 32, 128};
    struct slice slices[SLICES];
    double ours, fio;
    uint64_t homes = store_view(world->store).table->shape.homes;
    for (unsigned i = 0; i < SLICES; i++)
        slices[i] = (struct slice){homes * i / SLICES, homes / SLICES};
    for (unsigned i = 0; i < DEPTHS; i++)
        out->cold_lookup_vs_fio = compare(bench, world, depths[i], &slices[4 * i], "from the disk",
                                          &out->cold_lookups_per_s, &out->fio_reads_per_s);
    /* Once more where the host has all in its cache: the last slice, or what of it fits there. */
    struct slice *warm = &slices[SLICES - 1];
    if (warm->count > WARM_PAGES)
        warm->count = WARM_PAGES;
    const struct slice same[4] = {*warm, *warm, *warm, *warm};
    for (unsigned i = 0; i < 2; i++)
        fio_rate(bench, 8, warm, "--rw=read --bs=256k");
    for (unsigned i = 0; i < DEPTHS; i++)
        out->cached_lookup_vs_fio = compare(bench, world, depths[i], same, "from the host's cache", &ours, &fio);
}

void bench_reads_only(const struct bench *bench, struct bench_results *out)
{
    struct bench_world world;
    bench_load(bench, bench->records);
    bench_open(bench, DEPTH_MAX, &world);
    bench_reads(bench, &world, out);
    bench_close(&world);
}
