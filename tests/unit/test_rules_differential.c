/* Random rule sets and random facts: the indexed decision, the traced one, and a slow walk over the file with the slow
 * evaluator must agree: test_rules_differential [SETS [SEED]]. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "control/rules_json.h"
#include "dataplane/date_time.h"
#include "dataplane/rules.h"
#include "keys/cbor.h"
#include "keys/credential.h"
#include "tests/reference/certlogic_reference.h"
#include "tests/reference/random_logic.h"

#define FACTS_PER_SET 40
#define ROLES_ROOM 64

static unsigned long set_count = 600;
static uint64_t seed = 1;

static const char *const texts[] = {"", "green", "CN-310000", "hospital", "teaching", "dynamic", "other"};
static const int64_t dates_s[] = {0, 1577836800, 1582934400, 1583424000, 1583452800, 1583452801, 1614556800};

/* Conditions of the kinds that become tests, as operators write them. */
static void atom(struct random_logic *random, FILE *out)
{
    static const char *const atoms[] = {
        "{\"===\":[{\"var\":\"status.colour\"},\"green\"]}",
        "{\"===\":[\"red\",{\"var\":\"status.colour\"}]}",
        "{\"===\":[{\"var\":\"credential.class\"},\"dynamic\"]}",
        "{\"===\":[{\"var\":\"point.class\"},\"hospital\"]}",
        "{\"===\":[{\"var\":\"credential.issuer\"},\"\"]}",
        "{\"===\":[{\"var\":\"evidence.registered\"},false]}",
        "{\"===\":[{\"var\":\"now\"},\"2020-03-06T00:00:00Z\"]}",
        "{\"===\":[{\"var\":\"credential.roles\"},\"courier\"]}",
        "{\"in\":[{\"var\":\"credential.issuer\"},[\"CN-310000\",\"CN-320000\",7]]}",
        "{\"in\":[{\"var\":\"point.district\"},[1,2,310000]]}",
        "{\"in\":[{\"var\":\"status.colour\"},[]]}",
        "{\"in\":[\"teaching\",{\"var\":\"credential.roles\"}]}",
        "{\"var\":\"evidence.registered\"}",
        "{\"var\":\"credential.roles\"}",
        "{\"var\":\"evidence.sms\"}",
        "{\"var\":\"point.district\"}",
        "{\"var\":\"status.until\"}",
        "{\"<\":[{\"var\":\"evidence.temperature\"},3730]}",
        "{\">=\":[3730,{\"var\":\"evidence.temperature\"}]}",
        "{\"<=\":[0,{\"var\":\"evidence.temperature\"},1]}",
        "{\">\":[2,{\"var\":\"point.district\"},-1]}",
        "{\"<\":[{\"var\":\"point.district\"},9007199254740991]}",
        "{\"<\":[{\"var\":\"evidence.sms\"},1]}",
        "{\"<\":[{\"var\":\"evidence.temperature\"},{\"var\":\"point.district\"}]}",
        "{\"after\":[{\"plusTime\":[{\"var\":\"now\"},0,\"day\"]},{\"plusTime\":[\"2020-03-06\",1,\"hour\"]}]}",
        "{\"not-after\":[{\"plusTime\":[\"2020-03-05T00:00:00.001+08:00\",0,\"day\"]},{\"plusTime\":[{\"var\":\"now\"},"
        "14,"
        "\"day\"]},{\"plusTime\":[\"2020-04\",0,\"day\"]}]}",
        "{\"before\":[{\"plusTime\":[{\"var\":\"credential.arrival\"},14,\"day\"]},{\"plusTime\":[\"2020-03-06\",0,"
        "\"day\"]}]}",
        "{\"not-before\":[{\"plusTime\":[{\"var\":\"credential.arrival\"},-1,\"hour\"]},{\"plusTime\":[\"2020-02-29T00:"
        "00:00.999Z\",0,\"day\"]}]}",
        "{\"before\":[{\"plusTime\":[{\"var\":\"now\"},0,\"day\"]},{\"plusTime\":[{\"var\":\"status.arrival\"},14,"
        "\"day\"]}]}",
        "{\"after\":[{\"plusTime\":[{\"var\":\"status.until\"},1,\"month\"]},{\"plusTime\":[{\"var\":\"now\"},0,"
        "\"day\"]}]}",
    };
    fputs(atoms[random_below(random, sizeof atoms / sizeof *atoms)], out);
}

static void condition(struct random_logic *random, FILE *out, unsigned depth)
{
    uint32_t which = random_below(random, 10);
    if (which == 0)
        random_expression(random, out, 2);
    else if (which == 1) {
        fputs("{\"!\":[", out);
        condition(random, out, depth);
        fputs("]}", out);
    } else if (which < 6 && depth > 0) {
        fputs("{\"and\":[", out);
        for (uint32_t i = 0, count = 2 + random_below(random, 3); i < count; i++) {
            fputs(i ? "," : "", out);
            condition(random, out, depth - 1);
        }
        fputs("]}", out);
    } else if (which == 6 && random_below(random, 4) == 0) {
        fputs("true", out);
    } else {
        atom(random, out);
    }
}

static void row(struct random_logic *random, FILE *out, char list, uint32_t index)
{
    char from[DATE_TIME_ROOM], to[DATE_TIME_ROOM];
    fprintf(out, "%s{\"id\":\"%c-%u\",\"when\":", index ? "," : "", list, index);
    condition(random, out, 2);
    fputs(",\"verdict\":\"ALLOW\",\"reason\":\"GREEN\"", out);
    if (random_below(random, 4) == 0) {
        date_time_write_s(1583400000 + random_below(random, 60000), from);
        date_time_write_s(1583470000 + random_below(random, 60000), to);
        fprintf(out, ",\"from\":\"%s\",\"to\":\"%s\"", from, to);
    }
    fputc('}', out);
}

static void rows(struct random_logic *random, FILE *out, char list)
{
    uint32_t count = random_below(random, random_below(random, 8) ? 6 : 90);
    for (uint32_t i = 0; i < count; i++)
        row(random, out, list, i);
}

static void rule_file(struct random_logic *random, FILE *out)
{
    fputs("{\"version\":1,\"issued\":\"2020-03-06T00:00:00Z\",\"city\":[", out);
    rows(random, out, 'C');
    fputs("],\"venues\":{\"hospital\":[", out);
    rows(random, out, 'H');
    fputs("],\"green\":[", out);
    rows(random, out, 'G');
    fputs("]}}", out);
}

/* One fact in struct facts and in the JSON that the slow evaluator sees. */
struct both {
    struct facts facts;
    cJSON *json;
    uint8_t roles[ROLES_ROOM];
};

static void add_json(cJSON *root, const char *path, cJSON *value)
{
    const char *dot;
    for (cJSON *object = root; (dot = strchr(path, '.')); root = object) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
        object = cJSON_GetObjectItemCaseSensitive(root, name);
        if (!object)
            object = cJSON_AddObjectToObject(root, name);
        path = dot + 1;
    }
    cJSON_AddItemToObject(root, path, value);
}

static void add_roles(struct random_logic *random, struct both *both)
{
    cJSON *array = cJSON_CreateArray();
    struct cbor_writer out = cbor_write(both->roles, sizeof both->roles);
    uint32_t count = random_below(random, 3);
    cbor_put_array(&out, count);
    for (uint32_t i = 0; i < count; i++) {
        const char *role = texts[random_below(random, sizeof texts / sizeof *texts)];
        cbor_put_text(&out, bytes_of_text(role));
        cJSON_AddItemToArray(array, cJSON_CreateString(role));
    }
    fact_set_text(&both->facts, FACT_CREDENTIAL_ROLES, cbor_written(&out));
    add_json(both->json, fact_path(FACT_CREDENTIAL_ROLES), array);
}

static cJSON *add_number(struct random_logic *random, struct both *both, enum fact fact)
{
    static const int64_t small[] = {0, 1, 2, 3, 14, 310000, 3729, 3730, 3731, 9007199254740990};
    char text[DATE_TIME_ROOM + 8];
    int64_t number = small[random_below(random, sizeof small / sizeof *small)];
    int64_t s = dates_s[random_below(random, sizeof dates_s / sizeof *dates_s)] + random_below(random, 3) * 86400;
    switch (fact_type(fact)) {
    case FACT_TYPE_BOOL:
        fact_set_number(&both->facts, fact, (uint64_t)number & 1);
        return cJSON_CreateBool(number & 1);
    case FACT_TYPE_INT:
        number = random_below(random, 4) ? number : -number;
        fact_set_integer(&both->facts, fact, number);
        return cJSON_CreateNumber((double)number);
    case FACT_TYPE_TIME:
        fact_set_number(&both->facts, fact, (uint64_t)s);
        date_time_write_s((uint64_t)s, text);
        return cJSON_CreateString(text);
    case FACT_TYPE_DAY:
        fact_set_number(&both->facts, fact, (uint64_t)s / 86400);
        date_time_write_s((uint64_t)s / 86400 * 86400, text);
        strcpy(text + DATE_SIZE, "T00:00:00+08:00");
        return cJSON_CreateString(text);
    case FACT_TYPE_COLOUR:
    case FACT_TYPE_CLASS:
    case FACT_TYPE_MODE:
        fact_set_number(&both->facts, fact, (uint64_t)number % 3);
        return cJSON_CreateString(fact_symbol(fact_type(fact), (uint64_t)number % 3));
    default:
        fact_set_number(&both->facts, fact, (uint64_t)number);
        return cJSON_CreateNumber((double)number);
    }
}

static void random_facts(struct random_logic *random, struct both *both)
{
    memset(&both->facts, 0, sizeof both->facts);
    both->json = cJSON_CreateObject();
    for (unsigned i = 0; i < FACT_COUNT; i++) {
        enum fact fact = (enum fact)i;
        if (fact == FACT_POINT_MODE || (fact != FACT_NOW && random_below(random, 4) == 0))
            continue;
        if (fact_type(fact) == FACT_TYPE_TEXTS) {
            add_roles(random, both);
        } else if (fact_type(fact) == FACT_TYPE_TEXT) {
            const char *text = texts[random_below(random, sizeof texts / sizeof *texts)];
            fact_set_text(&both->facts, fact, bytes_of_text(text));
            add_json(both->json, fact_path(fact), cJSON_CreateString(text));
        } else {
            add_json(both->json, fact_path(fact), add_number(random, both, fact));
        }
    }
}

static bool in_force(const cJSON *one, uint64_t now_s)
{
    const cJSON *from = cJSON_GetObjectItemCaseSensitive(one, "from"),
                *to = cJSON_GetObjectItemCaseSensitive(one, "to");
    int64_t ms;
    if (!from)
        return true;
    assert_true(date_time_parse(bytes_of_text(from->valuestring), &ms));
    if (now_s < (uint64_t)ms / 1000)
        return false;
    assert_true(date_time_parse(bytes_of_text(to->valuestring), &ms));
    return now_s < (uint64_t)ms / 1000;
}

/* The id of the row that decides by the slow evaluator, and whether it errs; NULL where none does. */
static const char *slow_rows(const cJSON *list, const struct both *both, bool *errs)
{
    const cJSON *one;
    cJSON_ArrayForEach(one, list)
    {
        enum reference_truth truth;
        if (!in_force(one, both->facts.value[FACT_NOW].number))
            continue;
        truth = reference_truth(cJSON_GetObjectItemCaseSensitive(one, "when"), both->json);
        *errs = truth == REFERENCE_ERROR;
        if (truth != REFERENCE_FALSY)
            return cJSON_GetObjectItemCaseSensitive(one, "id")->valuestring;
    }
    return NULL;
}

static const char *slow_decision(const cJSON *file, const struct both *both, bool *errs)
{
    const char *id = slow_rows(cJSON_GetObjectItemCaseSensitive(file, "city"), both, errs);
    char venue_class[32] = "";
    if (id || !fact_present(&both->facts, FACT_POINT_CLASS))
        return id;
    struct bytes text = both->facts.value[FACT_POINT_CLASS].text;
    memcpy(venue_class, text.data, text.length);
    return slow_rows(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(file, "venues"), venue_class),
                     both, errs);
}

static void ignore(void *context, const struct row_trace *trace)
{
    (void)context;
    (void)trace;
}

static void check_facts(const struct rule_set *rules, const cJSON *file, const struct both *both, const char *text)
{
    struct decision decision, traced;
    bool errs = false;
    const char *id = slow_decision(file, both, &errs);
    decide(rules, &both->facts, &decision);
    decide_traced(rules, &both->facts, &traced, ignore, NULL);
    enum reason reason = !id ? REASON_RULES_NO_MATCH : errs ? REASON_RULE_ERROR : REASON_GREEN;
    if (strcmp(decision.rule_id, id ? id : "") != 0 || decision.reason != reason ||
        strcmp(traced.rule_id, decision.rule_id) != 0 || traced.reason != reason || traced.rule != decision.rule) {
        char *facts = cJSON_PrintUnformatted(both->json);
        fail_msg("%s with %s: expected row %s, %s; by index row %s, %s; traced row %s, %s", text, facts,
                 id ? id : "none", reason_name(reason), decision.rule_id, reason_name(decision.reason), traced.rule_id,
                 reason_name(traced.reason));
    }
}

static void test_random_rule_sets(void **state)
{
    (void)state;
    struct random_logic random = {.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1, .facts = true};
    unsigned long refused = 0;
    for (unsigned long i = 0; i < set_count; i++) {
        char *text, error[128];
        size_t length, size;
        uint8_t *program;
        FILE *out = open_memstream(&text, &length);
        rule_file(&random, out);
        fclose(out);
        /* Some random expressions name dates that do not exist, and are refused. */
        if (rules_compile((struct bytes){(const uint8_t *)text, length}, false, NULL, &program, &size, NULL)) {
            struct rule_set *rules = rule_set_load((struct bytes){program, size}, error, sizeof error);
            cJSON *file = json_parse((struct bytes){(const uint8_t *)text, length}, NULL);
            assert_non_null(rules);
            for (unsigned k = 0; k < FACTS_PER_SET; k++) {
                struct both both;
                random_facts(&random, &both);
                check_facts(rules, file, &both, text);
                cJSON_Delete(both.json);
            }
            cJSON_Delete(file);
            rule_set_free(rules);
        } else {
            refused++;
        }
        free(program);
        free(text);
    }
    print_message("%lu rule sets, %lu of them refused\n", set_count, refused);
    assert_in_range(refused, 0, set_count / 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_rule_sets)};
    if (argc > 1)
        set_count = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
