/* The Shanghai rule set against the tables in tests/vectors/city: each case is credential, status, evidence, point and
 * time, and the answer that the city's FAQ asks for. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rules_json.h"
#include "dataplane/date_time.h"
#include "dataplane/rules.h"

#define QUESTIONS 44
#define CASES_LEAST 5 /* a question */

static unsigned cases_of[QUESTIONS + 1];

static struct bytes read_file(const char *name)
{
    char path[512], error[256];
    struct bytes text;
    snprintf(path, sizeof path, "%s/%s", SOURCE_ROOT, name);
    if (!json_read_file(path, &text, error, sizeof error))
        fail_msg("%s", error);
    return text;
}

static struct rule_set *load_shanghai(void)
{
    struct bytes text = read_file("control/examples/shanghai.json");
    struct json_problems problems = {0};
    uint8_t *program;
    size_t size;
    char error[128];
    bool ok = rules_compile(text, true, NULL, &program, &size, &problems);
    if (!ok || problems.count > 0)
        fail_msg("%s: %s", problems.items[0].pointer, problems.items[0].message);
    struct rule_set *rules = rule_set_load((struct bytes){program, size}, error, sizeof error);
    assert_non_null(rules);
    free(program);
    free((void *)text.data);
    return rules;
}

static uint64_t seconds_of(const cJSON *text)
{
    int64_t ms;
    assert_true(date_time_parse(bytes_of_text(text->valuestring), &ms));
    return (uint64_t)ms / 1000;
}

static uint64_t symbol_of(enum fact_type type, const char *text)
{
    uint64_t number = 0;
    while (fact_symbol(type, number) && strcmp(fact_symbol(type, number), text) != 0)
        number++;
    assert_non_null(fact_symbol(type, number));
    return number;
}

static void set_fact(struct facts *facts, const char *part, const cJSON *value)
{
    char path[64];
    enum fact fact;
    snprintf(path, sizeof path, "%s.%s", part, value->string);
    if (!fact_from_path(bytes_of_text(path), &fact))
        fail_msg("no such fact: %s", path);
    switch (fact_type(fact)) {
    case FACT_TYPE_TEXT:
        fact_set_text(facts, fact, bytes_of_text(value->valuestring));
        break;
    case FACT_TYPE_BOOL:
        fact_set_number(facts, fact, cJSON_IsTrue(value) ? 1 : 0);
        break;
    case FACT_TYPE_INT:
        fact_set_integer(facts, fact, (int64_t)value->valuedouble);
        break;
    case FACT_TYPE_UINT:
        fact_set_number(facts, fact, (uint64_t)value->valuedouble);
        break;
    case FACT_TYPE_TIME:
        fact_set_number(facts, fact, seconds_of(value));
        break;
    case FACT_TYPE_DAY:
        fact_set_number(facts, fact, seconds_of(value) / 86400);
        break;
    default:
        fact_set_number(facts, fact, symbol_of(fact_type(fact), value->valuestring));
    }
}

static struct facts facts_of(const cJSON *one)
{
    static const char *const parts[] = {"credential", "status", "point", "evidence"};
    struct facts facts = {0};
    fact_set_number(&facts, FACT_NOW, seconds_of(cJSON_GetObjectItemCaseSensitive(one, "at")));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const cJSON *value;
        cJSON_ArrayForEach(value, cJSON_GetObjectItemCaseSensitive(one, parts[i]))
        {
            set_fact(&facts, parts[i], value);
        }
    }
    return facts;
}

/* The rules' part of the order of a decision (design section 7): region equivalence, then rows. */
static struct decision answer(const struct rule_set *rules, const struct facts *facts,
                              void (*decide_rows)(const struct rule_set *, const struct facts *, struct decision *))
{
    struct decision decision = {.verdict = VERDICT_REFER, .reason = REASON_REGION_NOT_ACCEPTED, .rule_id = ""};
    if (!fact_present(facts, FACT_CREDENTIAL_ISSUER)) {
        decide_rows(rules, facts, &decision);
        return decision;
    }
    switch (rule_set_equivalence(rules, facts->value[FACT_CREDENTIAL_ISSUER].text, facts->value[FACT_NOW].number)) {
    case EQUIVALENCE_EQUAL:
        decide_rows(rules, facts, &decision);
        break;
    case EQUIVALENCE_PENDING:
        if (fact_present(facts, FACT_EVIDENCE_REGISTERED) && facts->value[FACT_EVIDENCE_REGISTERED].number != 0) {
            decide_rows(rules, facts, &decision);
            break;
        }
        decision.verdict = VERDICT_NEED_EVIDENCE;
        decision.reason = REASON_REGION_PENDING;
        decision.obligations = 1u << OBLIGATION_REGISTER;
        break;
    case EQUIVALENCE_NOT_ACCEPTED:
        break;
    }
    return decision;
}

static void ignore(void *context, const struct row_trace *trace)
{
    (void)context;
    (void)trace;
}

static void explain(const struct rule_set *rules, const struct facts *facts, struct decision *out)
{
    decide_traced(rules, facts, out, ignore, NULL);
}

static uint32_t obligations_of(const cJSON *expect)
{
    uint32_t obligations = 0;
    const cJSON *name;
    cJSON_ArrayForEach(name, cJSON_GetObjectItemCaseSensitive(expect, "obligations"))
    {
        enum obligation obligation;
        assert_true(obligation_from_name(name->valuestring, &obligation));
        obligations |= 1u << obligation;
    }
    return obligations;
}

static void check_decision(const char *name, const struct decision *got, const cJSON *expect)
{
    const cJSON *until = cJSON_GetObjectItemCaseSensitive(expect, "until");
    const char *verdict = cJSON_GetObjectItemCaseSensitive(expect, "verdict")->valuestring;
    const char *reason = cJSON_GetObjectItemCaseSensitive(expect, "reason")->valuestring;
    const char *rule = cJSON_GetObjectItemCaseSensitive(expect, "rule")->valuestring;
    if (strcmp(got->rule_id, rule) != 0 || strcmp(verdict_name(got->verdict), verdict) != 0 ||
        strcmp(reason_name(got->reason), reason) != 0)
        fail_msg("%s: expected %s, %s by %s; got %s, %s by %s", name, verdict, reason, rule, verdict_name(got->verdict),
                 reason_name(got->reason), got->rule_id);
    if (got->obligations != obligations_of(expect))
        fail_msg("%s: obligations %x, expected %x", name, got->obligations, obligations_of(expect));
    if (got->has_until != (until != NULL) || (until && got->until_s != seconds_of(until)))
        fail_msg("%s: until %llu", name, got->has_until ? (unsigned long long)got->until_s : 0);
}

static void run_case(const struct rule_set *rules, const cJSON *one)
{
    const char *name = cJSON_GetObjectItemCaseSensitive(one, "name")->valuestring;
    const cJSON *question, *expect = cJSON_GetObjectItemCaseSensitive(one, "expect");
    /* What no fact says comes about in tests/system/cases_city.py only, where all cases go over packets. */
    if (cJSON_GetObjectItemCaseSensitive(one, "shown"))
        return;
    struct facts facts = facts_of(one);
    struct decision decided = answer(rules, &facts, decide), explained = answer(rules, &facts, explain);
    check_decision(name, &decided, expect);
    check_decision(name, &explained, expect);
    cJSON_ArrayForEach(question, cJSON_GetObjectItemCaseSensitive(one, "questions"))
    {
        assert_in_range(question->valueint, 1, QUESTIONS);
        cases_of[question->valueint]++;
    }
}

static void test_tables(void **state)
{
    (void)state;
    struct rule_set *rules = load_shanghai();
    struct dirent *entry;
    DIR *folder = opendir(SOURCE_ROOT "/tests/vectors/city");
    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        char name[300];
        if (!strstr(entry->d_name, ".json"))
            continue;
        snprintf(name, sizeof name, "tests/vectors/city/%s", entry->d_name);
        struct bytes text = read_file(name);
        cJSON *table = json_parse(text, NULL);
        const cJSON *one;
        assert_non_null(table);
        cJSON_ArrayForEach(one, table)
        {
            run_case(rules, one);
        }
        cJSON_Delete(table);
        free((void *)text.data);
    }
    closedir(folder);
    rule_set_free(rules);
}

static void test_every_question_has_cases(void **state)
{
    (void)state;
    /* Overload (16) is answered before any rule is asked. */
    for (unsigned question = 1; question <= QUESTIONS; question++)
        if (question != 16 && cases_of[question] < CASES_LEAST)
            fail_msg("question %u has %u cases", question, cases_of[question]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_every_question_has_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
