/* Facts and rows of a decision as JSON. */
#include <stdio.h>

#include "control/explain_internal.h"
#include "control/times.h"
#include "keys/cbor.h"

static cJSON *texts_json(struct bytes encoded)
{
    cJSON *array = cJSON_CreateArray();
    struct cbor_reader in = cbor_read(encoded);
    for (uint32_t count = cbor_take_array(&in, CREDENTIAL_ROLES_MAX); count > 0 && !in.failed; count--) {
        char text[CREDENTIAL_TEXT_MAX + 1];
        struct bytes role = cbor_take_text(&in);
        snprintf(text, sizeof text, "%.*s", (int)role.length, (const char *)role.data);
        cJSON_AddItemToArray(array, cJSON_CreateString(text));
    }
    return array;
}

static cJSON *fact_json(enum fact fact, union fact_value value)
{
    char text[TIME_TEXT_SIZE > EVIDENCE_TEXT_MAX ? TIME_TEXT_SIZE : CREDENTIAL_URI_MAX + 1];
    switch (fact_type(fact)) {
    case FACT_TYPE_TEXT:
        snprintf(text, sizeof text, "%.*s", (int)value.text.length, (const char *)value.text.data);
        return cJSON_CreateString(text);
    case FACT_TYPE_TEXTS:
        return texts_json(value.text);
    case FACT_TYPE_INT:
        return cJSON_CreateNumber((double)value.integer);
    case FACT_TYPE_BOOL:
        return cJSON_CreateBool(value.number != 0);
    case FACT_TYPE_TIME:
        time_to_text(value.number, text);
        return cJSON_CreateString(text);
    case FACT_TYPE_DAY:
        time_to_text(value.number * 86400 - 8 * 3600, text);
        return cJSON_CreateString(text);
    case FACT_TYPE_COLOUR:
    case FACT_TYPE_CLASS:
    case FACT_TYPE_MODE:
        return cJSON_CreateString(fact_symbol(fact_type(fact), value.number));
    default:
        return cJSON_CreateNumber((double)value.number);
    }
}

cJSON *explain_facts(const struct facts *facts)
{
    cJSON *object = cJSON_CreateObject();
    for (enum fact fact = 0; fact < FACT_COUNT; fact++)
        if (fact_present(facts, fact))
            cJSON_AddItemToObject(object, fact_path(fact), fact_json(fact, facts->value[fact]));
    return object;
}

struct telling {
    cJSON *rows;
    struct row_trace last; /* the row tried last */
    enum language language;
};

static void add_row(void *context, const struct row_trace *trace)
{
    static const char *const results[][2] = {
        [ROW_NO_MATCH] = {"no match", "不匹配"},
        [ROW_MATCH] = {"match", "匹配"},
        [ROW_ERROR] = {"error", "出错"},
        [ROW_NOT_IN_FORCE] = {"not in force", "不在有效期"},
    };
    struct telling *telling = context;
    cJSON *row = cJSON_CreateObject(), *facts = cJSON_CreateArray();
    cJSON_AddStringToObject(row, "rule", trace->rule_id);
    cJSON_AddStringToObject(row, "table", trace->city ? "city" : "venue");
    cJSON_AddStringToObject(row, "result", results[trace->result][LANGUAGE_ENGLISH]);
    if (telling->language != LANGUAGE_ENGLISH) {
        cJSON_AddStringToObject(row, "table_text", trace->city ? "全市" : "场所");
        cJSON_AddStringToObject(row, "result_text", results[trace->result][telling->language]);
    }
    for (enum fact fact = 0; fact < FACT_COUNT; fact++)
        if (trace->facts_read >> fact & 1)
            cJSON_AddItemToArray(facts, cJSON_CreateString(fact_path(fact)));
    cJSON_AddItemToObject(row, "facts", facts);
    if (trace->error)
        cJSON_AddStringToObject(row, "error", trace->error);
    cJSON_AddItemToArray(telling->rows, row);
    telling->last = *trace;
}

/* Where evidence is asked for: what the deciding row looked at and did not find. */
static void add_lacking(cJSON *object, const struct facts *facts, const struct row_trace *row)
{
    cJSON *lacking = cJSON_AddArrayToObject(object, "lacking");
    for (enum fact fact = FACT_EVIDENCE_TEMPERATURE; fact <= FACT_EVIDENCE_FORM; fact++) {
        bool found = fact_present(facts, fact) && (fact_type(fact) != FACT_TYPE_BOOL || facts->value[fact].number != 0);
        if (row->facts_read >> fact & 1 && !found)
            cJSON_AddItemToArray(lacking, cJSON_CreateString(fact_path(fact)));
    }
}

void explain_rows(cJSON *object, const struct rule_set *rules, const struct facts *facts, enum language language,
                  struct decision *decision)
{
    struct telling telling = {.language = language};
    cJSON_AddItemToObject(object, "facts", explain_facts(facts));
    telling.rows = cJSON_AddArrayToObject(object, "rows");
    decide_traced(rules, facts, decision, add_row, &telling);
    if (decision->verdict == VERDICT_NEED_EVIDENCE && decision->rule != RULE_NONE)
        add_lacking(object, facts, &telling.last);
}
