#include "tests/unit/unit.h"

#include <sodium.h>

#include "keys/credential.h"

static const uint8_t kid[COSE_KID_SIZE] = "kid-0001";
static uint8_t public_key[32], secret_key[64];

static struct credential dynamic_claims(void)
{
    return (struct credential){
        .issuer = bytes_of_text("CN-310000"),
        .subject = (const uint8_t *)"0123456789abcdef",
        .iat_s = 1583420400,
        .exp_s = 1583420460,
        .cti = (const uint8_t *)"ctictict",
        .status_uri = bytes_of_text("https://s.sh/1"),
        .status_index = 4711,
        .class = CLASS_DYNAMIC,
        .region = 310101,
        .has_region = true,
        .colour = COLOUR_GREEN,
    };
}

static struct bytes sign(const struct credential *claims, uint8_t *room, size_t size)
{
    uint8_t payload[CREDENTIAL_SIZE_MAX];
    size_t length = credential_claims_write(claims, payload, sizeof payload);
    assert_int_not_equal(length, 0);
    length = cose_sign((struct bytes){payload, length}, COSE_TYP_CREDENTIAL, kid, secret_key, room, size);
    assert_int_not_equal(length, 0);
    return (struct bytes){room, length};
}

static bool signature_valid(const struct credential *c)
{
    uint8_t message[COSE_SIGNED_MAX];
    size_t length = cose_signed_bytes(&c->cose, message, sizeof message);
    return length > 0 && crypto_sign_verify_detached(c->cose.signature, message, length, public_key) == 0;
}

static void what_is_signed_is_read_back(void **state)
{
    (void)state;
    uint8_t room[CREDENTIAL_SIZE_MAX];
    struct credential in = dynamic_claims(), out;
    in.roles = (struct bytes){(const uint8_t *)"\x82\x61\x61\x61\x62", 5};
    in.occupation = bytes_of_text("teaching");
    in.arrival_day = 18326;
    in.has_arrival = true;
    in.needs_id = in.has_needs_id = true;
    in.proofing = 3;
    in.has_proofing = true;
    struct bytes encoded = sign(&in, room, sizeof room);
    assert_int_equal(credential_parse(encoded, &out), CREDENTIAL_OK);
    assert_true(signature_valid(&out));
    assert_true(bytes_equal(out.issuer, in.issuer));
    assert_memory_equal(out.subject, in.subject, SUBJECT_SIZE);
    assert_memory_equal(out.cti, in.cti, CTI_SIZE);
    assert_memory_equal(out.cose.kid, kid, COSE_KID_SIZE);
    assert_int_equal(out.exp_s, in.exp_s);
    assert_int_equal(out.iat_s, in.iat_s);
    assert_int_equal(out.status_index, 4711);
    assert_true(bytes_equal(out.status_uri, in.status_uri));
    assert_int_equal(out.region, 310101);
    assert_int_equal(out.colour, COLOUR_GREEN);
    assert_int_equal(out.arrival_day, 18326);
    assert_true(out.has_arrival && out.needs_id && out.has_proofing);
    assert_true(bytes_equal(out.roles, in.roles));
    assert_true(bytes_equal(out.occupation, in.occupation));
}

static void the_size_is_what_the_design_says(void **state)
{
    (void)state;
    uint8_t room[CREDENTIAL_SIZE_MAX];
    struct credential in = dynamic_claims();
    size_t length = sign(&in, room, sizeof room).length;
    assert_in_range(length, 190, 215);
}

/* Not one flipped bit is both accepted by the parser and verified. */
static void no_flipped_bit_survives(void **state)
{
    (void)state;
    uint8_t room[CREDENTIAL_SIZE_MAX];
    struct credential in = dynamic_claims(), out;
    struct bytes encoded = sign(&in, room, sizeof room);
    for (size_t bit = 0; bit < encoded.length * 8; bit++) {
        room[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (credential_parse(encoded, &out) == CREDENTIAL_OK && memcmp(out.cose.kid, kid, COSE_KID_SIZE) == 0)
            assert_false(signature_valid(&out));
        room[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void nothing_short_or_long_is_accepted(void **state)
{
    (void)state;
    uint8_t room[CREDENTIAL_SIZE_MAX + 1];
    struct credential in = dynamic_claims(), out;
    struct bytes encoded = sign(&in, room, sizeof room);
    for (size_t length = 0; length < encoded.length; length++)
        assert_int_equal(credential_parse((struct bytes){room, length}, &out), CREDENTIAL_ERROR_FORM);
    room[encoded.length] = 0;
    assert_int_equal(credential_parse((struct bytes){room, encoded.length + 1}, &out), CREDENTIAL_ERROR_FORM);
}

static void tags_are_free_and_the_kid_may_move(void **state)
{
    (void)state;
    uint8_t room[CREDENTIAL_SIZE_MAX], other[CREDENTIAL_SIZE_MAX];
    struct credential in = dynamic_claims(), out;
    struct bytes encoded = sign(&in, room, sizeof room);
    assert_int_equal(room[0], 0xd2);
    assert_int_equal(credential_parse((struct bytes){room + 1, encoded.length - 1}, &out), CREDENTIAL_OK);
    memcpy(other, "\xd8\x3d", 2);
    memcpy(other + 2, room, encoded.length);
    assert_int_equal(credential_parse((struct bytes){other, encoded.length + 2}, &out), CREDENTIAL_OK);
    other[1] = 0x3e;
    assert_int_equal(credential_parse((struct bytes){other, encoded.length + 2}, &out), CREDENTIAL_ERROR_FORM);

    /* The same message with the kid in the unprotected header: {1: -8, 16: 65000}, {4: kid}. */
    static const uint8_t head[] = {0x84, 0x47, 0xa2, 0x01, 0x27, 0x10, 0x19, 0xfd, 0xe8, 0xa1, 0x04, 0x48};
    assert_int_equal(credential_parse(encoded, &out), CREDENTIAL_OK);
    size_t tail = encoded.length - (size_t)(out.cose.payload.data - 2 - room);
    memcpy(other, head, sizeof head);
    memcpy(other + sizeof head, kid, COSE_KID_SIZE);
    memcpy(other + sizeof head + COSE_KID_SIZE, out.cose.payload.data - 2, tail);
    struct credential moved;
    assert_int_equal(credential_parse((struct bytes){other, sizeof head + COSE_KID_SIZE + tail}, &moved),
                     CREDENTIAL_OK);
    assert_memory_equal(moved.cose.kid, kid, COSE_KID_SIZE);
    other[10] = 0x01; /* another label in its place */
    assert_int_equal(credential_parse((struct bytes){other, sizeof head + COSE_KID_SIZE + tail}, &moved),
                     CREDENTIAL_ERROR_FORM);
}

static void each_class_keeps_its_form(void **state)
{
    (void)state;
    uint8_t room[CREDENTIAL_SIZE_MAX];
    struct credential in = dynamic_claims(), out;
    struct {
        enum credential_class class;
        bool cti, colour, delegate, venue;
        enum credential_error error;
    } cases[] = {
        {CLASS_DYNAMIC, true, true, false, false, CREDENTIAL_OK},
        {CLASS_DYNAMIC, false, true, false, false, CREDENTIAL_ERROR_CLAIMS},
        {CLASS_PRINTED, false, false, false, false, CREDENTIAL_OK},
        {CLASS_PRINTED, true, false, false, false, CREDENTIAL_ERROR_CLAIMS},
        {CLASS_PRINTED, false, true, false, false, CREDENTIAL_ERROR_CLAIMS},
        {CLASS_DELEGATED, true, true, true, false, CREDENTIAL_OK},
        {CLASS_DELEGATED, true, true, false, false, CREDENTIAL_ERROR_CLAIMS},
        {CLASS_ENTERPRISE, false, true, false, false, CREDENTIAL_OK},
        {CLASS_ENTERPRISE, true, true, false, false, CREDENTIAL_ERROR_CLAIMS},
        {CLASS_VENUE_PASS, false, false, false, true, CREDENTIAL_OK},
        {CLASS_VENUE_PASS, false, false, false, false, CREDENTIAL_ERROR_CLAIMS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        in = dynamic_claims();
        in.class = cases[i].class;
        in.cti = cases[i].cti ? (const uint8_t *)"12345678" : NULL;
        in.colour = cases[i].colour ? COLOUR_GREEN : COLOUR_UNKNOWN;
        in.delegate = cases[i].delegate ? (const uint8_t *)"12345678" : NULL;
        in.venue = cases[i].venue ? bytes_of_text("tower-1") : (struct bytes){NULL, 0};
        if (credential_parse(sign(&in, room, sizeof room), &out) != cases[i].error)
            fail_msg("case %zu", i);
    }
    in = dynamic_claims();
    in.exp_s = in.iat_s;
    assert_int_equal(credential_parse(sign(&in, room, sizeof room), &out), CREDENTIAL_ERROR_CLAIMS);
}

static void other_uses_are_told_apart(void **state)
{
    (void)state;
    uint8_t room[CREDENTIAL_SIZE_MAX], payload[CREDENTIAL_SIZE_MAX];
    struct credential in = dynamic_claims(), out;
    size_t length = credential_claims_write(&in, payload, sizeof payload);
    length = cose_sign((struct bytes){payload, length}, COSE_TYP_STATUS_LIST, kid, secret_key, room, sizeof room);
    assert_int_equal(credential_parse((struct bytes){room, length}, &out), CREDENTIAL_ERROR_TYP);
    struct bytes encoded = sign(&in, room, sizeof room);
    uint8_t *alg = memchr(room, 0x27, encoded.length); /* -8 behind label 1 */
    *alg = 0x26;                                       /* ES256 */
    assert_int_equal(credential_parse(encoded, &out), CREDENTIAL_ERROR_ALGORITHM);
    *alg = 0x32; /* -19, Ed25519 */
    assert_int_equal(credential_parse(encoded, &out), CREDENTIAL_OK);
    assert_false(signature_valid(&out));
}

static int start(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return -1;
    return crypto_sign_seed_keypair(public_key, secret_key, (const uint8_t *)"a seed of 32 bytes for the tests");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_is_read_back),
        cmocka_unit_test(the_size_is_what_the_design_says),
        cmocka_unit_test(no_flipped_bit_survives),
        cmocka_unit_test(nothing_short_or_long_is_accepted),
        cmocka_unit_test(tags_are_free_and_the_kid_may_move),
        cmocka_unit_test(each_class_keeps_its_form),
        cmocka_unit_test(other_uses_are_told_apart),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
