/* status.set_list, status.set_subjects, status.get, status.lists. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "control/encoding.h"
#include "control/lists_json.h"
#include "control/service.h"
#include "control/status_json.h"
#include "dataplane/clock.h"
#include "keys/status_token.h"

#define LIST_TTL_DEFAULT_S (24 * 3600u)
#define LIST_LIFE_DEFAULT_S (30 * 24 * 3600u)

struct list_change {
    char uri[CREDENTIAL_URI_MAX + 1], issuer[CREDENTIAL_ISSUER_MAX + 1];
    uint64_t ttl_s, life_s;
    uint32_t count;
    uint64_t index_max;
    uint8_t entries[SERVICE_ITEMS_MAX * STATUS_CHANGE_ENTRY_SIZE];
};

static void read_entry(const struct json_place *index, const struct json_place *value, struct list_change *out,
                       struct json_problems *problems)
{
    uint64_t number = 0;
    unsigned chosen = 0;
    json_uint(index, 0, STATUS_LIST_ENTRIES_MAX - 1, &number, problems);
    json_choice(value, status_value_names, &chosen, problems);
    status_change_put(out->entries, out->count++, (uint32_t)number, (enum status_value)chosen);
    if (number > out->index_max)
        out->index_max = number;
}

/* Many entries at once: [{"index": …, "value": …}, …]. */
static void read_entries(const struct json_place *entries, struct list_change *out, struct json_problems *problems)
{
    static const char *const known[] = {"index", "value", NULL};
    if (!json_is_array(entries, problems))
        return;
    int items = cJSON_GetArraySize(entries->value);
    if (items < 1 || items > SERVICE_ITEMS_MAX) {
        json_refuse(problems, entries, "1 to %d entries are wanted", SERVICE_ITEMS_MAX);
        return;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, entries->value)
    {
        struct json_place place = json_item(entries, item, out->count);
        if (!json_is_object(&place, problems))
            return;
        struct json_place index = json_member(&place, "index"), value = json_member(&place, "value");
        json_known_members(&place, known, problems);
        read_entry(&index, &value, out, problems);
    }
}

static bool read_list_change(const struct json_place *params, struct list_change *out, struct json_problems *problems)
{
    static const char *const known[] = {"list", "index", "value", "entries", "issuer", "ttl", "life", NULL};
    static const char *const known_many[] = {"list", "entries", "issuer", "ttl", "life", NULL};
    struct json_place list = json_member(params, "list"), index = json_member(params, "index");
    struct json_place value = json_member(params, "value"), issuer = json_member(params, "issuer");
    struct json_place entries = json_member(params, "entries"), ttl = json_member(params, "ttl"),
                      life = json_member(params, "life");
    memset(out, 0, sizeof *out);
    json_known_members(params, entries.value ? known_many : known, problems);
    if (json_copy_text(&list, out->uri, sizeof out->uri, problems) && !out->uri[0])
        json_refuse(problems, &list, "is empty");
    if (entries.value)
        read_entries(&entries, out, problems);
    else
        read_entry(&index, &value, out, problems);
    if (issuer.value)
        json_copy_text(&issuer, out->issuer, sizeof out->issuer, problems);
    if (ttl.value)
        json_uint(&ttl, 1, UINT32_MAX, &out->ttl_s, problems);
    if (life.value)
        json_uint(&life, 1, UINT32_MAX, &out->life_s, problems);
    return problems->refused == 0;
}

static bool append_list(struct service *service, const struct status_list *list, struct reply *reply)
{
    static uint8_t room[STATUS_LIST_ENCODED_MAX];
    size_t size = status_list_encode(list, room, sizeof room);
    if (size == 0) {
        snprintf(reply->error, sizeof reply->error, "the list does not fit a record");
        return false;
    }
    return journal_append(&service->journal, LOG_STATUS_LIST, (struct bytes){room, size}, reply->error,
                          sizeof reply->error);
}

static bool token_error(struct reply *reply, enum status_token_error error)
{
    if (error != STATUS_TOKEN_OK)
        snprintf(reply->error, sizeof reply->error, "status list token: %s", status_token_error_text(error));
    return error != STATUS_TOKEN_OK;
}

/* A Status List Token in CWT form, as hexadecimal. */
static bool open_token(struct service *service, struct bytes token, struct status_list *out, struct reply *reply)
{
    static uint8_t bits[STATUS_LIST_BYTES_MAX];
    struct status_token parsed;
    char uri[CREDENTIAL_URI_MAX + 1];
    if (token_error(reply, status_token_parse(token, &parsed)))
        return false;
    const struct issuer_key *key = state_key(&service->journal.state, parsed.cose.kid);
    if (!key || parsed.uri.length >= sizeof uri) {
        snprintf(reply->error, sizeof reply->error, "status list token: %s", key ? "uri too long" : "key unknown");
        return false;
    }
    snprintf(uri, sizeof uri, "%.*s", (int)parsed.uri.length, (const char *)parsed.uri.data);
    const struct state_list *known = state_list(&service->journal.state, uri);
    return !token_error(reply, status_token_open(&parsed, key, (struct bytes){NULL, 0}, clock_wall_s(),
                                                 known ? known->list.iat_s : 0, bits, out));
}

cJSON *method_status_import_list(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"token", NULL};
    static uint8_t token[STATUS_TOKEN_SIZE_MAX];
    struct json_place place = json_member(params, "token");
    struct status_list list;
    const char *hex;
    json_known_members(params, known, &reply->problems);
    if (!json_text(&place, 2, 2 * sizeof token, &hex, &reply->problems))
        return NULL;
    size_t size = strlen(hex) / 2;
    if (!hex_decode(bytes_of_text(hex), token, size)) {
        json_refuse(&reply->problems, &place, "hexadecimal is wanted");
        return NULL;
    }
    if (!open_token(service, (struct bytes){token, size}, &list, reply) || !append_list(service, &list, reply))
        return NULL;
    return list_json(&list, clock_wall_s());
}

/* A list that nobody signed begins with every other entry valid, as the operator's own. */
static bool append_new_list(struct service *service, const struct status_change *change, const char *issuer,
                            struct reply *reply)
{
    static uint8_t bits[STATUS_LIST_BYTES_MAX];
    struct status_list list = {.entries = STATUS_LIST_ENTRIES_MAX, .bits = bits};
    memset(bits, 0, sizeof bits);
    memcpy(list.uri, change->uri, sizeof list.uri);
    snprintf(list.issuer, sizeof list.issuer, "%s", issuer);
    bool fits = status_change_apply(change, &list, bits);
    assert(fits && "indices were checked against the longest list");
    return append_list(service, &list, reply);
}

static bool append_list_change(struct service *service, const struct status_change *change, struct reply *reply)
{
    static uint8_t room[STATUS_CHANGE_ENCODED_MAX(SERVICE_ITEMS_MAX)];
    size_t size = status_change_encode(change, room, sizeof room);
    assert(size > 0 && "every change fits its room");
    return journal_append(&service->journal, LOG_LIST_CHANGE, (struct bytes){room, size}, reply->error,
                          sizeof reply->error);
}

/* The change as the log has it. It makes the list as young as it is itself, and never older. */
static struct status_change change_of(const struct list_change *asked, const struct state_list *known, uint64_t now_s)
{
    struct status_change change = {.iat_s = now_s,
                                   .exp_s = now_s + LIST_LIFE_DEFAULT_S,
                                   .ttl_s = LIST_TTL_DEFAULT_S,
                                   .count = asked->count,
                                   .entries = asked->entries};
    memcpy(change.uri, asked->uri, sizeof change.uri);
    if (known) {
        change.iat_s = known->list.iat_s > now_s ? known->list.iat_s : now_s;
        change.exp_s = known->list.exp_s;
        change.ttl_s = known->list.ttl_s;
    }
    if (asked->life_s > 0)
        change.exp_s = now_s + asked->life_s;
    if (asked->ttl_s > 0)
        change.ttl_s = (uint32_t)asked->ttl_s;
    return change;
}

cJSON *method_status_set_list(struct service *service, const struct json_place *params, struct reply *reply)
{
    static struct list_change change;
    const struct state *state = &service->journal.state;
    uint64_t now_s = clock_wall_s();
    if (!read_list_change(params, &change, &reply->problems))
        return NULL;
    const struct state_list *known = state_list(state, change.uri);
    struct json_place issuer = json_member(params, "issuer");
    struct json_place place = json_member(params, json_member(params, "entries").value ? "entries" : "index");
    if (!known && !change.issuer[0])
        json_refuse(&reply->problems, &issuer, "the list is new: whose is it?");
    else if (known && change.issuer[0] && strcmp(change.issuer, known->list.issuer) != 0)
        json_refuse(&reply->problems, &issuer, "the list is %s's", known->list.issuer);
    else if (known && change.index_max >= known->list.entries)
        json_refuse(&reply->problems, &place, "the list has %u entries", known->list.entries);
    if (reply->problems.refused > 0)
        return NULL;
    struct status_change record = change_of(&change, known, now_s);
    if (!(known ? append_list_change(service, &record, reply)
                : append_new_list(service, &record, change.issuer, reply)))
        return NULL;
    cJSON *result = list_json(&state_list(state, change.uri)->list, now_s);
    const cJSON *index = json_member(params, "index").value, *value = json_member(params, "value").value;
    if (index) {
        cJSON_AddNumberToObject(result, "index", index->valuedouble);
        cJSON_AddStringToObject(result, "value", value->valuestring);
    } else {
        cJSON_AddNumberToObject(result, "count", change.count);
    }
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
        cJSON_AddItemToArray(lists, list_json(&service->journal.state.lists[i].list, now_s));
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
            subject_key(store_identity(service->journal.subjects)->hash_key, bytes_of_text(change.issuer),
                        change.subject, change.record.key);
            records[(*count)++] = change.record;
        }
    if (records && problems->refused == 0)
        return records;
    free(records);
    return NULL;
}

/* Of a single change: the state that it made, or the later one that it left in force, with a count of 0. A removal is
 * in force where nothing is found. Where the store cannot be read, what was taken is all that can be told. */
static void add_state(struct service *service, const struct subject_record *change, cJSON *result)
{
    struct subject_record now;
    enum subject_found found = journal_subject(&service->journal, change->key, &now);
    bool removal = change->flags & SUBJECT_REMOVED;
    bool later = found == SUBJECT_FOUND ? now.version > change->version : found == SUBJECT_ABSENT && !removal;
    if (later)
        cJSON_ReplaceItemInObjectCaseSensitive(result, "count", cJSON_CreateNumber(0));
    if (found != SUBJECT_FAILED)
        cJSON_AddBoolToObject(result, "older", later);
    if (later && found == SUBJECT_ABSENT)
        cJSON_AddNullToObject(result, "status");
    else
        cJSON_AddItemToObject(result, "status", subject_record_json(later ? &now : change));
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
            add_state(service, &records[0], result);
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
    cJSON *result = list_json(&list->list, clock_wall_s());
    cJSON_AddNumberToObject(result, "index", (double)index);
    cJSON_AddStringToObject(result, "value", status_value_names[status_list_get(&list->list, index)]);
    return result;
}

bool service_subject_key(const struct service *service, const struct json_place *params, uint8_t key[SUBJECT_KEY_SIZE],
                         struct json_problems *problems)
{
    struct json_place issuer = json_member(params, "issuer"), subject = json_member(params, "subject");
    const char *name, *hex;
    uint8_t bytes[SUBJECT_SIZE];
    json_text(&issuer, 1, CREDENTIAL_ISSUER_MAX, &name, problems);
    if (json_text(&subject, 1, 64, &hex, problems) && !hex_decode(bytes_of_text(hex), bytes, sizeof bytes))
        json_refuse(problems, &subject, "%d hexadecimal digits are wanted", 2 * SUBJECT_SIZE);
    if (problems->refused > 0)
        return false;
    subject_key(store_identity(service->journal.subjects)->hash_key, bytes_of_text(name), bytes, key);
    return true;
}

static cJSON *get_subject(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"issuer", "subject", NULL};
    uint8_t key[SUBJECT_KEY_SIZE];
    json_known_members(params, known, &reply->problems);
    if (!service_subject_key(service, params, key, &reply->problems))
        return NULL;
    struct subject_record record;
    switch (journal_subject(&service->journal, key, &record)) {
    case SUBJECT_FOUND:
        return subject_record_json(&record);
    case SUBJECT_ABSENT:
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
