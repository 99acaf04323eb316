/* Status lists (IETF Token Status List, CWT form): 2 bits a credential, LSB first, shards of 2^20. One list is one
 * shard; its `uri` names it. */
#pragma once

#include "keys/bytes.h"
#include "keys/credential.h"

#define STATUS_LIST_ENTRIES_MAX (1u << 20)
#define STATUS_LIST_BYTES_MAX (STATUS_LIST_ENTRIES_MAX / 4)

enum status_value { STATUS_VALID = 0, STATUS_INVALID = 1, STATUS_SUSPENDED = 2, STATUS_APPLICATION = 3 };

/* A list in force. Immutable once published; owned by its generation. */
struct status_list {
    char uri[CREDENTIAL_URI_MAX + 1];
    char issuer[CREDENTIAL_ISSUER_MAX + 1]; /* whose key signed it: only this issuer's credentials may name it */
    uint64_t iat_s;
    uint64_t exp_s;
    uint32_t ttl_s;
    uint32_t entries;
    const uint8_t *bits; /* entries / 4 bytes */
};

static inline enum status_value status_list_get(const struct status_list *list, uint64_t index)
{
    return (enum status_value)(list->bits[index >> 2] >> ((index & 3) * 2) & 3);
}

/* The colour that a value stands for (design section 4); STATUS_INVALID is no colour: COLOUR_UNKNOWN. */
enum colour status_colour(enum status_value value);

/* The log's form: CBOR [uri, issuer, iat, exp, ttl, entries, bits]. `out->bits` points into `in`. */
size_t status_list_encode(const struct status_list *list, uint8_t *room, size_t size);
bool status_list_decode(struct bytes in, struct status_list *out);
#define STATUS_LIST_ENCODED_MAX (STATUS_LIST_BYTES_MAX + 512)

/* A change of single entries of a list, all of them or none. It renews the list's times. */
#define STATUS_CHANGE_ENTRIES_MAX (1u << 16)
struct status_change {
    char uri[CREDENTIAL_URI_MAX + 1];
    uint64_t iat_s;
    uint64_t exp_s;
    uint32_t ttl_s;
    uint32_t count;
    const uint8_t *entries; /* STATUS_CHANGE_ENTRY_SIZE bytes each: status_change_put */
};
#define STATUS_CHANGE_ENTRY_SIZE 4
/* Writes entry number `at`; status_change_at reads it. */
void status_change_put(uint8_t *entries, uint32_t at, uint32_t index, enum status_value value);
uint32_t status_change_at(const struct status_change *change, uint32_t at, enum status_value *value);

/* The log's form: CBOR [uri, iat, exp, ttl, entries]. `out->entries` points into `in`. */
size_t status_change_encode(const struct status_change *change, uint8_t *room, size_t size);
bool status_change_decode(struct bytes in, struct status_change *out);
#define STATUS_CHANGE_ENCODED_MAX(count) (CREDENTIAL_URI_MAX + 64 + (size_t)(count)*STATUS_CHANGE_ENTRY_SIZE)
/* Changes the list, whose bits are at `bits`. False, and nothing changed, where it is another list's or an entry is
 * beyond the list's end. Of two changes of one entry the later wins. */
bool status_change_apply(const struct status_change *change, struct status_list *list, uint8_t *bits);
