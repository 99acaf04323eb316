/* Frames that must be refused, made ahead: messages with room for a token, which a link turns into frames. */
#pragma once

#include "tests/bench/admission_appliance.h"
#include "tests/load/link.h"

enum refused {
    REFUSED_UNKNOWN_KID,
    REFUSED_WRONG_TAG,             /* under a known kid */
    REFUSED_OVER_BUDGET,           /* plain, from a point's trusted address */
    REFUSED_OVER_BUDGET_PROTECTED, /* under OSCORE, and authentic */
    REFUSED_MALFORMED,             /* no CoAP */
    REFUSED_STRANGER,              /* plain, from an address that nobody trusts */
    REFUSED_COUNT
};
const char *refused_name(enum refused kind);

#define REFUSED_MESSAGE_SIZE 280

/* `count` messages of a kind, REFUSED_MESSAGE_SIZE bytes each. Numbers of protected ones begin at `sequence`. */
struct refused_messages {
    uint8_t (*data)[REFUSED_MESSAGE_SIZE];
    uint16_t *sums;
    uint32_t count;
};
bool refused_make(enum refused kind, uint32_t count, uint64_t sequence, struct refused_messages *out);
void refused_free(struct refused_messages *messages);

/* Writes the frame of message `i` modulo their number, from point `point` of the link, under a token of its own. */
uint16_t refused_write(const struct refused_messages *messages, const struct link *link, uint32_t point, uint32_t i,
                       uint8_t *frame);
