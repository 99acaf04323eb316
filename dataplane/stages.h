/* The stages between a message and its verdict. worker.c calls them in order; each either leaves `reason` alone or ends
 * the request with one. None allocates, none waits. */
#pragma once

#include "dataplane/config.h"
#include "dataplane/generation.h"
#include "dataplane/request.h"

/* message.c: the datagram as a CoAP message. COAP_PING, COAP_FORMAT and the drops end here; after REASON_NONE `message`
 * is a request. */
enum reason message_receive(struct request *r);
/* Whether a request, outer or inner, is one for a resource of ours: REASON_NONE (POST /v), COAP_DISCOVERY, or what is
 * wrong with it. */
enum reason resource_check(const struct coap_message *message);

/* request.c: the payload's map into the request's fields. */
enum reason request_parse(struct request *r, struct bytes payload);

/* check.c: credential and venue pass. Form first, then key, scope and validity; times after the signature. */
enum reason credential_check(struct request *r, const struct generation *g, uint64_t now_s);
enum reason times_check(const struct request *r, uint64_t now_s, uint32_t skew_s);

/* verify.c: signatures of a burst, credentials and passes together. Scratch memory is the worker's. */
struct verify_scratch {
    uint8_t message[CHECKS_MAX][COSE_SIGNED_MAX];
    struct ed25519_check check[CHECKS_MAX];
    struct request *request[CHECKS_MAX];
    bool is_pass[CHECKS_MAX];
    bool valid[CHECKS_MAX];
};
/* Sets SIGNATURE or PASS_INVALID where a signature does not verify, and leaves `reason` alone where it does. No request
 * influences another's result. n is at most BURST_MAX. */
void verify_burst(struct verify_scratch *scratch, struct request *requests[], unsigned n);

/* status.c: the status list, found for a whole burst and then read; then, once the subject's record is known or known
 * to be absent, the latest state. */
void status_list_find(struct request *r, const struct generation *g);
enum reason status_list_check(struct request *r, uint64_t now_s);
void status_conclude(struct request *r, uint64_t now_s);

/* verdict.c: region, then rules. Sets `decision` whatever the end; `rules` may be NULL. Also gives the verdict, colour
 * and obligations of a request that an earlier stage has ended. */
void verdict_decide(struct request *r, const struct rule_set *rules, uint64_t now_s);
void verdict_of_refusal(struct request *r);
/* request_facts.c: what rules see of a request. */
void facts_of(const struct request *r, uint64_t now_s, struct facts *out);

/* reply.c: the message that answers the request. */
struct reply_terms {
    uint16_t message_id; /* for an answer that is not an ACK */
    uint32_t max_age_s;  /* when to come back: 4.29 and 5.03 */
    uint32_t ruleset_version;
};
/* Writes the answer over the request, in its frame behind the UDP header. Returns its length. */
size_t reply_write(struct request *r, const struct reply_terms *terms);
/* What is protected of the answer to an OSCORE request: code, options, payload. Returns its size. */
size_t reply_plaintext_write(const struct request *r, const struct reply_terms *terms, uint8_t *room, size_t size);
/* The message around it once it is protected, over the request as reply_write does. */
size_t reply_protected_write(struct request *r, const struct reply_terms *terms);
/* The response map of design section 4 alone. */
size_t reply_map_write(const struct request *r, uint32_t ruleset_version, uint8_t *room, size_t size);
