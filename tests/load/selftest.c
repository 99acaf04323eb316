#include "tests/load/selftest.h"

#include <math.h>
#include <stdlib.h>

#include "dataplane/coap.h"
#include "dataplane/reasons.h"
#include "tests/load/echo.h"
#include "tests/load/gaps.h"
#include "tests/load/generator.h"
#include "tests/load/ticks.h"

#define POOL_COUNT 65536
#define POINTS 1000
#define RING_DEPTH 32768
#define TIMEOUT_NS 500000000u
#define GAPS_S 0.5
#define TARGET 0x0a000001 /* 10.0.0.1 */
#define FIRST_POINT 0x0a400000

struct run {
    struct echo_config echo_config;
    struct generator_config config;
    struct load_port *ends[2];
    struct echo *echo;
    struct generator *generator;
    bool over;
    uint64_t *known_ns; /* delays of the answered requests */
    uint64_t known_room, known_count;
    struct histogram error; /* of each latency against its known delay */
    struct load_counts counts;
    struct histogram latency;
    struct gaps gaps[2]; /* of the generator's core and the echo's, before the tests */
};

struct outcome {
    const char *name;
    bool passed;
    char text[400];
};

struct selftest_options selftest_defaults(void)
{
    return (struct selftest_options){.rate_per_s = 100000, .duration_s = 2, .top_rate_per_s = 2000000, .tries = 3};
}

/* Requests as long as real ones; the credential is noise. */
static bool blank_pool(struct pool *pool)
{
    enum { CREDENTIAL = 207, HEAD = 27, LENGTH = HEAD + CREDENTIAL };
    const uint8_t head[HEAD] = {0x48, COAP_POST, 0,    0,    0, 0,    0, 0, 0, 0, 0, 0,    0xb1,      'v',
                                0x11, 60,        0xff, 0xa2, 1, 0x1a, 0, 0, 0, 0, 2, 0x58, CREDENTIAL};
    *pool = (struct pool){.count = POOL_COUNT, .points = POINTS, .messages_size = (uint64_t)POOL_COUNT * LENGTH};
    pool->entries = calloc(POOL_COUNT, sizeof *pool->entries);
    pool->messages = malloc(pool->messages_size);
    if (!pool->entries || !pool->messages)
        return false;
    struct random random = random_of(1, 'P', 0);
    for (uint64_t i = 0; i < POOL_COUNT; i++) {
        uint8_t *message = pool->messages + i * LENGTH;
        memcpy(message, head, HEAD);
        random_fill(&random, message + HEAD, CREDENTIAL);
        uint64_t sum = link_sum(message, LENGTH);
        while (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16);
        pool->entries[i] = (struct pool_entry){
            .offset = i * LENGTH,
            .point = (uint32_t)random_below(&random, POINTS),
            .expected = {COAP_CONTENT, VERDICT_ALLOW, 0, REASON_GREEN, EXPECT_ANY_OBLIGATIONS},
            .length = LENGTH,
            .sum = (uint16_t)sum,
            .id_at = 20,
            .token_free = true,
        };
    }
    return true;
}

static void observe(void *context, uint32_t sequence, uint64_t latency_ns)
{
    struct run *run = context;
    uint64_t known = echo_delay_ns(&run->echo_config, sequence);
    histogram_record(&run->error, latency_ns > known ? latency_ns - known : known - latency_ns);
    if (run->known_count < run->known_room)
        run->known_ns[run->known_count++] = known;
}

static int work_generator(void *argument)
{
    struct run *run = argument;
    while (generator_step(run->generator))
        ;
    __atomic_store_n(&run->over, true, __ATOMIC_RELEASE);
    return 0;
}

static int work_echo(void *argument)
{
    struct run *run = argument;
    while (!__atomic_load_n(&run->over, __ATOMIC_ACQUIRE))
        echo_step(run->echo);
    return 0;
}

/* One run against the echo; false where it cannot be done. */
static bool meet(struct run *run, const struct selftest_options *options, double rate_per_s, char *error,
                 size_t error_size)
{
    double requests = rate_per_s * options->duration_s;
    run->config.rate = (struct rate){{{rate_per_s, rate_per_s, options->duration_s}}, 1};
    run->config.port = run->ends[0];
    run->config.shares = 1;
    run->config.timeout_ns = TIMEOUT_NS;
    run->echo_config.port = run->ends[1];
    run->echo_config.held_max = 16384;
    run->echo_config.seed = 7;
    run->known_room = run->config.observer ? (uint64_t)(requests * 1.1) + 1000 : 0;
    run->known_ns = calloc(run->known_room + 1, sizeof *run->known_ns);
    run->config.observer_context = run;
    run->echo = echo_open(&run->echo_config);
    run->generator = run->echo && run->known_ns ? generator_open(&run->config, error, error_size) : NULL;
    bool ran = false;
    if (run->generator) {
        generator_start(run->generator, ticks_now() + ticks_of_ns(20000000, ticks_per_s()));
        ran = load_core_start(1, work_echo, run) && load_core_start(0, work_generator, run);
        if (!ran)
            run->over = true;
        load_core_wait(0);
        load_core_wait(1);
        generator_counts(run->generator, &run->counts);
        generator_latency(run->generator, &run->latency);
    }
    return ran;
}

static void part(struct run *run)
{
    generator_close(run->generator);
    echo_close(run->echo);
    free(run->known_ns);
}

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static struct outcome judge_truth(struct run *run)
{
    static const double shares[] = {0.5, 0.9, 0.99, 0.999};
    struct outcome outcome = {.name = "percentiles agree with known delays within 2 %"};
    double worst = 0;
    qsort(run->known_ns, run->known_count, sizeof *run->known_ns, by_value);
    for (size_t i = 0; i < 4; i++) {
        double known = (double)run->known_ns[(uint64_t)(shares[i] * (double)(run->known_count - 1))];
        double measured = (double)histogram_percentile(&run->latency, shares[i]);
        worst = fmax(worst, fabs(measured - known) / known);
    }
    uint64_t error_p99 = histogram_percentile(&run->error, 0.99);
    outcome.passed = worst <= 0.02 && run->counts.right == run->counts.sent && run->counts.unsent == 0;
    snprintf(outcome.text, sizeof outcome.text,
             "worst of p50, p90, p99, p99.9: %.2f %% off; %lu requests; error p99 %lu ns", worst * 100,
             run->counts.sent, error_p99);
    return outcome;
}

/* Each request passes four moments at which its core may be away: two on each. */
static struct outcome judge_timing(struct run *run)
{
    struct outcome outcome = {.name = "own timing error at most 1 us at p99"};
    const struct gaps *g = run->gaps;
    uint64_t p99 = histogram_percentile(&run->error, 0.99);
    outcome.passed = p99 <= 1000 && run->counts.right == run->counts.sent;
    snprintf(outcome.text, sizeof outcome.text,
             "p50 %lu ns, p90 %lu ns, p99 %lu ns, p99.9 %lu ns over %lu requests; the machine takes the two cores away "
             "%.0f and %.0f times a second, for %.1f and %.1f us, which meets about %.1f %% of all requests",
             histogram_percentile(&run->error, 0.5), histogram_percentile(&run->error, 0.9), p99,
             histogram_percentile(&run->error, 0.999), run->counts.sent, (double)g[0].count / g[0].duration_s,
             (double)g[1].count / g[1].duration_s, g[0].mean_ns / 1e3, g[1].mean_ns / 1e3,
             200 * (g[0].share + g[1].share));
    return outcome;
}

static struct outcome judge_stall(struct run *run, const struct selftest_options *options)
{
    struct outcome outcome = {.name = "a stall of 100 ms shows in full"};
    uint64_t above = 0;
    for (uint32_t step = 0; step < HISTOGRAM_STEPS; step++)
        if (histogram_step_low(step) >= 50000000)
            above += run->latency.steps[step];
    double expected = options->rate_per_s * 0.05;
    outcome.passed = run->latency.max >= 99900000 && run->latency.max <= 115000000 &&
                     fabs((double)above - expected) <= expected * 0.05 && run->counts.right == run->counts.sent;
    snprintf(outcome.text, sizeof outcome.text, "max %.2f ms; %lu requests waited 50 ms or more, %.0f were due then",
             (double)run->latency.max / 1e6, above, expected);
    return outcome;
}

static struct outcome judge_loss(struct run *run)
{
    struct outcome outcome = {.name = "1 % lost says 1 %"};
    uint64_t dropped = 0;
    for (uint32_t sequence = 0; sequence < run->counts.sent; sequence++)
        dropped += echo_drops(&run->echo_config, sequence);
    double share = (double)run->counts.lost / (double)run->counts.sent;
    outcome.passed = run->counts.lost == dropped && fabs(share - 0.01) < 0.001 &&
                     run->counts.right + run->counts.lost == run->counts.sent;
    snprintf(outcome.text, sizeof outcome.text, "%lu lost of %lu (%.3f %%), the echo dropped %lu", run->counts.lost,
             run->counts.sent, share * 100, dropped);
    return outcome;
}

static struct outcome judge_lies(struct run *run)
{
    struct outcome outcome = {.name = "every wrong verdict and broken checksum is found"};
    uint64_t lies = 0, broken = 0;
    for (uint32_t sequence = 0; sequence < run->counts.sent; sequence++) {
        bool breaks = echo_breaks(&run->echo_config, sequence);
        broken += breaks;
        lies += !breaks && echo_lies(&run->echo_config, sequence);
    }
    outcome.passed = lies > 0 && broken > 0 && run->counts.wrong[WRONG_VERDICT] == lies &&
                     run->counts.checksum_bad == broken && run->counts.lost == broken;
    snprintf(outcome.text, sizeof outcome.text, "%lu of %lu wrong verdicts, %lu of %lu broken checksums",
             run->counts.wrong[WRONG_VERDICT], lies, run->counts.checksum_bad, broken);
    return outcome;
}

static struct outcome judge_speed(struct run *run, const struct selftest_options *options)
{
    struct outcome outcome = {.name = "sends and matches the top rate from one core"};
    const struct histogram *lag = generator_lag(run->generator);
    outcome.passed = run->counts.right == run->counts.due &&
                     run->counts.due >= (uint64_t)(options->top_rate_per_s * options->duration_s * 0.999);
    snprintf(outcome.text, sizeof outcome.text, "%.2f M/s, %lu of %lu right; sent p99 %lu ns after due; p99 %lu ns",
             (double)run->counts.right / options->duration_s / 1e6, run->counts.right, run->counts.due,
             histogram_percentile(lag, 0.99), histogram_percentile(&run->latency, 0.99));
    return outcome;
}

enum test { TRUTH, TIMING, STALL, LOSS, LIES, SPEED, TEST_COUNT };

static void prepare(struct run *run, enum test test, const struct selftest_options *options)
{
    run->config.arrivals = ARRIVALS_POISSON;
    switch (test) {
    case TRUTH:
        run->echo_config.delay = ECHO_EXPONENTIAL;
        run->echo_config.delay_ns = 500000;
        run->config.observer = observe;
        break;
    case TIMING:
        run->echo_config.delay = ECHO_UNIFORM;
        run->echo_config.delay_ns = 100000;
        run->config.observer = observe;
        run->config.arrivals = ARRIVALS_EVEN;
        break;
    case STALL:
        run->echo_config.stall_at_ns = (uint64_t)(options->duration_s * 0.5e9);
        run->echo_config.stall_for_ns = 100000000;
        run->config.arrivals = ARRIVALS_EVEN;
        break;
    case LOSS:
        run->echo_config.drop_share = 0.01;
        break;
    case LIES:
        run->echo_config.wrong_share = 0.001;
        run->echo_config.broken_share = 0.001;
        break;
    default:
        run->config.arrivals = ARRIVALS_EVEN;
    }
}

static struct outcome judge(struct run *run, enum test test, const struct selftest_options *options)
{
    switch (test) {
    case TRUTH:
        return judge_truth(run);
    case TIMING:
        return judge_timing(run);
    case STALL:
        return judge_stall(run, options);
    case LOSS:
        return judge_loss(run);
    case LIES:
        return judge_lies(run);
    default:
        return judge_speed(run, options);
    }
}

static int run_tests(struct run *base, const struct selftest_options *options, FILE *out, char *error,
                     size_t error_size)
{
    int failed = 0;
    for (enum test test = TRUTH; test < TEST_COUNT; test++) {
        struct outcome outcome = {0};
        double rate = test == SPEED ? options->top_rate_per_s : options->rate_per_s;
        for (unsigned attempt = 0; attempt < options->tries && !outcome.passed; attempt++) {
            struct run run = *base;
            prepare(&run, test, options);
            bool ran = meet(&run, options, rate, error, error_size);
            if (ran)
                outcome = judge(&run, test, options);
            part(&run);
            if (!ran)
                return -1;
        }
        failed += !outcome.passed;
        if (options->json)
            fprintf(out, "%s\n  {\"test\": \"%s\", \"passed\": %s, \"text\": \"%s\"}", test == TRUTH ? "[" : ",",
                    outcome.name, outcome.passed ? "true" : "false", outcome.text);
        else
            fprintf(out, "%-6s %s\n       %s\n", outcome.passed ? "ok" : "FAILED", outcome.name, outcome.text);
        fflush(out);
    }
    if (options->json)
        fprintf(out, "\n]\n");
    return failed;
}

/* Both cores at once, as they will be busy. */
static void look_for_gaps(struct run *run)
{
    for (unsigned i = 0; i < 2; i++) {
        run->gaps[i].duration_s = GAPS_S;
        load_core_start(i, gaps_measure, &run->gaps[i]);
    }
    load_core_wait(0);
    load_core_wait(1);
}

int selftest_run(const struct selftest_options *options, FILE *out, char *error, size_t error_size)
{
    struct run base = {0};
    struct pool pool;
    struct link link;
    int failed = -1;
    if (load_core_count() < 2) {
        snprintf(error, error_size, "a self test takes two cores");
        return -1;
    }
    if (!load_port_pair("selftest", RING_DEPTH, base.ends, NULL, error, error_size))
        return -1;
    if (!blank_pool(&pool)) {
        snprintf(error, error_size, "out of memory");
    } else if (link_open(&link, load_port_mac(base.ends[0]), TARGET, COAP_PORT, FIRST_POINT, POINTS, error,
                         error_size)) {
        link_set_target_mac(&link, load_port_mac(base.ends[1]));
        base.config.link = &link;
        base.config.pool = &pool;
        look_for_gaps(&base);
        failed = run_tests(&base, options, out, error, error_size);
    }
    pool_free(&pool);
    load_port_close(base.ends[0]);
    load_port_close(base.ends[1]);
    return failed;
}
