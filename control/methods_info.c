/* info. */
#include "control/overview.h"

cJSON *method_info(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {NULL};
    struct telemetry telemetry;
    if (!json_known_members(params, known, &reply->problems))
        return NULL;
    telemetry_read(service->config->control.telemetry, &telemetry);
    cJSON *result = overview_json(service, &telemetry);
    telemetry_free(&telemetry);
    return result;
}
