/* `chengmen rules eval`: CertLogic expressions on the dataplane's machine, one or a line each. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/certlogic.h"
#include "control/cli/commands.h"

#define READ_SIZE (1u << 18)
#define LINE_MAX_BYTES (64u << 20)

static cJSON *parse(struct bytes text, char *error, size_t error_size)
{
    struct json_problems problems = {0};
    cJSON *tree = json_parse(text, &problems);
    if (!tree)
        snprintf(error, error_size, "%s%s%s", problems.items[0].pointer, problems.items[0].pointer[0] ? ": " : "",
                 problems.items[0].message);
    json_problems_free(&problems);
    return tree;
}

static cJSON *parse_file(const char *path)
{
    char error[CERTLOGIC_ERROR_MAX];
    size_t length;
    char *text = cli_read_file(path, JSON_SIZE_MAX, &length);
    if (!text)
        return NULL;
    cJSON *tree = parse((struct bytes){(const uint8_t *)text, length}, error, sizeof error);
    if (!tree)
        cli_refuse("%s: %s", path, error);
    free(text);
    return tree;
}

static int eval_files(const char *logic_file, const char *data_file)
{
    char error[CERTLOGIC_ERROR_MAX] = "";
    cJSON *logic = parse_file(logic_file);
    cJSON *data = logic ? parse_file(data_file) : NULL;
    char *value = data ? certlogic_eval(logic, data, error, sizeof error) : NULL;
    if (value)
        puts(value);
    else if (data)
        cli_refuse("%s", error);
    cJSON_Delete(logic);
    cJSON_Delete(data);
    free(value);
    return value ? CLI_OK : CLI_REFUSED;
}

static void print_error(const char *error)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "error", error);
    char *text = cJSON_PrintUnformatted(object);
    puts(text);
    free(text);
    cJSON_Delete(object);
}

/* {"logic":…,"data":…}; without data it is null. Other members are the caller's own. */
static void eval_line(struct bytes line)
{
    char error[CERTLOGIC_ERROR_MAX] = "";
    cJSON *tree = parse(line, error, sizeof error);
    const cJSON *logic = cJSON_GetObjectItemCaseSensitive(tree, "logic");
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(tree, "data");
    char *value = NULL;
    if (tree && !logic)
        snprintf(error, sizeof error, "member \"logic\" is missing");
    else if (tree)
        value = certlogic_eval(logic, data, error, sizeof error);
    if (value)
        puts(value);
    else
        print_error(error);
    free(value);
    cJSON_Delete(tree);
}

static bool is_blank(struct bytes line)
{
    for (size_t i = 0; i < line.length; i++)
        if (!strchr(" \t\r", line.data[i]))
            return false;
    return true;
}

/* Evaluates the whole lines; returns how many bytes they were. */
static size_t eval_lines(const uint8_t *text, size_t length, bool over)
{
    const uint8_t *start = text, *end = text + length, *line_end;
    while ((line_end = memchr(start, '\n', (size_t)(end - start))) || (over && start < end)) {
        struct bytes line = {start, (size_t)((line_end ? line_end : end) - start)};
        if (!is_blank(line))
            eval_line(line);
        start = line_end ? line_end + 1 : end;
    }
    return (size_t)(start - text);
}

/* What was read is answered and put out before the next read, so that a program on a pipe gets answers as it asks. */
static int eval_batch(const char *path)
{
    int file = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return cli_refuse("%s: %s", path, strerror(errno));
    uint8_t *text = NULL;
    size_t length = 0, room = 0;
    int code = CLI_OK;
    for (bool over = false; !over && code == CLI_OK;) {
        if (length + READ_SIZE > room) {
            room = room ? room * 2 : 2 * READ_SIZE;
            uint8_t *larger = room <= LINE_MAX_BYTES ? realloc(text, room) : NULL;
            if (!larger) {
                code = cli_refuse("%s: line longer than %u bytes", path, LINE_MAX_BYTES / 2);
                break;
            }
            text = larger;
        }
        ssize_t got = read(file, text + length, READ_SIZE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            code = cli_refuse("%s: %s", path, strerror(errno));
            break;
        }
        over = got == 0;
        length += (size_t)got;
        size_t used = eval_lines(text, length, over);
        length -= used;
        memmove(text, text + used, length);
        fflush(stdout);
    }
    free(text);
    if (file != STDIN_FILENO)
        close(file);
    return code;
}

int cli_rules_eval(int argc, char **argv)
{
    const char *logic = NULL, *data = NULL, *batch = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {"logic", CLI_TEXT, "FILE", "the expression, JSON", &logic, NULL},
        {"data", CLI_TEXT, "FILE", "the data it is computed with, JSON", &data, NULL},
        {"batch", CLI_TEXT, "FILE|-", "lines {\"logic\":…,\"data\":…}; prints a line each", &batch, NULL},
        {"json", CLI_FLAG, NULL, "the output is JSON either way", &json, NULL},
    };
    const struct cli_usage usage = {
        "chengmen rules eval --logic FILE --data FILE | --batch FILE|-",
        "Computes CertLogic expressions on the machine that the dataplane decides with, and prints the values as "
        "JSON.\nIn a batch what errs prints {\"error\":\"…\"}; alone it exits 1 with a message.",
        options,
        4,
        0,
        0};
    cli_parse(&usage, argc, argv, NULL);
    if (batch && !logic && !data)
        return eval_batch(batch);
    if (batch || !logic || !data)
        cli_usage_error("either --logic and --data, or --batch");
    return eval_files(logic, data);
}
