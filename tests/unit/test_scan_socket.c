/* The client library against a small appliance on the loopback that misbehaves as it is told. */
#include "tests/unit/unit.h"

#include "control/scan/chengmen_scan.h"
#include "dataplane/coap.h"
#include "keys/cbor.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct appliance {
    int socket, family;
    char address[64];
    pthread_t thread;
    struct sockaddr_storage client;
    socklen_t client_size;
    struct coap_message request; /* of the datagram under way */
    uint8_t datagram[2048];
    unsigned received;
    uint32_t id;
    /* Called for each datagram, in the appliance's thread. False ends the thread. */
    bool (*behave)(struct appliance *);
    bool acknowledged; /* the client acknowledged a separate response */
    bool echoed;       /* the request came with the Echo that was asked for */
};

static void send_raw(struct appliance *a, enum coap_type type, uint8_t code, uint16_t message_id, struct bytes token,
                     const uint8_t *payload, size_t size)
{
    uint8_t room[512];
    struct coap_writer out = coap_write(room, sizeof room, type, code, message_id, token);
    if (size)
        coap_put_option_uint(&out, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
    if (code == COAP_TOO_MANY_REQUESTS)
        coap_put_option_uint(&out, COAP_OPTION_MAX_AGE, 3);
    coap_put_payload(&out, (struct bytes){payload, size});
    assert_true(sendto(a->socket, room, coap_written(&out), 0, (struct sockaddr *)&a->client, a->client_size) > 0);
}

static void send_verdict(struct appliance *a, enum coap_type type, uint16_t message_id, struct bytes token, uint32_t id)
{
    uint8_t room[64];
    struct cbor_writer out = cbor_write(room, sizeof room);
    const uint64_t members[][2] = {{1, id}, {2, 0}, {3, 0}, {4, 120}, {6, 12}, {7, 5}};
    cbor_put_map(&out, 6);
    for (unsigned i = 0; i < 6; i++) {
        cbor_put_uint(&out, members[i][0]);
        cbor_put_uint(&out, members[i][1]);
    }
    send_raw(a, type, COAP_CONTENT, message_id, token, room, cbor_written(&out).length);
}

static struct bytes token_of(const struct appliance *a)
{
    return (struct bytes){a->request.token, a->request.token_length};
}

static void answer(struct appliance *a)
{
    send_verdict(a, COAP_ACK, a->request.id, token_of(a), a->id);
}

static void *appliance_run(void *argument)
{
    struct appliance *a = argument;
    for (;;) {
        struct pollfd wait = {.fd = a->socket, .events = POLLIN};
        if (poll(&wait, 1, 8000) != 1)
            return NULL;
        a->client_size = sizeof a->client;
        ssize_t size =
            recvfrom(a->socket, a->datagram, sizeof a->datagram, 0, (struct sockaddr *)&a->client, &a->client_size);
        if (size < 0 || coap_parse((struct bytes){a->datagram, (size_t)size}, &a->request) != COAP_OK)
            return NULL;
        a->received++;
        struct cbor_reader in = cbor_read(a->request.payload);
        cbor_take_map(&in, 8);
        if (cbor_take_uint(&in) == 1)
            a->id = (uint32_t)cbor_take_uint(&in);
        if (!a->behave(a))
            return NULL;
    }
}

static void appliance_start(struct appliance *a, int family, bool (*behave)(struct appliance *))
{
    *a = (struct appliance){.family = family, .behave = behave};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    a->socket = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(a->socket >= 0);
    socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
    void *address = family == AF_INET ? (void *)&v4 : (void *)&v6;
    assert_int_equal(bind(a->socket, address, size), 0);
    assert_int_equal(getsockname(a->socket, address, &size), 0);
    if (family == AF_INET)
        snprintf(a->address, sizeof a->address, "127.0.0.1:%u", ntohs(v4.sin_port));
    else
        snprintf(a->address, sizeof a->address, "[::1]:%u", ntohs(v6.sin6_port));
    assert_int_equal(pthread_create(&a->thread, NULL, appliance_run, a), 0);
}

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
    pthread_join(a->thread, NULL);
    close(a->socket);
    return result;
}

static bool behave_well(struct appliance *a)
{
    assert_int_equal(a->request.code, COAP_POST);
    assert_true(bytes_equal(coap_find(&a->request, COAP_OPTION_URI_PATH)->value, bytes_of_text("v")));
    answer(a);
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
    answer(a);
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
    send_verdict(a, COAP_ACK, a->request.id, (struct bytes){wrong, 8}, a->id);
    send_verdict(a, COAP_ACK, (uint16_t)(a->request.id + 1), token_of(a), a->id);
    send_raw(a, COAP_RST, COAP_EMPTY, (uint16_t)(a->request.id + 1), (struct bytes){NULL, 0}, NULL, 0);
    sendto(a->socket, "\x60", 1, 0, (struct sockaddr *)&a->client, a->client_size);
    answer(a);
    answer(a);
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
    send_verdict(a, COAP_ACK, a->request.id, (struct bytes){wrong, 8}, a->id);
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
    send_verdict(a, COAP_ACK, a->request.id, token_of(a), a->id + 1);
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
    send_raw(a, COAP_ACK, COAP_EMPTY, a->request.id, (struct bytes){NULL, 0}, NULL, 0);
    send_verdict(a, COAP_CON, 0x4242, token_of(a), a->id);
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
    send_raw(a, COAP_RST, COAP_EMPTY, a->request.id, (struct bytes){NULL, 0}, NULL, 0);
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
    send_raw(a, COAP_ACK, COAP_TOO_MANY_REQUESTS, a->request.id, token_of(a), (const uint8_t *)"\xa1\x04\x18\x38", 4);
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
        answer(a);
        return false;
    }
    uint8_t room[64];
    struct coap_writer out = coap_write(room, sizeof room, COAP_ACK, COAP_UNAUTHORIZED, a->request.id, token_of(a));
    coap_put_option(&out, COAP_OPTION_ECHO, bytes_of_text("fresh"));
    sendto(a->socket, room, coap_written(&out), 0, (struct sockaddr *)&a->client, a->client_size);
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
