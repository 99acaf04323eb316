#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "keys/overlay.h"

/* A record whose every byte follows from subject and version, so that a mixture of two is seen. */
static struct subject_record make(uint32_t subject, uint64_t version)
{
    static const uint8_t hash_key[SUBJECT_HASH_KEY_SIZE] = {1};
    uint8_t id[SUBJECT_SIZE] = {0};
    memcpy(id, &subject, sizeof(subject));
    struct subject_record record = {.version = version, .since_s = (uint32_t)version, .until_s = (uint32_t)~version};
    subject_key(hash_key, bytes_of_text("CN-310000"), id, record.key);
    record.arrival_day = subject;
    record.colour = (uint8_t)(version % 3);
    record.reason = (uint8_t)(version * 7);
    return record;
}

static void what_was_put_is_found(void **state)
{
    (void)state;
    struct overlay *overlay = overlay_create(100000);
    struct subject_record found;
    for (uint32_t i = 0; i < 50000; i++) {
        struct subject_record record = make(i, 1);
        assert_false(overlay_get(overlay, record.key, &found));
        assert_int_equal(overlay_put(overlay, &record, 1), OVERLAY_INSERTED);
    }
    assert_int_equal(overlay_count(overlay), 50000);
    overlay_reclaim(overlay);
    for (uint32_t i = 0; i < 60000; i++) {
        struct subject_record record = make(i, 1);
        assert_int_equal(overlay_get(overlay, record.key, &found), i < 50000);
        if (i < 50000)
            assert_memory_equal(&found, &record, sizeof(found));
    }
    overlay_free(overlay);
}

static void the_later_version_wins(void **state)
{
    (void)state;
    static const struct {
        uint64_t version;
        enum overlay_insert result;
        uint64_t in_force;
    } steps[] = {
        {5, OVERLAY_INSERTED, 5}, {4, OVERLAY_OLDER, 5}, {5, OVERLAY_INSERTED, 5},
        {9, OVERLAY_INSERTED, 9}, {8, OVERLAY_OLDER, 9}, {UINT64_MAX, OVERLAY_INSERTED, UINT64_MAX},
    };
    struct overlay *overlay = overlay_create(100);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct subject_record record = make(7, steps[i].version), found;
        assert_int_equal(overlay_put(overlay, &record, 1), steps[i].result);
        assert_true(overlay_get(overlay, record.key, &found));
        assert_int_equal(found.version, steps[i].in_force);
    }
    assert_int_equal(overlay_count(overlay), 1);
    overlay_free(overlay);
}

static void memory_is_bounded_and_reused(void **state)
{
    (void)state;
    struct overlay *overlay = overlay_create(10);
    for (uint32_t i = 0; i < 9; i++)
        assert_int_equal(overlay_put(overlay, &(struct subject_record){.key = {(uint8_t)i}}, 1), OVERLAY_INSERTED);
    struct subject_record hot = make(3, 1), found;
    assert_int_equal(overlay_put(overlay, &hot, 1), OVERLAY_INSERTED);
    hot.version = 2;
    assert_int_equal(overlay_put(overlay, &hot, 1), OVERLAY_FULL);
    assert_true(overlay_get(overlay, hot.key, &found));
    assert_int_equal(found.version, 1);
    overlay_free(overlay);

    overlay = overlay_create(10);
    for (uint64_t version = 1; version < 1000; version++) {
        hot.version = version;
        assert_int_equal(overlay_put(overlay, &hot, 1), OVERLAY_INSERTED);
        overlay_reclaim(overlay);
    }
    overlay_free(overlay);
}

#define SHARED_SUBJECTS 5000
static struct overlay *shared;
static _Atomic bool done;
static _Atomic uint64_t mixed;

static void *read_shared(void *context)
{
    (void)context;
    uint64_t seen[SHARED_SUBJECTS] = {0};
    while (!atomic_load(&done)) {
        for (uint32_t i = 0; i < SHARED_SUBJECTS; i++) {
            struct subject_record expected = make(i, 0), found;
            if (!overlay_get(shared, expected.key, &found)) {
                if (seen[i] > 0)
                    atomic_fetch_add(&mixed, 1); /* it was there and is gone */
                continue;
            }
            expected = make(i, found.version);
            if (memcmp(&found, &expected, sizeof(found)) != 0 || found.version < seen[i])
                atomic_fetch_add(&mixed, 1);
            seen[i] = found.version;
        }
    }
    return NULL;
}

/* Readers never pass a quiescent state here, so nothing is reclaimed. */
static void readers_see_whole_records(void **state)
{
    (void)state;
    shared = overlay_create(2000000);
    pthread_t readers[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_shared, NULL), 0);
    for (uint64_t version = 1; version <= 40; version++) {
        for (uint32_t i = 0; i < SHARED_SUBJECTS; i++) {
            struct subject_record record = make(i, version);
            assert_int_equal(overlay_put(shared, &record, 1), OVERLAY_INSERTED);
        }
    }
    atomic_store(&done, true);
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&mixed), 0);
    overlay_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(the_later_version_wins),
        cmocka_unit_test(memory_is_bounded_and_reused),
        cmocka_unit_test(readers_see_whole_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
