/* bench_gate [--json] [--profile NAME] [--rules FILE] [--engine NAME] [--rate PER_S] [--seconds S] [--store DIRECTORY]
 *            [--html FILE]
 * The appliance's worker on one core, the load tester's generator on another, a ring pair between them: the highest
 * rate of plain requests without loss, and the latency at 80 % of it. Every verdict is checked. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/clock.h"
#include "dataplane/coap.h"
#include "tests/bench/gate_setup.h"
#include "tests/bench/store_make.h"
#include "tests/bench/target.h"
#include "tests/load/report.h"

#define RING_DEPTH 8192
#define MEMORY_MB 600

struct options {
    bool json;
    const char *profile, *rules, *store, *html;
    enum ed25519_engine engine;
    double rate_per_s; /* 0: search */
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
        {"json", no_argument, NULL, 'j'},
        {"profile", required_argument, NULL, 'p'},
        {"rules", required_argument, NULL, 'r'},
        {"engine", required_argument, NULL, 'e'},
        {"seconds", required_argument, NULL, 't'},
        {"rate", required_argument, NULL, 'n'},
        {"store", required_argument, NULL, 's'},
        {"html", required_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 'j':
            out->json = true;
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
    return optind == argc;
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

static int measure(struct bench_load *load, const struct options *options)
{
    static struct result result;
    struct search_options search = search_defaults();
    double sodium_per_s = libsodium_per_s();
    search.first_per_s = 20000;
    search.trial_s = options->trial_s;
    search.confirm_s = options->trial_s * 3;
    double highest = options->rate_per_s;
    if (highest <= 0)
        highest = search_highest(&search, bench_trial, bench_report, load);
    if (highest <= 0 || !bench_trial(load, highest * 0.8, options->trial_s * 3, &result)) {
        fprintf(stderr, "bench_gate: %s\n", highest < 0 ? load->error : "no rate without loss");
        return 1;
    }
    bench_report(load, highest * 0.8, &result, result_good(&result, 0));
    struct report_terms terms = {"gate", &load->profile, "the worker, in this process", "a ring pair", load->seed, 0};
    cJSON *report = report_of_run(&terms, &result);
    if (!report)
        return 1;
    report_add_highest(report, highest);
    double p99 = (double)histogram_percentile(&result.latency, 0.99) / 1e3;
    double p999 = (double)histogram_percentile(&result.latency, 0.999) / 1e3;
    if (options->json)
        printf("{\n  \"plain_per_s\": %.0f,\n  \"oscore_per_s\": null,\n  \"libsodium_per_s\": %.0f,\n"
               "  \"plain_vs_libsodium\": %.2f,\n  \"latency_us_p99_at_80\": %.2f,\n"
               "  \"latency_us_p999_at_80\": %.2f,\n  \"engine\": \"%s\",\n  \"profile\": \"%s\",\n  \"curve\": [",
               highest, sodium_per_s, highest / sodium_per_s, p99, p999, ed25519_engine_name(), load->profile.name);
    else
        printf(
            "plain verdicts a second on one core:  %.0f\nlibsodium verifies a second:          %.0f (%.1f times)\n"
            "at 80 %% of that:                      p99 %.1f us, p99.9 %.1f us\nengine:                               "
            "%s\n",
            highest, sodium_per_s, highest / sodium_per_s, p99, p999, ed25519_engine_name());
    print_curve(load, highest, options, report);
    if (options->json)
        printf("\n  ]\n}\n");
    bool saved = report_save(report, NULL, options->html);
    cJSON_Delete(report);
    return saved ? 0 : 1;
}

static int run(struct bench_load *load, const struct options *options, const char *store)
{
    struct load_port *ends[2];
    char device[LOAD_PORT_NAME_MAX];
    if (!store_make(store, &load->profile, &load->signer, load->seed, BENCH_FIRST_ADDRESS, options->rules,
                    clock_wall_s(), load->error, sizeof load->error) ||
        !load_environment_start("0@(0,1),1@0,2@1", NULL, 0, MEMORY_MB, load->error, sizeof load->error) ||
        !load_port_pair("gate", RING_DEPTH, ends, device, load->error, sizeof load->error))
        return 2;
    load->port = ends[0];
    struct target_options target_options = {.store = store,
                                            .device = device,
                                            .address = BENCH_TARGET,
                                            .trusted = BENCH_FIRST_ADDRESS & ~((1u << 22) - 1),
                                            .trusted_length = 10,
                                            .core = 1,
                                            .engine = options->engine};
    struct target *target = target_start(&target_options, load->error, sizeof load->error);
    if (!target || !link_open(&load->link, load_port_mac(load->port), BENCH_TARGET, COAP_PORT, BENCH_FIRST_ADDRESS,
                              load->profile.points, load->error, sizeof load->error))
        return 2;
    link_set_target_mac(&load->link, target_mac(target));
    int status = measure(load, options);
    target_stop(target);
    return status;
}

int main(int argc, char **argv)
{
    static struct bench_load load;
    struct options options = {.profile = "bench-gate", .rules = CHENGMEN_RULES, .store = "/var/tmp", .trial_s = 1};
    char store[256];
    if (!read_options(argc, argv, &options)) {
        fprintf(
            stderr,
            "usage: bench_gate [--json] [--profile NAME] [--rules FILE] [--engine NAME] [--rate PER_S] [--seconds S] "
            "[--store DIRECTORY] [--html FILE]\n");
        return 2;
    }
    snprintf(store, sizeof store, "%s/chengmen-gate-XXXXXX", options.store);
    if (!mkdtemp(store)) {
        fprintf(stderr, "bench_gate: %s: %m\n", options.store);
        return 2;
    }
    int status = 2;
    if (bench_load_open(&load, options.profile))
        status = run(&load, &options, store);
    if (status == 2)
        fprintf(stderr, "bench_gate: %s\n", load.error);
    bench_load_close(&load);
    store_remove(store);
    return status;
}
