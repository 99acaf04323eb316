/* What a point shows and adds, as `chengmen scan` and `chengmen explain` take it from the command line. */
#pragma once

#include <getopt.h>

#include "control/scan/chengmen_scan.h"

struct evidence_arguments {
    struct chengmen_scan_request request;     /* its memory is below, or the command line */
    uint8_t code[CHENGMEN_SCAN_CODE_MAX + 2]; /* one more shows an overlong one, and one for a line's end */
    uint8_t pass[CHENGMEN_SCAN_PASS_MAX * 3 / 2 + 16];
};

enum evidence_option {
    EVIDENCE_TEMPERATURE = 512,
    EVIDENCE_MASK,
    EVIDENCE_REGISTERED,
    EVIDENCE_CONSENT,
    EVIDENCE_ID_CHECKED,
    EVIDENCE_SMS,
    EVIDENCE_PASS,
    EVIDENCE_FORM,
    EVIDENCE_TIME,
    EVIDENCE_DIRECTION
};

/* Rows for getopt_long. */
#define EVIDENCE_OPTIONS                                                                                               \
    {"temperature", required_argument, NULL, EVIDENCE_TEMPERATURE}, {"mask", optional_argument, NULL, EVIDENCE_MASK},  \
        {"registered", optional_argument, NULL, EVIDENCE_REGISTERED},                                                  \
        {"consent", optional_argument, NULL, EVIDENCE_CONSENT},                                                        \
        {"id-checked", optional_argument, NULL, EVIDENCE_ID_CHECKED}, {"sms", required_argument, NULL, EVIDENCE_SMS},  \
        {"pass", required_argument, NULL, EVIDENCE_PASS}, {"form", required_argument, NULL, EVIDENCE_FORM},            \
        {"time", required_argument, NULL, EVIDENCE_TIME},                                                              \
    {                                                                                                                  \
        "direction", required_argument, NULL, EVIDENCE_DIRECTION                                                       \
    }
extern const char evidence_help[];

/* Takes one option. False after a message on standard error, or where the option is none of these. */
bool evidence_take(struct evidence_arguments *evidence, int option, const char *value);
/* CODE|-|@FILE; false after a message on standard error. */
bool evidence_code(struct evidence_arguments *evidence, const char *text);
/* A whole number up to `max`. */
bool evidence_number(const char *text, uint64_t max, uint64_t *out);
