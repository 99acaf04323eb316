/* The cipher over DPDK's cryptodev: a burst of many keys gives what each message gives alone, however few are kept. */
#include "tests/unit/unit.h"

#include <rte_eal.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/aead_dpdk.h"

#define SIZE 100

struct message {
    struct aead_job job;
    uint8_t key[OSCORE_CCM_KEY_SIZE], data[SIZE + OSCORE_CCM_TAG_SIZE];
};

static struct aead *few, *many;

static int start(void **state)
{
    (void)state;
    char *words[] = {"test_aead", "--no-huge", "--no-pci",     "--no-shconf",       "--no-telemetry",
                     "-m",        "64",        "--lcores=0@0", "--log-level=error", "--file-prefix=test-aead"};
    char error[200];
    const struct aead_dpdk_options options = {.workers = 2, .keys_per_worker = 4};
    if (rte_eal_init((int)(sizeof words / sizeof *words), words) < 0 || !aead_dpdk_start(&options, error, sizeof error))
        return -1;
    few = aead_dpdk_worker(0);
    many = aead_dpdk_worker(1);
    return few && many ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    aead_dpdk_stop();
    return rte_eal_cleanup();
}

static void fill(struct message *message, unsigned key, unsigned number)
{
    memset(message, 0, sizeof *message);
    memset(message->key, (int)key, sizeof message->key);
    memset(message->data, (int)(number + 100), SIZE);
    message->job = (struct aead_job){.key_id = key,
                                     .key = message->key,
                                     .data = message->data,
                                     .size = SIZE,
                                     .nonce = {(uint8_t)number},
                                     .aad_size = 12,
                                     .aad = {(uint8_t)key},
                                     .seal = true};
}

/* Burst after burst over `keys` keys, where four are kept. */
static void agree(unsigned keys)
{
    static struct message burst[AEAD_BURST_MAX], alone;
    struct aead_job *jobs[AEAD_BURST_MAX], *one = &alone.job;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < AEAD_BURST_MAX; i++) {
            fill(&burst[i], (i * 7 + round) % keys, i);
            jobs[i] = &burst[i].job;
        }
        aead_run(few, jobs, AEAD_BURST_MAX);
        for (unsigned i = 0; i < AEAD_BURST_MAX; i++) {
            fill(&alone, (i * 7 + round) % keys, i);
            aead_run(many, &one, 1);
            assert_true(burst[i].job.ok && alone.job.ok);
            assert_memory_equal(burst[i].data, alone.data, sizeof alone.data);
            burst[i].job.seal = false;
            burst[i].job.key_id += 1000; /* a driver's key is for one direction */
            burst[i].data[SIZE] ^= i % 5 == 0;
        }
        aead_run(few, jobs, AEAD_BURST_MAX);
        for (unsigned i = 0; i < AEAD_BURST_MAX; i++) {
            assert_int_equal(burst[i].job.ok, i % 5 != 0);
            if (i % 5 != 0)
                assert_int_equal(burst[i].data[SIZE - 1], i + 100);
        }
    }
}

static void one_key(void **state)
{
    (void)state;
    agree(1);
}

static void more_keys_than_are_kept(void **state)
{
    (void)state;
    agree(5);
    agree(AEAD_BURST_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_key),
        cmocka_unit_test(more_keys_than_are_kept),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
