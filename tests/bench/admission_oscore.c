/* What unprotecting a request and protecting its answer costs. */
#include <rte_cycles.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/aead_dpdk.h"
#include "dataplane/oscore.h"
#include "tests/bench/admission_bench.h"
#include "tests/reference/oscore_reference.h"

/* Multiples of a burst, so that each burst has as many points as requests. */
#define POINTS 1024
#define POINTS_MANY 20032
#define KEYS 4096
#define ROUNDS 320
#define REQUEST_SIZE 230 /* a dynamic credential of 207 bytes, its map, code and options */
#define RESPONSE_SIZE 45
#define ROOM 320

struct city {
    struct oscore *oscore;
    struct oscore_worker *worker;
    struct aead *aead;
    enum point_oscore_alg alg;
    uint32_t count;
    uint64_t sequence;
};

struct datagram {
    uint8_t wire[ROOM], response[ROOM];
    size_t wire_size;
    struct coap_message outer;
    struct oscore_request request;
};

/* All are made before the first is measured, so that the points' own work is not in the way. */
static struct datagram datagrams[ROUNDS][OSCORE_BURST_MAX];
static struct oscore_request *requests[ROUNDS][OSCORE_BURST_MAX];

static struct point point_of(uint32_t id, enum point_oscore_alg alg)
{
    struct point p = {
        .id = id,
        .oscore = {
            .alg = alg, .master_secret = {1}, .master_secret_size = 16, .point_id_size = 4, .appliance_id_size = 1}};
    memcpy(p.oscore.master_secret + 1, &id, sizeof id);
    memcpy(p.oscore.point_id, &id, sizeof id);
    return p;
}

static bool city_begin(struct city *c, struct aead *aead, enum point_oscore_alg alg, uint32_t count)
{
    *c = (struct city){.aead = aead, .alg = alg, .count = count, .oscore = oscore_create(count, 1), .sequence = 256};
    if (c->oscore)
        c->worker = oscore_worker_create(c->oscore, aead);
    for (uint32_t i = 0; c->worker && i < count; i++) {
        struct point p = point_of(i, alg);
        if (oscore_put(c->oscore, &p) != OSCORE_ADDED)
            return false;
    }
    return c->worker != NULL;
}

static void city_end(struct city *c)
{
    aead_forget_all(c->aead);
    oscore_worker_destroy(c->worker);
    oscore_destroy(c->oscore);
}

/* A request as its point makes it; not part of what is measured. */
static void make(const struct city *c, unsigned round, unsigned slot, uint32_t id, const uint8_t *echo)
{
    struct datagram *d = &datagrams[round][slot];
    struct point p = point_of(id, c->alg);
    uint8_t plain[ROOM], sealed[ROOM], option[OSCORE_OPTION_MAX], fill[REQUEST_SIZE];
    memset(fill, 0x42, sizeof fill);
    plain[0] = COAP_POST;
    struct coap_writer inner = coap_write_options(plain + 1, sizeof plain - 1);
    if (echo)
        coap_put_option(&inner, COAP_OPTION_ECHO, (struct bytes){echo, OSCORE_ECHO_SIZE});
    coap_put_payload(&inner, (struct bytes){fill, REQUEST_SIZE - 2});
    size_t option_size,
        size = reference_seal_request(&p.oscore, c->sequence, (struct bytes){plain, 1 + coap_written(&inner)}, option,
                                      &option_size, sealed);
    struct coap_writer out = coap_write(d->wire, sizeof d->wire, COAP_CON, COAP_POST, 1, bytes_of_text("tokn"));
    coap_put_option(&out, COAP_OPTION_OSCORE, (struct bytes){option, option_size});
    coap_put_payload(&out, (struct bytes){sealed, size});
    d->wire_size = coap_written(&out);
    requests[round][slot] = &d->request;
}

/* What the stages before have done to a burst when it comes to ours: it is parsed, and in the cache. */
static void receive(unsigned round)
{
    for (unsigned i = 0; i < OSCORE_BURST_MAX; i++) {
        struct datagram *d = &datagrams[round][i];
        coap_parse((struct bytes){d->wire, d->wire_size}, &d->outer);
        d->request =
            (struct oscore_request){.outer = &d->outer, .response = d->response, .response_size = RESPONSE_SIZE};
        memset(d->response, 0x45, RESPONSE_SIZE);
    }
}

/* Meets the challenges of the points first … first + 63, so that they are taken from then on. */
static bool synchronise(struct city *c, uint32_t first)
{
    uint8_t echo[OSCORE_BURST_MAX][OSCORE_ECHO_SIZE];
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < OSCORE_BURST_MAX; i++)
            make(c, 0, i, (first + i) % c->count, pass ? echo[i] : NULL);
        receive(0);
        oscore_unprotect_burst(c->worker, requests[0], OSCORE_BURST_MAX);
        for (unsigned i = 0; i < OSCORE_BURST_MAX; i++) {
            if (requests[0][i]->reason != (pass ? REASON_NONE : REASON_OSCORE_ECHO))
                return false;
            memcpy(echo[i], requests[0][i]->echo, OSCORE_ECHO_SIZE);
        }
    }
    return true;
}

static int by_size(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;
    return one < two ? -1 : one > two;
}

/* Cycles a request in the median burst, since other programs may run on the core; or 0 where one was not taken or not
 * answered. */
static double measure(struct aead *aead, enum point_oscore_alg alg, uint32_t count)
{
    struct city c;
    static uint64_t took[ROUNDS];
    bool ok = city_begin(&c, aead, alg, count);
    for (uint32_t first = 0; ok && first < count; first += OSCORE_BURST_MAX)
        ok = synchronise(&c, first);
    for (uint32_t round = 0; ok && round < ROUNDS; round++) {
        uint32_t first = round * OSCORE_BURST_MAX % count;
        c.sequence += first == 0;
        for (unsigned i = 0; i < OSCORE_BURST_MAX; i++)
            make(&c, round, i, first + i, NULL);
    }
    for (uint32_t round = 0; ok && round < ROUNDS; round++) {
        receive(round);
        uint64_t begin = rte_rdtsc();
        oscore_unprotect_burst(c.worker, requests[round], OSCORE_BURST_MAX);
        oscore_protect_burst(c.worker, requests[round], OSCORE_BURST_MAX);
        took[round] = rte_rdtsc() - begin;
        for (unsigned i = 0; i < OSCORE_BURST_MAX; i++)
            ok = ok && requests[round][i]->reason == REASON_NONE && requests[round][i]->response_size > RESPONSE_SIZE;
    }
    qsort(took, ROUNDS, sizeof *took, by_size);
    city_end(&c);
    return ok ? (double)took[ROUNDS / 2] / OSCORE_BURST_MAX : 0;
}

int admission_oscore(void)
{
    static char *arguments[] = {"bench_admission", "--no-pci",       "--no-huge",   "-m", "256",
                                "--no-shconf",     "--no-telemetry", "--log-level", "4",  NULL};
    if (rte_eal_init((int)(sizeof arguments / sizeof *arguments) - 1, arguments) < 0)
        return 1;
    char error[128];
    struct aead_dpdk_options options = {.workers = 1, .keys_per_worker = KEYS};
    struct aead *aead = aead_dpdk_start(&options, error, sizeof error) ? aead_dpdk_worker(0) : NULL;
    if (!aead) {
        fprintf(stderr, "bench_admission: %s\n", error);
        return 1;
    }
    double ccm = measure(aead, POINT_OSCORE_AES_CCM, POINTS);
    double chacha = measure(aead, POINT_OSCORE_CHACHA20, POINTS);
    double many = measure(aead, POINT_OSCORE_AES_CCM, POINTS_MANY);
    printf("\"oscore_cycles\": %.0f, \"oscore_cycles_chacha\": %.0f, \"oscore_cycles_many\": %.0f, "
           "\"oscore_driver\": \"%s\"\n",
           ccm, chacha, many, aead_dpdk_driver());
    aead_dpdk_stop();
    rte_eal_cleanup();
    return ccm > 0 && chacha > 0 && many > 0 ? 0 : 1;
}
