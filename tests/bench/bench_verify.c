/* The signature engine against libsodium's crypto_sign_verify_detached, the two taking turns in one thread.
 * bench_verify [--json] [--quick]
 *
 * Messages of 150 bytes and their signatures are streamed from more memory than the cache holds. Times are the
 * thread's CPU time, so that a busy machine disturbs less; a ratio is that of two neighbouring turns, and medians and
 * quartiles are taken over all turns. */
#include "keys/ed25519/ed25519.h"
#include "keys/ed25519/processor.h"
#include "tests/bench/verify_phases.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MESSAGE_SIZE 150
#define ISSUERS_MAX 64
#define DISTINCT 16384
#define STREAMED (DISTINCT * 16) /* of 256 bytes: 64 MiB */
#define TURNS_MAX 61
#define SODIUM_A_TURN 40
#define ENGINE_A_TURN 4096
#define SHARED_BYTES_MAX ((size_t)50000000)
#define KEY_BYTES_MAX ((size_t)4500000)
#define SMALL_KEY_BYTES_MAX ((size_t)400000)

struct signed_message {
    uint8_t message[MESSAGE_SIZE];
    uint8_t signature[64];
    uint8_t unused[256 - MESSAGE_SIZE - 64];
};

struct quartiles {
    double low, median, high;
};

struct result {
    struct quartiles ratio, engine_ns, sodium_ns;
};

static unsigned turns = TURNS_MAX;
static uint8_t public_keys[ISSUERS_MAX][32], secret_keys[ISSUERS_MAX][64];
static struct ed25519_key *prepared[ISSUERS_MAX];
static struct signed_message *stream;

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct quartiles quartiles_of(double values[], unsigned count)
{
    qsort(values, count, sizeof *values, compare);
    return (struct quartiles){values[count / 4], values[count / 2], values[3 * count / 4]};
}

static void fail(const char *why)
{
    fprintf(stderr, "bench_verify: %s\n", why);
    exit(1);
}

/* Message i of the stream is signed by issuer i % issuers: DISTINCT of them, each at many places. */
static void sign_stream(unsigned issuers)
{
    for (unsigned i = 0; i < DISTINCT; i++) {
        randombytes_buf(stream[i].message, MESSAGE_SIZE);
        crypto_sign_detached(stream[i].signature, NULL, stream[i].message, MESSAGE_SIZE, secret_keys[i % issuers]);
    }
    for (unsigned i = DISTINCT; i < STREAMED; i += DISTINCT)
        memcpy(&stream[i], stream, DISTINCT * sizeof *stream);
}

/* Starts the engine and prepares the keys; returns the milliseconds of the median key. */
static double start(enum ed25519_engine engine, unsigned issuers, size_t key_bytes_max)
{
    char error[160];
    double ms[ISSUERS_MAX];
    ed25519_configure(issuers, SIZE_MAX);
    ed25519_configure_limits(SHARED_BYTES_MAX, key_bytes_max);
    if (!ed25519_start(engine, error, sizeof error))
        fail(error);
    for (unsigned i = 0; i < issuers; i++) {
        double from = cpu_ns();
        prepared[i] = ed25519_key_prepare(public_keys[i]);
        ms[i] = (cpu_ns() - from) / 1e6;
        if (!prepared[i])
            fail("no memory for a key's table");
    }
    return quartiles_of(ms, issuers).median;
}

static void stop(unsigned issuers)
{
    for (unsigned i = 0; i < issuers; i++)
        ed25519_key_free(prepared[i]);
    ed25519_stop();
}

/* One turn of the engine from place *at on; returns nanoseconds a signature. */
static double engine_turn(unsigned *at, unsigned issuers, unsigned burst)
{
    struct ed25519_check checks[ED25519_BURST_MAX];
    bool valid[ED25519_BURST_MAX];
    unsigned done = 0, refused = 0;
    double from = cpu_ns();
    for (; done < ENGINE_A_TURN; done += burst) {
        if (*at + burst > STREAMED)
            *at = 0;
        for (unsigned i = 0; i < burst; i++, ++*at)
            checks[i] = (struct ed25519_check){stream[*at].message, MESSAGE_SIZE, stream[*at].signature,
                                               prepared[*at % DISTINCT % issuers]};
        ed25519_verify_burst(checks, valid, burst);
        for (unsigned i = 0; i < burst; i++)
            refused += !valid[i];
    }
    if (refused > 0)
        fail("the engine refuses what is signed well");
    return (cpu_ns() - from) / done;
}

static double sodium_turn(unsigned *at, unsigned issuers)
{
    unsigned refused = 0;
    double from = cpu_ns();
    for (unsigned i = 0; i < SODIUM_A_TURN; i++) {
        *at = (*at + 1) % STREAMED;
        refused += crypto_sign_verify_detached(stream[*at].signature, stream[*at].message, MESSAGE_SIZE,
                                               public_keys[*at % DISTINCT % issuers]) != 0;
    }
    if (refused > 0)
        fail("libsodium refuses what is signed well");
    return (cpu_ns() - from) / SODIUM_A_TURN;
}

static struct result measure(unsigned issuers, unsigned burst)
{
    double ratio[TURNS_MAX], engine_ns[TURNS_MAX], sodium_ns[TURNS_MAX];
    unsigned engine_at = 0, sodium_at = 0;
    engine_turn(&engine_at, issuers, burst); /* warms up */
    for (unsigned i = 0; i < turns; i++) {
        sodium_ns[i] = sodium_turn(&sodium_at, issuers);
        engine_ns[i] = engine_turn(&engine_at, issuers, burst);
        ratio[i] = sodium_ns[i] / engine_ns[i];
    }
    return (struct result){quartiles_of(ratio, turns), quartiles_of(engine_ns, turns), quartiles_of(sodium_ns, turns)};
}

static void print_row(unsigned issuers, unsigned burst, const struct result *r)
{
    printf("%7u %6u %9.0f %9.3f %7.1f %7.1f %7.1f %10.2f\n", issuers, burst, 1e9 / r->engine_ns.median,
           r->engine_ns.median / 1e3, r->ratio.low, r->ratio.median, r->ratio.high, r->sodium_ns.median / 1e3);
}

static void print_heading(void)
{
    struct ed25519_memory memory = ed25519_memory();
    printf("\n%s, windows of %u and %u bits, %u additions; %.1f MB shared, %.3f MB a key, %.1f MB in all\n",
           ed25519_engine_name(), memory.base_width_bits, memory.key_width_bits, memory.additions,
           (double)memory.base_bytes / 1e6, (double)memory.key_bytes / 1e6, (double)memory.total_bytes / 1e6);
    printf("issuers  burst  a second   us each   ratio: quartile, median, quartile   libsodium us\n");
}

/* What the JSON object holds; ratio_avx2 is 0 where the processor has no AVX2. */
struct summary {
    double ratio_4, ratio_16, ratio_64_small, ratio_16_burst_16, ratio_avx2, ratio_portable, per_second_16, table_ms;
    char engine[16];
};

/* Every count of issuers and every burst on the best path. */
static void measure_path(enum ed25519_engine engine, bool json, struct summary *summary)
{
    static const unsigned issuer_counts[] = {1, 4, 16, 64}, bursts[] = {1, 8, 16, 32, 64};
    for (unsigned i = 0; i < 4; i++) {
        unsigned issuers = issuer_counts[i];
        if (json && issuers != 4 && issuers != 16)
            continue;
        sign_stream(issuers);
        double table_ms = start(engine, issuers, KEY_BYTES_MAX);
        if (!json)
            print_heading();
        for (unsigned b = 0; b < 5; b++) {
            if (json && bursts[b] != 64 && !(issuers == 16 && bursts[b] == 16))
                continue;
            struct result r = measure(issuers, bursts[b]);
            if (!json)
                print_row(issuers, bursts[b], &r);
            if (issuers == 4 && bursts[b] == 64)
                summary->ratio_4 = r.ratio.median;
            if (issuers == 16 && bursts[b] == 16)
                summary->ratio_16_burst_16 = r.ratio.median;
            if (issuers == 16 && bursts[b] == 64) {
                summary->ratio_16 = r.ratio.median;
                summary->per_second_16 = 1e9 / r.engine_ns.median;
                summary->table_ms = table_ms;
            }
        }
        if (issuers == 16)
            snprintf(summary->engine, sizeof summary->engine, "%s", ed25519_engine_name());
        stop(issuers);
    }
}

static double measure_one(enum ed25519_engine engine, unsigned issuers, size_t key_bytes_max, bool json)
{
    sign_stream(issuers);
    start(engine, issuers, key_bytes_max);
    struct result r = measure(issuers, 64);
    if (!json) {
        print_heading();
        print_row(issuers, 64, &r);
    }
    stop(issuers);
    return r.ratio.median;
}

static void print_phases(void)
{
    struct verify_phases phases;
    if (!processor_has_avx512_ifma() || !verify_phases_measure(&phases)) {
        printf("\nno phases: no AVX-512 IFMA\n");
        return;
    }
    printf("\nns a signature by phase, 8 lanes, hot tables: hash %.1f, reduction and digits %.1f, curve %.1f (%.2f an "
           "addition), encoding %.1f in bursts of 64\n",
           phases.hash_ns, phases.reduction_ns, phases.curve_ns, phases.addition_ns, phases.encoding_ns);
    printf(
        "the same in cycles at %.2f GHz: hash %.0f, reduction and digits %.0f, curve %.0f (%.1f an addition), encoding "
        "%.0f\n",
        phases.ghz, phases.hash_ns * phases.ghz, phases.reduction_ns * phases.ghz, phases.curve_ns * phases.ghz,
        phases.addition_ns * phases.ghz, phases.encoding_ns * phases.ghz);
}

int main(int argc, char **argv)
{
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            turns = 11;
        } else {
            bool help = strcmp(argv[i], "--help") == 0;
            fprintf(help ? stdout : stderr, "usage: bench_verify [--json] [--quick]\n");
            return help ? 0 : 2;
        }
    }
    if (sodium_init() < 0)
        fail("libsodium does not start");
    stream = calloc(STREAMED, sizeof *stream);
    if (!stream)
        fail("no memory for the messages");
    for (unsigned i = 0; i < ISSUERS_MAX; i++)
        crypto_sign_keypair(public_keys[i], secret_keys[i]);

    struct summary summary = {0};
    measure_path(ED25519_AUTO, json, &summary);
    summary.ratio_64_small = measure_one(ED25519_AUTO, 64, SMALL_KEY_BYTES_MAX, json);
    if (processor_has_avx2_fma())
        summary.ratio_avx2 = measure_one(ED25519_AVX2, 16, KEY_BYTES_MAX, json);
    summary.ratio_portable = measure_one(ED25519_PORTABLE, 16, KEY_BYTES_MAX, json);
    if (json)
        printf("{\"engine\": \"%s\", \"ratio_4_issuers\": %.1f, \"ratio_16_issuers\": %.1f, "
               "\"ratio_64_issuers_small\": %.1f, \"ratio_16_issuers_burst_16\": %.1f, \"ratio_avx2\": %.1f, "
               "\"ratio_portable\": %.2f, \"per_second_16_issuers\": %.0f, \"table_ms\": %.2f}\n",
               summary.engine, summary.ratio_4, summary.ratio_16, summary.ratio_64_small, summary.ratio_16_burst_16,
               summary.ratio_avx2, summary.ratio_portable, summary.per_second_16, summary.table_ms);
    else
        print_phases();
    free(stream);
    return 0;
}
