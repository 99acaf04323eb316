/* What rules see of a request. */
#include "dataplane/facts.h"

#include "dataplane/stages.h"

static void set_optional_text(struct facts *f, enum fact fact, struct bytes text)
{
    if (text.length > 0)
        fact_set_text(f, fact, text);
}

static void set_optional_number(struct facts *f, enum fact fact, bool present, uint64_t number)
{
    if (present)
        fact_set_number(f, fact, number);
}

static void credential_facts(const struct credential *c, struct facts *f)
{
    fact_set_text(f, FACT_CREDENTIAL_ISSUER, c->issuer);
    fact_set_number(f, FACT_CREDENTIAL_CLASS, c->class);
    fact_set_number(f, FACT_CREDENTIAL_IAT, c->iat_s);
    fact_set_number(f, FACT_CREDENTIAL_EXP, c->exp_s);
    fact_set_number(f, FACT_CREDENTIAL_DELEGATE, c->delegate != NULL);
    fact_set_number(f, FACT_CREDENTIAL_NEEDS_ID, c->needs_id);
    set_optional_number(f, FACT_CREDENTIAL_REGION, c->has_region, c->region);
    set_optional_number(f, FACT_CREDENTIAL_PROOFING, c->has_proofing, c->proofing);
    set_optional_number(f, FACT_CREDENTIAL_ARRIVAL, c->has_arrival, c->arrival_day);
    set_optional_number(f, FACT_CREDENTIAL_COLOUR, c->colour != COLOUR_UNKNOWN, c->colour);
    set_optional_text(f, FACT_CREDENTIAL_ROLES, c->roles);
    set_optional_text(f, FACT_CREDENTIAL_VENUE, c->venue);
    set_optional_text(f, FACT_CREDENTIAL_OCCUPATION, c->occupation);
}

static void record_facts(const struct subject_record *s, struct facts *f)
{
    fact_set_number(f, FACT_STATUS_REASON, s->reason);
    fact_set_number(f, FACT_STATUS_SINCE, s->since_s);
    fact_set_number(f, FACT_STATUS_KEY_REGION, (s->flags & SUBJECT_KEY_REGION) != 0);
    set_optional_number(f, FACT_STATUS_UNTIL, s->flags & SUBJECT_HAS_UNTIL, s->until_s);
    set_optional_number(f, FACT_STATUS_ARRIVAL, s->flags & SUBJECT_HAS_ARRIVAL, s->arrival_day);
    set_optional_text(f, FACT_STATUS_OCCUPATION, bytes_of_text(s->occupation));
}

static void status_facts(const struct request *r, struct facts *f)
{
    set_optional_number(f, FACT_STATUS_COLOUR, r->latest.colour != COLOUR_UNKNOWN, r->latest.colour);
    set_optional_number(f, FACT_STATUS_AGE, r->latest.has_list, r->latest.age_s);
    if (r->latest.has_record)
        record_facts(&r->subject, f);
}

static void point_facts(const struct point *p, struct facts *f)
{
    fact_set_number(f, FACT_POINT_ID, p->id);
    fact_set_text(f, FACT_POINT_VENUE, bytes_of_text(p->venue));
    fact_set_text(f, FACT_POINT_CLASS, bytes_of_text(p->venue_class));
    fact_set_number(f, FACT_POINT_MODE, p->mode);
    set_optional_text(f, FACT_POINT_GROUP, bytes_of_text(p->group));
    set_optional_number(f, FACT_POINT_DISTRICT, p->district != 0, p->district);
    set_optional_number(f, FACT_POINT_ZONE, p->zone != 0, p->zone);
}

/* Seconds that the point's clock is ahead, negative where it is behind, within what a number in rules holds. */
static int64_t skew_of(uint64_t point_time_s, uint64_t now_s)
{
    bool ahead = point_time_s >= now_s;
    uint64_t skew_s = ahead ? point_time_s - now_s : now_s - point_time_s;
    int64_t bounded = skew_s < INT32_MAX ? (int64_t)skew_s : INT32_MAX;
    return ahead ? bounded : -bounded;
}

/* What the point says of itself in this request; nobody vouches for it but the point. */
static void said_facts(const struct request *r, uint64_t now_s, struct facts *f)
{
    if (r->direction != DIRECTION_NONE)
        fact_set_text(f, FACT_POINT_DIRECTION, bytes_of_text(r->direction == DIRECTION_IN ? "in" : "out"));
    if (r->has_point_time)
        fact_set_integer(f, FACT_POINT_SKEW, skew_of(r->point_time_s, now_s));
}

static void evidence_facts(const struct request *r, struct facts *f)
{
    const struct evidence *e = &r->evidence;
    if (e->has_temperature)
        fact_set_integer(f, FACT_EVIDENCE_TEMPERATURE, e->temperature_centi);
    set_optional_number(f, FACT_EVIDENCE_PASS, r->has_pass, true);
    set_optional_number(f, FACT_EVIDENCE_CONSENT, e->has_consent, e->consent);
    set_optional_number(f, FACT_EVIDENCE_ID_CHECKED, e->has_id_checked, e->id_checked);
    set_optional_number(f, FACT_EVIDENCE_MASK, e->has_mask, e->mask);
    set_optional_number(f, FACT_EVIDENCE_REGISTERED, e->has_registered, e->registered);
    set_optional_text(f, FACT_EVIDENCE_SMS, e->sms);
    set_optional_text(f, FACT_EVIDENCE_FORM, e->form);
}

void facts_of(const struct request *r, uint64_t now_s, struct facts *out)
{
    out->present = 0;
    fact_set_number(out, FACT_NOW, now_s);
    if (r->has_credential)
        credential_facts(&r->credential, out);
    set_optional_number(out, FACT_CREDENTIAL_SEEN_ZONE, r->sighting.seen, r->sighting.zone);
    set_optional_number(out, FACT_CREDENTIAL_SEEN_AGE, r->sighting.seen, r->sighting.age_s);
    status_facts(r, out);
    point_facts(r->point, out);
    said_facts(r, now_s, out);
    evidence_facts(r, out);
}
