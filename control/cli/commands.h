/* The subcommands; each lives in a file of its name. */
#pragma once

#include "control/cli/cli.h"

cli_function cli_config;
cli_function cli_explain;
cli_function cli_info;
cli_function cli_issue;
cli_function cli_key;
cli_function cli_point;
cli_function cli_rules;
cli_function cli_rules_apply;
cli_function cli_rules_check;
cli_function cli_rules_diff;
cli_function cli_rules_eval;
cli_function cli_rules_rollback;
cli_function cli_rules_show;
cli_function cli_scan;
cli_function cli_status;
cli_function cli_verify_raw;
