/* point.import, point.list, point.remove, point.export, point.rotate, point.revoke. */
#include <stdio.h>
#include <stdlib.h>

#include "control/address.h"
#include "control/encoding.h"
#include "control/point_claims.h"
#include "control/points_json.h"
#include "control/service.h"

/* The log, and with it the state in memory, has secrets only sealed. */
static bool append_point(struct service *service, const struct point *plain, struct reply *reply)
{
    struct point sealed = *plain, *point = &sealed;
    if (!point_is_sealed(point))
        point_seal(point, service->seal_key);
    uint8_t room[POINT_ENCODED_MAX];
    size_t size = point_encode(point, room, sizeof room);
    if (size == 0) {
        snprintf(reply->error, sizeof reply->error, "point %u does not fit a record", point->id);
        return false;
    }
    return journal_append(&service->journal, LOG_POINT, (struct bytes){room, size}, reply->error, sizeof reply->error);
}

/* All points of the document are read before the first is appended, so that a call adds all or none. */
static struct point *read_points(const struct json_place *document, uint32_t *count, struct json_problems *problems)
{
    if (!json_is_array(document, problems))
        return NULL;
    int items = cJSON_GetArraySize(document->value);
    if (items < 1 || items > SERVICE_ITEMS_MAX) {
        json_refuse(problems, document, "1 to %d points are wanted", SERVICE_ITEMS_MAX);
        return NULL;
    }
    struct point *points = calloc((size_t)items, sizeof *points);
    const cJSON *item;
    *count = 0;
    if (points)
        cJSON_ArrayForEach(item, document->value)
        {
            struct json_place place = json_item(document, item, *count);
            point_read(&place, &points[(*count)++], problems);
        }
    if (points && problems->refused == 0)
        return points;
    free(points);
    return NULL;
}

/* A point without a context of its own in the call keeps the one it has: its scanner has it too. */
static void keep_context(const struct service *service, struct point *point)
{
    const struct point *known = state_point(&service->journal.state, point->id);
    if (known && point->oscore.alg == POINT_OSCORE_NONE)
        point->oscore = known->oscore;
}

/* The dataplane would refuse the record, and hear neither address nor context. */
static bool refuse_clash(const struct service *service, const struct json_place *document, const struct point *points,
                         uint32_t count, struct json_problems *problems)
{
    struct point_clash clash;
    if (!point_clashes(&service->journal.state, points, count, &clash))
        return false;
    const struct point *point = &points[clash.item];
    struct json_place item = json_item(document, cJSON_GetArrayItem(document->value, (int)clash.item), clash.item);
    struct json_place place = json_member(&item, clash.context ? "oscore" : "address");
    char text[ADDRESS_TEXT_SIZE];
    if (clash.context) {
        hex_encode((struct bytes){point->oscore.point_id, point->oscore.point_id_size}, text);
        json_refuse(problems, &place,
                    "point_id %s with the same id_context is that of point %u already: point %u needs another", text,
                    clash.holder, point->id);
    } else {
        address_to_text(point->address_family, point->address, text);
        json_refuse(problems, &place, "%s is the address of point %u already: point %u needs another", text,
                    clash.holder, point->id);
    }
    return true;
}

cJSON *method_point_import(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"document", NULL};
    struct json_place document = json_member(params, "document");
    uint32_t count;
    json_known_members(params, known, &reply->problems);
    struct point *points = read_points(&document, &count, &reply->problems);
    if (!points)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        keep_context(service, &points[i]);
    bool ok = !refuse_clash(service, &document, points, count, &reply->problems);
    for (uint32_t i = 0; ok && i < count; i++)
        ok = append_point(service, &points[i], reply);
    cJSON *result = ok ? cJSON_CreateObject() : NULL;
    if (ok && count == 1)
        cJSON_AddItemToObject(result, "point", point_json(&points[0]));
    free(points);
    if (!ok)
        return NULL;
    cJSON_AddNumberToObject(result, "count", count);
    cJSON_AddNumberToObject(result, "sequence", (double)service->journal.state.sequence);
    return result;
}

static int compare_ids(const void *left, const void *right)
{
    const struct point *const *a = left, *const *b = right;
    return ((*a)->id > (*b)->id) - ((*a)->id < (*b)->id);
}

/* Pages of SERVICE_ITEMS_MAX by ascending id: those above `after`. */
cJSON *method_point_list(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"after", NULL};
    const struct state *state = &service->journal.state;
    struct json_place place = json_member(params, "after");
    uint64_t after = 0;
    json_known_members(params, known, &reply->problems);
    if (place.value)
        json_uint(&place, 0, UINT32_MAX, &after, &reply->problems);
    const struct point **sorted = calloc(state->point_count + 1, sizeof(const struct point *));
    if (reply->problems.refused > 0 || !sorted) {
        free(sorted);
        return NULL;
    }
    uint32_t count = 0, listed = 0;
    for (uint32_t i = 0; i < state->point_count; i++)
        if (state->points[i].id > after)
            sorted[count++] = &state->points[i];
    qsort(sorted, count, sizeof(const struct point *), compare_ids);
    cJSON *result = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(result, "points");
    for (; listed < count && listed < SERVICE_ITEMS_MAX; listed++)
        cJSON_AddItemToArray(list, point_json(sorted[listed]));
    if (listed < count)
        cJSON_AddNumberToObject(result, "next", sorted[listed - 1]->id);
    free(sorted);
    return result;
}

static const struct point *want_point(const struct service *service, const struct json_place *params,
                                      struct reply *reply)
{
    static const char *const known[] = {"id", NULL};
    struct json_place place = json_member(params, "id");
    uint64_t id = 0;
    json_known_members(params, known, &reply->problems);
    if (!json_uint(&place, 1, UINT32_MAX, &id, &reply->problems) || reply->problems.refused > 0)
        return NULL;
    const struct point *point = state_point(&service->journal.state, (uint32_t)id);
    if (!point)
        snprintf(reply->error, sizeof reply->error, "no point has number %llu", (unsigned long long)id);
    return point;
}

cJSON *method_point_remove(struct service *service, const struct json_place *params, struct reply *reply)
{
    const struct point *point = want_point(service, params, reply);
    if (!point)
        return NULL;
    uint8_t room[9];
    struct cbor_writer out = cbor_write(room, sizeof room);
    uint32_t id = point->id;
    cbor_put_uint(&out, id);
    if (!journal_append(&service->journal, LOG_POINT_REMOVE, cbor_written(&out), reply->error, sizeof reply->error))
        return NULL;
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "removed", id);
    cJSON_AddNumberToObject(result, "sequence", (double)service->journal.state.sequence);
    return result;
}

cJSON *method_point_export(struct service *service, const struct json_place *params, struct reply *reply)
{
    const struct point *point = want_point(service, params, reply);
    if (point && point->oscore.alg == POINT_OSCORE_NONE) {
        snprintf(reply->error, sizeof reply->error, "point %u has no security context", point->id);
        return NULL;
    }
    if (!point)
        return NULL;
    struct point plain = *point;
    if (!point_unseal(&plain, service->seal_key)) {
        snprintf(reply->error, sizeof reply->error, "the secret of point %u was sealed with another key", plain.id);
        return NULL;
    }
    cJSON *secrets = point_secrets_json(&plain);
    explicit_bzero(&plain, sizeof plain);
    return secrets;
}

static cJSON *append_context(struct service *service, const struct point *point, struct reply *reply)
{
    if (!append_point(service, point, reply))
        return NULL;
    cJSON *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "point", point_json(point));
    cJSON_AddNumberToObject(result, "sequence", (double)service->journal.state.sequence);
    return result;
}

/* New secrets, and with them a new sequence, under the old ids. What was recorded of the old context is worthless. */
cJSON *method_point_rotate(struct service *service, const struct json_place *params, struct reply *reply)
{
    const struct point *known = want_point(service, params, reply);
    if (!known)
        return NULL;
    struct point point = *known;
    if (point.oscore.alg == POINT_OSCORE_NONE) {
        snprintf(reply->error, sizeof reply->error, "point %u has no security context", point.id);
        return NULL;
    }
    point_rotate(&point);
    return append_context(service, &point, reply);
}

/* The point stays; it is no longer heard over OSCORE. */
cJSON *method_point_revoke(struct service *service, const struct json_place *params, struct reply *reply)
{
    const struct point *known = want_point(service, params, reply);
    if (!known)
        return NULL;
    struct point point = *known;
    memset(&point.oscore, 0, sizeof point.oscore);
    return append_context(service, &point, reply);
}
