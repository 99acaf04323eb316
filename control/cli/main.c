/* `chengmen`: the operator's command. */
#include "control/cli/commands.h"

static const struct cli_command commands[] = {
    {"config", cli_config, "check, compile and describe the configuration"},
    {"key", cli_key, "issuer keys: generate, import, list, retire"},
    {"point", cli_point, "scanning points: add, import, list, remove, export"},
    {"rules", cli_rules, "the city's rules: check, diff, eval, apply, show, rollback"},
    {"status", cli_status, "latest state of credentials and subjects: set, get, import"},
    {"info", cli_info, "what is in force, and how the daemons are"},
    {"issue", cli_issue, "sign a credential as the reference issuer"},
    {"explain", cli_explain, "show every step of a decision"},
    {"scan", cli_scan, "ask for a verdict as a scanning point"},
    {"store", cli_store, "the store itself: info, verify, compact, dump, restore"},
    {"verify-raw", cli_verify_raw, "check Ed25519 signatures, a JSON line each"},
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("chengmen " CHENGMEN_VERSION);
        return CLI_OK;
    }
    return cli_dispatch("chengmen", commands, sizeof commands / sizeof commands[0], argc, argv);
}
