/* `chengmen rules check|diff`: rule set files without a daemon. */
#include <inttypes.h>
#include <stdlib.h>

#include "control/cli/commands.h"
#include "control/rules_json.h"
#include "dataplane/date_time.h"
#include "dataplane/rules.h"

static void time_text(uint64_t s, char room[DATE_TIME_ROOM])
{
    if (date_time_write_s(s, room) == 0)
        snprintf(room, DATE_TIME_ROOM, "open");
}

static void print_summary(const struct rules_summary *summary)
{
    char issued[DATE_TIME_ROOM], from[DATE_TIME_ROOM], to[DATE_TIME_ROOM];
    time_text(summary->issued_s, issued);
    time_text(summary->from_s, from);
    time_text(summary->to_s, to);
    printf("version %" PRIu32 ", issued %s, in force from %s to %s\n", summary->version, issued,
           summary->from_s ? from : "at once", summary->to_s == UINT64_MAX ? "further notice" : to);
    printf("%" PRIu32 " city rows, %" PRIu32 " rows in %" PRIu32 " venue classes, %" PRIu32 " equivalence rows\n",
           summary->city_rows, summary->venue_rows, summary->venues, summary->equivalences);
    printf("%" PRIu32 " different conditions, %" PRIu32 " of them code; program of %zu bytes\n", summary->tests,
           summary->codes, summary->program_size);
    printf("bounds: a row takes at most %" PRIu32 " steps (%u allowed), all rows before a point %" PRIu64
           " (%u allowed), %" PRIu32 " values of stack, %" PRIu32 " of room\n",
           summary->row_steps_max, RULE_STEPS_MAX, summary->list_steps_max, RULE_LIST_STEPS_MAX, summary->stack_max,
           summary->room_max);
}

static cJSON *summary_json(const struct rules_summary *summary)
{
    char text[DATE_TIME_ROOM];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "version", summary->version);
    time_text(summary->issued_s, text);
    cJSON_AddStringToObject(object, "issued", text);
    cJSON_AddNumberToObject(object, "city_rows", summary->city_rows);
    cJSON_AddNumberToObject(object, "venue_rows", summary->venue_rows);
    cJSON_AddNumberToObject(object, "venues", summary->venues);
    cJSON_AddNumberToObject(object, "equivalences", summary->equivalences);
    cJSON_AddNumberToObject(object, "conditions", summary->tests);
    cJSON_AddNumberToObject(object, "codes", summary->codes);
    cJSON_AddNumberToObject(object, "program_bytes", (double)summary->program_size);
    cJSON_AddNumberToObject(object, "row_steps_max", summary->row_steps_max);
    cJSON_AddNumberToObject(object, "list_steps_max", (double)summary->list_steps_max);
    cJSON_AddNumberToObject(object, "stack_max", summary->stack_max);
    cJSON_AddNumberToObject(object, "room_max", summary->room_max);
    return object;
}

static void print_check(const struct rules_summary *summary, bool ok, const struct json_problems *problems, bool json)
{
    if (json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddBoolToObject(object, "ok", ok && problems->warnings == 0);
        cJSON_AddBoolToObject(object, "accepted", ok);
        cJSON_AddItemToObject(object, "problems", json_problems_json(problems));
        if (ok)
            cJSON_AddItemToObject(object, "summary", summary_json(summary));
        char *text = cJSON_Print(object);
        puts(text);
        free(text);
        cJSON_Delete(object);
        return;
    }
    char *text = json_problems_text(problems);
    fputs(text, stdout);
    free(text);
    if (ok)
        print_summary(summary);
}

int cli_rules_check(int argc, char **argv)
{
    bool json = false;
    const char *file = NULL;
    const struct cli_option options[] = {{"json", CLI_FLAG, NULL, "print JSON", &json, NULL}};
    const struct cli_usage usage = {"chengmen rules check [--json] FILE",
                                    "Reads a rule set file as `rules apply` would and reports every problem with its "
                                    "JSON pointer: what is refused, "
                                    "and what\nis allowed but hardly meant. Exits 1 where there is anything to report.",
                                    options,
                                    1,
                                    1,
                                    1};
    cli_parse(&usage, argc, argv, &file);
    size_t length, size;
    char *text = cli_read_file(file, JSON_SIZE_MAX, &length);
    if (!text)
        return CLI_REFUSED;
    struct rules_summary summary;
    struct json_problems problems = {0};
    uint8_t *program;
    bool ok = rules_compile((struct bytes){(const uint8_t *)text, length}, true, &summary, &program, &size, &problems);
    print_check(&summary, ok, &problems, json);
    int code = problems.refused + problems.warnings == 0 ? CLI_OK : CLI_REFUSED;
    json_problems_free(&problems);
    free(program);
    free(text);
    return code;
}

static void print_diff(char *lines, bool json)
{
    if (!json) {
        fputs(lines, stdout);
        return;
    }
    cJSON *list = cJSON_CreateArray();
    for (char *rest = lines, *line; (line = strsep(&rest, "\n"));)
        if (*line)
            cJSON_AddItemToArray(list, cJSON_CreateString(line));
    char *text = cJSON_Print(list);
    puts(text);
    free(text);
    cJSON_Delete(list);
}

int cli_rules_diff(int argc, char **argv)
{
    bool json = false;
    const char *files[2];
    const struct cli_option options[] = {{"json", CLI_FLAG, NULL, "print a JSON array of lines", &json, NULL}};
    const struct cli_usage usage = {"chengmen rules diff [--json] BEFORE AFTER",
                                    "Says in words what changes from one rule set file to another. Exits 1 where "
                                    "something changes.",
                                    options,
                                    1,
                                    2,
                                    2};
    cli_parse(&usage, argc, argv, files);
    size_t before_length, after_length = 0;
    char *before = cli_read_file(files[0], JSON_SIZE_MAX, &before_length);
    char *after = before ? cli_read_file(files[1], JSON_SIZE_MAX, &after_length) : NULL;
    int code = CLI_REFUSED;
    if (after) {
        struct json_problems problems = {0};
        char *lines = rules_diff((struct bytes){(const uint8_t *)before, before_length},
                                 (struct bytes){(const uint8_t *)after, after_length}, &problems);
        if (lines) {
            code = lines[0] ? CLI_REFUSED : CLI_OK;
            print_diff(lines, json);
        } else {
            char *text = json_problems_text(&problems);
            fputs(text, stderr);
            free(text);
        }
        free(lines);
        json_problems_free(&problems);
    }
    free(before);
    free(after);
    return code;
}

int cli_rules(int argc, char **argv)
{
    static const struct cli_command commands[] = {
        {"check", cli_rules_check, "read a rule set file and report what is wrong with it"},
        {"diff", cli_rules_diff, "say what changes between two rule set files"},
        {"eval", cli_rules_eval, "compute a CertLogic expression"},
        {"apply", cli_rules_apply, "put a rule set in force"},
        {"show", cli_rules_show, "print the rule set applied last"},
        {"rollback", cli_rules_rollback, "go back to an earlier rule set"},
    };
    return cli_dispatch("chengmen rules", commands, sizeof commands / sizeof commands[0], argc, argv);
}
