/* The steps of a decision, told in the asker's language. */
#include <inttypes.h>
#include <stdio.h>

#include "control/encoding.h"
#include "control/explain_internal.h"
#include "control/times.h"

#define DETAIL_SIZE 320
#define FAR_FUTURE_S UINT64_C(253402300800) /* the year 10000 */

static const char *const step_names[STEP_COUNT][2] = {
    [STEP_REQUEST] = {"request", "请求"},   [STEP_FORM] = {"form", "格式"},
    [STEP_KEY] = {"key", "密钥"},           [STEP_SIGNATURE] = {"signature", "签名"},
    [STEP_TIMES] = {"times", "时间"},       [STEP_STATUS] = {"status", "状态"},
    [STEP_REPLAY] = {"replay", "重复出示"}, [STEP_REGION] = {"region", "地区互认"},
    [STEP_RULES] = {"rules", "规则"},
};

/* Where a request that ended with `reason` ended; the numbers of reasons.def are grouped by stage. */
enum step explain_step_of(enum reason reason)
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

/* The two languages stand side by side; `zh` says which is meant. */

static void detail_request(const struct request *r, bool zh, char *out)
{
    snprintf(out, DETAIL_SIZE, zh ? "扫描点%" PRIu32 "，%s，%s" : "point %" PRIu32 ", %s, %s", r->point->id,
             r->point->venue, r->point->venue_class);
}

static void detail_form(const struct request *r, bool zh, char *out)
{
    snprintf(out, DETAIL_SIZE, zh ? "%s，签发者%.*s，%zu字节%s" : "%s, issuer %.*s, %zu bytes%s",
             credential_class_name(r->credential.class), (int)r->credential.issuer.length,
             (const char *)r->credential.issuer.data, r->code.length,
             r->code_text.length == 0 ? ""
             : zh                     ? "，以文本出示"
                                      : ", shown as text");
}

static void detail_key(const struct request *r, bool zh, char *out)
{
    char kid[2 * COSE_KID_SIZE + 1], from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
    hex_encode((struct bytes){r->credential.cose.kid, COSE_KID_SIZE}, kid);
    if (!r->key) {
        snprintf(out, DETAIL_SIZE, "%s", kid);
        return;
    }
    time_to_text(r->key->key.not_before_s, from);
    if (r->key->key.not_after_s >= FAR_FUTURE_S)
        snprintf(to, sizeof to, "%s", zh ? "不限" : "open");
    else
        time_to_text(r->key->key.not_after_s, to);
    snprintf(out, DETAIL_SIZE, zh ? "%s，属%s，有效期%s至%s%s" : "%s of %s, valid from %s to %s%s", kid,
             r->key->key.issuer, from, to,
             !r->key->key.retired ? ""
             : zh                 ? "，已停用"
                                  : ", retired");
}

static void detail_times(const struct request *r, bool zh, char *out)
{
    char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
    time_to_text(r->credential.iat_s, from);
    time_to_text(r->credential.exp_s, to);
    snprintf(out, DETAIL_SIZE, zh ? "签发于%s，失效于%s" : "issued %s, expires %s", from, to);
}

static void detail_status(const struct request *r, bool zh, char *out)
{
    static const char *const colours[] = {"绿", "黄", "红", "未知"};
    int length = snprintf(out, DETAIL_SIZE, zh ? "颜色%s，数据%" PRIu32 "秒前" : "colour %s, %" PRIu32 " s old",
                          zh ? colours[r->latest.colour] : colour_name(r->latest.colour), r->latest.age_s);
    if (r->credential.status_uri.length > 0)
        length += snprintf(out + length, DETAIL_SIZE - (size_t)length,
                           zh ? "；列表%.*s第%" PRIu64 "项%s" : "; list %.*s, entry %" PRIu64 "%s",
                           (int)r->credential.status_uri.length, (const char *)r->credential.status_uri.data,
                           r->credential.status_index,
                           r->list ? ""
                           : zh    ? "，未加载"
                                   : ", not loaded");
    const char *record = zh ? (r->latest.has_record ? "；有主体记录" : "；无主体记录")
                            : (r->latest.has_record ? "; subject has a record" : "; no subject record");
    snprintf(out + length, DETAIL_SIZE - (size_t)length, "%s", record);
}

static void detail_replay(const struct request *r, bool zh, char *out)
{
    if (r->sighting.seen)
        snprintf(out, DETAIL_SIZE,
                 zh ? "%" PRIu32 "号区域、%" PRIu32 "秒前出示过" : "shown in zone %" PRIu32 " %" PRIu32 " s before",
                 r->sighting.zone, r->sighting.age_s);
    else
        snprintf(out, DETAIL_SIZE, "%s",
                 zh ? "按未在他处出示计；可用--seen另行说明" : "taken as shown nowhere else; --seen tells otherwise");
}

static void detail_of(enum step step, const struct request *r, bool zh, char *out)
{
    out[0] = 0;
    if (step == STEP_REQUEST)
        detail_request(r, zh, out);
    else if (step == STEP_RULES)
        snprintf(out, DETAIL_SIZE, "%s", r->decision.rule_id);
    else if (!r->has_credential)
        snprintf(out, DETAIL_SIZE, "%s", zh ? "未出示码" : "no code shown");
    else if (step == STEP_FORM)
        detail_form(r, zh, out);
    else if (step == STEP_KEY)
        detail_key(r, zh, out);
    else if (step == STEP_SIGNATURE)
        snprintf(out, DETAIL_SIZE, "%s", ed25519_engine_name());
    else if (step == STEP_TIMES)
        detail_times(r, zh, out);
    else if (step == STEP_STATUS)
        detail_status(r, zh, out);
    else if (step == STEP_REPLAY)
        detail_replay(r, zh, out);
    else
        snprintf(out, DETAIL_SIZE, "%.*s", (int)r->credential.issuer.length, (const char *)r->credential.issuer.data);
}

cJSON *explain_steps(const struct request *r, enum language language)
{
    static const char *const results[][2] = {{"passed", "通过"}, {"ended", "到此为止"}, {"not reached", "未到达"}};
    enum step last = explain_step_of(r->reason);
    cJSON *steps = cJSON_CreateArray();
    for (enum step step = STEP_REQUEST; step < STEP_COUNT; step++) {
        char detail[DETAIL_SIZE];
        unsigned result = step < last ? 0 : step == last ? 1 : 2;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "step", step_names[step][LANGUAGE_ENGLISH]);
        cJSON_AddStringToObject(item, "result", results[result][LANGUAGE_ENGLISH]);
        if (language != LANGUAGE_ENGLISH) {
            cJSON_AddStringToObject(item, "step_text", step_names[step][language]);
            cJSON_AddStringToObject(item, "result_text", results[result][language]);
        }
        /* What a refused code claims is not to be told as if it were so. */
        detail_of(step, r, language == LANGUAGE_CHINESE, detail);
        if (step <= last && detail[0] && !(step == STEP_FORM && last == STEP_FORM))
            cJSON_AddStringToObject(item, "detail", detail);
        cJSON_AddItemToArray(steps, item);
    }
    return steps;
}
