#include "tests/unit/unit.h"

#include "keys/cbor.h"
#include "tests/unit/hex.h"

struct item_case {
    const char *hex;
    bool accepted;
};

/* RFC 8949 appendix A where the strict subset agrees, and each way to leave the subset. */
static void items_are_accepted_or_refused(void **state)
{
    (void)state;
    static const struct item_case cases[] = {
        {"00", true},
        {"17", true},
        {"1818", true},
        {"1817", false}, /* fits the head */
        {"1900ff", false},
        {"190100", true},
        {"1a0000ffff", false},
        {"1a00010000", true},
        {"1b00000000ffffffff", false},
        {"1b0000000100000000", true},
        {"1c", false}, /* reserved */
        {"1f", false},
        {"20", true},
        {"3863", true},
        {"40", true},
        {"4401020304", true},
        {"44010203", false},           /* ends early */
        {"5f42010243030405ff", false}, /* indefinite */
        {"60", true},
        {"62c3bc", true},
        {"62c328", false},             /* no UTF-8 */
        {"63eda080", false},           /* surrogate */
        {"62c080", false},             /* overlong */
        {"64f4908080", false},         /* above U+10FFFF */
        {"6861626364656667c3", false}, /* a sequence that is cut, in the last of eight bytes */
        {"6961626364656667c3bc", true},
        {"6961626364656667c328", false},
        {"6a6162636465666768c3bc", true},
        {"6a61626364656667c3bc68", true},
        {"80", true},
        {"83010203", true},
        {"830102", false},
        {"9fff", false},
        {"9a7fffffff", false}, /* more items than bytes */
        {"a0", true},
        {"a201020304", true},
        {"a201020103", false}, /* duplicate label */
        {"a26161016161", false},
        {"a2616101616102", false},
        {"a2616102616101", false},
        {"bfff", false},
        {"c11a514b67b0", true},
        {"f4", true},
        {"f6", true},
        {"f7", true},
        {"f0", false}, /* unassigned simple value */
        {"f818", false},
        {"f93c00", true},
        {"fb3ff199999999999a", true},
        {"f93c", false},
        {"ff", false},
        {"8181818181818100", true}, /* depth 8 */
        {"818181818181818100", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t room[64];
        struct bytes in = hex_bytes(cases[i].hex, room, sizeof room);
        struct cbor_reader reader = cbor_read(in);
        cbor_take_item(&reader);
        if (cbor_done(&reader) != cases[i].accepted)
            fail_msg("%s", cases[i].hex);
    }
}

static void a_failed_reader_stays_failed(void **state)
{
    (void)state;
    static const uint8_t in[] = {0x61, 0x61, 0x01};
    struct cbor_reader reader = cbor_read((struct bytes){in, sizeof in});
    assert_int_equal(cbor_take_uint(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(cbor_take_text(&reader).length, 0);
    assert_int_equal(cbor_take_int(&reader), 0);
    assert_false(cbor_take_bool(&reader));
    assert_false(cbor_done(&reader));
}

/* Found by fuzzing: no bytes at all are no pointer to count from. */
static void nothing_is_no_item(void **state)
{
    (void)state;
    struct cbor_reader reader = cbor_read((struct bytes){NULL, 0});
    assert_true(reader.failed);
    assert_int_equal(cbor_take_uint(&reader), 0);
    assert_false(cbor_done(&reader));
}

static void integers_keep_their_bounds(void **state)
{
    (void)state;
    static const int64_t values[] = {0,  23,  24,  255,  256,  65535,  65536,     INT32_MAX,
                                     -1, -24, -25, -256, -257, -65537, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint8_t room[9];
        struct cbor_writer out = cbor_write(room, sizeof room);
        cbor_put_int(&out, values[i]);
        struct cbor_reader in = cbor_read(cbor_written(&out));
        assert_int_equal(cbor_take_int(&in), values[i]);
        assert_true(cbor_done(&in));
    }
    uint8_t room[16];
    struct cbor_reader above = cbor_read(hex_bytes("1b8000000000000000", room, sizeof room));
    cbor_take_int(&above);
    assert_true(above.failed);
    struct cbor_reader below = cbor_read(hex_bytes("3b8000000000000000", room, sizeof room));
    cbor_take_int(&below);
    assert_true(below.failed);
}

static void labels_are_refused_twice(void **state)
{
    (void)state;
    uint8_t room[16];
    struct cbor_reader in = cbor_read(hex_bytes("0161610161616120", room, sizeof room));
    struct cbor_labels labels;
    labels.number_count = labels.text_count = 0;
    assert_int_equal(cbor_take_label(&in, &labels).number, 1);
    assert_int_equal(cbor_take_label(&in, &labels).text.length, 1);
    assert_false(in.failed);
    cbor_take_label(&in, &labels);
    assert_true(in.failed);
}

/* {3: 0, 1: 0, 2: 0} in this order, then a label once more: below the highest, the highest, a new one. */
static void labels_may_come_in_any_order(void **state)
{
    (void)state;
    static const struct {
        const char *fourth;
        bool failed;
    } cases[] = {{"03010201", true}, {"03010202", true}, {"03010203", true}, {"03010204", false}, {"03010220", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t room[8];
        struct cbor_reader in = cbor_read(hex_bytes(cases[i].fourth, room, sizeof room));
        struct cbor_labels labels;
        labels.number_count = labels.text_count = 0;
        for (unsigned j = 0; j < 3; j++)
            cbor_take_number_label(&in, &labels);
        assert_false(in.failed);
        cbor_take_number_label(&in, &labels);
        assert_int_equal(in.failed, cases[i].failed);
    }
}

static void the_writer_stops_at_its_room(void **state)
{
    (void)state;
    uint8_t room[4];
    struct cbor_writer out = cbor_write(room, sizeof room);
    cbor_put_uint(&out, 1000);
    assert_int_equal(cbor_written(&out).length, 3);
    cbor_put_uint(&out, 24);
    assert_true(out.failed);
    cbor_put_uint(&out, 1);
    assert_int_equal(cbor_written(&out).length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_accepted_or_refused),
        cmocka_unit_test(a_failed_reader_stays_failed),
        cmocka_unit_test(nothing_is_no_item),
        cmocka_unit_test(integers_keep_their_bounds),
        cmocka_unit_test(labels_are_refused_twice),
        cmocka_unit_test(labels_may_come_in_any_order),
        cmocka_unit_test(the_writer_stops_at_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
