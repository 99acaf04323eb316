#include <errno.h>
#include <stdlib.h>

#include "control/cli/cli.h"

int cli_refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("chengmen: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return CLI_REFUSED;
}

void cli_usage_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("chengmen: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(CLI_USAGE);
}

static void print_help(const struct cli_usage *usage)
{
    printf("usage: %s\n\n%s\n", usage->line, usage->about);
    if (usage->option_count > 0)
        puts("\noptions:");
    for (unsigned i = 0; i < usage->option_count; i++) {
        const struct cli_option *option = &usage->options[i];
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument ? " " : "",
                 option->argument ? option->argument : "");
        printf("  %-28s %s\n", left, option->help);
    }
    printf("  %-28s %s\n", "--help", "this text");
}

static const struct cli_option *find_option(const struct cli_usage *usage, const char *name, size_t length)
{
    for (unsigned i = 0; i < usage->option_count; i++)
        if (strlen(usage->options[i].name) == length && memcmp(usage->options[i].name, name, length) == 0)
            return &usage->options[i];
    return NULL;
}

static void set_option(const struct cli_option *option, const char *text)
{
    struct cli_list *list;
    char *end;
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)option->value = true;
        return;
    case CLI_TEXT:
        *(const char **)option->value = text;
        return;
    case CLI_LIST:
        list = option->value;
        if (list->count == CLI_LIST_MAX)
            cli_usage_error("--%s: given more than %d times", option->name, CLI_LIST_MAX);
        list->items[list->count++] = text;
        return;
    case CLI_UINT:
        errno = 0;
        *(uint64_t *)option->value = strtoull(text, &end, 10);
        if (errno != 0 || *end != '\0' || *text < '0' || *text > '9')
            cli_usage_error("--%s: a whole number is wanted, not \"%s\"", option->name, text);
        return;
    }
}

unsigned cli_parse(const struct cli_usage *usage, int argc, char **argv, const char *positional[])
{
    unsigned count = 0;
    bool options_over = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (options_over || word[0] != '-' || word[1] == '\0') {
            if (count == usage->positional_most)
                cli_usage_error("\"%s\" is one argument too many; usage: %s", word, usage->line);
            positional[count++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            options_over = true;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            print_help(usage);
            exit(CLI_OK);
        }
        const char *name = word + 2, *equals = strchr(word, '=');
        size_t length = equals ? (size_t)(equals - name) : strlen(word) - 2;
        const struct cli_option *option = word[1] == '-' ? find_option(usage, name, length) : NULL;
        if (!option)
            cli_usage_error("unknown option %s; usage: %s", word, usage->line);
        if (option->kind == CLI_FLAG && equals)
            cli_usage_error("--%s takes no argument", option->name);
        const char *text = equals ? equals + 1 : NULL;
        if (option->kind != CLI_FLAG && !text) {
            if (i + 1 == argc)
                cli_usage_error("--%s: %s is missing", option->name, option->argument);
            text = argv[++i];
        }
        set_option(option, text);
        if (option->given)
            *option->given = true;
    }
    if (count < usage->positional_least)
        cli_usage_error("an argument is missing; usage: %s", usage->line);
    return count;
}

int cli_dispatch(const char *program, const struct cli_command commands[], size_t count, int argc, char **argv)
{
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    for (size_t i = 0; argc > 1 && i < count; i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            return commands[i].run(argc - 1, argv + 1);
    FILE *out = help ? stdout : stderr;
    if (argc > 1 && !help)
        fprintf(out, "chengmen: no command \"%s\"\n", argv[1]);
    fprintf(out, "usage: %s COMMAND [options]; `--help` after a command tells more\n\n", program);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
    return help ? CLI_OK : CLI_USAGE;
}
