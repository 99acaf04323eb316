/* `chengmen point`: scanning points. */
#include "control/points_json.h"

#include <stdlib.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/qr.h"
#include "control/document.h"

#define POINTS_PER_CALL 1000
#define POINTS_FILE_MAX (256u << 20)

static uint32_t want_id(const char *text)
{
    char *end;
    unsigned long long id = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || id < 1 || id > UINT32_MAX)
        cli_usage_error("a point's number from 1 to 4294967295 is wanted, not \"%s\"", text);
    return (uint32_t)id;
}

static void print_point(const cJSON *point)
{
    const cJSON *oscore = cJSON_GetObjectItemCaseSensitive(point, "oscore");
    printf("%-10.0f %-24s %-18s %-12s %-20s %s\n", cli_number(point, "id"), cli_text(point, "venue"),
           cli_text(point, "class"), cli_text(point, "mode"), cli_text(point, "address"), cli_text(oscore, "alg"));
}

struct add_options {
    const char *venue, *class, *mode, *address, *group, *socket, *algorithm;
    uint64_t district, zone, priority, rate, burst;
    bool has_priority, oscore, json;
};

static cJSON *point_from_options(uint32_t id, const struct add_options *o)
{
    const struct {
        const char *name, *text;
    } texts[] = {
        {"venue", o->venue}, {"class", o->class}, {"mode", o->mode}, {"address", o->address}, {"group", o->group}};
    const struct {
        const char *name;
        uint64_t number;
        bool given;
    } numbers[] = {{"district", o->district, o->district > 0},
                   {"zone", o->zone, o->zone > 0},
                   {"priority", o->priority, o->has_priority},
                   {"rate", o->rate, o->rate > 0},
                   {"burst", o->burst, o->burst > 0}};
    cJSON *point = cJSON_CreateObject();
    cJSON_AddNumberToObject(point, "id", id);
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].text)
            cJSON_AddStringToObject(point, texts[i].name, texts[i].text);
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].given)
            cJSON_AddNumberToObject(point, numbers[i].name, (double)numbers[i].number);
    if (o->oscore || o->algorithm) {
        cJSON *oscore = cJSON_AddObjectToObject(point, "oscore");
        if (o->algorithm)
            cJSON_AddStringToObject(oscore, "alg", o->algorithm);
    }
    return point;
}

static int add(int argc, char **argv)
{
    struct add_options o = {0};
    const char *id[1];
    const struct cli_option options[] = {
        {"venue", CLI_TEXT, "NAME", "the venue's name (required)", &o.venue, NULL},
        {"class", CLI_TEXT, "CLASS", "hospital, office, estate, mall, subway, government-hall, … (required)", &o.class,
         NULL},
        {"mode", CLI_TEXT, "MODE", "enforce (default), advisory, not-required", &o.mode, NULL},
        {"address", CLI_TEXT, "IP", "source address from which plain CoAP is this point's", &o.address, NULL},
        {"district", CLI_UINT, "CODE", "GB/T 2260", &o.district, NULL},
        {"zone", CLI_UINT, "N", "anti-passback zone", &o.zone, NULL},
        {"group", CLI_TEXT, "NAME", "point group", &o.group, NULL},
        {"priority", CLI_UINT, "N", "0 first to be served … 3 first to be shed; default 1", &o.priority,
         &o.has_priority},
        {"rate", CLI_UINT, "N", "budget, requests a second; default the configuration's", &o.rate, NULL},
        {"burst", CLI_UINT, "N", "requests at once; default the configuration's", &o.burst, NULL},
        {"oscore", CLI_FLAG, NULL, "makes a new security context (see chengmen point export)", &o.oscore, NULL},
        {"oscore-alg", CLI_TEXT, "ALG", "AES-CCM-16-64-128 (default) or ChaCha20/Poly1305", &o.algorithm, NULL},
        CLI_SOCKET_OPTION(&o.socket),
        CLI_JSON_OPTION(&o.json),
    };
    const struct cli_usage usage = {
        "chengmen point add N --venue NAME --class CLASS [options]",
        "Adds the scanning point with number N, or replaces it. A security context that it\n"
        "has stays, unless --oscore makes a new one.",
        options,
        sizeof options / sizeof options[0],
        1,
        1};
    cli_parse(&usage, argc, argv, id);
    if (!o.venue || !o.class)
        cli_usage_error("--venue and --class are needed; usage: %s", usage.line);
    cJSON *params = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(params, "document");
    cJSON_AddItemToArray(list, point_from_options(want_id(id[0]), &o));
    int code;
    cJSON *result = cli_call_once(o.socket, "point.import", params, NULL, &code);
    const cJSON *point = cJSON_GetObjectItemCaseSensitive(result, "point");
    if (point && o.json)
        cli_print_json(point);
    else if (point)
        print_point(point);
    cJSON_Delete(result);
    return code;
}

/* Points that wait to be sent. */
struct import {
    struct cli_client *client;
    const char *file;
    cJSON *waiting;
    unsigned count;
    uint64_t sent;
};

static int send_points(struct import *import)
{
    if (import->count == 0)
        return CLI_OK;
    cJSON *params = cJSON_CreateObject();
    cJSON_AddItemToObject(params, "document", import->waiting);
    int code;
    cJSON *result = cli_call(import->client, "point.import", params, import->file, &code);
    import->sent += (uint64_t)cli_number(result, "count");
    import->waiting = cJSON_CreateArray();
    import->count = 0;
    cJSON_Delete(result);
    return code;
}

/* Checks the point here first, where the file's line is known. Takes over `point`. */
static int take_point(struct import *import, cJSON *point, const char *where)
{
    struct json_problems problems = {0};
    struct json_place root = json_root(point);
    struct point checked;
    point_read(&root, &checked, &problems);
    if (!document_report(where, &problems)) {
        cJSON_Delete(point);
        return CLI_REFUSED;
    }
    cJSON_AddItemToArray(import->waiting, point);
    return ++import->count == POINTS_PER_CALL ? send_points(import) : CLI_OK;
}

static int import_array(struct import *import, cJSON *list)
{
    int code = CLI_OK;
    for (unsigned index = 0; code == CLI_OK && list->child; index++) {
        char where[512];
        snprintf(where, sizeof where, "%s: /%u", import->file, index);
        code = take_point(import, cJSON_DetachItemViaPointer(list, list->child), where);
    }
    return code;
}

static int import_lines(struct import *import, char *text)
{
    int code = CLI_OK;
    unsigned number = 0;
    for (char *rest = text, *line; code == CLI_OK && (line = strsep(&rest, "\n"));) {
        char where[512];
        snprintf(where, sizeof where, "%s:%u", import->file, ++number);
        if (!line[strspn(line, " \t\r")])
            continue;
        struct json_problems problems = {0};
        cJSON *point = json_parse(bytes_of_text(line), &problems);
        code = document_report(where, &problems) ? take_point(import, point, where) : CLI_REFUSED;
    }
    return code;
}

static int import(int argc, char **argv)
{
    const char *path[1], *socket = NULL;
    bool json = false;
    const struct cli_option options[] = {CLI_SOCKET_OPTION(&socket), CLI_JSON_OPTION(&json)};
    const struct cli_usage usage = {
        "chengmen point import [options] FILE|-",
        "Adds or replaces points from a JSON array, or from lines with a JSON object each. Members: id, venue, class,\n"
        "mode, address, district, zone, group, priority, rate, burst, oscore {alg, master_secret, master_salt,\n"
        "id_context, point_id, appliance_id}.",
        options,
        2,
        1,
        1};
    cli_parse(&usage, argc, argv, path);
    size_t length;
    char *text = cli_read_file(path[0], POINTS_FILE_MAX, &length);
    if (!text)
        return CLI_REFUSED;
    struct import import = {.file = path[0], .client = cli_connect(socket)};
    if (!import.client) {
        free(text);
        return CLI_UNREACHABLE;
    }
    import.waiting = cJSON_CreateArray();
    int code;
    if (text[strspn(text, " \t\r\n")] == '[') {
        struct json_problems problems = {0};
        cJSON *list = json_parse((struct bytes){(const uint8_t *)text, length}, &problems);
        code = document_report(path[0], &problems) ? import_array(&import, list) : CLI_REFUSED;
        cJSON_Delete(list);
    } else {
        code = import_lines(&import, text);
    }
    if (code == CLI_OK)
        code = send_points(&import);
    cJSON_Delete(import.waiting);
    cli_disconnect(import.client);
    free(text);
    printf(json ? "{\"count\":%llu}\n" : "%llu points\n", (unsigned long long)import.sent);
    return code;
}

static int list(int argc, char **argv)
{
    const char *socket = NULL;
    bool json = false;
    const struct cli_option options[] = {CLI_SOCKET_OPTION(&socket), CLI_JSON_OPTION(&json)};
    const struct cli_usage usage = {"chengmen point list [options]", "Lists the scanning points.", options, 2, 0, 0};
    cli_parse(&usage, argc, argv, NULL);
    struct cli_client *client = cli_connect(socket);
    if (!client)
        return CLI_UNREACHABLE;
    cJSON *all = cJSON_CreateArray();
    int code = CLI_OK;
    for (double after = 0; after >= 0 && code == CLI_OK;) {
        cJSON *params = cJSON_CreateObject();
        cJSON_AddNumberToObject(params, "after", after);
        cJSON *result = cli_call(client, "point.list", params, NULL, &code);
        cJSON *points = cJSON_GetObjectItemCaseSensitive(result, "points");
        while (points && points->child) {
            cJSON *point = cJSON_DetachItemViaPointer(points, points->child);
            if (!json)
                print_point(point);
            if (json)
                cJSON_AddItemToArray(all, point);
            else
                cJSON_Delete(point);
        }
        after = cJSON_HasObjectItem(result, "next") ? cli_number(result, "next") : -1;
        cJSON_Delete(result);
    }
    if (json && code == CLI_OK)
        cli_print_json(all);
    cJSON_Delete(all);
    cli_disconnect(client);
    return code;
}

static cJSON *call_with_id(const char *socket, const char *method, const char *id, int *code)
{
    cJSON *params = cJSON_CreateObject();
    cJSON_AddNumberToObject(params, "id", want_id(id));
    return cli_call_once(socket, method, params, NULL, code);
}

static int remove_point(int argc, char **argv)
{
    const char *id[1], *socket = NULL;
    bool json = false;
    const struct cli_option options[] = {CLI_SOCKET_OPTION(&socket), CLI_JSON_OPTION(&json)};
    const struct cli_usage usage = {"chengmen point remove [options] N", "Removes a scanning point.", options, 2, 1, 1};
    cli_parse(&usage, argc, argv, id);
    int code;
    cJSON *result = call_with_id(socket, "point.remove", id[0], &code);
    if (result && json)
        cli_print_json(result);
    else if (result)
        printf("point %s removed\n", id[0]);
    cJSON_Delete(result);
    return code;
}

static int export_point(int argc, char **argv)
{
    const char *id[1], *socket = NULL, *qr = NULL, *output = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {"out", CLI_TEXT, "FILE", "writes to a file of mode 0600 instead", &output, NULL},
        {"qr", CLI_TEXT, "WHERE", "as a QR code: terminal, or the name of a PNG file", &qr, NULL},
        CLI_SOCKET_OPTION(&socket),
        CLI_JSON_OPTION(&json),
    };
    const struct cli_usage usage = {"chengmen point export [options] N",
                                    "Prints a point's security context, secrets and all, for its scanner.",
                                    options,
                                    4,
                                    1,
                                    1};
    cli_parse(&usage, argc, argv, id);
    int code;
    cJSON *result = call_with_id(socket, "point.export", id[0], &code);
    char *text = result ? cJSON_PrintUnformatted(result) : NULL;
    if (text && output && !cli_write_file(output, bytes_of_text(text), 0600))
        code = CLI_REFUSED;
    if (text && qr && !(strcmp(qr, "terminal") == 0 ? qr_print(text) : qr_write_png(text, qr)))
        code = CLI_REFUSED;
    if (text && !output && !qr)
        puts(text);
    cJSON_free(text);
    cJSON_Delete(result);
    return code;
}

/* What rotate and revoke share: one call with a point's number, answered with the point. */
static int change_context(const char *method, const char *line, const char *about, int argc, char **argv)
{
    const char *id[1], *socket = NULL;
    bool json = false;
    const struct cli_option options[] = {CLI_SOCKET_OPTION(&socket), CLI_JSON_OPTION(&json)};
    const struct cli_usage usage = {line, about, options, 2, 1, 1};
    cli_parse(&usage, argc, argv, id);
    int code;
    cJSON *result = call_with_id(socket, method, id[0], &code);
    const cJSON *point = cJSON_GetObjectItemCaseSensitive(result, "point");
    if (point && json)
        cli_print_json(point);
    else if (point)
        print_point(point);
    cJSON_Delete(result);
    return code;
}

static int rotate(int argc, char **argv)
{
    return change_context("point.rotate", "chengmen point rotate [options] N",
                          "Makes new secrets for a point's security context; export it to the scanner again.", argc,
                          argv);
}

static int revoke(int argc, char **argv)
{
    return change_context("point.revoke", "chengmen point revoke [options] N",
                          "Takes a point's security context away: OSCORE from it is refused.", argc, argv);
}

int cli_point(int argc, char **argv)
{
    static const struct cli_command commands[] = {
        {"add", add, "add or replace a point"},
        {"import", import, "add or replace many points from a file"},
        {"list", list, "list the points"},
        {"remove", remove_point, "remove a point"},
        {"export", export_point, "print a point's security context"},
        {"rotate", rotate, "make new secrets for a point's security context"},
        {"revoke", revoke, "take a point's security context away"},
    };
    return cli_dispatch("chengmen point", commands, sizeof commands / sizeof commands[0], argc, argv);
}
