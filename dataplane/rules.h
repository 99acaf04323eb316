/* The city's rules, compiled: what the log carries (LOG_RULES), how it is loaded, how a decision is made of it. Pure:
 * facts in, decision out; no clock, no JSON, no allocation after loading. control/rules_json.h makes the programs.
 *
 * A rule set is two tables of rows: the city's, which outrank, and one for each venue class. A row matches where each
 * of its tests holds; a test is either a comparison of one fact with constants, or code for the machine of machine.h
 * (CertLogic, the published 1.x semantics). The first row that matches decides; a row whose test errs before an earlier
 * test of it failed ends in REFER, RULE_ERROR. When loading, an index is made that rules out rows by the class of each
 * fact's value, a bit a row, so that few rows are looked at; it never changes a result. */
#pragma once

#include "dataplane/facts.h"
#include "dataplane/reasons.h"

#define RULES_FORMAT 1
#define RULE_ROWS_MAX 16384
#define RULE_LISTS_MAX 1024
#define RULE_TEXT_MAX 256 /* bytes of a text constant */
#define RULE_ID_MAX 48    /* bytes of a row's id */
#define RULE_ISSUERS_MAX 1024
#define RULE_STEPS_MAX 65536        /* one row may take: instructions and items compared, loops included */
#define RULE_LIST_STEPS_MAX 4194304 /* all rows that stand before one point may take together */

/* Immutable once loaded, so any number of threads may decide by it. */
struct rule_set;

/* Checks every byte of the program and builds the index. NULL with one line in `error` where it is not a program of
 * this format; nothing that control did not make can crash or hang it. Copies what it needs of `program`. */
struct rule_set *rule_set_load(struct bytes program, char *error, size_t error_size);
void rule_set_free(struct rule_set *rules);

uint32_t rule_set_version(const struct rule_set *rules);
uint64_t rule_set_issued_s(const struct rule_set *rules);
/* When it takes over, and when it ends (UINT64_MAX: open). */
uint64_t rule_set_from_s(const struct rule_set *rules);
uint64_t rule_set_to_s(const struct rule_set *rules);
/* How long the same point may show the same code again without it being remarkable, seconds. */
uint32_t rule_set_same_point_s(const struct rule_set *rules);
uint32_t rule_set_row_count(const struct rule_set *rules);

/* Of the sets in the order they were applied: the last one that has begun. It may have ended; decide says so. NULL
 * where none has begun. This is how two sets stand side by side with a switch time between them. */
const struct rule_set *rule_set_pick(const struct rule_set *const sets[], unsigned count, uint64_t now_s);

enum equivalence { EQUIVALENCE_NOT_ACCEPTED, EQUIVALENCE_PENDING, EQUIVALENCE_EQUAL };
/* What an issuer's codes count here now. The set's home issuers are equal always; for others the dated table says. */
enum equivalence rule_set_equivalence(const struct rule_set *rules, struct bytes issuer, uint64_t now_s);

struct decision {
    enum verdict verdict;
    enum reason reason;
    uint32_t obligations; /* bits, 1u << enum obligation */
    bool has_until;
    uint64_t until_s;
    uint32_t rule;       /* index of the row over the whole set; RULE_NONE where no row decided */
    const char *rule_id; /* the row's id, owned by the set; "" where no row decided */
};
#define RULE_NONE UINT32_MAX

/* FACT_NOW must be set and FACT_POINT_CLASS chooses the venue's rows. `rules` may be NULL: REFER, RULES_ABSENT; so does
 * a set that has not begun, and one that has ended gives REFER, RULES_EXPIRED. At a point in ADVISORY mode what the
 * city denies or refers stands and everything else becomes REFER, ADVISORY. Never allocates, never fails. */
void decide(const struct rule_set *rules, const struct facts *facts, struct decision *out);

enum row_result { ROW_NO_MATCH, ROW_MATCH, ROW_ERROR, ROW_NOT_IN_FORCE };

/* One row as decide saw it, for `chengmen explain`. */
struct row_trace {
    uint32_t rule;
    const char *rule_id;
    bool city; /* a city row, else one of the venue class */
    enum row_result result;
    uint64_t facts_read; /* bit 1 << enum fact */
    const char *error;   /* why it errs; NULL otherwise */
};

/* The same decision, made row by row without the index; `each` is called for every row tried, in order, the deciding
 * one last. */
void decide_traced(const struct rule_set *rules, const struct facts *facts, struct decision *out,
                   void (*each)(void *context, const struct row_trace *trace), void *context);
