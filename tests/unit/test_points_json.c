/* Points and subject changes as JSON. */
#include "tests/unit/unit.h"

#include "control/points_json.h"
#include "control/status_json.h"
#include "tests/unit/refusals.h"

static struct point point;
static struct subject_change change;

static bool read_point(const struct json_place *document, struct json_problems *problems)
{
    return point_read(document, &point, problems);
}

static bool read_change(const struct json_place *document, struct json_problems *problems)
{
    return subject_change_read(document, 1000, 2000, &change, problems);
}

#define POINT "\"id\":7,\"venue\":\"Ruijin\",\"class\":\"hospital\""
#define SECRET "\"master_secret\":\"00112233445566778899aabbccddeeff\""

static void points_are_read_strictly(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"{" POINT "}", "", NULL},
        {"{" POINT ",\"oscore\":{}}", "", NULL},
        {"{" POINT ",\"oscore\":{\"alg\":\"ChaCha20/Poly1305\"," SECRET "}}", "", NULL},
        {"7", "", "object"},
        {"{" POINT ",\"Mode\":\"enforce\"}", "/Mode", "unknown"},
        {"{\"id\":0,\"venue\":\"a\",\"class\":\"b\"}", "/id", "1 to"},
        {"{\"id\":4294967296,\"venue\":\"a\",\"class\":\"b\"}", "/id", "1 to"},
        {"{\"id\":\"7\",\"venue\":\"a\",\"class\":\"b\"}", "/id", "number"},
        {"{\"venue\":\"a\",\"class\":\"b\"}", "/id", ""},
        {"{\"id\":1,\"class\":\"b\"}", "/venue", ""},
        {"{\"id\":1,\"venue\":\"\",\"class\":\"b\"}", "/venue", "empty"},
        {"{\"id\":1,\"venue\":\"0123456789012345678901234567890123456789012345678\",\"class\":\"b\"}", "/venue", ""},
        {"{" POINT ",\"mode\":\"open\"}", "/mode", "enforce"},
        {"{" POINT ",\"address\":\"10.0.0\"}", "/address", "IP address"},
        {"{" POINT ",\"address\":\"10.0.0.1/8\"}", "/address", "IP address"},
        {"{" POINT ",\"priority\":4}", "/priority", "0 to 3"},
        {"{" POINT ",\"district\":1000000}", "/district", "0 to 999999"},
        {"{" POINT ",\"rate\":1000001}", "/rate", "0 to 1000000"},
        {"{" POINT ",\"oscore\":{\"alg\":\"AES-GCM\"}}", "/oscore/alg", "AES-CCM"},
        {"{" POINT ",\"oscore\":{\"master_secret\":\"0011\"}}", "/oscore/master_secret", ""},
        {"{" POINT ",\"oscore\":{\"point_id\":\"0\"}}", "/oscore/point_id", "hexadecimal"},
        {"{" POINT ",\"oscore\":{\"point_id\":\"ca\"}}", "/oscore/point_id", "nonces"},
        {"{" POINT ",\"oscore\":{\"secret\":\"00\"}}", "/oscore/secret", "unknown"},
    };
    ASSERT_REFUSALS(cases, read_point);
}

static void read_point_text(const char *text)
{
    const struct refusal good[] = {{text, "", NULL}};
    ASSERT_REFUSALS(good, read_point);
}

static void a_made_up_context_is_new_each_time(void **state)
{
    (void)state;
    read_point_text("{" POINT ",\"oscore\":{}}");
    struct point_oscore first = point.oscore;
    read_point_text("{" POINT ",\"oscore\":{}}");
    assert_int_equal(first.alg, POINT_OSCORE_AES_CCM);
    assert_int_equal(first.master_secret_size, 16);
    assert_memory_not_equal(first.master_secret, point.oscore.master_secret, 16);
    assert_memory_equal(first.point_id, point.oscore.point_id, 4);
    assert_int_equal(first.point_id[3], 7);
}

/* A listing must never show what opens a channel. */
static void secrets_are_only_in_the_export(void **state)
{
    (void)state;
    read_point_text("{" POINT ",\"oscore\":{" SECRET "}}");
    cJSON *listed = point_json(&point), *exported = point_secrets_json(&point);
    char *list = cJSON_PrintUnformatted(listed), *export = cJSON_PrintUnformatted(exported);
    assert_null(strstr(list, "00112233445566778899aabbccddeeff"));
    assert_non_null(strstr(export, "00112233445566778899aabbccddeeff"));
    cJSON_free(list);
    cJSON_free(export);
    cJSON_Delete(listed);
    cJSON_Delete(exported);
}

#define SUBJECT "\"issuer\":\"CN-310000\",\"subject\":\"00112233445566778899aabbccddeeff\""

static void changes_are_read_strictly(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"{" SUBJECT ",\"colour\":\"red\"}", "", NULL},
        {"{" SUBJECT ",\"remove\":true}", "", NULL},
        {"{" SUBJECT ",\"colour\":\"red\",\"arrival\":\"2020-02-29\",\"occupation\":\"teaching\"}", "", NULL},
        {"{" SUBJECT "}", "/colour", ""},
        {"{" SUBJECT ",\"colour\":\"blue\"}", "/colour", "green"},
        {"{" SUBJECT ",\"colour\":\"red\",\"remove\":true}", "/colour", "no colour"},
        {"{" SUBJECT ",\"colour\":\"red\",\"arrival\":\"2020-02-30\"}", "/arrival", "day"},
        {"{" SUBJECT ",\"colour\":\"red\",\"arrival\":65536}", "/arrival", "0 to 65535"},
        {"{" SUBJECT ",\"colour\":\"red\",\"since\":4294967296}", "/since", "0 to"},
        {"{" SUBJECT ",\"colour\":\"red\",\"reason\":256}", "/reason", "0 to 255"},
        {"{" SUBJECT ",\"colour\":\"red\",\"occupation\":\"labour-intensive\"}", "/occupation", ""},
        {"{" SUBJECT ",\"colour\":\"red\",\"name\":\"x\"}", "/name", "unknown"},
        {"{\"issuer\":\"a\",\"subject\":\"00\",\"colour\":\"red\"}", "/subject", "hexadecimal"},
        {"{\"subject\":\"00112233445566778899aabbccddeeff\",\"colour\":\"red\"}", "/issuer", ""},
        {"{\"issuer\":\"\",\"subject\":\"00112233445566778899aabbccddeeff\",\"colour\":\"red\"}", "/issuer", "empty"},
    };
    ASSERT_REFUSALS(cases, read_change);
}

static void a_change_has_the_defaults_it_documents(void **state)
{
    (void)state;
    const struct refusal good[] = {{"{" SUBJECT ",\"colour\":\"yellow\",\"until\":5}", "", NULL}};
    ASSERT_REFUSALS(good, read_change);
    assert_int_equal(change.record.since_s, 1000);
    assert_int_equal(change.record.version, 2000);
    assert_int_equal(change.record.flags, SUBJECT_HAS_UNTIL);
    assert_int_equal(change.record.colour, COLOUR_YELLOW);
    assert_true(subject_record_valid(&change.record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_read_strictly),
        cmocka_unit_test(a_made_up_context_is_new_each_time),
        cmocka_unit_test(secrets_are_only_in_the_export),
        cmocka_unit_test(changes_are_read_strictly),
        cmocka_unit_test(a_change_has_the_defaults_it_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
