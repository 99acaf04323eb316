/* `pool`: the files that an operator imports, so that the target knows the load's issuers and points. */
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/address.h"
#include "control/encoding.h"
#include "control/keys_json.h"
#include "control/points_json.h"
#include "tests/load/commands.h"
#include "tests/load/context.h"
#include "tests/load/pool_make.h"

struct output {
    const struct profile *profile;
    const struct signer *signer;
    uint64_t seed;
    uint32_t first_address;
    bool oscore;
    uint64_t now_s;
    const char *directory;
};

/* A list imported today serves a week of rehearsals. */
#define LIST_LIFE_S (7u * 86400)
#define LIST_TTL_S LIST_LIFE_S

static FILE *open_file(const struct output *output, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", output->directory, name);
    FILE *file = fopen(path, "we");
    if (!file)
        complain("%s: %m", path);
    return file;
}

static bool close_file(FILE *file)
{
    bool good = !ferror(file);
    good = fclose(file) == 0 && good;
    if (!good)
        complain("a file could not be written: %m");
    return good;
}

static bool write_keys(const struct output *output)
{
    FILE *file = open_file(output, "keys.jwks");
    if (!file)
        return false;
    fputs("{\"keys\": [", file);
    for (uint32_t i = 0; i < 2 * output->signer->issuer_count; i++) {
        struct issuer_key key =
            i % 2 == 0 ? signer_key(output->signer, i / 2) : signer_status_key(output->signer, i / 2);
        cJSON *json = issuer_key_json(&key);
        char *text = cJSON_PrintUnformatted(json);
        fprintf(file, "%s\n  %s", i ? "," : "", text ? text : "");
        free(text);
        cJSON_Delete(json);
    }
    fputs("\n]}\n", file);
    return close_file(file);
}

/* The secrets that point_json keeps to itself: the appliance makes up none then. */
static void add_context(cJSON *point, uint64_t seed, uint32_t number)
{
    struct point_oscore oscore;
    char secret[2 * POINT_MASTER_SECRET_MAX + 1], salt[2 * sizeof oscore.master_salt + 1];
    context_of_seed(seed, number, &oscore);
    hex_encode((struct bytes){oscore.master_secret, oscore.master_secret_size}, secret);
    hex_encode((struct bytes){oscore.master_salt, oscore.master_salt_size}, salt);
    cJSON *context = cJSON_AddObjectToObject(point, "oscore");
    cJSON_AddStringToObject(context, "master_secret", secret);
    cJSON_AddStringToObject(context, "master_salt", salt);
}

static bool write_contexts(const struct output *output)
{
    if (!output->oscore)
        return true;
    FILE *file = open_file(output, "contexts.json");
    if (!file)
        return false;
    for (uint32_t i = 0; i < output->profile->points; i++) {
        struct point_oscore oscore;
        context_of_seed(output->seed, i, &oscore);
        context_write(&oscore, i + 1, file);
    }
    return close_file(file);
}

static bool write_points(const struct output *output)
{
    FILE *file = open_file(output, "points.json");
    if (!file)
        return false;
    fputc('[', file);
    for (uint32_t i = 0; i < output->profile->points; i++) {
        struct point point = pool_point(output->profile, output->seed, output->first_address, i);
        cJSON *json = point_json(&point);
        if (output->oscore)
            add_context(json, output->seed, i);
        char *text = cJSON_PrintUnformatted(json);
        fprintf(file, "%s\n%s", i ? "," : "", text ? text : "");
        free(text);
        cJSON_Delete(json);
    }
    fputs("\n]\n", file);
    return close_file(file);
}

/* Signed tokens, a file a list, with a table of contents. */
static bool write_lists(const struct output *output)
{
    static uint8_t bits[STATUS_LIST_BYTES_MAX], token[SIGN_LIST_SIZE_MAX];
    FILE *contents = open_file(output, "lists.json");
    bool good = contents != NULL;
    const char *comma = "[";
    for (uint32_t issuer = 0; good && issuer < output->signer->issuer_count; issuer++)
        for (uint32_t shard = 0; good && shard < status_shards(output->profile); shard++) {
            char name[64];
            struct status_list list = {.iat_s = output->now_s,
                                       .exp_s = output->now_s + LIST_LIFE_S,
                                       .ttl_s = LIST_TTL_S,
                                       .entries = STATUS_LIST_ENTRIES_MAX,
                                       .bits = bits};
            snprintf(name, sizeof name, "list-%u-%u.cwt", issuer, shard);
            status_uri(output->signer, issuer, shard, list.uri, sizeof list.uri);
            status_bits(output->profile, output->seed, issuer, shard, bits);
            size_t length = signer_sign_list(output->signer, issuer, &list, token);
            FILE *file = open_file(output, name);
            good = file && length > 0 && fwrite(token, length, 1, file) == 1;
            good = file && close_file(file) && good;
            fprintf(contents, "%s\n{\"issuer\": \"%s\", \"uri\": \"%s\", \"file\": \"%s\"}", comma,
                    output->signer->issuers[issuer].name, list.uri, name);
            comma = ",";
        }
    if (contents)
        fputs("\n]\n", contents);
    return contents && close_file(contents) && good;
}

/* What is not green, as changes of subjects: the same states as the lists', for a target that keeps them by subject. */
static bool write_changes(const struct output *output)
{
    FILE *file = open_file(output, "status.jsonl");
    if (!file)
        return false;
    for (uint64_t subject = 0; subject < output->profile->subjects; subject++) {
        enum state state = subject_state(output->profile, output->seed, subject);
        uint8_t pseudonym[SUBJECT_SIZE];
        if (state != STATE_YELLOW && state != STATE_RED)
            continue;
        subject_pseudonym(output->seed, subject, pseudonym);
        fprintf(file, "{\"issuer\": \"%s\", \"subject\": \"",
                output->signer->issuers[subject_place(output->profile, subject).issuer].name);
        for (int i = 0; i < SUBJECT_SIZE; i++)
            fprintf(file, "%02x", pseudonym[i]);
        fprintf(file, "\", \"colour\": \"%s\"}\n", state_names[state]);
    }
    return close_file(file);
}

static bool copy_rules(const struct output *output)
{
    struct bytes text;
    char error[256];
    if (!output->profile->rules[0])
        return true;
    if (!json_read_file(output->profile->rules, &text, error, sizeof error)) {
        complain("%s", error);
        return false;
    }
    FILE *file = open_file(output, "rules.json");
    bool good = file && fwrite(text.data, text.length, 1, file) == 1;
    free((void *)(uintptr_t)text.data);
    return file && close_file(file) && good;
}

/* The operator's commands in their order, as a script. */
static bool write_script(const struct output *output)
{
    FILE *file = open_file(output, "import.sh");
    if (!file)
        return false;
    fputs("#!/bin/sh\n# Makes the appliance whose control listens on $CHENGMEN_SOCKET know this load. "
          "CHENGMEN=path/to/chengmen"
          " where it\n# is not on the path.\nset -e\nchengmen=$(command -v \"${CHENGMEN:-chengmen}\")\n"
          "cd \"$(dirname \"$0\")\"\n\"$chengmen\" key import keys.jwks\n\"$chengmen\" point import points.json\n"
          "for list in list-*.cwt; do \"$chengmen\" status import-list \"$list\" >/dev/null; done\n",
          file);
    if (output->profile->rules[0])
        fputs("\"$chengmen\" rules apply rules.json\n", file);
    bool good = fchmod(fileno(file), 0755) == 0;
    return close_file(file) && good;
}

static void write_address(uint32_t address, char room[ADDRESS_TEXT_SIZE])
{
    const uint8_t bytes[16] = {(uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8),
                               (uint8_t)address};
    address_to_text(4, bytes, room);
}

static void tell(const struct output *output)
{
    const char *d = output->directory;
    char first[ADDRESS_TEXT_SIZE], last[ADDRESS_TEXT_SIZE];
    write_address(output->first_address, first);
    write_address(output->first_address + output->profile->points - 1, last);
    printf("%s/import.sh    makes an appliance know this load: keys, points, status lists%s\n"
           "%s/keys.jwks, points.json, lists.json and list-*.cwt, status.jsonl    the same for any other target\n"
           "The target must trust plain CoAP from %s to %s (`trusted`) and take %u points (`points_max`).\n",
           d, output->profile->rules[0] ? ", rules" : "; this profile names no rules", d, first, last,
           output->profile->points);
    if (output->oscore)
        printf("%s/contexts.json    the points' security contexts, for run --contexts\n", d);
}

static bool write_all(const struct output *output)
{
    return write_keys(output) && write_points(output) && write_contexts(output) && write_lists(output) &&
           write_changes(output) && copy_rules(output) && write_script(output);
}

/* Whether the directory can take a pool. One that it holds goes only where `force` says so, with its status lists, of
 * which import.sh takes every one there is. */
static bool make_directory(const char *directory, bool force)
{
    char path[512];
    glob_t lists;
    if (mkdir(directory, 0755) == 0)
        return true;
    if (errno != EEXIST) {
        complain("%s: %m", directory);
        return false;
    }
    snprintf(path, sizeof path, "%s/import.sh", directory);
    if (access(path, F_OK) != 0)
        return true;
    if (!force) {
        complain("%s holds a pool already: another directory is wanted, or --force", directory);
        return false;
    }
    snprintf(path, sizeof path, "%s/list-*.cwt", directory);
    if (glob(path, 0, NULL, &lists) == 0) {
        for (size_t i = 0; i < lists.gl_pathc; i++)
            unlink(lists.gl_pathv[i]);
        globfree(&lists);
    }
    return true;
}

int command_pool(int argc, char **argv)
{
    static const struct option options[] = {
        {"out", required_argument, NULL, 'o'},  {"seed", required_argument, NULL, 's'},
        {"from", required_argument, NULL, 'f'}, {"oscore", no_argument, NULL, 'p'},
        {"force", no_argument, NULL, 'w'},      {NULL, 0, NULL, 0},
    };
    static struct profile profile;
    static struct signer signer;
    struct output output = {
        .profile = &profile, .signer = &signer, .seed = DEFAULT_SEED, .first_address = DEFAULT_FIRST_ADDRESS};
    double seed = DEFAULT_SEED;
    int option;
    bool good = true, force = false;
    while (good && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        output.directory = option == 'o' ? optarg : output.directory;
        output.oscore |= option == 'p';
        force |= option == 'w';
        good = option == 's'   ? read_number(optarg, 0, 9e15, &seed)
               : option == 'f' ? read_address(optarg, &output.first_address, NULL)
                               : option == 'o' || option == 'p' || option == 'w';
    }
    output.seed = (uint64_t)seed;
    if (!good || optind + 1 != argc || !output.directory) {
        complain("one profile and --out are wanted");
        return EXIT_USAGE;
    }
    if (!profile_load(argv[optind], &profile))
        return EXIT_USAGE;
    if (profile.capture[0])
        complain("a captured load has no pool of its own");
    if (profile.capture[0] || !make_directory(output.directory, force))
        return EXIT_FINDING;
    output.now_s = (uint64_t)time(NULL);
    good = signer_open(&signer, output.seed, profile.issuers, profile.issuer_count, 1) && write_all(&output);
    signer_close(&signer);
    if (good)
        tell(&output);
    return good ? EXIT_OK : EXIT_FINDING;
}
