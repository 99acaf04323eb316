#include "control/overview.h"

#include <stdio.h>

#include "control/lists_json.h"
#include "control/times.h"
#include "dataplane/clock.h"
#include "dataplane/reasons.h"

/* What the operator should look at, in words. */
static void add_warning(cJSON *warnings, const char *format, const char *name)
{
    char text[512];
    snprintf(text, sizeof text, format, name);
    cJSON_AddItemToArray(warnings, cJSON_CreateString(text));
}

static double told(const cJSON *object, const char *name)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(number) ? number->valuedouble : 0;
}

/* What the dataplane met in the store that is not to be believed. A count stays until it starts anew. */
static void add_damage(cJSON *warnings, const struct telemetry *telemetry)
{
    const cJSON *info = telemetry->info;
    const char *error = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(info, "store_error"));
    const char *damaged = reason_name(REASON_STATUS_DAMAGED);
    char number[32];
    const cJSON *reading = cJSON_GetObjectItemCaseSensitive(info, "store_reading");
    if (reading && reading->valuedouble == 0)
        add_warning(warnings,
                    error && error[0] ? "the dataplane cannot read the store: %s"
                                      : "the dataplane cannot read the store%s",
                    error ? error : "");
    snprintf(number, sizeof number, "%.0f", told(info, "table_number"));
    if (told(info, "table_damaged") > 0)
        add_warning(warnings, "table %s is damaged: every subject that is looked up in it is REFER", number);
    if (told(info, "filter_damaged") > 0)
        add_warning(warnings, "the filter of table %s is damaged: every look-up reads the table instead", number);
    snprintf(number, sizeof number, "%.0f", told(info, "records_refused"));
    if (told(info, "records_refused") > 0)
        add_warning(warnings, "the dataplane refused %s records of the log", number);
    snprintf(number, sizeof number, "%.0f", told(telemetry->counters, damaged));
    if (told(telemetry->counters, damaged) > 0)
        add_warning(warnings, "%s requests met damaged subject records since the dataplane started", number);
}

static void add_rules_warnings(cJSON *warnings, const struct state *state, uint64_t now_s)
{
    const struct state_rules *last = state_rules_last(state), *now = state_rules_at(state, now_s);
    char text[TIME_TEXT_SIZE];
    if (!last || (!now && last->version != 0)) {
        time_to_text(last ? last->from_s : 0, text);
        add_warning(warnings,
                    last ? "no rules are in force: every verdict is REFER; the set applied last waits until %s"
                         : "no rules are in force: every verdict is REFER%s",
                    last ? text : "");
    } else if (!now) {
        add_warning(warnings, "the rules applied last do not load: every verdict is REFER%s", "");
    } else if (now->to_s <= now_s) {
        time_to_text(now->to_s, text);
        add_warning(warnings, "the rules ended at %s: every verdict is REFER", text);
    }
}

static void add_warnings(cJSON *result, const struct service *service, const struct telemetry *telemetry,
                         const struct log_writer_info *log)
{
    const struct state *state = &service->journal.state;
    cJSON *warnings = cJSON_AddArrayToObject(result, "warnings");
    if (!telemetry->info)
        add_warning(warnings, "the dataplane does not answer on %s", service->config->control.telemetry);
    add_damage(warnings, telemetry);
    if (state->key_count == 0)
        add_warning(warnings, "no issuer key is in force%s", "");
    add_rules_warnings(warnings, state, clock_wall_s());
    if (log->space_low)
        add_warning(warnings, "disk space for the log is short in %s", service->journal.store);
    if (service->journal.fold_error[0])
        add_warning(warnings, "the last fold failed, so the log grows: %s", service->journal.fold_error);
    for (uint32_t i = 0; i < state->list_count; i++) {
        const struct status_list *list = &state->lists[i].list;
        enum list_freshness freshness = list_freshness(list, clock_wall_s());
        if (freshness != LIST_FRESH)
            add_warning(warnings, freshness == LIST_EXPIRED ? "status list %s has expired" : "status list %s is old",
                        list->uri);
    }
}

/* `version` and `sequence` are of the set applied last, `in_force` of the one that decides now: not the same where the
 * last waits for its time. */
static void add_rules(cJSON *result, const struct state *state)
{
    uint64_t now_s = clock_wall_s();
    const struct state_rules *last = state_rules_last(state), *now = state_rules_at(state, now_s);
    cJSON *object = cJSON_AddObjectToObject(result, "rules");
    char text[TIME_TEXT_SIZE];
    cJSON_AddNumberToObject(object, "kept", state->rules_count);
    if (!last)
        return;
    cJSON_AddNumberToObject(object, "sequence", (double)last->sequence);
    cJSON_AddNumberToObject(object, "version", last->version);
    cJSON_AddStringToObject(object, "state", state_rules_standing(state, state->rules_count - 1, now_s));
    if (last->from_s > now_s) {
        time_to_text(last->from_s, text);
        cJSON_AddStringToObject(object, "waits_until", text);
    }
    if (now && now->to_s > now_s) {
        cJSON *in_force = cJSON_AddObjectToObject(object, "in_force");
        cJSON_AddNumberToObject(in_force, "sequence", (double)now->sequence);
        cJSON_AddNumberToObject(in_force, "version", now->version);
    }
}

cJSON *overview_json(const struct service *service, const struct telemetry *telemetry)
{
    const struct state *state = &service->journal.state;
    struct log_writer_info log;
    log_writer_info(service->journal.log, &log);
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "version", CHENGMEN_VERSION);
    cJSON_AddStringToObject(result, "store", service->journal.store);
    cJSON_AddNumberToObject(result, "uptime", (double)(clock_wall_s() - service->started_s));
    cJSON *counts = cJSON_AddObjectToObject(result, "counts");
    cJSON_AddNumberToObject(counts, "keys", state->key_count);
    cJSON_AddNumberToObject(counts, "points", state->point_count);
    cJSON_AddNumberToObject(counts, "lists", state->list_count);
    cJSON_AddNumberToObject(counts, "subject_changes", (double)state->subject_changes);
    add_rules(result, state);
    cJSON *place = cJSON_AddObjectToObject(result, "log");
    cJSON_AddNumberToObject(place, "first", (double)log.first);
    cJSON_AddNumberToObject(place, "last", (double)log.last);
    cJSON_AddNumberToObject(place, "durable", (double)log.durable);
    cJSON_AddNumberToObject(place, "segments", (double)log.segments);
    cJSON *dataplane = telemetry->info ? cJSON_Duplicate(telemetry->info, true) : cJSON_CreateObject();
    cJSON_AddBoolToObject(dataplane, "reachable", telemetry->info != NULL);
    cJSON_AddItemToObject(result, "dataplane", dataplane);
    add_warnings(result, service, telemetry, &log);
    return result;
}

static void add_reasons(cJSON *result, const cJSON *counters)
{
    cJSON *list = cJSON_AddArrayToObject(result, "reasons");
    for (unsigned i = 1; i < REASON_LIMIT; i++) {
        enum reason known, reason = (enum reason)i;
        if (!reason_from_name(reason_name(reason), &known))
            continue;
        const cJSON *count = cJSON_GetObjectItemCaseSensitive(counters, reason_name(reason));
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "name", reason_name(reason));
        cJSON_AddStringToObject(row, "english", reason_text(reason, LANGUAGE_ENGLISH));
        cJSON_AddStringToObject(row, "chinese", reason_text(reason, LANGUAGE_CHINESE));
        cJSON_AddNumberToObject(row, "count", cJSON_IsNumber(count) ? count->valuedouble : 0);
        cJSON_AddItemToArray(list, row);
    }
}

cJSON *overview_page_json(const struct service *service, const struct telemetry *telemetry)
{
    const struct state *state = &service->journal.state;
    cJSON *result = overview_json(service, telemetry);
    add_reasons(result, telemetry->counters);
    const cJSON *received = cJSON_GetObjectItemCaseSensitive(telemetry->counters, "received");
    cJSON_AddNumberToObject(result, "received", cJSON_IsNumber(received) ? received->valuedouble : 0);
    cJSON_AddItemToObject(result, "verdicts",
                          telemetry->verdicts ? cJSON_Duplicate(telemetry->verdicts, true) : cJSON_CreateObject());
    cJSON *lists = cJSON_AddArrayToObject(result, "lists");
    for (uint32_t i = 0; i < state->list_count; i++)
        cJSON_AddItemToArray(lists, list_json(&state->lists[i].list, clock_wall_s()));
    return result;
}
