/* Why a code gets its verdict: the decision made step by step by the dataplane's own stages (dataplane/judge.h), and
 * told as JSON. */
#pragma once

#include <cjson/cJSON.h>

#include "control/scan/chengmen_scan.h"
#include "control/snapshot.h"
#include "dataplane/reasons.h"
#include "dataplane/replay.h"

struct explain_question {
    const struct chengmen_scan_request *shown;
    uint32_t point;
    uint64_t now_s;
    uint32_t skew_s;
    struct sighting seen; /* where the code was shown before: only the workers remember, so the asker tells */
    enum language language;
};

/* An object, the caller's:
 *   {"steps": [{"step", "result": "passed" | "ended" | "not reached", "detail"}, …],
 *    "facts": {path: value, …}, "rows": [{"rule", "table", "result", "facts", "error"}, …],
 *    "verdict", "colour", "reason", "reason_number", "text", "obligations", "until", "rule", "ruleset_version",
 *    "status_age"}
 * NULL with one line in `error` where the question cannot be asked: no such point, a request out of bounds. */
cJSON *explain(struct snapshot *snapshot, const struct explain_question *question, char *error, size_t error_size);
