#include "control/lists_json.h"

static uint64_t list_age_s(const struct status_list *list, uint64_t now_s)
{
    return now_s > list->iat_s ? now_s - list->iat_s : 0;
}

enum list_freshness list_freshness(const struct status_list *list, uint64_t now_s)
{
    if (now_s >= list->exp_s)
        return LIST_EXPIRED;
    return list_age_s(list, now_s) > list->ttl_s ? LIST_STALE : LIST_FRESH;
}

cJSON *list_json(const struct status_list *list, uint64_t now_s)
{
    static const char *const names[] = {"fresh", "stale", "expired"};
    cJSON *out = cJSON_CreateObject();
    cJSON_AddStringToObject(out, "list", list->uri);
    cJSON_AddStringToObject(out, "issuer", list->issuer);
    cJSON_AddNumberToObject(out, "entries", list->entries);
    cJSON_AddNumberToObject(out, "iat", (double)list->iat_s);
    cJSON_AddNumberToObject(out, "exp", (double)list->exp_s);
    cJSON_AddNumberToObject(out, "ttl", list->ttl_s);
    cJSON_AddNumberToObject(out, "age", (double)list_age_s(list, now_s));
    cJSON_AddStringToObject(out, "freshness", names[list_freshness(list, now_s)]);
    return out;
}
