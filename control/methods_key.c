/* key.import, key.list, key.retire. */
#include <stdio.h>

#include "control/encoding.h"
#include "control/keys_json.h"
#include "control/service.h"

static bool append_key(struct service *service, const struct issuer_key *key, struct reply *reply)
{
    uint8_t room[ISSUER_KEY_ENCODED_MAX];
    size_t size = issuer_key_encode(key, room, sizeof room);
    if (size == 0) {
        snprintf(reply->error, sizeof reply->error, "the key does not fit a record");
        return false;
    }
    return journal_append(&service->journal, LOG_KEY, (struct bytes){room, size}, reply->error, sizeof reply->error);
}

/* A kid stays with its public key for good, since a credential names its key by the kid alone; and what was retired
 * stays retired, since an old file imported again must not undo it. */
static void refuse_known_kid(const struct service *service, const struct json_place *document,
                             const struct issuer_key *key, struct reply *reply)
{
    const struct issuer_key *known = state_key(&service->journal.state, key->kid);
    bool other = known && memcmp(known->public_key, key->public_key, sizeof key->public_key) != 0;
    char kid[2 * COSE_KID_SIZE + 1];
    hex_encode((struct bytes){key->kid, COSE_KID_SIZE}, kid);
    if (other || (known && known->retired))
        json_refuse(&reply->problems, document, other ? "kid %s is another key's already" : "key %s is retired", kid);
}

cJSON *method_key_import(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"document", NULL};
    struct json_place document = json_member(params, "document");
    struct jwks keys;
    json_known_members(params, known, &reply->problems);
    if (!jwks_read(&document, &keys, &reply->problems))
        return NULL;
    for (uint32_t i = 0; i < keys.count; i++)
        refuse_known_kid(service, &document, &keys.keys[i], reply);
    bool ok = reply->problems.refused == 0;
    cJSON *result = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(result, "keys");
    for (uint32_t i = 0; ok && i < keys.count; i++) {
        ok = append_key(service, &keys.keys[i], reply);
        cJSON_AddItemToArray(list, issuer_key_json(&keys.keys[i]));
    }
    jwks_free(&keys);
    cJSON_AddNumberToObject(result, "sequence", (double)service->journal.state.sequence);
    if (ok)
        return result;
    cJSON_Delete(result);
    return NULL;
}

cJSON *method_key_list(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {NULL};
    if (!json_known_members(params, known, &reply->problems))
        return NULL;
    const struct state *state = &service->journal.state;
    cJSON *result = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(result, "keys");
    for (uint32_t i = 0; i < state->key_count; i++)
        cJSON_AddItemToArray(list, issuer_key_json(&state->keys[i]));
    return result;
}

cJSON *method_key_retire(struct service *service, const struct json_place *params, struct reply *reply)
{
    static const char *const known[] = {"kid", NULL};
    struct json_place place = json_member(params, "kid");
    uint8_t kid[COSE_KID_SIZE];
    const char *text;
    json_known_members(params, known, &reply->problems);
    if (!json_text(&place, 1, 64, &text, &reply->problems))
        return NULL;
    if (!hex_decode(bytes_of_text(text), kid, sizeof kid)) {
        json_refuse(&reply->problems, &place, "%d hexadecimal digits are wanted", 2 * COSE_KID_SIZE);
        return NULL;
    }
    const struct issuer_key *found = state_key(&service->journal.state, kid);
    if (!found) {
        snprintf(reply->error, sizeof reply->error, "no key has kid %s", text);
        return NULL;
    }
    struct issuer_key key = *found;
    key.retired = true;
    if (!append_key(service, &key, reply))
        return NULL;
    cJSON *result = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(result, "keys");
    cJSON_AddItemToArray(list, issuer_key_json(&key));
    cJSON_AddNumberToObject(result, "sequence", (double)service->journal.state.sequence);
    return result;
}
