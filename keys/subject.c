#include "keys/subject.h"

#include <sodium.h>

static_assert(crypto_shorthash_siphashx24_BYTES == SUBJECT_KEY_SIZE &&
                  crypto_shorthash_siphashx24_KEYBYTES == SUBJECT_HASH_KEY_SIZE,
              "the subject key is a SipHash-2-4-128");

void subject_key(const uint8_t hash_key[SUBJECT_HASH_KEY_SIZE], struct bytes issuer,
                 const uint8_t subject[SUBJECT_SIZE], uint8_t out[SUBJECT_KEY_SIZE])
{
    /* The subject has a fixed size and stands first, so that no two pairs run together to one message. */
    uint8_t message[SUBJECT_SIZE + CREDENTIAL_ISSUER_MAX];
    assert(issuer.length <= CREDENTIAL_ISSUER_MAX);
    memcpy(message, subject, SUBJECT_SIZE);
    memcpy(message + SUBJECT_SIZE, issuer.data, issuer.length);
    crypto_shorthash_siphashx24(out, message, SUBJECT_SIZE + issuer.length, hash_key);
}

bool subject_record_valid(const struct subject_record *record)
{
    static const uint16_t known = SUBJECT_KEY_REGION | SUBJECT_HAS_ARRIVAL | SUBJECT_HAS_UNTIL | SUBJECT_REMOVED;
    static const uint32_t zero[sizeof record->reserved / sizeof record->reserved[0]];
    return record->colour <= COLOUR_UNKNOWN && (record->flags & ~known) == 0 &&
           record->occupation[SUBJECT_OCCUPATION_MAX] == 0 &&
           memcmp(record->reserved, zero, sizeof record->reserved) == 0;
}
