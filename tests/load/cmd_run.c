#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/coap.h"
#include "dataplane/reasons.h"
#include "tests/load/capture.h"
#include "tests/load/cipher.h"
#include "tests/load/commands.h"
#include "tests/load/pool_make.h"
#include "tests/load/report.h"
#include "tests/load/search.h"

/* Dynamic credentials live 60 s. */
#define RENEW_EVERY_S 30.0

struct run {
    bool search, quiet, has_seconds;
    struct route route;
    struct profile profile;
    struct signer signer;
    struct pool pool;
    struct load_port *port;
    struct link link;
    struct contexts contexts; /* none: plain CoAP */
    struct aead *aead;
    uint64_t seed, made_at_s, cursor;
    double peak_per_s, seconds, loss_limit, latency_limit_us;
    const char *json_path, *html_path, *target_text, *contexts_path;
    char error[256];
};

static bool interrupted;

static void interrupt(int signal_number)
{
    (void)signal_number;
    __atomic_store_n(&interrupted, true, __ATOMIC_RELAXED);
}

static bool read_mac(const char *text, uint8_t mac[6])
{
    unsigned bytes[6];
    char rest;
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4], &bytes[5],
               &rest) != 6) {
        complain("'%s' is no hardware address", text);
        return false;
    }
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)bytes[i];
    return true;
}

static bool take_option(struct run *run, int option, const char *value)
{
    double number = 0;
    switch (option) {
    case 't':
        run->target_text = value;
        return read_address(value, &run->route.target, &run->route.target_port);
    case 'p':
        run->route.device = value;
        return true;
    case 'f':
        return read_address(value, &run->route.first_address, NULL);
    case 'm':
        run->route.has_mac = true;
        return read_mac(value, run->route.mac);
    case 'c':
        run->route.cores = value;
        return true;
    case 'j':
        run->json_path = value;
        return true;
    case 'h':
        run->html_path = value;
        return true;
    case 'o':
        run->contexts_path = value;
        return true;
    case 'q':
        run->quiet = true;
        return true;
    case 's':
        if (!read_number(value, 0, 9e15, &number))
            return false;
        run->seed = (uint64_t)number;
        return true;
    case 'r':
        return read_number(value, 1, 1e9, &run->peak_per_s);
    case 'd':
        run->has_seconds = true;
        return read_number(value, 0.05, 86400, &run->seconds);
    case 'l':
        return read_number(value, 0, 100, &run->loss_limit);
    case 'u':
        return read_number(value, 1, 1e9, &run->latency_limit_us);
    default:
        return false;
    }
}

static bool read_arguments(struct run *run, int argc, char **argv)
{
    static const struct option options[] = {
        {"to", required_argument, NULL, 't'},
        {"port", required_argument, NULL, 'p'},
        {"from", required_argument, NULL, 'f'},
        {"to-mac", required_argument, NULL, 'm'},
        {"cores", required_argument, NULL, 'c'},
        {"json", required_argument, NULL, 'j'},
        {"html", required_argument, NULL, 'h'},
        {"contexts", required_argument, NULL, 'o'},
        {"quiet", no_argument, NULL, 'q'},
        {"seed", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 'd'},
        {"loss-limit", required_argument, NULL, 'l'},
        {"latency-limit", required_argument, NULL, 'u'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(run, option, optarg))
            return false;
    if (optind + 1 != argc)
        complain("one profile is wanted");
    else if (!run->target_text || !run->route.device)
        complain("--to and --port are wanted");
    else
        return profile_load(argv[optind], &run->profile);
    return false;
}

/* The profile as the options change it. */
static bool adjust(struct run *run)
{
    struct rate *rate = &run->profile.rate;
    if (run->has_seconds && !run->search) {
        if (rate->count != 1) {
            complain("--seconds goes with a profile of one constant rate");
            return false;
        }
        rate->pieces[0].duration_s = run->profile.duration_s = run->seconds;
    }
    if (run->peak_per_s > 0 && rate_peak_per_s(rate) > 0)
        rate_scale(rate, run->peak_per_s / rate_peak_per_s(rate));
    return true;
}

static bool make_pool(void *context, struct pool *out)
{
    struct run *run = context;
    run->made_at_s = (uint64_t)time(NULL);
    return pool_make(&run->profile, &run->signer, run->seed, run->made_at_s, out);
}

static int prepare(struct run *run)
{
    const struct profile *profile = &run->profile;
    if (profile->capture[0]) {
        if (capture_read(profile->capture, profile->points, profile->capture_speed, &run->pool, run->error,
                         sizeof run->error))
            return EXIT_OK;
        complain("%s", run->error);
        return EXIT_USAGE;
    }
    if (!run->quiet)
        fprintf(stderr, "signing %lu credentials\n", profile->pool);
    if (signer_open(&run->signer, run->seed, profile->issuers, profile->issuer_count, SIGN_NONCES) &&
        make_pool(run, &run->pool))
        return EXIT_OK;
    complain("no memory for %lu requests", profile->pool);
    return EXIT_FINDING;
}

/* The points' security contexts, and a cipher. */
static int prepare_protection(struct run *run)
{
    if (!run->contexts_path)
        return EXIT_OK;
    if (run->pool.due_ns) {
        complain("--contexts: a captured load is sent as it was, plain");
        return EXIT_USAGE;
    }
    if (contexts_read(run->contexts_path, run->profile.points, &run->contexts, run->error, sizeof run->error) &&
        (run->aead = load_cipher_start(run->error, sizeof run->error)) != NULL)
        return EXIT_OK;
    complain("%s", run->error);
    return EXIT_USAGE;
}

static void show(void *context, const struct result *so_far, double now_s, double end_s)
{
    const struct load_counts *c = &so_far->counts;
    const struct series_point *p = so_far->series_count ? &so_far->series[so_far->series_count - 1] : NULL;
    char bar[31];
    int full = (int)(fmin(now_s / end_s, 1) * 30);
    (void)context;
    for (int i = 0; i < 30; i++)
        bar[i] = i < full ? '#' : '.';
    bar[30] = 0;
    fprintf(stderr,
            "\r[%s] %5.1f s  %9.0f/s due %9.0f/s answered  lost %lu late %lu shed %lu wrong %lu  p50 %.0f p99 %.0f max "
            "%.0f us  allow %lu deny %lu other %lu\033[K",
            bar, now_s, p ? p->due_per_s : 0, p ? p->answered_per_s : 0, c->lost + c->unsent, c->late, c->shed,
            load_counts_wrong(c), p ? (double)p->p50_ns / 1e3 : 0, p ? (double)p->p99_ns / 1e3 : 0,
            p ? (double)p->max_ns / 1e3 : 0, c->verdicts[VERDICT_ALLOW] + c->verdicts[VERDICT_ALLOW_WITH_OBLIGATIONS],
            c->verdicts[VERDICT_DENY], c->verdicts[VERDICT_NEED_EVIDENCE] + c->verdicts[VERDICT_REFER]);
}

static struct trial trial_of(struct run *run)
{
    const struct profile *profile = &run->profile;
    bool captured = run->pool.due_ns != NULL;
    return (struct trial){
        .config = {.port = run->port,
                   .link = &run->link,
                   .pool = &run->pool,
                   .rate = profile->rate,
                   .arrivals = profile->arrivals,
                   .seed = run->seed,
                   .shares = 1,
                   .first_entry = run->cursor,
                   .timeout_ns = profile->timeout_ns,
                   .retry_times = profile->retry_times,
                   .retry_after_ns = profile->retry_after_ns,
                   .retry_jitter_ns = profile->retry_jitter_ns,
                   .repeat_share = profile->repeat_share,
                   .repeat_after_ns = profile->repeat_after_ns,
                   .contexts = run->contexts.list ? &run->contexts : NULL,
                   .aead = run->aead},
        .duration_s = captured ? (double)run->pool.due_ns[run->pool.count - 1] * 1e-9 + 0.001 : profile->duration_s,
        .progress = run->quiet || !isatty(STDERR_FILENO) ? NULL : show,
        .stop = &interrupted,
        .renew = captured ? NULL : make_pool,
        .renew_context = run,
        .renew_every_s = RENEW_EVERY_S,
    };
}

/* "CODE", "CODE REASON" of a refusal, "CODE VERDICT REASON" of an answer whose verdict was read. */
static void print_answer(uint8_t code, bool has_verdict, uint8_t verdict, uint8_t reason, FILE *out)
{
    fprintf(out, "%u.%02u", code >> 5, code & 31);
    if (has_verdict)
        fprintf(out, " %s", verdict_name((enum verdict)verdict));
    if (reason != 0 && reason != EXPECT_ANY)
        fprintf(out, " %s", reason_name((enum reason)reason));
}

static void print_sample(const struct wrong_sample *s, FILE *out)
{
    bool read =
        s->code == COAP_CONTENT && s->wrong != WRONG_FORM && s->wrong != WRONG_PROTECTION && s->wrong != WRONG_REPEAT;
    bool refusal = s->expected.code != COAP_CONTENT;
    fprintf(out, "wrong %s: %s request %lu expected ", wrong_name(s->wrong),
            request_kind_name((enum request_kind)s->kind), s->entry);
    print_answer(s->expected.code, !refusal && s->expected.verdict != EXPECT_ANY, s->expected.verdict,
                 refusal ? 0 : s->expected.reason, out);
    fputs(", got ", out);
    print_answer(s->code, read, s->verdict, read || s->code != COAP_CONTENT ? s->reason : 0, out);
    fputc('\n', out);
}

static void print_result(const struct result *result, FILE *out)
{
    const struct load_counts *c = &result->counts;
    const struct histogram *h = &result->latency;
    fprintf(
        out,
        "\ndue %lu, answered %lu, late %lu, lost %lu, unsent %lu, shed %lu, wrong %lu (%.4f %% lost, late or shed)\n"
        "latency from the time due: p50 %.1f us, p90 %.1f us, p99 %.1f us, p99.9 %.1f us, p99.99 %.1f us, max %.1f "
        "us\nsent after due: p99 %.1f us\n",
        c->due, c->answered, c->late, c->lost, c->unsent, c->shed, load_counts_wrong(c), result_loss(result) * 100,
        (double)histogram_percentile(h, 0.5) / 1e3, (double)histogram_percentile(h, 0.9) / 1e3,
        (double)histogram_percentile(h, 0.99) / 1e3, (double)histogram_percentile(h, 0.999) / 1e3,
        (double)histogram_percentile(h, 0.9999) / 1e3, (double)h->max / 1e3,
        (double)histogram_percentile(&result->lag, 0.99) / 1e3);
    for (unsigned i = 0; i < VERDICT_COUNT; i++)
        if (c->verdicts[i])
            fprintf(out, "%-24s %lu\n", verdict_name((enum verdict)i), c->verdicts[i]);
    for (unsigned i = 0; i < result->sample_count; i++)
        print_sample(&result->samples[i], out);
}

/* Why a run that was not good was not, in one line. */
static void print_failure(const struct run *run, const struct result *result, FILE *out)
{
    const struct load_counts *c = &result->counts;
    double loss = result_loss(result) * 100;
    if (c->due == 0)
        fputs("failed: no request was due\n", out);
    else if (c->answered == 0 && c->late == 0)
        fprintf(out, "failed: not one answer came to %lu requests\n", c->due);
    else if (load_counts_wrong(c) > 0)
        fprintf(out, "failed: %lu wrong answers\n", load_counts_wrong(c));
    else if (c->checksum_bad > 0)
        fprintf(out, "failed: %lu frames with a wrong checksum\n", c->checksum_bad);
    else
        fprintf(out, "failed: %.4f %% lost, late or shed, above the limit of %g %%\n", loss, run->loss_limit);
}

/* Exit code of a run; unreachable where not one answer came. */
static int code_of(const struct run *run, const struct result *result)
{
    if (result->counts.answered == 0 && result->counts.late == 0)
        return EXIT_UNREACHABLE;
    return result_good(result, run->loss_limit / 100) ? EXIT_OK : EXIT_FINDING;
}

static struct report_terms terms_of(const struct run *run)
{
    return (struct report_terms){.kind = run->search ? "search" : "run",
                                 .profile = &run->profile,
                                 .target = run->target_text,
                                 .port = run->route.device,
                                 .protection = run->contexts_path ? "OSCORE" : "none",
                                 .seed = run->seed,
                                 .loss_limit = run->loss_limit / 100};
}

static int save(const struct run *run, cJSON *report, int code)
{
    if (report && !report_save(report, run->json_path, run->html_path)) {
        complain("the report could not be written");
        code = EXIT_FINDING;
    }
    cJSON_Delete(report);
    return code;
}

static int run_once(struct run *run)
{
    static struct result result;
    struct trial trial = trial_of(run);
    struct report_terms terms = terms_of(run);
    if (!trial_run(&trial, &result, run->error, sizeof run->error)) {
        complain("%s", run->error);
        return EXIT_FINDING;
    }
    FILE *out = run->json_path && strcmp(run->json_path, "-") == 0 ? stderr : stdout;
    print_result(&result, out);
    int code = save(run, report_of_run(&terms, &result), code_of(run, &result));
    if (code_of(run, &result) != EXIT_OK)
        print_failure(run, &result, out);
    return code;
}

static bool try_rate(void *context, double rate_per_s, double duration_s, struct result *out)
{
    struct run *run = context;
    if ((double)(time(NULL) - (time_t)run->made_at_s) > RENEW_EVERY_S) {
        pool_free(&run->pool);
        if (!make_pool(run, &run->pool))
            return false;
        run->cursor = 0;
    }
    struct trial trial = trial_of(run);
    trial.config.rate = (struct rate){{{rate_per_s, rate_per_s, duration_s}}, 1};
    trial.duration_s = duration_s;
    trial.progress = NULL;
    if (!trial_run(&trial, out, run->error, sizeof run->error))
        return false;
    run->cursor = (run->cursor + out->counts.due) % run->pool.count;
    return true;
}

static void tell(void *context, double rate_per_s, const struct result *result, bool good)
{
    const struct run *run = context;
    if (!run->quiet)
        fprintf(stderr, "%11.0f/s %-4s %.4f %% lost, late or shed, %lu wrong, p99 %.1f us\n", rate_per_s,
                good ? "good" : "bad", result_loss(result) * 100, load_counts_wrong(&result->counts),
                (double)histogram_percentile(&result->latency, 0.99) / 1e3);
}

static int run_search(struct run *run)
{
    static const double shares[] = {0.1, 0.25, 0.5, 0.65, 0.8, 0.9, 0.95};
    static struct result result;
    struct search_options options = search_defaults();
    struct report_terms terms = terms_of(run);
    options.loss_limit = run->loss_limit / 100;
    options.latency_share = run->latency_limit_us > 0 ? 0.99 : 0;
    options.latency_limit_ns = (uint64_t)(run->latency_limit_us * 1e3);
    options.trial_s = run->has_seconds ? run->seconds : options.trial_s;
    options.confirm_s = options.trial_s * 3;
    double highest = search_highest(&options, try_rate, tell, run);
    if (highest <= 0) {
        complain("%s", highest < 0 ? "the search stopped: a wrong verdict, or a trial that could not be run"
                                   : "no rate is without loss");
        return EXIT_FINDING;
    }
    if (!try_rate(run, highest * 0.8, options.confirm_s, &result))
        return EXIT_FINDING;
    cJSON *report = report_of_run(&terms, &result);
    int code = code_of(run, &result);
    report_add_highest(report, highest);
    fprintf(stderr, "highest rate without loss: %.0f/s\n", highest);
    for (size_t i = 0; i < sizeof shares / sizeof *shares && report; i++)
        if (try_rate(run, highest * shares[i], options.trial_s, &result))
            report_add_curve_point(report, shares[i], highest * shares[i], &result);
    return save(run, report, code);
}

int command_run(int argc, char **argv)
{
    static struct run run;
    run = (struct run){
        .search = strcmp(argv[0], "search") == 0, .seed = DEFAULT_SEED, .route.first_address = DEFAULT_FIRST_ADDRESS};
    if (!read_arguments(&run, argc, argv) || !adjust(&run))
        return EXIT_USAGE;
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    int code = route_open(&run.route, run.profile.points, &run.port, &run.link);
    if (code == EXIT_OK)
        code = prepare(&run);
    if (code == EXIT_OK)
        code = prepare_protection(&run);
    if (code == EXIT_OK)
        code = run.search && !run.pool.due_ns ? run_search(&run) : run_once(&run);
    load_port_close(run.port);
    pool_free(&run.pool);
    contexts_free(&run.contexts);
    signer_close(&run.signer);
    return code;
}
