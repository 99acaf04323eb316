/* Every path against libsodium: the same verdict on every case, in bursts of every size.
 * test_ed25519_differential [CASES [SEED [PATH]]], PATH being avx512, avx2 or portable: that one alone */
#include "keys/ed25519/ed25519.h"
#include "keys/ed25519/processor.h"
#include "tests/unit/ed25519_cases.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH 20000
#define BURST_TESTED 65
/* Keys are rebuilt for each batch and path: small tables. */
#define BUDGET_BYTES ((size_t)40 << 20)

static struct test_case cases[BATCH];
static bool expected[BATCH];
static struct case_key keys[CASE_KEYS_MAX];
static struct ed25519_key *prepared[CASE_KEYS_MAX];

static void print_hex(const char *name, const uint8_t *bytes, size_t length)
{
    fprintf(stderr, "%s ", name);
    for (size_t i = 0; i < length; i++)
        fprintf(stderr, "%02x", bytes[i]);
    fprintf(stderr, "\n");
}

static void report(const struct test_case *c, bool sodium_says, unsigned lane, unsigned burst)
{
    fprintf(stderr, "%s differs from libsodium, which %s; place %u of a burst of %u\n", ed25519_engine_name(),
            sodium_says ? "accepts" : "refuses", lane, burst);
    print_hex("key", keys[c->key].encoding, 32);
    print_hex("signature", c->signature, 64);
    print_hex("message", c->message, c->length);
}

static bool batch_agrees(struct case_random *random, unsigned count)
{
    struct ed25519_check checks[BURST_TESTED];
    bool valid[BURST_TESTED];
    for (unsigned at = 0; at < count;) {
        unsigned burst = 1 + case_random_below(random, BURST_TESTED);
        if (burst > count - at)
            burst = count - at;
        for (unsigned i = 0; i < burst; i++) {
            const struct test_case *c = &cases[at + i];
            checks[i] = (struct ed25519_check){c->message, c->length, c->signature, prepared[c->key]};
        }
        ed25519_verify_burst(checks, valid, burst);
        for (unsigned i = 0; i < burst; i++) {
            if (valid[i] != expected[at + i]) {
                report(&cases[at + i], expected[at + i], i, burst);
                return false;
            }
        }
        at += burst;
    }
    return true;
}

/* The paths that the processor has, or the one asked for. Returns their number. */
static unsigned list_paths(enum ed25519_engine paths[3], const char *only)
{
    static const char *const names[] = {"avx512", "avx2", "portable"};
    static const enum ed25519_engine engines[] = {ED25519_AVX512, ED25519_AVX2, ED25519_PORTABLE};
    const bool has[] = {processor_has_avx512_ifma(), processor_has_avx2_fma(), true};
    unsigned count = 0;
    for (unsigned i = 0; i < 3; i++)
        if (only ? strcmp(only, names[i]) == 0 : has[i])
            paths[count++] = engines[i];
    return count;
}

/* Returns false where a path differs or does not start. */
static bool path_agrees(enum ed25519_engine engine, struct case_random *random, unsigned key_count, unsigned count)
{
    char error[160];
    if (!ed25519_start(engine, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        return false;
    }
    for (unsigned i = 0; i < key_count; i++) {
        prepared[i] = ed25519_key_prepare(keys[i].encoding);
        if (!prepared[i])
            abort();
    }
    bool agrees = batch_agrees(random, count);
    for (unsigned i = 0; i < key_count; i++)
        ed25519_key_free(prepared[i]);
    ed25519_stop();
    return agrees;
}

int main(int argc, char **argv)
{
    unsigned long total = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    struct case_random random = {argc > 2 ? strtoull(argv[2], NULL, 10) : 1};
    if (sodium_init() < 0)
        return 1;
    unsigned key_count = case_keys_make(&random, keys);
    case_nonces_make(&random);
    ed25519_configure(key_count, BUDGET_BYTES);

    enum ed25519_engine paths[3];
    unsigned path_count = list_paths(paths, argc > 3 ? argv[3] : NULL);
    if (path_count == 0) {
        fprintf(stderr, "no such path: %s\n", argv[3]);
        return 2;
    }
    unsigned long accepted = 0;
    for (unsigned long done = 0; done < total;) {
        unsigned count = total - done < BATCH ? (unsigned)(total - done) : BATCH;
        for (unsigned i = 0; i < count; i++) {
            struct test_case *c = &cases[i];
            case_make(&random, keys, key_count, c);
            expected[i] = crypto_sign_verify_detached(c->signature, c->message, c->length, keys[c->key].encoding) == 0;
            accepted += expected[i];
        }
        for (unsigned i = 0; i < path_count; i++)
            if (!path_agrees(paths[i], &random, key_count, count))
                return 1;
        done += count;
    }
    printf("%lu cases agree with libsodium on %u paths, of which it accepts %lu\n", total, path_count, accepted);
    /* About two ninths of the mix is accepted; far fewer would mean cases that prove nothing. */
    return accepted > total / 8 ? 0 : 1;
}
