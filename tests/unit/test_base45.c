#include "tests/unit/unit.h"

#include "keys/base45.h"

struct text_case {
    const char *text;
    const char *decoded; /* NULL: refused */
};

/* RFC 9285 sections 4.3 and 4.4, and the limits. */
static const struct text_case cases[] = {
    {"BB8", "AB"},
    {"%69 VD92EX0", "Hello!!"},
    {"UJCLQE7W581", "base-45"},
    {"QED8WEX0", "ietf!"},
    {"", ""},
    {"GGW", NULL}, /* 65536 */
    {"FGW", "\xff\xff"},
    {"B", NULL}, /* one character over */
    {"BB8B", NULL},
    {"U5", "\xff"}, /* 255 */
    {"V5", NULL},   /* 256 in two characters */
    {":::", NULL},
    {"bb8", NULL}, /* lower case */
    {"BB\x80", NULL},
    {"BB\n", NULL},
};

static void text_decodes_or_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t room[64];
        size_t length = 99;
        bool decoded = base45_decode(bytes_of_text(cases[i].text), room, sizeof room, &length);
        if (decoded != (cases[i].decoded != NULL))
            fail_msg("%s", cases[i].text);
        if (!decoded)
            continue;
        assert_int_equal(length, strlen(cases[i].decoded));
        assert_memory_equal(room, cases[i].decoded, length);
        char text[64];
        assert_int_equal(base45_encode((struct bytes){room, length}, text, sizeof text), strlen(cases[i].text));
        assert_memory_equal(text, cases[i].text, strlen(cases[i].text));
    }
}

static void decoding_works_in_place_and_within_its_room(void **state)
{
    (void)state;
    uint8_t room[11] = "%69 VD92EX0";
    size_t length;
    assert_true(base45_decode((struct bytes){room, sizeof room}, room, sizeof room, &length));
    assert_memory_equal(room, "Hello!!", length);
    assert_false(base45_decode(bytes_of_text("%69 VD92EX0"), room, 6, &length));
    char text[10];
    assert_int_equal(base45_encode(bytes_of_text("Hello!!"), text, sizeof text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_decodes_or_is_refused),
        cmocka_unit_test(decoding_works_in_place_and_within_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
