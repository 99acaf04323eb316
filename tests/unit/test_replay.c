#include "tests/unit/unit.h"

#include <pthread.h>

#include "dataplane/replay.h"

#define NOW_S 1583420400u

static const uint8_t kid[COSE_KID_SIZE] = "sh-cred1";

static struct sighting note(struct replay *replay, uint64_t code, uint32_t point, uint32_t zone, uint64_t now_s)
{
    uint8_t cti[CTI_SIZE];
    memcpy(cti, &code, sizeof cti);
    return replay_note(replay, kid, cti, point, zone, now_s);
}

static void a_code_is_remembered_where_it_was_last(void **state)
{
    (void)state;
    struct replay *replay = replay_new(1024, 1);
    assert_false(note(replay, 1, 10, 100, NOW_S).seen);
    struct sighting sighting = note(replay, 1, 11, 101, NOW_S + 7);
    assert_true(sighting.seen);
    assert_int_equal(sighting.point_index, 10);
    assert_int_equal(sighting.zone, 100);
    assert_int_equal(sighting.age_s, 7);
    sighting = note(replay, 1, 12, 102, NOW_S + 9);
    assert_int_equal(sighting.zone, 101);
    assert_int_equal(sighting.age_s, 2);
    assert_false(note(replay, 2, 10, 100, NOW_S).seen);
    replay_free(replay);
}

/* Two workers read the clock one after the other, and it may be put back a little. */
static void a_clock_that_lags_is_no_age(void **state)
{
    (void)state;
    struct replay *replay = replay_new(4, 1); /* one bucket */
    assert_false(note(replay, 1, 10, 100, NOW_S).seen);
    struct sighting sighting = note(replay, 1, 11, 101, NOW_S - 1);
    assert_int_equal(sighting.zone, 100);
    assert_int_equal(sighting.age_s, 0);
    for (uint64_t code = 2; code <= 4; code++)
        assert_false(note(replay, code, 10, 100, NOW_S + code).seen);
    /* The oldest makes room, not the one that seems to be of the future. */
    assert_true(note(replay, 5, 10, 100, NOW_S + 3).forgot);
    assert_true(note(replay, 4, 10, 100, NOW_S + 4).seen);
    assert_false(note(replay, 1, 10, 100, NOW_S + 4).seen);
    replay_free(replay);
}

static void issuers_do_not_share_their_numbers(void **state)
{
    (void)state;
    struct replay *replay = replay_new(1024, 1);
    assert_false(note(replay, 1, 10, 100, NOW_S).seen);
    assert_false(
        replay_note(replay, (const uint8_t *)"js-cred1", (const uint8_t *)"\1\0\0\0\0\0\0", 10, 1, NOW_S).seen);
    replay_free(replay);
}

static void the_oldest_is_forgotten_first_and_told(void **state)
{
    (void)state;
    struct replay *replay = replay_new(4, 1); /* one bucket */
    for (uint64_t code = 1; code <= 4; code++)
        assert_false(note(replay, code, 1, 1, NOW_S + code).forgot);
    struct sighting fifth = note(replay, 5, 1, 1, NOW_S + 5);
    assert_true(fifth.forgot && !fifth.seen);
    for (uint64_t code = 2; code <= 5; code++)
        assert_true(note(replay, code, 1, 1, NOW_S + 6).seen);
    assert_false(note(replay, 1, 1, 1, NOW_S + 6).seen);
    /* What cannot be shown any more makes room silently. */
    assert_false(note(replay, 9, 1, 1, NOW_S + 7 + REPLAY_LIFE_S).forgot);
    replay_free(replay);
}

static void bounds_of_point_and_zone_hold(void **state)
{
    (void)state;
    struct replay *replay = replay_new(64, 1);
    note(replay, 1, REPLAY_POINTS_MAX - 1, UINT32_MAX, NOW_S);
    struct sighting sighting = note(replay, 1, 0, 0, NOW_S);
    assert_int_equal(sighting.point_index, REPLAY_POINTS_MAX - 1);
    assert_int_equal(sighting.zone, REPLAY_ZONE_MAX);
    replay_free(replay);
}

#define RACE_CODES 4000

struct racer {
    struct replay *replay;
    uint32_t point;
    struct sighting told[RACE_CODES];
};

static void *race(void *context)
{
    struct racer *racer = context;
    for (uint64_t code = 0; code < RACE_CODES; code++)
        racer->told[code] = note(racer->replay, code + 1, racer->point, racer->point, NOW_S);
    return NULL;
}

static void of_two_workers_one_is_told(void **state)
{
    (void)state;
    static struct racer racers[2];
    struct replay *replay = replay_new(1u << 18, 1);
    pthread_t threads[2];
    for (uint32_t i = 0; i < 2; i++) {
        racers[i] = (struct racer){.replay = replay, .point = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (unsigned code = 0; code < RACE_CODES; code++) {
        assert_true(racers[0].told[code].seen || racers[1].told[code].seen);
        /* Where the other's place is not written yet, the zone is one that nobody has: never the asker's own, or none.
         */
        for (unsigned i = 0; i < 2; i++)
            if (racers[i].told[code].seen && racers[i].told[code].zone != REPLAY_ZONE_MAX)
                assert_int_equal(racers[i].told[code].zone, 2 - i);
    }
    replay_free(replay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_is_remembered_where_it_was_last),
        cmocka_unit_test(a_clock_that_lags_is_no_age),
        cmocka_unit_test(issuers_do_not_share_their_numbers),
        cmocka_unit_test(the_oldest_is_forgotten_first_and_told),
        cmocka_unit_test(bounds_of_point_and_zone_hold),
        cmocka_unit_test(of_two_workers_one_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
