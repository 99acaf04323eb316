/* `chengmen store`: the store's directory, without the daemon. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "control/cli/commands.h"
#include "dataplane/config.h"
#include "keys/store_tools.h"

struct numbers {
    const char *name;
    uint64_t value;
};

static void print_json(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    if (text)
        puts(text);
    cJSON_free(text);
    cJSON_Delete(object);
}

/* Numbers above 2^53 would lose digits as JSON numbers of most readers; none of these gets there. */
static void print_numbers(const struct numbers numbers[], size_t count, bool json, cJSON *findings)
{
    cJSON *object = json ? cJSON_CreateObject() : NULL;
    for (size_t i = 0; i < count; i++) {
        if (json)
            cJSON_AddNumberToObject(object, numbers[i].name, (double)numbers[i].value);
        else
            printf("%-18s %" PRIu64 "\n", numbers[i].name, numbers[i].value);
    }
    if (json && findings)
        cJSON_AddItemToObject(object, "problems", findings);
    if (json)
        print_json(object);
}

static void print_report(const struct store_report *report, bool json, cJSON *problems)
{
    const struct numbers numbers[] = {
        {"log_segments", report->log_segments},
        {"log_bytes", report->log_bytes},
        {"log_records", report->log_records},
        {"log_first", report->log_first},
        {"log_last", report->log_last},
        {"keys", report->keys},
        {"points", report->points},
        {"rules", report->rules},
        {"lists", report->lists},
        {"subject_changes", report->changes},
        {"table_number", report->table_number},
        {"table_records", report->table_records},
        {"table_pages", report->table_pages},
        {"table_bytes", report->table_bytes},
        {"table_covers", report->table_covers},
        {"filter_bytes", report->filter_bytes},
        {"free_bytes", report->free_bytes},
        {"findings", report->findings},
    };
    print_numbers(numbers, sizeof numbers / sizeof numbers[0], json, problems);
}

static void print_finding(void *context, const char *line)
{
    cJSON *problems = context;
    if (problems)
        cJSON_AddItemToArray(problems, cJSON_CreateString(line));
    else
        printf("%s\n", line);
}

/* info, verify and compact take the same line. */
static const char *parse(const char *line, const char *about, int argc, char **argv, bool *json)
{
    static const char *directory[1] = {CONFIG_STORE_DEFAULT};
    const struct cli_option options[] = {{"json", CLI_FLAG, NULL, "prints one JSON object", json, NULL}};
    const struct cli_usage usage = {line, about, options, 1, 0, 1};
    cli_parse(&usage, argc, argv, directory);
    return directory[0];
}

static int info(int argc, char **argv)
{
    bool json = false;
    struct store_report report;
    char error[512];
    const char *directory = parse(
        "chengmen store info [DIRECTORY]",
        "Prints the sizes of a store's log, table and filter; default " CONFIG_STORE_DEFAULT ".", argc, argv, &json);
    if (!store_tools_info(directory, &report, error, sizeof error))
        return cli_refuse("%s", error);
    print_report(&report, json, NULL);
    return report.findings ? CLI_REFUSED : CLI_OK;
}

static int verify(int argc, char **argv)
{
    bool json = false;
    struct store_report report;
    char error[512];
    const char *directory = parse("chengmen store verify [DIRECTORY]",
                                  "Checks every checksum of a store, and its filter against its table.\n"
                                  "Prints a line a finding; 1 where there is any.",
                                  argc, argv, &json);
    cJSON *problems = json ? cJSON_CreateArray() : NULL;
    if (!store_tools_verify(directory, &report, print_finding, problems, error, sizeof error)) {
        cJSON_Delete(problems);
        return cli_refuse("%s", error);
    }
    if (json)
        print_report(&report, true, problems);
    else
        printf("%s: %" PRIu64 " records in the log, %" PRIu64 " in the table, %" PRIu64 " findings\n", directory,
               report.log_records, report.table_records, report.findings);
    return report.findings ? CLI_REFUSED : CLI_OK;
}

static int compact(int argc, char **argv)
{
    bool json = false;
    struct store_report report;
    char error[512];
    const char *directory = parse("chengmen store compact [DIRECTORY]",
                                  "Folds all changes of subjects into a new table, drops what is no longer needed and\n"
                                  "mends a damaged filter. Not while chengmen-control runs: that folds by itself.",
                                  argc, argv, &json);
    if (!store_tools_compact(directory, &report, error, sizeof error))
        return cli_refuse("%s", error);
    print_report(&report, json, NULL);
    return report.findings ? CLI_REFUSED : CLI_OK;
}

static int done(const char *directory, uint64_t subjects, bool json)
{
    if (json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "store", directory);
        cJSON_AddNumberToObject(object, "subjects", (double)subjects);
        print_json(object);
    } else {
        fprintf(stderr, "%s: %" PRIu64 " subjects\n", directory, subjects);
    }
    return CLI_OK;
}

static int dump(int argc, char **argv)
{
    const char *directory[1] = {CONFIG_STORE_DEFAULT}, *output = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {"output", CLI_TEXT, "FILE", "a new file, readable by its owner only", &output, NULL},
        {"json", CLI_FLAG, NULL, "prints one JSON object", &json, NULL},
    };
    const struct cli_usage usage = {
        "chengmen store dump [DIRECTORY] --output FILE",
        "Writes all that is in force to one file, for chengmen store restore.\n"
        "The file holds the store's secret, and its scanning points' secrets as the seal's key\n"
        "closed them: keep that key too (seal_key of the configuration, else STORE.key),\n"
        "or points with OSCORE must be rotated after a restore.",
        options,
        2,
        0,
        1};
    cli_parse(&usage, argc, argv, directory);
    if (!output)
        cli_usage_error("--output is missing; usage: %s", usage.line);
    int file = open(output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *out = file < 0 ? NULL : fdopen(file, "wb");
    if (!out)
        return cli_refuse("%s: %s", output, strerror(errno));
    uint64_t subjects;
    char error[512] = "";
    bool good = store_tools_dump(directory[0], out, &subjects, error, sizeof error);
    if (good && fsync(file) != 0) {
        snprintf(error, sizeof error, "%s: %s", output, strerror(errno));
        good = false;
    }
    fclose(out);
    if (good)
        return done(directory[0], subjects, json);
    unlink(output);
    return cli_refuse("%s", error);
}

static int restore(int argc, char **argv)
{
    const char *directory[1], *input = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {"input", CLI_TEXT, "FILE", "what chengmen store dump wrote; - is standard input", &input, NULL},
        {"json", CLI_FLAG, NULL, "prints one JSON object", &json, NULL},
    };
    const struct cli_usage usage = {"chengmen store restore DIRECTORY --input FILE",
                                    "Makes a store in a directory that has none: a whole one, or nothing.",
                                    options,
                                    2,
                                    1,
                                    1};
    cli_parse(&usage, argc, argv, directory);
    if (!input)
        cli_usage_error("--input is missing; usage: %s", usage.line);
    FILE *in = strcmp(input, "-") == 0 ? stdin : fopen(input, "rb");
    if (!in)
        return cli_refuse("%s: %s", input, strerror(errno));
    uint64_t subjects;
    char error[512];
    bool good = store_tools_restore(directory[0], in, &subjects, error, sizeof error);
    if (in != stdin)
        fclose(in);
    if (good)
        return done(directory[0], subjects, json);
    return cli_refuse("%s: %s", in == stdin ? "standard input" : input, error);
}

int cli_store(int argc, char **argv)
{
    static const struct cli_command commands[] = {
        {"info", info, "print sizes"},
        {"verify", verify, "check every checksum"},
        {"compact", compact, "fold changes into a new table"},
        {"dump", dump, "write all that is in force to a file"},
        {"restore", restore, "make a store of a dump"},
    };
    return cli_dispatch("chengmen store", commands, sizeof commands / sizeof commands[0], argc, argv);
}
