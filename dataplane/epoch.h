/* The number of this start of the dataplane: greater than that of every earlier one, because OSCORE's nonces are made
 * of it (oscore.h). Kept in the file `starts` of the store's directory, which the dataplane may write for this alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the next number durable before it returns it. False with one line in `error`: no context may be used then. */
bool epoch_next(const char *directory, uint32_t *start, char *error, size_t error_size);
