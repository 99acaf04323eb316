/* Bytes, addresses and times as text. */
#include "tests/unit/unit.h"

#include "control/address.h"
#include "control/encoding.h"
#include "control/times.h"

static void hexadecimal_is_exact(void **state)
{
    (void)state;
    uint8_t room[3];
    char text[7];
    assert_true(hex_decode(bytes_of_text("00aBfF"), room, 3));
    assert_memory_equal(room, "\x00\xab\xff", 3);
    hex_encode((struct bytes){room, 3}, text);
    assert_string_equal(text, "00abff");
    assert_false(hex_decode(bytes_of_text("00abf"), room, 3));
    assert_false(hex_decode(bytes_of_text("00abff0"), room, 3));
    assert_false(hex_decode(bytes_of_text("00abfg"), room, 3));
    assert_false(hex_decode(bytes_of_text("00ab f"), room, 3));
    assert_true(hex_decode(bytes_of_text(""), room, 0));
}

/* RFC 4648 section 10, without padding. */
static void base64url_is_exact(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    char text[16];
    uint8_t room[8];
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        base64url_encode(bytes_of_text(cases[i][0]), text);
        assert_string_equal(text, cases[i][1]);
        assert_true(base64url_decode(bytes_of_text(text), room, strlen(cases[i][0])));
        assert_memory_equal(room, cases[i][0], strlen(cases[i][0]));
    }
    base64url_encode((struct bytes){(const uint8_t *)"\xfb\xff", 2}, text);
    assert_string_equal(text, "-_8");
    assert_false(base64url_decode(bytes_of_text("Zh"), room, 1));   /* unused bits */
    assert_false(base64url_decode(bytes_of_text("Zg=="), room, 1)); /* padding */
    assert_false(base64url_decode(bytes_of_text("Z+"), room, 1));
    assert_false(base64url_decode(bytes_of_text("Zm9"), room, 3));
}

static void prefixes_are_exact(void **state)
{
    (void)state;
    static const char *const good[] = {"10.77.0.1/24", "0.0.0.0/0", "fd77::1/64", "::/0", "2001:db8::1/128"};
    static const char *const bad[] = {"",           "10.77.0/24",    "10.77.0.1/33", "10.77.0.1/",  "10.77.0.1/ 8",
                                      "fd77::/129", "10.77.0.1/024", "host/8",       "10.77.0.1/8x"};
    struct config_prefix prefix;
    char text[ADDRESS_TEXT_SIZE];
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(prefix_from_text(good[i], &prefix));
        prefix_to_text(&prefix, text);
        assert_string_equal(text, good[i]);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(prefix_from_text(bad[i], &prefix));
    assert_true(prefix_from_text("10.0.0.1", &prefix));
    assert_int_equal(prefix.length, 32);
}

static void times_are_read_as_documented(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t time_s;
    } good[] = {{"0", 0},
                {"1583020800", 1583020800},
                {"+60", 1060},
                {"-60", 940},
                {"2020-03-01", 1582992000},
                {"2020-03-01T00:00:00Z", 1583020800},
                {"2020-03-01T08:00:00+08:00", 1583020800},
                {"2020-02-29T16:30:00-07:30", 1583020800}};
    static const char *const bad[] = {
        "",           "now",         "-1001", "2020-02-30",           "2019-02-29",
        "2020-13-01", "2020-3-1",    "1e3",   "2020-03-01T24:00:00Z", "2020-03-01T00:00:00",
        "20200301T",  "2020-03-01 ", "+",     "1583020800 ",          "99999999999999"};
    uint64_t time_s;
    char text[TIME_TEXT_SIZE];
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(time_from_text(good[i].text, 1000, &time_s));
        assert_int_equal(time_s, good[i].time_s);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(time_from_text(bad[i], 1000, &time_s));
    time_to_text(1583020800, text);
    assert_string_equal(text, "2020-03-01T08:00:00+08:00");
}

static void days_are_dates_or_numbers(void **state)
{
    (void)state;
    uint32_t day;
    assert_true(day_from_text("2020-03-01", &day));
    assert_int_equal(day, 18322);
    assert_true(day_from_text("18322", &day));
    assert_int_equal(day, 18322);
    assert_false(day_from_text("2020-02-30", &day));
    assert_false(day_from_text("2020-03-01T00:00:00Z", &day));
    assert_false(day_from_text("-1", &day));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hexadecimal_is_exact),      cmocka_unit_test(base64url_is_exact),
        cmocka_unit_test(prefixes_are_exact),        cmocka_unit_test(times_are_read_as_documented),
        cmocka_unit_test(days_are_dates_or_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
