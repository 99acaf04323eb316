/* Credential and venue pass: form, key, scope, validity; and, once the signature is verified, their times. */
#include "dataplane/stages.h"
#include "keys/base45.h"

static enum reason decode_text(struct request *r)
{
    static const size_t prefix_size = sizeof BASE45_PREFIX - 1;
    struct bytes text = r->code_text;
    if (text.length < prefix_size || memcmp(text.data, BASE45_PREFIX, prefix_size) != 0)
        return REASON_CREDENTIAL_TEXT;
    /* In place: the text lies in the request's own frame, and decoded bytes never overtake it. */
    uint8_t *room = r->frame.data + (text.data - r->frame.data) + prefix_size;
    struct bytes encoded = {room, text.length - prefix_size};
    size_t length;
    if (!base45_decode(encoded, room, encoded.length, &length))
        return REASON_CREDENTIAL_TEXT;
    r->code = (struct bytes){room, length};
    return REASON_NONE;
}

static enum reason form_reason(enum credential_error error)
{
    switch (error) {
    case CREDENTIAL_OK:
        return REASON_NONE;
    case CREDENTIAL_ERROR_ALGORITHM:
        return REASON_CREDENTIAL_ALGORITHM;
    case CREDENTIAL_ERROR_TYP:
        return REASON_CREDENTIAL_TYPE;
    case CREDENTIAL_ERROR_CLAIMS:
        return REASON_CREDENTIAL_CLAIMS;
    default:
        return REASON_CREDENTIAL_FORM;
    }
}

static enum reason key_check(const struct issuer_entry *entry, const struct credential *c, uint64_t now_s)
{
    if (!entry)
        return REASON_KEY_UNKNOWN;
    const struct issuer_key *key = &entry->key;
    if (key->retired)
        return REASON_KEY_RETIRED;
    if (key->use != KEY_USE_CREDENTIAL)
        return REASON_KEY_USE;
    if (now_s < key->not_before_s)
        return REASON_KEY_NOT_YET;
    if (now_s >= key->not_after_s)
        return REASON_KEY_EXPIRED;
    if (!bytes_equal(c->issuer, bytes_of_text(key->issuer)))
        return REASON_SCOPE_ISSUER;
    if (!(key->classes >> c->class & 1))
        return REASON_SCOPE_CLASS;
    if (key->region_count > 0 && (!c->has_region || !issuer_key_covers_region(key, c->region)))
        return REASON_SCOPE_REGION;
    return REASON_NONE;
}

/* A pass that is not sound is a refusal of its own: staff should know that it was tried. */
static enum reason pass_check(struct request *r, const struct generation *g, uint64_t now_s)
{
    if (credential_parse(r->evidence.pass, &r->pass) != CREDENTIAL_OK || r->pass.class != CLASS_VENUE_PASS)
        return REASON_PASS_INVALID;
    r->pass_key = generation_key(g, r->pass.cose.kid);
    if (key_check(r->pass_key, &r->pass, now_s) != REASON_NONE)
        return REASON_PASS_INVALID;
    if (!bytes_equal(r->pass.venue, bytes_of_text(r->point->venue)))
        return REASON_PASS_INVALID;
    r->has_pass = true;
    return REASON_NONE;
}

enum reason credential_check(struct request *r, const struct generation *g, uint64_t now_s)
{
    enum reason why = REASON_NONE;
    r->has_pass = false;
    if (r->has_credential) {
        if (r->code_text.length > 0 && r->code.length == 0)
            why = decode_text(r);
        if (why != REASON_NONE)
            return why;
        why = form_reason(credential_parse(r->code, &r->credential));
        if (why != REASON_NONE)
            return why;
        r->key = generation_key(g, r->credential.cose.kid);
        why = key_check(r->key, &r->credential, now_s);
        if (why != REASON_NONE)
            return why;
    }
    return r->evidence.pass.length > 0 ? pass_check(r, g, now_s) : REASON_NONE;
}

static enum reason times_of(const struct credential *c, uint64_t now_s, uint32_t skew_s)
{
    if (c->exp_s - c->iat_s > credential_life_max_s(c->class))
        return REASON_LIFETIME;
    if (c->iat_s > now_s + skew_s || c->nbf_s > now_s + skew_s)
        return REASON_FUTURE;
    return now_s < c->exp_s ? REASON_NONE : REASON_EXPIRED;
}

enum reason times_check(const struct request *r, uint64_t now_s, uint32_t skew_s)
{
    enum reason why = r->has_credential ? times_of(&r->credential, now_s, skew_s) : REASON_NONE;
    if (why == REASON_NONE && r->has_pass && times_of(&r->pass, now_s, skew_s) != REASON_NONE)
        why = REASON_PASS_INVALID;
    return why;
}
