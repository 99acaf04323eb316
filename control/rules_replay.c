#include "control/rules_replay.h"

#include <inttypes.h>

#include "dataplane/date_time.h"
#include "keys/cbor.h"
#include "keys/credential.h"

#define CHANGES_SHOWN 20
#define SHANGHAI_OFFSET_MS 28800000
#define MS_PER_DAY 86400000

static bool read_roles(const struct json_place *place, struct facts *facts, uint8_t roles[FACTS_ROLES_ROOM],
                       enum fact fact, struct json_problems *problems)
{
    struct cbor_writer out = cbor_write(roles, FACTS_ROLES_ROOM);
    size_t index = 0;
    if (!json_is_array(place, problems))
        return false;
    cbor_put_array(&out, (uint64_t)cJSON_GetArraySize(place->value));
    const cJSON *item;
    cJSON_ArrayForEach(item, place->value)
    {
        struct json_place at = json_item(place, item, index++);
        const char *text;
        if (!json_text(&at, 0, CREDENTIAL_TEXT_MAX, &text, problems))
            return false;
        cbor_put_text(&out, bytes_of_text(text));
    }
    if (out.failed || index > CREDENTIAL_ROLES_MAX) {
        json_refuse(problems, place, "too many");
        return false;
    }
    fact_set_text(facts, fact, cbor_written(&out));
    return true;
}

static bool read_time(const struct json_place *place, struct facts *facts, enum fact fact,
                      struct json_problems *problems)
{
    const char *text;
    int64_t ms;
    if (!json_text(place, 0, 64, &text, problems))
        return false;
    if (!date_time_parse(bytes_of_text(text), &ms) || ms < 0) {
        json_refuse(problems, place, "date-time expected");
        return false;
    }
    if (fact_type(fact) == FACT_TYPE_DAY)
        fact_set_number(facts, fact, (uint64_t)((ms + SHANGHAI_OFFSET_MS) / MS_PER_DAY));
    else
        fact_set_number(facts, fact, (uint64_t)ms / 1000);
    return true;
}

static bool read_symbol(const struct json_place *place, struct facts *facts, enum fact fact,
                        struct json_problems *problems)
{
    const char *text;
    if (!json_text(place, 0, 64, &text, problems))
        return false;
    for (uint64_t i = 0; fact_symbol(fact_type(fact), i); i++)
        if (strcmp(fact_symbol(fact_type(fact), i), text) == 0) {
            fact_set_number(facts, fact, i);
            return true;
        }
    json_refuse(problems, place, "%s is never %s", fact_path(fact), text);
    return false;
}

static bool read_fact(const struct json_place *place, struct facts *facts, uint8_t roles[FACTS_ROLES_ROOM],
                      enum fact fact, struct json_problems *problems)
{
    const char *text;
    uint64_t number;
    int64_t integer;
    bool flag;
    switch (fact_type(fact)) {
    case FACT_TYPE_TEXT:
        if (!json_text(place, 0, SIZE_MAX, &text, problems))
            return false;
        fact_set_text(facts, fact, bytes_of_text(text));
        return true;
    case FACT_TYPE_TEXTS:
        return read_roles(place, facts, roles, fact, problems);
    case FACT_TYPE_UINT:
        if (!json_uint(place, 0, JSON_INTEGER_MAX, &number, problems))
            return false;
        fact_set_number(facts, fact, number);
        return true;
    case FACT_TYPE_INT:
        if (!json_int(place, INT32_MIN, INT32_MAX, &integer, problems))
            return false;
        fact_set_integer(facts, fact, integer);
        return true;
    case FACT_TYPE_BOOL:
        if (!json_bool(place, &flag, problems))
            return false;
        fact_set_number(facts, fact, flag);
        return true;
    case FACT_TYPE_TIME:
    case FACT_TYPE_DAY:
        return read_time(place, facts, fact, problems);
    default:
        return read_symbol(place, facts, fact, problems);
    }
}

bool facts_read_json(const struct json_place *object, struct facts *facts, uint8_t roles[FACTS_ROLES_ROOM],
                     struct json_problems *problems)
{
    bool ok = json_is_object(object, problems);
    memset(facts, 0, sizeof *facts);
    const cJSON *item;
    if (!ok)
        return false;
    cJSON_ArrayForEach(item, object->value)
    {
        struct json_place place = {item, object, item->string, 0};
        enum fact fact;
        if (!fact_from_path(bytes_of_text(item->string), &fact)) {
            json_refuse(problems, &place, "unknown fact");
            ok = false;
        } else if (!cJSON_IsNull(item)) {
            ok = read_fact(&place, facts, roles, fact, problems) && ok;
        }
    }
    return ok;
}

static uint32_t recorded_obligations(const cJSON *record)
{
    uint32_t obligations = 0;
    const cJSON *name;
    cJSON_ArrayForEach(name, cJSON_GetObjectItemCaseSensitive(record, "obligations"))
    {
        enum obligation obligation;
        /* What the list's age adds is no row's doing. */
        if (cJSON_IsString(name) && obligation_from_name(name->valuestring, &obligation) &&
            obligation != OBLIGATION_STATUS_STALE)
            obligations |= 1u << obligation;
    }
    return obligations;
}

static void compare(const cJSON *record, const char *verdict, const char *reason, const struct decision *now,
                    struct rules_replay *result, FILE *out)
{
    const cJSON *rule = cJSON_GetObjectItemCaseSensitive(record, "rule");
    bool other_verdict = strcmp(verdict, verdict_name(now->verdict)) != 0;
    result->decisions++;
    if (!other_verdict && strcmp(reason, reason_name(now->reason)) == 0 &&
        now->obligations == recorded_obligations(record))
        return;
    result->changed++;
    result->verdict_changed += other_verdict;
    if (out && result->changed <= CHANGES_SHOWN)
        fprintf(out, "%s, %s by row %s: was %s, %s by row %s\n", verdict_name(now->verdict), reason_name(now->reason),
                now->rule_id[0] ? now->rule_id : "none", verdict, reason,
                cJSON_IsString(rule) ? rule->valuestring : "none");
}

static bool replay_line(const struct rule_set *rules, struct bytes line, struct rules_replay *result, FILE *out,
                        struct json_problems *problems)
{
    uint8_t roles[FACTS_ROLES_ROOM];
    struct facts facts;
    struct decision now;
    const char *verdict, *reason;
    cJSON *record = json_parse(line, problems);
    struct json_place root = json_root(record), at = json_member(&root, "facts"),
                      verdict_at = json_member(&root, "verdict"), reason_at = json_member(&root, "reason");
    bool ok = record && json_is_object(&root, problems) && json_text(&verdict_at, 1, 64, &verdict, problems) &&
              json_text(&reason_at, 1, 64, &reason, problems);
    if (ok && !at.value) {
        result->without_facts++;
    } else if (ok) {
        ok = facts_read_json(&at, &facts, roles, problems);
        if (ok) {
            decide(rules, &facts, &now);
            compare(record, verdict, reason, &now, result, out);
        }
    }
    cJSON_Delete(record);
    return ok;
}

static void refuse_line(uint64_t number, const struct json_problems *wrong, struct json_problems *problems)
{
    const struct json_problem *first = wrong->items;
    bool inside = wrong->count > 0 && first->pointer[0];
    json_refuse(problems, &(struct json_place){0}, "line %" PRIu64 ": %s%s%s", number, inside ? first->pointer : "",
                inside ? ": " : "", wrong->count > 0 ? first->message : "cannot be read");
}

bool rules_replay(const struct rule_set *rules, struct bytes lines, struct rules_replay *result, FILE *out,
                  struct json_problems *problems)
{
    const uint8_t *start = lines.data, *end = lines.data + lines.length;
    *result = (struct rules_replay){0};
    for (uint64_t number = 1; start < end; number++) {
        const uint8_t *line_end = memchr(start, '\n', (size_t)(end - start));
        struct bytes line = {start, (size_t)((line_end ? line_end : end) - start)};
        struct json_problems wrong = {0};
        bool ok = line.length == 0 || replay_line(rules, line, result, out, &wrong);
        if (!ok)
            refuse_line(number, &wrong, problems);
        json_problems_free(&wrong);
        if (!ok)
            return false;
        start = line_end ? line_end + 1 : end;
    }
    return true;
}
