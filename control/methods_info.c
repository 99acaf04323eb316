/* info. */
#include "control/service.h"
#include "control/status_json.h"
#include "dataplane/clock.h"

cJSON *method_info(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {NULL};
    if (!json_known_members(params, known, &reply->problems))
        return NULL;
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
    cJSON_AddNumberToObject(counts, "subjects_in_memory", (double)overlay_count(service->journal.overlay));
    cJSON *place = cJSON_AddObjectToObject(result, "log");
    cJSON_AddNumberToObject(place, "first", (double)log.first);
    cJSON_AddNumberToObject(place, "last", (double)log.last);
    cJSON_AddNumberToObject(place, "durable", (double)log.durable);
    cJSON_AddNumberToObject(place, "segments", (double)log.segments);
    cJSON_AddBoolToObject(place, "space_low", log.space_low);
    return result;
}
