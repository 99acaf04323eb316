/* The parts of explain.c: steps, facts and rows, recorded answers. */
#pragma once

#include <cjson/cJSON.h>

#include "control/explain.h"
#include "dataplane/judge.h"

/* The steps of a decision in their order (design section 7), as far as they lie behind the security context. */
enum step {
    STEP_REQUEST,
    STEP_FORM,
    STEP_KEY,
    STEP_SIGNATURE,
    STEP_TIMES,
    STEP_STATUS,
    STEP_REPLAY,
    STEP_REGION,
    STEP_RULES,
    STEP_COUNT
};
/* Where a request that ended with `reason` ended. */
enum step explain_step_of(enum reason reason);
/* [{"step", "result", "detail"}, …]; in another language than English also "step_text" and "result_text". */
cJSON *explain_steps(const struct request *r, enum language language);

cJSON *explain_facts(const struct facts *facts);
/* Decides row by row; adds "facts", "rows" and, where evidence is asked for, "lacking". */
void explain_rows(cJSON *object, const struct rule_set *rules, const struct facts *facts, enum language language,
                  struct decision *decision);

/* Adds "decided": when and by which worker the number says. */
void explain_number(cJSON *object, uint64_t number);
/* Adds "row": the row as the rule set's text has it, where the text is still held. */
void explain_row_text(cJSON *object, const char *rules_text, const char *rule_id);
/* Adds "recorded": the recorded answer, and what of it another decision comes out differently. */
void explain_compare(cJSON *object, const struct explain_record *recorded);
/* Adds the recorded answer as it is, with texts; where neither a code nor facts are given. */
void explain_retell(cJSON *object, const struct explain_record *recorded, enum language language);
