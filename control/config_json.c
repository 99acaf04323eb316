#include "control/config_json.h"

#include <assert.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/address.h"
#include "control/document.h"
#include "keys/ed25519/ed25519.h"

#define STRING(value) #value

static const char socket_default[] = "/run/chengmen/control.sock";
static const char http_default[] = "127.0.0.1:9464";
#define TELEMETRY_FORMAT "/var/run/dpdk/%s/dpdk_telemetry.v2"
#define FILE_PREFIX_DEFAULT "rte"

const struct config_member config_members[] = {
    {"/store", "\"" CONFIG_STORE_DEFAULT "\"", "directory of the store; control writes it, the dataplane reads it"},
    {"/seal_key", "store + \".key\"", "file of the key that points' secrets are sealed with; made where it is missing"},
    {"/control", "{}", "the control daemon"},
    {"/control/socket", "\"/run/chengmen/control.sock\"", "Unix socket of the command, mode 0600"},
    {"/control/http", "\"127.0.0.1:9464\"", "address and port of /metrics and the operator's page; null: none"},
    {"/control/user", "\"\"", "user to become after start; empty: stay"},
    {"/control/telemetry", "\"/var/run/dpdk/rte/dpdk_telemetry.v2\"",
     "socket where DPDK tells the dataplane's counters"},
    {"/dataplane", "none", "the dataplane; without it, it cannot be started from this file"},
    {"/dataplane/user", "\"\"", "user to become after start; empty: stay"},
    {"/dataplane/eal", "[\"--no-pci\", \"--no-huge\", \"-m\", \"512\", \"--no-shconf\"]",
     "arguments for DPDK's EAL; cores come from main_core and workers"},
    {"/dataplane/ports", "required", "DPDK devices: \"net_tap0,iface=chengmen0\", \"0000:3b:00.0\""},
    {"/dataplane/addresses", "required", "the appliance's own addresses, objects with the members below"},
    {"/dataplane/addresses/*/address", "required", "with prefix length: \"10.77.0.1/24\""},
    {"/dataplane/addresses/*/vlan", "0", "VLAN it lives in; 0: untagged"},
    {"/dataplane/addresses/*/port", "0", "index into ports"},
    {"/dataplane/trusted", "[]", "networks from which plain CoAP is heard; others need OSCORE"},
    {"/dataplane/workers", "[1]", "a core for each worker; may name main_core"},
    {"/dataplane/idle", "\"sleep\"", "what an idle worker does: \"spin\" on isolated cores, else \"sleep\""},
    {"/dataplane/engine", "\"auto\"", "signature engine: auto, avx512, avx2, portable, sodium"},
#define NUMBER(member, initial, least, most, form, meaning) {"/dataplane/" #member, STRING(initial), meaning},
#include "dataplane/config.def"
#undef NUMBER
};
const unsigned config_member_count = sizeof config_members / sizeof config_members[0];

static void copy_text(char *room, size_t size, const char *text)
{
    int length = snprintf(room, size, "%s", text);
    assert(length >= 0 && (size_t)length < size);
}

/* Text may be absent; empty only where that is allowed. */
static void take_text(const struct json_place *object, const char *name, char *room, size_t size, size_t least,
                      struct json_problems *problems)
{
    struct json_place place = json_member(object, name);
    if (!place.value || !json_copy_text(&place, room, size, problems))
        return;
    if (strlen(room) < least)
        json_refuse(problems, &place, "is empty");
}

static bool listen_address_good(const char *text)
{
    char address[64];
    const char *colon = strrchr(text, ':');
    if (!colon)
        return false;
    bool bracketed = text[0] == '[' && colon > text + 2 && colon[-1] == ']';
    size_t length = (size_t)(colon - text) - (bracketed ? 2 : 0);
    memcpy(address, text + bracketed, length);
    address[length] = '\0';
    uint8_t family, bytes[16];
    size_t digits = strspn(colon + 1, "0123456789");
    long port = strtol(colon + 1, NULL, 10);
    return digits > 0 && digits < 6 && !colon[1 + digits] && port <= 65535 &&
           address_from_text(address, &family, bytes) && (family == 6) == bracketed;
}

static void take_control(const struct json_place *control, struct control_config *out, struct json_problems *problems)
{
    static const char *const known[] = {"socket", "http", "user", "telemetry", NULL};
    if (!control->value || !json_is_object(control, problems))
        return;
    json_known_members(control, known, problems);
    take_text(control, "socket", out->socket, sizeof out->socket, 1, problems);
    take_text(control, "user", out->user, sizeof out->user, 0, problems);
    take_text(control, "telemetry", out->telemetry, sizeof out->telemetry, 1, problems);
    struct json_place http = json_member(control, "http");
    if (cJSON_IsNull(http.value))
        out->http[0] = '\0';
    else if (http.value && json_copy_text(&http, out->http, sizeof out->http, problems) &&
             !listen_address_good(out->http))
        json_refuse(problems, &http, "an address and port is wanted: \"127.0.0.1:9464\" or \"[::1]:9464\"");
}

/* Runs over the items of an array of at most `most`; `take` handles the item at its index. */
static uint32_t take_items(const struct json_place *array, uint32_t most, struct config *out,
                           void (*take)(const struct json_place *item, uint32_t index, struct config *out,
                                        struct json_problems *problems),
                           struct json_problems *problems)
{
    uint32_t count = 0;
    const cJSON *item;
    if (!json_is_array(array, problems))
        return 0;
    cJSON_ArrayForEach(item, array->value)
    {
        struct json_place place = json_item(array, item, count);
        if (count == most) {
            json_refuse(problems, &place, "more than %u items", most);
            return count;
        }
        take(&place, count++, out, problems);
    }
    return count;
}

static void take_eal_arg(const struct json_place *item, uint32_t index, struct config *out,
                         struct json_problems *problems)
{
    json_copy_text(item, out->eal_args[index], sizeof out->eal_args[index], problems);
}

static void take_port(const struct json_place *item, uint32_t index, struct config *out, struct json_problems *problems)
{
    if (json_copy_text(item, out->ports[index], sizeof out->ports[index], problems) && !out->ports[index][0])
        json_refuse(problems, item, "is empty");
}

static void take_prefix(const struct json_place *place, struct config_prefix *out, struct json_problems *problems)
{
    const char *text;
    if (json_text(place, 1, ADDRESS_TEXT_SIZE, &text, problems) && !prefix_from_text(text, out))
        json_refuse(problems, place, "an address with prefix length is wanted: \"10.77.0.1/24\"");
}

/* One address may stand in several VLANs, and behind several ports. */
static bool same_address(const struct config_address *a, const struct config_address *b)
{
    return b->prefix.family != 0 && a->prefix.family == b->prefix.family && a->vlan == b->vlan && a->port == b->port &&
           memcmp(a->prefix.address, b->prefix.address, sizeof a->prefix.address) == 0;
}

static void take_address(const struct json_place *item, uint32_t index, struct config *out,
                         struct json_problems *problems)
{
    static const char *const known[] = {"address", "vlan", "port", NULL};
    struct config_address *address = &out->addresses[index];
    uint64_t vlan = 0, port = 0;
    if (!json_is_object(item, problems))
        return;
    json_known_members(item, known, problems);
    struct json_place text = json_member(item, "address"), tag = json_member(item, "vlan");
    struct json_place number = json_member(item, "port");
    if (cJSON_IsString(text.value) && text.value->valuestring[0] && !strchr(text.value->valuestring, '/'))
        json_refuse(problems, &text, "the prefix length is missing: \"10.77.0.1/24\"");
    else
        take_prefix(&text, &address->prefix, problems);
    if (tag.value)
        json_uint(&tag, 0, 4094, &vlan, problems);
    if (number.value)
        json_uint(&number, 0, CONFIG_PORTS_MAX - 1, &port, problems);
    address->vlan = (uint16_t)vlan;
    address->port = (uint8_t)port;
    for (uint32_t i = 0; i < index; i++)
        if (same_address(&out->addresses[i], address))
            json_refuse(problems, &text, "the address is /dataplane/addresses/%u's already", i);
}

static void take_trusted(const struct json_place *item, uint32_t index, struct config *out,
                         struct json_problems *problems)
{
    take_prefix(item, &out->trusted[index], problems);
}

static void take_worker(const struct json_place *item, uint32_t index, struct config *out,
                        struct json_problems *problems)
{
    uint64_t core = 0;
    json_uint(item, 0, 1023, &core, problems);
    out->workers[index] = (uint32_t)core;
}

static void take_lists(const struct json_place *dataplane, struct config *out, struct json_problems *problems)
{
    struct json_place eal = json_member(dataplane, "eal"), ports = json_member(dataplane, "ports");
    struct json_place addresses = json_member(dataplane, "addresses"), trusted = json_member(dataplane, "trusted");
    struct json_place workers = json_member(dataplane, "workers");
    if (eal.value) {
        memset(out->eal_args, 0, sizeof out->eal_args);
        out->eal_arg_count = take_items(&eal, CONFIG_EAL_ARGS_MAX, out, take_eal_arg, problems);
    }
    out->port_count = take_items(&ports, CONFIG_PORTS_MAX, out, take_port, problems);
    out->address_count = take_items(&addresses, CONFIG_ADDRESSES_MAX, out, take_address, problems);
    if (trusted.value)
        out->trusted_count = take_items(&trusted, CONFIG_TRUSTED_MAX, out, take_trusted, problems);
    if (workers.value)
        out->worker_count = take_items(&workers, CONFIG_WORKERS_MAX, out, take_worker, problems);
}

static void take_choices(const struct json_place *dataplane, struct config *out, struct json_problems *problems)
{
    static const char *const idles[] = {"spin", "sleep", NULL};
    static const char *const engines[] = {"auto", "avx512", "avx2", "portable", "sodium", NULL};
    struct json_place idle = json_member(dataplane, "idle"), engine = json_member(dataplane, "engine");
    unsigned chosen;
    if (idle.value && json_choice(&idle, idles, &chosen, problems))
        out->idle = (enum config_idle)chosen;
    if (engine.value && json_choice(&engine, engines, &chosen, problems))
        out->engine = chosen;
}

static void take_numbers(const struct json_place *dataplane, struct config *out, struct json_problems *problems)
{
    struct json_place place;
    uint64_t number;
#define NUMBER(member, initial, least, most, form, meaning)                                                            \
    place = json_member(dataplane, #member);                                                                           \
    if (place.value && json_uint(&place, least, most, &number, problems))                                              \
        out->member = (typeof(out->member))number;
#include "dataplane/config.def"
#undef NUMBER
}

/* What concerns several members, or a number's form, is asked of the dataplane's own check: "member: what" or
 * "member/index: what". */
static void check_whole(const struct json_place *dataplane, const struct config *config, struct json_problems *problems)
{
    char error[160];
    if (config_check(config, error, sizeof error))
        return;
    char *colon = strstr(error, ": ");
    assert(colon);
    *colon = '\0';
    char *slash = strchr(error, '/');
    if (slash)
        *slash = '\0';
    struct json_place place = json_member(dataplane, error);
    size_t index = slash ? strtoul(slash + 1, NULL, 10) : 0;
    struct json_place item = json_item(&place, cJSON_GetArrayItem(place.value, (int)index), index);
    json_refuse(problems, slash ? &item : &place, "%s", colon + 2);
}

static void take_dataplane(const struct json_place *dataplane, struct operator_config *out,
                           struct json_problems *problems)
{
    static const char *const known[] = {"user", "eal", "ports", "addresses", "trusted", "workers", "idle", "engine",
#define NUMBER(member, initial, least, most, form, meaning) #member,
#include "dataplane/config.def"
#undef NUMBER
                                        NULL};
    if (!json_is_object(dataplane, problems))
        return;
    size_t before = problems->refused;
    json_known_members(dataplane, known, problems);
    take_text(dataplane, "user", out->dataplane.user, sizeof out->dataplane.user, 0, problems);
    take_lists(dataplane, &out->dataplane, problems);
    take_choices(dataplane, &out->dataplane, problems);
    take_numbers(dataplane, &out->dataplane, problems);
    if (problems->refused == before)
        check_whole(dataplane, &out->dataplane, problems);
}

/* Where DPDK puts the socket for the dataplane that this file starts as root. */
static void set_telemetry(struct operator_config *out, const struct json_place *control, struct json_problems *problems)
{
    static const char option[] = "--file-prefix";
    const char *prefix = FILE_PREFIX_DEFAULT;
    for (uint32_t i = 0; i < out->dataplane.eal_arg_count; i++) {
        const char *argument = out->dataplane.eal_args[i];
        if (strncmp(argument, option, strlen(option)) != 0)
            continue;
        if (argument[strlen(option)] == '=')
            prefix = argument + strlen(option) + 1;
        else if (i + 1 < out->dataplane.eal_arg_count)
            prefix = out->dataplane.eal_args[i + 1];
    }
    if (snprintf(out->control.telemetry, sizeof out->control.telemetry, TELEMETRY_FORMAT, prefix) >=
        (int)sizeof out->control.telemetry)
        json_refuse(problems, control, "telemetry: with this --file-prefix the socket's name is too long");
}

bool operator_config_read(const struct json_place *document, struct operator_config *out,
                          struct json_problems *problems)
{
    static const char *const known[] = {"store", "seal_key", "control", "dataplane", NULL};
    size_t before = problems->refused;
    memset(out, 0, sizeof *out);
    config_defaults(&out->dataplane);
    copy_text(out->store, sizeof out->store, CONFIG_STORE_DEFAULT);
    copy_text(out->control.socket, sizeof out->control.socket, socket_default);
    copy_text(out->control.http, sizeof out->control.http, http_default);
    if (!json_is_object(document, problems))
        return false;
    json_known_members(document, known, problems);
    take_text(document, "store", out->store, sizeof out->store, 1, problems);
    copy_text(out->dataplane.store, sizeof out->dataplane.store, out->store);
    snprintf(out->seal_key, sizeof out->seal_key, "%.*s.key", (int)sizeof out->seal_key - 5, out->store);
    take_text(document, "seal_key", out->seal_key, sizeof out->seal_key, 1, problems);
    copy_text(out->dataplane.seal_key, sizeof out->dataplane.seal_key, out->seal_key);
    struct json_place control = json_member(document, "control"), dataplane = json_member(document, "dataplane");
    take_control(&control, &out->control, problems);
    out->has_dataplane = dataplane.value;
    if (dataplane.value)
        take_dataplane(&dataplane, out, problems);
    if (!out->control.telemetry[0])
        set_telemetry(out, &control, problems);
    return problems->refused == before;
}

static void warn_user(const struct json_place *object, const char *user, struct json_problems *problems)
{
    struct json_place place = json_member(object, "user");
    if (user[0] && !getpwnam(user))
        json_warn(problems, &place, "this machine has no user \"%s\"", user);
}

void operator_config_warn(const struct operator_config *config, struct json_problems *problems)
{
    struct json_place root = json_root(NULL), control = json_member(&root, "control");
    struct json_place dataplane = json_member(&root, "dataplane"), workers = json_member(&dataplane, "workers");
    struct json_place main_core = json_member(&dataplane, "main_core");
    long cores = sysconf(_SC_NPROCESSORS_CONF);
    warn_user(&control, config->control.user, problems);
    if (!config->has_dataplane)
        return;
    warn_user(&dataplane, config->dataplane.user, problems);
    if (config->dataplane.main_core >= (unsigned long)cores)
        json_warn(problems, &main_core, "this machine has no core %u", (unsigned)config->dataplane.main_core);
    for (uint32_t i = 0; i < config->dataplane.worker_count; i++) {
        struct json_place item = json_item(&workers, NULL, i);
        if (config->dataplane.workers[i] >= (unsigned long)cores)
            json_warn(problems, &item, "this machine has no core %u", config->dataplane.workers[i]);
    }
}

bool operator_config_read_file(const char *path, struct operator_config *out, struct json_problems *problems)
{
    struct bytes text;
    char error[256];
    struct json_place document = json_root(NULL);
    if (!json_read_file(path, &text, error, sizeof error)) {
        size_t name = strlen(path); /* the report names the file itself */
        bool named = strncmp(error, path, name) == 0 && strncmp(error + name, ": ", 2) == 0;
        json_refuse(problems, &document, "%s", named ? error + name + 2 : error);
        return false;
    }
    cJSON *tree = json_parse(text, problems);
    free((void *)(uintptr_t)text.data);
    document = json_root(tree);
    bool ok = tree && operator_config_read(&document, out, problems);
    cJSON_Delete(tree);
    return ok;
}

bool operator_config_load(const char *path, struct operator_config *out)
{
    struct json_problems problems = {0};
    operator_config_read_file(path, out, &problems);
    return document_report(path, &problems);
}
