#include "control/document.h"

#include <stdio.h>
#include <stdlib.h>

cJSON *document_load(const char *path)
{
    struct bytes text;
    char error[256];
    if (!json_read_file(path, &text, error, sizeof error)) {
        fprintf(stderr, "chengmen: %s\n", error);
        return NULL;
    }
    struct json_problems problems = {0};
    cJSON *tree = json_parse(text, &problems);
    document_report(path, &problems);
    free((void *)text.data);
    return tree;
}

bool document_report(const char *path, struct json_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct json_problem *problem = &problems->items[i];
        fprintf(stderr, "chengmen: %s: %s%s%s%s\n", path, problem->severity == JSON_WARNING ? "warning: " : "",
                problem->pointer, problem->pointer[0] ? ": " : "", problem->message);
    }
    bool ok = problems->refused == 0;
    json_problems_free(problems);
    return ok;
}
