/* rules.apply, rules.show, rules.rollback. A rule set goes to the log as its text, for people, and its program. */
#include <stdio.h>
#include <stdlib.h>

#include "control/rules_json.h"
#include "control/service.h"
#include "control/times.h"
#include "dataplane/clock.h"
#include "dataplane/rules.h"

static bool append_rules(struct service *service, const char *text, struct bytes program, struct reply *reply)
{
    struct journal *journal = &service->journal;
    return (!text || journal_append(journal, LOG_RULES_TEXT, bytes_of_text(text), reply->error, sizeof reply->error)) &&
           journal_append(journal, LOG_RULES, program, reply->error, sizeof reply->error);
}

/* A version names one content for good; only `rules rollback` goes back. */
static void refuse_version(const struct state *state, const struct json_place *text, uint32_t version,
                           struct bytes program, struct json_problems *problems)
{
    for (uint32_t i = 0; i < state->rules_count; i++) {
        const struct state_rules *known = &state->rules[i];
        bool same = bytes_equal((struct bytes){known->program, known->size}, program);
        if (version < known->version || (version == known->version && !same)) {
            json_refuse(problems, text, "version %u was applied before: this file has %u and must have a later one",
                        known->version, version);
            return;
        }
    }
}

static cJSON *summary_json(const struct rules_summary *summary)
{
    cJSON *out = cJSON_CreateObject();
    cJSON_AddNumberToObject(out, "version", summary->version);
    cJSON_AddNumberToObject(out, "issued", (double)summary->issued_s);
    cJSON_AddNumberToObject(out, "from", (double)summary->from_s);
    cJSON_AddNumberToObject(out, "city_rows", summary->city_rows);
    cJSON_AddNumberToObject(out, "venue_rows", summary->venue_rows);
    cJSON_AddNumberToObject(out, "venues", summary->venues);
    cJSON_AddNumberToObject(out, "equivalences", summary->equivalences);
    cJSON_AddNumberToObject(out, "program_bytes", (double)summary->program_size);
    return out;
}

static void add_changes(cJSON *result, const struct state *state, const char *text)
{
    const struct state_rules *before = state_rules_in_force(state);
    struct json_problems ignored = {0};
    char *lines =
        before && before->text ? rules_diff(bytes_of_text(before->text), bytes_of_text(text), &ignored) : NULL;
    cJSON *list = cJSON_AddArrayToObject(result, "changes");
    for (char *rest = lines, *line; rest && (line = strsep(&rest, "\n"));)
        if (*line)
            cJSON_AddItemToArray(list, cJSON_CreateString(line));
    json_problems_free(&ignored);
    free(lines);
}

cJSON *method_rules_apply(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"text", "dry_run", NULL};
    struct json_place text_place = json_member(params, "text"), dry_place = json_member(params, "dry_run");
    const char *text;
    bool dry = false;
    json_known_members(params, known, &reply->problems);
    if (dry_place.value)
        json_bool(&dry_place, &dry, &reply->problems);
    if (!json_text(&text_place, 2, SERVICE_RULES_TEXT_MAX, &text, &reply->problems) || reply->problems.refused > 0)
        return NULL;
    struct rules_summary summary;
    uint8_t *program = NULL;
    size_t size;
    if (!rules_compile(bytes_of_text(text), false, &summary, &program, &size, &reply->problems))
        return NULL;
    struct bytes compiled = {program, size};
    cJSON *result = summary_json(&summary);
    refuse_version(&service->journal.state, &text_place, summary.version, compiled, &reply->problems);
    add_changes(result, &service->journal.state, text);
    bool ok = reply->problems.refused == 0 && (dry || append_rules(service, text, compiled, reply));
    free(program);
    cJSON_AddBoolToObject(result, "applied", !dry);
    cJSON_AddNumberToObject(result, "sequence", (double)service->journal.state.sequence);
    if (ok)
        return result;
    cJSON_Delete(result);
    return NULL;
}

/* A version and when it counts: two sets may stand side by side, one waiting for its day. What the dataplane makes of
 * the same records (rule_set_pick), told of each. */
struct version_dates {
    uint64_t from_s, to_s;
};

static struct version_dates dates_of(const struct state_rules *version)
{
    char ignored[128];
    struct rule_set *rules = rule_set_load((struct bytes){version->program, version->size}, ignored, sizeof ignored);
    struct version_dates dates = {UINT64_MAX, 0};
    if (rules)
        dates = (struct version_dates){rule_set_from_s(rules), rule_set_to_s(rules)};
    rule_set_free(rules);
    return dates;
}

/* `place` of `count` versions in the order they were applied. */
static const char *state_of(const struct version_dates dates[], uint32_t place, uint32_t count, uint64_t now_s)
{
    if (dates[place].to_s == 0)
        return "does not load";
    for (uint32_t later = place + 1; later < count; later++)
        if (dates[later].from_s <= dates[place].from_s || dates[later].from_s <= now_s || dates[later].to_s == 0)
            return "replaced";
    if (dates[place].from_s > now_s)
        return "waits";
    return dates[place].to_s <= now_s ? "expired" : "in force";
}

static cJSON *history_json(const struct state *state)
{
    struct version_dates dates[STATE_RULES_KEPT];
    cJSON *history = cJSON_CreateArray();
    for (uint32_t i = 0; i < state->rules_count; i++)
        dates[i] = dates_of(&state->rules[i]);
    for (uint32_t i = 0; i < state->rules_count; i++) {
        char text[TIME_TEXT_SIZE];
        cJSON *row = cJSON_CreateObject();
        cJSON_AddNumberToObject(row, "version", state->rules[i].version);
        cJSON_AddNumberToObject(row, "sequence", (double)state->rules[i].sequence);
        cJSON_AddStringToObject(row, "state", state_of(dates, i, state->rules_count, clock_wall_s()));
        if (dates[i].from_s > 0 && dates[i].from_s != UINT64_MAX) {
            time_to_text(dates[i].from_s, text);
            cJSON_AddStringToObject(row, "from", text);
        }
        if (dates[i].to_s > 0 && dates[i].to_s != UINT64_MAX) {
            time_to_text(dates[i].to_s, text);
            cJSON_AddStringToObject(row, "to", text);
        }
        cJSON_AddItemToArray(history, row);
    }
    return history;
}

/* The rules in force, or those that the record `sequence` brought. */
cJSON *method_rules_show(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"sequence", NULL};
    const struct state *state = &service->journal.state;
    const struct state_rules *shown = state_rules_in_force(state);
    struct json_place place = json_member(params, "sequence");
    uint64_t sequence = shown ? shown->sequence : 0;
    json_known_members(params, known, &reply->problems);
    if (place.value && !json_uint(&place, 1, JSON_INTEGER_MAX, &sequence, &reply->problems))
        return NULL;
    for (uint32_t i = 0; i < state->rules_count; i++)
        if (state->rules[i].sequence == sequence)
            shown = &state->rules[i];
    if (!shown || shown->sequence != sequence) {
        snprintf(reply->error, sizeof reply->error, shown ? "no rules with this sequence are kept" : "no rules yet");
        return NULL;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "version", shown->version);
    cJSON_AddNumberToObject(result, "sequence", (double)shown->sequence);
    if (shown->text)
        cJSON_AddStringToObject(result, "text", shown->text);
    cJSON_AddItemToObject(result, "history", history_json(state));
    return result;
}

/* Applies again what `sequence` brought, or what was in force before. */
cJSON *method_rules_rollback(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"sequence", NULL};
    const struct state *state = &service->journal.state;
    struct json_place place = json_member(params, "sequence");
    uint64_t sequence = state->rules_count > 1 ? state->rules[state->rules_count - 2].sequence : 0;
    json_known_members(params, known, &reply->problems);
    if (place.value)
        json_uint(&place, 1, JSON_INTEGER_MAX, &sequence, &reply->problems);
    if (reply->problems.refused > 0)
        return NULL;
    for (uint32_t i = 0; i < state->rules_count; i++) {
        if (state->rules[i].sequence != sequence)
            continue;
        /* Copies: the state moves its versions when it takes a new one. */
        struct state_rules back = state->rules[i];
        char *text = back.text ? strdup(back.text) : NULL;
        uint8_t *program = malloc(back.size + 1);
        bool ok = program && (text || !back.text);
        if (ok)
            memcpy(program, back.program, back.size);
        ok = ok && append_rules(service, text, (struct bytes){program, back.size}, reply);
        free(text);
        free(program);
        cJSON *result = ok ? cJSON_CreateObject() : NULL;
        cJSON_AddNumberToObject(result, "version", back.version);
        cJSON_AddNumberToObject(result, "sequence", (double)state->sequence);
        return result;
    }
    snprintf(reply->error, sizeof reply->error, "there are no rules to go back to");
    return NULL;
}
