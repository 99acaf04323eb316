/* Signatures of a burst. */
#include "dataplane/stages.h"

static unsigned add_check(struct verify_scratch *s, unsigned n, struct request *r, bool is_pass)
{
    const struct cose_sign1 *cose = is_pass ? &r->pass.cose : &r->credential.cose;
    const struct issuer_entry *key = is_pass ? r->pass_key : r->key;
    size_t length = cose_signed_bytes(cose, s->message[n], sizeof s->message[n]);
    assert(length > 0); /* credential_parse bounds what is signed */
    s->check[n] = (struct ed25519_check){s->message[n], length, cose->signature, key->tables};
    s->request[n] = r;
    s->is_pass[n] = is_pass;
    return n + 1;
}

void verify_burst(struct verify_scratch *scratch, struct request *requests[], unsigned n)
{
    unsigned checks = 0;
    assert(n <= BURST_MAX);
    for (unsigned i = 0; i < n; i++) {
        if (requests[i]->has_credential)
            checks = add_check(scratch, checks, requests[i], false);
        if (requests[i]->has_pass)
            checks = add_check(scratch, checks, requests[i], true);
    }
    if (checks == 0)
        return;
    ed25519_verify_burst(scratch->check, scratch->valid, checks);
    for (unsigned i = 0; i < checks; i++)
        if (!scratch->valid[i])
            scratch->request[i]->reason = scratch->is_pass[i] ? REASON_PASS_INVALID : REASON_SIGNATURE;
}
