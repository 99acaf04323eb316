/* OSCORE on the generator's way out and in. A message is written with its plaintext, and sealed in a burst with others;
 * an answer is prepared, and opened in a burst. Nothing is sampled: every request and every answer passes here. */
#pragma once

#include "dataplane/aead.h"
#include "tests/load/context.h"
#include "tests/load/link.h"

/* One message to be sealed or opened. */
struct protect_job {
    struct aead_job aead;
    const struct context *context;
    uint8_t nonce[OSCORE_IV_MAX];
};

/* Bytes that protection adds to a message at most: option, code, Echo, tag. */
#define PROTECT_GROWTH (3 + OSCORE_OPTION_MAX + 1 + 3 + CONTEXT_ECHO_MAX + OSCORE_TAG_MAX)

/* Writes the outer message of a plain one, with room for the tag at its end, to `out`, and fills `job`. `number` is the
 * point's, for the cipher's cache of keys. With `with_echo` the inner message carries the context's Echo. Returns the
 * size, 0 where the plain message is no CoAP request. */
uint16_t protect_request(const struct context *context, uint32_t number, uint64_t sequence, bool with_echo,
                         const struct link_message *plain, uint8_t *out, struct protect_job *job);
/* Prepares the answer to the request of that sequence number. `answer` was read from bytes that may be written to.
 * False where it cannot be an answer under this context. */
bool protect_prepare_answer(const struct context *context, uint32_t number, uint64_t sequence,
                            const struct answer *answer, struct protect_job *job);
/* Seals or opens n jobs, at most AEAD_BURST_MAX; each one's `aead.ok` tells. `aead` serves AES-CCM. */
void protect_run(struct aead *aead, struct protect_job *jobs[], unsigned n);
/* Replaces code, options and payload of the answer by those that the opened job holds; type, token and id stay. False
 * where they have no form. */
bool protect_read_answer(const struct protect_job *job, struct answer *answer);
