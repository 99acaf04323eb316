/* What the subcommands of `chengmen` share: exit codes, options, files, the way to the daemon. A subcommand lives in a
 * file of its name and is a row of the table in main.c. */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "keys/bytes.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_REFUSED = 1,     /* a finding or a refusal */
    CLI_USAGE = 2,       /* the command line is wrong */
    CLI_UNREACHABLE = 3, /* the daemon or the appliance does not answer */
};

#define CLI_SOCKET_DEFAULT "/run/chengmen/control.sock"
#define CLI_CONFIG_DEFAULT "/etc/chengmen/chengmen.json"

/* argv[0] is the subcommand's name. Returns enum cli_exit. */
typedef int cli_function(int argc, char **argv);

struct cli_command {
    const char *name;
    cli_function *run;
    const char *help; /* one line */
};

/* Runs the row that argv[1] names; --help prints the table. `program` stands before the names in usage lines. */
int cli_dispatch(const char *program, const struct cli_command commands[], size_t count, int argc, char **argv);

enum cli_option_kind { CLI_FLAG, CLI_TEXT, CLI_UINT, CLI_LIST };

/* An option `--name` or `--name ARGUMENT` or `--name=ARGUMENT`. */
struct cli_option {
    const char *name;
    enum cli_option_kind kind;
    const char *argument; /* as help shows it; NULL for a flag */
    const char *help;
    void *value; /* bool *, const char **, uint64_t *, or struct cli_list * */
    bool *given; /* set where the option is present; may be NULL */
};

#define CLI_LIST_MAX 32
struct cli_list {
    const char *items[CLI_LIST_MAX];
    unsigned count;
};

struct cli_usage {
    const char *line; /* "chengmen key import [options] FILE" */
    const char *about;
    const struct cli_option *options;
    unsigned option_count;
    unsigned positional_least, positional_most;
};

/* Parses argv[1…]; the rest goes to `positional` (room for usage->positional_most). Returns the number of positional
 * arguments. --help prints everything and exits 0; a wrong line prints what is wrong and exits CLI_USAGE. */
unsigned cli_parse(const struct cli_usage *usage, int argc, char **argv, const char *positional[]);

/* "chengmen: …" and a line end on standard error. Returns CLI_REFUSED. */
int cli_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for a wrong command line: exits CLI_USAGE. */
_Noreturn void cli_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Reads all of a file, "-" being standard input, with a zero byte added behind. NULL after a message on standard error.
 * The caller frees it. */
char *cli_read_file(const char *path, size_t size_max, size_t *length);
/* Writes a new or replaced file of that mode by way of a temporary one. False after a message on standard error. */
bool cli_write_file(const char *path, struct bytes content, unsigned mode);
/* Writes a file that does not exist yet; one that does is left as it is. False after a message on standard error. */
bool cli_write_new_file(const char *path, struct bytes content, unsigned mode);
