/* Memory of whole huge pages for what is read at random, so that a read costs few translations. */
#pragma once

#include <stddef.h>

/* Zeroed memory aligned to a huge page, with huge pages asked for: where the kernel has none, small ones do. Paid for
 * as it is touched. NULL where memory is out. */
void *huge_memory_take(size_t bytes);
void huge_memory_give(void *memory, size_t bytes);
