/* {"logic":…,"data":…}: a value that is JSON, or an error that says something. */
#include <stdlib.h>

#include "control/certlogic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[CERTLOGIC_ERROR_MAX] = "";
    cJSON *tree = json_parse((struct bytes){data, size}, NULL);
    const cJSON *logic = cJSON_GetObjectItemCaseSensitive(tree, "logic");
    if (logic) {
        char *value = certlogic_eval(logic, cJSON_GetObjectItemCaseSensitive(tree, "data"), error, sizeof error);
        cJSON *again = value ? json_parse(bytes_of_text(value), NULL) : NULL;
        /* A result may nest deeper than a file may. */
        if ((value && !again && strlen(value) < JSON_DEPTH_MAX) || (!value && !error[0]))
            abort();
        cJSON_Delete(again);
        free(value);
    }
    cJSON_Delete(tree);
    return 0;
}
