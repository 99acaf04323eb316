/* `chengmen rules apply --dry-run --replay FILE`: what becomes of recorded decisions. */
#pragma once

#include "control/json.h"

/* The rule set file's text and a file of records (control/rules_replay.h). The counts and the first changes as JSON,
 * to be freed; NULL after a message on standard error. */
cJSON *cli_rules_replay(struct bytes rules_text, const char *path);
void cli_rules_replay_print(const cJSON *told);
