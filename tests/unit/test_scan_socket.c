/* The client library against a small appliance on the loopback that misbehaves as it is told. */
#include "tests/unit/unit.h"

#include <string.h>

#include "control/scan/chengmen_scan.h"
#include "tests/reference/appliance.h"

static struct chengmen_scan_answer ask(struct appliance *a, uint32_t deadline_ms)
{
    char error[128];
    struct chengmen_scan_options options = {.appliance = a->address, .deadline_ms = deadline_ms};
    struct chengmen_scan *scan = chengmen_scan_open(&options, error, sizeof error);
    assert_non_null(scan);
    struct chengmen_scan_request request = {.code = "SC1:", .code_size = 4};
    struct chengmen_scan_answer result;
    chengmen_scan_ask(scan, &request, &result);
    chengmen_scan_close(scan);
    appliance_stop(a);
    return result;
}

static bool behave_well(struct appliance *a)
{
    assert_int_equal(a->request.code, COAP_POST);
    assert_true(bytes_equal(coap_find(&a->request, COAP_OPTION_URI_PATH)->value, bytes_of_text("v")));
    appliance_answer(a);
    return false;
}

static void a_verdict_opens_over_both_families(void **state)
{
    (void)state;
    static const int families[] = {AF_INET, AF_INET6};
    for (unsigned i = 0; i < 2; i++) {
        struct appliance a;
        appliance_start(&a, families[i], behave_well);
        struct chengmen_scan_answer result = ask(&a, 5000);
        assert_int_equal(result.result, CHENGMEN_SCAN_VERDICT);
        assert_true(chengmen_scan_opens(&result));
        assert_int_equal(result.id, a.id);
        assert_int_equal(result.rules_version, 12);
        assert_int_equal(result.status_age_s, 5);
        assert_int_equal(result.transmissions, 1);
    }
}

static bool lose_the_first(struct appliance *a)
{
    if (a->received == 1)
        return true;
    appliance_answer(a);
    return false;
}

static void a_lost_request_is_sent_again(void **state)
{
    (void)state;
    struct appliance a;
    appliance_start(&a, AF_INET, lose_the_first);
    struct chengmen_scan_answer result = ask(&a, 10000);
    assert_int_equal(result.result, CHENGMEN_SCAN_VERDICT);
    assert_int_equal(result.transmissions, 2);
    assert_true(result.taken_ns >= UINT64_C(2000000000) && result.taken_ns < UINT64_C(4500000000));
}

/* Foreign, cut and duplicated datagrams around one that is right; the right one decides. */
static bool mix(struct appliance *a)
{
    static const uint8_t wrong[8] = {0};
    appliance_send_verdict(a, COAP_ACK, a->request.id, (struct bytes){wrong, 8}, a->id);
    appliance_send_verdict(a, COAP_ACK, (uint16_t)(a->request.id + 1), appliance_token(a), a->id);
    appliance_send(a, COAP_RST, COAP_EMPTY, (uint16_t)(a->request.id + 1), (struct bytes){NULL, 0}, NULL, 0);
    appliance_send_raw(a, "\x60", 1);
    appliance_answer(a);
    appliance_answer(a);
    return false;
}

static void what_is_foreign_is_passed_over(void **state)
{
    (void)state;
    struct appliance a;
    appliance_start(&a, AF_INET, mix);
    struct chengmen_scan_answer result = ask(&a, 5000);
    assert_int_equal(result.result, CHENGMEN_SCAN_VERDICT);
}

static bool wrong_token(struct appliance *a)
{
    static const uint8_t wrong[8] = {0};
    appliance_send_verdict(a, COAP_ACK, a->request.id, (struct bytes){wrong, 8}, a->id);
    return false;
}

static void a_foreign_token_never_opens(void **state)
{
    (void)state;
    struct appliance a;
    appliance_start(&a, AF_INET, wrong_token);
    struct chengmen_scan_answer result = ask(&a, 300);
    assert_int_equal(result.result, CHENGMEN_SCAN_TIMEOUT);
    assert_false(chengmen_scan_opens(&result));
}

static bool wrong_id(struct appliance *a)
{
    appliance_send_verdict(a, COAP_ACK, a->request.id, appliance_token(a), a->id + 1);
    return false;
}

static void another_requests_verdict_never_opens(void **state)
{
    (void)state;
    struct appliance a;
    appliance_start(&a, AF_INET, wrong_id);
    struct chengmen_scan_answer result = ask(&a, 5000);
    assert_int_equal(result.result, CHENGMEN_SCAN_INVALID);
    assert_int_equal(result.verdict, CHENGMEN_SCAN_DENY);
    assert_false(chengmen_scan_opens(&result));
}

static bool separate(struct appliance *a)
{
    if (a->request.code == COAP_EMPTY) {
        a->acknowledged = a->request.type == COAP_ACK && a->request.id == 0x4242;
        return false;
    }
    appliance_send(a, COAP_ACK, COAP_EMPTY, a->request.id, (struct bytes){NULL, 0}, NULL, 0);
    appliance_send_verdict(a, COAP_CON, 0x4242, appliance_token(a), a->id);
    return true;
}

static void a_separate_response_is_acknowledged(void **state)
{
    (void)state;
    struct appliance a;
    appliance_start(&a, AF_INET, separate);
    struct chengmen_scan_answer result = ask(&a, 5000);
    assert_int_equal(result.result, CHENGMEN_SCAN_VERDICT);
    assert_true(a.acknowledged);
}

static bool reset(struct appliance *a)
{
    appliance_send(a, COAP_RST, COAP_EMPTY, a->request.id, (struct bytes){NULL, 0}, NULL, 0);
    return false;
}

static void a_reset_ends_the_exchange(void **state)
{
    (void)state;
    struct appliance a;
    appliance_start(&a, AF_INET, reset);
    assert_int_equal(ask(&a, 5000).result, CHENGMEN_SCAN_RESET);
}

static bool spent(struct appliance *a)
{
    appliance_send(a, COAP_ACK, COAP_TOO_MANY_REQUESTS, a->request.id, appliance_token(a),
                   (const uint8_t *)"\xa1\x04\x18\x38", 4);
    return false;
}

static void a_refusal_says_why_and_when_to_come_back(void **state)
{
    (void)state;
    struct appliance a;
    appliance_start(&a, AF_INET, spent);
    struct chengmen_scan_answer result = ask(&a, 5000);
    assert_int_equal(result.result, CHENGMEN_SCAN_REFUSED);
    assert_int_equal(result.coap_code, COAP_TOO_MANY_REQUESTS);
    assert_int_equal(result.reason, 56);
    assert_int_equal(result.max_age_s, 3);
    assert_false(chengmen_scan_opens(&result));
}

static bool challenge(struct appliance *a)
{
    const struct coap_option *echo = coap_find(&a->request, COAP_OPTION_ECHO);
    if (echo) {
        a->echoed = bytes_equal(echo->value, bytes_of_text("fresh"));
        appliance_answer(a);
        return false;
    }
    uint8_t room[64];
    struct coap_writer out =
        coap_write(room, sizeof room, COAP_ACK, COAP_UNAUTHORIZED, a->request.id, appliance_token(a));
    coap_put_option(&out, COAP_OPTION_ECHO, bytes_of_text("fresh"));
    appliance_send_raw(a, room, coap_written(&out));
    return true;
}

static void an_echo_challenge_is_met(void **state)
{
    (void)state;
    struct appliance a;
    appliance_start(&a, AF_INET, challenge);
    struct chengmen_scan_answer result = ask(&a, 5000);
    assert_int_equal(result.result, CHENGMEN_SCAN_VERDICT);
    assert_true(a.echoed);
    assert_int_equal(a.received, 2);
}

static void a_closed_port_is_silence(void **state)
{
    (void)state;
    char error[128];
    struct chengmen_scan_options options = {.appliance = "127.0.0.1:9", .deadline_ms = 200};
    struct chengmen_scan *scan = chengmen_scan_open(&options, error, sizeof error);
    assert_non_null(scan);
    struct chengmen_scan_request request = {.code = "SC1:", .code_size = 4};
    struct chengmen_scan_answer result;
    assert_int_equal(chengmen_scan_ask(scan, &request, &result), CHENGMEN_SCAN_TIMEOUT);
    chengmen_scan_close(scan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verdict_opens_over_both_families),
        cmocka_unit_test(a_lost_request_is_sent_again),
        cmocka_unit_test(what_is_foreign_is_passed_over),
        cmocka_unit_test(a_foreign_token_never_opens),
        cmocka_unit_test(another_requests_verdict_never_opens),
        cmocka_unit_test(a_separate_response_is_acknowledged),
        cmocka_unit_test(a_reset_ends_the_exchange),
        cmocka_unit_test(a_refusal_says_why_and_when_to_come_back),
        cmocka_unit_test(an_echo_challenge_is_met),
        cmocka_unit_test(a_closed_port_is_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
