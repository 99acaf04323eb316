/* What decodes is canonical: encoding it gives the same text. */
#include <stdlib.h>

#include "keys/base45.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t decoded[8192];
    static char text[16384];
    size_t length;
    if (size > 8192 || !base45_decode((struct bytes){data, size}, decoded, sizeof decoded, &length))
        return 0;
    if (base45_encode((struct bytes){decoded, length}, text, sizeof text) != size || memcmp(text, data, size) != 0)
        abort();
    return 0;
}
