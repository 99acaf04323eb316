/* The requests that a run sends: made beforehand, distinct, in the order of sending. */
#pragma once

#include "tests/load/answer.h"

/* What makes a request special; the order is that of the report. */
enum request_kind {
    KIND_VALID,
    KIND_REPLAYED, /* a credential that another point showed shortly before */
    KIND_FORGED,   /* one bit of the signature is wrong */
    KIND_EXPIRED,
    KIND_UNKNOWN_KEY, /* signed, but by nobody the target knows */
    KIND_GARBAGE,     /* random bytes where the credential should be */
    KIND_MALFORMED,   /* not the request map */
    KIND_CAPTURED,
    KIND_COUNT
};
const char *request_kind_name(enum request_kind kind);
bool request_kind_from_name(const char *name, enum request_kind *out);

struct pool_entry {
    uint64_t offset; /* of the message in `messages` */
    uint32_t point;
    struct expectation expected;
    uint16_t length;
    uint16_t sum;   /* link_sum of the message, folded */
    uint16_t id_at; /* where the request's id stands; 0: nowhere */
    uint8_t kind;   /* enum request_kind */
    uint8_t token_free;
};

struct pool {
    struct pool_entry *entries;
    uint8_t *messages;
    uint64_t count;
    uint64_t messages_size;
    uint64_t *due_ns; /* when each is sent, for a captured load; else NULL */
    uint32_t points;  /* every entry's point is below this */
};

void pool_free(struct pool *pool);
