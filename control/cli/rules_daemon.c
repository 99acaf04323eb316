/* `chengmen rules apply|show|rollback`: the rules in force. */
#include <stdlib.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/rules_replay.h"
#include "control/document.h"
#include "control/rules_json.h"
#include "control/service.h"

/* Compiles the file here first, where problems can be told with its name. */
static bool compiles(const char *path, const char *text, size_t length)
{
    struct json_problems problems = {0};
    uint8_t *program = NULL;
    size_t size;
    rules_compile((struct bytes){(const uint8_t *)text, length}, true, NULL, &program, &size, &problems);
    free(program);
    return document_report(path, &problems);
}

static void print_applied(const cJSON *result, bool dry)
{
    const cJSON *line;
    cJSON_ArrayForEach(line, cJSON_GetObjectItemCaseSensitive(result, "changes")) puts(line->valuestring);
    bool known = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "known"));
    const char *until = cli_text(result, "waits_until");
    printf("version %.0f: %.0f city rows, %.0f venue rows; %s%s%s\n", cli_number(result, "version"),
           cli_number(result, "city_rows"), cli_number(result, "venue_rows"),
           known ? "it is the one applied last: nothing changes"
           : dry ? "not applied"
                 : "applied",
           *until ? "; waits until " : "", until);
    if (strcmp(cli_text(result, "state"), "expired") == 0)
        fprintf(stderr, "warning: the set ended at %s: every verdict by it is REFER\n", cli_text(result, "ends"));
}

int cli_rules_apply(int argc, char **argv)
{
    const char *path[1], *socket = NULL, *records = NULL;
    bool json = false, dry = false;
    const struct cli_option options[] = {
        {"dry-run", CLI_FLAG, NULL, "says what would change, and changes nothing", &dry, NULL},
        {"replay", CLI_TEXT, "FILE", "with --dry-run: how many recorded decisions would change", &records, NULL},
        CLI_SOCKET_OPTION(&socket),
        CLI_JSON_OPTION(&json),
    };
    const struct cli_usage usage = {"chengmen rules apply [options] FILE|-",
                                    "Puts a rule set in force. Its version must be later than all applied before;\n"
                                    "the set applied last, given again, changes nothing.",
                                    options,
                                    4,
                                    1,
                                    1};
    cli_parse(&usage, argc, argv, path);
    if (records && !dry)
        cli_usage_error("--replay goes with --dry-run");
    size_t length;
    cJSON *replayed = NULL;
    char *text = cli_read_file(path[0], SERVICE_RULES_TEXT_MAX, &length);
    if (!text)
        return CLI_REFUSED;
    if (!compiles(path[0], text, length) ||
        (records && !(replayed = cli_rules_replay((struct bytes){(const uint8_t *)text, length}, records)))) {
        free(text);
        return CLI_REFUSED;
    }
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "text", text);
    cJSON_AddBoolToObject(params, "dry_run", dry);
    free(text);
    int code;
    cJSON *result = cli_call_once(socket, "rules.apply", params, path[0], &code);
    if (result && !json) {
        print_applied(result, dry);
        if (replayed)
            cli_rules_replay_print(replayed);
    } else if (result) {
        if (replayed)
            cJSON_AddItemReferenceToObject(result, "replay", replayed);
        cli_print_json(result);
    }
    cJSON_Delete(result);
    cJSON_Delete(replayed);
    return code;
}

static cJSON *sequence_params(bool given, uint64_t sequence)
{
    cJSON *params = cJSON_CreateObject();
    if (given)
        cJSON_AddNumberToObject(params, "sequence", (double)sequence);
    return params;
}

static void print_text(const char *text)
{
    size_t length = strlen(text);
    fputs(text, stdout);
    if (length > 0 && text[length - 1] != '\n')
        putchar('\n');
}

static void print_version(const cJSON *row)
{
    const char *from = cli_text(row, "from"), *to = cli_text(row, "to");
    printf("version %.0f, sequence %.0f: %s%s%s%s%s\n", cli_number(row, "version"), cli_number(row, "sequence"),
           cli_text(row, "state"), *from ? ", from " : "", from, *to ? ", to " : "", to);
}

int cli_rules_show(int argc, char **argv)
{
    const char *socket = NULL;
    bool json = false, history = false, has_sequence = false;
    uint64_t sequence = 0;
    const struct cli_option options[] = {
        {"sequence", CLI_UINT, "N", "rules that this record of the log brought", &sequence, &has_sequence},
        {"history", CLI_FLAG, NULL, "lists the versions that can be gone back to, and which is in force or waits",
         &history, NULL},
        CLI_SOCKET_OPTION(&socket),
        CLI_JSON_OPTION(&json),
    };
    const struct cli_usage usage = {
        "chengmen rules show [options]", "Prints the rule set applied last.", options, 4, 0, 0};
    cli_parse(&usage, argc, argv, NULL);
    int code;
    cJSON *result = cli_call_once(socket, "rules.show", sequence_params(has_sequence, sequence), NULL, &code);
    const cJSON *row;
    if (result && json)
        cli_print_json(result);
    else if (result && history)
        cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(result, "history")) print_version(row);
    else if (result)
        print_text(cli_text(result, "text"));
    cJSON_Delete(result);
    return code;
}

int cli_rules_rollback(int argc, char **argv)
{
    const char *socket = NULL;
    bool json = false, has_sequence = false;
    uint64_t sequence = 0;
    const struct cli_option options[] = {
        {"sequence", CLI_UINT, "N", "goes back to what this record brought (chengmen rules show --history)", &sequence,
         &has_sequence},
        CLI_SOCKET_OPTION(&socket),
        CLI_JSON_OPTION(&json),
    };
    const struct cli_usage usage = {"chengmen rules rollback [options]",
                                    "Applies again the rule set before the one applied last. Once more, it goes\n"
                                    "further back, never forward: for that there is --sequence.",
                                    options,
                                    3,
                                    0,
                                    0};
    cli_parse(&usage, argc, argv, NULL);
    int code;
    cJSON *result = cli_call_once(socket, "rules.rollback", sequence_params(has_sequence, sequence), NULL, &code);
    if (result && json)
        cli_print_json(result);
    else if (result)
        printf("version %.0f applied in place of version %.0f\n", cli_number(result, "version"),
               cli_number(result, "version_before"));
    cJSON_Delete(result);
    return code;
}
