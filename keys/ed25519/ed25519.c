#include "keys/ed25519/ed25519.h"

#include "keys/ed25519/key.h"
#include "keys/ed25519/memory.h"
#include "keys/ed25519/processor.h"
#include "keys/ed25519/self_test.h"
#include "keys/ed25519/table_x4.h"
#include "keys/ed25519/table_x8.h"
#include "keys/huge_memory.h"

#include <assert.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Wider keys' tables would take longer than 20 ms to build. */
#define KEY_WIDTH_MAX 12
#define KEY_WIDTH_MIN 4

static struct {
    unsigned keys_expected;
    size_t budget_bytes, base_bytes_max, key_bytes_max;
    enum ed25519_engine engine;
    verify_path *path;
    struct tables tables;
} state = {
    .keys_expected = 1, .budget_bytes = ED25519_BUDGET_DEFAULT, .base_bytes_max = SIZE_MAX, .key_bytes_max = SIZE_MAX};

static atomic_uint keys_prepared;
static atomic_size_t key_bytes_total;

void ed25519_configure(unsigned keys_expected, size_t budget_bytes)
{
    assert(state.tables.base == NULL);
    state.keys_expected = keys_expected > 0 ? keys_expected : 1;
    state.budget_bytes = budget_bytes;
}

void ed25519_configure_limits(size_t base_bytes_max, size_t key_bytes_max)
{
    assert(state.tables.base == NULL);
    state.base_bytes_max = base_bytes_max;
    state.key_bytes_max = key_bytes_max;
}

/* Bytes of all tables, or SIZE_MAX where that is beyond what was configured. */
static size_t bytes_allowed(const struct window_shape *base, const struct window_shape *key)
{
    size_t bytes;
    if (base->bytes > state.base_bytes_max || key->bytes > state.key_bytes_max ||
        __builtin_mul_overflow(key->bytes, state.keys_expected, &bytes) ||
        __builtin_add_overflow(bytes, base->bytes, &bytes) || bytes > state.budget_bytes)
        return SIZE_MAX;
    return bytes;
}

/* The pair of widths with the fewest windows, of those with the least memory. */
static void choose_shapes(struct tables *tables)
{
    tables->base_shape = window_shape(TABLE_WIDTH_MIN);
    tables->key_shape = window_shape(KEY_WIDTH_MIN);
    size_t best_bytes = SIZE_MAX;
    for (unsigned base_width = TABLE_WIDTH_MIN; base_width <= TABLE_WIDTH_MAX; base_width++) {
        for (unsigned key_width = KEY_WIDTH_MIN; key_width <= KEY_WIDTH_MAX; key_width++) {
            struct window_shape base = window_shape(base_width), key = window_shape(key_width);
            size_t bytes = bytes_allowed(&base, &key);
            if (bytes == SIZE_MAX)
                continue;
            unsigned windows = base.windows + key.windows;
            unsigned best = tables->base_shape.windows + tables->key_shape.windows;
            if (windows > best || (windows == best && bytes >= best_bytes))
                continue;
            tables->base_shape = base;
            tables->key_shape = key;
            best_bytes = bytes;
        }
    }
}

static bool has_avx512(void)
{
#ifdef ED25519_HAS_AVX512
    return processor_has_avx512_ifma();
#else
    return false;
#endif
}

static bool has_avx2(void)
{
#ifdef ED25519_HAS_AVX2
    return processor_has_avx2_fma();
#else
    return false;
#endif
}

static enum ed25519_engine best_engine(void)
{
    return has_avx512() ? ED25519_AVX512 : has_avx2() ? ED25519_AVX2 : ED25519_PORTABLE;
}

/* Returns NULL, or why this machine or this build cannot do it. */
static const char *choose_path(enum ed25519_engine engine, verify_path **path)
{
    *path = NULL;
    switch (engine) {
    case ED25519_AVX512:
#ifdef ED25519_HAS_AVX512
        *path = verify_avx512;
#endif
        return has_avx512() ? NULL : "the processor has no AVX-512 IFMA";
    case ED25519_AVX2:
#ifdef ED25519_HAS_AVX2
        *path = verify_avx2;
#endif
        return has_avx2() ? NULL : "the processor has no AVX2 and FMA";
    case ED25519_PORTABLE:
        *path = verify_portable;
        return NULL;
    case ED25519_SODIUM:
        return NULL;
    case ED25519_AUTO:
        break;
    }
    return "unknown engine";
}

/* By the path in use, which so proves its tables too. */
static void build(const struct window_shape *shape, const struct curve_point *point, struct niels_packed *entries)
{
#ifdef ED25519_HAS_AVX512
    if (state.engine == ED25519_AVX512) {
        table_build_x8(shape, point, entries);
        return;
    }
#endif
#ifdef ED25519_HAS_AVX2
    if (state.engine == ED25519_AVX2) {
        table_build_x4(shape, point, entries);
        return;
    }
#endif
    table_build(shape, point, entries);
}

static bool build_base(void)
{
    choose_shapes(&state.tables);
    state.tables.base = huge_memory_take(state.tables.base_shape.bytes);
    if (!state.tables.base)
        return false;
    build(&state.tables.base_shape, &point_base, state.tables.base);
    memory_slots_configure(state.tables.key_shape.bytes);
    return true;
}

bool ed25519_start(enum ed25519_engine engine, char *error, size_t error_size)
{
    assert(state.tables.base == NULL);
    if (sodium_init() < 0) {
        snprintf(error, error_size, "libsodium does not start");
        return false;
    }
    state.engine = engine == ED25519_AUTO ? best_engine() : engine;
    const char *why = choose_path(state.engine, &state.path);
    if (why) {
        snprintf(error, error_size, "%s", why);
        return false;
    }
    if (state.engine != ED25519_SODIUM && !build_base()) {
        snprintf(error, error_size, "no memory for the signature tables");
        return false;
    }
    if (!self_test()) {
        snprintf(error, error_size, "the %s signature engine fails its self test", ed25519_engine_name());
        ed25519_stop();
        return false;
    }
    return true;
}

void ed25519_stop(void)
{
    assert(atomic_load(&keys_prepared) == 0);
    huge_memory_give(state.tables.base, state.tables.base_shape.bytes);
    state.tables.base = NULL;
}

const char *ed25519_engine_name(void)
{
    static const char *const names[] = {
        [ED25519_AUTO] = "auto",         [ED25519_AVX512] = "avx512", [ED25519_AVX2] = "avx2",
        [ED25519_PORTABLE] = "portable", [ED25519_SODIUM] = "sodium",
    };
    return names[state.engine];
}

struct ed25519_key *ed25519_key_open(const uint8_t public_key[32])
{
    struct ed25519_key *key = calloc(1, sizeof *key);
    if (!key)
        return NULL;
    memcpy(key->public_key, public_key, sizeof key->public_key);
    struct curve_point point;
    key->accepted = point_from_key(public_key, &point);
    /* Without an engine of our own, or where nothing verifies, there is nothing to build. */
    atomic_init(&key->built, !key->accepted || state.engine == ED25519_SODIUM);
    atomic_fetch_add(&keys_prepared, 1);
    atomic_fetch_add(&key_bytes_total, sizeof *key);
    return key;
}

bool ed25519_key_build(struct ed25519_key *key)
{
    struct curve_point point;
    if (ed25519_key_is_built(key))
        return true;
    key->table = memory_slot_take();
    if (!key->table)
        return false;
    bool is_point = point_from_key(key->public_key, &point);
    assert(is_point && "the key was accepted");
    struct curve_point opposite = point_negate(&point);
    build(&state.tables.key_shape, &opposite, key->table);
    atomic_fetch_add(&key_bytes_total, state.tables.key_shape.bytes);
    atomic_store_explicit(&key->built, true, memory_order_release);
    return true;
}

bool ed25519_key_is_built(const struct ed25519_key *key)
{
    return atomic_load_explicit(&key->built, memory_order_acquire);
}

struct ed25519_key *ed25519_key_prepare(const uint8_t public_key[32])
{
    struct ed25519_key *key = ed25519_key_open(public_key);
    if (key && !ed25519_key_build(key)) {
        ed25519_key_free(key);
        return NULL;
    }
    return key;
}

void ed25519_key_free(struct ed25519_key *key)
{
    if (!key)
        return;
    atomic_fetch_sub(&keys_prepared, 1);
    atomic_fetch_sub(&key_bytes_total, ed25519_key_memory_bytes(key));
    memory_slot_free(key->table);
    free(key);
}

size_t ed25519_key_memory_bytes(const struct ed25519_key *key)
{
    bool has_table = key->accepted && state.engine != ED25519_SODIUM && ed25519_key_is_built(key);
    return sizeof *key + (has_table ? state.tables.key_shape.bytes : 0);
}

struct ed25519_memory ed25519_memory(void)
{
    struct ed25519_memory memory = {.keys = atomic_load(&keys_prepared)};
    if (state.tables.base) {
        memory.base_width_bits = state.tables.base_shape.width;
        memory.key_width_bits = state.tables.key_shape.width;
        memory.additions = state.tables.base_shape.windows + state.tables.key_shape.windows - 1;
        memory.base_bytes = state.tables.base_shape.bytes;
        memory.key_bytes = state.tables.key_shape.bytes;
    }
    memory.total_bytes = memory.base_bytes + atomic_load(&key_bytes_total);
    return memory;
}

static bool sodium_verifies(const struct ed25519_check *check)
{
    return crypto_sign_verify_detached(check->signature, check->message, check->length, check->key->public_key) == 0;
}

/* What needs no curve: the key's own standing, S below L, R not of small order. */
static bool may_verify(const struct ed25519_check *check)
{
    struct scalar s;
    return check->key->accepted && scalar_from_bytes(check->signature + 32, &s) &&
           !point_encoding_has_small_order(check->signature);
}

/* Asks for the signature and the first kilobyte of the message, into the second-level cache: a burst's first reads all
 * at once, instead of a wait for each. Inlined, because gcc 12 drops calls of functions that only prefetch. */
static inline __attribute__((always_inline)) void fetch(const struct ed25519_check *check)
{
    enum { LINE = 64, FETCH_MAX = 1024, LOW_LOCALITY = 2 };
    __builtin_prefetch(check->signature, 0, LOW_LOCALITY);
    __builtin_prefetch(check->signature + 63, 0, LOW_LOCALITY);
    size_t length = check->length < FETCH_MAX ? check->length : FETCH_MAX;
    for (size_t at = 0; at < length; at += LINE)
        __builtin_prefetch(check->message + at, 0, LOW_LOCALITY);
    if (length > 0)
        __builtin_prefetch(check->message + length - 1, 0, LOW_LOCALITY);
}

void ed25519_verify_burst(const struct ed25519_check checks[], bool valid[], unsigned n)
{
    assert(n >= 1 && n <= ED25519_BURST_MAX);
    if (state.engine == ED25519_SODIUM) {
        for (unsigned i = 0; i < n; i++)
            valid[i] = sodium_verifies(&checks[i]);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        fetch(&checks[i]);
    const struct ed25519_check *worth[ED25519_BURST_MAX];
    bool verdict[ED25519_BURST_MAX];
    unsigned place[ED25519_BURST_MAX], count = 0;
    for (unsigned i = 0; i < n; i++) {
        valid[i] = may_verify(&checks[i]);
        if (!valid[i])
            continue;
        if (ed25519_key_is_built(checks[i].key)) {
            worth[count] = &checks[i];
            place[count++] = i;
        } else {
            valid[i] = sodium_verifies(&checks[i]);
        }
    }
    if (count == 0)
        return;
    state.path(&state.tables, worth, verdict, count);
    for (unsigned i = 0; i < count; i++)
        valid[place[i]] = verdict[i];
}
