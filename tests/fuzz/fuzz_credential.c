/* Whatever credential_parse accepts can be written again and reads the same; whatever it refuses harms nobody. */
#include <stdlib.h>

#include "keys/credential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t no_key[64];
    uint8_t signed_bytes[COSE_SIGNED_MAX], claims[CREDENTIAL_SIZE_MAX], message[CREDENTIAL_SIZE_MAX + 64];
    struct credential c, again;
    if (credential_parse((struct bytes){data, size}, &c) != CREDENTIAL_OK)
        return 0;
    if (cose_signed_bytes(&c.cose, signed_bytes, sizeof signed_bytes) == 0)
        abort();
    size_t length = credential_claims_write(&c, claims, sizeof claims);
    if (length == 0)
        abort();
    length =
        cose_sign((struct bytes){claims, length}, COSE_TYP_CREDENTIAL, c.cose.kid, no_key, message, sizeof message);
    if (credential_parse((struct bytes){message, length}, &again) != CREDENTIAL_OK)
        abort();
    if (again.class != c.class || again.exp_s != c.exp_s || again.colour != c.colour ||
        !bytes_equal(again.issuer, c.issuer) || !bytes_equal(again.roles, c.roles))
        abort();
    return 0;
}
