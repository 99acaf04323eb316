/* The latest state (design section 4, "Status list"): the list or the credential, whichever is fresher, and above both
 * a subject record that is newer. A revoked credential is refused whatever else is known. */
#include "dataplane/stages.h"
#include "keys/prefetch.h"

void status_list_find(struct request *r, const struct generation *g)
{
    const struct credential *c = &r->credential;
    r->list = NULL;
    if (!r->has_credential || c->status_uri.length == 0)
        return;
    r->list = generation_list(g, c->status_uri);
    if (r->list && c->status_index < r->list->entries)
        prefetch(&r->list->bits[c->status_index >> 2]);
}

enum reason status_list_check(struct request *r, uint64_t now_s)
{
    const struct credential *c = &r->credential;
    const struct status_list *list = r->list;
    r->list = NULL;
    if (!r->has_credential || c->status_uri.length == 0)
        return REASON_NONE;
    if (!list)
        return REASON_STATUS_LIST_UNKNOWN;
    if (!bytes_equal(c->issuer, bytes_of_text(list->issuer)))
        return REASON_STATUS_ISSUER;
    if (c->status_index >= list->entries)
        return REASON_STATUS_INDEX;
    r->list = list;
    /* Before the expiry: what an old list revoked stays revoked. */
    if (status_list_get(list, c->status_index) == STATUS_INVALID)
        return REASON_REVOKED;
    return list->exp_s > 0 && now_s >= list->exp_s ? REASON_STATUS_LIST_EXPIRED : REASON_NONE;
}

static uint32_t age_of(uint64_t since_s, uint64_t now_s)
{
    uint64_t age_s = now_s > since_s ? now_s - since_s : 0;
    return age_s > UINT32_MAX ? UINT32_MAX : (uint32_t)age_s;
}

void status_conclude(struct request *r, uint64_t now_s)
{
    const struct credential *c = &r->credential;
    const struct status_list *list = r->list;
    struct latest *latest = &r->latest;
    uint64_t fresh_s = r->has_credential ? c->iat_s : 0;
    latest->colour = r->has_credential ? c->colour : COLOUR_UNKNOWN;
    latest->has_list = list != NULL;
    latest->stale = false;
    latest->age_s = r->has_credential ? age_of(c->iat_s, now_s) : 0;
    if (list) {
        latest->age_s = age_of(list->iat_s, now_s);
        latest->stale = list->ttl_s > 0 && latest->age_s > 2 * (uint64_t)list->ttl_s;
        if (list->iat_s >= fresh_s || latest->colour == COLOUR_UNKNOWN) {
            latest->colour = status_colour(status_list_get(list, c->status_index));
            fresh_s = list->iat_s > fresh_s ? list->iat_s : fresh_s;
        }
    }
    if (latest->has_record && r->subject.since_s >= fresh_s)
        latest->colour = (enum colour)r->subject.colour;
}
