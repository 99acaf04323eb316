/* status.set_list, status.set_subjects, status.get, status.lists. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "control/encoding.h"
#include "control/service.h"
#include "control/status_json.h"
#include "dataplane/clock.h"

#define LIST_TTL_DEFAULT_S (24 * 3600u)
#define LIST_LIFE_DEFAULT_S (30 * 24 * 3600u)

static cJSON *list_json(const struct state_list *list, uint64_t now_s)
{
    cJSON *out = cJSON_CreateObject();
    cJSON_AddStringToObject(out, "list", list->list.uri);
    cJSON_AddStringToObject(out, "issuer", list->list.issuer);
    cJSON_AddNumberToObject(out, "entries", list->list.entries);
    cJSON_AddNumberToObject(out, "iat", (double)list->list.iat_s);
    cJSON_AddNumberToObject(out, "exp", (double)list->list.exp_s);
    cJSON_AddNumberToObject(out, "ttl", list->list.ttl_s);
    uint64_t age_s = now_s > list->list.iat_s ? now_s - list->list.iat_s : 0;
    cJSON_AddNumberToObject(out, "age", (double)age_s);
    const char *freshness = now_s >= list->list.exp_s ? "expired" : age_s > list->list.ttl_s ? "stale" : "fresh";
    cJSON_AddStringToObject(out, "freshness", freshness);
    return out;
}

/* A list that nobody signed: every entry valid, as the operator's own. */
static struct state_list *make_list(struct service *service, const char *uri, const char *issuer, uint64_t now_s,
                                    struct reply *reply)
{
    static uint8_t bits[STATUS_LIST_BYTES_MAX];
    static uint8_t room[STATUS_LIST_ENCODED_MAX];
    struct status_list list = {.iat_s = now_s,
                               .exp_s = now_s + LIST_LIFE_DEFAULT_S,
                               .ttl_s = LIST_TTL_DEFAULT_S,
                               .entries = STATUS_LIST_ENTRIES_MAX,
                               .bits = bits};
    snprintf(list.uri, sizeof list.uri, "%s", uri);
    snprintf(list.issuer, sizeof list.issuer, "%s", issuer);
    size_t size = status_list_encode(&list, room, sizeof room);
    if (size == 0) {
        snprintf(reply->error, sizeof reply->error, "the list does not fit a record");
        return NULL;
    }
    if (!journal_append(&service->journal, LOG_STATUS_LIST, (struct bytes){room, size}, reply->error,
                        sizeof reply->error))
        return NULL;
    return state_list(&service->journal.state, uri);
}

struct list_change {
    char uri[CREDENTIAL_URI_MAX + 1], issuer[CREDENTIAL_ISSUER_MAX + 1];
    uint64_t index, ttl_s, life_s;
    unsigned value;
};

static bool read_list_change(const struct json_place *params, struct list_change *out, struct json_problems *problems)
{
    static const char *const known[] = {"list", "index", "value", "issuer", "ttl", "life", NULL};
    struct json_place list = json_member(params, "list"), index = json_member(params, "index");
    struct json_place value = json_member(params, "value"), issuer = json_member(params, "issuer");
    struct json_place ttl = json_member(params, "ttl"), life = json_member(params, "life");
    memset(out, 0, sizeof *out);
    json_known_members(params, known, problems);
    if (json_copy_text(&list, out->uri, sizeof out->uri, problems) && !out->uri[0])
        json_refuse(problems, &list, "is empty");
    json_uint(&index, 0, STATUS_LIST_ENTRIES_MAX - 1, &out->index, problems);
    json_choice(&value, status_value_names, &out->value, problems);
    if (issuer.value)
        json_copy_text(&issuer, out->issuer, sizeof out->issuer, problems);
    if (ttl.value)
        json_uint(&ttl, 1, UINT32_MAX, &out->ttl_s, problems);
    if (life.value)
        json_uint(&life, 1, UINT32_MAX, &out->life_s, problems);
    return problems->refused == 0;
}

cJSON *method_status_set_list(struct service *service, const struct json_place *params, struct reply *reply)
{
    struct list_change change;
    uint64_t now_s = clock_wall_s();
    if (!read_list_change(params, &change, &reply->problems))
        return NULL;
    struct state_list *list = state_list(&service->journal.state, change.uri);
    struct json_place issuer = json_member(params, "issuer"), index = json_member(params, "index");
    if (!list && !change.issuer[0])
        json_refuse(&reply->problems, &issuer, "the list is new: whose is it?");
    else if (list && change.issuer[0] && strcmp(change.issuer, list->list.issuer) != 0)
        json_refuse(&reply->problems, &issuer, "the list is %s's", list->list.issuer);
    else if (list && change.index >= list->list.entries)
        json_refuse(&reply->problems, &index, "the list has %u entries", list->list.entries);
    if (reply->problems.refused > 0)
        return NULL;
    if (!list && !(list = make_list(service, change.uri, change.issuer, now_s, reply)))
        return NULL;
    if (change.ttl_s > 0)
        list->list.ttl_s = (uint32_t)change.ttl_s;
    if (change.life_s > 0)
        list->list.exp_s = now_s + change.life_s;
    journal_set_status(&service->journal, list, change.index, (enum status_value)change.value, now_s);
    cJSON *result = list_json(list, now_s);
    cJSON_AddNumberToObject(result, "index", (double)change.index);
    cJSON_AddStringToObject(result, "value", status_value_names[change.value]);
    return result;
}

cJSON *method_status_lists(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {NULL};
    if (!json_known_members(params, known, &reply->problems))
        return NULL;
    uint64_t now_s = clock_wall_s();
    cJSON *result = cJSON_CreateObject(), *lists = cJSON_AddArrayToObject(result, "lists");
    for (uint32_t i = 0; i < service->journal.state.list_count; i++)
        cJSON_AddItemToArray(lists, list_json(&service->journal.state.lists[i], now_s));
    return result;
}

/* Microseconds since 1970, and always more than before: of two changes, the one that came later wins. */
static uint64_t next_version(struct service *service)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t version = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    if (version <= service->last_version)
        version = service->last_version + 1;
    service->last_version = version;
    return version;
}

/* Reads all changes before anything is appended, so that a call is taken whole or not at all. */
static struct subject_record *read_changes(struct service *service, const struct json_place *document, uint32_t *count,
                                           struct json_problems *problems)
{
    if (!json_is_array(document, problems))
        return NULL;
    int items = cJSON_GetArraySize(document->value);
    if (items < 1 || items > SERVICE_ITEMS_MAX) {
        json_refuse(problems, document, "1 to %d changes are wanted", SERVICE_ITEMS_MAX);
        return NULL;
    }
    struct subject_record *records = calloc((size_t)items, sizeof *records);
    uint64_t now_s = clock_wall_s();
    const cJSON *item;
    *count = 0;
    if (records)
        cJSON_ArrayForEach(item, document->value)
        {
            struct json_place place = json_item(document, item, *count);
            struct subject_change change;
            if (!subject_change_read(&place, now_s, next_version(service), &change, problems))
                break;
            subject_key(service->journal.identity.hash_key, bytes_of_text(change.issuer), change.subject,
                        change.record.key);
            records[(*count)++] = change.record;
        }
    if (records && problems->refused == 0)
        return records;
    free(records);
    return NULL;
}

cJSON *method_status_set_subjects(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"document", NULL};
    struct json_place document = json_member(params, "document");
    uint32_t count;
    json_known_members(params, known, &reply->problems);
    struct subject_record *records = read_changes(service, &document, &count, &reply->problems);
    if (!records)
        return NULL;
    struct bytes payload = {(const uint8_t *)records, count * sizeof *records};
    bool ok = journal_append(&service->journal, LOG_SUBJECT, payload, reply->error, sizeof reply->error);
    cJSON *result = ok ? cJSON_CreateObject() : NULL;
    if (ok) {
        cJSON_AddNumberToObject(result, "count", count);
        cJSON_AddNumberToObject(result, "sequence", (double)service->journal.state.sequence);
        if (count == 1)
            cJSON_AddItemToObject(result, "status", subject_record_json(&records[0]));
    }
    free(records);
    return result;
}

static cJSON *get_entry(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"list", "index", NULL};
    struct json_place uri = json_member(params, "list"), place = json_member(params, "index");
    const char *text;
    uint64_t index = 0;
    json_known_members(params, known, &reply->problems);
    json_text(&uri, 1, CREDENTIAL_URI_MAX, &text, &reply->problems);
    json_uint(&place, 0, STATUS_LIST_ENTRIES_MAX - 1, &index, &reply->problems);
    if (reply->problems.refused > 0)
        return NULL;
    const struct state_list *list = state_list(&service->journal.state, text);
    if (!list || index >= list->list.entries) {
        snprintf(reply->error, sizeof reply->error, list ? "the list is shorter" : "no such list");
        return NULL;
    }
    cJSON *result = list_json(list, clock_wall_s());
    cJSON_AddNumberToObject(result, "index", (double)index);
    cJSON_AddStringToObject(result, "value", status_value_names[status_list_get(&list->list, index)]);
    return result;
}

static cJSON *get_subject(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"issuer", "subject", NULL};
    struct json_place issuer = json_member(params, "issuer"), subject = json_member(params, "subject");
    const char *name, *hex;
    uint8_t bytes[SUBJECT_SIZE], key[SUBJECT_KEY_SIZE];
    json_known_members(params, known, &reply->problems);
    json_text(&issuer, 1, CREDENTIAL_ISSUER_MAX, &name, &reply->problems);
    if (json_text(&subject, 1, 64, &hex, &reply->problems) && !hex_decode(bytes_of_text(hex), bytes, sizeof bytes))
        json_refuse(&reply->problems, &subject, "%d hexadecimal digits are wanted", 2 * SUBJECT_SIZE);
    if (reply->problems.refused > 0)
        return NULL;
    subject_key(service->journal.identity.hash_key, bytes_of_text(name), bytes, key);
    struct subject_record record;
    switch (journal_subject(&service->journal, key, &record)) {
    case JOURNAL_SUBJECT_FOUND:
        return subject_record_json(&record);
    case JOURNAL_SUBJECT_ABSENT:
        snprintf(reply->error, sizeof reply->error, "no record of this subject");
        return NULL;
    default:
        snprintf(reply->error, sizeof reply->error, "the store could not be read");
        return NULL;
    }
}

cJSON *method_status_get(struct service *service, const struct json_place *params, struct reply *reply)
{
    bool entry = json_member(params, "list").value;
    return entry ? get_entry(service, params, reply) : get_subject(service, params, reply);
}
