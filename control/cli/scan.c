#include "control/cli/scan.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/evidence.h"
#include "control/cli/scan_print.h"
#include "control/scan/chengmen_scan.h"

enum { EXIT_PASS = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

static const char usage_begin[] =
    "usage: chengmen scan --to ADDRESS[:PORT] --point N [options] CODE|-|@FILE\n"
    "Plays a scanning point: shows a code to the appliance and prints the verdict.\n"
    "CODE is the SC1: text; - reads it from standard input, @FILE from a file (text or raw COSE);\n"
    "an empty CODE asks without one.\n"
    "  --to ADDRESS[:PORT]  the appliance; an IPv6 address with a port stands in brackets\n"
    "  --point N            the point that is meant; plain CoAP is known by its source address, so N is not sent;\n"
    "                       with --oscore it must be the point of the context file\n"
    "  --from ADDRESS       send from this address\n"
    "  --oscore FILE        protect with this context (JSON, see chengmen point export)\n";
static const char usage_end[] =
    "  --deadline SECONDS   give up after; by default as RFC 7252 says, 62 to 93 s\n"
    "  --lang en|zh         language of the texts\n"
    "  --json               one JSON object\n"
    "exit code: 0 ALLOW or ALLOW_WITH_OBLIGATIONS, 1 another verdict or a refusal, 2 usage, 3 unreachable\n";

enum option_id {
    OPTION_TO = 256,
    OPTION_POINT,
    OPTION_FROM,
    OPTION_OSCORE,
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
    EVIDENCE_OPTIONS,
    {"deadline", required_argument, NULL, OPTION_DEADLINE},
    {"lang", required_argument, NULL, OPTION_LANG},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

struct scan_command {
    struct chengmen_scan_options session;
    struct evidence_arguments evidence;
    struct scan_print_style style;
    uint64_t point;
    bool has_point, help;
};

static bool complain(const char *what, const char *value)
{
    fprintf(stderr, "chengmen scan: %s: %s\n", what, value);
    return false;
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
        return evidence_number(value, UINT32_MAX, &c->point) || complain("not a point's number", value);
    case OPTION_DEADLINE:
        if (!evidence_number(value, 3600, &seconds) || seconds == 0)
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
        return evidence_take(&c->evidence, option, value);
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
    return evidence_code(&c->evidence, argv[optind]);
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

/* What a right command line meets where there is no way to the appliance, or not from here. */
static bool error_is_network(int number)
{
    return number == ENETUNREACH || number == EHOSTUNREACH || number == ENETDOWN || number == EADDRNOTAVAIL ||
           number == EAFNOSUPPORT;
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
        printf("%s%s%s", usage_begin, evidence_help, usage_end);
        return EXIT_PASS;
    }
    struct chengmen_scan *scan = chengmen_scan_open(&command.session, error, sizeof error);
    if (!scan) {
        int number = errno;
        complain("cannot scan", error);
        return error_is_network(number) ? EXIT_UNREACHABLE : EXIT_USAGE;
    }
    uint32_t point;
    if (chengmen_scan_point(scan, &point) && point != command.point) {
        fprintf(stderr, "chengmen scan: the context is of point %u\n", point);
        chengmen_scan_close(scan);
        return EXIT_USAGE;
    }
    struct chengmen_scan_answer answer;
    chengmen_scan_ask(scan, &command.evidence.request, &answer);
    scan_print(stdout, &answer, &command.style);
    chengmen_scan_close(scan);
    return exit_code(&answer);
}
