/* The scanning point's exchange and payloads, without a network and without waiting. */
#include "tests/unit/unit.h"

#include "control/scan/address.h"
#include "control/scan/exchange.h"
#include "control/scan/payload.h"
#include "keys/cbor.h"

#include <netinet/in.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

static void start(struct exchange *e)
{
    *e = (struct exchange){.message_id = 0x1234, .token = {1, 2, 3, 4, 5, 6, 7, 8}};
    struct coap_writer out =
        coap_write(e->message, sizeof e->message, COAP_CON, COAP_POST, e->message_id, (struct bytes){e->token, 8});
    e->message_size = coap_written(&out);
    exchange_start(e, 0, 0);
}

static void silence_ends_after_four_retransmissions(void **state)
{
    (void)state;
    static const uint64_t due_s[] = {0, 2, 6, 14, 30};
    struct exchange e;
    start(&e);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(exchange_tick(&e, due_s[i] * SECOND_NS), EXCHANGE_SEND);
        assert_int_equal(exchange_tick(&e, e.next_ns - 1), EXCHANGE_WAIT);
    }
    assert_int_equal(e.next_ns, 62 * SECOND_NS);
    assert_int_equal(exchange_tick(&e, 62 * SECOND_NS), EXCHANGE_EXPIRED);
    start(&e);
    exchange_start(&e, UINT32_MAX, 0);
    assert_int_equal(exchange_tick(&e, 0), EXCHANGE_SEND);
    assert_int_equal(e.next_ns, 3 * SECOND_NS);
}

static const struct {
    const char *what;
    enum coap_type type;
    uint8_t code;
    uint16_t id;
    uint8_t first_token_byte;
    uint8_t token_length;
    enum exchange_step step;
    int reply_type; /* -1: none */
} datagrams[] = {
    {"piggybacked response", COAP_ACK, COAP_CONTENT, 0x1234, 1, 8, EXCHANGE_RESPONSE, -1},
    {"piggybacked error", COAP_ACK, COAP_UNAUTHORIZED, 0x1234, 1, 8, EXCHANGE_RESPONSE, -1},
    {"piggybacked, wrong token", COAP_ACK, COAP_CONTENT, 0x1234, 9, 8, EXCHANGE_WAIT, -1},
    {"piggybacked, cut token", COAP_ACK, COAP_CONTENT, 0x1234, 1, 7, EXCHANGE_WAIT, -1},
    {"piggybacked, wrong message id", COAP_ACK, COAP_CONTENT, 0x1235, 1, 8, EXCHANGE_WAIT, -1},
    {"a request in an acknowledgement", COAP_ACK, COAP_POST, 0x1234, 1, 8, EXCHANGE_WAIT, -1},
    {"reserved class", COAP_ACK, COAP_CODE(3, 0), 0x1234, 1, 8, EXCHANGE_WAIT, -1},
    {"separate, confirmable", COAP_CON, COAP_CONTENT, 0x7777, 1, 8, EXCHANGE_RESPONSE, COAP_ACK},
    {"separate, not confirmable", COAP_NON, COAP_CONTENT, 0x7777, 1, 8, EXCHANGE_RESPONSE, -1},
    {"separate of somebody else", COAP_CON, COAP_CONTENT, 0x7777, 9, 8, EXCHANGE_REPLY, COAP_RST},
    {"ping", COAP_CON, COAP_EMPTY, 0x7777, 0, 0, EXCHANGE_REPLY, COAP_RST},
    {"not confirmable, wrong token", COAP_NON, COAP_CONTENT, 0x7777, 9, 8, EXCHANGE_WAIT, -1},
    {"reset", COAP_RST, COAP_EMPTY, 0x1234, 0, 0, EXCHANGE_RESET, -1},
    {"reset of another message", COAP_RST, COAP_EMPTY, 0x1235, 0, 0, EXCHANGE_WAIT, -1},
    {"empty acknowledgement", COAP_ACK, COAP_EMPTY, 0x1234, 0, 0, EXCHANGE_WAIT, -1},
};

static void each_datagram_has_its_step(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof datagrams / sizeof *datagrams; i++) {
        struct exchange e;
        uint8_t room[64], token[8] = {datagrams[i].first_token_byte, 2, 3, 4, 5, 6, 7, 8};
        struct coap_message response;
        struct exchange_reply reply;
        start(&e);
        exchange_tick(&e, 0);
        struct coap_writer out = coap_write(room, sizeof room, datagrams[i].type, datagrams[i].code, datagrams[i].id,
                                            (struct bytes){token, datagrams[i].token_length});
        enum exchange_step step =
            exchange_receive(&e, (struct bytes){room, coap_written(&out)}, SECOND_NS, &response, &reply);
        if (step != datagrams[i].step)
            fail_msg("%s: step %d", datagrams[i].what, step);
        assert_int_equal(reply.size, datagrams[i].reply_type < 0 ? 0 : 4);
        if (reply.size) {
            assert_int_equal(reply.data[0] >> 4 & 3, datagrams[i].reply_type);
            assert_int_equal(reply.data[2] << 8 | reply.data[3], datagrams[i].id);
        }
    }
}

static void an_empty_acknowledgement_stops_retransmission(void **state)
{
    (void)state;
    static const uint8_t ack[] = {0x60, 0, 0x12, 0x34};
    struct exchange e;
    struct coap_message response;
    struct exchange_reply reply;
    start(&e);
    assert_int_equal(exchange_tick(&e, 0), EXCHANGE_SEND);
    exchange_receive(&e, (struct bytes){ack, sizeof ack}, SECOND_NS, &response, &reply);
    assert_int_equal(exchange_tick(&e, 60 * SECOND_NS), EXCHANGE_WAIT);
    /* Repeated, it does not prolong the wait. */
    exchange_receive(&e, (struct bytes){ack, sizeof ack}, 50 * SECOND_NS, &response, &reply);
    assert_int_equal(exchange_tick(&e, 94 * SECOND_NS), EXCHANGE_EXPIRED);
}

static void a_request_carries_what_is_present(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        0xa6, 0x01, 0x07, 0x02, 0x65, 'S',  'C',  '1',  ':',  'A',  0x03, 0x1a, 0x5e, 0x5f, 0x10,
        0x00, 0x04, 0xa8, 0x01, 0x19, 0x0e, 0x42, 0x02, 0x41, 0xd2, 0x03, 0x61, '9',  0x04, 0xf4,
        0x05, 0xf5, 0x06, 0xf5, 0x07, 0xf4, 0x08, 0x61, 'f',  0x06, 0x01, 0x07, 0x02,
    };
    struct chengmen_scan_request r = {
        .code = "SC1:A",
        .code_size = 5,
        .pass = "\xd2",
        .pass_size = 1,
        .sms = "9",
        .form = "f",
        .time_s = 0x5e5f1000,
        .flags = 2,
        .temperature_c = 3650,
        .direction = 1,
        .id_checked = true,
        .mask = true,
        .has_time = true,
        .has_flags = true,
        .has_temperature = true,
        .has_direction = true,
        .has_consent = true,
        .has_id_checked = true,
        .has_mask = true,
        .has_registered = true,
    };
    uint8_t room[128];
    assert_int_equal(payload_write(&r, 7, room, sizeof room), sizeof expected);
    assert_memory_equal(room, expected, sizeof expected);
    assert_int_equal(payload_write(&r, 7, room, sizeof expected - 1), 0);
    r.direction = 2;
    assert_int_equal(payload_write(&r, 7, room, sizeof room), 0);
    struct chengmen_scan_request bare = {.code = "\xd2\x84", .code_size = 2};
    assert_int_equal(payload_write(&bare, 0, room, sizeof room), 7);
    assert_memory_equal(room, "\xa2\x01\x00\x02\x42\xd2\x84", 7);
    bare.code_size = CHENGMEN_SCAN_CODE_MAX + 1;
    assert_int_equal(payload_write(&bare, 0, room, sizeof room), 0);
}

#define VERDICT_HEAD "\x01\x07\x02\x00\x03\x00\x04\x18\x78"
static const struct {
    const char *what;
    const char *payload;
    size_t size;
    bool accepted, opens;
} verdicts[] = {
#define ROW(what, payload, accepted, opens)                                                                            \
    {                                                                                                                  \
        what, payload, sizeof payload - 1, accepted, opens                                                             \
    }
    ROW("green", "\xa6" VERDICT_HEAD "\x06\x0c\x07\x00", true, true),
    ROW("any order", "\xa6\x07\x00\x06\x0c" VERDICT_HEAD, true, true),
    ROW("all members", "\xaa" VERDICT_HEAD "\x05\x82\x00\x01\x06\x0c\x07\x00\x08\x05\x09\x06\x0a\x63H-1", true, false),
    ROW("with obligations", "\xa7\x01\x07\x02\x01\x03\x00\x04\x18\x78\x05\x81\x00\x06\x0c\x07\x00", true, false),
    ROW("ALLOW, yet something to do", "\xa7" VERDICT_HEAD "\x05\x81\x00\x06\x0c\x07\x00", true, false),
    ROW("deny", "\xa6\x01\x07\x02\x04\x03\x02\x04\x18\x78\x06\x0c\x07\x00", true, false),
    ROW("another request's", "\xa6\x01\x08\x02\x00\x03\x00\x04\x18\x78\x06\x0c\x07\x00", false, false),
    ROW("unknown verdict", "\xa6\x01\x07\x02\x06\x03\x00\x04\x18\x78\x06\x0c\x07\x00", false, false),
    ROW("verdict wraps to ALLOW",
        "\xa6\x01\x07\x02\x1b\x00\x00\x00\x01\x00\x00\x00\x00\x03\x00\x04\x18\x78\x06\x0c\x07\x00", false, false),
    ROW("unknown colour", "\xa6\x01\x07\x02\x00\x03\x04\x04\x18\x78\x06\x0c\x07\x00", false, false),
    ROW("unknown label", "\xa7" VERDICT_HEAD "\x06\x0c\x07\x00\x0b\x00", false, false),
    ROW("twice the same label", "\xa7" VERDICT_HEAD "\x06\x0c\x07\x00\x02\x00", false, false),
    ROW("verdict missing", "\xa5\x01\x07\x03\x00\x04\x18\x78\x06\x0c\x07\x00", false, false),
    ROW("obligation out of range", "\xa7" VERDICT_HEAD "\x05\x81\x18\x20\x06\x0c\x07\x00", false, false),
    ROW("terminal control in the rule", "\xa7" VERDICT_HEAD "\x06\x0c\x07\x00\x0a\x61\x1b", false, false),
    ROW("something after the end", "\xa6" VERDICT_HEAD "\x06\x0c\x07\x00\x00", false, false),
    ROW("cut", "\xa6" VERDICT_HEAD "\x06\x0c\x07", false, false),
    ROW("empty", "", false, false),
    ROW("no map", "\x84\x01\x07\x02\x00", false, false),
#undef ROW
};

static void each_verdict_is_taken_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        struct chengmen_scan_answer answer = {.result = CHENGMEN_SCAN_INVALID, .verdict = CHENGMEN_SCAN_DENY};
        bool accepted =
            payload_read_verdict((struct bytes){(const uint8_t *)verdicts[i].payload, verdicts[i].size}, 7, &answer);
        if (accepted != verdicts[i].accepted)
            fail_msg("%s", verdicts[i].what);
        if (accepted)
            answer.result = CHENGMEN_SCAN_VERDICT;
        else
            assert_int_equal(answer.verdict, CHENGMEN_SCAN_DENY);
        if (chengmen_scan_opens(&answer) != verdicts[i].opens)
            fail_msg("%s opens", verdicts[i].what);
    }
}

static void an_errors_reason_is_read(void **state)
{
    (void)state;
    assert_int_equal(payload_read_reason((struct bytes){(const uint8_t *)"\xa1\x04\x18\x38", 4}), 56);
    assert_int_equal(payload_read_reason((struct bytes){(const uint8_t *)"\xa1\x05\x18\x38", 4}), 0);
    assert_int_equal(payload_read_reason((struct bytes){(const uint8_t *)"\xa1\x04\x18\x38\x00", 5}), 0);
    assert_int_equal(payload_read_reason((struct bytes){NULL, 0}), 0);
}

static const struct {
    const char *text;
    int family, port;
} addresses[] = {
    {"192.0.2.1", AF_INET, 5683},
    {"192.0.2.1:1", AF_INET, 1},
    {"2001:db8::1", AF_INET6, 5683},
    {"[2001:db8::1]", AF_INET6, 5683},
    {"[::1]:65535", AF_INET6, 65535},
    {"::", AF_INET6, 5683},
    {"192.0.2.1:", 0, 0},
    {"192.0.2.1:65536", 0, 0},
    {"192.0.2.1:0", 0, 0},
    {"192.0.2.1:1x", 0, 0},
    {"[::1", 0, 0},
    {"[::1]5683", 0, 0},
    {"gate.example", 0, 0},
    {"", 0, 0},
    {":5683", 0, 0},
};

static void addresses_are_read_as_people_write_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct sockaddr_storage out;
        socklen_t size;
        bool ok = address_read(addresses[i].text, COAP_PORT, &out, &size);
        if (ok != (addresses[i].family != 0))
            fail_msg("%s", addresses[i].text);
        if (!ok)
            continue;
        assert_int_equal(out.ss_family, addresses[i].family);
        in_port_t port = out.ss_family == AF_INET ? ((struct sockaddr_in *)&out)->sin_port
                                                  : ((struct sockaddr_in6 *)&out)->sin6_port;
        assert_int_equal(ntohs(port), addresses[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_ends_after_four_retransmissions),
        cmocka_unit_test(each_datagram_has_its_step),
        cmocka_unit_test(an_empty_acknowledgement_stops_retransmission),
        cmocka_unit_test(a_request_carries_what_is_present),
        cmocka_unit_test(each_verdict_is_taken_or_not),
        cmocka_unit_test(an_errors_reason_is_read),
        cmocka_unit_test(addresses_are_read_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
