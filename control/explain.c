#include "control/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/encoding.h"
#include "control/scan/payload.h"
#include "control/times.h"
#include "dataplane/judge.h"
#include "keys/cbor.h"

#define DETAIL_SIZE 320
#define FAR_FUTURE_S UINT64_C(253402300800) /* the year 10000 */

/* The steps of a decision in their order (design section 7), as far as they lie behind the security context. */
enum step {
    STEP_REQUEST,
    STEP_FORM,
    STEP_KEY,
    STEP_SIGNATURE,
    STEP_TIMES,
    STEP_STATUS,
    STEP_REPLAY,
    STEP_REGION,
    STEP_RULES,
    STEP_COUNT
};

static const char *const step_names[STEP_COUNT][2] = {
    [STEP_REQUEST] = {"request", "请求"},   [STEP_FORM] = {"form", "格式"},
    [STEP_KEY] = {"key", "密钥"},           [STEP_SIGNATURE] = {"signature", "签名"},
    [STEP_TIMES] = {"times", "时间"},       [STEP_STATUS] = {"status", "状态"},
    [STEP_REPLAY] = {"replay", "重复出示"}, [STEP_REGION] = {"region", "地区互认"},
    [STEP_RULES] = {"rules", "规则"},
};

/* Where a request that ended with `reason` ended; the numbers of reasons.def are grouped by stage. */
static enum step step_of(enum reason reason)
{
    if (reason < REASON_CREDENTIAL_TEXT)
        return STEP_REQUEST;
    if (reason <= REASON_CREDENTIAL_CLAIMS)
        return STEP_FORM;
    if (reason <= REASON_SCOPE_CLASS)
        return STEP_KEY;
    if (reason == REASON_SIGNATURE)
        return STEP_SIGNATURE;
    if (reason <= REASON_FUTURE || reason == REASON_PASS_INVALID)
        return STEP_TIMES;
    if (reason <= REASON_STATUS_BUSY)
        return STEP_STATUS;
    return reason <= REASON_REGION_NOT_ACCEPTED ? STEP_REGION : STEP_RULES;
}

static void detail_form(const struct request *r, char *out)
{
    snprintf(out, DETAIL_SIZE, "%s, issuer %.*s, %zu bytes%s", credential_class_name(r->credential.class),
             (int)r->credential.issuer.length, (const char *)r->credential.issuer.data, r->code.length,
             r->code_text.length > 0 ? ", shown as text" : "");
}

static void detail_key(const struct request *r, char *out)
{
    char kid[2 * COSE_KID_SIZE + 1], from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
    hex_encode((struct bytes){r->credential.cose.kid, COSE_KID_SIZE}, kid);
    if (!r->key) {
        snprintf(out, DETAIL_SIZE, "%s", kid);
        return;
    }
    time_to_text(r->key->key.not_before_s, from);
    if (r->key->key.not_after_s >= FAR_FUTURE_S)
        snprintf(to, sizeof to, "open");
    else
        time_to_text(r->key->key.not_after_s, to);
    snprintf(out, DETAIL_SIZE, "%s of %s, valid from %s to %s%s", kid, r->key->key.issuer, from, to,
             r->key->key.retired ? ", retired" : "");
}

static void detail_times(const struct request *r, char *out)
{
    char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
    time_to_text(r->credential.iat_s, from);
    time_to_text(r->credential.exp_s, to);
    snprintf(out, DETAIL_SIZE, "issued %s, expires %s", from, to);
}

static void detail_status(const struct request *r, char *out)
{
    int length =
        snprintf(out, DETAIL_SIZE, "colour %s, %" PRIu32 " s old", colour_name(r->latest.colour), r->latest.age_s);
    if (r->credential.status_uri.length > 0)
        length += snprintf(out + length, DETAIL_SIZE - (size_t)length, "; list %.*s, entry %" PRIu64 "%s",
                           (int)r->credential.status_uri.length, (const char *)r->credential.status_uri.data,
                           r->credential.status_index, r->list ? "" : ", not loaded");
    snprintf(out + length, DETAIL_SIZE - (size_t)length, "; %s",
             r->latest.has_record ? "subject has a record" : "no subject record");
}

static void detail_replay(const struct request *r, char *out)
{
    if (r->sighting.seen)
        snprintf(out, DETAIL_SIZE, "shown in zone %" PRIu32 " %" PRIu32 " s before", r->sighting.zone,
                 r->sighting.age_s);
    else
        snprintf(out, DETAIL_SIZE, "taken as shown nowhere else; --seen tells otherwise");
}

static void detail_of(enum step step, const struct request *r, char *out)
{
    out[0] = 0;
    if (step == STEP_REQUEST)
        snprintf(out, DETAIL_SIZE, "point %" PRIu32 ", %s, %s", r->point->id, r->point->venue, r->point->venue_class);
    else if (step == STEP_RULES)
        snprintf(out, DETAIL_SIZE, "%s", r->decision.rule_id);
    else if (!r->has_credential)
        snprintf(out, DETAIL_SIZE, "no code shown");
    else if (step == STEP_FORM)
        detail_form(r, out);
    else if (step == STEP_KEY)
        detail_key(r, out);
    else if (step == STEP_SIGNATURE)
        snprintf(out, DETAIL_SIZE, "%s", ed25519_engine_name());
    else if (step == STEP_TIMES)
        detail_times(r, out);
    else if (step == STEP_STATUS)
        detail_status(r, out);
    else if (step == STEP_REPLAY)
        detail_replay(r, out);
    else
        snprintf(out, DETAIL_SIZE, "%.*s", (int)r->credential.issuer.length, (const char *)r->credential.issuer.data);
}

static cJSON *steps_json(const struct request *r, enum language language)
{
    enum step last = step_of(r->reason);
    cJSON *steps = cJSON_CreateArray();
    for (enum step step = STEP_REQUEST; step < STEP_COUNT; step++) {
        char detail[DETAIL_SIZE];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "step", step_names[step][language]);
        cJSON_AddStringToObject(item, "result", step < last ? "passed" : step == last ? "ended" : "not reached");
        /* What a refused code claims is not to be told as if it were so. */
        detail_of(step, r, detail);
        if (step <= last && detail[0] && !(step == STEP_FORM && last == STEP_FORM))
            cJSON_AddStringToObject(item, "detail", detail);
        cJSON_AddItemToArray(steps, item);
    }
    return steps;
}

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

static cJSON *facts_json(const struct facts *facts)
{
    cJSON *object = cJSON_CreateObject();
    for (enum fact fact = 0; fact < FACT_COUNT; fact++)
        if (fact_present(facts, fact))
            cJSON_AddItemToObject(object, fact_path(fact), fact_json(fact, facts->value[fact]));
    return object;
}

static void add_row(void *context, const struct row_trace *trace)
{
    static const char *const results[] = {
        [ROW_NO_MATCH] = "no match", [ROW_MATCH] = "match", [ROW_ERROR] = "error", [ROW_NOT_IN_FORCE] = "not in force"};
    cJSON *row = cJSON_CreateObject(), *facts = cJSON_CreateArray();
    cJSON_AddStringToObject(row, "rule", trace->rule_id);
    cJSON_AddStringToObject(row, "table", trace->city ? "city" : "venue");
    cJSON_AddStringToObject(row, "result", results[trace->result]);
    for (enum fact fact = 0; fact < FACT_COUNT; fact++)
        if (trace->facts_read >> fact & 1)
            cJSON_AddItemToArray(facts, cJSON_CreateString(fact_path(fact)));
    cJSON_AddItemToObject(row, "facts", facts);
    if (trace->error)
        cJSON_AddStringToObject(row, "error", trace->error);
    cJSON_AddItemToArray(context, row);
}

static void add_verdict(cJSON *object, const struct request *r, const struct rule_set *rules, enum language language)
{
    const struct decision *d = &r->decision;
    cJSON_AddStringToObject(object, "verdict", verdict_name(d->verdict));
    cJSON_AddStringToObject(object, "colour", colour_name(r->latest.colour));
    cJSON_AddStringToObject(object, "reason", reason_name(d->reason));
    cJSON_AddNumberToObject(object, "reason_number", d->reason);
    cJSON_AddStringToObject(object, "text", reason_text(d->reason, language));
    cJSON *obligations = cJSON_AddArrayToObject(object, "obligations");
    for (unsigned i = 0; i < OBLIGATION_COUNT; i++)
        if (d->obligations >> i & 1)
            cJSON_AddItemToArray(obligations, cJSON_CreateString(obligation_name((enum obligation)i)));
    if (d->has_until) {
        char text[TIME_TEXT_SIZE];
        time_to_text(d->until_s, text);
        cJSON_AddStringToObject(object, "until", text);
    }
    if (d->rule_id[0])
        cJSON_AddStringToObject(object, "rule", d->rule_id);
    cJSON_AddNumberToObject(object, "ruleset_version", rules ? rule_set_version(rules) : 0);
    cJSON_AddNumberToObject(object, "status_age", r->latest.age_s);
}

static void judge_fully(struct snapshot *snapshot, const struct sighting *seen, struct judge *judge, struct request *r)
{
    struct subject_record record;
    uint8_t key[SUBJECT_KEY_SIZE];
    enum lookup_status found = LOOKUP_ABSENT;
    if (judge_credentials(judge, &r, 1) == 0)
        return;
    if (r->has_credential) {
        r->sighting = *seen;
        judge_subject_key(judge, r, key);
        found = snapshot_subject(snapshot, key, &record);
    }
    if (found == LOOKUP_FOUND || found == LOOKUP_ABSENT)
        judge_state(judge, r, found == LOOKUP_FOUND ? &record : NULL);
    else
        judge_without_state(r, REASON_STATUS_DAMAGED);
}

static cJSON *tell(struct snapshot *snapshot, const struct explain_question *q, struct judge *judge, struct request *r)
{
    const struct rule_set *rules = generation_rules(snapshot->generation, q->now_s);
    judge_fully(snapshot, &q->seen, judge, r);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "steps", steps_json(r, q->language));
    if (step_of(r->reason) == STEP_RULES) {
        struct facts facts;
        struct decision again;
        facts_of(r, q->now_s, &facts);
        cJSON_AddItemToObject(object, "facts", facts_json(&facts));
        decide_traced(rules, &facts, &again, add_row, cJSON_AddArrayToObject(object, "rows"));
    }
    add_verdict(object, r, rules, q->language);
    return object;
}

cJSON *explain(struct snapshot *snapshot, const struct explain_question *q, char *error, size_t error_size)
{
    static uint8_t payload[REQUEST_SIZE_MAX];
    struct judge *judge = calloc(1, sizeof *judge);
    struct request *r = calloc(1, sizeof *r);
    cJSON *object = NULL;
    size_t length = payload_write(q->shown, 1, payload, sizeof payload);
    snprintf(error, error_size, "out of memory");
    if (judge && r) {
        r->frame.data = payload;
        r->point = generation_point(snapshot->generation, q->point, &r->point_index);
        if (!r->point)
            snprintf(error, error_size, "no point %" PRIu32, q->point);
        else if (length == 0 || request_parse(r, (struct bytes){payload, length}) != REASON_NONE)
            snprintf(error, error_size, "the code or the evidence is out of bounds");
        else {
            judge->generation = snapshot->generation;
            judge->now_s = q->now_s;
            judge->skew_s = q->skew_s;
            object = tell(snapshot, q, judge, r);
        }
    }
    free(judge);
    free(r);
    return object;
}
