/* Signatures made to tell one verifier from another, for the tests of the engine. */
#pragma once

#include "keys/bytes.h"

#define CASE_KEYS_MAX 512
#define CASE_MESSAGE_MAX 1000

struct case_key {
    uint8_t encoding[32];
    uint8_t secret[32]; /* a scalar; the key is secret * B plus a point of small order, where it `signs` */
    bool signs;
};

struct test_case {
    unsigned key;
    size_t length;
    uint8_t message[CASE_MESSAGE_MAX];
    uint8_t signature[64];
};

/* Pseudo-random numbers, the same ones for the same seed (Vigna's splitmix64). */
struct case_random {
    uint64_t state;
};
uint64_t case_random_next(struct case_random *random);
uint32_t case_random_below(struct case_random *random, uint32_t limit);
void case_random_fill(struct case_random *random, uint8_t *bytes, size_t length);

/* Every encoding of a point of small order, canonical or not, and every other encoding with y of p or more: what stands
 * at the edges of the accept set as R and as A. Returns their number. */
#define CASE_EDGES_MAX 64
unsigned case_edges(uint8_t edges[CASE_EDGES_MAX][32]);

/* Keys: 16 plain ones, 24 of mixed order, the edges, a plain key with each of its bits changed, and random bytes.
 * Returns their number. */
unsigned case_keys_make(struct case_random *random, struct case_key keys[CASE_KEYS_MAX]);

/* Called once, after the keys. */
void case_nonces_make(struct case_random *random);
void case_make(struct case_random *random, const struct case_key keys[], unsigned key_count, struct test_case *out);
