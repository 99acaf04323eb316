/* The published CertLogic suites, and cases of our own on both sides of what they leave open. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/certlogic.h"

#define PATH_SIZE 512

static bool vectors_folder(const char *name, char *path)
{
    const char *vectors = getenv("CHENGMEN_VECTORS");
    snprintf(path, PATH_SIZE, "%s/certlogic/%s", vectors ? vectors : SOURCE_ROOT "/../shared/vectors", name);
    DIR *folder = opendir(path);
    if (folder)
        closedir(folder);
    return folder != NULL;
}

static cJSON *read_suite(const char *folder, const char *name)
{
    char path[PATH_SIZE * 2], error[256];
    struct bytes text;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!json_read_file(path, &text, error, sizeof error))
        fail_msg("%s", error);
    cJSON *tree = json_parse(text, NULL);
    free((void *)text.data);
    assert_non_null(tree);
    return tree;
}

static bool skipped(const cJSON *item)
{
    const cJSON *directive = cJSON_GetObjectItemCaseSensitive(item, "directive");
    return directive && strcmp(directive->valuestring, "skip") == 0;
}

static unsigned run_case(const char *file, const cJSON *one)
{
    unsigned count = 0;
    const cJSON *assertion, *shared = cJSON_GetObjectItemCaseSensitive(one, "certLogicExpression");
    cJSON_ArrayForEach(assertion, cJSON_GetObjectItemCaseSensitive(one, "assertions"))
    {
        char error[256];
        const cJSON *own = cJSON_GetObjectItemCaseSensitive(assertion, "certLogicExpression");
        char *expected = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(assertion, "expected"));
        if (!skipped(assertion)) {
            char *got = certlogic_eval(own ? own : shared, cJSON_GetObjectItemCaseSensitive(assertion, "data"), error,
                                       sizeof error);
            if (!got || strcmp(got, expected) != 0)
                fail_msg("%s: %s: expected %s, got %s", file,
                         cJSON_GetObjectItemCaseSensitive(one, "name")->valuestring, expected, got ? got : error);
            free(got);
            count++;
        }
        free(expected);
    }
    return count;
}

static void test_published_suites(void **state)
{
    (void)state;
    char folder[PATH_SIZE];
    if (!vectors_folder("testSuite", folder)) {
        print_message("the published CertLogic suites are not present: skipped\n");
        skip();
    }
    unsigned count = 0;
    struct dirent *entry;
    DIR *files = opendir(folder);
    while ((entry = readdir(files))) {
        if (!strstr(entry->d_name, ".json"))
            continue;
        cJSON *suite = read_suite(folder, entry->d_name);
        const cJSON *one;
        cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(suite, "cases"))
        {
            count += skipped(suite) || skipped(one) ? 0 : run_case(entry->d_name, one);
        }
        cJSON_Delete(suite);
    }
    closedir(files);
    print_message("%u published assertions\n", count);
    assert_true(count >= 200);
}

static void check_issues(const cJSON *expression, const cJSON *issues)
{
    struct json_problems problems = {0};
    struct json_place root = json_root(expression);
    const cJSON *issue;
    size_t index = 0;
    assert_int_equal(certlogic_validate(&root, &problems), cJSON_GetArraySize(issues) == 0);
    assert_int_equal(problems.count, cJSON_GetArraySize(issues));
    cJSON_ArrayForEach(issue, issues)
    {
        const char *message = cJSON_GetObjectItemCaseSensitive(issue, "message")->valuestring;
        const char *got = problems.items[index++].message;
        /* Numbers are printed in more digits than they are published with. */
        if (!strstr(message, "non-integer"))
            assert_string_equal(got, message);
    }
    json_problems_free(&problems);
}

static void test_published_validation_suites(void **state)
{
    (void)state;
    char folder[PATH_SIZE];
    if (!vectors_folder("validation-testSuite", folder)) {
        print_message("the published CertLogic validation suites are not present: skipped\n");
        skip();
    }
    struct dirent *entry;
    DIR *files = opendir(folder);
    while ((entry = readdir(files))) {
        if (!strstr(entry->d_name, ".json"))
            continue;
        cJSON *suite = read_suite(folder, entry->d_name);
        const cJSON *one;
        cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(suite, "cases"))
        {
            check_issues(cJSON_GetObjectItemCaseSensitive(one, "certLogicExpression"),
                         cJSON_GetObjectItemCaseSensitive(one, "issues"));
        }
        cJSON_Delete(suite);
    }
    closedir(files);
}

static const struct {
    const char *logic, *data;
    const char *value; /* NULL: it errs */
} cases[] = {
    /* Date-times. */
    {"{\"plusTime\":[\"2020-02-29\",1,\"day\"]}", "null", "\"2020-03-01T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-02-29\",1,\"month\"]}", "null", "\"2020-03-29T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-02-29\",1,\"year\"]}", "null", "\"2021-03-01T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-02-29\",-1,\"year\"]}", "null", "\"2019-03-01T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-02-29\",4,\"year\"]}", "null", "\"2024-02-29T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-01-31\",1,\"month\"]}", "null", "\"2020-03-02T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-03-31\",-1,\"month\"]}", "null", "\"2020-03-02T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-12-31\",-10,\"month\"]}", "null", "\"2020-03-02T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-01-15\",-13,\"month\"]}", "null", "\"2018-12-15T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-03-01T00:30:00+01:00\",0,\"day\"]}", "null", "\"2020-02-29T23:30:00.000Z\""},
    {"{\"plusTime\":[\"2020-03-01T00:30:00-1\",0,\"day\"]}", "null", "\"2020-03-01T01:30:00.000Z\""},
    {"{\"plusTime\":[\"2020-03-01T00:30:00+130\",0,\"day\"]}", "null", "\"2020-02-29T23:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-03-01T00:30:00+0130\",0,\"day\"]}", "null", "\"2020-02-29T23:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-03-01T00:30:00+1:30\",0,\"day\"]}", "null", "\"2020-02-29T23:00:00.000Z\""},
    {"{\"plusTime\":[\"2020-03-01T00:30:00.1Z\",0,\"day\"]}", "null", "\"2020-03-01T00:30:00.100Z\""},
    {"{\"plusTime\":[\"2020-03-01T00:30:00.98765+10\",1,\"hour\"]}", "null", "\"2020-02-29T15:30:00.987Z\""},
    {"{\"plusTime\":[\"2020-03-01T24:00:00Z\",0,\"day\"]}", "null", "\"2020-03-02T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2020\",0,\"day\"]}", "null", "\"2020-12-31T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2021-02\",0,\"day\"]}", "null", "\"2021-02-28T00:00:00.000Z\""},
    {"{\"plusTime\":[\"9999-12-31\",1,\"day\"]}", "null", "\"+010000-01-01T00:00:00.000Z\""},
    {"{\"plusTime\":[\"0000-01-01\",-1,\"day\"]}", "null", "\"-000001-12-31T00:00:00.000Z\""},
    {"{\"plusTime\":[\"2021-02-29\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-02-30\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-13-01\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-00-01\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-01-00\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-03-01T24:00:01Z\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-03-01T23:60:00Z\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-03-01T23:00:60Z\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-03-01T23:00:00+\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-03-01T23:00:00+1:\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-03-01T23:00:00+123:00\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-03-01T23:00:00+24\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-03-01T23:00:00.Z\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-03-01T23:00:00z\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-03-01 23:00:00Z\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-3-1\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"\",0,\"day\"]}", "null", NULL},
    {"{\"plusTime\":[{\"var\":\"x\"},0,\"day\"]}", "{}", NULL},
    {"{\"plusTime\":[\"2020-01-01\",300000,\"year\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020-01-01\",1000000000000000,\"hour\"]}", "null", NULL},
    {"{\"plusTime\":[{\"plusTime\":[\"2020-01-01\",0,\"day\"]},0,\"day\"]}", "null", NULL},
    {"{\"dccDateOfBirth\":[\"2020-01-01T00:00:00\"]}", "null", NULL},
    {"{\"not-before\":[{\"plusTime\":[\"2020\",0,\"day\"]},{\"plusTime\":[\"2019\",0,\"day\"]},"
     "{\"plusTime\":[\"2019-12-31T00:00:00.000Z\",0,\"day\"]}]}",
     "null", "true"},
    {"{\"after\":[{\"plusTime\":[\"2020\",0,\"day\"]},1]}", "null", NULL},
    {"{\"<\":[{\"plusTime\":[\"2020\",0,\"day\"]},{\"plusTime\":[\"2021\",0,\"day\"]}]}", "null", NULL},
    /* Neither truthy nor falsy. */
    {"{\"!\":[{\"plusTime\":[\"2020\",0,\"day\"]}]}", "null", NULL},
    {"{\"if\":[{\"plusTime\":[\"2020\",0,\"day\"]},1,2]}", "null", NULL},
    {"{\"and\":[true,{\"plusTime\":[\"2020\",0,\"day\"]}]}", "null", NULL},
    {"{\"and\":[{\"plusTime\":[\"2020\",0,\"day\"]},true]}", "null", NULL},
    {"{\"!\":[[{\"plusTime\":[\"2020\",0,\"day\"]}]]}", "null", "false"},
    /* Numbers. */
    {"{\"<\":[{\"var\":\"\"},2]}", "1.5", NULL},
    {"{\"+\":[{\"var\":\"\"},2]}", "1.5", NULL},
    {"{\"+\":[{\"var\":\"\"},2]}", "1e3", "1002"},
    {"{\"if\":[{\"var\":\"\"},1,2]}", "0.5", "1"},
    {"{\"if\":[{\"var\":\"\"},1,2]}", "-0.0", "2"},
    {"{\"<\":[null,2]}", "null", NULL},
    {"{\"<\":[{\"var\":\"x\"},2]}", "{}", NULL},
    {"{\"<\":[1,2,{\"var\":\"x\"}]}", "{}", NULL},
    {"{\"<\":[2,1,{\"var\":\"x\"}]}", "{}", NULL},
    {"{\">=\":[3,3,2]}", "null", "true"},
    {"{\"+\":[\"1\",2]}", "null", NULL},
    /* Identity. */
    {"{\"===\":[{\"var\":\"x\"},{\"var\":\"y\"}]}", "{}", "true"},
    {"{\"===\":[{\"var\":\"x\"},{\"var\":\"x\"}]}", "{\"x\":[1]}", "true"},
    {"{\"===\":[{\"var\":\"x\"},{\"var\":\"y\"}]}", "{\"x\":[1],\"y\":[1]}", "false"},
    {"{\"===\":[[],[]]}", "null", "false"},
    {"{\"in\":[[1],[[1]]]}", "null", "false"},
    {"{\"in\":[1,{\"var\":\"x\"}]}", "{}", NULL},
    {"{\"in\":[\"a\",\"abc\"]}", "null", NULL},
    /* Paths. */
    {"{\"var\":\"a.01\"}", "{\"a\":[5,6]}", "6"},
    {"{\"var\":\"a.01\"}", "{\"a\":{\"01\":7}}", "7"},
    {"{\"var\":\"a.-1\"}", "{\"a\":[5,6]}", "null"},
    {"{\"var\":\"a.1\"}", "{\"a\":\"text\"}", "null"},
    {"{\"var\":\"a.length\"}", "{\"a\":[1]}", "null"},
    {"{\"var\":\"a.99999999999999999999\"}", "{\"a\":[1]}", "null"},
    {"{\"var\":\"a..b\"}", "{}", NULL},
    {"{\"var\":\".a\"}", "{}", NULL},
    /* Laziness and order. */
    {"{\"and\":[false,{\"<\":[{\"var\":\"x\"},1]}]}", "{}", "false"},
    {"{\"if\":[true,1,{\"<\":[{\"var\":\"x\"},1]}]}", "{}", "1"},
    {"{\"if\":[true,1,{\"unknown\":[1]}]}", "{}", NULL},
    {"{\"and\":[{\"<\":[{\"var\":\"x\"},1]},false]}", "{}", NULL},
    /* Reduce. */
    {"{\"reduce\":[[1,2,3],{\"var\":\"\"},0]}", "null",
     "{\"accumulator\":{\"accumulator\":{\"accumulator\":0,\"current\":1},\"current\":2},\"current\":3}"},
    {"{\"reduce\":[[1,2],{\"var\":\"x\"},0]}", "{\"x\":1}", "null"},
    {"{\"reduce\":[[[1,2],[3]],{\"+\":[{\"var\":\"accumulator\"},{\"reduce\":[{\"var\":\"current\"},"
     "{\"+\":[{\"var\":\"accumulator\"},{\"var\":\"current\"}]},0]}]},0]}",
     "null", "6"},
    {"{\"reduce\":[{\"var\":\"x\"},{\"var\":\"accumulator\"},{\"var\":\"y\"}]}", "{\"y\":4}", "4"},
    {"{\"reduce\":[\"abc\",1,1]}", "null", NULL},
    {"{\"reduce\":[[1,2,3],{\"if\":[{\"===\":[{\"var\":\"current\"},2]},[{\"var\":\"current\"}],"
     "{\"var\":\"accumulator\"}]},[]]}",
     "null", "[2]"},
    {"{\"reduce\":[[1,2,3],{\"var\":\"current.x\"},0]}", "null", "null"},
    /* Certificate identifiers. */
    {"{\"extractFromUVCI\":[\"URN:UVCI:\",0]}", "null", "\"\""},
    {"{\"extractFromUVCI\":[\"urn:uvci:01\",0]}", "null", "\"urn\""},
    {"{\"extractFromUVCI\":[1,0]}", "null", NULL},
    {"{\"extractFromUVCI\":[\"a/b\",9007199254740991]}", "null", "null"},
    /* Validation before use. */
    {"{\"!\":[1,2]}", "null", NULL},
    {"{\"if\":[1,2]}", "null", NULL},
    {"{\"extractFromUVCI\":[\"a\",{\"var\":\"x\"}]}", "null", NULL},
    {"{\"plusTime\":[\"2020\",\"1\",\"day\"]}", "null", NULL},
    {"{\"plusTime\":[\"2020\",1,\"week\"]}", "null", NULL},
    {"{\"===\":[null,1]}", "null", NULL},
    {"1.5", "null", NULL},
    {"{\"var\":[\"a\"]}", "null", NULL},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[256] = "";
        cJSON *logic = json_parse(bytes_of_text(cases[i].logic), NULL);
        cJSON *data = json_parse(bytes_of_text(cases[i].data), NULL);
        assert_non_null(logic);
        char *got = certlogic_eval(logic, data, error, sizeof error);
        if (!got != !cases[i].value || (got && strcmp(got, cases[i].value) != 0))
            fail_msg("%s with %s: expected %s, got %s", cases[i].logic, cases[i].data,
                     cases[i].value ? cases[i].value : "an error", got ? got : error);
        assert_true(got || error[0]);
        free(got);
        cJSON_Delete(logic);
        cJSON_Delete(data);
    }
}

static void test_results_are_bounded(void **state)
{
    (void)state;
    /* Each turn doubles what the accumulator stands for. */
    static const char logic_text[] =
        "{\"reduce\":[{\"var\":\"\"},[{\"var\":\"accumulator\"},{\"var\":\"accumulator\"}],1]}";
    cJSON *data = cJSON_CreateArray();
    for (int i = 0; i < 60; i++)
        cJSON_AddItemToArray(data, cJSON_CreateNumber(i));
    cJSON *logic = json_parse(bytes_of_text(logic_text), NULL);
    char error[256];
    assert_null(certlogic_eval(logic, data, error, sizeof error));
    assert_string_equal(error, "result too large");
    cJSON_Delete(logic);
    cJSON_Delete(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_suites),
        cmocka_unit_test(test_published_validation_suites),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_results_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
