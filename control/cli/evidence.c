#include "control/cli/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/base45.h"

const char evidence_help[] = "  --temperature C      degrees Celsius, 36.5\n"
                             "  --mask  --registered  --consent  --id-checked   each with =no for a false\n"
                             "  --sms TEXT           return-to-work message\n"
                             "  --pass FILE|SC1:...  venue pass\n"
                             "  --form TEXT          epidemiological form reference\n"
                             "  --time T             the point's clock, seconds since 1970\n"
                             "  --direction in|out\n";

static bool complain(const char *what, const char *value)
{
    fprintf(stderr, "chengmen: %s: %s\n", what, value);
    return false;
}

bool evidence_number(const char *text, uint64_t max, uint64_t *out)
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

static bool read_pass(struct evidence_arguments *e, const char *text)
{
    size_t size = strlen(text);
    if (strncmp(text, BASE45_PREFIX, 4) != 0) {
        if (!read_file(text, e->pass, sizeof e->pass, &size))
            return false;
    } else if (size < sizeof e->pass)
        memcpy(e->pass, text, size);
    else
        return complain("venue pass too large", "");
    e->request.pass = e->pass;
    e->request.pass_size = size;
    if (size < 4 || memcmp(e->pass, BASE45_PREFIX, 4) != 0)
        return true;
    return base45_decode((struct bytes){e->pass + 4, size - 4}, e->pass, sizeof e->pass, &e->request.pass_size) ||
           complain("venue pass is not base45", "SC1:");
}

bool evidence_code(struct evidence_arguments *e, const char *text)
{
    e->request.code = e->code;
    if (strcmp(text, "-") == 0)
        return read_file(NULL, e->code, sizeof e->code, &e->request.code_size);
    if (text[0] == '@')
        return read_file(text + 1, e->code, sizeof e->code, &e->request.code_size);
    e->request.code = text;
    e->request.code_size = strlen(text);
    return true;
}

bool evidence_take(struct evidence_arguments *e, int option, const char *value)
{
    struct chengmen_scan_request *r = &e->request;
    switch (option) {
    case EVIDENCE_TEMPERATURE:
        r->has_temperature = true;
        return read_temperature(value, &r->temperature_c) || complain("not a temperature", value);
    case EVIDENCE_MASK:
        return read_flag(value, &r->has_mask, &r->mask);
    case EVIDENCE_REGISTERED:
        return read_flag(value, &r->has_registered, &r->registered);
    case EVIDENCE_CONSENT:
        return read_flag(value, &r->has_consent, &r->consent);
    case EVIDENCE_ID_CHECKED:
        return read_flag(value, &r->has_id_checked, &r->id_checked);
    case EVIDENCE_SMS:
        r->sms = value;
        return true;
    case EVIDENCE_FORM:
        r->form = value;
        return true;
    case EVIDENCE_PASS:
        return read_pass(e, value);
    case EVIDENCE_TIME:
        r->has_time = true;
        return evidence_number(value, INT64_MAX, &r->time_s) || complain("not a time in seconds", value);
    case EVIDENCE_DIRECTION:
        r->has_direction = true;
        r->direction = strcmp(value, "out") == 0;
        return r->direction || strcmp(value, "in") == 0 || complain("in or out expected", value);
    default:
        return false;
    }
}
