/* What a request deserves, what came back, and whether the two agree. */
#pragma once

#include "keys/bytes.h"

#define TOKEN_SIZE 8

/* What the pool knows of a request. A field of EXPECT_ANY is not compared. Only `code` counts where it is not 2.05. */
#define EXPECT_ANY 0xff
#define EXPECT_ANY_OBLIGATIONS UINT32_MAX
struct expectation {
    uint8_t code; /* enum coap_code; EXPECT_ANY: an answer that was not foreseen, such as in a captured load */
    uint8_t verdict;
    uint8_t colour;
    uint8_t reason;
    uint32_t obligations; /* bits 1 << enum obligation */
};

/* The token that every request carries: which run sent it, and which request it is. */
struct token {
    uint32_t salt;
    uint32_t sequence;
};

struct answer {
    uint8_t type; /* enum coap_type */
    uint8_t code;
    uint16_t message_id;
    struct token token;
    bool has_token;  /* the answer carries a token of our size */
    bool has_oscore; /* and the value of that option */
    struct bytes oscore;
    struct bytes echo; /* value of an Echo option; empty where there is none */
    struct bytes payload;
    /* From the payload of a 2.05: */
    uint32_t id;
    uint8_t verdict;
    uint8_t colour;
    uint8_t reason;
    uint32_t obligations;
    uint64_t ruleset;
    uint64_t status_age_s;
};

enum wrong {
    WRONG_NOTHING,
    WRONG_FORM,  /* not the response map of the design */
    WRONG_MATCH, /* message id or request id is not that of the token's request */
    WRONG_CODE,  /* another CoAP code */
    WRONG_VERDICT,
    WRONG_COLOUR,
    WRONG_REASON,
    WRONG_OBLIGATIONS,
    WRONG_PROTECTION, /* not protected as the request was, or the protection does not verify */
    WRONG_REPEAT,     /* a retransmission got other bytes than the first answer */
    WRONG_COUNT
};
const char *wrong_name(enum wrong wrong);

/* Header, token and payload of a CoAP answer; false where it is none. Views point into `message`. */
bool answer_read(struct bytes message, struct answer *out);
/* Options and payload alone, as behind the code of an OSCORE plaintext: replaces those of `out`. */
bool answer_read_rest(struct bytes rest, struct answer *out);
/* The response map of a 2.05; false where it is not in the form of the design, to the byte. */
bool answer_read_verdict(struct answer *answer);
/* The reason in a refusal's payload, {4: reason}; 0 where it tells none. */
uint8_t answer_refusal_reason(const struct answer *answer);
/* The target shed this request: 4.29, 5.03 or the verdict RETRY. Neither wrong nor served. */
bool answer_sheds(const struct answer *answer);
/* To tell whether a second answer has the same bytes. */
uint32_t answer_digest(struct bytes message);
enum wrong answer_check(const struct answer *answer, const struct expectation *expected);
