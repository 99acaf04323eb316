#include "tests/unit/unit.h"

#include "dataplane/reasons.h"

/* Two rows of reasons.def with one number would not compile; two with one name, or one above the limit, would pass. */
static void every_reason_is_found_by_its_name(void **state)
{
    (void)state;
    unsigned known = 0;
    for (unsigned i = 1; i < REASON_LIMIT; i++) {
        enum reason found;
        if (!reason_from_name(reason_name((enum reason)i), &found))
            continue;
        assert_int_equal(found, i);
        assert_string_not_equal(reason_text((enum reason)i, LANGUAGE_ENGLISH), "");
        assert_string_not_equal(reason_text((enum reason)i, LANGUAGE_CHINESE), "");
        known++;
    }
    unsigned rows = 0;
#define REASON(number, name, ending, english, chinese) rows++;
#include "dataplane/reasons.def"
#undef REASON
    assert_int_equal(known, rows);
}

static void unknown_numbers_have_a_name(void **state)
{
    (void)state;
    assert_string_equal(reason_name(REASON_NONE), "UNKNOWN");
    assert_string_equal(reason_name((enum reason)9999), "UNKNOWN");
    assert_string_equal(verdict_name((enum verdict)6), "UNKNOWN");
    assert_string_equal(obligation_name((enum obligation)32), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_is_found_by_its_name),
        cmocka_unit_test(unknown_numbers_have_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
