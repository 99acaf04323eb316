/* The generator against the echo, both in one thread, over two queues that stand for a port pair. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/coap.h"
#include "dataplane/reasons.h"
#include "tests/load/echo.h"
#include "tests/load/generator.h"
#include "tests/load/ticks.h"
#include "tests/unit/load_wire.h"

#define POINTS 4
#define TARGET 0x0a000001

static const uint8_t message[] = {0x48, COAP_POST, 0,    0,    0, 0,    0, 0, 0, 0, 0, 0,    0xb1, 'v',
                                  0x11, 60,        0xff, 0xa2, 1, 0x1a, 0, 0, 0, 0, 2, 0x41, 7};
static struct link line;
static struct pool_entry entry;
static struct pool pool = {&entry, (uint8_t *)(uintptr_t)message, 1, sizeof message, NULL, POINTS};

static int set_up(void **state)
{
    (void)state;
    static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
    char error[100];
    uint64_t sum = link_sum(message, sizeof message);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    entry = (struct pool_entry){.point = 2,
                                .expected = {COAP_CONTENT, VERDICT_ALLOW, 0, REASON_GREEN, 0},
                                .length = sizeof message,
                                .sum = (uint16_t)sum,
                                .id_at = 20,
                                .token_free = true};
    wire_reset();
    if (!link_open(&line, mac[0], TARGET, COAP_PORT, 0x0a400000, POINTS, error, sizeof error))
        return -1;
    link_set_target_mac(&line, mac[1]);
    return 0;
}

struct result {
    struct load_counts counts;
    struct histogram latency;
    struct wrong_sample first_wrong;
};

static struct result result;

static void meet(struct generator_config config, struct echo_config echo_config, double per_s, double duration_s)
{
    char error[200];
    const struct wrong_sample *samples;
    config.port = &wire_ends[0];
    config.link = &line;
    config.pool = &pool;
    config.shares = 1;
    config.seed = 5;
    config.rate = (struct rate){{{per_s, per_s, duration_s}}, 1};
    if (!config.timeout_ns)
        config.timeout_ns = 400000000;
    echo_config.port = &wire_ends[1];
    echo_config.held_max = 1000;
    echo_config.seed = 6;
    struct generator *generator = generator_open(&config, error, sizeof error);
    struct echo *echo = echo_open(&echo_config);
    assert_non_null(generator);
    assert_non_null(echo);
    generator_start(generator, ticks_now());
    while (generator_step(generator))
        echo_step(echo);
    memset(&result, 0, sizeof result);
    generator_counts(generator, &result.counts);
    generator_latency(generator, &result.latency);
    if (generator_samples(generator, &samples))
        result.first_wrong = samples[0];
    generator_close(generator);
    echo_close(echo);
    wire_reset();
}

static uint64_t count_of(bool (*does)(const struct echo_config *, uint32_t), struct echo_config config)
{
    uint64_t count = 0;
    config.seed = 6;
    for (uint32_t sequence = 0; sequence < result.counts.sent; sequence++)
        count += does(&config, sequence);
    return count;
}

static void all_right_where_nothing_fails(void **state)
{
    (void)state;
    meet((struct generator_config){0}, (struct echo_config){0}, 20000, 0.1);
    assert_int_equal(result.counts.due, 2000);
    assert_int_equal(result.counts.right, 2000);
    assert_int_equal(result.counts.verdicts[VERDICT_ALLOW], 2000);
    assert_int_equal(result.latency.count, 2000);
    assert_int_equal(result.counts.lost + result.counts.late + result.counts.unmatched, 0);
}

static void what_is_dropped_is_lost_and_nothing_else(void **state)
{
    (void)state;
    struct echo_config echo = {.drop_share = 0.05};
    meet((struct generator_config){.timeout_ns = 50000000}, echo, 20000, 0.1);
    assert_int_equal(result.counts.lost, count_of(echo_drops, echo));
    assert_int_equal(result.counts.right + result.counts.late + result.counts.lost, result.counts.sent);
}

static void a_wrong_verdict_is_named(void **state)
{
    (void)state;
    struct echo_config echo = {.wrong_share = 0.01};
    meet((struct generator_config){0}, echo, 20000, 0.1);
    assert_int_equal(result.counts.wrong[WRONG_VERDICT], count_of(echo_lies, echo));
    assert_int_equal(load_counts_wrong(&result.counts), count_of(echo_lies, echo));
    assert_int_equal(result.first_wrong.verdict, VERDICT_DENY);
    assert_int_equal(result.first_wrong.expected.verdict, VERDICT_ALLOW);
    assert_int_equal(result.first_wrong.point, 2);
}

static void broken_checksums_are_no_answers(void **state)
{
    (void)state;
    struct echo_config echo = {.broken_share = 0.01};
    meet((struct generator_config){.timeout_ns = 50000000}, echo, 20000, 0.1);
    assert_int_equal(result.counts.checksum_bad, count_of(echo_breaks, echo));
    assert_int_equal(result.counts.lost, count_of(echo_breaks, echo));
}

static void late_and_lost_are_two_things(void **state)
{
    (void)state;
    struct echo_config echo = {.delay = ECHO_FIXED, .delay_ns = 60000000, .drop_share = 0.1};
    meet((struct generator_config){.timeout_ns = 50000000}, echo, 2000, 0.1);
    assert_int_equal(result.counts.answered, 0);
    assert_int_equal(result.counts.lost, count_of(echo_drops, echo));
    assert_int_equal(result.counts.late, result.counts.sent - result.counts.lost);
}

/* No coordinated omission: those that were due during the stall waited for it, each for its own part. */
static void a_stall_shows_in_full(void **state)
{
    (void)state;
    meet((struct generator_config){0}, (struct echo_config){.stall_at_ns = 20000000, .stall_for_ns = 100000000}, 10000,
         0.2);
    uint64_t above = 0;
    for (uint32_t step = histogram_step(50000000); step < HISTOGRAM_STEPS; step++)
        above += result.latency.steps[step];
    assert_true(result.latency.max >= 99000000);
    assert_true(above >= 490);
    assert_int_equal(result.counts.right, 2000);
}

static void a_port_that_takes_nothing_does_not_hold_the_schedule(void **state)
{
    (void)state;
    wire_ends[0].refuses = true;
    meet((struct generator_config){.timeout_ns = 20000000}, (struct echo_config){0}, 10000, 0.2);
    assert_int_equal(result.counts.due, 2000);
    assert_int_equal(result.counts.answered, 0);
    assert_int_equal(result.counts.unsent + result.counts.lost, 2000);
}

static void retransmissions_get_the_same_answer(void **state)
{
    (void)state;
    meet((struct generator_config){.repeat_share = 0.5, .repeat_after_ns = 1000000}, (struct echo_config){0}, 10000,
         0.1);
    assert_in_range(result.counts.repeated, 400, 600);
    assert_int_equal(result.counts.repeat_answered, result.counts.repeated);
    assert_int_equal(result.counts.right, 1000);
}

static void clients_come_back(void **state)
{
    (void)state;
    struct generator_config config = {
        .timeout_ns = 20000000, .retry_times = 3, .retry_after_ns = 5000000, .retry_jitter_ns = 5000000};
    meet(config, (struct echo_config){.drop_share = 1}, 1000, 0.05);
    assert_int_equal(result.counts.due, 50 * 4);
    assert_int_equal(result.counts.retried, 50 * 3);
    assert_int_equal(result.counts.lost + result.counts.unsent, 50 * 4);
}

static void only_one_target_is_ever_addressed(void **state)
{
    (void)state;
    static const uint32_t refused[] = {0, 0x7f000001, 0xe0000001, 0xffffffff, 0x0a400001};
    static const uint8_t mac[6] = {2};
    struct link link;
    char error[100];
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(link_open(&link, mac, refused[i], COAP_PORT, 0x0a400000, POINTS, error, sizeof error));
    assert_false(link_open(&link, mac, TARGET, 0, 0x0a400000, POINTS, error, sizeof error));
    assert_false(link_open(&link, mac, TARGET, COAP_PORT, 0xdffffff0, 100, error, sizeof error));
    for (uint32_t point = 0; point < POINTS; point++) {
        uint8_t frame[WIRE_FRAME_ROOM];
        struct link_message out = {.data = message, .length = sizeof message, .sum = entry.sum, .id = point};
        uint16_t length = link_write(&line, point, 3, &out, frame);
        assert_int_equal(length, LINK_HEADERS_SIZE + sizeof message);
        assert_memory_equal(frame + 30, ((uint8_t[]){10, 0, 0, 1}), 4);
        assert_memory_equal(frame + 36, ((uint8_t[]){COAP_PORT >> 8, COAP_PORT & 255}), 2);
    }
}

static void the_router_answers_for_its_points(void **state)
{
    (void)state;
    uint8_t frame[LINK_ARP_SIZE];
    struct link_answer answer;
    struct link other;
    char error[100];
    static const uint8_t mac[6] = {2, 9, 9, 9, 9, 9};
    assert_true(link_open(&other, mac, 0x0a400003, COAP_PORT, TARGET, 1, error, sizeof error));
    link_arp_request(&other, frame);
    assert_int_equal(link_read(&line, frame, sizeof frame, &answer), LINK_ARP_REQUEST);
    link_arp_answer(&line, frame);
    assert_int_equal(link_read(&other, frame, sizeof frame, &answer), LINK_ARP_REPLY);
    assert_memory_equal(link_arp_mac(frame), line.mac, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_right_where_nothing_fails, set_up),
        cmocka_unit_test_setup(what_is_dropped_is_lost_and_nothing_else, set_up),
        cmocka_unit_test_setup(a_wrong_verdict_is_named, set_up),
        cmocka_unit_test_setup(broken_checksums_are_no_answers, set_up),
        cmocka_unit_test_setup(late_and_lost_are_two_things, set_up),
        cmocka_unit_test_setup(a_stall_shows_in_full, set_up),
        cmocka_unit_test_setup(a_port_that_takes_nothing_does_not_hold_the_schedule, set_up),
        cmocka_unit_test_setup(retransmissions_get_the_same_answer, set_up),
        cmocka_unit_test_setup(clients_come_back, set_up),
        cmocka_unit_test_setup(only_one_target_is_ever_addressed, set_up),
        cmocka_unit_test_setup(the_router_answers_for_its_points, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
