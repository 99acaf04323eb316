#include "tests/unit/unit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "keys/status_token.h"

#define NOW_S 1600000000u
#define BOMB_BYTES (1u << 20)
#define URI "https://status.example/sh/7"

static uint8_t secret_key[64];
static struct issuer_key key = {.kid = {1, 2, 3},
                                .issuer = "CN-310000",
                                .use = KEY_USE_STATUS_LIST,
                                .not_before_s = NOW_S - 100,
                                .not_after_s = NOW_S + 100};
static uint8_t list_room[STATUS_LIST_BYTES_MAX], token_room[2 * STATUS_TOKEN_SIZE_MAX];

static int make_keys(void **state)
{
    (void)state;
    return sodium_init() < 0 || crypto_sign_keypair(key.public_key, secret_key) != 0 ? -1 : 0;
}

/* What a token says; zero and NULL leave a claim out. */
struct claims {
    const char *issuer, *uri, *typ_text;
    uint64_t typ, exp_s, iat_s, ttl_s, bits;
    size_t list_bytes;   /* of the list before compression */
    size_t extra_bytes;  /* behind the compressed stream */
    struct bytes packed; /* the compressed stream itself, where it is given */
};
static const struct claims good = {.issuer = "CN-310000",
                                   .uri = URI,
                                   .typ_text = STATUS_TOKEN_TYP_TEXT,
                                   .exp_s = NOW_S + 50,
                                   .iat_s = NOW_S - 50,
                                   .ttl_s = 3600,
                                   .bits = 2,
                                   .list_bytes = 1000};

static void put_list(struct cbor_writer *out, const struct claims *claims)
{
    if (claims->packed.data) {
        cbor_put_uint(out, 65533);
        cbor_put_map(out, 2);
        cbor_put_text(out, bytes_of_text("bits"));
        cbor_put_uint(out, claims->bits);
        cbor_put_text(out, bytes_of_text("lst"));
        cbor_put_bytes(out, claims->packed);
        return;
    }
    uint8_t *plain = malloc(claims->list_bytes + 1);
    for (size_t i = 0; i < claims->list_bytes; i++)
        plain[i] = claims->list_bytes > BOMB_BYTES ? 0 : (uint8_t)(i * i >> 3);
    uLongf size = compressBound(claims->list_bytes) + 16;
    uint8_t *packed = calloc(1, size);
    assert_int_equal(compress(packed, &size, plain, claims->list_bytes), Z_OK);
    cbor_put_uint(out, 65533);
    cbor_put_map(out, 2);
    cbor_put_text(out, bytes_of_text("bits"));
    cbor_put_uint(out, claims->bits);
    cbor_put_text(out, bytes_of_text("lst"));
    cbor_put_bytes(out, (struct bytes){packed, size + claims->extra_bytes});
    free(plain);
    free(packed);
}

static struct bytes make(const struct claims *claims)
{
    static uint8_t payload[STATUS_TOKEN_SIZE_MAX * 2], signed_bytes[STATUS_TOKEN_SIZE_MAX * 2];
    uint8_t header[64], signature[64];
    struct cbor_writer out = cbor_write(header, sizeof(header));
    cbor_put_map(&out, claims->typ_text || claims->typ ? 3 : 2);
    cbor_put_uint(&out, 1);
    cbor_put_int(&out, COSE_ALG_EDDSA);
    cbor_put_uint(&out, 4);
    cbor_put_bytes(&out, (struct bytes){key.kid, COSE_KID_SIZE});
    if (claims->typ_text || claims->typ)
        cbor_put_uint(&out, 16);
    if (claims->typ_text)
        cbor_put_text(&out, bytes_of_text(claims->typ_text));
    else if (claims->typ)
        cbor_put_uint(&out, claims->typ);
    struct cose_sign1 message = {.protected_header = cbor_written(&out)};
    out = cbor_write(payload, sizeof(payload));
    cbor_put_map(&out, 1u + !!claims->issuer + !!claims->uri + !!claims->exp_s + !!claims->iat_s + !!claims->ttl_s);
    if (claims->issuer) {
        cbor_put_uint(&out, 1);
        cbor_put_text(&out, bytes_of_text(claims->issuer));
    }
    if (claims->uri) {
        cbor_put_uint(&out, 2);
        cbor_put_text(&out, bytes_of_text(claims->uri));
    }
    const struct {
        uint64_t label, value;
    } numbers[] = {{4, claims->exp_s}, {6, claims->iat_s}, {65534, claims->ttl_s}};
    for (size_t i = 0; i < 3; i++) {
        if (numbers[i].value) {
            cbor_put_uint(&out, numbers[i].label);
            cbor_put_uint(&out, numbers[i].value);
        }
    }
    put_list(&out, claims);
    message.payload = cbor_written(&out);
    size_t size = cose_signed_bytes(&message, signed_bytes, sizeof(signed_bytes));
    crypto_sign_detached(signature, NULL, signed_bytes, size, secret_key);
    out = cbor_write(token_room, sizeof(token_room));
    cbor_put_tag(&out, 18);
    cbor_put_array(&out, 4);
    cbor_put_bytes(&out, message.protected_header);
    cbor_put_map(&out, 0);
    cbor_put_bytes(&out, message.payload);
    cbor_put_bytes(&out, (struct bytes){signature, sizeof(signature)});
    return cbor_written(&out);
}

static enum status_token_error import(struct bytes token, struct status_list *list)
{
    struct status_token parsed;
    enum status_token_error error = status_token_parse(token, &parsed);
    return error != STATUS_TOKEN_OK
               ? error
               : status_token_open(&parsed, &key, bytes_of_text(URI), NOW_S, NOW_S - 60, list_room, list);
}

static void a_good_token_is_taken(void **state)
{
    (void)state;
    struct status_list list;
    assert_int_equal(import(make(&good), &list), STATUS_TOKEN_OK);
    assert_string_equal(list.uri, URI);
    assert_string_equal(list.issuer, "CN-310000");
    assert_int_equal(list.iat_s, NOW_S - 50);
    assert_int_equal(list.exp_s, NOW_S + 50);
    assert_int_equal(list.ttl_s, 3600);
    assert_int_equal(list.entries, 4000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(list.bits[i], (uint8_t)(i * i >> 3));
    struct claims full = good;
    full.list_bytes = STATUS_LIST_BYTES_MAX;
    full.issuer = NULL;
    full.typ_text = NULL;
    full.typ = COSE_TYP_STATUS_LIST;
    assert_int_equal(import(make(&full), &list), STATUS_TOKEN_OK);
    assert_int_equal(list.entries, STATUS_LIST_ENTRIES_MAX);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct claims change; /* members that are not zero replace those of the good token */
        enum status_token_error error;
    } rows[] = {
        {"issuer", {.issuer = "CN-110000"}, STATUS_TOKEN_KEY},
        {"uri", {.uri = "https://status.example/sh/8"}, STATUS_TOKEN_URI},
        {"typ", {.typ_text = "application/cwt"}, STATUS_TOKEN_TYP},
        {"expired", {.exp_s = NOW_S}, STATUS_TOKEN_EXPIRED},
        {"future", {.iat_s = NOW_S + 61}, STATUS_TOKEN_FUTURE},
        {"older", {.iat_s = NOW_S - 61}, STATUS_TOKEN_OLDER},
        {"bits", {.bits = 1}, STATUS_TOKEN_BITS},
        {"too large", {.list_bytes = STATUS_LIST_BYTES_MAX + 1}, STATUS_TOKEN_INFLATE},
        {"trailing bytes", {.extra_bytes = 1}, STATUS_TOKEN_INFLATE},
        {"bomb", {.list_bytes = 100u << 20}, STATUS_TOKEN_INFLATE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct claims claims = good;
        const struct claims *c = &rows[i].change;
        claims.issuer = c->issuer ? c->issuer : claims.issuer;
        claims.uri = c->uri ? c->uri : claims.uri;
        claims.typ_text = c->typ_text ? c->typ_text : claims.typ_text;
        claims.exp_s = c->exp_s ? c->exp_s : claims.exp_s;
        claims.iat_s = c->iat_s ? c->iat_s : claims.iat_s;
        claims.bits = c->bits ? c->bits : claims.bits;
        claims.list_bytes = c->list_bytes ? c->list_bytes : claims.list_bytes;
        claims.extra_bytes = c->extra_bytes;
        struct status_list list;
        enum status_token_error error = import(make(&claims), &list);
        if (error != rows[i].error)
            fail_msg("%s: %s", rows[i].what, status_token_error_text(error));
    }
    struct claims none = good;
    none.typ_text = NULL;
    struct status_list list;
    assert_int_equal(import(make(&none), &list), STATUS_TOKEN_TYP);
    none = good;
    none.uri = NULL;
    assert_int_equal(import(make(&none), &list), STATUS_TOKEN_FORM);
    none = good;
    none.iat_s = 0;
    assert_int_equal(import(make(&none), &list), STATUS_TOKEN_FORM);
}

static void the_key_must_fit(void **state)
{
    (void)state;
    struct issuer_key kept = key;
    struct status_list list;
    struct bytes token = make(&good);
    key.retired = true;
    assert_int_equal(import(token, &list), STATUS_TOKEN_KEY);
    key = kept;
    key.use = KEY_USE_CREDENTIAL;
    assert_int_equal(import(token, &list), STATUS_TOKEN_KEY);
    key = kept;
    key.not_after_s = NOW_S;
    assert_int_equal(import(token, &list), STATUS_TOKEN_KEY);
    key = kept;
    key.not_before_s = NOW_S + 1;
    assert_int_equal(import(token, &list), STATUS_TOKEN_KEY);
    key = kept;
    key.public_key[5] ^= 1;
    assert_int_equal(import(token, &list), STATUS_TOKEN_SIGNATURE);
    key = kept;
}

static void no_flipped_bit_is_taken(void **state)
{
    (void)state;
    struct claims claims = good;
    claims.list_bytes = 50;
    struct bytes token = make(&claims);
    struct status_list list;
    assert_int_equal(import(token, &list), STATUS_TOKEN_OK);
    for (size_t i = 0; i < token.length * 8; i++) {
        token_room[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(import(token, &list), STATUS_TOKEN_OK);
        token_room[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t length = 0; length < token.length; length++)
        assert_int_not_equal(import((struct bytes){token.data, length}, &list), STATUS_TOKEN_OK);
}

/* The draft's test vector of 2 bits (draft-ietf-oauth-status-list, "2-bit Status List"): 2^20 entries. */
static const char vector[] =
    "78daeddb310d00211000412ea1a04004fe5520ed357c28c81d3312b6df68bc65480000000000406e2101000000000000"
    "0000000000000000000000000000000000000000000000000040795b0200000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000080f4ba0400000000000000000000000000406d764a0000000000000000000000000000"
    "00000000000000e0922101000000000000000000000000000000000000fc131200000000000000000000000000000000"
    "000000000000000000000000000000c0912e01000000000000000000000000000000000000c07d4b0200000000000000"
    "0000000000000000a8614a0000000000000000000000406a1fcd60010c";

static struct bytes vector_bytes(void)
{
    static uint8_t room[sizeof(vector) / 2];
    for (size_t i = 0; i < sizeof(room); i++) {
        const char digits[] = {vector[2 * i], vector[2 * i + 1], 0};
        room[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return (struct bytes){room, sizeof(room)};
}

static void the_drafts_list_of_two_bits_is_read(void **state)
{
    (void)state;
    static const struct {
        uint32_t index;
        enum status_value value;
    } set[] = {{0, 1},      {1993, 2},   {25460, 1},  {159495, 3}, {495669, 1}, {554353, 1},
               {645645, 2}, {723232, 1}, {854545, 1}, {934534, 2}, {1000345, 3}};
    struct claims claims = good;
    struct status_list list;
    claims.packed = vector_bytes();
    assert_int_equal(import(make(&claims), &list), STATUS_TOKEN_OK);
    assert_int_equal(list.entries, STATUS_LIST_ENTRIES_MAX);
    size_t next = 0;
    for (uint32_t i = 0; i < list.entries; i++) {
        if (status_list_get(&list, i) == STATUS_VALID)
            continue;
        assert_true(next < sizeof(set) / sizeof(set[0]));
        assert_int_equal(i, set[next].index);
        assert_int_equal(status_list_get(&list, i), set[next++].value);
    }
    assert_int_equal(next, sizeof(set) / sizeof(set[0]));
}

/* The draft's other widths, and what is none: a list of such would be read as something else. */
static void other_widths_are_refused(void **state)
{
    (void)state;
    static const uint8_t widths[] = {0, 1, 3, 4, 8, 16};
    struct claims claims = good;
    struct status_list list;
    claims.packed = vector_bytes();
    for (size_t i = 0; i < sizeof(widths); i++) {
        claims.bits = widths[i];
        assert_int_equal(import(make(&claims), &list), STATUS_TOKEN_BITS);
    }
    assert_non_null(strstr(status_token_error_text(STATUS_TOKEN_BITS), "2 bits"));
}

/* COSE_Sign1's tag and CWT's may be there or not. */
static void tags_are_free(void **state)
{
    (void)state;
    static uint8_t room[2 * STATUS_TOKEN_SIZE_MAX];
    struct status_list list;
    struct bytes tagged = make(&good);
    assert_int_equal(tagged.data[0], 0xd2);
    assert_int_equal(import((struct bytes){tagged.data + 1, tagged.length - 1}, &list), STATUS_TOKEN_OK);
    room[0] = 0xd8; /* a tag in a byte of its own */
    room[1] = 61;
    memcpy(room + 2, tagged.data, tagged.length);
    assert_int_equal(import((struct bytes){room, tagged.length + 2}, &list), STATUS_TOKEN_OK);
    room[1] = 60;
    assert_int_equal(import((struct bytes){room, tagged.length + 2}, &list), STATUS_TOKEN_FORM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_token_is_taken),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(the_key_must_fit),
        cmocka_unit_test(no_flipped_bit_is_taken),
        cmocka_unit_test(the_drafts_list_of_two_bits_is_read),
        cmocka_unit_test(other_widths_are_refused),
        cmocka_unit_test(tags_are_free),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
