/* A compiled configuration that is taken passes the check and is written again byte for byte. */
#include <stdlib.h>

#include "dataplane/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[CONFIG_ENCODED_MAX];
    struct config config;
    char error[160];
    if (!config_decode((struct bytes){data, size}, &config, error, sizeof error))
        return 0;
    if (!config_check(&config, error, sizeof error))
        abort();
    size_t length = config_encode(&config, again, sizeof again);
    if (length != size || memcmp(again, data, size) != 0)
        abort();
    return 0;
}
