#include "control/status_json.h"

#include <stdio.h>

#include "control/encoding.h"
#include "control/times.h"

#define VERSION_MAX JSON_INTEGER_MAX
#define DAY_MAX 65535

static const char *const colours[] = {"green", "yellow", "red", NULL};
const char *const status_value_names[] = {"valid", "invalid", "suspended", "application", NULL};

static void take_subject(const struct json_place *document, struct subject_change *out, struct json_problems *problems)
{
    struct json_place issuer = json_member(document, "issuer"), subject = json_member(document, "subject");
    const char *text;
    if (json_copy_text(&issuer, out->issuer, sizeof out->issuer, problems) && !out->issuer[0])
        json_refuse(problems, &issuer, "is empty");
    if (json_text(&subject, 1, 128, &text, problems) &&
        !hex_decode(bytes_of_text(text), out->subject, sizeof out->subject))
        json_refuse(problems, &subject, "%d hexadecimal digits are wanted", 2 * SUBJECT_SIZE);
}

static uint64_t take_number(const struct json_place *document, const char *name, uint64_t most, uint64_t initial,
                            struct json_problems *problems)
{
    struct json_place place = json_member(document, name);
    uint64_t number = initial;
    if (place.value)
        json_uint(&place, 0, most, &number, problems);
    return number;
}

static bool take_flag(const struct json_place *document, const char *name, struct json_problems *problems)
{
    struct json_place place = json_member(document, name);
    bool flag = false;
    if (place.value)
        json_bool(&place, &flag, problems);
    return flag;
}

static void take_arrival(const struct json_place *document, struct subject_record *record,
                         struct json_problems *problems)
{
    struct json_place place = json_member(document, "arrival");
    const char *text = cJSON_GetStringValue(place.value);
    if (!place.value)
        return;
    record->flags |= SUBJECT_HAS_ARRIVAL;
    if (!text)
        record->arrival_day = (uint32_t)take_number(document, "arrival", DAY_MAX, 0, problems);
    else if (!day_from_text(text, &record->arrival_day) || record->arrival_day > DAY_MAX)
        json_refuse(problems, &place, "a day is wanted: \"2020-03-01\" or days since 1970");
}

bool subject_change_read(const struct json_place *document, uint64_t now_s, uint64_t now_us, struct subject_change *out,
                         struct json_problems *problems)
{
    static const char *const known[] = {"issuer",     "subject",    "colour", "since",   "until",  "arrival",
                                        "key_region", "occupation", "reason", "version", "remove", NULL};
    struct subject_record *record = &out->record;
    size_t before = problems->refused;
    memset(out, 0, sizeof *out);
    if (!json_is_object(document, problems))
        return false;
    json_known_members(document, known, problems);
    take_subject(document, out, problems);
    record->version = take_number(document, "version", VERSION_MAX, now_us, problems);
    struct json_place colour = json_member(document, "colour"), until = json_member(document, "until");
    struct json_place occupation = json_member(document, "occupation");
    if (take_flag(document, "remove", problems)) {
        record->flags = SUBJECT_REMOVED;
        if (colour.value)
            json_refuse(problems, &colour, "a removed subject has no colour");
        return problems->refused == before;
    }
    unsigned chosen = 0;
    json_choice(&colour, colours, &chosen, problems);
    record->colour = (uint8_t)chosen;
    record->since_s = (uint32_t)take_number(document, "since", UINT32_MAX, now_s, problems);
    record->until_s = (uint32_t)take_number(document, "until", UINT32_MAX, 0, problems);
    record->reason = (uint8_t)take_number(document, "reason", UINT8_MAX, 0, problems);
    if (until.value)
        record->flags |= SUBJECT_HAS_UNTIL;
    if (take_flag(document, "key_region", problems))
        record->flags |= SUBJECT_KEY_REGION;
    take_arrival(document, record, problems);
    if (occupation.value)
        json_copy_text(&occupation, record->occupation, sizeof record->occupation, problems);
    return problems->refused == before;
}

cJSON *subject_record_json(const struct subject_record *record)
{
    cJSON *out = cJSON_CreateObject();
    char version[24]; /* as digits: a number of this size would be printed with an exponent */
    snprintf(version, sizeof version, "%llu", (unsigned long long)record->version);
    cJSON_AddRawToObject(out, "version", version);
    if (record->flags & SUBJECT_REMOVED) {
        cJSON_AddTrueToObject(out, "removed");
        return out;
    }
    cJSON_AddStringToObject(out, "colour", colours[record->colour <= COLOUR_RED ? record->colour : COLOUR_RED]);
    cJSON_AddNumberToObject(out, "reason", record->reason);
    cJSON_AddNumberToObject(out, "since", record->since_s);
    if (record->flags & SUBJECT_HAS_UNTIL)
        cJSON_AddNumberToObject(out, "until", record->until_s);
    if (record->flags & SUBJECT_HAS_ARRIVAL)
        cJSON_AddNumberToObject(out, "arrival", record->arrival_day);
    cJSON_AddBoolToObject(out, "key_region", record->flags & SUBJECT_KEY_REGION);
    if (record->occupation[0])
        cJSON_AddStringToObject(out, "occupation", record->occupation);
    return out;
}
