#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/rules_json.h"
#include "dataplane/worker.h"
#include "keys/cbor.h"
#include "tests/simulator/clock_sim.h"
#include "tests/unit/frames.h"
#include "tests/unit/world.h"

static struct world world;

/* The response map of a verdict's answer. */
struct answer {
    struct coap_message message;
    uint64_t id, verdict, colour, reason;
};

static struct answer read_answer(struct bytes frame)
{
    struct answer answer = {0};
    struct cbor_labels labels = {0};
    assert_true(frame.length > FRAME_UDP4 + 8);
    struct bytes datagram = {frame.data + FRAME_UDP4 + 8, frame.length - FRAME_UDP4 - 8};
    assert_int_equal(coap_parse(datagram, &answer.message), COAP_OK);
    struct cbor_reader in = cbor_read(answer.message.payload);
    for (uint32_t count = cbor_take_map(&in, 10); count > 0; count--) {
        int64_t label = cbor_take_number_label(&in, &labels);
        uint64_t value = cbor_peek(&in) == CBOR_UINT ? cbor_take_uint(&in) : (cbor_take_item(&in), UINT64_C(0));
        if (label == 1)
            answer.id = value;
        if (label == 2)
            answer.verdict = value;
        if (label == 3)
            answer.colour = value;
        if (label == 4)
            answer.reason = value;
    }
    assert_true(cbor_done(&in));
    return answer;
}

static struct answer ask(struct bytes code)
{
    static uint16_t message_id;
    uint8_t request[1400], frame[2048];
    enum reason why;
    struct bytes payload = world_request(77, code, request, sizeof request);
    struct bytes reply = world_exchange(&world, world_post(COAP_CON, ++message_id, payload, frame), 0, &why);
    struct answer answer = read_answer(reply);
    assert_int_equal(answer.message.type, COAP_ACK);
    assert_int_equal(answer.message.id, message_id);
    assert_int_equal(answer.message.code, COAP_CONTENT);
    assert_int_equal(answer.id, 77);
    assert_int_equal(answer.reason, why);
    return answer;
}

static struct answer ask_claims(const struct credential *claims)
{
    uint8_t room[CREDENTIAL_SIZE_MAX];
    return ask(world_sign(claims, world_kid, world.secret_key, room, sizeof room));
}

static void without_rules_a_good_code_is_referred(void **state)
{
    (void)state;
    struct credential claims = world_claims();
    struct answer answer = ask_claims(&claims);
    assert_int_equal(answer.verdict, VERDICT_REFER);
    assert_int_equal(answer.reason, REASON_RULES_ABSENT);
    assert_int_equal(answer.colour, COLOUR_GREEN);
}

static void put_rules(void)
{
    static const char text[] = "{\"version\":7,\"issued\":\"2020-03-01T00:00:00+08:00\",\"home\":[\"CN-310000\"],"
                               "\"equivalence\":[],\"city\":[],\"venues\":{\"hospital\":[{\"id\":\"H-1\",\"when\":true,"
                               "\"verdict\":\"ALLOW\",\"reason\":\"GREEN\"}]}}";
    struct json_problems problems = {0};
    uint8_t *program;
    size_t size;
    assert_true(rules_compile(bytes_of_text(text), false, NULL, &program, &size, &problems));
    world_apply(&world, LOG_RULES, (struct bytes){program, size});
    free(program);
}

/* As many wait for the disk as may. */
static void who_finds_no_place_to_wait_is_referred(void **state)
{
    (void)state;
    static struct request waiting;
    struct credential claims = world_claims();
    uint64_t cookie;
    put_rules();
    while (park_room(world.worker->park, &cookie))
        park_put(world.worker->park, &waiting, clock_monotonic_ns());
    struct answer answer = ask_claims(&claims);
    assert_int_equal(answer.verdict, VERDICT_REFER);
    assert_int_equal(answer.reason, REASON_STATUS_BUSY);
    while (park_count(world.worker->park) > 0)
        park_take_late(world.worker->park, UINT64_MAX);
    assert_int_equal(ask_claims(&claims).verdict, VERDICT_ALLOW);
}

static void rules_that_do_not_load_leave_none_in_force(void **state)
{
    (void)state;
    struct credential claims = world_claims();
    put_rules();
    struct answer answer = ask_claims(&claims);
    assert_int_equal(answer.verdict, VERDICT_ALLOW);
    assert_int_equal(answer.reason, REASON_GREEN);
    world_apply_bad(&world, LOG_RULES, bytes_of_text("no program"));
    answer = ask_claims(&claims);
    assert_int_equal(answer.verdict, VERDICT_REFER);
    assert_int_equal(answer.reason, REASON_RULES_ABSENT);
    put_rules();
    assert_int_equal(ask_claims(&claims).verdict, VERDICT_ALLOW);
}

struct claims_case {
    void (*change)(struct credential *claims);
    enum reason reason;
    enum verdict verdict;
};

static void too_old(struct credential *c)
{
    c->iat_s = WORLD_NOW_S - 60;
    c->exp_s = WORLD_NOW_S;
}

static void just_alive(struct credential *c)
{
    c->iat_s = WORLD_NOW_S - 59;
    c->exp_s = WORLD_NOW_S + 1;
}

static void too_new(struct credential *c)
{
    c->iat_s = WORLD_NOW_S + 6;
    c->exp_s = WORLD_NOW_S + 66;
}

static void within_skew(struct credential *c)
{
    c->iat_s = WORLD_NOW_S + 5;
    c->exp_s = WORLD_NOW_S + 65;
}

static void not_before(struct credential *c)
{
    c->nbf_s = WORLD_NOW_S + 6;
}

static void too_long(struct credential *c)
{
    c->exp_s = c->iat_s + 61;
}

static void other_issuer(struct credential *c)
{
    c->issuer = bytes_of_text("CN-320000");
}

static void other_region(struct credential *c)
{
    c->region = 320100;
}

static void no_region(struct credential *c)
{
    c->has_region = false;
}

static void no_cti(struct credential *c)
{
    c->cti = NULL;
}

static void unknown_list(struct credential *c)
{
    c->status_uri = bytes_of_text("https://s/none");
}

static void each_refusal_has_its_reason(void **state)
{
    (void)state;
    static const struct claims_case cases[] = {
        {too_old, REASON_EXPIRED, VERDICT_DENY},
        {just_alive, REASON_RULES_ABSENT, VERDICT_REFER},
        {too_new, REASON_FUTURE, VERDICT_DENY},
        {within_skew, REASON_RULES_ABSENT, VERDICT_REFER},
        {not_before, REASON_FUTURE, VERDICT_DENY},
        {too_long, REASON_LIFETIME, VERDICT_DENY},
        {other_issuer, REASON_SCOPE_ISSUER, VERDICT_DENY},
        {other_region, REASON_SCOPE_REGION, VERDICT_DENY},
        {no_region, REASON_SCOPE_REGION, VERDICT_DENY},
        {no_cti, REASON_CREDENTIAL_CLAIMS, VERDICT_DENY},
        {unknown_list, REASON_STATUS_LIST_UNKNOWN, VERDICT_REFER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct credential claims = world_claims();
        cases[i].change(&claims);
        struct answer answer = ask_claims(&claims);
        if (answer.reason != cases[i].reason || answer.verdict != cases[i].verdict)
            fail_msg("case %zu: %s", i, reason_name((enum reason)answer.reason));
    }
}

static void keys_are_held_to_their_terms(void **state)
{
    (void)state;
    struct credential claims = world_claims();
    uint8_t room[CREDENTIAL_SIZE_MAX];
    assert_int_equal(ask(world_sign(&claims, (const uint8_t *)"no such.", world.secret_key, room, sizeof room)).reason,
                     REASON_KEY_UNKNOWN);
    assert_int_equal(ask(world_sign(&claims, world_list_kid, world.secret_key, room, sizeof room)).reason,
                     REASON_KEY_USE);
    assert_int_equal(ask(world_sign(&claims, world_kid, world.other_secret_key, room, sizeof room)).reason,
                     REASON_SIGNATURE);
    struct issuer_key key = world_key(&world);
    key.classes = 1u << CLASS_PRINTED;
    world_put_key(&world, &key);
    assert_int_equal(ask_claims(&claims).reason, REASON_SCOPE_CLASS);
    key = world_key(&world);
    key.not_before_s = WORLD_NOW_S + 1;
    world_put_key(&world, &key);
    assert_int_equal(ask_claims(&claims).reason, REASON_KEY_NOT_YET);
    key = world_key(&world);
    key.not_after_s = WORLD_NOW_S;
    world_put_key(&world, &key);
    assert_int_equal(ask_claims(&claims).reason, REASON_KEY_EXPIRED);
    key = world_key(&world);
    key.retired = true;
    world_put_key(&world, &key);
    assert_int_equal(ask_claims(&claims).reason, REASON_KEY_RETIRED);
}

/* Lists of 4 entries: valid, revoked, suspended, application-specific. */
static void put_list(uint64_t iat_s, uint64_t exp_s, const char *issuer)
{
    static const uint8_t bits[] = {0xe4};
    struct status_list list = {
        .uri = "https://s/1", .iat_s = iat_s, .exp_s = exp_s, .ttl_s = 100, .entries = 4, .bits = bits};
    uint8_t room[256];
    snprintf(list.issuer, sizeof list.issuer, "%s", issuer);
    world_apply(&world, LOG_STATUS_LIST, (struct bytes){room, status_list_encode(&list, room, sizeof room)});
}

static struct answer ask_status(uint64_t index)
{
    struct credential claims = world_claims();
    claims.status_uri = bytes_of_text("https://s/1");
    claims.status_index = index;
    return ask_claims(&claims);
}

static void the_fresher_state_decides(void **state)
{
    (void)state;
    put_list(WORLD_NOW_S, 0, "CN-310000");
    assert_int_equal(ask_status(0).colour, COLOUR_GREEN);
    assert_int_equal(ask_status(1).reason, REASON_REVOKED);
    assert_int_equal(ask_status(1).verdict, VERDICT_DENY);
    assert_int_equal(ask_status(2).colour, COLOUR_YELLOW);
    assert_int_equal(ask_status(3).colour, COLOUR_RED);
    assert_int_equal(ask_status(4).reason, REASON_STATUS_INDEX);
    put_list(WORLD_NOW_S - 1, 0, "CN-310000"); /* older than the credential */
    assert_int_equal(ask_status(3).colour, COLOUR_GREEN);
    assert_int_equal(ask_status(1).reason, REASON_REVOKED);
    put_list(WORLD_NOW_S - 9, WORLD_NOW_S, "CN-310000");
    assert_int_equal(ask_status(0).reason, REASON_STATUS_LIST_EXPIRED);
    assert_int_equal(ask_status(1).reason, REASON_REVOKED);
    put_list(WORLD_NOW_S, 0, "CN-320000");
    assert_int_equal(ask_status(0).reason, REASON_STATUS_ISSUER);
}

static void an_entry_changes_alone(void **state)
{
    (void)state;
    uint8_t entries[2 * STATUS_CHANGE_ENTRY_SIZE], room[STATUS_CHANGE_ENCODED_MAX(2)];
    struct status_change change = {
        .uri = "https://s/1", .iat_s = WORLD_NOW_S, .ttl_s = 100, .count = 2, .entries = entries};
    put_list(WORLD_NOW_S, 0, "CN-310000");
    status_change_put(entries, 0, 0, STATUS_INVALID);
    status_change_put(entries, 1, 3, STATUS_SUSPENDED);
    world_apply(&world, LOG_LIST_CHANGE, (struct bytes){room, status_change_encode(&change, room, sizeof room)});
    assert_int_equal(ask_status(0).reason, REASON_REVOKED);
    assert_int_equal(ask_status(1).reason, REASON_REVOKED);
    assert_int_equal(ask_status(2).colour, COLOUR_YELLOW);
    assert_int_equal(ask_status(3).colour, COLOUR_YELLOW);
}

static void a_newer_record_wins(void **state)
{
    (void)state;
    static const uint8_t hash_key[SUBJECT_HASH_KEY_SIZE] = "subject hash key";
    struct credential claims = world_claims();
    struct subject_record record = {.version = 1, .since_s = WORLD_NOW_S, .colour = COLOUR_RED};
    subject_key(hash_key, claims.issuer, claims.subject, record.key);
    world_apply(&world, LOG_SUBJECT, (struct bytes){(const uint8_t *)&record, sizeof record});
    assert_int_equal(ask_claims(&claims).colour, COLOUR_RED);
    record.version = 2;
    record.since_s = WORLD_NOW_S - 1;
    world_apply(&world, LOG_SUBJECT, (struct bytes){(const uint8_t *)&record, sizeof record});
    assert_int_equal(ask_claims(&claims).colour, COLOUR_GREEN);
    record.version = 3;
    record.since_s = WORLD_NOW_S + 1;
    record.flags = SUBJECT_REMOVED;
    world_apply(&world, LOG_SUBJECT, (struct bytes){(const uint8_t *)&record, sizeof record});
    assert_int_equal(ask_claims(&claims).colour, COLOUR_GREEN);
}

static void garbage_shown_is_denied(void **state)
{
    (void)state;
    assert_int_equal(ask(bytes_of_text("no code")).reason, REASON_CREDENTIAL_FORM);
    assert_int_equal(ask(bytes_of_text("no code")).verdict, VERDICT_DENY);
}

static void a_message_that_comes_again_gets_the_same_bytes(void **state)
{
    (void)state;
    uint8_t room[CREDENTIAL_SIZE_MAX], request[1400], frame[2048], first[2048];
    enum reason why;
    struct credential claims = world_claims();
    struct bytes code = world_sign(&claims, world_kid, world.secret_key, room, sizeof room);
    struct bytes payload = world_request(5, code, request, sizeof request);
    for (enum coap_type type = COAP_CON; type <= COAP_NON; type++) {
        struct bytes sent = world_post(type, 9000, payload, frame);
        struct bytes reply = world_exchange(&world, sent, 0, &why);
        assert_int_equal(why, REASON_RULES_ABSENT);
        assert_int_equal(read_answer(reply).message.type, type == COAP_CON ? COAP_ACK : COAP_NON);
        memcpy(first, reply.data, reply.length);
        size_t length = reply.length;
        clock_sim_set(WORLD_NOW_S + 200, UINT64_C(201) * 1000000000); /* expired by now, but it is the same message */
        reply = world_exchange(&world, sent, 0, &why);
        assert_int_equal(why, REASON_RETRANSMISSION);
        assert_int_equal(reply.length, length);
        assert_memory_equal(reply.data, first, length);
        clock_sim_set(WORLD_NOW_S + 300, UINT64_C(301) * 1000000000); /* past EXCHANGE_LIFETIME */
        world_exchange(&world, sent, 0, &why);
        assert_int_equal(why, REASON_EXPIRED);
        clock_sim_set(WORLD_NOW_S, 1000000000);
    }
}

static void a_full_queue_is_counted(void **state)
{
    (void)state;
    uint8_t frame[2048];
    enum reason why;
    port_sim_set_room(world.port, 0);
    struct bytes sent = world_post(COAP_CON, 1, bytes_of_text("x"), frame);
    assert_int_equal(world_exchange(&world, sent, 0, &why).length, 0);
    assert_int_equal(why, REASON_REQUEST_FORM);
    assert_int_equal(world.worker->counters.send_failed, 1);
}

static void counters_balance_over_garbage(void **state)
{
    (void)state;
    uint8_t frame[2048], request[1400], room[CREDENTIAL_SIZE_MAX];
    uint32_t random = 1;
    struct credential claims = world_claims();
    struct bytes code = world_sign(&claims, world_kid, world.secret_key, room, sizeof room);
    struct bytes good = world_post(COAP_CON, 1, world_request(5, code, request, sizeof request), frame);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t mutated[2048];
        memcpy(mutated, good.data, good.length);
        for (unsigned changes = i % 4; changes > 0; changes--) {
            random = random * 1664525u + 1013904223u;
            mutated[random >> 8 & 0xff] ^= (uint8_t)(random >> 24);
        }
        size_t length = i % 7 == 0 ? random >> 16 & 0xff : good.length;
        port_sim_inject(world.port, (struct bytes){mutated, length < good.length ? length : good.length}, 0);
        worker_step(world.worker);
        port_sim_take(world.port);
    }
    uint64_t ended = 0;
    for (unsigned i = 0; i < REASON_LIMIT; i++)
        ended += world.worker->counters.ended[i];
    assert_int_equal(ended, 20000);
    assert_int_equal(world.worker->counters.received, 20000);
}

/* More than a burst waits, and it waits for long: the turn after the pause refuses it before a signature is checked. */
static void what_waited_past_its_deadline_is_told_so(void **state)
{
    (void)state;
    uint8_t frame[2048], request[1400], room[CREDENTIAL_SIZE_MAX];
    struct credential claims = world_claims();
    struct bytes code = world_sign(&claims, world_kid, world.other_secret_key, room, sizeof room); /* forged */
    struct bytes payload = world_request(5, code, request, sizeof request);
    const unsigned count_ = 150;
    worker_step(world.worker); /* finds the queue empty, at 1 s */
    for (unsigned late = 0; late < 2; late++) {
        for (unsigned i = 0; i < count_; i++)
            assert_true(
                port_sim_inject(world.port, world_post(COAP_CON, (uint16_t)(late * count_ + i), payload, frame), 0));
        if (late)
            clock_sim_set(WORLD_NOW_S, 1000000000 + (world.config.reply_deadline_us + 1) * UINT64_C(1000));
        while (worker_step(world.worker) > 0)
            ;
        for (unsigned i = 0; i < count_; i++) {
            struct answer answer = {0};
            struct bytes reply = port_sim_take(world.port);
            struct bytes datagram = {reply.data + FRAME_UDP4 + 8, reply.length - FRAME_UDP4 - 8};
            assert_int_equal(coap_parse(datagram, &answer.message), COAP_OK);
            assert_int_equal(answer.message.code, late ? COAP_SERVICE_UNAVAILABLE : COAP_CONTENT);
            assert_int_equal(coap_find(&answer.message, COAP_OPTION_MAX_AGE) != NULL, late);
        }
    }
    const uint64_t *ended = world.worker->counters.ended;
    assert_int_equal(ended[REASON_SIGNATURE], count_);
    assert_int_equal(ended[REASON_DEADLINE], count_);
    assert_int_equal(world.worker->counters.received, 2 * count_);
}

static int start(void **state)
{
    (void)state;
    world_start(&world);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    port_sim_take(world.port);
    world_stop(&world);
    return 0;
}

#define IN_A_NEW_WORLD(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_NEW_WORLD(without_rules_a_good_code_is_referred),
        IN_A_NEW_WORLD(who_finds_no_place_to_wait_is_referred),
        IN_A_NEW_WORLD(rules_that_do_not_load_leave_none_in_force),
        IN_A_NEW_WORLD(each_refusal_has_its_reason),
        IN_A_NEW_WORLD(keys_are_held_to_their_terms),
        IN_A_NEW_WORLD(the_fresher_state_decides),
        IN_A_NEW_WORLD(an_entry_changes_alone),
        IN_A_NEW_WORLD(a_newer_record_wins),
        IN_A_NEW_WORLD(garbage_shown_is_denied),
        IN_A_NEW_WORLD(a_message_that_comes_again_gets_the_same_bytes),
        IN_A_NEW_WORLD(a_full_queue_is_counted),
        IN_A_NEW_WORLD(counters_balance_over_garbage),
        IN_A_NEW_WORLD(what_waited_past_its_deadline_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
