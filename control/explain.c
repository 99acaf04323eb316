#include "control/explain_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/rules_replay.h"
#include "control/scan/payload.h"
#include "control/times.h"

/* What deciding anew needs. */
struct asking {
    struct snapshot *snapshot;
    const struct explain_question *question;
    const struct rule_set *rules;
    const char *rules_text; /* JSON; NULL where it is not held */
    struct judge *judge;
    struct request *request;
};

static void add_decision(cJSON *object, const struct decision *d, enum language language)
{
    cJSON_AddStringToObject(object, "verdict", verdict_name(d->verdict));
    cJSON_AddStringToObject(object, "reason", reason_name(d->reason));
    cJSON_AddNumberToObject(object, "reason_number", d->reason);
    cJSON_AddStringToObject(object, "text", reason_text(d->reason, language));
    cJSON *obligations = cJSON_AddArrayToObject(object, "obligations");
    cJSON *texts = cJSON_AddArrayToObject(object, "obligation_texts");
    for (unsigned i = 0; i < OBLIGATION_COUNT; i++) {
        if (!(d->obligations >> i & 1))
            continue;
        cJSON_AddItemToArray(obligations, cJSON_CreateString(obligation_name((enum obligation)i)));
        cJSON_AddItemToArray(texts, cJSON_CreateString(obligation_text((enum obligation)i, language)));
    }
    if (d->has_until) {
        char text[TIME_TEXT_SIZE];
        time_to_text(d->until_s, text);
        cJSON_AddStringToObject(object, "until", text);
    }
    if (d->rule_id[0])
        cJSON_AddStringToObject(object, "rule", d->rule_id);
}

static void add_rules(cJSON *object, const struct asking *asking, const char *rule_id)
{
    cJSON_AddNumberToObject(object, "rules_version", asking->rules ? rule_set_version(asking->rules) : 0);
    if (asking->rules_text && rule_id[0])
        explain_row_text(object, asking->rules_text, rule_id);
}

/* The latest state is that of today; where it changed after the moment that is asked about, that is said. */
static void add_notes(cJSON *object, const struct asking *asking)
{
    const struct explain_question *q = asking->question;
    const struct request *r = asking->request;
    bool zh = q->language == LANGUAGE_CHINESE;
    cJSON *notes = cJSON_AddArrayToObject(object, "notes");
    if (r->latest.has_record && r->subject.since_s > q->now_s)
        cJSON_AddItemToArray(notes, cJSON_CreateString(zh ? "主体记录在此之后已变更，当时的状态不再保存"
                                                          : "the subject's record has changed since: what it said "
                                                            "then is not kept"));
    if (r->list && r->list->iat_s > q->now_s)
        cJSON_AddItemToArray(notes, cJSON_CreateString(zh ? "状态列表在此之后已更新，当时的内容不再保存"
                                                          : "the status list has changed since: what it said then "
                                                            "is not kept"));
}

static void judge_fully(struct asking *asking)
{
    struct request *r = asking->request;
    struct subject_record record;
    uint8_t key[SUBJECT_KEY_SIZE];
    enum lookup_status found = LOOKUP_ABSENT;
    if (judge_credentials(asking->judge, &r, 1) == 0)
        return;
    if (r->has_credential) {
        r->sighting = asking->question->seen;
        judge_subject_key(asking->judge, r, key);
        found = snapshot_subject(asking->snapshot, key, &record);
    }
    if (found == LOOKUP_FOUND || found == LOOKUP_ABSENT)
        judge_state_by(asking->judge, r, found == LOOKUP_FOUND ? &record : NULL, asking->rules);
    else
        judge_without_state(r, REASON_STATUS_DAMAGED);
}

static void tell_shown(struct asking *asking, cJSON *object)
{
    const struct explain_question *q = asking->question;
    const struct request *r = asking->request;
    judge_fully(asking);
    cJSON_AddItemToObject(object, "steps", explain_steps(r, q->language));
    if (explain_step_of(r->reason) == STEP_RULES) {
        struct facts facts;
        struct decision again;
        facts_of(r, q->now_s, &facts);
        explain_rows(object, asking->rules, &facts, q->language, &again);
    }
    add_decision(object, &r->decision, q->language);
    cJSON_AddStringToObject(object, "colour", colour_name(r->latest.colour));
    cJSON_AddNumberToObject(object, "status_age_s", r->latest.age_s);
    add_rules(object, asking, r->decision.rule_id);
    add_notes(object, asking);
}

static bool ask_shown(struct asking *asking, cJSON *object, char *error, size_t error_size)
{
    static uint8_t payload[REQUEST_SIZE_MAX];
    const struct explain_question *q = asking->question;
    struct judge *judge = calloc(1, sizeof *judge);
    struct request *r = calloc(1, sizeof *r);
    size_t length = payload_write(q->shown, 1, payload, sizeof payload);
    bool ok = false;
    snprintf(error, error_size, "out of memory");
    if (judge && r) {
        r->frame.data = payload;
        r->point = generation_point(asking->snapshot->generation, q->point, &r->point_index);
        if (!r->point)
            snprintf(error, error_size, "no point %" PRIu32, q->point);
        else if (length == 0 || request_parse(r, (struct bytes){payload, length}) != REASON_NONE)
            snprintf(error, error_size, "the code or the evidence is out of bounds");
        else {
            judge->generation = asking->snapshot->generation;
            judge->now_s = q->now_s;
            judge->skew_s = q->skew_s;
            asking->judge = judge;
            asking->request = r;
            tell_shown(asking, object);
            ok = true;
        }
    }
    free(judge);
    free(r);
    return ok;
}

/* The rows alone, about facts that were recorded. */
static bool ask_facts(const struct asking *asking, cJSON *object, char *error, size_t error_size)
{
    const struct explain_question *q = asking->question;
    struct json_place place = {q->recorded->facts, NULL, "facts", 0};
    struct json_problems problems = {0};
    uint8_t roles[FACTS_ROLES_ROOM];
    struct facts facts;
    struct decision decision;
    bool ok = facts_read_json(&place, &facts, roles, &problems);
    if (!ok)
        snprintf(error, error_size, "%s: %s", problems.items[0].pointer, problems.items[0].message);
    json_problems_free(&problems);
    if (!ok)
        return false;
    if (!fact_present(&facts, FACT_NOW))
        fact_set_number(&facts, FACT_NOW, q->now_s);
    explain_rows(object, asking->rules, &facts, q->language, &decision);
    add_decision(object, &decision, q->language);
    if (q->recorded->colour)
        cJSON_AddStringToObject(object, "colour", q->recorded->colour);
    add_rules(object, asking, decision.rule_id);
    return true;
}

/* The rule set of the version asked for, or of the moment. */
static bool find_rules(struct asking *asking, char *error, size_t error_size)
{
    const struct explain_question *q = asking->question;
    const struct snapshot *s = asking->snapshot;
    const struct rule_set *in_force = generation_rules(s->generation, q->now_s);
    if (!q->has_version && !in_force)
        return true;
    uint32_t version = q->has_version ? q->version : rule_set_version(in_force);
    const struct snapshot_rules *held = snapshot_rules(s, version);
    asking->rules = held ? held->rules : q->has_version ? NULL : in_force;
    asking->rules_text = held ? held->text : NULL;
    if (asking->rules || version == 0) /* 0: no rules were in force */
        return true;
    int length = snprintf(error, error_size,
                          q->language == LANGUAGE_CHINESE ? "规则版本%" PRIu32 "已不再保存；现存："
                                                          : "version %" PRIu32 " of the rules is no longer held; held:",
                          version);
    for (uint32_t i = 0; i < s->rules_count && length > 0 && (size_t)length < error_size; i++)
        length +=
            snprintf(error + length, error_size - (size_t)length, " %" PRIu32, rule_set_version(s->rules[i].rules));
    return false;
}

cJSON *explain(struct snapshot *snapshot, const struct explain_question *q, char *error, size_t error_size)
{
    struct asking asking = {.snapshot = snapshot, .question = q};
    if (!find_rules(&asking, error, error_size))
        return NULL;
    cJSON *object = cJSON_CreateObject();
    bool ok = true;
    if (q->has_number)
        explain_number(object, q->number);
    if (q->shown) {
        ok = ask_shown(&asking, object, error, error_size);
    } else if (q->recorded->facts) {
        ok = ask_facts(&asking, object, error, error_size);
    } else {
        explain_retell(object, q->recorded, q->language);
        add_rules(object, &asking, q->recorded->rule ? q->recorded->rule : "");
    }
    if (ok && q->recorded && (q->shown || q->recorded->facts))
        explain_compare(object, q->recorded);
    if (ok)
        return object;
    cJSON_Delete(object);
    return NULL;
}
