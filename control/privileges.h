/* What the control daemon gives up at start. */
#pragma once

#include "control/config_json.h"

/* Makes the directories of store and socket, hands them to the configured user, and becomes that user without any
 * capability. Where no user is configured, or the process is not root, only the directories are made. */
bool privileges_drop(const struct operator_config *config, char *error, size_t error_size);
