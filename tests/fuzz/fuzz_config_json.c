/* An operator's file that is taken compiles, and the dataplane takes what it compiles to. */
#include <stdlib.h>

#include "control/config_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[CONFIG_ENCODED_MAX];
    static struct operator_config config;
    struct config decoded;
    struct json_problems problems = {0};
    char error[160];
    cJSON *tree = json_parse((struct bytes){data, size}, &problems);
    if (tree) {
        struct json_place root = json_root(tree);
        if (operator_config_read(&root, &config, &problems) && config.has_dataplane) {
            size_t length = config_encode(&config.dataplane, room, sizeof room);
            if (!config_decode((struct bytes){room, length}, &decoded, error, sizeof error))
                abort();
        }
    }
    cJSON_Delete(tree);
    json_problems_free(&problems);
    return 0;
}
