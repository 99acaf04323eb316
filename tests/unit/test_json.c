#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "control/json.h"
#include "tests/unit/json_cases.h"

static const struct {
    const char *text;
    const char *pointer; /* where it is refused; NULL: accepted */
} cases[] = {
    {"0", NULL},
    {" [1, -2, 3.5, 1e3, -0, \"a\\u00e9\\ud83d\\ude00\\n\", {}, [], null, true] ", NULL},
    {"{\"a\":{\"b\":[{}]}}", NULL},
    {"", ""},
    {"1 2", ""},
    {"{} x", ""},
    {"[1,]", "/1"},
    {"{\"a\":1,}", "/a"},
    {"{\"a\" 1}", "/a"},
    {"{a:1}", ""},
    {"{\"x\":[1,{\"y\":tru}]}", "/x/1/y"},
    {"[01]", "/0"},
    {"[+1]", "/0"},
    {"[1.]", "/0"},
    {"[.5]", "/0"},
    {"[1e]", "/0"},
    {"[-]", "/0"},
    {"[1e400]", "/0"},
    {"[NaN]", "/0"},
    {"[Infinity]", "/0"},
    {"[0x10]", "/1"},
    {"[1.0000000000000000000000000000000000000000000000000000000000000000001]", "/0"},
    {"[\"\\u0000\"]", "/0"},
    {"[\"\\ud800\"]", "/0"},
    {"[\"\\udc00\"]", "/0"},
    {"[\"\\ud800\\u0041\"]", "/0"},
    {"[\"\\x\"]", "/0"},
    {"[\"a\nb\"]", "/0"},
    {"[\"\xff\"]", "/0"},
    {"[\"\xc0\x80\"]", "/0"},
    {"[\"\xed\xa0\x80\"]", "/0"},
    {"[\"open", "/0"},
    {"[1", "/1"},
    {"[1 2]", "/1"},
    {"{\"a\":1,\"a\":2}", "/a"},
    {"{\"b\":{\"a\":1,\"c\":0,\"\\u0061\":2}}", "/b/a"},
    {"{\"a/b~c\":{\"d\":x}}", "/a~1b~0c/d"},
    {"// comment\n1", ""},
    {"'a'", ""},
};

static void test_strictness(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_problems problems = {0};
        cJSON *tree = json_parse(bytes_of_text(cases[i].text), &problems);
        if (!tree != !!cases[i].pointer)
            fail_msg("%s: %s", cases[i].text, tree ? "accepted" : problems.items[0].message);
        if (!tree) {
            assert_int_equal(problems.count, 1);
            assert_string_equal(problems.items[0].pointer, cases[i].pointer);
        }
        cJSON_Delete(tree);
        json_problems_free(&problems);
    }
}

/* A refusal says where: one problem, with line and column or a pointer. */
static void expect_read(const char *name, struct bytes text, bool accepted)
{
    struct json_problems problems = {0};
    cJSON *tree = json_parse(text, &problems);
    if (accepted != (tree != NULL))
        fail_msg("%s: %s", name, tree ? "accepted" : problems.items[0].message);
    assert_int_equal(problems.count, accepted ? 0 : 1);
    if (!tree && !problems.items[0].pointer[0] && !strstr(problems.items[0].message, "line "))
        fail_msg("%s: where? \"%s\"", name, problems.items[0].message);
    cJSON_Delete(tree);
    json_problems_free(&problems);
}

static void test_published_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < json_case_count; i++)
        expect_read(json_cases[i].name, json_cases[i].text, json_cases[i].accepted);
}

/* The suite's long ones: n_structure_100000_opening_arrays, n_structure_open_array_object,
 * i_structure_500_nested_arrays. */
static void test_published_long_cases(void **state)
{
    (void)state;
    static const char object[] = "[{\"\":";
    static uint8_t text[50000 * (sizeof object - 1)];
    memset(text, '[', 100000);
    expect_read("n_structure_100000_opening_arrays", (struct bytes){text, 100000}, false);
    memset(text + 500, ']', 500);
    expect_read("i_structure_500_nested_arrays", (struct bytes){text, 1000}, false);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)object[i % (sizeof object - 1)];
    expect_read("n_structure_open_array_object", (struct bytes){text, sizeof text}, false);
}

static void test_depth(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 2];
    for (unsigned depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        cJSON *tree = json_parse((struct bytes){(const uint8_t *)text, (size_t)depth * 2}, NULL);
        assert_int_equal(tree != NULL, depth == JSON_DEPTH_MAX);
        cJSON_Delete(tree);
    }
}

static void test_bytes_after(void **state)
{
    (void)state;
    struct bytes text = {(const uint8_t *)"{}\0", 3};
    assert_null(json_parse(text, NULL));
}

static void test_places(void **state)
{
    (void)state;
    static const char *const known[] = {"name", "port", "on", "mode", "list", NULL};
    static const char *const modes[] = {"spin", "sleep", NULL};
    struct json_problems problems = {0};
    cJSON *tree = json_parse(
        bytes_of_text("{\"name\":\"gate\",\"port\":70000,\"on\":1,\"mode\":\"rest\",\"list\":[1,2.5],\"more\":0}"),
        &problems);
    assert_non_null(tree);
    struct json_place root = json_root(tree);
    char name[8];
    uint64_t port = 1;
    int64_t number = 0;
    bool on;
    unsigned mode;
    assert_false(json_known_members(&root, known, &problems));
    struct json_place place = json_member(&root, "name");
    assert_true(json_copy_text(&place, name, sizeof name, &problems));
    assert_string_equal(name, "gate");
    assert_false(json_copy_text(&place, name, 4, &problems));
    place = json_member(&root, "port");
    assert_false(json_uint(&place, 0, UINT16_MAX, &port, &problems));
    assert_int_equal(port, 1);
    place = json_member(&root, "on");
    assert_false(json_bool(&place, &on, &problems));
    place = json_member(&root, "mode");
    assert_false(json_choice(&place, modes, &mode, &problems));
    struct json_place list = json_member(&root, "list");
    place = json_item(&list, cJSON_GetArrayItem(list.value, 1), 1);
    assert_false(json_int(&place, -5, 5, &number, &problems));
    place = json_member(&root, "absent");
    assert_false(json_uint(&place, 0, 1, &port, &problems));
    char *text = json_problems_text(&problems);
    assert_string_equal(text, "/more: unknown member\n"
                              "/name: text of 0 to 3 bytes expected, it has 4\n"
                              "/port: number from 0 to 65535 expected\n"
                              "/on: a boolean expected, not a number\n"
                              "/mode: one of spin, sleep expected\n"
                              "/list/1: a whole number expected\n"
                              "/absent: missing\n");
    free(text);
    cJSON_Delete(tree);
    json_problems_free(&problems);
}

/* Whoever sends bytes that are no UTF-8 gets an answer that is. */
static void what_is_quoted_is_utf8(void **state)
{
    (void)state;
    struct json_problems problems = {0};
    assert_null(json_parse(bytes_of_text("{\"a\xff\xc3\":{\"\xe4\xb8\xad\xe4\":x"), &problems));
    assert_string_equal(problems.items[0].pointer, "/a??");
    json_problems_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strictness),           cmocka_unit_test(test_published_cases),
        cmocka_unit_test(test_published_long_cases), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_bytes_after),          cmocka_unit_test(test_places),
        cmocka_unit_test(what_is_quoted_is_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
