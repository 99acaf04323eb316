/* `chengmen scan`: a scanning point over ordinary sockets. */
#pragma once

/* argv[0] is the subcommand's own name. Returns the exit code: 0 ALLOW or ALLOW_WITH_OBLIGATIONS, 1 any other verdict
 * or a refusal, 2 usage, 3 unreachable. */
int cli_scan(int argc, char **argv);
