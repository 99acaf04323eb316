/* What the control daemon gives up at start. */
#pragma once

#include "control/config_json.h"

/* Makes the directories of store and socket, hands them to the configured user, and becomes that user without any
 * capability; where no user is configured, or the process is not root, it stays who it is. Either way it can no longer
 * start or trace programs, nor be dumped (dataplane/privilege.h). */
bool privileges_drop(const struct operator_config *config, char *error, size_t error_size);
