/* `chengmen status`: the latest state of credentials and subjects. */
#include "control/status_json.h"

#include <errno.h>
#include <stdlib.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/document.h"
#include "control/encoding.h"
#include "control/times.h"
#include "dataplane/clock.h"
#include "keys/status_token.h"

#define CHANGES_PER_CALL 2000
#define CHANGE_LINE_MAX 4096

struct set_options {
    const char *list, *value, *issuer, *subject, *colour, *since, *until, *arrival, *occupation, *socket;
    uint64_t index, reason, version, ttl, life;
    bool has_index, has_reason, has_version, key_region, remove, history, json;
};

static void add_text(cJSON *object, const char *name, const char *text)
{
    if (text)
        cJSON_AddStringToObject(object, name, text);
}

static void add_number(cJSON *object, const char *name, bool given, uint64_t number)
{
    if (given)
        cJSON_AddNumberToObject(object, name, (double)number);
}

static void add_time(cJSON *object, const char *name, const char *text)
{
    uint64_t time_s;
    if (!text)
        return;
    if (!time_from_text(text, clock_wall_s(), &time_s))
        cli_usage_error("--%s: a time is wanted (seconds since 1970, +N, -N, a date-time), not \"%s\"", name, text);
    cJSON_AddNumberToObject(object, name, (double)time_s);
}

static cJSON *list_params(const struct set_options *o)
{
    cJSON *params = cJSON_CreateObject();
    add_text(params, "list", o->list);
    add_number(params, "index", o->has_index, o->index);
    add_text(params, "value", o->value);
    add_text(params, "issuer", o->issuer);
    add_number(params, "ttl", o->ttl > 0, o->ttl);
    add_number(params, "life", o->life > 0, o->life);
    return params;
}

static cJSON *subject_params(const struct set_options *o)
{
    cJSON *params = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(params, "document");
    cJSON *change = cJSON_CreateObject();
    cJSON_AddItemToArray(list, change);
    add_text(change, "issuer", o->issuer);
    add_text(change, "subject", o->subject);
    add_text(change, "colour", o->colour);
    add_time(change, "since", o->since);
    add_time(change, "until", o->until);
    add_text(change, "arrival", o->arrival);
    add_text(change, "occupation", o->occupation);
    add_number(change, "reason", o->has_reason, o->reason);
    add_number(change, "version", o->has_version, o->version);
    if (o->key_region)
        cJSON_AddTrueToObject(change, "key_region");
    if (o->remove)
        cJSON_AddTrueToObject(change, "remove");
    return params;
}

/* Days and times as people write them; true where the member is one. */
static bool date_of(const cJSON *member, char room[TIME_TEXT_SIZE])
{
    bool day = strcmp(member->string, "arrival") == 0;
    bool time = strcmp(member->string, "since") == 0 || strcmp(member->string, "until") == 0;
    if (!cJSON_IsNumber(member) || !(day || time))
        return false;
    time_to_text((uint64_t)member->valuedouble * (day ? 86400 : 1), room);
    if (day)
        room[strcspn(room, "T")] = '\0';
    return true;
}

static void print_member(const cJSON *member)
{
    char date[TIME_TEXT_SIZE];
    if (date_of(member, date)) {
        printf("%-12s %s\n", member->string, date);
        return;
    }
    char *text = cJSON_PrintUnformatted(member);
    printf("%-12s %s\n", member->string, cJSON_IsString(member) ? member->valuestring : text);
    cJSON_free(text);
}

static int print_result(cJSON *result, bool json, int code)
{
    if (result && json)
        cli_print_json(result);
    const cJSON *member;
    if (!json)
        cJSON_ArrayForEach(member, result) print_member(member);
    cJSON_Delete(result);
    return code;
}

static int set(int argc, char **argv)
{
    struct set_options o = {0};
    const struct cli_option options[] = {
        {"list", CLI_TEXT, "URI", "status list; a new one gets 2^20 valid entries", &o.list, NULL},
        {"index", CLI_UINT, "N", "entry of the list", &o.index, &o.has_index},
        {"value", CLI_TEXT, "VALUE", "valid, invalid, suspended, application", &o.value, NULL},
        {"ttl", CLI_UINT, "SECONDS", "age from which the list counts as old; a new one's default a day", &o.ttl, NULL},
        {"life", CLI_UINT, "SECONDS", "until the list expires, from now; a new one's default 30 days", &o.life, NULL},
        {"issuer", CLI_TEXT, "NAME", "issuer of the subject, or of a new list", &o.issuer, NULL},
        {"subject", CLI_TEXT, "HEX", "16 bytes", &o.subject, NULL},
        {"colour", CLI_TEXT, "COLOUR", "green, yellow, red", &o.colour, NULL},
        {"since", CLI_TEXT, "TIME", "when the colour came into force; default now", &o.since, NULL},
        {"until", CLI_TEXT, "TIME", "when it ends; default open", &o.until, NULL},
        {"arrival", CLI_TEXT, "DAY", "day of arrival: 2020-03-01", &o.arrival, NULL},
        {"key-region", CLI_FLAG, NULL, "came from a key region", &o.key_region, NULL},
        {"occupation", CLI_TEXT, "TEXT", "up to 11 bytes", &o.occupation, NULL},
        {"reason", CLI_UINT, "N", "the agency's reason code, 0 to 255", &o.reason, &o.has_reason},
        {"version", CLI_UINT, "N", "the later wins; default microseconds since 1970", &o.version, &o.has_version},
        {"remove", CLI_FLAG, NULL, "the subject has no record any more", &o.remove, NULL},
        CLI_SOCKET_OPTION(&o.socket),
        CLI_JSON_OPTION(&o.json),
    };
    const struct cli_usage usage = {"chengmen status set --list URI --index N --value VALUE\n"
                                    "       chengmen status set --issuer NAME --subject HEX --colour COLOUR [options]",
                                    "Sets the state of one credential, by its place in a status list, or of a subject.",
                                    options,
                                    sizeof options / sizeof options[0],
                                    0,
                                    0};
    cli_parse(&usage, argc, argv, NULL);
    if (!o.list == !o.subject)
        cli_usage_error("either --list or --subject is needed; usage: %s", usage.line);
    int code;
    cJSON *params = o.list ? list_params(&o) : subject_params(&o);
    cJSON *result = cli_call_once(o.socket, o.list ? "status.set_list" : "status.set_subjects", params, NULL, &code);
    if (!o.json && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "older")))
        puts("an older version: nothing changed");
    return print_result(result, o.json, code);
}

static void print_change(const cJSON *change)
{
    static const char *const dated[] = {"since", "until", "arrival"};
    char date[TIME_TEXT_SIZE];
    bool removed = cJSON_GetObjectItemCaseSensitive(change, "removed");
    printf("%10.0f  %.0f  %-7s", cli_number(change, "sequence"), cli_number(change, "version"),
           removed ? "removed" : cli_text(change, "colour"));
    if (!removed)
        printf("  reason %-3.0f", cli_number(change, "reason"));
    for (size_t i = 0; i < sizeof dated / sizeof dated[0]; i++) {
        const cJSON *member = cJSON_GetObjectItemCaseSensitive(change, dated[i]);
        if (member && date_of(member, date))
            printf("  %s %s", dated[i], date);
    }
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(change, "key_region")))
        fputs("  key region", stdout);
    if (cli_text(change, "occupation")[0])
        printf("  occupation %s", cli_text(change, "occupation"));
    putchar('\n');
}

/* A line a change: the log's record, the change's version, the state. */
static int get_history(const char *socket, cJSON *params, bool json)
{
    int code;
    cJSON *result = cli_call_once(socket, "status.history", params, NULL, &code);
    const cJSON *changes = cJSON_GetObjectItemCaseSensitive(result, "changes"), *change;
    if (result && json) {
        cli_print_json(result);
    } else if (result) {
        cJSON_ArrayForEach(change, changes) print_change(change);
        const cJSON *in_force = cJSON_GetObjectItemCaseSensitive(result, "in_force");
        if (cJSON_GetArraySize(changes) == 0)
            printf("no change since record %.0f, the first in the log%s\n", cli_number(result, "since"),
                   cJSON_IsNull(in_force) ? "; no record in the table" : "; the table has an earlier one");
    }
    cJSON_Delete(result);
    return code;
}

static int get(int argc, char **argv)
{
    struct set_options o = {0};
    const struct cli_option options[] = {
        {"list", CLI_TEXT, "URI", "status list", &o.list, NULL},
        {"index", CLI_UINT, "N", "entry of the list", &o.index, &o.has_index},
        {"issuer", CLI_TEXT, "NAME", "issuer of the subject", &o.issuer, NULL},
        {"subject", CLI_TEXT, "HEX", "16 bytes", &o.subject, NULL},
        {"history", CLI_FLAG, NULL, "all changes of the subject that the log still holds", &o.history, NULL},
        CLI_SOCKET_OPTION(&o.socket),
        CLI_JSON_OPTION(&o.json),
    };
    const struct cli_usage usage = {
        "chengmen status get [--list URI --index N | --issuer NAME --subject HEX [--history]]",
        "Prints the state of one credential or subject; without either, the status lists and their ages. Changes are\n"
        "in the history until they are folded into the table, which keeps the last one.",
        options,
        sizeof options / sizeof options[0],
        0,
        0};
    cli_parse(&usage, argc, argv, NULL);
    if (o.history && (o.list || !o.subject))
        cli_usage_error("--history is of a subject; usage: %s", usage.line);
    int code;
    if (!o.list && !o.subject) {
        cJSON *result = cli_call_once(o.socket, "status.lists", NULL, NULL, &code);
        const cJSON *lists = cJSON_GetObjectItemCaseSensitive(result, "lists"), *list;
        if (lists && o.json)
            cli_print_json(lists);
        else
            cJSON_ArrayForEach(list, lists)
                printf("%-40s %-12s age %.0f s  %s\n", cli_text(list, "list"), cli_text(list, "issuer"),
                       cli_number(list, "age"), cli_text(list, "freshness"));
        cJSON_Delete(result);
        return code;
    }
    cJSON *params = cJSON_CreateObject();
    add_text(params, "list", o.list);
    add_number(params, "index", o.has_index, o.index);
    add_text(params, "issuer", o.issuer);
    add_text(params, "subject", o.subject);
    if (o.history)
        return get_history(o.socket, params, o.json);
    cJSON *result = cli_call_once(o.socket, "status.get", params, NULL, &code);
    return print_result(result, o.json, code);
}

/* The changes of one call, as text: a JSON array that is not closed yet. */
struct call_text {
    char *text;
    size_t length, room;
    unsigned count;
};

static bool add_change(struct call_text *call, const char *line, size_t length)
{
    size_t need = call->length + length + 3; /* a bracket or comma before it, a bracket and a zero byte behind */
    if (need > call->room) {
        size_t room = 2 * need;
        char *larger = realloc(call->text, room);
        if (!larger)
            return false;
        call->text = larger;
        call->room = room;
    }
    call->text[call->length++] = call->count++ == 0 ? '[' : ',';
    memcpy(call->text + call->length, line, length);
    call->length += length;
    return true;
}

static int send_changes(struct cli_client *client, struct call_text *call, const char *file, uint64_t *sent)
{
    cJSON *params = cJSON_CreateObject();
    memcpy(call->text + call->length, "]", 2);
    cJSON_AddRawToObject(params, "document", call->text);
    int code;
    cJSON *result = cli_call(client, "status.set_subjects", params, file, &code);
    *sent += (uint64_t)cli_number(result, "count");
    cJSON_Delete(result);
    call->length = call->count = 0;
    return code;
}

/* Whether the line is a change; checked here, where its number is known. False after a report. */
static bool check_change(const char *file, uint64_t number, struct bytes line)
{
    char where[512];
    struct json_problems problems = {0};
    struct subject_change checked;
    snprintf(where, sizeof where, "%s:%llu", file, (unsigned long long)number);
    cJSON *change = json_parse(line, &problems);
    struct json_place root = json_root(change);
    if (change)
        subject_change_read(&root, 0, 0, &checked, &problems);
    cJSON_Delete(change);
    return document_report(where, &problems);
}

/* Checks every line and keeps it in `kept`: what was checked is what is sent, whatever becomes of the file. */
static int check_lines(FILE *in, const char *file, FILE *kept)
{
    char *line = NULL;
    size_t room = 0;
    uint64_t number = 0;
    int code = CLI_OK;
    for (ssize_t got; code == CLI_OK && (got = getline(&line, &room, in)) > 0;) {
        size_t length = (size_t)got;
        number++;
        while (length > 0 && strchr(" \t\r\n", line[length - 1]))
            length--;
        if (length > CHANGE_LINE_MAX)
            code = cli_refuse("%s:%llu: line longer than %d bytes", file, (unsigned long long)number, CHANGE_LINE_MAX);
        else if (length > 0 && !check_change(file, number, (struct bytes){(const uint8_t *)line, length}))
            code = CLI_REFUSED;
        else if (length > 0 && (fwrite(line, 1, length, kept) != length || putc('\n', kept) == EOF))
            code = cli_refuse("temporary file: %s", strerror(errno));
    }
    if (code == CLI_OK && ferror(in))
        code = cli_refuse("%s: %s", file, strerror(errno));
    if (code == CLI_OK && fflush(kept) != 0)
        code = cli_refuse("temporary file: %s", strerror(errno));
    free(line);
    return code;
}

static int send_lines(struct cli_client *client, FILE *kept, const char *file, uint64_t *sent)
{
    struct call_text call = {0};
    char *line = NULL;
    size_t room = 0;
    int code = CLI_OK;
    rewind(kept);
    for (ssize_t length; code == CLI_OK && (length = getline(&line, &room, kept)) > 0;) {
        if (!add_change(&call, line, (size_t)length - 1))
            code = cli_refuse("out of memory");
        else if (call.count == CHANGES_PER_CALL)
            code = send_changes(client, &call, file, sent);
    }
    if (code == CLI_OK && ferror(kept))
        code = cli_refuse("temporary file: cannot be read");
    if (call.count > 0 && code == CLI_OK)
        code = send_changes(client, &call, file, sent);
    free(call.text);
    free(line);
    return code;
}

static int import_lines(struct cli_client *client, FILE *in, const char *file, uint64_t *sent)
{
    FILE *kept = tmpfile();
    if (!kept)
        return cli_refuse("temporary file: %s", strerror(errno));
    int code = check_lines(in, file, kept);
    if (code == CLI_OK)
        code = send_lines(client, kept, file, sent);
    fclose(kept);
    return code;
}

/* Of an import that failed. A call that was not answered may have been taken all the same. */
static void tell_what_is_in_force(const char *file, int code, uint64_t sent)
{
    unsigned long long first = sent;
    if (code == CLI_UNREACHABLE)
        cli_refuse("%s: the first %llu changes are in force; up to %d behind them may be", file, first,
                   CHANGES_PER_CALL);
    else if (sent > 0)
        cli_refuse("%s: the first %llu changes are in force", file, first);
    else
        cli_refuse("%s: nothing of it is in force", file);
}

static int import(int argc, char **argv)
{
    const char *path[1], *socket = NULL;
    bool json = false;
    const struct cli_option options[] = {CLI_SOCKET_OPTION(&socket), CLI_JSON_OPTION(&json)};
    const struct cli_usage usage = {
        "chengmen status import [options] FILE|-",
        "Takes subject changes, a JSON object a line: issuer, subject, colour, and since, until, arrival, key_region,\n"
        "occupation, reason, version, remove. All lines are checked first: where one is wrong, none is in force.\n"
        "Where control can take no more, what it took is in force, and the count says how many.",
        options,
        2,
        1,
        1};
    cli_parse(&usage, argc, argv, path);
    bool standard = strcmp(path[0], "-") == 0;
    FILE *in = standard ? stdin : fopen(path[0], "re");
    if (!in)
        return cli_refuse("%s: %s", path[0], strerror(errno));
    struct cli_client *client = cli_connect(socket);
    uint64_t sent = 0;
    int code = client ? import_lines(client, in, path[0], &sent) : CLI_UNREACHABLE;
    if (client && code != CLI_OK)
        tell_what_is_in_force(path[0], code, sent);
    if (client) {
        printf(json ? "{\"count\":%llu}\n" : "%llu changes\n", (unsigned long long)sent);
        cli_disconnect(client);
    }
    if (!standard)
        fclose(in);
    return code;
}

static int import_list(int argc, char **argv)
{
    const char *path[1], *socket = NULL;
    bool json = false;
    const struct cli_option options[] = {CLI_SOCKET_OPTION(&socket), CLI_JSON_OPTION(&json)};
    const struct cli_usage usage = {
        "chengmen status import-list [options] FILE|-",
        "Takes a Status List Token in CWT form, signed by a key of use \"status\" that is in force.",
        options,
        2,
        1,
        1};
    cli_parse(&usage, argc, argv, path);
    size_t length;
    char *token = cli_read_file(path[0], STATUS_TOKEN_SIZE_MAX, &length);
    char *hex = token ? malloc(2 * length + 1) : NULL;
    if (!hex) {
        free(token);
        return CLI_REFUSED;
    }
    hex_encode((struct bytes){(const uint8_t *)token, length}, hex);
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "token", hex);
    free(hex);
    free(token);
    int code;
    cJSON *result = cli_call_once(socket, "status.import_list", params, path[0], &code);
    return print_result(result, json, code);
}

int cli_status(int argc, char **argv)
{
    static const struct cli_command commands[] = {
        {"set", set, "set the state of a credential or a subject"},
        {"get", get, "print the state of a credential or a subject, or the lists"},
        {"import", import, "take many subject changes"},
        {"import-list", import_list, "take an issuer's signed status list"},
    };
    return cli_dispatch("chengmen status", commands, sizeof commands / sizeof commands[0], argc, argv);
}
