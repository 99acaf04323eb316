#include "tests/unit/unit.h"

#include "dataplane/coap.h"
#include "tests/unit/hex.h"

struct parse_case {
    const char *hex;
    enum coap_error error;
};

static void messages_are_parsed_or_refused(void **state)
{
    (void)state;
    static const struct parse_case cases[] = {
        {"", COAP_ERROR_SHORT},
        {"400000", COAP_ERROR_SHORT},
        {"40000001", COAP_OK},
        {"00010001", COAP_ERROR_VERSION},
        {"80010001", COAP_ERROR_VERSION},
        {"c0010001", COAP_ERROR_VERSION},
        {"4100000155", COAP_ERROR_FORMAT}, /* Empty with a token */
        {"4000000100", COAP_ERROR_FORMAT},
        {"480200010102030405060708", COAP_OK},
        {"4802000101020304050607", COAP_ERROR_FORMAT},     /* token ends early */
        {"49020001010203040506070809", COAP_ERROR_FORMAT}, /* token length 9 */
        {"4f02000100", COAP_ERROR_FORMAT},
        {"40020001b176ff00", COAP_OK},
        {"40020001b176ff", COAP_ERROR_FORMAT}, /* marker, no payload */
        {"40020001b2760a", COAP_OK},
        {"40020001b376", COAP_ERROR_FORMAT}, /* value ends early */
        {"40020001f0", COAP_ERROR_FORMAT},   /* delta 15 */
        {"400200010f", COAP_ERROR_FORMAT},   /* length 15 */
        {"40020001d0", COAP_ERROR_FORMAT},   /* extended delta ends early */
        {"40020001e0ff", COAP_ERROR_FORMAT},
        {"40020001e0fef2", COAP_OK},                           /* option 65535 */
        {"40020001e0fef3", COAP_ERROR_FORMAT},                 /* 65536 */
        {"4002000110101010101010101010101010101010", COAP_OK}, /* 16 options */
        {"400200011010101010101010101010101010101010", COAP_ERROR_OPTIONS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t room[64];
        struct coap_message message;
        if (coap_parse(hex_bytes(cases[i].hex, room, sizeof room), &message) != cases[i].error)
            fail_msg("%s", cases[i].hex);
    }
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    uint8_t room[512], value[300] = {7};
    struct coap_message m;
    uint32_t number;
    struct coap_writer out = coap_write(room, sizeof room, COAP_NON, COAP_POST, 0xbeef, bytes_of_text("tok"));
    coap_put_option(&out, COAP_OPTION_URI_PATH, bytes_of_text("v"));
    coap_put_option_uint(&out, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
    coap_put_option_uint(&out, COAP_OPTION_MAX_AGE, 70000);
    coap_put_option(&out, COAP_OPTION_ECHO, (struct bytes){value, 20});
    coap_put_option(&out, 2000, (struct bytes){value, sizeof value});
    coap_put_payload(&out, bytes_of_text("payload"));
    size_t length = coap_written(&out);
    assert_int_equal(coap_parse((struct bytes){room, length}, &m), COAP_OK);
    assert_int_equal(m.type, COAP_NON);
    assert_int_equal(m.code, COAP_POST);
    assert_int_equal(m.id, 0xbeef);
    assert_int_equal(m.token_length, 3);
    assert_int_equal(m.option_count, 5);
    assert_true(bytes_equal(m.payload, bytes_of_text("payload")));
    assert_true(coap_option_uint(coap_find(&m, COAP_OPTION_CONTENT_FORMAT), &number) && number == COAP_FORMAT_CBOR);
    assert_true(coap_option_uint(coap_find(&m, COAP_OPTION_MAX_AGE), &number) && number == 70000);
    assert_int_equal(coap_find(&m, 2000)->value.length, sizeof value);
    assert_false(coap_option_uint(coap_find(&m, COAP_OPTION_ECHO), &number));
    assert_null(coap_find(&m, COAP_OPTION_ACCEPT));
    for (size_t cut = 0; cut < length; cut++) {
        out = coap_write(room, cut, COAP_NON, COAP_POST, 0xbeef, bytes_of_text("tok"));
        coap_put_option(&out, 2000, (struct bytes){value, sizeof value});
        coap_put_payload(&out, (struct bytes){value, 200});
        assert_int_equal(coap_written(&out), 0);
    }
}

static void options_out_of_order_are_not_written(void **state)
{
    (void)state;
    uint8_t room[64];
    struct coap_writer out = coap_write(room, sizeof room, COAP_CON, COAP_GET, 1, (struct bytes){NULL, 0});
    coap_put_option_uint(&out, COAP_OPTION_MAX_AGE, 1);
    coap_put_option_uint(&out, COAP_OPTION_CONTENT_FORMAT, 0);
    assert_int_equal(coap_written(&out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_parsed_or_refused),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(options_out_of_order_are_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
