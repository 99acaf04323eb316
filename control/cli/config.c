/* `chengmen config`: the operator's file. */
#include "control/config_json.h"

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/document.h"

static void print_check(bool ok, struct json_problems *problems)
{
    cJSON *out = cJSON_CreateObject();
    cJSON_AddBoolToObject(out, "ok", ok);
    cJSON_AddItemToObject(out, "problems", json_problems_json(problems));
    cli_print_json(out);
    cJSON_Delete(out);
    json_problems_free(problems);
}

static int check(int argc, char **argv)
{
    const char *path[1] = {CLI_CONFIG_DEFAULT};
    bool json = false;
    const struct cli_option options[] = {
        {"json", CLI_FLAG, NULL, "prints {\"ok\":…,\"problems\":[…]} instead of lines", &json, NULL}};
    const struct cli_usage usage = {
        "chengmen config check [FILE]", "Checks a configuration; default " CLI_CONFIG_DEFAULT ".", options, 1, 0, 1};
    cli_parse(&usage, argc, argv, path);
    struct operator_config config;
    struct json_problems problems = {0};
    bool ok = operator_config_read_file(path[0], &config, &problems);
    if (ok)
        operator_config_warn(&config, &problems);
    if (json)
        print_check(ok, &problems);
    else if (document_report(path[0], &problems))
        printf("%s: ok%s\n", path[0], config.has_dataplane ? "" : " (no dataplane in it)");
    return ok ? CLI_OK : CLI_REFUSED;
}

static int compile(int argc, char **argv)
{
    const char *path[1] = {CLI_CONFIG_DEFAULT}, *output = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {"output", CLI_TEXT, "FILE", "what chengmen-dataplane reads", &output, NULL},
        {"json", CLI_FLAG, NULL, "prints {\"output\":…}", &json, NULL},
    };
    const struct cli_usage usage = {"chengmen config compile [FILE] --output FILE",
                                    "Compiles the member \"dataplane\" to the form that chengmen-dataplane reads.",
                                    options,
                                    2,
                                    0,
                                    1};
    cli_parse(&usage, argc, argv, path);
    if (!output)
        cli_usage_error("--output is missing; usage: %s", usage.line);
    struct operator_config config;
    if (!operator_config_load(path[0], &config))
        return CLI_REFUSED;
    if (!config.has_dataplane)
        return cli_refuse("%s: /dataplane: missing", path[0]);
    static uint8_t room[CONFIG_ENCODED_MAX];
    size_t size = config_encode(&config.dataplane, room, sizeof room);
    if (size == 0)
        return cli_refuse("%s: /dataplane: larger than %d bytes when compiled", path[0], CONFIG_ENCODED_MAX);
    if (!cli_write_file(output, (struct bytes){room, size}, 0644))
        return CLI_REFUSED;
    if (json) {
        cJSON *out = cJSON_CreateObject();
        cJSON_AddStringToObject(out, "output", output);
        cJSON_AddNumberToObject(out, "bytes", (double)size);
        char *text = cJSON_PrintUnformatted(out);
        puts(text);
        cJSON_free(text);
        cJSON_Delete(out);
    }
    return CLI_OK;
}

static int members(int argc, char **argv)
{
    bool json = false;
    const struct cli_option options[] = {{"json", CLI_FLAG, NULL, "prints a JSON array", &json, NULL}};
    const struct cli_usage usage = {
        "chengmen config members", "Prints every member with its default and meaning.", options, 1, 0, 0};
    cli_parse(&usage, argc, argv, NULL);
    cJSON *list = cJSON_CreateArray();
    for (unsigned i = 0; i < config_member_count; i++) {
        const struct config_member *member = &config_members[i];
        if (!json) {
            printf("%-34s %-28s %s\n", member->pointer, member->initial, member->meaning);
            continue;
        }
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "member", member->pointer);
        cJSON_AddStringToObject(row, "default", member->initial);
        cJSON_AddStringToObject(row, "meaning", member->meaning);
        cJSON_AddItemToArray(list, row);
    }
    char *text = json ? cJSON_PrintUnformatted(list) : NULL;
    if (text)
        puts(text);
    cJSON_free(text);
    cJSON_Delete(list);
    return CLI_OK;
}

int cli_config(int argc, char **argv)
{
    static const struct cli_command commands[] = {
        {"check", check, "check a file"},
        {"compile", compile, "compile a file for the dataplane"},
        {"members", members, "print every member with its default"},
    };
    return cli_dispatch("chengmen config", commands, sizeof commands / sizeof commands[0], argc, argv);
}
