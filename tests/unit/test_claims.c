/* Changing single claims, as `chengmen issue --claim` does. */
#include "tests/unit/unit.h"

#include "control/cli/claims.h"
#include "keys/credential.h"
#include "tests/unit/hex.h"

/* {1: "a", 6: 5, -65537: {1: 0, 4: 2}} */
static const char payload_hex[] = "a3 01 6161 06 05 3a00010000 a2 0100 0402";

static void assert_edited(const char *const texts[], unsigned count, const char *expected_hex)
{
    uint8_t payload[64], expected[128], room[128], values[64];
    struct claim_edit edits[CLAIM_EDITS_MAX];
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        assert_true(claim_edit_from_text(texts[i], values + used, sizeof values - used, &edits[i]));
        used += edits[i].value.length;
    }
    struct bytes wanted = hex_bytes(expected_hex, expected, sizeof expected);
    size_t size = claims_edit(hex_bytes(payload_hex, payload, sizeof payload), edits, count, room, sizeof room);
    assert_int_equal(size, wanted.length);
    assert_memory_equal(room, wanted.data, size);
}

static void claims_are_replaced_added_and_left_out(void **state)
{
    (void)state;
    assert_edited(NULL, 0, payload_hex);
    assert_edited((const char *const[]){"6=1864"}, 1, "a3 01 6161 06 1864 3a00010000 a2 0100 0402");
    assert_edited((const char *const[]){"6="}, 1, "a2 01 6161 3a00010000 a2 0100 0402");
    assert_edited((const char *const[]){"5=00"}, 1, "a4 01 6161 05 00 06 05 3a00010000 a2 0100 0402");
    assert_edited((const char *const[]){"-1=f5"}, 1, "a4 01 6161 06 05 20 f5 3a00010000 a2 0100 0402");
    assert_edited((const char *const[]){"city.4=03", "city.2=00"}, 2, "a3 01 6161 06 05 3a00010000 a3 0100 0200 0403");
    assert_edited((const char *const[]){"city.1="}, 1, "a3 01 6161 06 05 3a00010000 a1 0402");
    assert_edited((const char *const[]){"-65537="}, 1, "a2 01 6161 06 05");
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "6", "=00", "x=00", "6=0", "6=0g", "town.6=00", "6 =00"};
    uint8_t room[4];
    struct claim_edit edit;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(claim_edit_from_text(bad[i], room, sizeof room, &edit));
    assert_false(claim_edit_from_text("6=0011223344", room, sizeof room, &edit));
}

static void what_does_not_fit_or_is_no_map_gives_nothing(void **state)
{
    (void)state;
    uint8_t payload[64], room[8];
    struct bytes whole = hex_bytes(payload_hex, payload, sizeof payload);
    assert_int_equal(claims_edit(whole, NULL, 0, room, sizeof room), 0);
    assert_int_equal(claims_edit((struct bytes){payload, whole.length - 1}, NULL, 0, room, sizeof room), 0);
    assert_int_equal(claims_edit((struct bytes){(const uint8_t *)"\x80", 1}, NULL, 0, room, sizeof room), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_replaced_added_and_left_out),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(what_does_not_fit_or_is_no_map_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
