#include "dataplane/reasons.h"

#include <stddef.h>
#include <string.h>

struct reason_entry {
    const char *name;
    const char *text[2];
    enum ending ending;
};

static const struct reason_entry reasons[REASON_LIMIT] = {
#define REASON(number, name, ending, english, chinese) [number] = {#name, {english, chinese}, ENDING_##ending},
#include "dataplane/reasons.def"
#undef REASON
};

struct obligation_entry {
    const char *name;
    const char *text[2];
};

static const struct obligation_entry obligations[OBLIGATION_COUNT] = {
#define OBLIGATION(number, name, english, chinese) [number] = {#name, {english, chinese}},
#include "dataplane/obligations.def"
#undef OBLIGATION
};

static const char *const verdicts[VERDICT_COUNT] = {
    [VERDICT_ALLOW] = "ALLOW",
    [VERDICT_ALLOW_WITH_OBLIGATIONS] = "ALLOW_WITH_OBLIGATIONS",
    [VERDICT_NEED_EVIDENCE] = "NEED_EVIDENCE",
    [VERDICT_REFER] = "REFER",
    [VERDICT_DENY] = "DENY",
    [VERDICT_RETRY] = "RETRY",
};

static const char unknown[] = "UNKNOWN";

static bool reason_known(enum reason reason)
{
    return (unsigned)reason < REASON_LIMIT && reasons[reason].name;
}

const char *reason_name(enum reason reason)
{
    return reason_known(reason) ? reasons[reason].name : unknown;
}

const char *reason_text(enum reason reason, enum language language)
{
    return reason_known(reason) ? reasons[reason].text[language] : unknown;
}

enum ending reason_ending(enum reason reason)
{
    return reason_known(reason) ? reasons[reason].ending : ENDING_DROP;
}

bool reason_from_name(const char *name, enum reason *out)
{
    for (unsigned i = 0; i < REASON_LIMIT; i++)
        if (reasons[i].name && strcmp(reasons[i].name, name) == 0) {
            *out = (enum reason)i;
            return true;
        }
    return false;
}

const char *verdict_name(enum verdict verdict)
{
    return (unsigned)verdict < VERDICT_COUNT ? verdicts[verdict] : unknown;
}

bool verdict_from_name(const char *name, enum verdict *out)
{
    for (unsigned i = 0; i < VERDICT_COUNT; i++)
        if (strcmp(verdicts[i], name) == 0) {
            *out = (enum verdict)i;
            return true;
        }
    return false;
}

const char *obligation_name(enum obligation obligation)
{
    return (unsigned)obligation < OBLIGATION_COUNT ? obligations[obligation].name : unknown;
}

const char *obligation_text(enum obligation obligation, enum language language)
{
    return (unsigned)obligation < OBLIGATION_COUNT ? obligations[obligation].text[language] : unknown;
}

bool obligation_from_name(const char *name, enum obligation *out)
{
    for (unsigned i = 0; i < OBLIGATION_COUNT; i++)
        if (strcmp(obligations[i].name, name) == 0) {
            *out = (enum obligation)i;
            return true;
        }
    return false;
}
