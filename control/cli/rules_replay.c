#include "control/cli/rules_replay.h"

#include <stdlib.h>

#include "control/cli/cli.h"
#include "control/document.h"
#include "control/rules_json.h"
#include "control/rules_replay.h"

#define RECORDS_SIZE_MAX ((size_t)1 << 30)

static void add_lines(cJSON *object, char *lines)
{
    cJSON *list = cJSON_AddArrayToObject(object, "changes");
    for (char *rest = lines, *line; (line = strsep(&rest, "\n"));)
        if (*line)
            cJSON_AddItemToArray(list, cJSON_CreateString(line));
}

static cJSON *replay(const struct rule_set *rules, const char *path, struct bytes records)
{
    struct json_problems problems = {0};
    struct rules_replay result;
    cJSON *object = NULL;
    char *lines = NULL;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    bool ok = rules_replay(rules, records, &result, out, &problems);
    if (out)
        fclose(out);
    if (document_report(path, &problems) && ok) {
        object = cJSON_CreateObject();
        cJSON_AddNumberToObject(object, "decisions", (double)result.decisions);
        cJSON_AddNumberToObject(object, "changed", (double)result.changed);
        cJSON_AddNumberToObject(object, "verdict_changed", (double)result.verdict_changed);
        cJSON_AddNumberToObject(object, "without_facts", (double)result.without_facts);
        if (lines)
            add_lines(object, lines);
    }
    free(lines);
    json_problems_free(&problems);
    return object;
}

cJSON *cli_rules_replay(struct bytes rules_text, const char *path)
{
    uint8_t *program = NULL;
    size_t size, length;
    char error[128];
    cJSON *object = NULL;
    char *records = cli_read_file(path, RECORDS_SIZE_MAX, &length);
    if (records && rules_compile(rules_text, false, NULL, &program, &size, NULL)) {
        struct rule_set *rules = rule_set_load((struct bytes){program, size}, error, sizeof error);
        if (rules)
            object = replay(rules, path, (struct bytes){(const uint8_t *)records, length});
        rule_set_free(rules);
    }
    free(program);
    free(records);
    return object;
}

void cli_rules_replay_print(const cJSON *told)
{
    const cJSON *line;
    cJSON_ArrayForEach(line, cJSON_GetObjectItemCaseSensitive(told, "changes"))
    {
        puts(line->valuestring);
    }
    printf("of %.0f recorded decisions %.0f change, %.0f of them to another verdict; %.0f were made before any row\n",
           cJSON_GetObjectItemCaseSensitive(told, "decisions")->valuedouble,
           cJSON_GetObjectItemCaseSensitive(told, "changed")->valuedouble,
           cJSON_GetObjectItemCaseSensitive(told, "verdict_changed")->valuedouble,
           cJSON_GetObjectItemCaseSensitive(told, "without_facts")->valuedouble);
}
