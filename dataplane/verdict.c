/* Region and rules: the last stages of a decision. */
#include "dataplane/stages.h"

/* Mutual recognition (design section 7). A code of a region that is still being agreed counts once its bearer has
 * registered; the rules then decide as for any other. */
static enum reason region_check(const struct request *r, const struct rule_set *rules, uint64_t now_s)
{
    if (!r->has_credential)
        return REASON_NONE;
    switch (rule_set_equivalence(rules, r->credential.issuer, now_s)) {
    case EQUIVALENCE_EQUAL:
        return REASON_NONE;
    case EQUIVALENCE_PENDING:
        return r->evidence.has_registered && r->evidence.registered ? REASON_NONE : REASON_REGION_PENDING;
    default:
        return REASON_REGION_NOT_ACCEPTED;
    }
}

static enum verdict verdict_of_ending(enum ending ending)
{
    switch (ending) {
    case ENDING_NEED_EVIDENCE:
        return VERDICT_NEED_EVIDENCE;
    case ENDING_DENY:
        return VERDICT_DENY;
    case ENDING_RETRY:
        return VERDICT_RETRY;
    default:
        return VERDICT_REFER;
    }
}

void verdict_of_refusal(struct request *r)
{
    r->decision = (struct decision){
        .verdict = verdict_of_ending(reason_ending(r->reason)), .reason = r->reason, .rule = RULE_NONE, .rule_id = ""};
    if (r->reason == REASON_REGION_PENDING)
        r->decision.obligations = 1u << OBLIGATION_REGISTER;
}

/* An old list is told to staff, whatever the rules made of it. */
static void tell_staleness(struct request *r)
{
    struct decision *d = &r->decision;
    if (r->latest.stale && (d->verdict == VERDICT_ALLOW || d->verdict == VERDICT_ALLOW_WITH_OBLIGATIONS)) {
        d->verdict = VERDICT_ALLOW_WITH_OBLIGATIONS;
        d->obligations |= 1u << OBLIGATION_STATUS_STALE;
    }
}

void verdict_decide(struct request *r, const struct rule_set *rules, uint64_t now_s)
{
    if (rules && now_s < rule_set_to_s(rules))
        r->reason = region_check(r, rules, now_s);
    if (r->reason != REASON_NONE) {
        verdict_of_refusal(r);
        return;
    }
    struct facts facts;
    facts_of(r, now_s, &facts);
    decide(rules, &facts, &r->decision);
    tell_staleness(r);
    r->reason = r->decision.reason;
}
