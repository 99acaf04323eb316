#include "control/cli/scan_print.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define OBLIGATIONS_MAX 32
#define CITY_OFFSET_S (8 * 3600) /* +08:00, as the city's rules are written */

static const char *result_name(enum chengmen_scan_result result)
{
    static const char *const names[] = {
        [CHENGMEN_SCAN_VERDICT] = "verdict", [CHENGMEN_SCAN_REFUSED] = "refused",   [CHENGMEN_SCAN_RESET] = "reset",
        [CHENGMEN_SCAN_TIMEOUT] = "timeout", [CHENGMEN_SCAN_INVALID] = "invalid",   [CHENGMEN_SCAN_NETWORK] = "network",
        [CHENGMEN_SCAN_REQUEST] = "request", [CHENGMEN_SCAN_SEQUENCE] = "sequence",
    };
    return names[result];
}

static void time_text(uint64_t time_s, char *room, size_t size)
{
    time_t local = (time_t)time_s + CITY_OFFSET_S;
    struct tm parts;
    if (time_s > INT64_C(253402300799) || !gmtime_r(&local, &parts) ||
        strftime(room, size, "%Y-%m-%dT%H:%M:%S+08:00", &parts) == 0)
        snprintf(room, size, "%" PRIu64, time_s);
}

static void code_text(uint8_t code, char *room, size_t size)
{
    snprintf(room, size, "%u.%02u", code >> 5, code & 0x1f);
}

/* Numbers above 2^53 do not survive a double. */
static void add_u64(cJSON *object, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    cJSON_AddRawToObject(object, name, text);
}

static void add_reason(cJSON *object, const struct chengmen_scan_answer *a, bool chinese)
{
    if (a->reason == 0)
        return;
    cJSON_AddStringToObject(object, "reason", chengmen_scan_reason_name(a->reason));
    add_u64(object, "reason_number", a->reason);
    cJSON_AddStringToObject(object, "text", chengmen_scan_reason_text(a->reason, chinese));
}

static void add_verdict(cJSON *object, const struct chengmen_scan_answer *a)
{
    char text[40];
    cJSON *obligations = cJSON_AddArrayToObject(object, "obligations");
    for (unsigned i = 0; i < OBLIGATIONS_MAX; i++)
        if (a->obligations >> i & 1)
            cJSON_AddItemToArray(obligations, cJSON_CreateString(chengmen_scan_obligation_name(i)));
    if (a->has_until) {
        time_text(a->until_s, text, sizeof text);
        cJSON_AddStringToObject(object, "until", text);
        add_u64(object, "until_s", a->until_s);
    }
    if (a->rule[0])
        cJSON_AddStringToObject(object, "rule", a->rule);
    add_u64(object, "rules_version", a->rules_version);
    add_u64(object, "status_age_s", a->status_age_s);
    if (a->has_decision)
        add_u64(object, "decision", a->decision);
}

static void print_json(FILE *out, const struct chengmen_scan_answer *a, bool chinese)
{
    char text[40];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "result", result_name(a->result));
    if (a->result == CHENGMEN_SCAN_VERDICT) {
        cJSON_AddStringToObject(object, "verdict", chengmen_scan_verdict_name(a->verdict));
        cJSON_AddStringToObject(object, "colour", chengmen_scan_colour_name(a->colour));
    }
    if (a->coap_code) {
        code_text(a->coap_code, text, sizeof text);
        cJSON_AddStringToObject(object, "code", text);
    }
    add_reason(object, a, chinese);
    if (a->result == CHENGMEN_SCAN_VERDICT)
        add_verdict(object, a);
    if (a->max_age_s)
        add_u64(object, "max_age_s", a->max_age_s);
    cJSON_AddBoolToObject(object, "opens", chengmen_scan_opens(a));
    cJSON_AddBoolToObject(object, "protected", a->is_protected);
    add_u64(object, "transmissions", a->transmissions);
    add_u64(object, "taken_us", a->taken_ns / 1000);
    char *printed = cJSON_PrintUnformatted(object);
    fprintf(out, "%s\n", printed ? printed : "{}");
    cJSON_free(printed);
    cJSON_Delete(object);
}

static void print_reason(FILE *out, const struct chengmen_scan_answer *a, bool chinese)
{
    if (a->reason)
        fprintf(out, "reason      %s: %s\n", chengmen_scan_reason_name(a->reason),
                chengmen_scan_reason_text(a->reason, chinese));
}

static void print_verdict(FILE *out, const struct chengmen_scan_answer *a, bool chinese)
{
    char text[40];
    fprintf(out, "%s  %s\n", chengmen_scan_verdict_name(a->verdict), chengmen_scan_colour_name(a->colour));
    print_reason(out, a, chinese);
    for (unsigned i = 0; i < OBLIGATIONS_MAX; i++)
        if (a->obligations >> i & 1)
            fprintf(out, "obligation  %s: %s\n", chengmen_scan_obligation_name(i),
                    chengmen_scan_obligation_text(i, chinese));
    if (a->has_until) {
        time_text(a->until_s, text, sizeof text);
        fprintf(out, "until       %s\n", text);
    }
    if (a->rule[0])
        fprintf(out, "rule        %s, rules version %" PRIu64 "\n", a->rule, a->rules_version);
    fprintf(out, "status age  %" PRIu64 " s\n", a->status_age_s);
    if (a->has_decision)
        fprintf(out, "decision    %" PRIu64 "\n", a->decision);
}

static void print_people(FILE *out, const struct chengmen_scan_answer *a, bool chinese)
{
    char text[40];
    if (a->result == CHENGMEN_SCAN_VERDICT)
        print_verdict(out, a, chinese);
    else {
        fprintf(out, "no verdict: %s", chengmen_scan_result_text(a->result));
        if (a->coap_code) {
            code_text(a->coap_code, text, sizeof text);
            fprintf(out, " (%s)", text);
        }
        fputc('\n', out);
        print_reason(out, a, chinese);
        if (a->max_age_s)
            fprintf(out, "ask again   in %u s\n", a->max_age_s);
    }
    fprintf(out, "taken       %.3f ms, %u transmission%s%s\n", (double)a->taken_ns / 1e6, a->transmissions,
            a->transmissions == 1 ? "" : "s", a->is_protected ? ", under OSCORE" : "");
}

void scan_print(FILE *out, const struct chengmen_scan_answer *answer, const struct scan_print_style *style)
{
    if (style->json)
        print_json(out, answer, style->chinese);
    else
        print_people(out, answer, style->chinese);
}
