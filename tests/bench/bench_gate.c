/* bench_gate [--json] [--plain | --oscore] [--profile NAME] [--rules FILE] [--engine NAME] [--rate PER_S] [--seconds S]
 *            [--subjects N] [--store DIRECTORY] [--html FILE]
 * The appliance's worker on one core, the load tester's generator on another, a ring pair between them: the highest
 * rate of plain requests without loss, and the latency at 80 % of it; then the same requests under OSCORE (AES-CCM), as
 * many security contexts as points. Every verdict is checked, and every protected answer opened. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/aead_dpdk.h"
#include "dataplane/clock.h"
#include "dataplane/coap.h"
#include "tests/bench/gate_setup.h"
#include "tests/bench/store_make.h"
#include "tests/bench/target.h"
#include "tests/load/report.h"

#define RING_DEPTH 8192
#define MEMORY_MB 700
/* Expanded keys that each cipher keeps: what chengmen-dataplane keeps for a worker. */
#define CIPHER_KEYS 8192

struct options {
    bool json, no_plain, no_oscore;
    const char *profile, *rules, *store, *html;
    enum ed25519_engine engine;
    double rate_per_s; /* 0: search */
    uint64_t subjects; /* 0: as the profile says */
    double trial_s;    /* of a step of the search; the confirmation and the latency take longer */
};

/* Verifications a second of libsodium on this core: what the figure is held against. */
static double libsodium_per_s(void)
{
    uint8_t public_key[32], secret_key[64], signature[64], message[200] = {0};
    uint64_t count = 0, start, now;
    crypto_sign_keypair(public_key, secret_key);
    crypto_sign_detached(signature, NULL, message, sizeof message, secret_key);
    start = now = clock_monotonic_ns();
    for (; now - start < 500000000; now = clock_monotonic_ns(), count++)
        if (crypto_sign_verify_detached(signature, message, sizeof message, public_key) != 0)
            return 0;
    return (double)count * 1e9 / (double)(now - start);
}

static bool read_engine(const char *name, enum ed25519_engine *out)
{
    static const char *const names[] = {"auto", "avx512", "avx2", "portable", "sodium"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum ed25519_engine)i;
            return true;
        }
    return false;
}

static bool read_options(int argc, char **argv, struct options *out)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},           {"plain", no_argument, NULL, 'c'},
        {"oscore", no_argument, NULL, 'o'},         {"profile", required_argument, NULL, 'p'},
        {"rules", required_argument, NULL, 'r'},    {"engine", required_argument, NULL, 'e'},
        {"seconds", required_argument, NULL, 't'},  {"rate", required_argument, NULL, 'n'},
        {"store", required_argument, NULL, 's'},    {"html", required_argument, NULL, 'h'},
        {"subjects", required_argument, NULL, 'u'}, {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 'j':
            out->json = true;
            break;
        case 'c':
            out->no_oscore = true;
            break;
        case 'o':
            out->no_plain = true;
            break;
        case 'p':
            out->profile = optarg;
            break;
        case 'r':
            out->rules = optarg;
            break;
        case 'h':
            out->html = optarg;
            break;
        case 'u':
            out->subjects = strtoull(optarg, NULL, 10);
            break;
        case 's':
            out->store = optarg;
            break;
        case 't':
            out->trial_s = atof(optarg);
            break;
        case 'n':
            out->rate_per_s = atof(optarg);
            break;
        case 'e':
            if (!read_engine(optarg, &out->engine))
                return false;
            break;
        default:
            return false;
        }
    return optind == argc && !(out->no_plain && out->no_oscore);
}

/* Prints the latency at shares of the highest rate, and adds it to the report. */
static void print_curve(struct bench_load *load, double highest, const struct options *options, cJSON *report)
{
    static const double shares[] = {0.1, 0.25, 0.5, 0.65, 0.8, 0.9, 0.95};
    static struct result result;
    const char *comma = "";
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        if (!bench_trial(load, highest * shares[i], options->trial_s, &result))
            return;
        report_add_curve_point(report, shares[i], highest * shares[i], &result);
        double p50 = (double)histogram_percentile(&result.latency, 0.5) / 1e3;
        double p99 = (double)histogram_percentile(&result.latency, 0.99) / 1e3;
        double p999 = (double)histogram_percentile(&result.latency, 0.999) / 1e3;
        if (options->json)
            printf("%s\n    {\"load\": %.2f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f}", comma, shares[i],
                   p50, p99, p999);
        else
            printf("  at %2.0f %% (%9.0f/s): p50 %8.1f us, p99 %8.1f us, p99.9 %8.1f us\n", shares[i] * 100,
                   highest * shares[i], p50, p99, p999);
        comma = ",";
    }
}

/* What was found of one kind of request. */
struct figures {
    double highest_per_s;   /* 0: not asked for */
    double p99_us, p999_us; /* at 80 % of it */
};

static bool find(struct bench_load *load, const struct options *options, struct figures *out, struct result *result)
{
    struct search_options search = search_defaults();
    search.first_per_s = 20000;
    search.trial_s = options->trial_s;
    search.confirm_s = options->trial_s * 3;
    out->highest_per_s = options->rate_per_s;
    if (out->highest_per_s <= 0)
        out->highest_per_s = search_highest(&search, bench_trial, bench_report, load);
    if (out->highest_per_s <= 0 || !bench_trial(load, out->highest_per_s * 0.8, options->trial_s * 3, result)) {
        fprintf(stderr, "bench_gate: %s\n", out->highest_per_s < 0 ? load->error : "no rate without loss");
        return false;
    }
    bench_report(load, out->highest_per_s * 0.8, result, result_good(result, 0));
    out->p99_us = (double)histogram_percentile(&result->latency, 0.99) / 1e3;
    out->p999_us = (double)histogram_percentile(&result->latency, 0.999) / 1e3;
    return true;
}

static void print_figure(const char *name, double value, int digits)
{
    if (value > 0)
        printf("  \"%s\": %.*f,\n", name, digits, value);
    else
        printf("  \"%s\": null,\n", name);
}

static void print_figures(const struct figures *plain, const struct figures *oscore, double sodium_per_s,
                          const struct options *options, const char *profile)
{
    if (!options->json) {
        const struct {
            const char *name;
            const struct figures *figures;
        } rows[] = {{"plain verdicts", plain}, {"verdicts under OSCORE", oscore}};
        for (size_t i = 0; i < 2; i++)
            if (rows[i].figures->highest_per_s > 0)
                printf("%-21s a second on one core: %.0f, %.1f times libsodium's verifications; at 80 %%: p99 %.1f us, "
                       "p99.9 %.1f us\n",
                       rows[i].name, rows[i].figures->highest_per_s, rows[i].figures->highest_per_s / sodium_per_s,
                       rows[i].figures->p99_us, rows[i].figures->p999_us);
        printf("libsodium: %.0f verifications a second; engine: %s\n", sodium_per_s, ed25519_engine_name());
        return;
    }
    printf("{\n");
    print_figure("plain_per_s", plain->highest_per_s, 0);
    print_figure("oscore_per_s", oscore->highest_per_s, 0);
    print_figure("libsodium_per_s", sodium_per_s, 0);
    print_figure("plain_vs_libsodium", plain->highest_per_s / sodium_per_s, 2);
    print_figure("latency_us_p99_at_80", plain->p99_us, 2);
    print_figure("latency_us_p999_at_80", plain->p999_us, 2);
    print_figure("oscore_latency_us_p99_at_80", oscore->p99_us, 2);
    print_figure("oscore_latency_us_p999_at_80", oscore->p999_us, 2);
    printf("  \"engine\": \"%s\",\n  \"profile\": \"%s\",\n  \"curve\": [", ed25519_engine_name(), profile);
}

/* The report shows the plain load, or the protected one where that is all. */
static int measure(struct bench_load *load, struct contexts *contexts, const struct options *options)
{
    static struct result shown, other;
    struct figures plain = {0}, oscore = {0};
    double sodium_per_s = libsodium_per_s();
    if (!options->no_plain && !find(load, options, &plain, &shown))
        return 1;
    if (!options->no_oscore) {
        load->contexts = contexts;
        if (!find(load, options, &oscore, options->no_plain ? &shown : &other))
            return 1;
        load->contexts = options->no_plain ? contexts : NULL;
    }
    const struct figures *figures = options->no_plain ? &oscore : &plain;
    struct report_terms terms = {"gate",
                                 &load->profile,
                                 "the worker, in this process",
                                 "a ring pair",
                                 options->no_plain ? "OSCORE" : "none",
                                 load->seed,
                                 0};
    cJSON *report = report_of_run(&terms, &shown);
    if (!report)
        return 1;
    report_add_highest(report, figures->highest_per_s);
    print_figures(&plain, &oscore, sodium_per_s, options, load->profile.name);
    print_curve(load, figures->highest_per_s, options, report);
    if (options->json)
        printf("\n  ]\n}\n");
    bool saved = report_save(report, NULL, options->html);
    cJSON_Delete(report);
    return saved ? 0 : 1;
}

/* One cipher for the worker and one for the generator. */
static bool start_protection(struct bench_load *load, struct contexts *contexts, struct aead **worker)
{
    const struct aead_dpdk_options options = {.workers = 2, .keys_per_worker = CIPHER_KEYS};
    snprintf(load->error, sizeof load->error, "no memory for %u security contexts", load->profile.points);
    return contexts_of_seed(load->seed, load->profile.points, contexts) &&
           aead_dpdk_start(&options, load->error, sizeof load->error) && (*worker = aead_dpdk_worker(0)) != NULL &&
           (load->aead = aead_dpdk_worker(1)) != NULL;
}

static int run(struct bench_load *load, const struct options *options, const char *store)
{
    struct load_port *ends[2];
    struct contexts contexts = {0};
    struct aead *aead = NULL;
    char device[LOAD_PORT_NAME_MAX];
    if (!store_make(store, &load->profile, &load->signer, load->seed, BENCH_FIRST_ADDRESS, options->rules,
                    clock_wall_s(), load->error, sizeof load->error) ||
        !load_environment_start("0@(0,1),1@0,2@1", NULL, 0, MEMORY_MB, load->error, sizeof load->error) ||
        !load_port_pair("gate", RING_DEPTH, ends, device, load->error, sizeof load->error) ||
        (!options->no_oscore && !start_protection(load, &contexts, &aead)))
        return 2;
    load->port = ends[0];
    struct target_options target_options = {.store = store,
                                            .device = device,
                                            .address = BENCH_TARGET,
                                            .trusted = BENCH_FIRST_ADDRESS & ~((1u << 22) - 1),
                                            .trusted_length = 10,
                                            .points = load->profile.points,
                                            .core = 1,
                                            .aead = aead,
                                            .engine = options->engine};
    struct target *target = target_start(&target_options, load->error, sizeof load->error);
    if (!target || !link_open(&load->link, load_port_mac(load->port), BENCH_TARGET, COAP_PORT, BENCH_FIRST_ADDRESS,
                              load->profile.points, load->error, sizeof load->error))
        return 2;
    link_set_target_mac(&load->link, target_mac(target));
    int status = measure(load, &contexts, options);
    target_stop(target);
    contexts_free(&contexts);
    return status;
}

int main(int argc, char **argv)
{
    static struct bench_load load;
    struct options options = {.profile = "bench-gate", .rules = CHENGMEN_RULES, .store = "/var/tmp", .trial_s = 1};
    char store[256];
    if (!read_options(argc, argv, &options)) {
        fprintf(stderr, "usage: bench_gate [--json] [--plain | --oscore] [--profile NAME] [--rules FILE] [--engine "
                        "NAME] [--rate PER_S] [--seconds S] "
                        "[--subjects N] [--store DIRECTORY] [--html FILE]\n");
        return 2;
    }
    snprintf(store, sizeof store, "%s/chengmen-gate-XXXXXX", options.store);
    if (!mkdtemp(store)) {
        fprintf(stderr, "bench_gate: %s: %m\n", options.store);
        return 2;
    }
    int status = 2;
    if (bench_load_open(&load, options.profile, options.subjects))
        status = run(&load, &options, store);
    if (status == 2)
        fprintf(stderr, "bench_gate: %s\n", load.error);
    bench_load_close(&load);
    store_remove(store);
    return status;
}
