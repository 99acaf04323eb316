/* `chengmen info`. */
#include "control/cli/client.h"
#include "control/cli/commands.h"

static void print_members(const cJSON *object, const char *prefix)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, object)
    {
        char name[96];
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", member->string ? member->string : "-");
        if (cJSON_IsObject(member)) {
            print_members(member, name);
            continue;
        }
        char *text = cJSON_PrintUnformatted(member);
        printf("%-28s %s\n", name, cJSON_IsString(member) ? member->valuestring : text);
        cJSON_free(text);
    }
}

int cli_info(int argc, char **argv)
{
    const char *socket = NULL;
    bool json = false;
    const struct cli_option options[] = {CLI_SOCKET_OPTION(&socket), CLI_JSON_OPTION(&json)};
    const struct cli_usage usage = {
        "chengmen info [options]", "Prints what is in force and how the daemons are.", options, 2, 0, 0};
    cli_parse(&usage, argc, argv, NULL);
    int code;
    cJSON *result = cli_call_once(socket, "info", NULL, NULL, &code);
    if (result && json)
        cli_print_json(result);
    else
        print_members(result, "");
    cJSON_Delete(result);
    return code;
}
