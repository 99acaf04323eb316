/* What is in force is the outcome of the log's records, in their order. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "control/state.h"

static struct state state_now;
static uint64_t sequence;

static int begin(void **state)
{
    (void)state;
    sequence = 0;
    return state_init(&state_now) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    state_free(&state_now);
    return 0;
}

static enum state_error apply(enum log_type type, struct bytes payload)
{
    struct log_record record = {.type = type, .sequence = ++sequence, .payload = payload};
    return state_apply(&state_now, &record);
}

static enum state_error apply_point(uint32_t id, const char *venue)
{
    uint8_t room[POINT_ENCODED_MAX];
    struct point point = {.id = id, .venue_class = "mall"};
    snprintf(point.venue, sizeof point.venue, "%s", venue);
    return apply(LOG_POINT, (struct bytes){room, point_encode(&point, room, sizeof room)});
}

static enum state_error remove_point(uint32_t id)
{
    uint8_t room[9];
    struct cbor_writer out = cbor_write(room, sizeof room);
    cbor_put_uint(&out, id);
    return apply(LOG_POINT_REMOVE, cbor_written(&out));
}

static void points_come_change_and_go(void **state)
{
    (void)state;
    for (uint32_t id = 1; id <= 3000; id++)
        assert_int_equal(apply_point(id * 7919, "before"), STATE_OK);
    for (uint32_t id = 2; id <= 3000; id += 2)
        assert_int_equal(apply_point(id * 7919, "after"), STATE_OK);
    for (uint32_t id = 3; id <= 3000; id += 3)
        assert_int_equal(remove_point(id * 7919), STATE_OK);
    assert_int_equal(remove_point(1), STATE_OK);
    assert_int_equal(state_now.point_count, 2000);
    for (uint32_t id = 1; id <= 3000; id++) {
        const struct point *point = state_point(&state_now, id * 7919);
        assert_int_equal(point != NULL, id % 3 != 0);
        if (point)
            assert_string_equal(point->venue, id % 2 ? "before" : "after");
    }
    assert_null(state_point(&state_now, 1));
    assert_int_equal(state_now.sequence, sequence);
}

static enum state_error apply_key(uint8_t number, bool retired)
{
    uint8_t room[ISSUER_KEY_ENCODED_MAX];
    struct issuer_key key = {.kid = {number}, .issuer = "i", .not_after_s = 9, .classes = 1, .retired = retired};
    return apply(LOG_KEY, (struct bytes){room, issuer_key_encode(&key, room, sizeof room)});
}

static void a_key_is_replaced_by_its_kid(void **state)
{
    (void)state;
    assert_int_equal(apply_key(1, false), STATE_OK);
    assert_int_equal(apply_key(2, false), STATE_OK);
    assert_int_equal(apply_key(1, true), STATE_OK);
    assert_int_equal(state_now.key_count, 2);
    assert_true(state_key(&state_now, (const uint8_t[COSE_KID_SIZE]){1})->retired);
    assert_false(state_key(&state_now, (const uint8_t[COSE_KID_SIZE]){2})->retired);
    assert_null(state_key(&state_now, (const uint8_t[COSE_KID_SIZE]){3}));
}

static struct bytes encode_list(const char *uri, uint8_t first, uint8_t *room, size_t size)
{
    uint8_t bits[2] = {first};
    struct status_list list = {.issuer = "i", .iat_s = 1, .exp_s = 2, .entries = 8, .bits = bits};
    snprintf(list.uri, sizeof list.uri, "%s", uri);
    return (struct bytes){room, status_list_encode(&list, room, size)};
}

static void a_list_is_replaced_by_its_uri(void **state)
{
    (void)state;
    uint8_t room[256];
    assert_int_equal(apply(LOG_STATUS_LIST, encode_list("a", 1, room, sizeof room)), STATE_OK);
    assert_int_equal(apply(LOG_STATUS_LIST, encode_list("b", 2, room, sizeof room)), STATE_OK);
    assert_int_equal(apply(LOG_STATUS_LIST, encode_list("a", 3, room, sizeof room)), STATE_OK);
    memset(room, 0xff, sizeof room); /* the state keeps bits of its own */
    assert_int_equal(state_now.list_count, 2);
    assert_int_equal(status_list_get(&state_list(&state_now, "a")->list, 0), STATUS_APPLICATION);
    assert_int_equal(status_list_get(&state_list(&state_now, "b")->list, 0), STATUS_SUSPENDED);
    assert_null(state_list(&state_now, "c"));
}

static enum state_error change_list(const char *uri, uint32_t index, enum status_value value)
{
    uint8_t entry[STATUS_CHANGE_ENTRY_SIZE], room[STATUS_CHANGE_ENCODED_MAX(1)];
    struct status_change change = {.iat_s = 7, .exp_s = 9, .count = 1, .entries = entry};
    snprintf(change.uri, sizeof change.uri, "%s", uri);
    status_change_put(entry, 0, index, value);
    return apply(LOG_LIST_CHANGE, (struct bytes){room, status_change_encode(&change, room, sizeof room)});
}

static void entries_of_a_list_change(void **state)
{
    (void)state;
    uint8_t room[256];
    assert_int_equal(change_list("a", 0, STATUS_INVALID), STATE_OK); /* as in a log that was folded */
    assert_null(state_list(&state_now, "a"));
    assert_int_equal(apply(LOG_STATUS_LIST, encode_list("a", 1, room, sizeof room)), STATE_OK);
    assert_int_equal(change_list("a", 7, STATUS_INVALID), STATE_OK);
    const struct state_list *list = state_list(&state_now, "a");
    assert_int_equal(status_list_get(&list->list, 0), STATUS_INVALID);
    assert_int_equal(status_list_get(&list->list, 7), STATUS_INVALID);
    assert_int_equal(list->list.iat_s, 7);
    assert_int_equal(list->sequence, 3);
    assert_int_equal(change_list("a", 8, STATUS_INVALID), STATE_ERROR_FORM);
    assert_int_equal(apply(LOG_LIST_CHANGE, bytes_of_text("x")), STATE_ERROR_FORM);
    assert_int_equal(state_list(&state_now, "a")->sequence, 3);
}

static void the_last_rules_are_kept_with_their_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATE_RULES_KEPT + 5; i++) {
        char text[16];
        snprintf(text, sizeof text, "text %u", i);
        assert_int_equal(apply(LOG_RULES_TEXT, bytes_of_text(text)), STATE_OK);
        assert_int_equal(apply(LOG_RULES, bytes_of_text("no program")), STATE_OK);
    }
    assert_int_equal(apply(LOG_RULES, bytes_of_text("x")), STATE_OK);
    assert_int_equal(state_now.rules_count, STATE_RULES_KEPT);
    assert_null(state_rules_last(&state_now)->text);
    assert_int_equal(state_rules_last(&state_now)->sequence, sequence);
    assert_string_equal(state_now.rules[STATE_RULES_KEPT - 2].text, "text 20");
    assert_string_equal(state_now.rules[0].text, "text 6");
}

static void what_is_not_in_its_form_changes_nothing(void **state)
{
    (void)state;
    struct subject_record record = {.colour = COLOUR_UNKNOWN + 1};
    assert_int_equal(apply_point(7, "v"), STATE_OK);
    assert_int_equal(apply(LOG_KEY, bytes_of_text("x")), STATE_ERROR_FORM);
    assert_int_equal(apply(LOG_POINT, bytes_of_text("x")), STATE_ERROR_FORM);
    assert_int_equal(apply(LOG_POINT_REMOVE, bytes_of_text("x")), STATE_ERROR_FORM);
    assert_int_equal(apply(LOG_STATUS_LIST, bytes_of_text("x")), STATE_ERROR_FORM);
    assert_int_equal(apply(LOG_SUBJECT, bytes_of_text("")), STATE_ERROR_FORM);
    assert_int_equal(apply(LOG_SUBJECT, (struct bytes){(const uint8_t *)&record, sizeof record}), STATE_ERROR_FORM);
    assert_int_equal(apply(LOG_SUBJECT, (struct bytes){(const uint8_t *)&record, sizeof record - 1}), STATE_ERROR_FORM);
    assert_int_equal(state_now.sequence, 1);
    assert_int_equal(state_now.key_count + state_now.list_count, 0);
    assert_int_equal(state_now.point_count, 1);
}

/* When keys are full, those that are there can still be retired. */
static void a_full_state_still_takes_replacements(void **state)
{
    (void)state;
    uint8_t room[ISSUER_KEY_ENCODED_MAX];
    struct issuer_key key = {.issuer = "i", .not_after_s = 9, .classes = 1};
    size_t size = 0;
    for (uint32_t i = 0; i < STATE_KEYS_MAX; i++) {
        memcpy(key.kid, &i, sizeof i);
        size = issuer_key_encode(&key, room, sizeof room);
        assert_true(state_has_room(&state_now, LOG_KEY, (struct bytes){room, size}));
        assert_int_equal(apply(LOG_KEY, (struct bytes){room, size}), STATE_OK);
    }
    assert_true(state_has_room(&state_now, LOG_KEY, (struct bytes){room, size}));
    key.kid[7] = 1;
    size = issuer_key_encode(&key, room, sizeof room);
    assert_false(state_has_room(&state_now, LOG_KEY, (struct bytes){room, size}));
    assert_int_equal(apply(LOG_KEY, (struct bytes){room, size}), STATE_ERROR_FULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(points_come_change_and_go),
        TEST(a_key_is_replaced_by_its_kid),
        TEST(a_list_is_replaced_by_its_uri),
        TEST(entries_of_a_list_change),
        TEST(the_last_rules_are_kept_with_their_texts),
        TEST(what_is_not_in_its_form_changes_nothing),
        TEST(a_full_state_still_takes_replacements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
