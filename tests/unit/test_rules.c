/* Rule set files to programs to decisions. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "control/certlogic_words.h"
#include "control/rules_json.h"
#include "control/rules_replay.h"
#include "dataplane/rules.h"
#include "keys/credential.h"
#include "keys/point.h"

#define NOW_S 1583452800 /* 2020-03-06T00:00:00Z */

static struct rule_set *load(const char *text)
{
    uint8_t *program;
    size_t size;
    char error[128];
    struct json_problems problems = {0};
    if (!rules_compile(bytes_of_text(text), false, NULL, &program, &size, &problems))
        fail_msg("%s: %s", problems.items[0].pointer, problems.items[0].message);
    struct rule_set *rules = rule_set_load((struct bytes){program, size}, error, sizeof error);
    if (!rules)
        fail_msg("%s", error);
    free(program);
    json_problems_free(&problems);
    return rules;
}

static const char small_set[] =
    "{\"version\":12,\"issued\":\"2020-03-06T00:00:00+08:00\",\"home\":[\"CN-310000\"],\"same_point_s\":7,"
    "\"equivalence\":[{\"issuer\":\"CN-320000\",\"as\":\"equal\",\"from\":\"2020-03-01T00:00:00Z\","
    "\"to\":\"2020-04-01T00:00:00Z\"},{\"issuer\":\"CN-420000\",\"as\":\"pending\"}],"
    "\"city\":["
    "{\"id\":\"C-1\",\"when\":{\"===\":[{\"var\":\"status.colour\"},\"red\"]},\"verdict\":\"DENY\",\"reason\":\"RED\","
    "\"obligations\":[\"ISOLATE\"]},"
    "{\"id\":\"C-2\",\"when\":{\"and\":[{\"var\":\"status.arrival\"},{\"before\":[{\"plusTime\":[{\"var\":\"now\"},0,"
    "\"day\"]},{\"plusTime\":[{\"var\":\"status.arrival\"},14,\"day\"]}]}]},\"verdict\":\"ALLOW_WITH_OBLIGATIONS\","
    "\"obligations\":[\"OBSERVE_UNTIL\"],\"reason\":\"KEY_REGION\","
    "\"until\":{\"plusTime\":[{\"var\":\"status.arrival\"},14,\"day\"]}}],"
    "\"venues\":{\"hospital\":["
    "{\"id\":\"H-0\",\"to\":\"2020-03-01T00:00:00Z\",\"when\":true,\"verdict\":\"DENY\",\"reason\":\"OTHER\"},"
    "{\"id\":\"H-1\",\"when\":{\">\":[{\"var\":\"evidence.temperature\"},3730]},\"verdict\":\"REFER\",\"reason\":"
    "\"FEVER\"},"
    "{\"id\":\"H-2\",\"when\":{\"===\":[{\"var\":\"status.colour\"},\"green\"]},\"verdict\":\"ALLOW\",\"reason\":"
    "\"GREEN\"}],\"office\":[]}}";

static struct facts facts_at(const char *venue_class, enum colour colour)
{
    struct facts facts = {0};
    fact_set_number(&facts, FACT_NOW, NOW_S);
    fact_set_text(&facts, FACT_POINT_CLASS, bytes_of_text(venue_class));
    if (colour != COLOUR_UNKNOWN)
        fact_set_number(&facts, FACT_STATUS_COLOUR, colour);
    return facts;
}

static void expect(const struct rule_set *rules, const struct facts *facts, enum verdict verdict, enum reason reason,
                   const char *rule_id)
{
    struct decision decision;
    decide(rules, facts, &decision);
    assert_string_equal(decision.rule_id, rule_id);
    assert_string_equal(reason_name(decision.reason), reason_name(reason));
    assert_string_equal(verdict_name(decision.verdict), verdict_name(verdict));
}

static void test_rows_in_order(void **state)
{
    (void)state;
    struct rule_set *rules = load(small_set);
    struct facts facts = facts_at("hospital", COLOUR_GREEN);
    expect(rules, &facts, VERDICT_REFER, REASON_RULE_ERROR, "H-1");
    fact_set_integer(&facts, FACT_EVIDENCE_TEMPERATURE, 3730);
    expect(rules, &facts, VERDICT_ALLOW, REASON_GREEN, "H-2");
    fact_set_integer(&facts, FACT_EVIDENCE_TEMPERATURE, 3731);
    expect(rules, &facts, VERDICT_REFER, REASON_FEVER, "H-1");
    fact_set_number(&facts, FACT_STATUS_COLOUR, COLOUR_RED);
    expect(rules, &facts, VERDICT_DENY, REASON_RED, "C-1");
    facts = facts_at("hospital", COLOUR_YELLOW);
    fact_set_integer(&facts, FACT_EVIDENCE_TEMPERATURE, 3600);
    expect(rules, &facts, VERDICT_REFER, REASON_RULES_NO_MATCH, "");
    facts = facts_at("office", COLOUR_GREEN);
    expect(rules, &facts, VERDICT_REFER, REASON_RULES_NO_MATCH, "");
    facts = facts_at("unheard-of", COLOUR_RED);
    expect(rules, &facts, VERDICT_DENY, REASON_RED, "C-1");
    /* Before its end the dated row comes first. */
    facts = facts_at("hospital", COLOUR_GREEN);
    fact_set_number(&facts, FACT_NOW, 1583020800 - 1);
    expect(rules, &facts, VERDICT_DENY, REASON_OTHER, "H-0");
    fact_set_number(&facts, FACT_NOW, 1583020800);
    expect(rules, &facts, VERDICT_REFER, REASON_RULE_ERROR, "H-1");
    rule_set_free(rules);
}

static void test_until(void **state)
{
    (void)state;
    struct rule_set *rules = load(small_set);
    struct facts facts = facts_at("hospital", COLOUR_GREEN);
    struct decision decision;
    uint64_t day = NOW_S / 86400;
    fact_set_integer(&facts, FACT_EVIDENCE_TEMPERATURE, 3600);
    fact_set_number(&facts, FACT_STATUS_ARRIVAL, day - 13);
    decide(rules, &facts, &decision);
    assert_int_equal(decision.verdict, VERDICT_ALLOW_WITH_OBLIGATIONS);
    assert_int_equal(decision.obligations, 1u << OBLIGATION_OBSERVE_UNTIL);
    assert_true(decision.has_until);
    assert_int_equal(decision.until_s, (day + 1) * 86400 - 8 * 3600);
    fact_set_number(&facts, FACT_STATUS_ARRIVAL, day - 14);
    decide(rules, &facts, &decision);
    assert_string_equal(decision.rule_id, "H-2");
    assert_false(decision.has_until);
    rule_set_free(rules);
}

static void test_head(void **state)
{
    (void)state;
    struct rule_set *rules = load(small_set);
    assert_int_equal(rule_set_version(rules), 12);
    assert_int_equal(rule_set_issued_s(rules), 1583424000);
    assert_int_equal(rule_set_same_point_s(rules), 7);
    assert_int_equal(rule_set_row_count(rules), 5);
    assert_int_equal(rule_set_equivalence(rules, bytes_of_text("CN-310000"), NOW_S), EQUIVALENCE_EQUAL);
    assert_int_equal(rule_set_equivalence(rules, bytes_of_text("CN-320000"), NOW_S), EQUIVALENCE_EQUAL);
    assert_int_equal(rule_set_equivalence(rules, bytes_of_text("CN-320000"), 1585699200 - 1), EQUIVALENCE_EQUAL);
    assert_int_equal(rule_set_equivalence(rules, bytes_of_text("CN-320000"), 1585699200), EQUIVALENCE_NOT_ACCEPTED);
    assert_int_equal(rule_set_equivalence(rules, bytes_of_text("CN-320000"), 1583020799), EQUIVALENCE_NOT_ACCEPTED);
    assert_int_equal(rule_set_equivalence(rules, bytes_of_text("CN-420000"), NOW_S), EQUIVALENCE_PENDING);
    assert_int_equal(rule_set_equivalence(rules, bytes_of_text("CN-330000"), NOW_S), EQUIVALENCE_NOT_ACCEPTED);
    rule_set_free(rules);
}

static void test_no_set_no_allow(void **state)
{
    (void)state;
    struct facts facts = facts_at("mall", COLOUR_GREEN);
    struct rule_set *rules =
        load("{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\",\"from\":\"2020-03-06T00:00:00Z\","
             "\"to\":\"2020-03-07T00:00:00Z\",\"city\":[{\"id\":\"A\",\"when\":true,\"verdict\":"
             "\"ALLOW\",\"reason\":\"GREEN\"}]}");
    const struct rule_set *sets[] = {rules};
    expect(NULL, &facts, VERDICT_REFER, REASON_RULES_ABSENT, "");
    expect(rules, &facts, VERDICT_ALLOW, REASON_GREEN, "A");
    fact_set_number(&facts, FACT_NOW, NOW_S - 1);
    expect(rules, &facts, VERDICT_REFER, REASON_RULES_ABSENT, "");
    fact_set_number(&facts, FACT_NOW, NOW_S + 86400);
    expect(rules, &facts, VERDICT_REFER, REASON_RULES_EXPIRED, "");
    facts.present = 0;
    expect(rules, &facts, VERDICT_REFER, REASON_RULES_ABSENT, "");
    assert_null(rule_set_pick(sets, 1, NOW_S - 1));
    assert_ptr_equal(rule_set_pick(sets, 1, NOW_S), rules);
    rule_set_free(rules);
}

static void test_two_sets_side_by_side(void **state)
{
    (void)state;
    struct rule_set *now = load("{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\"}");
    struct rule_set *next =
        load("{\"version\":2,\"issued\":\"2020-03-01T00:00:00Z\",\"from\":\"2020-03-06T00:00:00Z\"}");
    const struct rule_set *sets[] = {now, next};
    assert_ptr_equal(rule_set_pick(sets, 2, NOW_S - 1), now);
    assert_ptr_equal(rule_set_pick(sets, 2, NOW_S), next);
    rule_set_free(now);
    rule_set_free(next);
}

static void test_advisory(void **state)
{
    (void)state;
    struct rule_set *rules = load(small_set);
    struct facts facts = facts_at("hospital", COLOUR_GREEN);
    fact_set_integer(&facts, FACT_EVIDENCE_TEMPERATURE, 3600);
    fact_set_number(&facts, FACT_POINT_MODE, POINT_MODE_ADVISORY);
    expect(rules, &facts, VERDICT_REFER, REASON_ADVISORY, "H-2");
    fact_set_number(&facts, FACT_STATUS_COLOUR, COLOUR_RED);
    expect(rules, &facts, VERDICT_DENY, REASON_RED, "C-1");
    fact_set_number(&facts, FACT_POINT_MODE, POINT_MODE_NOT_REQUIRED);
    fact_set_number(&facts, FACT_STATUS_COLOUR, COLOUR_GREEN);
    expect(rules, &facts, VERDICT_ALLOW, REASON_GREEN, "H-2");
    rule_set_free(rules);
}

struct seen {
    unsigned count;
    struct row_trace last;
};

static void see(void *context, const struct row_trace *trace)
{
    struct seen *seen = context;
    seen->count++;
    seen->last = *trace;
}

static void test_trace(void **state)
{
    (void)state;
    struct rule_set *rules = load(small_set);
    struct facts facts = facts_at("hospital", COLOUR_GREEN);
    struct decision decision;
    struct seen seen = {0};
    decide_traced(rules, &facts, &decision, see, &seen);
    assert_int_equal(seen.count, 4);
    assert_string_equal(seen.last.rule_id, "H-1");
    assert_int_equal(seen.last.result, ROW_ERROR);
    assert_non_null(seen.last.error);
    assert_false(seen.last.city);
    assert_int_equal(seen.last.facts_read, UINT64_C(1) << FACT_EVIDENCE_TEMPERATURE);
    rule_set_free(rules);
}

/* A file and the pointer of its first problem, or of its first warning. */
static const struct {
    const char *text;
    const char *pointer;
    bool warning;
} problems_of[] = {
    {"[]", "", false},
    {"{\"issued\":\"2020-03-01T00:00:00Z\"}", "/version", false},
    {"{\"version\":0,\"issued\":\"2020-03-01T00:00:00Z\"}", "/version", false},
    {"{\"version\":1.5,\"issued\":\"2020-03-01T00:00:00Z\"}", "/version", false},
    {"{\"version\":1}", "/issued", false},
    {"{\"version\":1,\"issued\":\"2020-03-01\"}", "/issued", false},
    {"{\"version\":1,\"issued\":\"2020-03-01T00:00:00\"}", "/issued", false},
    {"{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\",\"more\":1}", "/more", false},
    {"{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\",\"from\":\"2020-03-01T00:00:00Z\",\"to\":"
     "\"2020-03-01T00:00:00Z\"}",
     "/to", false},
    {"{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\",\"home\":[1]}", "/home/0", false},
    {"{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\",\"equivalence\":[{\"issuer\":\"X\",\"as\":\"other\"}]}",
     "/equivalence/0/as", false},
    {"{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\",\"venues\":{\"a\":{}}}", "/venues/a", false},
#define ROW(row) "{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\",\"city\":[" row "]}"
#define WHEN(when) ROW("{\"id\":\"A\",\"when\":" when ",\"verdict\":\"ALLOW\",\"reason\":\"GREEN\"}")
    {ROW("{\"id\":\"A\",\"verdict\":\"ALLOW\",\"reason\":\"GREEN\"}"), "/city/0/when", false},
    {ROW("{\"when\":true,\"verdict\":\"ALLOW\",\"reason\":\"GREEN\"}"), "/city/0/id", false},
    {ROW("{\"id\":\"A\",\"when\":true,\"verdict\":\"RETRY\",\"reason\":\"GREEN\"}"), "/city/0/verdict", false},
    {ROW("{\"id\":\"A\",\"when\":true,\"verdict\":\"DENY\",\"reason\":\"SIGNATURE\"}"), "/city/0/reason", false},
    {ROW("{\"id\":\"A\",\"when\":true,\"verdict\":\"ALLOW\",\"reason\":\"GREEN\",\"obligations\":[\"CHECK_ID\"]}"),
     "/city/0/obligations", false},
    {ROW("{\"id\":\"A\",\"when\":true,\"verdict\":\"ALLOW_WITH_OBLIGATIONS\",\"reason\":\"GREEN\"}"),
     "/city/0/obligations", false},
    {ROW("{\"id\":\"A\",\"when\":true,\"verdict\":\"DENY\",\"reason\":\"RED\",\"obligations\":[\"DANCE\"]}"),
     "/city/0/obligations/0", false},
    {ROW("{\"id\":\"A\",\"when\":true,\"verdict\":\"ALLOW\",\"reason\":\"GREEN\",\"why\":1}"), "/city/0/why", false},
    {WHEN("null"), "/city/0/when", false},
    {WHEN("{\"or\":[true,true]}"), "/city/0/when", false},
    {WHEN("{\"and\":[true,{\"var\":\"status.color\"}]}"), "/city/0/when/and/1", false},
    {WHEN("{\"!\":[{\"!\":[{\"!\":[{\"var\":\"x\"}]}]}]}"), "/city/0/when/!/0/!/0/!/0", false},
    {WHEN("{\"var\":\"\"}"), "/city/0/when", false},
    {WHEN("{\"var\":\"now.x\"}"), "/city/0/when", false},
    {WHEN("{\"reduce\":[{\"var\":\"credential.roles\"},{\"var\":\"now\"},0]}"), "/city/0/when/reduce/1", false},
    {WHEN("{\"after\":[{\"plusTime\":[\"2020-02-30\",0,\"day\"]},{\"plusTime\":[{\"var\":\"now\"},0,\"day\"]}]}"),
     "/city/0/when/after/0/plusTime/0", false},
    {WHEN("{\"===\":[{\"var\":\"point.id\"},9007199254740994]}"), "/city/0/when/===/1", false},
    {ROW("{\"id\":\"A\",\"when\":true,\"verdict\":\"ALLOW\",\"reason\":\"GREEN\"},"
         "{\"id\":\"A\",\"when\":true,\"verdict\":\"ALLOW\",\"reason\":\"GREEN\"}"),
     "/city/1/id", false},
    {WHEN("{\"===\":[{\"var\":\"status.colour\"},\"gren\"]}"), "/city/0/when", true},
    {WHEN("{\"in\":[{\"var\":\"point.district\"},[\"310101\"]]}"), "/city/0/when", true},
    {WHEN("{\"in\":[{\"var\":\"status.occupation\"},[\"labour-intensive\"]]}"), "/city/0/when", true},
    {WHEN("{\">\":[{\"var\":\"evidence.temperature\"},37]}"), "/city/0/when", true},
    {ROW("{\"id\":\"A\",\"to\":\"2020-02-01T00:00:00Z\",\"when\":true,\"verdict\":\"DENY\",\"reason\":\"OTHER\"}"),
     "/city/0", true},
    {WHEN("{\"and\":[{\"===\":[{\"var\":\"status.colour\"},\"green\"]},{\"===\":[{\"var\":\"status.colour\"},"
          "\"red\"]}]}"),
     "/city/0", true},
    {WHEN("{\"and\":[{\"var\":\"evidence.mask\"},{\"!\":[{\"var\":\"evidence.mask\"}]}]}"), "/city/0", true},
    {ROW("{\"id\":\"A\",\"when\":{\"var\":\"evidence.mask\"},\"verdict\":\"ALLOW\",\"reason\":\"GREEN\"},"
         "{\"id\":\"B\",\"when\":{\"and\":[{\"var\":\"evidence.pass\"},{\"var\":\"evidence.mask\"}]},\"verdict\":"
         "\"ALLOW\",\"reason\":\"GREEN\"}"),
     "/city/1", true},
    {"{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\"}", "", true},
    {"{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\",\"city\":[{\"id\":\"A\",\"when\":true,\"verdict\":\"REFER\","
     "\"reason\":\"OTHER\"}],\"venues\":{\"mall\":[]}}",
     "/venues/mall", true},
    {"{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\",\"city\":[{\"id\":\"A\",\"when\":true,\"verdict\":\"REFER\","
     "\"reason\":\"OTHER\"}],\"equivalence\":[{\"issuer\":\"X\",\"as\":\"equal\"},{\"issuer\":\"X\",\"as\":"
     "\"pending\",\"from\":\"2020-03-01T00:00:00Z\"}]}",
     "/equivalence/1", true},
    {ROW("{\"id\":\"A\",\"when\":true,\"verdict\":\"DENY\",\"reason\":\"RED\",\"obligations\":[\"OBSERVE_UNTIL\"]}"),
     "/city/0", true},
};

#define HOT "{\">\":[{\"var\":\"evidence.temperature\"},3730]}"
#define WARM "{\"var\":\"evidence.temperature\"}"
#define NOW "{\"plusTime\":[{\"var\":\"now\"},0,\"day\"]}"
#define NAMED(id, when) "{\"id\":\"" id "\",\"when\":" when ",\"verdict\":\"REFER\",\"reason\":\"FEVER\"}"

/* The pointer of the one warning there is; NULL for none. */
static const struct {
    const char *text;
    const char *pointer;
} guards_of[] = {
    {WHEN(HOT), "/city/0/when/>/0"},
    {WHEN("{\"and\":[" WARM "," HOT "]}"), NULL},
    {WHEN("{\"and\":[" HOT "," WARM "]}"), "/city/0/when/and/0/>/0"},
    {WHEN("{\"and\":[{\"!\":[" WARM "]}," HOT "]}"), "/city/0/when/and/1/>/0"},
    {WHEN("{\"!\":[{\"and\":[{\"!\":[{\"!\":[" WARM "]}]}," HOT "]}]}"), NULL},
    {WHEN("{\"if\":[" WARM "," HOT ",false]}"), NULL},
    {WHEN("{\"if\":[" WARM ",false," HOT "]}"), "/city/0/when/if/2/>/0"},
    {WHEN("{\"and\":[{\"===\":[{\"var\":\"status.reason\"},2]},{\"<\":[{\"+\":[{\"var\":\"status.reason\"},1]},3]}]}"),
     NULL},
    {WHEN("{\"and\":[{\"in\":[{\"var\":\"point.district\"},[1,2]]},{\"<\":[{\"var\":\"point.district\"},2]}]}"), NULL},
    {WHEN("{\"and\":[{\"var\":\"credential.seen.zone\"},{\"<\":[{\"var\":\"credential.seen.age\"},20]}]}"), NULL},
    /* A row before it decides where the fact is missing, unless it has dates. */
    {ROW(NAMED("A", "{\"!\":[" WARM "]}") "," NAMED("B", HOT)), NULL},
    {ROW("{\"id\":\"A\",\"from\":\"2020-03-02T00:00:00Z\",\"when\":{\"!\":[" WARM "]},\"verdict\":\"REFER\",\"reason\":"
         "\"FEVER\"}," NAMED("B", HOT)),
     "/city/1/when/>/0"},
    {"{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\",\"venues\":{\"a\":[" NAMED(
         "A", "{\"!\":[" WARM "]}") "],\"b\":[" NAMED("B", HOT) "]}}",
     "/venues/b/0/when/>/0"},
    {ROW("{\"id\":\"A\",\"when\":true,\"verdict\":\"DENY\",\"reason\":\"RED\",\"obligations\":[\"OBSERVE_UNTIL\"],"
         "\"until\":{"
         "\"plusTime\":[{\"var\":\"status.since\"},14,\"day\"]}}"),
     "/city/0/until/plusTime/0"},
    {WHEN("{\"before\":[" NOW ",{\"plusTime\":[\"2020-03-01\",0,\"day\"]}]}"), NULL},
    {WHEN("{\"before\":[{\"var\":\"now\"},{\"plusTime\":[\"2020-03-01\",0,\"day\"]}]}"), "/city/0/when/before/0"},
    {WHEN("{\"after\":[" NOW ",\"2020-03-01\"]}"), "/city/0/when/after/1"},
    {WHEN("{\"<\":[{\"var\":\"point.venue\"},3]}"), "/city/0/when/</0"},
    {WHEN("{\"before\":[{\"dccDateOfBirth\":[\"2020-13-45\"]}," NOW "]}"), "/city/0/when/before/0/dccDateOfBirth/0"},
    {WHEN("{\"===\":[{\"var\":\"now\"},\"2020-13-45\"]}"), "/city/0/when"},
    {WHEN("{\"===\":[{\"var\":\"now\"},\"2020-03-01T00:00:00Z\"]}"), NULL},
    {WHEN("{\"===\":[{\"var\":\"status.arrival\"},\"2020-03-01T00:00:00Z\"]}"), "/city/0/when"},
    {WHEN("{\"===\":[{\"var\":\"status.arrival\"},\"2020-03-01T00:00:00+08:00\"]}"), NULL},
};

static void test_guards(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof guards_of / sizeof *guards_of; i++) {
        struct json_problems problems = {0};
        uint8_t *program;
        size_t size;
        const char *wanted = guards_of[i].pointer;
        if (!rules_compile(bytes_of_text(guards_of[i].text), true, NULL, &program, &size, &problems))
            fail_msg("%s: %s: %s", guards_of[i].text, problems.items[0].pointer, problems.items[0].message);
        if (problems.count != (wanted ? 1 : 0) || (wanted && strcmp(problems.items[0].pointer, wanted) != 0))
            fail_msg("%s: %zu warnings, the first: %s", guards_of[i].text, problems.count,
                     problems.count ? problems.items[0].pointer : "-");
        free(program);
        json_problems_free(&problems);
    }
}

static void test_problems(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof problems_of / sizeof *problems_of; i++) {
        struct json_problems problems = {0};
        uint8_t *program;
        size_t size;
        bool ok = rules_compile(bytes_of_text(problems_of[i].text), true, NULL, &program, &size, &problems);
        if (ok != problems_of[i].warning || problems.count == 0)
            fail_msg("%s: %s", problems_of[i].text, problems.count ? problems.items[0].message : "nothing reported");
        if (strcmp(problems.items[0].pointer, problems_of[i].pointer) != 0)
            fail_msg("%s: %s: %s", problems_of[i].text, problems.items[0].pointer, problems.items[0].message);
        free(program);
        json_problems_free(&problems);
    }
}

static void test_damaged_programs(void **state)
{
    (void)state;
    uint8_t *program;
    size_t size;
    char error[128];
    struct facts facts = facts_at("hospital", COLOUR_GREEN);
    struct decision decision;
    assert_true(rules_compile(bytes_of_text(small_set), false, NULL, &program, &size, NULL));
    for (size_t cut = 0; cut < size; cut++)
        assert_null(rule_set_load((struct bytes){program, cut}, error, sizeof error));
    for (size_t i = 0; i < size; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            program[i] ^= (uint8_t)(1u << bit);
            struct rule_set *rules = rule_set_load((struct bytes){program, size}, error, sizeof error);
            if (rules)
                decide(rules, &facts, &decision);
            rule_set_free(rules);
            program[i] ^= (uint8_t)(1u << bit);
        }
    free(program);
}

static const struct {
    const char *expression, *words;
} words[] = {
    {"true", "true"},
    {"{\"===\":[{\"var\":\"status.colour\"},\"red\"]}", "status.colour is \"red\""},
    {"{\"and\":[{\"var\":\"a\"},{\"!\":[{\"var\":\"b\"}]},{\">\":[{\"var\":\"c\"},3730]}]}",
     "a and not b and (c > 3730)"},
    {"{\"!\":[{\"in\":[{\"var\":\"a\"},[\"x\",\"y\"]]}]}", "not (a is one of [\"x\", \"y\"])"},
    {"{\"<=\":[1,{\"var\":\"a\"},3]}", "1 <= a <= 3"},
    {"{\"before\":[{\"plusTime\":[{\"var\":\"now\"},0,\"day\"]},{\"plusTime\":[{\"var\":\"a\"},14,\"day\"]}]}",
     "now is before a plus 14 days"},
    {"{\"plusTime\":[\"2020-03-06\",-1,\"month\"]}", "\"2020-03-06\" minus 1 month"},
    {"{\"if\":[{\"var\":\"a\"},1,[]]}", "(if a then 1 else [])"},
    {"{\"reduce\":[{\"var\":\"a\"},{\"var\":\"current\"},0]}", "reduce(a, current, 0)"},
    {"{\"var\":\"\"}", "{\"var\":\"\"}"},
    {"{\"a\":[],\"b\":null}", "{\"a\":[],\"b\":null}"},
};

static void test_slips(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } slips[] = {
        {WHEN("{\"var\":\"status.color\"}"), "unknown fact: status.color; is it meant: status.colour"},
        {WHEN("{\"var\":\"evidence.temp\"}"), "unknown fact: evidence.temp"},
        {WHEN("{\"var\":\"x\"}"), "unknown fact: x"},
        {WHEN("{\"<\":[{\"var\":\"evidence.temperature\"},37.3]}"), "37.3 is a non-integer number"},
    };
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        struct json_problems problems = {0};
        uint8_t *program;
        size_t size;
        assert_false(rules_compile(bytes_of_text(slips[i].text), true, NULL, &program, &size, &problems));
        assert_string_equal(problems.items[0].message, slips[i].message);
        json_problems_free(&problems);
    }
}

static void test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        cJSON *tree = json_parse(bytes_of_text(words[i].expression), NULL);
        assert_non_null(tree);
        char *text = certlogic_words_text(tree);
        assert_string_equal(text, words[i].words);
        free(text);
        cJSON_Delete(tree);
    }
}

static void test_diff(void **state)
{
    (void)state;
    static const char before[] = ROW("{\"id\":\"A\",\"when\":true,\"verdict\":\"ALLOW\",\"reason\":\"GREEN\"},"
                                     "{\"id\":\"B\",\"when\":true,\"verdict\":\"DENY\",\"reason\":\"RED\"}");
    static const char after[] =
        "{\"version\":2,\"issued\":\"2020-03-01T00:00:00Z\",\"city\":["
        "{\"id\":\"C\",\"when\":true,\"verdict\":\"REFER\",\"reason\":\"OTHER\"},"
        "{\"id\":\"A\",\"when\":{\"var\":\"now\"},\"verdict\":\"ALLOW\",\"reason\":\"GREEN\"}]}";
    char *same = rules_diff(bytes_of_text(before), bytes_of_text(before), NULL);
    char *lines = rules_diff(bytes_of_text(before), bytes_of_text(after), NULL);
    assert_string_equal(same, "");
    assert_string_equal(lines, "version: 2; was 1\n"
                               "city: row C is new: REFER, OTHER; when: always\n"
                               "city: row A: when: now; was always\n"
                               "city: row B is gone: DENY, RED; when: always\n");
    assert_null(rules_diff(bytes_of_text("{}"), bytes_of_text(after), NULL));
    static const char equal[] =
        "{\"version\":1,\"issued\":\"2020-03-01T00:00:00Z\",\"home\":[\"CN-310000\"],\"equivalence\":"
        "[{\"issuer\":\"CN-320000\",\"as\":\"equal\",\"from\":\"2020-03-02T00:00:00Z\"}],"
        "\"city\":[{\"id\":\"A\",\"when\":true,\"verdict\":\"DENY\",\"reason\":\"RED\"}]}";
    static const char none[] = ROW("{\"id\":\"A\",\"when\":true,\"verdict\":\"DENY\",\"reason\":\"RED\"}");
    char *regions = rules_diff(bytes_of_text(none), bytes_of_text(equal), NULL);
    assert_string_equal(regions, "home: CN-310000 is new\n"
                                 "equivalence: CN-320000 is new: counts as equal from 2020-03-02T00:00:00Z\n");
    free(regions);
    free(same);
    free(lines);
}

static void test_replay(void **state)
{
    (void)state;
    static const char records[] =
        "{\"facts\":{\"now\":\"2020-03-06T08:00:00+08:00\",\"point.class\":\"hospital\",\"status.colour\":\"green\","
        "\"evidence.temperature\":3600},\"verdict\":\"ALLOW\",\"reason\":\"GREEN\",\"obligations\":[],\"rule\":\"H-2\"}"
        "\n"
        "{\"facts\":{\"now\":\"2020-03-06T00:00:00Z\",\"point.class\":\"hospital\",\"status.colour\":\"red\","
        "\"credential.roles\":[\"a\"],\"credential.arrival\":\"2020-03-01T00:00:00+08:00\"},\"verdict\":\"REFER\","
        "\"reason\":\"OTHER\",\"obligations\":[\"CHECK_ID\"]}\n"
        "{\"verdict\":\"DENY\",\"reason\":\"REVOKED\"}\n";
    struct rule_set *rules = load(small_set);
    struct rules_replay result;
    struct json_problems problems = {0};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_true(rules_replay(rules, bytes_of_text(records), &result, out, &problems));
    fclose(out);
    assert_int_equal(result.decisions, 2);
    assert_int_equal(result.changed, 1);
    assert_int_equal(result.verdict_changed, 1);
    assert_int_equal(result.without_facts, 1);
    assert_string_equal(text, "DENY, RED by row C-1: was REFER, OTHER by row none\n");
    assert_false(
        rules_replay(rules, bytes_of_text("\n{\"facts\":{\"status.color\":1},\"verdict\":\"DENY\",\"reason\":\"RED\"}"),
                     &result, NULL, &problems));
    assert_string_equal(problems.items[0].message, "line 2: /facts/status.color: unknown fact");
    free(text);
    json_problems_free(&problems);
    rule_set_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_in_order),
        cmocka_unit_test(test_until),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_no_set_no_allow),
        cmocka_unit_test(test_two_sets_side_by_side),
        cmocka_unit_test(test_advisory),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_damaged_programs),
        cmocka_unit_test(test_slips),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
