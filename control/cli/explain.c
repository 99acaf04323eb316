#include "control/cli/explain.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/evidence.h"
#include "control/config_json.h"
#include "control/document.h"
#include "control/times.h"
#include "dataplane/decision_number.h"

#define ANSWER_SIZE_MAX (1u << 20)

static const char usage_begin[] =
    "usage: chengmen explain CODE|-|@FILE --point N [options]\n"
    "       chengmen explain --answer FILE|- [CODE --point N] [options]\n"
    "       chengmen explain --questions FILE|- [options]\n"
    "Shows every step of the decision on a code and where it ended, by the dataplane's own code and the store's "
    "state.\n"
    "An empty CODE asks without one.\n"
    "  --point N            the point that asks\n"
    "  --at TIME            decide as of then: seconds since 1970, +N, -N, a date-time; default now\n"
    "  --decision N         the decision with this number: as of its second\n"
    "  --answer FILE|-      an answer to explain, as chengmen scan --json printed it: as of its decision, by the "
    "rules\n"
    "                       it names; with CODE decided again and compared, else told with the text of its row;\n"
    "                       an answer of explain --json carries facts, which the rows are asked about again\n"
    "  --rules-version N    decide by this version of the rules; the store holds the last 16 applied\n"
    "  --seen ZONE,SECONDS  the code was shown in that zone so many seconds before; only the dataplane remembers\n"
    "  --questions FILE|-   a JSON object a line: {\"point\", \"code\", \"pass\", \"at\", \"evidence\": {as facts are "
    "named},\n"
    "                       \"seen\": {\"zone\", \"age\"}}; prints a JSON object each, for rules apply --replay\n"
    "  --store DIR          the store; default: that of --config\n"
    "  --config FILE        default $CHENGMEN_CONFIG or " CLI_CONFIG_DEFAULT "\n";
static const char usage_end[] =
    "  --lang en|zh         language of the texts\n"
    "  --json               one JSON object\n"
    "exit code: 0 ALLOW or ALLOW_WITH_OBLIGATIONS, 1 another verdict or a refusal, 2 usage\n"
    "with --answer and CODE: 0 the same answer again, 1 another\n";

enum option_id {
    OPTION_POINT = 256,
    OPTION_AT,
    OPTION_DECISION,
    OPTION_ANSWER,
    OPTION_RULES_VERSION,
    OPTION_SEEN,
    OPTION_QUESTIONS,
    OPTION_STORE,
    OPTION_CONFIG,
    OPTION_LANG,
    OPTION_JSON,
    OPTION_HELP
};

static const struct option options[] = {
    {"point", required_argument, NULL, OPTION_POINT},
    {"at", required_argument, NULL, OPTION_AT},
    {"decision", required_argument, NULL, OPTION_DECISION},
    {"answer", required_argument, NULL, OPTION_ANSWER},
    {"rules-version", required_argument, NULL, OPTION_RULES_VERSION},
    {"seen", required_argument, NULL, OPTION_SEEN},
    {"questions", required_argument, NULL, OPTION_QUESTIONS},
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
    struct explain_record recorded;
    struct operator_config config;
    const char *store, *config_path, *answer_path, *questions_path;
    bool has_point, has_at, json, help;
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

static bool take_version(const char *value, struct explain_question *question)
{
    uint64_t number;
    question->has_version = evidence_number(value, UINT32_MAX, &number);
    question->version = question->has_version ? (uint32_t)number : 0;
    return question->has_version;
}

static bool take_option(struct arguments *a, int option, const char *value)
{
    uint64_t number;
    switch (option) {
    case OPTION_POINT:
        a->has_point = evidence_number(value, UINT32_MAX, &number);
        a->question.point = a->has_point ? (uint32_t)number : 0;
        return a->has_point;
    case OPTION_AT:
        a->has_at = true;
        return time_from_text(value, (uint64_t)time(NULL), &a->question.now_s);
    case OPTION_DECISION:
        a->question.has_number = true;
        return evidence_number(value, UINT64_MAX, &a->question.number);
    case OPTION_ANSWER:
        a->answer_path = value;
        return true;
    case OPTION_RULES_VERSION:
        return take_version(value, &a->question);
    case OPTION_SEEN:
        return take_seen(value, &a->question.seen);
    case OPTION_QUESTIONS:
        a->questions_path = value;
        return true;
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

static bool complain(const char *what)
{
    fprintf(stderr, "chengmen explain: %s\n", what);
    return false;
}

static bool read_arguments(struct arguments *a, int argc, char **argv)
{
    optind = 0;
    int index = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, &index)) != -1;) {
        if (option == '?')
            return false; /* getopt has told */
        if (!take_option(a, option, optarg)) {
            fprintf(stderr, "chengmen explain: --%s: \"%s\" is not understood\n", options[index].name, optarg);
            return false;
        }
        if (a->help)
            return true;
    }
    bool shown = optind == argc - 1;
    if (optind < argc - 1 || (shown && a->questions_path))
        return complain("too many arguments");
    if (shown && !a->has_point)
        return complain("which point asks? --point N");
    if (!shown && !a->answer_path && !a->questions_path)
        return complain("one CODE and --point are wanted, or --answer, or --questions");
    if (shown)
        a->question.shown = &a->evidence.request;
    return !shown || evidence_code(&a->evidence, argv[optind]);
}

/* The recorded answer says which decision is meant, and by which rules it was made. */
static bool read_answer(struct arguments *a)
{
    struct json_problems problems = {0};
    struct explain_question *q = &a->question;
    size_t length;
    char *text = cli_read_file(a->answer_path, ANSWER_SIZE_MAX, &length);
    if (!text)
        return false;
    explain_record_read((struct bytes){(const uint8_t *)text, length}, &a->recorded, &problems);
    free(text);
    if (!document_report(a->answer_path, &problems))
        return false;
    q->recorded = &a->recorded;
    if (!q->has_number && a->recorded.has_number) {
        q->has_number = true;
        q->number = a->recorded.number;
    }
    if (!q->has_version && a->recorded.has_version) {
        q->has_version = true;
        q->version = a->recorded.version;
    }
    return true;
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

static int tell(const struct arguments *a, const cJSON *told)
{
    const cJSON *recorded = cJSON_GetObjectItemCaseSensitive(told, "recorded");
    if (a->json)
        cli_print_json(told);
    else
        explain_print(told, a->question.language);
    if (recorded)
        return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(recorded, "same")) ? CLI_OK : CLI_REFUSED;
    return strncmp(cli_text(told, "verdict"), "ALLOW", 5) == 0 ? CLI_OK : CLI_REFUSED;
}

static int answer(struct arguments *a)
{
    struct snapshot snapshot;
    char error[512];
    if (!ed25519_start(ED25519_AUTO, error, sizeof error) || !snapshot_open(&snapshot, a->store, error, sizeof error))
        return cli_refuse("%s", error);
    int code;
    if (a->questions_path) {
        code = explain_questions(&snapshot, &a->question, a->questions_path);
    } else {
        cJSON *told = explain(&snapshot, &a->question, error, sizeof error);
        code = told ? tell(a, told) : cli_refuse("%s", error);
        cJSON_Delete(told);
    }
    snapshot_close(&snapshot);
    ed25519_stop();
    return code;
}

int cli_explain(int argc, char **argv)
{
    static struct arguments a;
    a.question.now_s = (uint64_t)time(NULL);
    if (!read_arguments(&a, argc, argv)) {
        fputs("try: chengmen explain --help\n", stderr);
        return CLI_USAGE;
    }
    if (a.help) {
        printf("%s%s%s", usage_begin, evidence_help, usage_end);
        return CLI_OK;
    }
    if ((a.answer_path && !read_answer(&a)) || !find_store(&a))
        return CLI_REFUSED;
    if (a.question.has_number && !a.has_at)
        a.question.now_s = decision_second(a.question.number);
    int code = answer(&a);
    explain_record_free(&a.recorded);
    return code;
}
