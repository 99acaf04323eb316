/* Memory for the tables of keys, in huge pages. */
#pragma once

#include "keys/bytes.h"

/* Equal slots, many to a mapping, so that small tables share huge pages too. A slot is touched, and so paid for, only
 * once it is in use; a mapping goes back when its last slot does. Safe from any thread. */
void memory_slots_configure(size_t slot_bytes); /* no slot may be out */
void *memory_slot_take(void);                   /* NULL where memory is out */
void memory_slot_free(void *slot);
