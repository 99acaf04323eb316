/* Changes: one at a time, 64 writers at once, a million at once. */
#include "tests/bench/store_bench.h"

#define GROUP 64
#define BATCH 1000000
#define BATCH_RECORDS (LOG_PAYLOAD_MAX / sizeof(struct subject_record))

static void append(struct log_writer *writer, uint64_t i)
{
    struct subject_record record = bench_record(i, i);
    if (log_writer_append(writer, LOG_SUBJECT, (struct bytes){(const uint8_t *)&record, sizeof(record)}, NULL) !=
        LOG_OK)
        bench_fail("%s", log_writer_error(writer));
}

/* Acknowledged changes a second when so many wait for each commit. */
static double rate(const struct bench *bench, struct log_writer *writer, unsigned waiting)
{
    uint64_t done = 0;
    double start_s = bench_now_s(), end_s = start_s;
    while (end_s - start_s < bench->seconds) {
        for (unsigned i = 0; i < waiting; i++)
            append(writer, ++done);
        if (log_writer_commit(writer) != LOG_OK)
            bench_fail("%s", log_writer_error(writer));
        end_s = bench_now_s();
    }
    return (double)done / (end_s - start_s);
}

static double batch(struct log_writer *writer)
{
    static struct subject_record records[BATCH_RECORDS];
    double start_s = bench_now_s();
    for (uint64_t done = 0; done < BATCH;) {
        uint64_t n = BATCH - done < BATCH_RECORDS ? BATCH - done : BATCH_RECORDS;
        for (uint64_t i = 0; i < n; i++)
            records[i] = bench_record(done + i, 1);
        if (log_writer_append(writer, LOG_SUBJECT, (struct bytes){(const uint8_t *)records, n * sizeof(*records)},
                              NULL) != LOG_OK)
            bench_fail("%s", log_writer_error(writer));
        done += n;
    }
    if (log_writer_commit(writer) != LOG_OK)
        bench_fail("%s", log_writer_error(writer));
    return BATCH / (bench_now_s() - start_s);
}

static double fio_rate(const struct bench *bench)
{
    char arguments[512];
    snprintf(
        arguments, sizeof(arguments),
        "--filename=%s/fio --rw=write --bs=4k --size=64m --ioengine=psync --fdatasync=1 --time_based --runtime=%.0f "
        "&& rm -f %s/fio",
        bench->directory, bench->seconds, bench->directory);
    return bench_fio("write", "iops", arguments);
}

void bench_writes(const struct bench *bench, struct bench_results *out)
{
    char error[256];
    struct log_writer *writer;
    bench_clean(bench);
    if (log_writer_open(bench->directory, &writer, error, sizeof(error)) != LOG_OK)
        bench_fail("%s", error);
    rate(bench, writer, 1);
    double before = fio_rate(bench);
    out->single_per_s = rate(bench, writer, 1);
    double fio = (before + fio_rate(bench)) / 2;
    double group = rate(bench, writer, GROUP);
    out->single_vs_fio = out->single_per_s / fio;
    out->group_gain = group / out->single_per_s;
    out->batch_per_s = batch(writer);
    bench_note("changes a second: single %.0f (fio %.0f), %d at once %.0f, a million %.0f", out->single_per_s, fio,
               GROUP, group, out->batch_per_s);
    log_writer_close(writer);
}
