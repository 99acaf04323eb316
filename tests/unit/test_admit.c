/* Budgets, failures and the worker's own load, with the time passed in. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/admit.h"
#include "dataplane/overload.h"

#define SECOND_NS UINT64_C(1000000000)
#define START_NS (1000 * SECOND_NS)

static struct admit *admit;

static int begin(void **state)
{
    (void)state;
    struct admit_options options = {.points_max = 1000,
                                    .point = {50, 100},
                                    .failure = {10, 20},
                                    .failure_all = {1000, 500},
                                    .venue = {200, 300},
                                    .failures_max = 1024};
    admit = admit_create(&options);
    return admit ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    admit_destroy(admit);
    return 0;
}

static struct point point_of(uint32_t id, const char *venue)
{
    struct point p = {.id = id};
    strcpy(p.venue, venue);
    return p;
}

static unsigned take(const struct point *p, unsigned tries, uint64_t now_ns)
{
    unsigned taken = 0;
    uint32_t max_age_s;
    for (unsigned i = 0; i < tries; i++)
        taken += admit_point(admit, p, now_ns, &max_age_s) == REASON_NONE;
    return taken;
}

static void a_budget_is_a_burst_and_then_its_rate(void **state)
{
    (void)state;
    struct point p = point_of(1, "a");
    uint32_t max_age_s;
    assert_int_equal(take(&p, 500, START_NS), 100);
    assert_int_equal(admit_point(admit, &p, START_NS, &max_age_s), REASON_POINT_BUDGET);
    assert_int_equal(max_age_s, 1);
    unsigned taken = 0;
    for (unsigned ms = 1; ms <= 10000; ms++)
        taken += take(&p, 1, START_NS + ms * UINT64_C(1000000));
    assert_in_range(taken, 498, 502);
    assert_int_equal(take(&p, 500, START_NS + 60 * SECOND_NS), 100);
}

static void a_points_own_rate_counts(void **state)
{
    (void)state;
    struct point slow = point_of(2, "a"), fast = point_of(3, "b");
    uint32_t max_age_s;
    slow.rate_per_s = 1;
    slow.burst = 1;
    assert_int_equal(take(&slow, 5, START_NS), 1);
    admit_point(admit, &slow, START_NS, &max_age_s);
    assert_in_range(max_age_s, 1, 2);
    assert_int_equal(take(&slow, 5, START_NS + SECOND_NS + SECOND_NS / 100), 1);
    fast.rate_per_s = 1000000; /* above what a meter tells apart */
    fast.burst = 250;
    assert_int_equal(take(&fast, 300, START_NS), 250);
}

static void one_points_spending_is_not_anothers(void **state)
{
    (void)state;
    for (uint32_t id = 0; id < 1000; id++) {
        char venue[8];
        snprintf(venue, sizeof venue, "%u", id);
        struct point p = point_of(id, venue);
        if (take(&p, 110, START_NS) != 100)
            fail_msg("point %u", id);
    }
}

static void a_venue_has_a_budget_of_its_own(void **state)
{
    (void)state;
    uint32_t max_age_s;
    for (uint32_t id = 10; id < 13; id++) {
        struct point p = point_of(id, "mall");
        assert_int_equal(take(&p, 100, START_NS), 100);
    }
    struct point last = point_of(13, "mall"), elsewhere = point_of(14, "metro");
    assert_int_equal(admit_point(admit, &last, START_NS, &max_age_s), REASON_VENUE_BUDGET);
    assert_int_equal(max_age_s, 1);
    assert_int_equal(take(&elsewhere, 100, START_NS), 100);
}

static unsigned fail_from(uint32_t source, struct bytes kid, unsigned tries, uint64_t now_ns)
{
    unsigned answered = 0;
    const uint8_t address[16] = {(uint8_t)(source >> 16), (uint8_t)(source >> 8), (uint8_t)source};
    for (unsigned i = 0; i < tries; i++) {
        enum reason why = admit_failure(admit, 4, address, kid, REASON_OSCORE_PROTECTION, now_ns);
        assert_true(why == REASON_OSCORE_PROTECTION || why == REASON_SOURCE_BUDGET);
        answered += why == REASON_OSCORE_PROTECTION;
    }
    return answered;
}

static void failures_are_answered_within_a_budget(void **state)
{
    (void)state;
    const struct bytes none = {NULL, 0};
    assert_int_equal(fail_from(1, none, 100, START_NS), 20);
    assert_int_equal(fail_from(2, bytes_of_text("kid"), 10, START_NS), 10);
    assert_int_equal(fail_from(3, bytes_of_text("kid"), 100, START_NS), 10); /* the same kid from elsewhere */
    assert_int_equal(fail_from(1, none, 100, START_NS + 10 * SECOND_NS), 20);
}

static void a_million_sources_are_bounded_together(void **state)
{
    (void)state;
    unsigned answered = 0;
    for (uint32_t source = 0; source < 1000000; source++)
        answered += fail_from(source, (struct bytes){NULL, 0}, 1, START_NS + source * UINT64_C(1000));
    assert_in_range(answered, 1400, 1600); /* burst 500 and a second at 1000 */
}

static enum reason ask_source(uint32_t source, struct bytes echo, uint64_t now_ns, uint8_t wanted[ADMIT_ECHO_SIZE])
{
    uint8_t address[16] = {10};
    memcpy(address + 1, &source, 3);
    return admit_source(admit, 4, address, echo, now_ns, wanted);
}

static void under_attack_a_source_is_asked_once_and_then_known(void **state)
{
    (void)state;
    const struct bytes none = {NULL, 0};
    uint8_t one[ADMIT_ECHO_SIZE], two[ADMIT_ECHO_SIZE];
    assert_int_equal(ask_source(1, none, START_NS, one), REASON_NONE);
    for (unsigned i = 0; i < 50; i++)
        admit_trusted_failure(admit, START_NS);
    assert_int_equal(ask_source(1, none, START_NS, one), REASON_NONE); /* within the budget */
    admit_trusted_failure(admit, START_NS);
    assert_int_equal(ask_source(1, none, START_NS, one), REASON_SOURCE_ECHO);
    assert_int_equal(ask_source(2, none, START_NS, two), REASON_SOURCE_ECHO);
    assert_memory_not_equal(one, two, sizeof one);
    struct bytes echo = {one, sizeof one};
    uint8_t wanted[ADMIT_ECHO_SIZE];
    assert_int_equal(ask_source(2, echo, START_NS, wanted), REASON_SOURCE_ECHO); /* another's */
    assert_int_equal(ask_source(1, (struct bytes){one, 7}, START_NS, wanted), REASON_SOURCE_ECHO);
    assert_int_equal(ask_source(1, echo, START_NS + SECOND_NS, wanted), REASON_NONE);
    assert_int_equal(ask_source(1, none, START_NS + SECOND_NS, wanted), REASON_NONE);
    assert_int_equal(ask_source(2, none, START_NS + ADMIT_ATTACK_NS, wanted), REASON_NONE); /* it is over */
    uint64_t later_ns = START_NS + 2 * ADMIT_VALID_NS;
    for (unsigned i = 0; i < 52; i++)
        admit_trusted_failure(admit, later_ns);
    assert_int_equal(ask_source(1, none, later_ns, wanted), REASON_SOURCE_ECHO); /* forgotten */
    assert_int_equal(ask_source(1, echo, later_ns, wanted), REASON_SOURCE_ECHO); /* an Echo grows old */
}

static void challenges_are_bounded_a_source_and_a_kid(void **state)
{
    (void)state;
    unsigned sent = 0;
    uint8_t address[16] = {10, 1, 2, 3};
    for (unsigned i = 0; i < 1000; i++)
        sent += admit_challenge(admit, 4, address, bytes_of_text("kid"), START_NS);
    assert_int_equal(sent, 20);
    assert_true(admit_challenge(admit, 4, address, bytes_of_text("dik"), START_NS));
    for (unsigned i = 0; i < 10000; i++) {
        address[1] = (uint8_t)(i >> 8);
        address[2] = (uint8_t)i;
        sent += admit_challenge(admit, 4, address, bytes_of_text("kid"), START_NS);
    }
    assert_int_equal(sent, 16 * 20);
}

#define BURST 64

/* Requests of one priority that a burst of `count` alternating ones takes. */
static void take_burst(struct overload *o, unsigned count, uint64_t now_ns, unsigned taken[2])
{
    taken[0] = taken[1] = 0;
    for (unsigned i = 0; i < count; i++)
        taken[i & 1] += overload_take(o, i & 1 ? 3 : 0, now_ns);
}

static void without_overload_all_is_taken(void **state)
{
    (void)state;
    struct overload o;
    unsigned taken[2];
    overload_init(&o, 0, BURST);
    overload_burst(&o, 0);
    take_burst(&o, BURST, START_NS, taken);
    assert_int_equal(taken[0] + taken[1], BURST);
}

static void under_overload_the_last_class_is_refused_first(void **state)
{
    (void)state;
    struct overload o;
    unsigned taken[2];
    overload_init(&o, 0, BURST);
    overload_burst(&o, BURST);
    take_burst(&o, BURST, START_NS, taken);
    assert_int_equal(taken[0], BURST / 2);
    assert_in_range(taken[1], 1, BURST / 2 - 8);
    overload_burst(&o, BURST); /* a single class gets all but an eighth */
    unsigned alone = 0;
    for (unsigned i = 0; i < BURST; i++)
        alone += overload_take(&o, 0, START_NS);
    assert_int_equal(alone, BURST - BURST / 8);
}

static void a_pace_that_is_given_is_kept(void **state)
{
    (void)state;
    struct overload o;
    unsigned taken = 0;
    overload_init(&o, 20000, BURST);
    for (unsigned i = 0; i < 50000; i++) /* a second at 50,000 */
        taken += overload_take(&o, 0, START_NS + i * UINT64_C(20000));
    assert_in_range(taken, 19900, 20200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_budget_is_a_burst_and_then_its_rate, begin, end),
        cmocka_unit_test_setup_teardown(a_points_own_rate_counts, begin, end),
        cmocka_unit_test_setup_teardown(one_points_spending_is_not_anothers, begin, end),
        cmocka_unit_test_setup_teardown(a_venue_has_a_budget_of_its_own, begin, end),
        cmocka_unit_test_setup_teardown(failures_are_answered_within_a_budget, begin, end),
        cmocka_unit_test_setup_teardown(a_million_sources_are_bounded_together, begin, end),
        cmocka_unit_test_setup_teardown(under_attack_a_source_is_asked_once_and_then_known, begin, end),
        cmocka_unit_test_setup_teardown(challenges_are_bounded_a_source_and_a_kid, begin, end),
        cmocka_unit_test(without_overload_all_is_taken),
        cmocka_unit_test(under_overload_the_last_class_is_refused_first),
        cmocka_unit_test(a_pace_that_is_given_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
