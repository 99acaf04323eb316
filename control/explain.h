/* Why a code gets its verdict: the decision made step by step by the dataplane's own stages (dataplane/judge.h), and
 * told as JSON. */
#pragma once

#include <cjson/cJSON.h>

#include "control/json.h"
#include "control/scan/chengmen_scan.h"
#include "control/snapshot.h"
#include "dataplane/reasons.h"
#include "dataplane/replay.h"

/* An answer that a point recorded: the object that `chengmen scan --json` or `chengmen explain --json` printed. */
struct explain_record {
    cJSON *tree;
    const char *verdict, *colour, *reason, *rule, *until; /* belong to the tree; NULL where it has none */
    bool has_number, has_version;
    uint64_t number; /* of the decision */
    uint32_t version;
    const cJSON *facts; /* {path: value, …}, or NULL */
};
/* False with problems where the text is no such object. The caller frees it. */
bool explain_record_read(struct bytes text, struct explain_record *out, struct json_problems *problems);
void explain_record_free(struct explain_record *record);

struct explain_question {
    const struct chengmen_scan_request *shown; /* NULL: nothing is shown; `recorded` says what is to be explained */
    uint32_t point;                            /* that `shown` is asked at */
    uint64_t now_s;
    uint32_t skew_s;
    struct sighting seen; /* where the code was shown before: only the workers remember, so the asker tells */
    bool has_number, has_version;
    uint64_t number;                       /* of the decision that is meant */
    uint32_t version;                      /* of the rules to decide by; otherwise those in force at now_s */
    const struct explain_record *recorded; /* an answer to explain, or to compare with; or NULL */
    enum language language;
};

/* An object, the caller's:
 *   {"decided": {"number", "at", "worker"}, "steps": [{"step", "result": "passed" | "ended" | "not reached", "detail"},
 * …], "facts": {path: value, …}, "rows": [{"rule", "table", "result", "facts", "error"}, …], "lacking": [path, …],
 *    "verdict", "colour", "reason", "reason_number", "text", "obligations", "obligation_texts", "until", "rule",
 *    "rules_version", "status_age_s", "row": the row's own text, "recorded": {…, "same", "differs": [member, …]},
 *    "notes": [text, …]}
 * Without a code the rows are asked again about the facts that were recorded; without facts the recorded answer is
 * told in words, with its row. NULL with one line in `error` where the question cannot be asked: no such point, a
 * request out of bounds, rules that are no longer held. */
cJSON *explain(struct snapshot *snapshot, const struct explain_question *question, char *error, size_t error_size);
