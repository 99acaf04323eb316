/* `self-test`, `report`, `profiles`. */
#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/commands.h"
#include "tests/load/report.h"
#include "tests/load/selftest.h"

#define SELFTEST_MEMORY_MB 400

int command_selftest(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"seconds", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"top", required_argument, NULL, 't'},
        {"tries", required_argument, NULL, 'n'},
        {"cores", required_argument, NULL, 'c'},
        {NULL, 0, NULL, 0},
    };
    struct selftest_options test = selftest_defaults();
    const char *cores = "0@(0,1),1@0,2@1";
    char error[256];
    double tries = test.tries;
    int option;
    bool good = true;
    while (good && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        test.json |= option == 'j';
        cores = option == 'c' ? optarg : cores;
        good = option == 's'   ? read_number(optarg, 0.3, 600, &test.duration_s)
               : option == 'r' ? read_number(optarg, 1000, 1e7, &test.rate_per_s)
               : option == 't' ? read_number(optarg, 1000, 1e8, &test.top_rate_per_s)
               : option == 'n' ? read_number(optarg, 1, 100, &tries)
                               : option == 'j' || option == 'c';
    }
    if (!good || optind != argc) {
        complain("see chengmen-load --help");
        return EXIT_USAGE;
    }
    test.tries = (unsigned)tries;
    int failed = -1;
    if (load_environment_start(cores, NULL, 0, SELFTEST_MEMORY_MB, error, sizeof error))
        failed = selftest_run(&test, stdout, error, sizeof error);
    if (failed < 0)
        complain("%s", error);
    return failed == 0 ? EXIT_OK : EXIT_FINDING;
}

int command_report(int argc, char **argv)
{
    static const struct option options[] = {{"html", required_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *html = NULL;
    char error[256];
    struct bytes text;
    struct json_problems problems = {0};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) == 'h')
        html = optarg;
    if (option != -1 || optind + 1 != argc || !html) {
        complain("a JSON file and --html are wanted");
        return EXIT_USAGE;
    }
    if (!json_read_file(argv[optind], &text, error, sizeof error)) {
        complain("%s", error);
        return EXIT_USAGE;
    }
    cJSON *report = json_parse(text, &problems);
    free((void *)(uintptr_t)text.data);
    int code = EXIT_OK;
    if (!report || strcmp(cJSON_IsObject(report) && cJSON_HasObjectItem(report, "tool")
                              ? cJSON_GetStringValue(cJSON_GetObjectItem(report, "tool"))
                              : "",
                          "chengmen-load") != 0) {
        complain("%s is no result of chengmen-load", argv[optind]);
        code = EXIT_USAGE;
    } else if (!report_save(report, NULL, html)) {
        complain("%s: %m", html);
        code = EXIT_FINDING;
    }
    cJSON_Delete(report);
    json_problems_free(&problems);
    return code;
}

static int is_profile(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".json") == 0 && strcmp(entry->d_name, "rules.json") != 0;
}

int command_profiles(int argc, char **argv)
{
    struct dirent **names;
    (void)argv;
    const char *directory = getenv("CHENGMEN_PROFILES");
    int count = argc == 1 ? scandir(directory ? directory : CHENGMEN_PROFILES, &names, is_profile, alphasort) : -1;
    if (count < 0) {
        complain("no profiles to list");
        return EXIT_USAGE;
    }
    for (int i = 0; i < count; i++) {
        struct profile profile;
        names[i]->d_name[strlen(names[i]->d_name) - strlen(".json")] = 0;
        if (profile_load(names[i]->d_name, &profile))
            printf("%-20s %s\n", profile.name, profile.text);
        free(names[i]);
    }
    free(names);
    return EXIT_OK;
}
