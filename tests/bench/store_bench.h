/* The parts of the store's benchmark. Each measures beside what it is compared with, in the same run. */
#pragma once

#include <stdio.h>
#include <time.h>

#include "keys/lookup.h"

struct bench {
    char directory[128]; /* of the store; made and removed by the benchmark */
    uint64_t records;
    double seconds; /* for each measurement that runs for a time */
};

/* NAN: not measured. */
struct bench_results {
    double cold_lookup_vs_fio, cold_lookups_per_s, fio_reads_per_s, cached_lookup_vs_fio;
    double absent_lookup_ns, filter_bits, false_positive_rate, growth_1m_100m;
    double load_vs_fio, load_s, start_s, bytes_per_record;
    double single_vs_fio, single_per_s, group_gain, batch_per_s;
    double in_force_ms_p999, fold_latency_factor, requests_lost;
};

static inline double bench_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline uint64_t bench_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Subject i; those from BENCH_ABSENT on have no record. Keys as uniform as keyed hashes are. */
#define BENCH_ABSENT (UINT64_C(1) << 40)
static inline void bench_key(uint64_t i, uint8_t key[SUBJECT_KEY_SIZE])
{
    uint64_t first = bench_mix(i * 2), second = bench_mix(i * 2 + 1);
    memcpy(key, &first, sizeof(first));
    memcpy(key + sizeof(first), &second, sizeof(second));
}
static inline struct subject_record bench_record(uint64_t i, uint64_t version)
{
    struct subject_record record = {.version = version, .since_s = 1580000000, .colour = (uint8_t)(i % 3)};
    bench_key(i, record.key);
    return record;
}

/* Ends the benchmark with a message. */
__attribute__((format(printf, 1, 2), noreturn)) void bench_fail(const char *format, ...);
void bench_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs fio with these arguments and returns a number of its JSON answer: jobs[0].DIRECTION.MEMBER. */
double bench_fio(const char *direction, const char *member, const char *arguments);

#define DEPTH_MAX 128

/* A store thread's and a worker's means in one process. */
struct bench_world {
    struct store *store;
    struct log_reader *reader;
    struct lookup *lookup;
};
void bench_open(const struct bench *bench, unsigned depth, struct bench_world *world);
/* Reads the log to its end and brings the table it names into force. */
void bench_follow(struct bench_world *world);
void bench_close(struct bench_world *world);
double bench_load(const struct bench *bench, uint64_t records);
void bench_clean(const struct bench *bench);

void bench_writes(const struct bench *bench, struct bench_results *out);
void bench_tables(const struct bench *bench, struct bench_results *out);
void bench_loading(const struct bench *bench, struct bench_results *out);
void bench_reads_only(const struct bench *bench, struct bench_results *out);
void bench_reads(const struct bench *bench, struct bench_world *world, struct bench_results *out);
void bench_live(const struct bench *bench, struct bench_results *out);
