#include "control/cli/scan.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/scan_print.h"
#include "control/scan/chengmen_scan.h"
#include "keys/base45.h"

enum { EXIT_PASS = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

static const char usage[] =
    "usage: chengmen scan --to ADDRESS[:PORT] --point N [options] CODE|-|@FILE\n"
    "Plays a scanning point: shows a code to the appliance and prints the verdict.\n"
    "CODE is the SC1: text; - reads it from standard input, @FILE from a file (text or raw COSE);\n"
    "an empty CODE asks without one.\n"
    "  --to ADDRESS[:PORT]  the appliance; an IPv6 address with a port stands in brackets\n"
    "  --point N            the point that is meant; plain CoAP is known by its source address, so N is not sent;\n"
    "                       with --oscore it must be the point of the context file\n"
    "  --from ADDRESS       send from this address\n"
    "  --oscore FILE        protect with this context (JSON, see chengmen point export)\n"
    "  --temperature C      degrees Celsius, 36.5\n"
    "  --mask  --registered  --consent  --id-checked   each with =no for a false\n"
    "  --sms TEXT           return-to-work message\n"
    "  --pass FILE|SC1:...  venue pass\n"
    "  --form TEXT          epidemiological form reference\n"
    "  --time T             the point's clock, seconds since 1970\n"
    "  --direction in|out\n"
    "  --deadline SECONDS   give up after; by default as RFC 7252 says, 62 to 93 s\n"
    "  --lang en|zh         language of the texts\n"
    "  --json               one JSON object\n"
    "exit code: 0 ALLOW or ALLOW_WITH_OBLIGATIONS, 1 another verdict or a refusal, 2 usage, 3 unreachable\n";

enum option_id {
    OPTION_TO = 256,
    OPTION_POINT,
    OPTION_FROM,
    OPTION_OSCORE,
    OPTION_TEMPERATURE,
    OPTION_MASK,
    OPTION_REGISTERED,
    OPTION_CONSENT,
    OPTION_ID_CHECKED,
    OPTION_SMS,
    OPTION_PASS,
    OPTION_FORM,
    OPTION_TIME,
    OPTION_DIRECTION,
    OPTION_DEADLINE,
    OPTION_LANG,
    OPTION_JSON,
    OPTION_HELP
};

static const struct option options[] = {
    {"to", required_argument, NULL, OPTION_TO},
    {"point", required_argument, NULL, OPTION_POINT},
    {"from", required_argument, NULL, OPTION_FROM},
    {"oscore", required_argument, NULL, OPTION_OSCORE},
    {"temperature", required_argument, NULL, OPTION_TEMPERATURE},
    {"mask", optional_argument, NULL, OPTION_MASK},
    {"registered", optional_argument, NULL, OPTION_REGISTERED},
    {"consent", optional_argument, NULL, OPTION_CONSENT},
    {"id-checked", optional_argument, NULL, OPTION_ID_CHECKED},
    {"sms", required_argument, NULL, OPTION_SMS},
    {"pass", required_argument, NULL, OPTION_PASS},
    {"form", required_argument, NULL, OPTION_FORM},
    {"time", required_argument, NULL, OPTION_TIME},
    {"direction", required_argument, NULL, OPTION_DIRECTION},
    {"deadline", required_argument, NULL, OPTION_DEADLINE},
    {"lang", required_argument, NULL, OPTION_LANG},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

struct scan_command {
    struct chengmen_scan_options session;
    struct chengmen_scan_request request;
    struct scan_print_style style;
    uint64_t point;
    bool has_point, help;
    uint8_t code[CHENGMEN_SCAN_CODE_MAX + 2]; /* one more shows an overlong one, and one for a line's end */
    uint8_t pass[CHENGMEN_SCAN_PASS_MAX * 3 / 2 + 16];
};

static bool complain(const char *what, const char *value)
{
    fprintf(stderr, "chengmen scan: %s: %s\n", what, value);
    return false;
}

static bool read_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9' || strlen(text) > 19)
        return false;
    *out = strtoull(text, &end, 10);
    return *end == 0 && *out <= max;
}

/* Degrees with at most two decimals, without a detour over floating point. */
static bool read_temperature(const char *text, int32_t *centi)
{
    bool negative = *text == '-';
    const char *whole = text + negative;
    size_t digits = strspn(whole, "0123456789");
    const char *rest = whole + digits;
    size_t decimals = *rest == '.' ? strspn(rest + 1, "0123456789") : 0;
    if (digits == 0 || digits > 3 || decimals > 2 || (*rest == '.' ? rest[1 + decimals] : *rest) != 0 ||
        (*rest == '.' && decimals == 0))
        return false;
    int32_t value = 0;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (whole[i] - '0');
    for (size_t i = 0; i < 2; i++)
        value = value * 10 + (i < decimals ? rest[1 + i] - '0' : 0);
    *centi = negative ? -value : value;
    return true;
}

static bool read_flag(const char *text, bool *present, bool *value)
{
    *present = true;
    *value = !text || strcmp(text, "yes") == 0;
    return *value || strcmp(text, "no") == 0 || complain("yes or no expected", text);
}

/* Reads a file, or standard input where path is NULL. A text's trailing line ends and spaces fall away. */
static bool read_file(const char *path, uint8_t *room, size_t room_size, size_t *size)
{
    FILE *file = path ? fopen(path, "rb") : stdin;
    if (!file)
        return complain("cannot open", path);
    *size = fread(room, 1, room_size, file);
    bool failed = ferror(file) || *size == room_size;
    if (path)
        fclose(file);
    if (failed)
        return complain("cannot be read or too large", path ? path : "standard input");
    if (*size >= 4 && memcmp(room, BASE45_PREFIX, 4) == 0)
        while (*size > 0 && strchr("\r\n", room[*size - 1]))
            (*size)--;
    return true;
}

static bool read_pass(struct scan_command *c, const char *text)
{
    size_t size = strlen(text);
    if (strncmp(text, BASE45_PREFIX, 4) != 0) {
        if (!read_file(text, c->pass, sizeof c->pass, &size))
            return false;
    } else if (size < sizeof c->pass)
        memcpy(c->pass, text, size);
    else
        return complain("venue pass too large", "");
    c->request.pass = c->pass;
    c->request.pass_size = size;
    if (size < 4 || memcmp(c->pass, BASE45_PREFIX, 4) != 0)
        return true;
    return base45_decode((struct bytes){c->pass + 4, size - 4}, c->pass, sizeof c->pass, &c->request.pass_size) ||
           complain("venue pass is not base45", "SC1:");
}

static bool read_code(struct scan_command *c, const char *text)
{
    c->request.code = c->code;
    if (strcmp(text, "-") == 0)
        return read_file(NULL, c->code, sizeof c->code, &c->request.code_size);
    if (text[0] == '@')
        return read_file(text + 1, c->code, sizeof c->code, &c->request.code_size);
    c->request.code = text;
    c->request.code_size = strlen(text);
    return true;
}

static bool take_evidence(struct scan_command *c, int option, const char *value)
{
    struct chengmen_scan_request *r = &c->request;
    switch (option) {
    case OPTION_TEMPERATURE:
        r->has_temperature = true;
        return read_temperature(value, &r->temperature_c) || complain("not a temperature", value);
    case OPTION_MASK:
        return read_flag(value, &r->has_mask, &r->mask);
    case OPTION_REGISTERED:
        return read_flag(value, &r->has_registered, &r->registered);
    case OPTION_CONSENT:
        return read_flag(value, &r->has_consent, &r->consent);
    case OPTION_ID_CHECKED:
        return read_flag(value, &r->has_id_checked, &r->id_checked);
    case OPTION_SMS:
        r->sms = value;
        return true;
    case OPTION_FORM:
        r->form = value;
        return true;
    case OPTION_PASS:
        return read_pass(c, value);
    case OPTION_TIME:
        r->has_time = true;
        return read_number(value, INT64_MAX, &r->time_s) || complain("not a time in seconds", value);
    case OPTION_DIRECTION:
        r->has_direction = true;
        r->direction = strcmp(value, "out") == 0;
        return r->direction || strcmp(value, "in") == 0 || complain("in or out expected", value);
    default:
        return false;
    }
}

static bool take_option(struct scan_command *c, int option, const char *value)
{
    uint64_t seconds;
    switch (option) {
    case OPTION_TO:
        c->session.appliance = value;
        return true;
    case OPTION_FROM:
        c->session.from = value;
        return true;
    case OPTION_OSCORE:
        c->session.context_file = value;
        return true;
    case OPTION_POINT:
        c->has_point = true;
        return read_number(value, UINT32_MAX, &c->point) || complain("not a point's number", value);
    case OPTION_DEADLINE:
        if (!read_number(value, 3600, &seconds) || seconds == 0)
            return complain("not a deadline in seconds", value);
        c->session.deadline_ms = (uint32_t)seconds * 1000;
        return true;
    case OPTION_LANG:
        c->style.chinese = strcmp(value, "zh") == 0;
        return c->style.chinese || strcmp(value, "en") == 0 || complain("en or zh expected", value);
    case OPTION_JSON:
        c->style.json = true;
        return true;
    case OPTION_HELP:
        c->help = true;
        return true;
    default:
        return take_evidence(c, option, value);
    }
}

static bool read_arguments(struct scan_command *c, int argc, char **argv)
{
    optind = 0; /* the command's own options may have been read before */
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (!take_option(c, option, optarg))
            return false;
        if (c->help)
            return true;
    }
    if (optind != argc - 1)
        return complain("one CODE expected", argv[0]);
    if (!c->session.appliance || !c->has_point)
        return complain("needed", "--to and --point");
    return read_code(c, argv[optind]);
}

static int exit_code(const struct chengmen_scan_answer *answer)
{
    switch (answer->result) {
    case CHENGMEN_SCAN_VERDICT:
        return answer->verdict <= CHENGMEN_SCAN_ALLOW_WITH_OBLIGATIONS ? EXIT_PASS : EXIT_REFUSED;
    case CHENGMEN_SCAN_REFUSED:
    case CHENGMEN_SCAN_INVALID:
        return EXIT_REFUSED;
    case CHENGMEN_SCAN_REQUEST:
        return EXIT_USAGE;
    case CHENGMEN_SCAN_RESET:
    case CHENGMEN_SCAN_TIMEOUT:
    case CHENGMEN_SCAN_NETWORK:
    case CHENGMEN_SCAN_SEQUENCE:
        break;
    }
    return EXIT_UNREACHABLE;
}

int cli_scan(int argc, char **argv)
{
    struct scan_command command = {0};
    char error[200];
    if (!read_arguments(&command, argc, argv)) {
        fputs("try: chengmen scan --help\n", stderr);
        return EXIT_USAGE;
    }
    if (command.help) {
        fputs(usage, stdout);
        return EXIT_PASS;
    }
    struct chengmen_scan *scan = chengmen_scan_open(&command.session, error, sizeof error);
    if (!scan) {
        complain("cannot scan", error);
        return EXIT_USAGE;
    }
    uint32_t point;
    if (chengmen_scan_point(scan, &point) && point != command.point) {
        fprintf(stderr, "chengmen scan: the context is of point %u\n", point);
        chengmen_scan_close(scan);
        return EXIT_USAGE;
    }
    struct chengmen_scan_answer answer;
    chengmen_scan_ask(scan, &command.request, &answer);
    scan_print(stdout, &answer, &command.style);
    chengmen_scan_close(scan);
    return exit_code(&answer);
}
