/* A scanning point's end of OSCORE (RFC 8613): one request at a time, and the response that is bound to it. */
#pragma once

#include "dataplane/coap.h"
#include "dataplane/oscore_message.h"

/* Memory holds keys: wipe it with oscore_wipe. */
struct protection {
    struct point_oscore ids; /* without the master secret */
    struct oscore_keys keys;
    uint8_t piv[OSCORE_PIV_MAX]; /* of the request under way */
    uint8_t piv_size;
};

/* `oscore` is a context that oscore_keys_derive takes. */
void protection_begin(struct protection *protection, const struct point_oscore *oscore);

/* Protects a request: `plain` (code, options, payload marker, payload) becomes ciphertext in `out`, which has room for
 * OSCORE_TAG_MAX bytes more. Returns the ciphertext's size; the option's value goes to `option`. `sequence` was never
 * used before. 0 where OpenSSL fails. */
size_t protect_request(struct protection *protection, uint64_t sequence, struct bytes plain, uint8_t *out,
                       uint8_t option[OSCORE_OPTION_MAX], size_t *option_size);

/* Opens the response to the last request: `outer` has an OSCORE option. `room` takes the plaintext, which `inner` views
 * into. False where it is not the appliance's answer to that request. */
bool unprotect_response(const struct protection *protection, const struct coap_message *outer, uint8_t *room,
                        size_t room_size, struct coap_message *inner);
