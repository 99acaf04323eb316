/* Answers: what is read, what is refused, what is found wrong. Captured loads. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/coap.h"
#include "dataplane/reasons.h"
#include "tests/load/answer.h"
#include "tests/load/capture.h"

#define HEAD 0x68, COAP_CONTENT, 0x12, 0x34, 1, 0, 0, 0, 2, 0, 0, 0, 0xc1, 60, 0xff

static const uint8_t good[] = {HEAD, 0xa6, 1, 0x1a, 0x80, 0, 0, 2, 2, 1, 3, 0, 4, 0x18, 135, 5, 0x81, 1, 6, 12};

static void an_answer_is_read(void **state)
{
    struct answer answer;
    (void)state;
    assert_true(answer_read((struct bytes){good, sizeof good}, &answer));
    assert_true(answer.has_token && answer.token.salt == 1 && answer.token.sequence == 2);
    assert_int_equal(answer.message_id, 0x1234);
    assert_true(answer_read_verdict(&answer));
    assert_int_equal(answer.id, 0x80000002);
    assert_int_equal(answer.verdict, VERDICT_ALLOW_WITH_OBLIGATIONS);
    assert_int_equal(answer.reason, REASON_PRINTED);
    assert_int_equal(answer.obligations, 1u << OBLIGATION_CHECK_ID);
    assert_int_equal(answer.ruleset, 12);
}

static void a_refusal_tells_its_reason_or_none(void **state)
{
    static const uint8_t payload[] = {0xa1, 0x04, 0x18, REASON_POINT_UNKNOWN};
    static const uint8_t other[] = {0xa1, 0x05, 0x18, REASON_POINT_UNKNOWN};
    (void)state;
    assert_int_equal(answer_refusal_reason(&(struct answer){.payload = {payload, 4}}), REASON_POINT_UNKNOWN);
    assert_int_equal(answer_refusal_reason(&(struct answer){.payload = {payload, 3}}), 0);
    assert_int_equal(answer_refusal_reason(&(struct answer){.payload = {other, 4}}), 0);
    assert_int_equal(answer_refusal_reason(&(struct answer){.payload = {NULL, 0}}), 0);
}

static void every_difference_has_its_name(void **state)
{
    const struct expectation right = {COAP_CONTENT, VERDICT_ALLOW_WITH_OBLIGATIONS, 0, REASON_PRINTED,
                                      1u << OBLIGATION_CHECK_ID};
    struct answer answer;
    struct expectation other;
    (void)state;
    assert_true(answer_read((struct bytes){good, sizeof good}, &answer) && answer_read_verdict(&answer));
    assert_int_equal(answer_check(&answer, &right), WRONG_NOTHING);
    other = right, other.code = COAP_BAD_REQUEST;
    assert_int_equal(answer_check(&answer, &other), WRONG_CODE);
    other = right, other.verdict = VERDICT_DENY;
    assert_int_equal(answer_check(&answer, &other), WRONG_VERDICT);
    other = right, other.colour = 2;
    assert_int_equal(answer_check(&answer, &other), WRONG_COLOUR);
    other = right, other.reason = REASON_GREEN;
    assert_int_equal(answer_check(&answer, &other), WRONG_REASON);
    other = right, other.obligations = 0;
    assert_int_equal(answer_check(&answer, &other), WRONG_OBLIGATIONS);
    other = (struct expectation){.code = EXPECT_ANY};
    assert_int_equal(answer_check(&answer, &other), WRONG_NOTHING);
}

static void shed_is_neither_right_nor_wrong(void **state)
{
    struct answer answer = {.code = COAP_TOO_MANY_REQUESTS};
    (void)state;
    assert_true(answer_sheds(&answer));
    answer.code = COAP_SERVICE_UNAVAILABLE;
    assert_true(answer_sheds(&answer));
    answer = (struct answer){.code = COAP_CONTENT, .verdict = VERDICT_RETRY};
    assert_true(answer_sheds(&answer));
    answer.verdict = VERDICT_DENY;
    assert_false(answer_sheds(&answer));
}

static void malformed_answers_are_refused(void **state)
{
    static const uint8_t missing[] = {HEAD, 0xa3, 1, 5, 2, 1, 3, 0};
    static const uint8_t twice[] = {HEAD, 0xa4, 1, 5, 2, 1, 3, 0, 3, 0};
    static const uint8_t trailing[] = {HEAD, 0xa4, 1, 5, 2, 1, 3, 0, 4, 1, 0};
    static const uint8_t high[] = {HEAD, 0xa4, 1, 5, 2, 6, 3, 0, 4, 1};
    static const struct bytes bad[] = {
        {missing, sizeof missing}, {twice, sizeof twice}, {trailing, sizeof trailing}, {high, sizeof high}};
    struct answer answer;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(answer_read(bad[i], &answer));
        assert_false(answer_read_verdict(&answer));
    }
    assert_true(answer_read((struct bytes){good, 14}, &answer)); /* no payload */
    assert_false(answer_read_verdict(&answer));
    for (size_t length = 0; length < sizeof good; length++) {
        uint8_t *cut = malloc(length + 1); /* so that a sanitizer sees a read beyond it */
        memcpy(cut, good, length);
        assert_false(answer_read((struct bytes){cut, length}, &answer) && answer.code == COAP_CONTENT &&
                     answer_read_verdict(&answer));
        free(cut);
    }
}

/* A capture of two requests 10 ms apart from two sources, one answer, and noise. */
static size_t make_capture(uint8_t *room)
{
    static const uint8_t request[] = {0x42, COAP_POST, 0, 7, 9, 9, 0xb1, 'v', 0xff, 1};
    static const uint32_t header[] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
    uint8_t *out = room;
    memcpy(out, header, sizeof header);
    out += sizeof header;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t length = 42 + sizeof request, record[] = {100, i * 10000, length, length};
        uint8_t frame[42 + sizeof request] = {[12] = 8, [14] = 0x45, [23] = 17, [26] = 10, [29] = (uint8_t)i};
        memcpy(out, record, sizeof record);
        frame[36] = COAP_PORT >> 8;
        frame[37] = i == 2 ? 0 : COAP_PORT & 255;
        frame[39] = 8 + sizeof request;
        memcpy(frame + 42, request, sizeof request);
        if (i == 3)
            frame[43] = COAP_CONTENT;
        memcpy(out + sizeof record, frame, length);
        out += sizeof record + length;
    }
    return (size_t)(out - room);
}

static void a_capture_is_replayed_at_its_own_times(void **state)
{
    uint8_t file[1000];
    char error[100];
    struct pool pool;
    size_t size = make_capture(file);
    (void)state;
    assert_true(capture_parse((struct bytes){file, size}, 10, 2, &pool, error, sizeof error));
    assert_int_equal(pool.count, 2);
    assert_int_equal(pool.due_ns[0], 0);
    assert_int_equal(pool.due_ns[1], 5000000);
    assert_int_equal(pool.entries[0].point, 0);
    assert_int_equal(pool.entries[1].point, 1);
    assert_int_equal(pool.entries[0].expected.code, EXPECT_ANY);
    assert_int_equal(pool.messages[0], 0x48);
    pool_free(&pool);
    for (size_t length = 0; length < size; length++) {
        uint8_t *cut = malloc(length + 1);
        memcpy(cut, file, length);
        if (capture_parse((struct bytes){cut, length}, 10, 1, &pool, error, sizeof error))
            pool_free(&pool);
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(every_difference_has_its_name),
        cmocka_unit_test(a_refusal_tells_its_reason_or_none),
        cmocka_unit_test(shed_is_neither_right_nor_wrong),
        cmocka_unit_test(malformed_answers_are_refused),
        cmocka_unit_test(a_capture_is_replayed_at_its_own_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
