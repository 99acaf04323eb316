/* Memory for secrets: whole pages of its own, zeroed, locked where the limits allow it (RLIMIT_MEMLOCK), left out of
 * core dumps and not inherited by a fork; wiped when it is given back. */
#pragma once

#include <stddef.h>

/* NULL where there is no memory. `*locked` tells whether it may be swapped out; NULL where nobody asks. */
void *secret_memory_take(size_t size, _Bool *locked);
void secret_memory_give(void *memory, size_t size);
