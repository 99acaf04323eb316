/* /metrics: Prometheus text format 0.0.4. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/overview.h"
#include "dataplane/clock.h"
#include "dataplane/reasons.h"

static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
    put_head(out, name, "gauge", help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void put_counter(FILE *out, const char *name, const char *help, uint64_t value)
{
    put_head(out, name, "counter", help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

/* A label's value: backslash, quote and line end are escaped. */
static void put_label_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            fputc('\\', out);
        if (*text == '\n')
            fputs("\\n", out);
        else
            fputc(*text, out);
    }
}

static uint64_t count_of(const cJSON *number)
{
    return cJSON_IsNumber(number) && number->valuedouble >= 0 ? (uint64_t)number->valuedouble : 0;
}

static void put_reasons(FILE *out, const cJSON *counters)
{
    put_head(out, "chengmen_requests_total", "counter", "Frames by the reason they ended with.");
    const cJSON *counter;
    enum reason reason;
    cJSON_ArrayForEach(counter, counters) if (reason_from_name(counter->string, &reason))
        fprintf(out, "chengmen_requests_total{reason=\"%s\"} %" PRIu64 "\n", counter->string, count_of(counter));
}

/* The sums beside the reasons, whatever the dataplane of this version counts. */
static void put_sums(FILE *out, const cJSON *counters)
{
    const cJSON *counter;
    enum reason reason;
    cJSON_ArrayForEach(counter, counters)
    {
        char name[96];
        size_t length = strlen(counter->string);
        bool gauge = length > 4 && strcmp(counter->string + length - 4, "_now") == 0;
        if (!cJSON_IsNumber(counter) || reason_from_name(counter->string, &reason))
            continue;
        snprintf(name, sizeof name, "chengmen_%s%s", counter->string, gauge ? "" : "_total");
        (gauge ? put_gauge : put_counter)(out, name, "Counted by the dataplane's workers.", count_of(counter));
    }
}

static void put_verdicts(FILE *out, const cJSON *verdicts)
{
    put_head(out, "chengmen_verdicts_total", "counter", "Verdicts given.");
    const cJSON *verdict;
    enum verdict known;
    cJSON_ArrayForEach(verdict, verdicts) if (verdict_from_name(verdict->string, &known))
        fprintf(out, "chengmen_verdicts_total{verdict=\"%s\"} %" PRIu64 "\n", verdict->string, count_of(verdict));
}

static void put_info(FILE *out, const cJSON *info)
{
    const cJSON *engine = cJSON_GetObjectItemCaseSensitive(info, "engine"), *member;
    put_head(out, "chengmen_info", "gauge", "Version and signature engine.");
    fputs("chengmen_info{version=\"" CHENGMEN_VERSION "\",engine=\"", out);
    put_label_text(out, cJSON_IsString(engine) ? engine->valuestring : "");
    fputs("\"} 1\n", out);
    cJSON_ArrayForEach(member, info)
    {
        char name[96];
        if (!cJSON_IsNumber(member))
            continue;
        snprintf(name, sizeof name, "chengmen_dataplane_%s", member->string);
        put_gauge(out, name, "Told by the dataplane.", count_of(member));
    }
}

static void put_lists(FILE *out, const struct state *state)
{
    uint64_t now_s = clock_wall_s();
    put_head(out, "chengmen_status_list_age_seconds", "gauge", "Age of a status list.");
    for (uint32_t i = 0; i < state->list_count; i++) {
        const struct status_list *list = &state->lists[i].list;
        fputs("chengmen_status_list_age_seconds{list=\"", out);
        put_label_text(out, list->uri);
        fprintf(out, "\"} %" PRIu64 "\n", now_s > list->iat_s ? now_s - list->iat_s : 0);
    }
    put_head(out, "chengmen_status_list_expiry_seconds", "gauge", "When a status list expires, since 1970.");
    for (uint32_t i = 0; i < state->list_count; i++) {
        fputs("chengmen_status_list_expiry_seconds{list=\"", out);
        put_label_text(out, state->lists[i].list.uri);
        fprintf(out, "\"} %" PRIu64 "\n", state->lists[i].list.exp_s);
    }
}

static void put_control(FILE *out, const struct service *service)
{
    const struct state *state = &service->journal.state;
    uint64_t now_s = clock_wall_s();
    const struct state_rules *rules = state_rules_last(state), *now = state_rules_at(state, now_s);
    struct log_writer_info log;
    log_writer_info(service->journal.log, &log);
    put_gauge(out, "chengmen_keys", "Issuer keys, retired ones with them.", state->key_count);
    put_gauge(out, "chengmen_points", "Scanning points.", state->point_count);
    put_gauge(out, "chengmen_rules_version", "Version of the rules applied last.", rules ? rules->version : 0);
    put_gauge(out, "chengmen_rules_version_in_force", "Version of the rules that decide now; 0: none.",
              now && now->to_s > now_s ? now->version : 0);
    put_gauge(out, "chengmen_log_sequence", "Last durable record of the log.", log.durable);
    put_gauge(out, "chengmen_log_segments", "Segments of the log.", log.segments);
    put_gauge(out, "chengmen_log_space_low", "1: disk space for the log is short.", log.space_low);
    put_gauge(out, "chengmen_fold_failed", "1: the last fold failed, so the log grows.",
              service->journal.fold_error[0] != 0);
    put_counter(out, "chengmen_subject_changes_total", "Subject changes in the log.", state->subject_changes);
    put_counter(out, "chengmen_control_calls_total", "Calls to the control daemon.", service->calls);
    put_counter(out, "chengmen_control_refusals_total", "Calls that were refused.", service->refusals);
}

char *overview_metrics(const struct service *service, const struct telemetry *telemetry)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    put_gauge(out, "chengmen_dataplane_up", "1: the dataplane answers.", telemetry->info != NULL);
    put_info(out, telemetry->info);
    put_reasons(out, telemetry->counters);
    put_sums(out, telemetry->counters);
    put_verdicts(out, telemetry->verdicts);
    put_control(out, service);
    put_lists(out, &service->journal.state);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
