/* Subject records: what the city knows now of a person or enterprise, beyond the credential (design section 5). */
#pragma once

#include <assert.h>

#include "keys/credential.h"

#define SUBJECT_KEY_SIZE 16
#define SUBJECT_HASH_KEY_SIZE 16 /* the store's own secret, made when the store is created */
#define SUBJECT_OCCUPATION_MAX 11

enum subject_flags {
    SUBJECT_KEY_REGION = 1,  /* came from a key region */
    SUBJECT_HAS_ARRIVAL = 2, /* arrival_day is meant */
    SUBJECT_HAS_UNTIL = 4,
    SUBJECT_REMOVED = 8, /* a tombstone: the subject has no record any more */
};

/* As the log and the table carry it: little-endian, no padding. */
struct subject_record {
    uint8_t key[SUBJECT_KEY_SIZE];
    uint64_t version; /* the later wins */
    uint32_t since_s; /* when the colour came into force: seconds since 1970 */
    uint32_t until_s;
    uint32_t arrival_day; /* days since 1970 */
    uint8_t colour;       /* enum colour */
    uint8_t reason;       /* the agency's reason code, shown by explain */
    uint16_t flags;
    char occupation[SUBJECT_OCCUPATION_MAX + 1]; /* zero-padded, `teaching`, `childcare`, … */
    uint32_t reserved[3];
};
static_assert(sizeof(struct subject_record) == 64, "on disk");

/* SipHash-2-4 with 128 bits of the issuer and the subject under the store's secret. */
void subject_key(const uint8_t hash_key[SUBJECT_HASH_KEY_SIZE], struct bytes issuer,
                 const uint8_t subject[SUBJECT_SIZE], uint8_t out[SUBJECT_KEY_SIZE]);
/* Whether a record from the log or a table is in the exact form. */
bool subject_record_valid(const struct subject_record *record);
