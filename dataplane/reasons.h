/* Reasons, verdicts, obligations: the words of an answer. Texts for people come from reasons.def and obligations.def.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum reason {
    REASON_NONE = 0, /* still under way */
#define REASON(number, name, ending, english, chinese) REASON_##name = number,
#include "dataplane/reasons.def"
#undef REASON
    REASON_LIMIT = 160 /* above every number; sizes the counters */
};

enum ending {
    ENDING_DROP,
    ENDING_LINK,
    ENDING_MESSAGE,
    ENDING_CODE_4_00,
    ENDING_CODE_4_01,
    ENDING_CODE_4_02,
    ENDING_CODE_4_04,
    ENDING_CODE_4_05,
    ENDING_CODE_4_06,
    ENDING_CODE_4_13,
    ENDING_CODE_4_15,
    ENDING_CODE_4_29,
    ENDING_CODE_5_03,
    ENDING_CODE_5_05,
    ENDING_ALLOW,
    ENDING_ALLOW_WITH_OBLIGATIONS,
    ENDING_NEED_EVIDENCE,
    ENDING_REFER,
    ENDING_DENY,
    ENDING_RETRY,
    ENDING_RULE
};

enum verdict {
    VERDICT_ALLOW = 0,
    VERDICT_ALLOW_WITH_OBLIGATIONS = 1,
    VERDICT_NEED_EVIDENCE = 2,
    VERDICT_REFER = 3,
    VERDICT_DENY = 4,
    VERDICT_RETRY = 5,
    VERDICT_COUNT
};

enum obligation {
#define OBLIGATION(number, name, english, chinese) OBLIGATION_##name = number,
#include "dataplane/obligations.def"
#undef OBLIGATION
    OBLIGATION_COUNT
};
/* Sets of obligations are bits: 1u << enum obligation. */

enum language { LANGUAGE_ENGLISH, LANGUAGE_CHINESE };

/* All names are static, none is NULL; an unknown number gives "UNKNOWN". */
const char *reason_name(enum reason reason);
const char *reason_text(enum reason reason, enum language language);
enum ending reason_ending(enum reason reason);
bool reason_from_name(const char *name, enum reason *out);
const char *verdict_name(enum verdict verdict);
bool verdict_from_name(const char *name, enum verdict *out);
const char *obligation_name(enum obligation obligation);
const char *obligation_text(enum obligation obligation, enum language language);
bool obligation_from_name(const char *name, enum obligation *out);
