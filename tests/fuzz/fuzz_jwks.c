/* Keys that are taken fit the log, and are listed in a form that is taken again. */
#include <stdlib.h>

#include "control/keys_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(const struct issuer_key *key)
{
    uint8_t room[ISSUER_KEY_ENCODED_MAX];
    struct issuer_key decoded;
    struct jwks again;
    struct json_problems problems = {0};
    size_t length = issuer_key_encode(key, room, sizeof room);
    if (length == 0 || !issuer_key_decode((struct bytes){room, length}, &decoded))
        abort();
    cJSON *listed = issuer_key_json(&decoded);
    struct json_place root = json_root(listed);
    if (!jwks_read(&root, &again, &problems) || memcmp(&again.keys[0], key, sizeof *key) != 0)
        abort();
    jwks_free(&again);
    cJSON_Delete(listed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_problems problems = {0};
    struct jwks keys;
    cJSON *tree = json_parse((struct bytes){data, size}, &problems);
    if (tree) {
        struct json_place root = json_root(tree);
        if (jwks_read(&root, &keys, &problems)) {
            for (uint32_t i = 0; i < keys.count; i++)
                check_key(&keys.keys[i]);
            jwks_free(&keys);
        }
    }
    cJSON_Delete(tree);
    json_problems_free(&problems);
    return 0;
}
