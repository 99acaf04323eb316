#include "tests/unit/unit.h"

#include "control/keys_json.h"
#include "tests/unit/refusals.h"

static bool read_keys(const struct json_place *document, struct json_problems *problems)
{
    struct jwks keys;
    bool ok = jwks_read(document, &keys, problems);
    if (ok)
        jwks_free(&keys);
    return ok;
}

/* The key of RFC 8037 appendix A. */
#define SECRET "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\""
#define CURVE "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define BARE CURVE ",\"kid\":\"0011223344556677\""
#define KEY BARE ",\"iss\":\"CN-310000\""
#define P256 "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"kid\":\"web-1\""

static void strict_in_every_member(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"{" KEY "}", "", NULL},
        {"{\"keys\":[{" KEY "}]}", "", NULL},
        {"{" KEY ",\"alg\":\"EdDSA\",\"use\":\"status\",\"nbf\":1,\"exp\":2,\"regions\":[310000]}", "", NULL},
        {"{" KEY ",\"classes\":[\"dynamic\",\"venue-pass\"]}", "", NULL},
        {"{" KEY "," SECRET "}", "/d", "private"},
        {"{\"keys\":[{" KEY "},{" KEY ",\"p\":\"x\"}]}", "/keys/1/p", "private"},
        {"{" KEY ",\"k\":\"x\"}", "/k", "private"},
        {"{" KEY ",\"x5c\":[],\"ext\":true,\"mine\":{\"d\":1}}", "", NULL},
        {"{" KEY ",\"key_ops\":[\"sign\",\"verify\"]}", "", NULL},
        {"{" KEY ",\"key_ops\":[\"sign\"]}", "/key_ops", "verify"},
        {"{" KEY ",\"key_ops\":[]}", "/key_ops", "verify"},
        {"{" KEY ",\"key_ops\":\"verify\"}", "/key_ops", "array"},
        {"{" KEY ",\"retired\":true}", "/retired", "retired"},
        {"{" KEY ",\"retired\":false}", "", NULL},
        {"{\"keys\":[{" KEY "}],\"kid\":\"x\"}", "", NULL},
        {"{\"keys\":[{" P256 "},{" KEY "}]}", "", NULL},
        {"{\"keys\":[{" P256 "," SECRET "},{" KEY "}]}", "/keys/0/d", "private"},
        {"{\"keys\":[{" P256 "}]}", "/keys", "no key"},
        {"{\"keys\":[{" P256 "},{" KEY "},{" KEY "}]}", "/keys/2/kid", "twice"},
        {"{\"keys\":[]}", "/keys", "1 to"},
        {"{\"keys\":{}}", "/keys", "array"},
        {"{\"keys\":[7]}", "/keys/0", "object"},
        {"[]", "", "object"},
        {"{\"keys\":[{" KEY "},{" KEY "}]}", "/keys/1/kid", "twice"},
        {"{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\","
         "\"kid\":\"0011223344556677\",\"iss\":\"a\"}",
         "/kty", "OKP"},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\","
         "\"kid\":\"0011223344556677\",\"iss\":\"a\"}",
         "/crv", "Ed25519"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR\","
         "\"kid\":\"0011223344556677\",\"iss\":\"a\"}",
         "/x", "32 bytes"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp\","
         "\"kid\":\"0011223344556677\",\"iss\":\"a\"}",
         "/x", "32 bytes"}, /* the last character's unused bits are not zero */
        {"{" CURVE ",\"kid\":\"001122334455667\",\"iss\":\"a\"}", "/kid", "hexadecimal"},
        {"{" CURVE ",\"kid\":\"001122334455667g\",\"iss\":\"a\"}", "/kid", "hexadecimal"},
        {"{" CURVE ",\"iss\":\"a\"}", "/kid", ""},
        {"{" BARE "}", "/iss", ""},
        {"{" BARE ",\"iss\":\"\"}", "/iss", "name"},
        {"{" BARE ",\"iss\":\"012345678901234567890123456789012\"}", "/iss", ""},
        {"{" KEY ",\"use\":\"sig\"}", "", NULL},
        {"{" KEY ",\"use\":\"enc\"}", "/use", "credential"},
        {"{" KEY ",\"alg\":\"ES256\"}", "/alg", "EdDSA"},
        {"{" KEY ",\"nbf\":-1}", "/nbf", "0 to"},
        {"{" KEY ",\"nbf\":5,\"exp\":5}", "/exp", "never valid"},
        {"{" KEY ",\"exp\":1.5}", "/exp", "whole"},
        {"{" KEY ",\"regions\":[]}", "/regions", "at least one"},
        {"{" KEY ",\"regions\":[1000000]}", "/regions/0", "1 to 999999"},
        {"{" KEY ",\"classes\":[]}", "/classes", "at least one"},
        {"{" KEY ",\"classes\":[\"dynamic\",\"dynamic\"]}", "/classes/1", "twice"},
        {"{" KEY ",\"classes\":[\"static\"]}", "/classes/0", "dynamic"},
        {"{" KEY ",\"use\":\"rules\",\"classes\":[\"dynamic\"]}", "/classes", "only a credential key"},
    };
    ASSERT_REFUSALS(cases, read_keys);
}

/* What is left out or ignored is told, with its place; what RFC 7517 has is not worth a word. */
static void what_is_ignored_is_told(void **state)
{
    (void)state;
    struct json_problems problems = {0};
    cJSON *tree = json_parse(
        bytes_of_text("{\"keys\":[{" P256 "},{" KEY ",\"use\":\"sig\",\"x5t\":\"a\",\"clases\":[]}]}"), &problems);
    struct json_place root = json_root(tree);
    struct jwks keys;
    assert_true(jwks_read(&root, &keys, &problems));
    assert_int_equal(keys.count, 1);
    assert_int_equal(keys.keys[0].use, KEY_USE_CREDENTIAL);
    assert_int_equal(keys.keys[0].classes, (1u << CLASS_COUNT) - 1);
    assert_int_equal(problems.warnings, 2);
    assert_string_equal(problems.items[0].pointer, "/keys/0");
    assert_non_null(strstr(problems.items[0].message, "web-1"));
    assert_non_null(strstr(problems.items[0].message, "P-256"));
    assert_string_equal(problems.items[1].pointer, "/keys/1/clases");
    jwks_free(&keys);
    cJSON_Delete(tree);
    json_problems_free(&problems);
}

static void too_many_regions_are_refused(void **state)
{
    (void)state;
    char text[1024] = "{" KEY ",\"regions\":[1";
    for (int i = 0; i < ISSUER_REGIONS_MAX; i++)
        strcat(text, ",1");
    strcat(text, "]}");
    const struct refusal cases[] = {{text, "/regions", "more than 64"}};
    ASSERT_REFUSALS(cases, read_keys);
}

/* Reads a key, encodes it as the log would, and prints it: what was imported is what is listed. */
static void a_key_is_listed_as_it_was_imported(void **state)
{
    (void)state;
    static const char text[] = "{" CURVE ",\"kid\":\"0011223344556677\",\"use\":\"credential\",\"iss\":\"CN-310000\","
                               "\"nbf\":1583020800,\"exp\":1614556800,\"regions\":[310000,320500],"
                               "\"classes\":[\"printed\"]}";
    struct json_problems problems = {0};
    cJSON *tree = json_parse(bytes_of_text(text), &problems);
    struct json_place root = json_root(tree);
    struct jwks keys;
    assert_true(jwks_read(&root, &keys, &problems));
    uint8_t room[ISSUER_KEY_ENCODED_MAX];
    struct issuer_key decoded;
    size_t size = issuer_key_encode(&keys.keys[0], room, sizeof room);
    assert_true(issuer_key_decode((struct bytes){room, size}, &decoded));
    cJSON *listed = issuer_key_json(&decoded);
    char *printed = cJSON_PrintUnformatted(listed);
    assert_string_equal(printed, text);
    cJSON_free(printed);
    cJSON_Delete(listed);
    cJSON_Delete(tree);
    jwks_free(&keys);
    json_problems_free(&problems);
}

/* A key without limits must pass through the log too. */
static void the_shortest_key_fits_the_log(void **state)
{
    (void)state;
    struct json_problems problems = {0};
    cJSON *tree = json_parse(bytes_of_text("{" KEY "}"), &problems);
    struct json_place root = json_root(tree);
    struct jwks keys;
    uint8_t room[ISSUER_KEY_ENCODED_MAX];
    struct issuer_key decoded;
    assert_true(jwks_read(&root, &keys, &problems));
    size_t size = issuer_key_encode(&keys.keys[0], room, sizeof room);
    assert_true(issuer_key_decode((struct bytes){room, size}, &decoded));
    assert_int_equal(decoded.classes, (1u << CLASS_COUNT) - 1);
    assert_true(issuer_key_covers_region(&decoded, 650000));
    jwks_free(&keys);
    cJSON_Delete(tree);
}

static bool read_signing_key(const struct json_place *document, struct json_problems *problems)
{
    struct signing_key key;
    char issuer[CREDENTIAL_ISSUER_MAX + 1];
    return signing_key_read(document, &key, issuer, problems);
}

static void a_private_key_must_be_the_public_ones(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"{" KEY "," SECRET "}", "", NULL},
        {"{" BARE "," SECRET "}", "", NULL},
        {"{" KEY "}", "/d", ""},
        {"{" KEY ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2B\"}", "/d", "32 bytes"},
        {"{" KEY ",\"d\":\"oWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}", "/d", "not the private key"},
    };
    ASSERT_REFUSALS(cases, read_signing_key);
}

/* RFC 8037 appendix A.3: the thumbprint is kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k. */
static void the_kid_is_the_thumbprints_beginning(void **state)
{
    (void)state;
    static const uint8_t seed[SIGNING_SEED_SIZE] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
                                                    0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
                                                    0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
    static const uint8_t kid[COSE_KID_SIZE] = {0x90, 0xfa, 0xca, 0xfe, 0xa9, 0xb1, 0x55, 0x66};
    struct signing_key key;
    assert_true(signing_key_from_seed(seed, &key));
    assert_memory_equal(key.kid, kid, sizeof kid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_in_every_member),
        cmocka_unit_test(what_is_ignored_is_told),
        cmocka_unit_test(too_many_regions_are_refused),
        cmocka_unit_test(a_key_is_listed_as_it_was_imported),
        cmocka_unit_test(the_shortest_key_fits_the_log),
        cmocka_unit_test(a_private_key_must_be_the_public_ones),
        cmocka_unit_test(the_kid_is_the_thumbprints_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
