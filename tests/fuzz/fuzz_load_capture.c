/* Capture files: whatever they hold, the pool made of them lies within them. */
#include "tests/load/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pool pool;
    char error[100];
    if (!capture_parse((struct bytes){data, size}, 100, 1, &pool, error, sizeof error))
        return 0;
    for (uint64_t i = 0; i < pool.count; i++)
        if (pool.entries[i].offset + pool.entries[i].length > pool.messages_size || pool.entries[i].point >= 100)
            __builtin_trap();
    pool_free(&pool);
    return 0;
}
