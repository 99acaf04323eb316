#include "tests/unit/unit.h"

#include "keys/ed25519/ed25519.h"
#include "keys/ed25519/processor.h"
#include "tests/unit/ed25519_cases.h"

#include <cJSON.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define SMALL_TABLES ((size_t)1 << 20)

static const enum ed25519_engine engines[] = {ED25519_AVX512, ED25519_AVX2, ED25519_PORTABLE, ED25519_SODIUM};
#define ENGINES (sizeof engines / sizeof *engines)

/* Returns false, and says so, where this machine lacks the path. */
static bool start(enum ed25519_engine engine)
{
    char error[160] = "";
    if (ed25519_start(engine, error, sizeof error))
        return true;
    assert_true(engine == ED25519_AVX512 ? !processor_has_avx512_ifma()
                                         : engine == ED25519_AVX2 && !processor_has_avx2_fma());
    print_message("skipped: %s\n", error);
    return false;
}

static bool sodium_says(const uint8_t key[32], const uint8_t signature[64], const uint8_t *message, size_t length)
{
    return crypto_sign_verify_detached(signature, message, length, key) == 0;
}

static bool engine_says(const struct ed25519_key *key, const uint8_t signature[64], const uint8_t *message,
                        size_t length)
{
    struct ed25519_check check = {message, length, signature, key};
    bool valid;
    ed25519_verify_burst(&check, &valid, 1);
    return valid;
}

static void from_hex(const char *hex, uint8_t *out, size_t size)
{
    size_t length;
    assert_int_equal(sodium_hex2bin(out, size, hex, strlen(hex), NULL, &length, NULL), 0);
    assert_int_equal(length, size);
}

/* RFC 8032, section 7.1: TEST 1, 2, 3 and SHA(abc). */
static void rfc_8032_is_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *key, *message, *signature;
    } vectors[] = {
        {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bb"
         "e"
         "24655141438e7a100b"},
        {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302"
         "a"
         "eeb00d291612bb0c00"},
        {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed"
         "2"
         "8dc027beceea1ec40a"},
        {"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce"
         "8"
         "0e2a9ac94fa54ca49f",
         "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac"
         "1"
         "7ad9bef1177331a704"},
    };
    for (unsigned e = 0; e < ENGINES; e++) {
        if (!start(engines[e]))
            continue;
        for (unsigned i = 0; i < sizeof vectors / sizeof *vectors; i++) {
            uint8_t key[32], signature[64], message[64];
            size_t length = strlen(vectors[i].message) / 2;
            from_hex(vectors[i].key, key, sizeof key);
            from_hex(vectors[i].signature, signature, sizeof signature);
            from_hex(vectors[i].message, message, length);
            struct ed25519_key *prepared = ed25519_key_prepare(key);
            assert_non_null(prepared);
            assert_true(engine_says(prepared, signature, message, length));
            if (length == 0)
                assert_true(engine_says(prepared, signature, NULL, 0));
            ed25519_key_free(prepared);
        }
        ed25519_stop();
    }
}

#define VECTORS_MAX (1 << 17)

/* NULL where there is no such file. */
static cJSON *read_vectors(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    char *text = calloc(1, VECTORS_MAX);
    assert_non_null(text);
    size_t length = fread(text, 1, VECTORS_MAX - 1, file);
    assert_true(length > 0 && feof(file));
    fclose(file);
    cJSON *cases = cJSON_Parse(text);
    assert_non_null(cases);
    free(text);
    return cases;
}

/* "Taming the many EdDSAs": of its twelve cases the accept set holds number 3 and no other. */
static void edge_cases_of_many_eddsas(void **state)
{
    (void)state;
    const char *folder = getenv("CHENGMEN_VECTORS");
    char path[512];
    snprintf(path, sizeof path, "%s/ed25519-speccheck.json", folder ? folder : SOURCE_ROOT "/../shared/vectors");
    cJSON *cases = read_vectors(path);
    if (!cases) {
        print_message("skipped: no ed25519-speccheck.json; set CHENGMEN_VECTORS\n");
        skip();
    }
    assert_int_equal(cJSON_GetArraySize(cases), 12);
    for (unsigned e = 0; e < ENGINES; e++) {
        if (!start(engines[e]))
            continue;
        for (int i = 0; i < 12; i++) {
            cJSON *item = cJSON_GetArrayItem(cases, i);
            uint8_t key[32], signature[64], message[64];
            const char *hex = cJSON_GetStringValue(cJSON_GetObjectItem(item, "message"));
            size_t length = strlen(hex) / 2;
            assert_true(length <= sizeof message);
            from_hex(hex, message, length);
            from_hex(cJSON_GetStringValue(cJSON_GetObjectItem(item, "pub_key")), key, sizeof key);
            from_hex(cJSON_GetStringValue(cJSON_GetObjectItem(item, "signature")), signature, sizeof signature);
            struct ed25519_key *prepared = ed25519_key_prepare(key);
            assert_non_null(prepared);
            assert_int_equal(engine_says(prepared, signature, message, length), i == 3);
            ed25519_key_free(prepared);
        }
        ed25519_stop();
    }
    cJSON_Delete(cases);
}

struct published {
    uint8_t key[32], signature[64], message[1024];
    size_t length;
    bool valid;
};

#define PUBLISHED_MAX 256

static unsigned read_published(struct published out[PUBLISHED_MAX])
{
    cJSON *cases = read_vectors(SOURCE_ROOT "/tests/vectors/ed25519-published.json"), *item;
    unsigned count = 0;
    assert_non_null(cases);
    cJSON_ArrayForEach(item, cases)
    {
        assert_true(count < PUBLISHED_MAX);
        struct published *p = &out[count++];
        const char *message = cJSON_GetStringValue(cJSON_GetObjectItem(item, "msg"));
        p->length = strlen(message) / 2;
        assert_true(p->length <= sizeof p->message);
        from_hex(message, p->message, p->length);
        from_hex(cJSON_GetStringValue(cJSON_GetObjectItem(item, "pk")), p->key, sizeof p->key);
        from_hex(cJSON_GetStringValue(cJSON_GetObjectItem(item, "sig")), p->signature, sizeof p->signature);
        p->valid = cJSON_IsTrue(cJSON_GetObjectItem(item, "valid"));
        assert_int_equal(sodium_says(p->key, p->signature, p->message, p->length), p->valid);
    }
    cJSON_Delete(cases);
    return count;
}

/* What Wycheproof, RFC 8032 and ZIP 215 publish, alone and in bursts. `valid` is libsodium 1.0.18's word, with which
 * all but ZIP 215's agree: it wants small orders accepted. */
static void published_vectors_get_libsodiums_word(void **state)
{
    (void)state;
    static struct published published[PUBLISHED_MAX];
    unsigned count = read_published(published);
    assert_true(count > 200);
    for (unsigned e = 0; e < ENGINES; e++) {
        if (!start(engines[e]))
            continue;
        struct ed25519_key *prepared[PUBLISHED_MAX];
        struct ed25519_check checks[PUBLISHED_MAX];
        bool valid[PUBLISHED_MAX];
        for (unsigned i = 0; i < count; i++) {
            prepared[i] = ed25519_key_prepare(published[i].key);
            assert_non_null(prepared[i]);
            checks[i] =
                (struct ed25519_check){published[i].message, published[i].length, published[i].signature, prepared[i]};
            ed25519_verify_burst(&checks[i], &valid[i], 1);
            assert_int_equal(valid[i], published[i].valid);
        }
        for (unsigned size = 1, at = 0; at + size <= count; at += size, size++) {
            ed25519_verify_burst(&checks[at], &valid[at], size);
            for (unsigned i = at; i < at + size; i++)
                assert_int_equal(valid[i], published[i].valid);
        }
        for (unsigned i = 0; i < count; i++)
            ed25519_key_free(prepared[i]);
        ed25519_stop();
    }
}

/* One signature, and every signature one bit away from it, in bursts that put the good one in every place. */
static void every_changed_bit_is_refused(void **state)
{
    (void)state;
    uint8_t key[32], secret[64], message[150], signatures[512][64], signature[64];
    crypto_sign_keypair(key, secret);
    randombytes_buf(message, sizeof message);
    crypto_sign_detached(signature, NULL, message, sizeof message, secret);
    for (unsigned bit = 0; bit < 512; bit++) {
        memcpy(signatures[bit], signature, sizeof signature);
        signatures[bit][bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (unsigned e = 0; e < ENGINES; e++) {
        if (!start(engines[e]))
            continue;
        struct ed25519_key *prepared = ed25519_key_prepare(key);
        assert_non_null(prepared);
        struct ed25519_check checks[65];
        bool valid[65];
        for (unsigned bit = 0, good = 0; bit < 512; bit += 64, good += 9) {
            for (unsigned i = 0; i < 65; i++)
                checks[i] = (struct ed25519_check){message, sizeof message,
                                                   i == good ? signature : signatures[bit + i % 64], prepared};
            ed25519_verify_burst(checks, valid, 65);
            for (unsigned i = 0; i < 65; i++)
                assert_int_equal(valid[i], i == good);
        }
        ed25519_key_free(prepared);
        ed25519_stop();
    }
}

/* Good and bad alternate by a pattern that no lane width divides; every burst size and every message length. */
static void verdicts_do_not_touch(void **state)
{
    (void)state;
    enum { ISSUERS = 5, COUNT = 1001 };
    uint8_t keys[ISSUERS][32], secrets[ISSUERS][64];
    static uint8_t messages[COUNT][1000], signatures[COUNT][64];
    for (unsigned i = 0; i < ISSUERS; i++)
        crypto_sign_keypair(keys[i], secrets[i]);
    for (unsigned i = 0; i < COUNT; i++) {
        randombytes_buf(messages[i], sizeof messages[i]);
        crypto_sign_detached(signatures[i], NULL, messages[i], i, secrets[i % ISSUERS]);
        if (i * i % 7 == 2)
            signatures[i][i % 64] ^= 4;
    }
    for (unsigned e = 0; e < ENGINES; e++) {
        if (!start(engines[e]))
            continue;
        struct ed25519_key *prepared[ISSUERS];
        for (unsigned i = 0; i < ISSUERS; i++)
            prepared[i] = i == 3 ? ed25519_key_open(keys[i]) : ed25519_key_prepare(keys[i]); /* one has no tables */
        for (unsigned size = 1, at = 0; size <= ED25519_BURST_MAX; size++) {
            struct ed25519_check checks[ED25519_BURST_MAX];
            bool valid[ED25519_BURST_MAX];
            for (unsigned i = 0; i < size; i++) {
                unsigned n = (at + i * 37) % COUNT;
                checks[i] = (struct ed25519_check){messages[n], n, signatures[n], prepared[n % ISSUERS]};
            }
            ed25519_verify_burst(checks, valid, size);
            for (unsigned i = 0; i < size; i++)
                assert_int_equal(valid[i], (at + i * 37) % COUNT * ((at + i * 37) % COUNT) % 7 != 2);
            at += size * 37;
        }
        for (unsigned i = 0; i < ISSUERS; i++)
            ed25519_key_free(prepared[i]);
        ed25519_stop();
    }
}

/* Every edge as key with every edge as R, S zero and one, and a message for which h may be anything. */
static void edges_are_libsodiums(void **state)
{
    (void)state;
    uint8_t edges[CASE_EDGES_MAX][32];
    unsigned count = case_edges(edges);
    for (unsigned e = 0; e < ENGINES; e++) {
        if (!start(engines[e]))
            continue;
        for (unsigned k = 0; k < count; k++) {
            struct ed25519_key *prepared = ed25519_key_prepare(edges[k]);
            assert_non_null(prepared);
            for (unsigned r = 0; r < count; r++) {
                uint8_t signature[64] = {0}, message[4] = {(uint8_t)k, (uint8_t)r};
                memcpy(signature, edges[r], 32);
                signature[32] = (uint8_t)(r & 1);
                assert_int_equal(engine_says(prepared, signature, message, sizeof message),
                                 sodium_says(edges[k], signature, message, sizeof message));
            }
            ed25519_key_free(prepared);
        }
        ed25519_stop();
    }
}

static void widths_follow_the_budget(void **state)
{
    (void)state;
    static const struct {
        unsigned keys;
        size_t budget;
        unsigned additions_min, additions_max;
    } rows[] = {
        {1, 0, 125, 125},                /* the smallest tables there are */
        {1, (size_t)1 << 20, 50, 65},    /* about eight bits each */
        {16, (size_t)128 << 20, 36, 36}, /* 16 and 12 bits */
        {64, (size_t)64 << 20, 40, 50},
        {1000000, (size_t)1 << 30, 125, 125}, /* beyond it: the smallest */
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        ed25519_configure(rows[i].keys, rows[i].budget);
        assert_true(start(ED25519_PORTABLE));
        struct ed25519_memory memory = ed25519_memory();
        assert_in_range(memory.additions, rows[i].additions_min, rows[i].additions_max);
        if (rows[i].additions_max < 125)
            assert_true(memory.base_bytes + rows[i].keys * memory.key_bytes <= rows[i].budget);
        ed25519_stop();
    }
    ed25519_configure(64, (size_t)80 << 20);
    ed25519_configure_limits((size_t)50000000, 400000);
    assert_true(start(ED25519_PORTABLE));
    assert_int_equal(ed25519_memory().base_width_bits, 16);
    assert_int_equal(ed25519_memory().key_width_bits, 8);
    ed25519_stop();
    ed25519_configure_limits(SIZE_MAX, SIZE_MAX);
    ed25519_configure(1, SMALL_TABLES);
}

static void memory_is_counted_and_given_back(void **state)
{
    (void)state;
    enum { KEYS = 150 };
    struct ed25519_key *keys[KEYS];
    assert_true(start(ED25519_PORTABLE));
    struct ed25519_memory before = ed25519_memory();
    assert_int_equal(before.keys, 0);
    assert_int_equal(before.total_bytes, before.base_bytes);
    size_t key_bytes = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t key[32], secret[64];
        crypto_sign_keypair(key, secret);
        if (i == 0)
            memset(key, 0, sizeof key); /* of small order: no table */
        keys[i] = ed25519_key_prepare(key);
        assert_non_null(keys[i]);
        assert_true(i == 0 ? ed25519_key_memory_bytes(keys[i]) < 100
                           : ed25519_key_memory_bytes(keys[i]) > before.key_bytes);
        key_bytes += ed25519_key_memory_bytes(keys[i]);
    }
    assert_int_equal(ed25519_memory().keys, KEYS);
    assert_int_equal(ed25519_memory().total_bytes, before.base_bytes + key_bytes);
    for (unsigned i = 0; i < KEYS; i++)
        ed25519_key_free(keys[i * 7 % KEYS]);
    assert_int_equal(ed25519_memory().total_bytes, before.total_bytes);
    ed25519_key_free(NULL);
    ed25519_stop();
}

/* The best path that the processor has, and a word where it lacks the one asked for. */
static void engines_have_names_and_auto_takes_the_best(void **state)
{
    (void)state;
    static const struct {
        enum ed25519_engine engine;
        const char *name;
    } rows[] = {{ED25519_AVX512, "avx512"}, {ED25519_AVX2, "avx2"}, {ED25519_PORTABLE, "portable"}};
    const char *best = NULL;
    for (unsigned i = 0; i < 3; i++) {
        char error[160] = "";
        if (ed25519_start(rows[i].engine, error, sizeof error)) {
            assert_string_equal(ed25519_engine_name(), rows[i].name);
            best = best ? best : rows[i].name;
            ed25519_stop();
        } else {
            assert_non_null(strstr(error, i == 0 ? "no AVX-512 IFMA" : "no AVX2"));
        }
    }
    assert_true(start(ED25519_SODIUM));
    assert_string_equal(ed25519_engine_name(), "sodium");
    ed25519_stop();
    assert_true(start(ED25519_AUTO));
    assert_string_equal(ed25519_engine_name(), best);
    ed25519_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_8032_is_accepted),
        cmocka_unit_test(edge_cases_of_many_eddsas),
        cmocka_unit_test(published_vectors_get_libsodiums_word),
        cmocka_unit_test(every_changed_bit_is_refused),
        cmocka_unit_test(verdicts_do_not_touch),
        cmocka_unit_test(edges_are_libsodiums),
        cmocka_unit_test(widths_follow_the_budget),
        cmocka_unit_test(memory_is_counted_and_given_back),
        cmocka_unit_test(engines_have_names_and_auto_takes_the_best),
    };
    if (sodium_init() < 0)
        return 1;
    ed25519_configure(1, SMALL_TABLES);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
