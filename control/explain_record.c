/* Answers that points recorded, read back and told. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/explain_internal.h"
#include "control/times.h"
#include "dataplane/decision_number.h"

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* Of a member that may be absent. */
static bool take_text(const struct json_place *root, const char *name, const char **out, struct json_problems *problems)
{
    struct json_place place = json_member(root, name);
    *out = NULL;
    return !place.value || json_text(&place, 0, 256, out, problems);
}

/* A decision's number does not fit a double, so its digits are taken from the text, which was found to be sound. Only a
 * member's name can stand so: within a text its quotes would be escaped. */
static void take_number(struct bytes text, struct explain_record *out)
{
    static const char name[] = "\"decision\"";
    const uint8_t *found = memmem(text.data, text.length, name, sizeof name - 1), *end = text.data + text.length;
    if (!found)
        return;
    found += sizeof name - 1;
    while (found < end && strchr(" \t\r\n:", *found))
        found++;
    for (; found < end && *found >= '0' && *found <= '9' && out->number < UINT64_MAX / 10; found++) {
        out->number = out->number * 10 + (uint64_t)(*found - '0');
        out->has_number = true;
    }
}

bool explain_record_read(struct bytes text, struct explain_record *out, struct json_problems *problems)
{
    *out = (struct explain_record){.tree = json_parse(text, problems)};
    struct json_place root = json_root(out->tree), version = json_member(&root, "rules_version");
    uint64_t number;
    bool ok = out->tree && json_is_object(&root, problems) && take_text(&root, "verdict", &out->verdict, problems) &&
              take_text(&root, "colour", &out->colour, problems) &&
              take_text(&root, "reason", &out->reason, problems) && take_text(&root, "rule", &out->rule, problems) &&
              take_text(&root, "until", &out->until, problems);
    if (ok && version.value) {
        ok = json_uint(&version, 0, UINT32_MAX, &number, problems);
        out->has_version = ok;
        out->version = ok ? (uint32_t)number : 0;
    }
    if (ok && !out->verdict) {
        json_refuse(problems, &root, "no \"verdict\": not an answer as chengmen scan --json prints it");
        ok = false;
    }
    if (ok)
        take_number(text, out);
    out->facts = member(out->tree, "facts");
    if (!ok)
        explain_record_free(out);
    return ok;
}

void explain_record_free(struct explain_record *record)
{
    cJSON_Delete(record->tree);
    *record = (struct explain_record){.tree = NULL};
}

void explain_number(cJSON *object, uint64_t number)
{
    char text[TIME_TEXT_SIZE];
    cJSON *decided = cJSON_AddObjectToObject(object, "decided");
    snprintf(text, sizeof text, "%" PRIu64, number);
    cJSON_AddRawToObject(decided, "number", text);
    time_to_text(decision_second(number), text);
    cJSON_AddStringToObject(decided, "at", text);
    cJSON_AddNumberToObject(decided, "worker", decision_worker(number));
}

static bool add_row_of(cJSON *object, const cJSON *rows, const char *rule_id)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, rows)
    {
        const cJSON *id = member(row, "id");
        if (cJSON_IsString(id) && strcmp(id->valuestring, rule_id) == 0)
            return cJSON_AddItemToObject(object, "row", cJSON_Duplicate(row, true));
    }
    return false;
}

void explain_row_text(cJSON *object, const char *rules_text, const char *rule_id)
{
    cJSON *tree = json_parse(bytes_of_text(rules_text), NULL);
    const cJSON *venue;
    bool found = add_row_of(object, member(tree, "city"), rule_id);
    cJSON_ArrayForEach(venue, member(tree, "venues"))
    {
        found = found || add_row_of(object, venue, rule_id);
    }
    cJSON_Delete(tree);
}

/* Times may be written in several ways. */
static bool same_time(const char *a, const char *b)
{
    uint64_t first, second;
    return time_from_text(a, 0, &first) && time_from_text(b, 0, &second) && first == second;
}

static bool same_text(const cJSON *object, const char *name, const char *recorded)
{
    const cJSON *value = member(object, name);
    const char *now = cJSON_IsString(value) ? value->valuestring : "";
    if (!recorded)
        recorded = "";
    return strcmp(now, recorded) == 0 || (strcmp(name, "until") == 0 && same_time(now, recorded));
}

void explain_compare(cJSON *object, const struct explain_record *recorded)
{
    const struct {
        const char *name, *text;
    } members[] = {{"verdict", recorded->verdict},
                   {"colour", recorded->colour},
                   {"reason", recorded->reason},
                   {"rule", recorded->rule},
                   {"until", recorded->until}};
    cJSON *told = cJSON_CreateObject(), *differs = cJSON_CreateArray();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (members[i].text)
            cJSON_AddStringToObject(told, members[i].name, members[i].text);
        if (!same_text(object, members[i].name, members[i].text))
            cJSON_AddItemToArray(differs, cJSON_CreateString(members[i].name));
    }
    const cJSON *before = member(recorded->tree, "obligations"), *now = member(object, "obligations");
    cJSON_AddItemToObject(told, "obligations", before ? cJSON_Duplicate(before, true) : cJSON_CreateArray());
    if (cJSON_GetArraySize(before) != cJSON_GetArraySize(now) || (before && !cJSON_Compare(before, now, true)))
        cJSON_AddItemToArray(differs, cJSON_CreateString("obligations"));
    cJSON_AddBoolToObject(told, "same", cJSON_GetArraySize(differs) == 0);
    cJSON_AddItemToObject(told, "differs", differs);
    cJSON_AddItemToObject(object, "recorded", told);
}

void explain_retell(cJSON *object, const struct explain_record *recorded, enum language language)
{
    enum reason reason;
    cJSON_AddStringToObject(object, "verdict", recorded->verdict);
    cJSON_AddStringToObject(object, "colour", recorded->colour ? recorded->colour : "unknown");
    cJSON_AddStringToObject(object, "reason", recorded->reason ? recorded->reason : "");
    bool known = recorded->reason && reason_from_name(recorded->reason, &reason);
    cJSON_AddStringToObject(object, "text", known ? reason_text(reason, language) : "");
    cJSON *names = cJSON_AddArrayToObject(object, "obligations");
    cJSON *texts = cJSON_AddArrayToObject(object, "obligation_texts");
    const cJSON *name;
    cJSON_ArrayForEach(name, member(recorded->tree, "obligations"))
    {
        enum obligation obligation;
        if (!cJSON_IsString(name) || !obligation_from_name(name->valuestring, &obligation))
            continue;
        cJSON_AddItemToArray(names, cJSON_CreateString(name->valuestring));
        cJSON_AddItemToArray(texts, cJSON_CreateString(obligation_text(obligation, language)));
    }
    if (recorded->until)
        cJSON_AddStringToObject(object, "until", recorded->until);
    if (recorded->rule)
        cJSON_AddStringToObject(object, "rule", recorded->rule);
}
