/* Changing single claims of a CWT payload, for the reference issuer and for wrong credentials in tests. */
#pragma once

#include "keys/bytes.h"

#define CLAIM_EDITS_MAX 32

/* One change: `label` as an encoded CBOR item; `value` as an encoded item, empty to leave the claim out. */
struct claim_edit {
    bool city; /* in the map of the city's claims */
    uint8_t label[9];
    uint8_t label_size;
    struct bytes value;
};

/* Reads `7=4101` (top level), `city.4=03` or `7=` (left out). The value's bytes go to `room`. */
bool claim_edit_from_text(const char *text, uint8_t *room, size_t size, struct claim_edit *out);
/* Writes the payload with the changes in place, keys in deterministic order; returns its size, 0 where it does not fit
 * or the payload is no map. `room` and `payload` must not overlap. */
size_t claims_edit(struct bytes payload, const struct claim_edit edits[], unsigned count, uint8_t *room, size_t size);
