/* What is accepted and written again is accepted again, with the same names. */
#include <stdlib.h>

#include "control/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_problems problems = {0};
    cJSON *tree = json_parse((struct bytes){data, size}, &problems);
    if (!tree != (problems.refused > 0))
        abort();
    if (tree) {
        char *text = cJSON_PrintUnformatted(tree);
        cJSON *again = json_parse(bytes_of_text(text), NULL);
        if (!again)
            abort();
        cJSON_Delete(again);
        free(text);
    }
    cJSON_Delete(tree);
    json_problems_free(&problems);
    return 0;
}
