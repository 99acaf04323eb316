/* What is served when more arrives than can be: the worker on one core, the load tester's generator on another, a ring
 * pair between them, as in bench_gate, with the overload control that production has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/clock.h"
#include "tests/bench/admission_bench.h"
#include "tests/bench/admission_frames.h"
#include "tests/bench/store_make.h"
#include "tests/load/port.h"
#include "tests/load/random.h"
#include "tests/load/ticks.h"
#include "tests/load/trial.h"

#define RING_DEPTH 4096 /* as the receive queue of a NIC may have */
#define MEMORY_MB 600
#define SEED 1
#define RENEW_AFTER_S 40 /* dynamic credentials live 60 s */
#define TRIAL_S 1.0
#define FLOOD_FACTOR 9 /* forged frames for each honest one */
#define FLOOD_SOURCES 1000000u
#define FLOOD_ADDRESS 0x14000001u /* 20.0.0.1: trusted by nobody */
#define FLOOD_MESSAGES 4096u
#define ROUNDS 3

struct rehearsal {
    struct profile profile;
    struct signer signer;
    struct pool pool;
    struct link link;
    struct load_port *port;
    const struct counters *counters;
    uint64_t made_at_s, cursor;
    char error[256];
};

/* One run at a rate, and what of it was verdicts. */
struct outcome {
    struct load_counts counts;
    struct histogram verdicts; /* their latency */
    uint64_t unheard;          /* frames that the worker dropped so */
    double goodput_per_s, answered_share;
    uint64_t lag_ns; /* 99th percentile of how late requests left */
};

static bool make_pool(struct rehearsal *r)
{
    pool_free(&r->pool);
    r->made_at_s = clock_wall_s();
    r->cursor = 0;
    return pool_make(&r->profile, &r->signer, SEED, r->made_at_s, &r->pool);
}

struct flood {
    struct load_port *port;
    struct link link;
    struct refused_messages messages[REFUSED_COUNT];
    struct random random;
    uint32_t next;
    uint64_t sent;
    struct load_frame spare[LOAD_BURST_MAX];
    unsigned spare_count;
};

/* Forged frames of all kinds in turn, each from a source of its own. */
static void flood_send(struct flood *f, unsigned n)
{
    static const enum refused kinds[] = {REFUSED_STRANGER, REFUSED_UNKNOWN_KID, REFUSED_WRONG_TAG, REFUSED_MALFORMED};
    struct load_frame frames[LOAD_BURST_MAX];
    if (!load_port_take(f->port, frames, n))
        return;
    for (unsigned i = 0; i < n; i++, f->next++) {
        const struct refused_messages *m = &f->messages[kinds[f->next % 4]];
        frames[i].length =
            refused_write(m, &f->link, (uint32_t)random_below(&f->random, FLOOD_SOURCES), f->next, frames[i].data);
    }
    unsigned sent = load_port_send(f->port, 0, frames, n);
    f->sent += sent;
    if (sent < n)
        load_port_free(f->port, frames + sent, n - sent);
}

struct run {
    struct generator *generator;
    struct flood *flood; /* NULL: none */
    double flood_per_tick;
    uint64_t start, end;
};

static int work(void *argument)
{
    struct run *run = argument;
    uint64_t flooded = 0;
    while (generator_step(run->generator)) {
        uint64_t now = ticks_now();
        if (!run->flood || now < run->start || now > run->end)
            continue;
        uint64_t due = (uint64_t)((double)(now - run->start) * run->flood_per_tick);
        unsigned n = due - flooded > LOAD_BURST_MAX ? LOAD_BURST_MAX : (unsigned)(due - flooded);
        if (n > 0)
            flood_send(run->flood, n);
        flooded = due; /* after a pause of the sender no wave comes: the flood is steady */
    }
    return 0;
}

static bool trial(struct rehearsal *r, double rate_per_s, struct flood *flood, struct outcome *out)
{
    const uint64_t *unheard = &r->counters->ended[REASON_UNHEARD], unheard_before = counted(unheard);
    if ((double)(clock_wall_s() - r->made_at_s) + TRIAL_S > RENEW_AFTER_S && !make_pool(r))
        return false;
    struct generator_config config = {.port = r->port,
                                      .link = &r->link,
                                      .pool = &r->pool,
                                      .rate = {{{rate_per_s, rate_per_s, TRIAL_S}}, 1},
                                      .arrivals = ARRIVALS_POISSON,
                                      .seed = SEED,
                                      .shares = 1,
                                      .first_entry = r->cursor,
                                      .timeout_ns = r->profile.timeout_ns};
    struct run run = {.generator = generator_open(&config, r->error, sizeof r->error), .flood = flood};
    if (!run.generator)
        return false;
    run.start = ticks_now() + ticks_of_ns(50000000, ticks_per_s());
    run.end = run.start + ticks_of_ns((uint64_t)(TRIAL_S * 1e9), ticks_per_s());
    run.flood_per_tick = rate_per_s * FLOOD_FACTOR / ticks_per_s();
    generator_start(run.generator, run.start);
    bool started = load_core_start(0, work, &run);
    while (started && !load_core_done(0)) /* without taking time from either core */
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    if (started)
        load_core_wait(0);
    generator_counts(run.generator, &out->counts);
    out->verdicts = *generator_served(run.generator);
    out->lag_ns = histogram_percentile(generator_lag(run.generator), 0.99);
    generator_close(run.generator);
    r->cursor = (r->cursor + out->counts.due) % r->pool.count;
    out->goodput_per_s = (double)out->counts.right / TRIAL_S;
    out->unheard = counted(unheard) - unheard_before;
    out->answered_share = (double)out->counts.right / (double)out->counts.due;
    fprintf(stderr,
            "%9.0f/s: %8.0f verdicts/s, p50 %.0f us, p99 %.0f us; %lu shed, %lu lost, %lu wrong, %lu unheard; sent p99 "
            "%.0f us late\n",
            rate_per_s, out->goodput_per_s, (double)histogram_percentile(&out->verdicts, 0.5) / 1e3,
            (double)histogram_percentile(&out->verdicts, 0.99) / 1e3, out->counts.shed,
            out->counts.lost + out->counts.late + out->counts.unsent, load_counts_wrong(&out->counts), out->unheard,
            (double)out->lag_ns / 1e3);
    return started;
}

static double p99_us(const struct outcome *outcome)
{
    return (double)histogram_percentile(&outcome->verdicts, 0.99) / 1e3;
}

/* The most verdicts a second that any load yields: doubling until not all is served, then around that. */
static double peak_of(struct rehearsal *r, struct outcome *out)
{
    static const double around[] = {0.6, 0.7, 0.8, 0.9, 1.25};
    double rate = 10000, peak = 0;
    /* What one trial failed to serve a pause of the machine may have cost: three in a row are the limit. */
    for (unsigned failed = 0; failed < 3;) {
        if (!trial(r, rate, NULL, out))
            return 0;
        peak = out->goodput_per_s > peak ? out->goodput_per_s : peak;
        failed = out->answered_share > 0.95 ? 0 : failed + 1;
        rate *= failed ? 1 : 2;
    }
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        peak = out->goodput_per_s > peak ? out->goodput_per_s : peak;
        if (!trial(r, rate * around[i], NULL, out))
            return 0;
    }
    return out->goodput_per_s > peak ? out->goodput_per_s : peak;
}

static int by_size(const void *a, const void *b)
{
    double one = *(const double *)a, two = *(const double *)b;
    return one < two ? -1 : one > two;
}

static double median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof *values, by_size);
    return values[ROUNDS / 2];
}

static double resident_kib(void)
{
    unsigned long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%lu %lu", &pages, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static bool flood_open(struct flood *f, const struct rehearsal *r, char *error, size_t error_size)
{
    *f = (struct flood){.port = r->port, .random = random_of(SEED, 'F', 0)};
    for (unsigned kind = 0; kind < REFUSED_COUNT; kind++)
        if (kind != REFUSED_OVER_BUDGET_PROTECTED &&
            !refused_make((enum refused)kind, FLOOD_MESSAGES, 0, &f->messages[kind]))
            return false;
    bool good = link_open(&f->link, load_port_mac(r->port), APPLIANCE_ADDRESS, 5683, FLOOD_ADDRESS, FLOOD_SOURCES,
                          error, error_size);
    link_set_target_mac(&f->link, r->link.target_mac);
    return good;
}

static int measure(struct rehearsal *r)
{
    static struct outcome out;
    static struct flood flood;
    double p99_at_80[ROUNDS], p99_at_10x[ROUNDS], goodput[ROUNDS], honest[ROUNDS], growth = 0;
    double peak = peak_of(r, &out);
    if (peak <= 0 || !flood_open(&flood, r, r->error, sizeof r->error))
        return 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (!trial(r, peak * 0.8, NULL, &out))
            return 1;
        p99_at_80[i] = p99_us(&out);
        if (!trial(r, peak * 10, NULL, &out))
            return 1;
        p99_at_10x[i] = p99_us(&out);
        goodput[i] = out.goodput_per_s;
        double before = resident_kib();
        uint64_t sent = flood.sent;
        if (!trial(r, peak * 0.5, &flood, &out))
            return 1;
        growth += resident_kib() - before;
        honest[i] = out.answered_share;
        fprintf(stderr, "           with %lu forged frames\n", flood.sent - sent);
    }
    double at_80 = median(p99_at_80), at_10x = median(p99_at_10x);
    printf("\"goodput_at_10x\": %.3f, \"latency_factor_at_10x\": %.3f, \"honest_under_flood\": %.5f, "
           "\"peak_per_s\": %.0f, \"latency_us_p99_at_80\": %.0f, \"latency_us_p99_at_10x\": %.0f, "
           "\"flood_memory_growth_kib\": %.0f, \"shed\": %lu, \"unheard\": %lu\n",
           median(goodput) / peak, at_10x / at_80, median(honest), peak, at_80, at_10x, growth,
           counted(&r->counters->ended[REASON_OVERLOAD]), counted(&r->counters->ended[REASON_UNHEARD]));
    return 0;
}

static bool start(struct rehearsal *r, const char *store, struct appliance **out)
{
    struct load_port *ends[2];
    char device[LOAD_PORT_NAME_MAX];
    if (!profile_load(ADMISSION_PROFILE, &r->profile) ||
        !signer_open(&r->signer, SEED, r->profile.issuers, r->profile.issuer_count, SIGN_NONCES) || !make_pool(r) ||
        !store_make(store, &r->profile, &r->signer, SEED, APPLIANCE_POINTS, CHENGMEN_RULES, clock_wall_s(), r->error,
                    sizeof r->error) ||
        !load_environment_start("0@(0,1),1@0,2@1", NULL, 0, MEMORY_MB, r->error, sizeof r->error) ||
        !load_port_pair("admission", RING_DEPTH, ends, device, r->error, sizeof r->error))
        return false;
    r->port = ends[0];
    *out = appliance_start(&(struct appliance_options){.store = store,
                                                       .device = device,
                                                       .core = 1,
                                                       .sheds = true,
                                                       .failure = ADMIT_FAILURE_DEFAULT,
                                                       .failure_all = ADMIT_FAILURE_ALL_DEFAULT},
                           r->error, sizeof r->error);
    if (!*out || !link_open(&r->link, load_port_mac(r->port), APPLIANCE_ADDRESS, 5683, APPLIANCE_POINTS,
                            r->profile.points, r->error, sizeof r->error))
        return false;
    r->counters = appliance_counters(*out);
    link_set_target_mac(&r->link, appliance_mac(*out));
    return true;
}

int admission_overload(void)
{
    static struct rehearsal r;
    char store[] = "/var/tmp/chengmen-admission-XXXXXX";
    struct appliance *appliance = NULL;
    int status = 1;
    if (mkdtemp(store) && start(&r, store, &appliance)) {
        status = measure(&r);
        appliance_stop(appliance);
    }
    if (status != 0)
        fprintf(stderr, "bench_admission: %s\n", r.error);
    store_remove(store);
    return status;
}
