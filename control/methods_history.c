/* status.history: what the log still holds of one subject. */
#include <stdio.h>

#include "control/encoding.h"
#include "control/service.h"
#include "control/status_json.h"

/* The latest so many are told; a subject has no more in practice. */
#define HISTORY_MAX 1000

static void add_changes(cJSON *changes, const struct log_record *record, const uint8_t key[SUBJECT_KEY_SIZE],
                        uint64_t *left_out)
{
    struct subject_record subject;
    for (size_t at = 0; at + sizeof subject <= record->payload.length; at += sizeof subject) {
        memcpy(&subject, record->payload.data + at, sizeof subject);
        if (memcmp(subject.key, key, SUBJECT_KEY_SIZE) != 0)
            continue;
        cJSON *change = subject_record_json(&subject);
        cJSON_AddNumberToObject(change, "sequence", (double)record->sequence);
        cJSON_AddItemToArray(changes, change);
        if (cJSON_GetArraySize(changes) > HISTORY_MAX) {
            cJSON_DeleteItemFromArray(changes, 0);
            ++*left_out;
        }
    }
}

/* {"changes": [change with "sequence", …], "since": the first record that the log still holds, …}. */
static cJSON *read_history(const char *store, const uint8_t key[SUBJECT_KEY_SIZE], struct reply *reply)
{
    struct log_reader *reader;
    struct log_record record;
    enum log_status status;
    uint64_t since = 0, left_out = 0;
    if (log_reader_open(store, &reader, reply->error, sizeof reply->error) != LOG_OK)
        return NULL;
    cJSON *result = cJSON_CreateObject(), *changes = cJSON_AddArrayToObject(result, "changes");
    while ((status = log_reader_next(reader, &record)) == LOG_OK) {
        if (since == 0)
            since = record.sequence;
        if (record.type == LOG_SUBJECT)
            add_changes(changes, &record, key, &left_out);
    }
    cJSON_AddNumberToObject(result, "since", (double)since);
    cJSON_AddNumberToObject(result, "left_out", (double)left_out);
    if (status != LOG_END) {
        snprintf(reply->error, sizeof reply->error, "%s", log_reader_error(reader));
        cJSON_Delete(result);
        result = NULL;
    }
    log_reader_close(reader);
    return result;
}

cJSON *method_status_history(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"issuer", "subject", NULL};
    uint8_t key[SUBJECT_KEY_SIZE];
    json_known_members(params, known, &reply->problems);
    if (!service_subject_key(service, params, key, &reply->problems))
        return NULL;
    cJSON *result = read_history(service->journal.store, key, reply);
    struct subject_record record;
    if (!result)
        return NULL;
    switch (journal_subject(&service->journal, key, &record)) {
    case SUBJECT_FOUND:
        cJSON_AddItemToObject(result, "in_force", subject_record_json(&record));
        break;
    case SUBJECT_ABSENT:
        cJSON_AddNullToObject(result, "in_force");
        break;
    default:
        snprintf(reply->error, sizeof reply->error, "the store could not be read");
        cJSON_Delete(result);
        result = NULL;
    }
    return result;
}
