/* `pool`: the files that an operator imports, so that the target knows the load's issuers and points. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control/keys_json.h"
#include "control/points_json.h"
#include "tests/load/commands.h"
#include "tests/load/pool_make.h"

struct output {
    const struct profile *profile;
    const struct signer *signer;
    uint64_t seed;
    uint32_t first_address;
    const char *directory;
};

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
    for (uint32_t i = 0; i < output->signer->issuer_count; i++) {
        struct issuer_key key = signer_key(output->signer, i);
        cJSON *json = issuer_key_json(&key);
        char *text = cJSON_PrintUnformatted(json);
        fprintf(file, "%s\n  %s", i ? "," : "", text ? text : "");
        free(text);
        cJSON_Delete(json);
    }
    fputs("\n]}\n", file);
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
        char *text = cJSON_PrintUnformatted(json);
        fprintf(file, "%s\n%s", i ? "," : "", text ? text : "");
        free(text);
        cJSON_Delete(json);
    }
    fputs("\n]\n", file);
    return close_file(file);
}

/* The lists' values as bytes, a file a list, with a table of contents: the import takes them as they are, signed by
 * whoever runs the target. */
static bool write_lists(const struct output *output)
{
    static uint8_t bits[STATUS_LIST_BYTES_MAX];
    FILE *contents = open_file(output, "lists.json");
    bool good = contents != NULL;
    const char *comma = "[";
    for (uint32_t issuer = 0; good && issuer < output->signer->issuer_count; issuer++)
        for (uint32_t shard = 0; good && shard < status_shards(output->profile); shard++) {
            char name[64], uri[CREDENTIAL_URI_MAX];
            snprintf(name, sizeof name, "list-%u-%u.bits", issuer, shard);
            status_uri(output->signer, issuer, shard, uri, sizeof uri);
            status_bits(output->profile, output->seed, issuer, shard, bits);
            FILE *file = open_file(output, name);
            good = file && fwrite(bits, sizeof bits, 1, file) == 1;
            good = file && close_file(file) && good;
            fprintf(contents, "%s\n{\"issuer\": \"%s\", \"uri\": \"%s\", \"file\": \"%s\"}", comma,
                    output->signer->issuers[issuer].name, uri, name);
            comma = ",";
        }
    if (contents)
        fputs("\n]\n", contents);
    return contents && close_file(contents) && good;
}

/* What is not green, as changes of subjects: for a target that has no status lists of these issuers. */
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

int command_pool(int argc, char **argv)
{
    static const struct option options[] = {
        {"out", required_argument, NULL, 'o'},
        {"seed", required_argument, NULL, 's'},
        {"from", required_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    static struct profile profile;
    static struct signer signer;
    struct output output = {
        .profile = &profile, .signer = &signer, .seed = DEFAULT_SEED, .first_address = DEFAULT_FIRST_ADDRESS};
    double seed = DEFAULT_SEED;
    int option;
    bool good = true;
    while (good && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        output.directory = option == 'o' ? optarg : output.directory;
        good = option == 's'   ? read_number(optarg, 0, 9e15, &seed)
               : option == 'f' ? read_address(optarg, &output.first_address, NULL)
                               : option == 'o';
    }
    output.seed = (uint64_t)seed;
    if (!good || optind + 1 != argc || !output.directory) {
        complain("one profile and --out are wanted");
        return EXIT_USAGE;
    }
    if (!profile_load(argv[optind], &profile))
        return EXIT_USAGE;
    if (profile.capture[0] || (mkdir(output.directory, 0755) != 0 && errno != EEXIST)) {
        complain("%s", profile.capture[0] ? "a captured load has no pool of its own" : "the directory cannot be made");
        return EXIT_FINDING;
    }
    good = signer_open(&signer, output.seed, profile.issuers, profile.issuer_count, 1) && write_keys(&output) &&
           write_points(&output) && write_lists(&output) && write_changes(&output);
    signer_close(&signer);
    return good ? EXIT_OK : EXIT_FINDING;
}
