/* bench_sharing [--json]
 * What workers share and write: the points' budgets and the memory of codes that were shown. One thread on one core
 * against two on two cores, each with points and codes of its own, as RSS deals them out. The difference is what a
 * second worker costs the first; everything else that a worker writes for a request is its own. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/clock.h"
#include "dataplane/meter.h"
#include "dataplane/replay.h"
#include "tests/load/random.h"

#define POINTS 30000
#define POINTS_MAX 131072
#define CODES_MAX (1u << 24)
#define OPERATIONS 60000
#define ROUNDS 24

enum shared { BUDGETS, CODES };

struct thread {
    enum shared what;
    unsigned core, round_base;
    double ns; /* an operation took, in the best round: the others were interrupted */
};

static struct meters *budgets;
static struct replay *codes;
static pthread_barrier_t together;

static void operate(enum shared what, uint64_t number, unsigned core, uint64_t now_ns)
{
    struct random random = random_of(1, core + 1, number);
    uint64_t wait_ns, drawn = random_next(&random);
    if (what == BUDGETS) {
        uint32_t point = (uint32_t)(drawn % (POINTS / 2)) * 2 + core;
        meter_take(budgets, (struct bytes){(const uint8_t *)&point, sizeof point}, (struct meter_rate){50000, 50000},
                   now_ns, &wait_ns);
    } else {
        static const uint8_t kid[COSE_KID_SIZE] = {1};
        uint8_t cti[CTI_SIZE];
        memcpy(cti, &drawn, sizeof cti);
        replay_note(codes, kid, cti, (uint32_t)(drawn % POINTS), 0, now_ns / 1000000000);
    }
}

static void *work(void *argument)
{
    struct thread *thread = argument;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(thread->core, &set);
    sched_setaffinity(0, sizeof set, &set);
    pthread_barrier_wait(&together);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t start = clock_monotonic_ns();
        for (uint64_t i = 0; i < OPERATIONS; i++)
            operate(thread->what, (thread->round_base + round) * OPERATIONS + i, thread->core, start);
        double ns = (double)(clock_monotonic_ns() - start) / OPERATIONS;
        if (round == 0 || ns < thread->ns)
            thread->ns = ns;
    }
    return NULL;
}

/* The mean time of an operation with so many threads at once. */
static double measure(enum shared what, unsigned threads)
{
    static unsigned base;
    pthread_t started[2];
    struct thread of[2];
    double sum = 0;
    pthread_barrier_init(&together, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        of[i] = (struct thread){.what = what, .core = i, .round_base = base};
        if (pthread_create(&started[i], NULL, work, &of[i]) != 0)
            exit(2);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(started[i], NULL);
        sum += of[i].ns;
    }
    pthread_barrier_destroy(&together);
    base += ROUNDS;
    return sum / threads;
}

int main(int argc, char **argv)
{
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !json) {
        fprintf(stderr, "usage: bench_sharing [--json]\n");
        return 2;
    }
    budgets = meters_create(POINTS_MAX);
    codes = replay_new(CODES_MAX, 7);
    if (!budgets || !codes) {
        fprintf(stderr, "bench_sharing: out of memory\n");
        return 2;
    }
    double budget_one = measure(BUDGETS, 1), budget_two = measure(BUDGETS, 2);
    double code_one = measure(CODES, 1), code_two = measure(CODES, 2);
    double more = budget_two - budget_one + code_two - code_one;
    if (json)
        printf("{\"budget_ns_one_worker\": %.1f, \"budget_ns_two_workers\": %.1f, \"code_ns_one_worker\": %.1f, "
               "\"code_ns_two_workers\": %.1f, \"second_worker_costs_ns\": %.1f}\n",
               budget_one, budget_two, code_one, code_two, more);
    else
        printf("a point's budget:  %.1f ns with one worker, %.1f ns with two\na code shown:      %.1f ns with one "
               "worker, %.1f ns with two\na second worker costs the first %.1f ns a request\n",
               budget_one, budget_two, code_one, code_two, more);
    meters_destroy(budgets);
    replay_free(codes);
    return 0;
}
