/* The command's way to the daemon: one JSON-RPC 2.0 call after the other over the control socket. */
#pragma once

#include <cjson/cJSON.h>

#include "control/cli/cli.h"

/* --socket of every command that needs the daemon; the environment's CHENGMEN_SOCKET goes before the default. */
#define CLI_SOCKET_OPTION(pointer)                                                                                     \
    {                                                                                                                  \
        "socket", CLI_TEXT, "PATH", "control socket; default $CHENGMEN_SOCKET or " CLI_SOCKET_DEFAULT, pointer, NULL   \
    }
#define CLI_JSON_OPTION(pointer)                                                                                       \
    {                                                                                                                  \
        "json", CLI_FLAG, NULL, "prints JSON", pointer, NULL                                                           \
    }

struct cli_client;

/* NULL after a message on standard error, for exit code CLI_UNREACHABLE. `path` may be NULL. */
struct cli_client *cli_connect(const char *path);
void cli_disconnect(struct cli_client *client);

/* Calls `method`; takes over `params`. Returns the result, to be freed with cJSON_Delete, or NULL after a message on
 * standard error with *code set to CLI_REFUSED or CLI_UNREACHABLE. Where the daemon refuses a place inside the member
 * `document`, `text` or `token` of the params, the message names `file` and the pointer inside it. `file` may be NULL.
 */
cJSON *cli_call(struct cli_client *client, const char *method, cJSON *params, const char *file, int *code);

/* Connects, calls, disconnects. */
cJSON *cli_call_once(const char *path, const char *method, cJSON *params, const char *file, int *code);

/* Prints a value on one line of standard output. */
void cli_print_json(const cJSON *value);

/* What cJSON has of a member, for values that the daemon made. */
const char *cli_text(const cJSON *object, const char *name);
double cli_number(const cJSON *object, const char *name);
