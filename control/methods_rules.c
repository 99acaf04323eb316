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

/* What applying a set would find of it: a version names one content for good, and only `rules rollback` goes back. */
enum known { KNOWN_NOT, KNOWN_LAST, KNOWN_REFUSED };

static enum known find_version(const struct state *state, const struct json_place *text, uint32_t version,
                               struct bytes program, struct json_problems *problems)
{
    const struct state_rules *last = state_rules_last(state);
    if (last && last->version == version && bytes_equal((struct bytes){last->program, last->size}, program))
        return KNOWN_LAST;
    for (uint32_t i = 0; i < state->rules_count; i++) {
        const struct state_rules *known = &state->rules[i];
        if (version > known->version)
            continue;
        struct json_place place = json_member(text, "version");
        json_refuse(problems, &place,
                    "version %u was applied before: this file has %u and must have a later one (`rules rollback` goes "
                    "back)",
                    known->version, version);
        return KNOWN_REFUSED;
    }
    return KNOWN_NOT;
}

static void add_time(cJSON *object, const char *name, uint64_t time_s)
{
    char text[TIME_TEXT_SIZE];
    if (time_s == 0 || time_s == UINT64_MAX)
        return;
    time_to_text(time_s, text);
    cJSON_AddStringToObject(object, name, text);
}

/* What the set is once it is applied. */
static void add_standing(cJSON *out, const struct rules_summary *summary)
{
    uint64_t now_s = clock_wall_s();
    bool waits = summary->from_s > now_s, ended = summary->to_s <= now_s;
    cJSON_AddStringToObject(out, "state", waits ? "waits" : ended ? "expired" : "in force");
    add_time(out, waits ? "waits_until" : "ends", waits ? summary->from_s : summary->to_s);
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
    add_standing(out, summary);
    return out;
}

static void add_changes(cJSON *result, const struct state *state, const char *text)
{
    const struct state_rules *before = state_rules_last(state);
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
    enum known found = find_version(&service->journal.state, &text_place, summary.version, compiled, &reply->problems);
    bool changes = found == KNOWN_NOT && !dry;
    add_changes(result, &service->journal.state, text);
    bool ok = found != KNOWN_REFUSED && (!changes || append_rules(service, text, compiled, reply));
    free(program);
    cJSON_AddBoolToObject(result, "applied", changes);
    cJSON_AddBoolToObject(result, "known", found == KNOWN_LAST);
    cJSON_AddNumberToObject(result, "sequence", (double)service->journal.state.sequence);
    if (ok)
        return result;
    cJSON_Delete(result);
    return NULL;
}

static cJSON *history_json(const struct state *state)
{
    cJSON *history = cJSON_CreateArray();
    for (uint32_t i = 0; i < state->rules_count; i++) {
        const struct state_rules *rules = &state->rules[i];
        cJSON *row = cJSON_CreateObject();
        cJSON_AddNumberToObject(row, "version", rules->version);
        cJSON_AddNumberToObject(row, "sequence", (double)rules->sequence);
        cJSON_AddStringToObject(row, "state", state_rules_standing(state, i, clock_wall_s()));
        add_time(row, "from", rules->from_s);
        add_time(row, "to", rules->to_s);
        cJSON_AddItemToArray(history, row);
    }
    return history;
}

/* The rules applied last, or those that the record `sequence` brought. */
cJSON *method_rules_show(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"sequence", NULL};
    const struct state *state = &service->journal.state;
    const struct state_rules *shown = state_rules_last(state);
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

/* The set before the one applied last. What was gone back from does not count: the last one stands where its version
 * was first applied, and further back there are only earlier versions. NULL where none is kept. */
static const struct state_rules *rules_before(const struct state *state)
{
    const struct state_rules *last = state_rules_last(state);
    uint32_t place = 0;
    while (last && place < state->rules_count && state->rules[place].version != last->version)
        place++;
    while (place-- > 0) {
        /* 0: a program of another release, which does not load */
        uint32_t version = state->rules[place].version;
        if (version != 0 && (last->version == 0 || version < last->version))
            return &state->rules[place];
    }
    return NULL;
}

static const struct state_rules *rules_of_sequence(const struct state *state, uint64_t sequence)
{
    for (uint32_t i = 0; i < state->rules_count; i++)
        if (state->rules[i].sequence == sequence)
            return &state->rules[i];
    return NULL;
}

static bool apply_again(struct service *service, const struct state_rules *rules, struct reply *reply)
{
    /* Copies: the state moves its versions when it takes a new one. */
    char *text = rules->text ? strdup(rules->text) : NULL;
    size_t size = rules->size;
    uint8_t *program = malloc(size + 1);
    bool ok = program && (text || !rules->text);
    if (ok)
        memcpy(program, rules->program, size);
    ok = ok && append_rules(service, text, (struct bytes){program, size}, reply);
    free(text);
    free(program);
    return ok;
}

/* Applies again what `sequence` brought, or the set before the one applied last. */
cJSON *method_rules_rollback(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"sequence", NULL};
    const struct state *state = &service->journal.state;
    struct json_place place = json_member(params, "sequence");
    uint64_t sequence = 0;
    json_known_members(params, known, &reply->problems);
    if (place.value)
        json_uint(&place, 1, JSON_INTEGER_MAX, &sequence, &reply->problems);
    if (reply->problems.refused > 0)
        return NULL;
    const struct state_rules *back = place.value ? rules_of_sequence(state, sequence) : rules_before(state);
    if (!back) {
        const struct state_rules *last = state_rules_last(state);
        if (place.value || !last)
            snprintf(reply->error, sizeof reply->error, "there are no rules to go back to");
        else
            snprintf(reply->error, sizeof reply->error, "no rules before version %u are kept", last->version);
        return NULL;
    }
    uint32_t version = back->version, version_before = state_rules_last(state)->version;
    if (!apply_again(service, back, reply))
        return NULL;
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "version", version);
    cJSON_AddNumberToObject(result, "version_before", version_before);
    cJSON_AddNumberToObject(result, "sequence", (double)state->sequence);
    return result;
}
