/* The answers that were given lately, a worker's own: a message that comes again (same endpoint, same bytes) gets the
 * identical answer and is computed only once (RFC 7252 section 4.2, EXCHANGE_LIFETIME 247 s). Bounded: a full set
 * forgets its oldest entry. */
#pragma once

#include "dataplane/limits.h"
#include "dataplane/request.h"

struct answers;

/* `entries` is a power of two; `secret` keys the fingerprints. NULL where memory is out. */
struct answers *answers_new(uint32_t entries, uint64_t secret);
void answers_free(struct answers *answers);

/* The fingerprint of the request's endpoint and datagram. */
uint64_t answers_fingerprint(const struct answers *answers, const struct request *r);

/* Fetches what answers_find will read, so that a burst waits for memory once and not for each of its requests. */
void answers_prefetch(const struct answers *answers, uint64_t fingerprint);

enum answer_state { ANSWER_NEW, ANSWER_PENDING, ANSWER_KEPT };
/* Looks r->fingerprint up. Where it is kept, `answer` is a view of the message, valid until the next call. */
enum answer_state answers_find(struct answers *answers, const struct request *r, uint64_t now_ns, struct bytes *answer);
/* Notes that the answer to a new message is being made. Only for who is heard: it takes room from others. */
void answers_note(struct answers *answers, const struct request *r, uint64_t now_ns);
/* Keeps the message that answers r. Does nothing where the entry was forgotten meanwhile. */
void answers_keep(struct answers *answers, const struct request *r, struct bytes answer);
