/* `chengmen`: the operator's command. */
#include "control/cli/commands.h"

static const struct cli_command commands[] = {
    {"config", cli_config, "check, compile and describe the configuration"},
    {"key", cli_key, "issuer keys: generate, import, list, retire"},
    {"issue", cli_issue, "sign a credential as the reference issuer"},
    {"scan", cli_scan, "ask for a verdict as a scanning point"},
    {"verify-raw", cli_verify_raw, "check Ed25519 signatures, a JSON line each"},
};

int main(int argc, char **argv)
{
    return cli_dispatch("chengmen", commands, sizeof commands / sizeof commands[0], argc, argv);
}
