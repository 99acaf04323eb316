#include "control/json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/json_internal.h"
#include "keys/utf8.h"

/* cJSON copies a number into a buffer of 64 bytes and reads no further. */
#define NUMBER_SIZE_MAX 63

/* One open array or object of the text being checked. */
struct level {
    bool object;
    size_t index;
    struct bytes name; /* of the member being read, as it stands in the text */
};

struct scan {
    const uint8_t *start;
    const uint8_t *next;
    const uint8_t *end;
    const char *wrong; /* sticky: what is wrong at `next` */
    unsigned depth;
    struct level levels[JSON_DEPTH_MAX];
};

static bool fail(struct scan *in, const char *wrong)
{
    if (!in->wrong)
        in->wrong = wrong;
    return false;
}

static int peek(const struct scan *in)
{
    return in->next < in->end ? *in->next : -1;
}

static void skip_space(struct scan *in)
{
    while (in->next < in->end && (*in->next == ' ' || *in->next == '\t' || *in->next == '\n' || *in->next == '\r'))
        in->next++;
}

static bool scan_word(struct scan *in, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(in->end - in->next) < length || memcmp(in->next, word, length) != 0)
        return fail(in, "not a value");
    in->next += length;
    return true;
}

static bool scan_hex4(struct scan *in, unsigned *out)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++, in->next++) {
        int c = peek(in);
        if (c >= '0' && c <= '9')
            value = value << 4 | (unsigned)(c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            value = value << 4 | (unsigned)((c | 0x20) - 'a' + 10);
        else
            return fail(in, "\\u needs four hexadecimal digits");
    }
    *out = value;
    return true;
}

static bool scan_unicode_escape(struct scan *in)
{
    unsigned high, low;
    if (!scan_hex4(in, &high))
        return false;
    if (high == 0)
        return fail(in, "NUL is not allowed in text");
    if (high >= 0xdc00 && high <= 0xdfff)
        return fail(in, "lone surrogate");
    if (high < 0xd800 || high > 0xdbff)
        return true;
    if (peek(in) != '\\' || in->end - in->next < 2 || in->next[1] != 'u')
        return fail(in, "lone surrogate");
    in->next += 2;
    if (!scan_hex4(in, &low))
        return false;
    return (low >= 0xdc00 && low <= 0xdfff) || fail(in, "lone surrogate");
}

static bool scan_escape(struct scan *in)
{
    in->next++;
    int c = peek(in);
    if (c < 0)
        return fail(in, "text is not closed");
    in->next++;
    if (c == 'u')
        return scan_unicode_escape(in);
    return (c != 0 && strchr("\"\\/bfnrt", c)) || fail(in, "unknown escape");
}

static bool scan_text(struct scan *in, struct bytes *out)
{
    const uint8_t *start = ++in->next;
    for (;;) {
        int c = peek(in);
        if (c < 0)
            return fail(in, "text is not closed");
        if (c == '"')
            break;
        if (c < 0x20)
            return fail(in, "control character in text");
        if (c == '\\') {
            if (!scan_escape(in))
                return false;
        } else {
            in->next++;
        }
    }
    *out = (struct bytes){start, (size_t)(in->next - start)};
    if (!utf8_valid(*out))
        return fail(in, "text is not UTF-8");
    in->next++;
    return true;
}

static size_t scan_digits(struct scan *in)
{
    const uint8_t *start = in->next;
    while (peek(in) >= '0' && peek(in) <= '9')
        in->next++;
    return (size_t)(in->next - start);
}

static bool scan_number(struct scan *in)
{
    const uint8_t *start = in->next;
    if (peek(in) == '-')
        in->next++;
    if (peek(in) == '0')
        in->next++;
    else if (scan_digits(in) == 0)
        return fail(in, "not a value");
    if (peek(in) >= '0' && peek(in) <= '9')
        return fail(in, "number begins with 0");
    if (peek(in) == '.') {
        in->next++;
        if (scan_digits(in) == 0)
            return fail(in, "digit expected");
    }
    if (peek(in) == 'e' || peek(in) == 'E') {
        in->next++;
        if (peek(in) == '+' || peek(in) == '-')
            in->next++;
        if (scan_digits(in) == 0)
            return fail(in, "digit expected");
    }
    char copy[NUMBER_SIZE_MAX + 1];
    size_t length = (size_t)(in->next - start);
    if (length > NUMBER_SIZE_MAX)
        return fail(in, "number too long");
    memcpy(copy, start, length);
    copy[length] = 0;
    return isfinite(strtod(copy, NULL)) || fail(in, "number out of range");
}

static bool open_level(struct scan *in, bool object)
{
    if (in->depth == JSON_DEPTH_MAX)
        return fail(in, "nested too deeply");
    in->levels[in->depth++] = (struct level){.object = object};
    in->next++;
    return true;
}

static bool scan_name(struct scan *in, struct level *level)
{
    skip_space(in);
    if (peek(in) != '"')
        return fail(in, "member name expected");
    if (!scan_text(in, &level->name))
        return false;
    skip_space(in);
    if (peek(in) != ':')
        return fail(in, "':' expected");
    in->next++;
    return true;
}

/* Reads what may begin a value: a scalar wholly, of an array or object its bracket (then `opened`). */
static bool scan_begin(struct scan *in, bool *opened)
{
    struct bytes text;
    *opened = false;
    skip_space(in);
    switch (peek(in)) {
    case '{':
    case '[':
        *opened = true;
        return open_level(in, peek(in) == '{');
    case '"':
        return scan_text(in, &text);
    case 't':
        return scan_word(in, "true");
    case 'f':
        return scan_word(in, "false");
    case 'n':
        return scan_word(in, "null");
    case -1:
        return fail(in, "value expected");
    default:
        return scan_number(in);
    }
}

/* Without recursion: the open arrays and objects stand in in->levels. */
static bool scan_value(struct scan *in)
{
    bool opened;
    if (!scan_begin(in, &opened))
        return false;
    while (in->depth > 0) {
        struct level *level = &in->levels[in->depth - 1];
        int close = level->object ? '}' : ']';
        skip_space(in);
        if (peek(in) == close && (opened || level->index > 0)) {
            in->next++;
            in->depth--;
            opened = false;
            if (in->depth > 0)
                in->levels[in->depth - 1].index++;
            continue;
        }
        if (!opened) {
            if (peek(in) != ',')
                return fail(in, level->object ? "',' or '}' expected" : "',' or ']' expected");
            in->next++;
        }
        if (level->object && !scan_name(in, level))
            return false;
        if (!scan_begin(in, &opened))
            return false;
        if (!opened)
            level->index++;
    }
    skip_space(in);
    return in->next == in->end || fail(in, "bytes after the value");
}

static void report_scan(const struct scan *in, struct json_problems *problems)
{
    char pointer[JSON_POINTER_MAX];
    struct json_pointer_writer out = {pointer, pointer + sizeof pointer};
    pointer[0] = 0;
    for (unsigned i = 0; i < in->depth; i++) {
        const struct level *level = &in->levels[i];
        if (level->object && level->name.data)
            json_pointer_add(&out, (const char *)level->name.data, level->name.length);
        else if (!level->object)
            json_pointer_add_index(&out, level->index);
    }
    unsigned line = 1, column = 1;
    for (const uint8_t *p = in->start; p < in->next; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    json_problem_add(problems, JSON_REFUSED, pointer, "line %u, column %u: %s", line, column, in->wrong);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool refuse_duplicates(const struct json_place *place, struct json_problems *problems)
{
    size_t count = 0, room = 0;
    const char **names = NULL;
    bool ok = true;
    const cJSON *item;
    cJSON_ArrayForEach(item, place->value)
    {
        if (count == room) {
            room = room ? room * 2 : 16;
            names = json_grow(names, room * sizeof *names);
        }
        names[count++] = item->string;
    }
    if (count > 1)
        qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0) {
            struct json_place member = json_member(place, names[i]);
            json_refuse(problems, &member, "member stands twice");
            ok = false;
        }
    free(names);
    return ok;
}

/* Depth is bounded by the scan. */
static bool check_names(const struct json_place *place, struct json_problems *problems)
{
    bool ok = !cJSON_IsObject(place->value) || refuse_duplicates(place, problems);
    size_t index = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, place->value)
    {
        struct json_place child = {item, place, item->string, index++};
        if ((cJSON_IsObject(item) || cJSON_IsArray(item)) && !check_names(&child, problems))
            ok = false;
    }
    return ok;
}

cJSON *json_parse(struct bytes text, struct json_problems *problems)
{
    struct scan in = {.start = text.data, .next = text.data, .end = text.data + text.length};
    if (!scan_value(&in)) {
        report_scan(&in, problems);
        return NULL;
    }
    cJSON *tree = cJSON_ParseWithLength((const char *)text.data, text.length);
    struct json_place root = json_root(tree);
    if (!tree) {
        json_problem_add(problems, JSON_REFUSED, "", "cannot be read: out of memory");
        return NULL;
    }
    if (!check_names(&root, problems)) {
        cJSON_Delete(tree);
        return NULL;
    }
    return tree;
}

static bool read_all(int fd, struct bytes *out, char *error, size_t error_size, const char *path)
{
    uint8_t *data = NULL;
    size_t length = 0, room = 0;
    for (;;) {
        if (length == room) {
            room = room ? room * 2 : 65536;
            data = json_grow(data, room);
        }
        ssize_t got = read(fd, data + length, room - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            snprintf(error, error_size, "%s: %s", path, strerror(errno));
        else if ((length += (size_t)got) > JSON_SIZE_MAX)
            snprintf(error, error_size, "%s: larger than %u MiB", path, JSON_SIZE_MAX >> 20);
        else if (got > 0)
            continue;
        if (got == 0) {
            *out = (struct bytes){data, length};
            return true;
        }
        free(data);
        return false;
    }
}

bool json_read_file(const char *path, struct bytes *out, char *error, size_t error_size)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, out, error, error_size, "standard input");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        return false;
    }
    bool ok = read_all(fd, out, error, error_size, path);
    close(fd);
    return ok;
}
