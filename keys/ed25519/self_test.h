/* Known answers for the path in use. */
#pragma once

#include <stdbool.h>

/* Verifies signatures whose verdicts are known (RFC 8032's, and ones that must be refused) in bursts of every size up
 * to 33, through ed25519_verify_burst. Prepares and frees its own keys. */
bool self_test(void);
