/* OSCORE (RFC 8613), the appliance's end: security contexts of all points, and the two stages that unprotect requests
 * and protect their answers.
 *
 * No nonce is used twice with one key. Three kinds of nonce exist under the appliance's sender key:
 * - the request's own, for the one answer to a request that the window took. A number is taken once in a start (the
 *   compare-and-swap has one winner among all workers). After a restart every context is unsynchronised and takes
 *   nothing before its Echo challenge is met, which only a point that talks to this start can do; the window then
 * begins above the number that met it, so that no earlier number comes back.
 * - a Partial IV of our own, for challenges: start number (16 bits) and counter (24 bits). The counter of a context
 * that is added goes on above every counter of those that were removed in this start.
 * - none otherwise: oscore_protect_burst refuses a second answer to one request. A retransmission gets the cached bytes
 *   before it comes here.
 * Master secrets belong to one point each; two points with one secret and one appliance id would share a sender key. */
#pragma once

#include "dataplane/coap.h"
#include "dataplane/oscore_message.h"
#include "dataplane/reasons.h"

#define OSCORE_BURST_MAX 64
#define OSCORE_ECHO_SIZE 8
#define OSCORE_START_MAX UINT32_C(0xffff)

struct oscore;        /* contexts of all points; shared by the workers */
struct oscore_worker; /* a worker's own */
struct aead;

/* Takes all memory, locked and left out of core dumps. `start` is greater than that of every earlier start of this
 * appliance (keys/number_file.h), at most OSCORE_START_MAX. NULL where memory or randomness fails. */
struct oscore *oscore_create(uint32_t contexts_max, uint32_t start);
void oscore_destroy(struct oscore *oscore);

/* Changes come from one thread, while workers run. */
enum oscore_change {
    OSCORE_KEPT,      /* the same context is there already: its window goes on */
    OSCORE_ADDED,     /* new, or replaces the point's earlier context; or removed */
    OSCORE_DUPLICATE, /* another point has that kid and ID context: nothing changed */
    OSCORE_INVALID,   /* no context can be derived: nothing changed */
    OSCORE_FULL,      /* no room; after oscore_reclaim there may be */
    OSCORE_ABSENT,    /* nothing to remove */
};
/* Adds or replaces the point's context. A point whose alg is POINT_OSCORE_NONE loses it. */
enum oscore_change oscore_put(struct oscore *oscore, const struct point *point);
enum oscore_change oscore_remove(struct oscore *oscore, uint32_t point_id);
/* Removes the contexts of points that are not wanted any more, all of them. */
void oscore_remove_unless(struct oscore *oscore, bool (*wanted)(const void *context, uint32_t point_id),
                          const void *context);
/* Wipes contexts that were replaced or removed. Call when every worker has passed a quiescent state since. */
void oscore_reclaim(struct oscore *oscore);
uint32_t oscore_count(const struct oscore *oscore);

/* `aead` stays the caller's and is used by this worker only. */
struct oscore_worker *oscore_worker_create(struct oscore *oscore, struct aead *aead);
void oscore_worker_destroy(struct oscore_worker *worker);

/* What binds an answer to its request; kept with a request that is parked. */
struct oscore_binding {
    uint32_t slot, serial;
    uint8_t piv[OSCORE_PIV_MAX];
    uint8_t piv_size;
    bool own_piv;  /* the answer needs a Partial IV of our own */
    bool answered; /* the request's nonce is spent */
};

struct oscore_request {
    /* For unprotect: a request with an OSCORE option in a buffer that may be written to; its payload is decrypted in
     * place. Views of `inner` point into that buffer. */
    const struct coap_message *outer;
    /* From unprotect: REASON_NONE and `inner` (type, id and token are the outer ones); or why not. */
    enum reason reason;
    struct coap_message inner;
    uint32_t point;                 /* the point's id; valid where is_protected */
    bool is_protected;              /* the request is authentic: whatever is answered goes through protect */
    uint8_t echo[OSCORE_ECHO_SIZE]; /* REASON_OSCORE_ECHO: goes into the answer's Echo option, code 4.01 */
    struct oscore_binding binding;
    /* For protect: code, options, payload marker and payload of the answer, with OSCORE_TAG_MAX bytes of room behind.
     * After it: the outer payload. The outer code is 2.04 and the outer options are `option` only. response_size is 0
     * where no answer may go out: the context is gone or has no number left, or there was an answer already. */
    uint8_t *response;
    uint16_t response_size;
    uint8_t option[OSCORE_OPTION_MAX];
    uint8_t option_size;
};

/* Unprotects n requests, at most OSCORE_BURST_MAX. Reasons: OSCORE_FORM, OSCORE_CONTEXT, OSCORE_REPLAY,
 * OSCORE_PROTECTION (these are answered unprotected); OSCORE_ECHO, COAP_FORMAT (authentic, answered protected). Each
 * number of a context is taken at most once, on whichever worker. */
void oscore_unprotect_burst(struct oscore_worker *worker, struct oscore_request *requests[], unsigned n);

/* Protects the answers of n authentic requests, at most OSCORE_BURST_MAX. */
void oscore_protect_burst(struct oscore_worker *worker, struct oscore_request *requests[], unsigned n);
