/* The operator's configuration: one JSON file for both daemons. Strict; CONFIG_MEMBERS in config_json.c documents every
 * member with its default, and `chengmen config members` prints it. */
#pragma once

#include "control/json.h"
#include "dataplane/config.h"

#define CONFIG_FILE_MAX 65536
#define CONFIG_COMPILED_NAME "dataplane.cbor"

struct control_config {
    char socket[108];
    char http[64]; /* address:port, or "" for none */
    char user[32]; /* "" stays what it is */
    char telemetry[108];
};

struct operator_config {
    char store[CONFIG_PATH_MAX];
    char seal_key[CONFIG_PATH_MAX];
    struct control_config control;
    bool has_dataplane;
    struct config dataplane;
};

/* True where nothing was refused; warnings may stand in `problems` all the same. */
bool operator_config_read(const struct json_place *document, struct operator_config *out,
                          struct json_problems *problems);

/* Warns of what a good configuration names and this machine has not: users, cores. */
void operator_config_warn(const struct operator_config *config, struct json_problems *problems);

/* As operator_config_read, from a file. */
bool operator_config_read_file(const char *path, struct operator_config *out, struct json_problems *problems);
/* Reads and checks a file; problems go to standard error as lines `chengmen: FILE: POINTER: what`. */
bool operator_config_load(const char *path, struct operator_config *out);

struct config_member {
    const char *pointer;
    const char *initial; /* as JSON; "required" where there is none */
    const char *meaning;
};
extern const struct config_member config_members[];
extern const unsigned config_member_count;
