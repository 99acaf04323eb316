/* Rule set files: JSON (design section 7) in, program bytes for the log (LOG_RULES) out.
 *
 *   {"version": 12, "issued": "2020-03-06T00:00:00+08:00",
 *    "from": …, "to": …,                 optional: when the set takes over and ends
 *    "note": "…",                        optional, for readers
 *    "home": ["CN-310000"],              optional: issuers whose codes are the city's own
 *    "same_point_s": 5,                  optional: how long one point may show a code again
 *    "equivalence": [{"issuer", "as": "equal" | "pending", "from", "to", "note"}, …],
 *    "city": [ROW, …], "venues": {"hospital": [ROW, …], …}}
 *   ROW = {"id", "when", "verdict", "reason", optional "from", "to", "obligations", "until", "note"}
 *
 * Every date-time says its offset; null or absent means open. "when" and "until" are CertLogic over the facts of
 * dataplane/facts.def. */
#pragma once

#include "control/json.h"

struct rules_summary {
    uint32_t version;
    uint64_t issued_s, from_s, to_s; /* to_s UINT64_MAX: open */
    uint32_t city_rows, venue_rows, venues, equivalences;
    uint32_t tests, codes;        /* different ones: each is computed at most once a decision */
    uint32_t row_steps_max;       /* instructions the dearest row takes at most */
    uint64_t list_steps_max;      /* and all rows that stand before one point together */
    uint32_t stack_max, room_max; /* values */
    size_t program_size;
};

/* All problems are gathered. With `warn` also what is allowed but suspicious: rows that nothing reaches, constants that
 * a fact never is, overlapping dates, venues without rows. True where nothing was refused; then the caller frees
 * *program, and the dataplane is known to load it. `out` may be NULL. */
bool rules_compile(struct bytes text, bool warn, struct rules_summary *out, uint8_t **program, size_t *program_size,
                   struct json_problems *problems);

/* What changes from one valid rule set file to another, in words, a line each; the caller frees it. NULL with
 * problems where one of them is no rule set. "" where nothing changes. */
char *rules_diff(struct bytes before, struct bytes after, struct json_problems *problems);
