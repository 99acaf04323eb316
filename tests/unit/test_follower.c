/* The store thread's work: what it publishes, and when. The workers are simulated; log, table and filter are real. */
#include "tests/unit/unit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "dataplane/follower.h"
#include "keys/fold.h"
#include "keys/log_format.h"
#include "keys/lookup.h"
#include "keys/seal.h"

#define DEPTH 8
#define SUBJECTS 3000

static char directory[64];
static char line[512];
static struct config config;
static struct log_writer *writer;
static struct seal_key *seal_key;
static struct publisher *publisher;
static struct oscore *oscore;
static struct follower *follower;
static struct key_preparer *preparer;
static struct lookup *lookup;

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/chengmen-follower-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    memset(&config, 0, sizeof(config));
    snprintf(config.store, sizeof(config.store), "%s/store", directory);
    snprintf(config.seal_key, sizeof(config.seal_key), "%s/seal.key", directory);
    seal_key = seal_key_open(config.seal_key, SEAL_MAY_CREATE, line, sizeof(line));
    publisher = publisher_new(1);
    oscore = oscore_create(64, 1);
    preparer = key_preparer_new();
    follower = follower_new(&config, publisher, oscore, preparer);
    if (!ed25519_start(ED25519_AUTO, line, sizeof(line)) || !preparer || !seal_key || !oscore || !follower ||
        lookup_open(DEPTH, &lookup) != 0 || log_writer_open(config.store, &writer, line, sizeof(line)) != LOG_OK)
        return -1;
    return lookup_start_thread(lookup);
}

static int end(void **state)
{
    (void)state;
    lookup_close(lookup);
    publisher_free(publisher);
    follower_free(follower);
    key_preparer_free(preparer);
    ed25519_stop();
    oscore_destroy(oscore);
    seal_key_close(seal_key);
    log_writer_close(writer);
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static void append(enum log_type type, const void *payload, size_t size)
{
    assert_int_equal(log_writer_append(writer, type, (struct bytes){payload, size}, NULL), LOG_OK);
}

static void commit(void)
{
    assert_int_equal(log_writer_commit(writer), LOG_OK);
}

static struct subject_record make(uint32_t subject, uint64_t version)
{
    struct subject_record record = {.version = version, .colour = COLOUR_RED};
    memcpy(record.key, &subject, sizeof(subject));
    return record;
}

static void put_subjects(uint32_t count, uint64_t version)
{
    for (uint32_t i = 0; i < count; i++) {
        struct subject_record record = make(i, version);
        append(LOG_SUBJECT, &record, sizeof(record));
    }
    commit();
}

/* A point whose secret is of this number, at the kid of that one. */
static void put_point(uint32_t id, uint8_t kid, uint8_t secret)
{
    uint8_t room[POINT_ENCODED_MAX];
    struct point point = {.id = id, .venue = "v", .venue_class = "mall"};
    point.oscore = (struct point_oscore){.alg = POINT_OSCORE_CHACHA20,
                                         .master_secret = {secret},
                                         .master_secret_size = 16,
                                         .point_id = {kid},
                                         .point_id_size = 4,
                                         .appliance_id_size = 1};
    assert_true(point_seal(&point, seal_key));
    append(LOG_POINT, room, point_encode(&point, room, sizeof(room)));
}

static void remove_point(uint32_t id)
{
    uint8_t room[9];
    struct cbor_writer out = cbor_write(room, sizeof(room));
    cbor_put_uint(&out, id);
    append(LOG_POINT_REMOVE, room, cbor_written(&out).length);
}

static void fold(void)
{
    struct fold *folding;
    enum fold_status status;
    if (fold_open(config.store, &folding, line, sizeof(line)) != FOLD_MORE)
        fail_msg("%s", line);
    while ((status = fold_step(folding)) == FOLD_MORE)
        ;
    if (status != FOLD_READY || fold_commit(folding, writer) != FOLD_DONE)
        fail_msg("%d %s", status, fold_error(folding));
    fold_close(folding);
}

static enum lookup_status look(const struct generation *g, uint32_t subject, uint64_t *version)
{
    struct subject_record wanted = make(subject, 1);
    struct lookup_result result;
    result.status = lookup_start(lookup, &g->subjects, wanted.key, subject, &result.record);
    if (result.status == LOOKUP_PENDING) {
        lookup_submit(lookup);
        while (lookup_reap(lookup, &g->subjects, &result, 1) == 0)
            ;
    }
    *version = result.record.version;
    return result.status;
}

static const struct generation *in_force(void)
{
    return publisher_read(publisher);
}

static void follow(void)
{
    struct follower_state state;
    while (follower_step(follower))
        ;
    follower_state(follower, &state);
    assert_string_equal(state.error, "");
    assert_true(state.reading);
    assert_int_equal(state.records_refused, 0);
}

/* A red subject whose record is in the table is red from the first verdict on. */
static void nothing_is_in_force_before_the_table_is(void **state)
{
    (void)state;
    uint64_t version;
    log_writer_set_segment_bytes(writer, 4096); /* so that the log holds few of them after the fold */
    put_subjects(SUBJECTS, 1);
    fold();
    unsigned steps = 0;
    for (bool more = true; more; steps++) {
        more = follower_step(follower);
        if (!in_force())
            continue;
        for (uint32_t i = 0; i < SUBJECTS; i += 100)
            assert_int_equal(look(in_force(), i, &version), LOOKUP_FOUND);
    }
    assert_true(steps > 1);
    assert_non_null(in_force());
}

/* As after a start of the machine, before control was started: nobody says how far the log goes. */
static void another_boot(void)
{
    char path[CONFIG_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/" LOG_DURABLE_NAME, config.store);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, offsetof(struct log_durable, boot), SEEK_SET), 0);
    assert_int_equal(fwrite("before this boot", 1, DISK_BOOT_ID_SIZE, file), DISK_BOOT_ID_SIZE);
    assert_int_equal(fclose(file), 0);
}

/* A log that could not be read for a moment is read anew to the same end: what was found in the generation before is
 * gone, though both have the same sequence, and must not be taken for what is found in this one. */
static void a_log_read_anew_makes_another_generation(void **state)
{
    (void)state;
    struct rlimit files, none;
    struct follower_state seen;
    put_point(1, 11, 1);
    commit();
    another_boot();
    follow();
    uint64_t sequence = in_force()->sequence, number = in_force()->number;
    const struct catalogue *points = in_force()->points;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    none = (struct rlimit){0, files.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    follower_step(follower);
    follower_state(follower, &seen);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_false(seen.reading);
    assert_int_equal(in_force()->number, number);
    follow();
    assert_int_equal(in_force()->sequence, sequence);
    assert_ptr_not_equal(in_force()->points, points);
    assert_int_not_equal(in_force()->number, number);
}

/* A fold took the log away below the reader: what is in force stays until all is read again, and what went meanwhile is
 * gone. */
static void a_reader_left_behind_starts_again(void **state)
{
    (void)state;
    uint64_t version, last[200] = {0};
    log_writer_set_segment_bytes(writer, 4096);
    put_point(1, 11, 1);
    put_point(2, 22, 2);
    put_point(3, 33, 3);
    put_point(4, 44, 4);
    put_subjects(200, 1);
    follow();
    assert_int_equal(oscore_count(oscore), 4);
    uint64_t before = in_force()->sequence;

    remove_point(1);
    put_point(2, 77, 5); /* in the end 2 and 3 have each other's name */
    put_point(3, 22, 6);
    put_point(2, 33, 5);
    put_point(5, 55, 5);
    put_subjects(200, 2);
    fold();
    put_subjects(50, 3);
    struct log_writer_info info;
    log_writer_info(writer, &info);
    assert_true(info.first > before + 1);
    struct follower_state seen;
    for (unsigned i = 0; i < 1000; i++) {
        follower_step(follower);
        const struct generation *g = in_force();
        for (uint32_t subject = 0; subject < 200; subject++) { /* no state comes back that was over */
            assert_int_equal(look(g, subject, &version), LOOKUP_FOUND);
            assert_in_range(version, last[subject], 3);
            last[subject] = version;
        }
        follower_state(follower, &seen);
        if (seen.sequence == info.last)
            break;
    }
    follow();
    assert_int_equal(in_force()->sequence, info.last);
    uint32_t index;
    assert_null(generation_point(in_force(), 1, &index));
    assert_non_null(generation_point(in_force(), 5, &index));
    assert_int_equal(oscore_count(oscore), 4); /* 2, 3, 4 and 5 */
    put_subjects(1, 4);                        /* and it goes on */
    follow();
    assert_int_equal(look(in_force(), 0, &version), LOOKUP_FOUND);
    assert_int_equal(version, 4);
}

static void put_key(uint8_t number, const char *issuer)
{
    uint8_t room[ISSUER_KEY_ENCODED_MAX], secret[64], seed[32] = {number};
    struct issuer_key key = {.kid = {number}, .not_after_s = 9, .classes = 1};
    snprintf(key.issuer, sizeof(key.issuer), "%s", issuer);
    crypto_sign_seed_keypair(key.public_key, secret, seed);
    append(LOG_KEY, room, issuer_key_encode(&key, room, sizeof(room)));
}

static bool is_built(uint8_t number)
{
    const uint8_t kid[COSE_KID_SIZE] = {number};
    const struct issuer_entry *key = generation_key(in_force(), kid);
    assert_non_null(key);
    return ed25519_key_is_built(key->tables);
}

/* Tables take 13 ms a key: what comes behind a hundred keys is in force without them, and so are the keys. */
static void no_change_waits_for_tables(void **state)
{
    (void)state;
    enum { KEYS = 100 };
    uint64_t version;
    put_subjects(1, 1);
    follow();
    for (uint8_t i = 1; i <= KEYS; i++)
        put_key(i, "i");
    put_subjects(1, 2);
    follow();
    assert_int_equal(look(in_force(), 0, &version), LOOKUP_FOUND);
    assert_int_equal(version, 2);
    for (uint8_t i = 1; i <= KEYS; i++)
        assert_false(is_built(i));
    assert_true(key_preparer_step(preparer));
    assert_true(is_built(1));
    assert_false(is_built(2));
    put_key(1, "other"); /* the same public key, other terms: its tables stay */
    put_key(2, "other");
    commit();
    follow();
    assert_true(is_built(1));
    assert_false(is_built(2));
    for (unsigned i = 2; i <= KEYS; i++)
        assert_true(key_preparer_step(preparer));
    assert_false(key_preparer_step(preparer)); /* each once */
    for (uint8_t i = 1; i <= KEYS; i++)
        assert_true(is_built(i));
    put_key(KEYS + 1, "i"); /* one that is gone again before its turn comes */
    commit();
    follow();
    follower_free(follower);
    publisher_free(publisher);
    assert_false(key_preparer_step(preparer));
    publisher = publisher_new(1);
    follower = follower_new(&config, publisher, oscore, preparer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_in_force_before_the_table_is),
        TEST(a_log_read_anew_makes_another_generation),
        TEST(a_reader_left_behind_starts_again),
        TEST(no_change_waits_for_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
