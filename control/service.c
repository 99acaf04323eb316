#include "control/service.h"

#include <stdio.h>
#include <stdlib.h>

enum rpc_code {
    RPC_PARSE = -32700,
    RPC_REQUEST = -32600,
    RPC_METHOD = -32601,
    RPC_PARAMS = -32602,
    RPC_REFUSED = -32000, /* ours: well-formed, but cannot be done */
};

static const struct {
    const char *name;
    service_method *call;
} methods[] = {
    {"info", method_info},
    {"key.import", method_key_import},
    {"key.list", method_key_list},
    {"key.retire", method_key_retire},
    {"point.export", method_point_export},
    {"point.import", method_point_import},
    {"point.list", method_point_list},
    {"point.remove", method_point_remove},
    {"point.revoke", method_point_revoke},
    {"point.rotate", method_point_rotate},
    {"rules.apply", method_rules_apply},
    {"rules.rollback", method_rules_rollback},
    {"rules.show", method_rules_show},
    {"status.get", method_status_get},
    {"status.history", method_status_history},
    {"status.import_list", method_status_import_list},
    {"status.lists", method_status_lists},
    {"status.set_list", method_status_set_list},
    {"status.set_subjects", method_status_set_subjects},
};

static service_method *find_method(const char *name)
{
    for (unsigned i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].call;
    return NULL;
}

static cJSON *envelope(const cJSON *id)
{
    cJSON *response = cJSON_CreateObject();
    cJSON_AddStringToObject(response, "jsonrpc", "2.0");
    cJSON_AddItemToObject(response, "id", id ? cJSON_Duplicate(id, false) : cJSON_CreateNull());
    return response;
}

static cJSON *failure(const cJSON *id, enum rpc_code code, const char *message, const struct json_problems *problems)
{
    cJSON *response = envelope(id), *error = cJSON_AddObjectToObject(response, "error");
    const struct json_problem *first = NULL;
    for (size_t i = 0; problems && !first && i < problems->count; i++)
        if (problems->items[i].severity == JSON_REFUSED)
            first = &problems->items[i];
    cJSON_AddNumberToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", first ? first->message : message);
    if (first) {
        cJSON *data = cJSON_AddObjectToObject(error, "data");
        cJSON_AddStringToObject(data, "pointer", first->pointer);
        cJSON_AddItemToObject(data, "problems", json_problems_json(problems));
    }
    return response;
}

static cJSON *call(struct service *service, const cJSON *request, const cJSON *id, service_method *method)
{
    struct reply reply = {0};
    cJSON *empty = cJSON_CreateObject();
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(request, "params");
    struct json_place place = json_root(params ? params : empty);
    cJSON *result = json_is_object(&place, &reply.problems) ? method(service, &place, &reply) : NULL;
    cJSON *response;
    if (result && reply.problems.refused == 0) {
        response = envelope(id);
        cJSON_AddItemToObject(response, "result", result);
    } else {
        cJSON_Delete(result);
        service->refusals++;
        bool params_wrong = reply.problems.refused > 0;
        response = failure(id, params_wrong ? RPC_PARAMS : RPC_REFUSED, reply.error, &reply.problems);
    }
    json_problems_free(&reply.problems);
    cJSON_Delete(empty);
    return response;
}

/* NULL for a notification, which is carried out and not answered. */
static cJSON *answer_request(struct service *service, const cJSON *request)
{
    static const char *const known[] = {"jsonrpc", "id", "method", "params", NULL};
    static const char *const versions[] = {"2.0", NULL};
    struct json_problems problems = {0};
    struct json_place root = json_root(request);
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(request, "id");
    const char *name = NULL;
    unsigned version;
    if (json_is_object(&root, &problems)) {
        struct json_place jsonrpc = json_member(&root, "jsonrpc"), method = json_member(&root, "method");
        struct json_place id_place = json_member(&root, "id");
        json_known_members(&root, known, &problems);
        json_choice(&jsonrpc, versions, &version, &problems);
        json_text(&method, 1, 64, &name, &problems);
        if (id && !cJSON_IsNumber(id) && !cJSON_IsString(id) && !cJSON_IsNull(id)) {
            json_refuse(&problems, &id_place, "number, text or null expected");
            id = NULL;
        }
    }
    cJSON *response;
    service->calls++;
    if (problems.refused > 0)
        response = failure(id, RPC_REQUEST, "", &problems);
    else if (!find_method(name))
        response = failure(id, RPC_METHOD, "no such method", NULL);
    else
        response = call(service, request, id, find_method(name));
    bool notification = problems.refused == 0 && !cJSON_HasObjectItem(request, "id");
    json_problems_free(&problems);
    if (!notification)
        return response;
    cJSON_Delete(response);
    return NULL;
}

static cJSON *answer_batch(struct service *service, const cJSON *batch)
{
    int count = cJSON_GetArraySize(batch);
    if (count < 1 || count > SERVICE_BATCH_MAX)
        return failure(NULL, RPC_REQUEST, "a batch has 1 to 64 requests", NULL);
    cJSON *responses = cJSON_CreateArray();
    const cJSON *request;
    cJSON_ArrayForEach(request, batch)
    {
        cJSON *response = answer_request(service, request);
        if (response)
            cJSON_AddItemToArray(responses, response);
    }
    if (cJSON_GetArraySize(responses) > 0)
        return responses;
    cJSON_Delete(responses);
    return NULL;
}

char *service_answer(void *context, char *line, size_t length)
{
    struct service *service = context;
    struct json_problems problems = {0};
    cJSON *request = json_parse((struct bytes){(const uint8_t *)line, length}, &problems), *response;
    if (!request)
        response = failure(NULL, RPC_PARSE, "", &problems);
    else
        response = cJSON_IsArray(request) ? answer_batch(service, request) : answer_request(service, request);
    json_problems_free(&problems);
    cJSON_Delete(request);
    char *text = response ? cJSON_PrintUnformatted(response) : NULL;
    cJSON_Delete(response);
    return text;
}
