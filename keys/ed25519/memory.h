/* Memory for tables: whole pages from the kernel, huge ones where it has them, so that random entries cost few
 * translations. */
#pragma once

#include "keys/bytes.h"

/* Zeroed memory aligned to a huge page, with huge pages asked for. NULL where memory is out. */
void *memory_map(size_t bytes);
void memory_unmap(void *memory, size_t bytes);

/* Equal slots, many to a mapping, so that small tables share huge pages too. A slot is touched, and so paid for, only
 * once it is in use; a mapping goes back when its last slot does. Safe from any thread. */
void memory_slots_configure(size_t slot_bytes); /* no slot may be out */
void *memory_slot_take(void);                   /* NULL where memory is out */
void memory_slot_free(void *slot);
