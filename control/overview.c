#include "control/overview.h"

#include <stdio.h>

#include "control/lists_json.h"
#include "dataplane/clock.h"
#include "dataplane/reasons.h"

/* What the operator should look at, in words. */
static void add_warning(cJSON *warnings, const char *format, const char *name)
{
    char text[512];
    snprintf(text, sizeof text, format, name);
    cJSON_AddItemToArray(warnings, cJSON_CreateString(text));
}

static void add_warnings(cJSON *result, const struct service *service, const struct telemetry *telemetry,
                         const struct log_writer_info *log)
{
    const struct state *state = &service->journal.state;
    cJSON *warnings = cJSON_AddArrayToObject(result, "warnings");
    if (!telemetry->info)
        add_warning(warnings, "the dataplane does not answer on %s", service->config->control.telemetry);
    const cJSON *reading = cJSON_GetObjectItemCaseSensitive(telemetry->info, "store_reading");
    if (reading && reading->valuedouble == 0)
        add_warning(warnings, "the dataplane cannot read the store%s", "");
    if (state->key_count == 0)
        add_warning(warnings, "no issuer key is in force%s", "");
    if (state->rules_count == 0)
        add_warning(warnings, "no rules are in force: every verdict is REFER%s", "");
    if (log->space_low)
        add_warning(warnings, "disk space for the log is short in %s", service->journal.store);
    for (uint32_t i = 0; i < state->list_count; i++) {
        const struct status_list *list = &state->lists[i].list;
        enum list_freshness freshness = list_freshness(list, clock_wall_s());
        if (freshness != LIST_FRESH)
            add_warning(warnings, freshness == LIST_EXPIRED ? "status list %s has expired" : "status list %s is old",
                        list->uri);
    }
}

static void add_rules(cJSON *result, const struct state *state)
{
    const struct state_rules *rules = state_rules_in_force(state);
    cJSON *object = cJSON_AddObjectToObject(result, "rules");
    cJSON_AddNumberToObject(object, "kept", state->rules_count);
    if (rules) {
        cJSON_AddNumberToObject(object, "sequence", (double)rules->sequence);
        cJSON_AddNumberToObject(object, "version", rules->version);
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
