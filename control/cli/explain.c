#include "control/explain.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/evidence.h"
#include "control/config_json.h"
#include "control/times.h"

static const char usage_begin[] =
    "usage: chengmen explain CODE|-|@FILE --point N [options]\n"
    "Shows every step of the decision on a code and where it ended, by the dataplane's own code and the store's "
    "state.\n"
    "An empty CODE asks without one.\n"
    "  --point N            the point that asks\n"
    "  --at TIME            decide as of then: seconds since 1970, +N, -N, a date-time; default now\n"
    "  --seen ZONE,SECONDS  the code was shown in that zone so many seconds before; only the dataplane remembers\n"
    "  --store DIR          the store; default: that of --config\n"
    "  --config FILE        default $CHENGMEN_CONFIG or " CLI_CONFIG_DEFAULT "\n";
static const char usage_end[] = "  --lang en|zh         language of the texts\n"
                                "  --json               one JSON object\n"
                                "exit code: 0 ALLOW or ALLOW_WITH_OBLIGATIONS, 1 another verdict, 2 usage\n";

enum option_id {
    OPTION_POINT = 256,
    OPTION_AT,
    OPTION_SEEN,
    OPTION_STORE,
    OPTION_CONFIG,
    OPTION_LANG,
    OPTION_JSON,
    OPTION_HELP
};

static const struct option options[] = {
    {"point", required_argument, NULL, OPTION_POINT},
    {"at", required_argument, NULL, OPTION_AT},
    {"seen", required_argument, NULL, OPTION_SEEN},
    {"store", required_argument, NULL, OPTION_STORE},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"lang", required_argument, NULL, OPTION_LANG},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    EVIDENCE_OPTIONS,
    {NULL, 0, NULL, 0},
};

struct arguments {
    struct evidence_arguments evidence;
    struct explain_question question;
    struct operator_config config;
    const char *store, *config_path;
    bool has_point, json, help;
};

/* ZONE,SECONDS */
static bool take_seen(const char *value, struct sighting *seen)
{
    char zone_text[16];
    const char *comma = strchr(value, ',');
    uint64_t zone, age_s;
    if (!comma || (size_t)(comma - value) >= sizeof zone_text)
        return false;
    snprintf(zone_text, sizeof zone_text, "%.*s", (int)(comma - value), value);
    if (!evidence_number(zone_text, REPLAY_ZONE_MAX, &zone) || !evidence_number(comma + 1, UINT16_MAX, &age_s))
        return false;
    *seen = (struct sighting){.seen = true, .zone = (uint32_t)zone, .age_s = (uint32_t)age_s};
    return true;
}

static bool take_option(struct arguments *a, int option, const char *value)
{
    uint64_t number;
    switch (option) {
    case OPTION_POINT:
        a->has_point = evidence_number(value, UINT32_MAX, &number);
        a->question.point = (uint32_t)number;
        return a->has_point;
    case OPTION_AT:
        return time_from_text(value, (uint64_t)time(NULL), &a->question.now_s);
    case OPTION_SEEN:
        return take_seen(value, &a->question.seen);
    case OPTION_STORE:
        a->store = value;
        return true;
    case OPTION_CONFIG:
        a->config_path = value;
        return true;
    case OPTION_LANG:
        a->question.language = strcmp(value, "zh") == 0 ? LANGUAGE_CHINESE : LANGUAGE_ENGLISH;
        return strcmp(value, "zh") == 0 || strcmp(value, "en") == 0;
    case OPTION_JSON:
        a->json = true;
        return true;
    case OPTION_HELP:
        a->help = true;
        return true;
    default:
        return evidence_take(&a->evidence, option, value);
    }
}

static bool read_arguments(struct arguments *a, int argc, char **argv)
{
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (!take_option(a, option, optarg)) {
            fprintf(stderr, "chengmen explain: --%s: not understood\n", option == '?' ? "…" : argv[optind - 1]);
            return false;
        }
        if (a->help)
            return true;
    }
    if (optind != argc - 1 || !a->has_point) {
        fputs("chengmen explain: one CODE and --point are wanted\n", stderr);
        return false;
    }
    return evidence_code(&a->evidence, argv[optind]);
}

/* Where the store is: said outright, or by the configuration, which also says how far clocks may differ. */
static bool find_store(struct arguments *a)
{
    config_defaults(&a->config.dataplane);
    a->question.skew_s = a->config.dataplane.skew_s;
    if (a->store)
        return true;
    const char *path = a->config_path ? a->config_path : getenv("CHENGMEN_CONFIG");
    if (!operator_config_load(path ? path : CLI_CONFIG_DEFAULT, &a->config))
        return false;
    a->store = a->config.store;
    if (a->config.has_dataplane)
        a->question.skew_s = a->config.dataplane.skew_s;
    return true;
}

static void print_row(const cJSON *row)
{
    const char *error = cli_text(row, "error");
    printf("    %-6s %-16s %s%s%s\n", cli_text(row, "table"), cli_text(row, "rule"), cli_text(row, "result"),
           error && *error ? ": " : "", error ? error : "");
}

static void print_for_people(const cJSON *told)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(told, "steps"))
    {
        const char *detail = cli_text(item, "detail");
        printf("%-10s %-12s %s\n", cli_text(item, "step"), cli_text(item, "result"), detail ? detail : "");
    }
    if (cJSON_GetObjectItemCaseSensitive(told, "facts"))
        puts("\nfacts");
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(told, "facts"))
    {
        char *value = cJSON_PrintUnformatted(item);
        printf("    %-26s %s\n", item->string, value ? value : "");
        free(value);
    }
    if (cJSON_GetObjectItemCaseSensitive(told, "rows"))
        puts("\nrows tried");
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(told, "rows")) print_row(item);
    printf("\n%s, %s, %s: %s\n", cli_text(told, "verdict"), cli_text(told, "colour"), cli_text(told, "reason"),
           cli_text(told, "text"));
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(told, "obligations"))
        printf("obligation  %s\n", item->valuestring);
    if (cJSON_GetObjectItemCaseSensitive(told, "until"))
        printf("until       %s\n", cli_text(told, "until"));
    if (cJSON_GetObjectItemCaseSensitive(told, "rule"))
        printf("rule        %s of rule set %.0f\n", cli_text(told, "rule"), cli_number(told, "ruleset_version"));
}

static int answer(struct arguments *a)
{
    struct snapshot snapshot;
    char error[512];
    if (!ed25519_start(ED25519_AUTO, error, sizeof error) || !snapshot_open(&snapshot, a->store, error, sizeof error))
        return cli_refuse("%s", error);
    cJSON *told = explain(&snapshot, &a->question, error, sizeof error);
    snapshot_close(&snapshot);
    ed25519_stop();
    if (!told)
        return cli_refuse("%s", error);
    if (a->json)
        cli_print_json(told);
    else
        print_for_people(told);
    bool opens = strncmp(cli_text(told, "verdict"), "ALLOW", 5) == 0;
    cJSON_Delete(told);
    return opens ? CLI_OK : CLI_REFUSED;
}

int cli_explain(int argc, char **argv)
{
    static struct arguments a;
    a.question.now_s = (uint64_t)time(NULL);
    a.question.shown = &a.evidence.request;
    if (!read_arguments(&a, argc, argv)) {
        fputs("try: chengmen explain --help\n", stderr);
        return CLI_USAGE;
    }
    if (a.help) {
        printf("%s%s%s", usage_begin, evidence_help, usage_end);
        return CLI_OK;
    }
    return find_store(&a) ? answer(&a) : CLI_REFUSED;
}
