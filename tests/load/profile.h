/* A load, as a JSON file states it: how much, when, from where, of what, and what each request deserves.
 *
 *   {"name": "…", "text": "…",
 *    "rules": "rules.json",              what `expect` goes by, seen from this file; `pool` hands it on
 *    "duration_s": 60, "arrivals": "even" | "poisson", "timeout_ms": 1000,
 *    "rate": {"shape": "constant", "per_s": 14000}
 *          | {"shape": "ramp", "from_per_s", "to_per_s"}
 *          | {"shape": "steps", "steps": [{"per_s", "s"}, …]}            (without duration_s)
 *          | {"shape": "storm", "per_s", "times", "at_s", "for_s"}
 *          | {"shape": "commuter", "peak_per_s"}                         (a day in duration_s)
 *          | {"shape": "capture", "file": "x.pcap", "speed": 1},         (without duration_s; no pool of its own)
 *    "retry": {"times", "after_ms", "jitter_ms"},         clients that come back; default none
 *    "repeat": {"share", "after_ms"},                     retransmissions; default none
 *    "points": {"count", "zipf"}, "subjects": 25000000, "pool": 1000000,
 *    "issuers": ["CN-310000", …],                         a key for each; a name may stand several times
 *    "confirmable": 1, "text_share": 0,                   shares of CON, and of credentials sent as SC1: text
 *    "classes": {"dynamic": 0.9, …}, "colours": {"green": 0.99, "yellow", "red", "revoked"},
 *    "venues": {"subway": {"share": 1, "evidence": {"temperature": 3650, "mask": true, …}}, …},
 *    "invalid": {"forged": 0.001, "expired", "unknown-key", "garbage", "malformed", "replayed"},
 *    "expect": [{"venue", "class", "colour", "kind", "verdict", "reason", "obligations": [...]}, …]}
 *
 * Shares are relative within their object; those of "invalid" are of all requests. Of "expect" the first row that fits
 * holds; what a row does not name is any. Revoked and invalid requests have their answer by the design; a row that
 * names their colour or kind overrides it. */
#pragma once

#include "control/json.h"
#include "keys/credential.h"
#include "tests/load/pool.h"
#include "tests/load/schedule.h"
#include "tests/load/sign.h"

#define PROFILE_NAME_MAX 47
#define PROFILE_PATH_MAX 511
#define PROFILE_VENUES_MAX 16
#define PROFILE_ROWS_MAX 64
#define PROFILE_EVIDENCE_MAX 128

enum state { STATE_GREEN, STATE_YELLOW, STATE_RED, STATE_REVOKED, STATE_COUNT };

struct profile_venue {
    char class[PROFILE_NAME_MAX + 1];
    double share;
    uint8_t evidence[PROFILE_EVIDENCE_MAX]; /* CBOR map */
    uint8_t evidence_length;                /* 0: none */
};

/* -1 stands for any. */
struct profile_row {
    int venue, class, state, kind;
    struct expectation expected;
};

struct profile {
    char name[PROFILE_NAME_MAX + 1];
    char text[256];
    char rules[PROFILE_PATH_MAX + 1]; /* "": not named */
    struct rate rate;
    enum arrivals arrivals;
    double duration_s;
    uint64_t timeout_ns;
    uint32_t retry_times;
    uint64_t retry_after_ns, retry_jitter_ns;
    double repeat_share;
    uint64_t repeat_after_ns;
    uint32_t points;
    double zipf;
    uint64_t subjects, pool;
    char issuers[SIGN_ISSUERS_MAX][CREDENTIAL_ISSUER_MAX + 1];
    uint32_t issuer_count;
    double confirmable, text_share;
    double classes[CLASS_COUNT], states[STATE_COUNT], kinds[KIND_COUNT]; /* each sums to 1 */
    struct profile_venue venues[PROFILE_VENUES_MAX];
    uint32_t venue_count;
    struct profile_row rows[PROFILE_ROWS_MAX];
    uint32_t row_count;
    char capture[256]; /* "": not a captured load */
    double capture_speed;
};

extern const char *const state_names[]; /* by enum state, ends with NULL */
extern const char *const class_names[]; /* by enum credential_class, ends with NULL */

/* Strict: every problem is gathered, and nothing that is not understood is passed over. */
bool profile_read(struct bytes text, struct profile *out, struct json_problems *problems);
/* A file's path, or the name of a shipped profile. Prints problems to standard error. */
bool profile_load(const char *name, struct profile *out);
/* What a request deserves. False where no row says. */
bool profile_expectation(const struct profile *profile, uint32_t venue, enum credential_class class, enum state state,
                         enum request_kind kind, struct expectation *out);
