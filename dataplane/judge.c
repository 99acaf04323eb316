#include "dataplane/judge.h"

/* Ends what has a reason, keeps the others in front. */
static unsigned keep_open(struct request *requests[], unsigned n)
{
    unsigned open = 0;
    for (unsigned i = 0; i < n; i++) {
        struct request *r = requests[i];
        if (r->reason == REASON_NONE)
            requests[open++] = r;
        else
            verdict_of_refusal(r);
    }
    return open;
}

static void reset_state(struct request *r)
{
    r->latest = (struct latest){.colour = COLOUR_UNKNOWN};
    r->list = NULL;
    r->sighting = (struct sighting){.seen = false};
}

unsigned judge_credentials(struct judge *judge, struct request *requests[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        reset_state(requests[i]);
        requests[i]->reason = credential_check(requests[i], judge->generation, judge->now_s);
    }
    n = keep_open(requests, n);
    verify_burst(&judge->scratch, requests, n);
    n = keep_open(requests, n);
    for (unsigned i = 0; i < n; i++) {
        struct request *r = requests[i];
        r->reason = times_check(r, judge->now_s, judge->skew_s);
        if (r->reason != REASON_NONE)
            continue;
        status_list_find(r, judge->generation);
        if (judge->replay && r->has_credential && r->credential.cti)
            replay_prefetch(judge->replay, r->credential.cose.kid, r->credential.cti);
    }
    n = keep_open(requests, n);
    for (unsigned i = 0; i < n; i++)
        requests[i]->reason = status_list_check(requests[i], judge->now_s);
    return keep_open(requests, n);
}

void judge_subject_key(const struct judge *judge, const struct request *r, uint8_t out[SUBJECT_KEY_SIZE])
{
    subject_key(judge->generation->subject_hash_key, r->credential.issuer, r->credential.subject, out);
}

/* Notes where a code is shown now, and keeps what is remarkable of where it was shown before: the same point again
 * within the rule set's few seconds is not. */
static void note_sighting(struct judge *judge, struct request *r, const struct rule_set *rules)
{
    if (!judge->replay || !r->has_credential || !r->credential.cti)
        return;
    r->sighting = replay_note(judge->replay, r->credential.cose.kid, r->credential.cti, r->point_index, r->point->zone,
                              judge->now_s);
    judge->replay_forgotten += r->sighting.forgot;
    if (r->sighting.point_index == r->point_index && rules && r->sighting.age_s <= rule_set_same_point_s(rules))
        r->sighting.seen = false;
}

void judge_state_by(struct judge *judge, struct request *r, const struct subject_record *record,
                    const struct rule_set *rules)
{
    r->latest.has_record = record && !(record->flags & SUBJECT_REMOVED);
    if (r->latest.has_record)
        r->subject = *record;
    status_conclude(r, judge->now_s);
    note_sighting(judge, r, rules);
    verdict_decide(r, rules, judge->now_s);
}

void judge_state(struct judge *judge, struct request *r, const struct subject_record *record)
{
    judge_state_by(judge, r, record, generation_rules(judge->generation, judge->now_s));
}

void judge_without_state(struct request *r, enum reason why)
{
    r->reason = why;
    verdict_of_refusal(r);
}
