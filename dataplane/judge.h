/* The order of a decision, from a parsed request to its verdict (design section 7). The worker calls it for bursts,
 * `chengmen explain` for one request at a time, so that both end the same. */
#pragma once

#include "dataplane/stages.h"

/* What a decision needs beside the request; the worker's, one a worker. */
struct judge {
    const struct generation *generation;
    uint64_t now_s;
    uint32_t skew_s;
    struct replay *replay; /* of all workers; NULL: nobody remembers */
    uint64_t replay_forgotten;
    struct verify_scratch scratch;
};

/* Credential, key, signature, times, status list: what needs no disk. Requests that end here have their verdict; the
 * others are still at REASON_NONE and stand first in `requests` afterwards. Returns their number. */
unsigned judge_credentials(struct judge *judge, struct request *requests[], unsigned n);

/* The key of the subject's record: what judge_state must know of before it can go on. */
void judge_subject_key(const struct judge *judge, const struct request *r, uint8_t out[SUBJECT_KEY_SIZE]);

/* Latest state, the same code shown elsewhere, region, rules. `record` is NULL where the store has none. Ends the
 * request. */
void judge_state(struct judge *judge, struct request *r, const struct subject_record *record);
/* The same by a rule set of the caller's choice; NULL is none in force. */
void judge_state_by(struct judge *judge, struct request *r, const struct subject_record *record,
                    const struct rule_set *rules);
/* The same where the store could not say: `why` is STATUS_TIMEOUT, STATUS_DAMAGED or STATUS_BUSY. */
void judge_without_state(struct request *r, enum reason why);
