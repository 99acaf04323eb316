#include "tests/unit/unit.h"

#include "keys/issuer.h"
#include "keys/point.h"
#include "keys/status_list.h"
#include "keys/subject.h"

static void issuer_keys_round_trip(void **state)
{
    (void)state;
    struct issuer_key in = {.kid = "12345678",
                            .public_key = "a public key of thirty-two bytes",
                            .issuer = "CN-310000",
                            .use = KEY_USE_STATUS_LIST,
                            .not_before_s = 1,
                            .not_after_s = 2000000000,
                            .classes = 31,
                            .region_count = 2,
                            .regions = {310000, 320500}};
    struct issuer_key out;
    uint8_t room[ISSUER_KEY_ENCODED_MAX + 1];
    size_t length = issuer_key_encode(&in, room, ISSUER_KEY_ENCODED_MAX);
    assert_true(issuer_key_decode((struct bytes){room, length}, &out));
    assert_memory_equal(&in, &out, sizeof in);
    for (size_t cut = 0; cut < length; cut++)
        assert_false(issuer_key_decode((struct bytes){room, cut}, &out));
    room[length] = 0;
    assert_false(issuer_key_decode((struct bytes){room, length + 1}, &out));
    in.classes = 32;
    length = issuer_key_encode(&in, room, sizeof room);
    assert_false(issuer_key_decode((struct bytes){room, length}, &out));
}

static void the_largest_key_fits(void **state)
{
    (void)state;
    struct issuer_key in = {.use = KEY_USE_RULES,
                            .not_before_s = UINT64_MAX >> 1,
                            .not_after_s = UINT64_MAX >> 1,
                            .classes = 31,
                            .region_count = ISSUER_REGIONS_MAX};
    memset(in.issuer, 'X', CREDENTIAL_ISSUER_MAX);
    for (unsigned i = 0; i < ISSUER_REGIONS_MAX; i++)
        in.regions[i] = 999999;
    uint8_t room[ISSUER_KEY_ENCODED_MAX];
    assert_int_not_equal(issuer_key_encode(&in, room, sizeof room), 0);
}

static void regions_cover_what_lies_in_them(void **state)
{
    (void)state;
    struct issuer_key key = {.region_count = 2, .regions = {310000, 320500}};
    assert_true(issuer_key_covers_region(&key, 310101));
    assert_true(issuer_key_covers_region(&key, 310000));
    assert_true(issuer_key_covers_region(&key, 320505));
    assert_false(issuer_key_covers_region(&key, 320600));
    assert_false(issuer_key_covers_region(&key, 330000));
    key.regions[0] = 310101;
    assert_true(issuer_key_covers_region(&key, 310101));
    assert_false(issuer_key_covers_region(&key, 310104));
    key.region_count = 0;
    assert_true(issuer_key_covers_region(&key, 420000));
}

static void points_round_trip(void **state)
{
    (void)state;
    struct point in = {.id = 17,
                       .venue = "Ruijin Hospital",
                       .venue_class = "hospital",
                       .group = "east",
                       .district = 310101,
                       .zone = 4,
                       .mode = POINT_MODE_ADVISORY,
                       .priority = 2,
                       .address_family = 4,
                       .address = {10, 77, 0, 17},
                       .rate_per_s = 50,
                       .burst = 100};
    in.oscore = (struct point_oscore){.alg = POINT_OSCORE_AES_CCM,
                                      .master_secret_size = 16,
                                      .master_salt_size = 8,
                                      .point_id_size = 4,
                                      .appliance_id_size = 1,
                                      .point_id = {0, 0, 0, 17}};
    struct point out;
    uint8_t room[POINT_ENCODED_MAX];
    size_t length = point_encode(&in, room, sizeof room);
    assert_true(point_decode((struct bytes){room, length}, &out));
    assert_memory_equal(&in, &out, sizeof in);
    for (size_t cut = 0; cut < length; cut++)
        assert_false(point_decode((struct bytes){room, cut}, &out));
    in.address_family = 5;
    length = point_encode(&in, room, sizeof room);
    assert_false(point_decode((struct bytes){room, length}, &out));
    in.address_family = 0;
    in.oscore.alg = (enum point_oscore_alg)11;
    length = point_encode(&in, room, sizeof room);
    assert_false(point_decode((struct bytes){room, length}, &out));
}

static void status_lists_are_read_from_the_low_bits(void **state)
{
    (void)state;
    /* The Token Status List draft, section 4: [1, 2, 0, 3, 0, 1, 0, 1, …] packs to c9 44. */
    static const uint8_t bits[] = {0xc9, 0x44, 0xf9};
    static const enum status_value expected[] = {1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3};
    struct status_list
        in = {.uri = "u", .issuer = "CN-310000", .iat_s = 5, .exp_s = 9, .ttl_s = 3, .entries = 12, .bits = bits},
        out;
    uint8_t room[128];
    size_t length = status_list_encode(&in, room, sizeof room);
    assert_true(status_list_decode((struct bytes){room, length}, &out));
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(status_list_get(&out, i), expected[i]);
    assert_int_equal(out.iat_s, 5);
    assert_int_equal(out.exp_s, 9);
    assert_int_equal(out.ttl_s, 3);
    for (size_t cut = 0; cut < length; cut++)
        assert_false(status_list_decode((struct bytes){room, cut}, &out));
    assert_int_equal(status_colour(STATUS_VALID), COLOUR_GREEN);
    assert_int_equal(status_colour(STATUS_INVALID), COLOUR_UNKNOWN);
    assert_int_equal(status_colour(STATUS_SUSPENDED), COLOUR_YELLOW);
    assert_int_equal(status_colour(STATUS_APPLICATION), COLOUR_RED);
}

static void subject_keys_depend_on_everything(void **state)
{
    (void)state;
    uint8_t a[SUBJECT_KEY_SIZE], b[SUBJECT_KEY_SIZE];
    static const uint8_t secret[SUBJECT_HASH_KEY_SIZE] = "secret of 16 by",
                         other[SUBJECT_HASH_KEY_SIZE] = "another one....";
    static const uint8_t subject[SUBJECT_SIZE] = "subject 000001.";
    subject_key(secret, bytes_of_text("CN-310000"), subject, a);
    subject_key(secret, bytes_of_text("CN-320000"), subject, b);
    assert_memory_not_equal(a, b, sizeof a);
    subject_key(other, bytes_of_text("CN-310000"), subject, b);
    assert_memory_not_equal(a, b, sizeof a);
    subject_key(secret, bytes_of_text("CN-310000"), subject, b);
    assert_memory_equal(a, b, sizeof a);
}

static void subject_records_are_checked(void **state)
{
    (void)state;
    struct subject_record record = {.colour = COLOUR_RED, .flags = SUBJECT_KEY_REGION, .occupation = "teaching"};
    assert_true(subject_record_valid(&record));
    record.colour = 4;
    assert_false(subject_record_valid(&record));
    record.colour = COLOUR_RED;
    record.flags = 16;
    assert_false(subject_record_valid(&record));
    record.flags = 0;
    record.reserved[2] = 1;
    assert_false(subject_record_valid(&record));
    record.reserved[2] = 0;
    memset(record.occupation, 'x', sizeof record.occupation);
    assert_false(subject_record_valid(&record));
}

static struct bytes encode_change(uint32_t count, const uint8_t *entries, uint8_t *room, size_t size)
{
    struct status_change change = {
        .uri = "https://s/1", .iat_s = 20, .exp_s = 30, .ttl_s = 40, .count = count, .entries = entries};
    return (struct bytes){room, status_change_encode(&change, room, size)};
}

static void a_change_of_entries_is_whole_or_not_at_all(void **state)
{
    (void)state;
    uint8_t entries[3 * STATUS_CHANGE_ENTRY_SIZE], room[256], bits[] = {0xe4, 0xe4}, before[] = {0xe4, 0xe4};
    struct status_list list = {.uri = "https://s/1", .iat_s = 1, .exp_s = 2, .ttl_s = 3, .entries = 8, .bits = bits};
    struct status_change change;
    status_change_put(entries, 0, 0, STATUS_APPLICATION);
    status_change_put(entries, 1, 8, STATUS_INVALID);
    status_change_put(entries, 2, 7, STATUS_VALID);
    assert_true(status_change_decode(encode_change(3, entries, room, sizeof room), &change));
    assert_false(status_change_apply(&change, &list, bits)); /* the list has 8 entries */
    assert_memory_equal(bits, before, sizeof bits);
    assert_int_equal(list.iat_s, 1);
    status_change_put(entries, 1, 0, STATUS_SUSPENDED);
    assert_true(status_change_decode(encode_change(3, entries, room, sizeof room), &change));
    assert_true(status_change_apply(&change, &list, bits));
    static const enum status_value expected[] = {2, 1, 2, 3, 0, 1, 2, 0};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(status_list_get(&list, i), expected[i]);
    assert_int_equal(list.iat_s, 20);
    assert_int_equal(list.exp_s, 30);
    assert_int_equal(list.ttl_s, 40);
    list.uri[0] = 'x';
    assert_false(status_change_apply(&change, &list, bits));
}

static void a_change_has_one_form(void **state)
{
    (void)state;
    static uint8_t entries[(STATUS_CHANGE_ENTRIES_MAX + 1) * STATUS_CHANGE_ENTRY_SIZE], room[sizeof entries + 1024];
    struct status_change change;
    struct bytes encoded = encode_change(1, entries, room, sizeof room);
    assert_true(encoded.length <= STATUS_CHANGE_ENCODED_MAX(1));
    for (size_t cut = 0; cut < encoded.length; cut++)
        assert_false(status_change_decode((struct bytes){room, cut}, &change));
    room[encoded.length] = 0;
    assert_false(status_change_decode((struct bytes){room, encoded.length + 1}, &change));
    assert_false(status_change_decode(encode_change(0, entries, room, sizeof room), &change));
    assert_true(status_change_decode(encode_change(STATUS_CHANGE_ENTRIES_MAX, entries, room, sizeof room), &change));
    assert_int_equal(change.count, STATUS_CHANGE_ENTRIES_MAX);
    assert_false(
        status_change_decode(encode_change(STATUS_CHANGE_ENTRIES_MAX + 1, entries, room, sizeof room), &change));
    struct status_list list = {.uri = "u", .issuer = "i"};
    assert_false(status_change_decode((struct bytes){room, status_list_encode(&list, room, sizeof room)}, &change));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(issuer_keys_round_trip),
        cmocka_unit_test(the_largest_key_fits),
        cmocka_unit_test(regions_cover_what_lies_in_them),
        cmocka_unit_test(points_round_trip),
        cmocka_unit_test(status_lists_are_read_from_the_low_bits),
        cmocka_unit_test(a_change_of_entries_is_whole_or_not_at_all),
        cmocka_unit_test(a_change_has_one_form),
        cmocka_unit_test(subject_keys_depend_on_everything),
        cmocka_unit_test(subject_records_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
