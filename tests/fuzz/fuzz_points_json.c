/* Points and subject changes that are taken fit the log. */
#include <stdlib.h>

#include "control/points_json.h"
#include "control/status_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_problems problems = {0}, others = {0};
    struct point point, decoded;
    struct subject_change change;
    uint8_t room[POINT_ENCODED_MAX];
    cJSON *tree = json_parse((struct bytes){data, size}, &problems);
    if (tree) {
        struct json_place root = json_root(tree);
        if (point_read(&root, &point, &problems)) {
            size_t length = point_encode(&point, room, sizeof room);
            if (length == 0 || !point_decode((struct bytes){room, length}, &decoded))
                abort();
        }
        if (subject_change_read(&root, 1, 1, &change, &others) && !subject_record_valid(&change.record))
            abort();
    }
    cJSON_Delete(tree);
    json_problems_free(&problems);
    json_problems_free(&others);
    return 0;
}
