#include "control/scan/context_file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "dataplane/oscore_message.h"
#include "keys/number_file.h"

#define FILE_SIZE_MAX 4096

static const char *const members[] = {"point",     "alg",          "master_secret", "master_salt",
                                      "sender_id", "recipient_id", "id_context"};

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const cJSON *object, const char *name, bool required, uint8_t *room, size_t room_size,
                     uint8_t *size)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!value)
        return !required;
    if (!cJSON_IsString(value) || strlen(value->valuestring) % 2 || strlen(value->valuestring) / 2 > room_size)
        return false;
    const char *text = value->valuestring;
    for (*size = 0; *text; text += 2) {
        int high = digit_of(text[0]), low = digit_of(text[1]);
        if (high < 0 || low < 0)
            return false;
        room[(*size)++] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_number(const cJSON *object, const char *name, double max, uint32_t *out)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(value) || value->valuedouble < 0 || value->valuedouble > max)
        return false;
    *out = (uint32_t)value->valuedouble;
    return (double)*out == value->valuedouble;
}

/* Every member is known and there once. */
static bool has_known_members(const cJSON *object)
{
    unsigned seen = 0;
    const cJSON *member = object->child;
    for (; member; member = member->next) {
        unsigned i = 0;
        while (i < sizeof members / sizeof *members && strcmp(member->string, members[i]) != 0)
            i++;
        if (i == sizeof members / sizeof *members || seen >> i & 1)
            return false;
        seen |= 1u << i;
    }
    return true;
}

static bool read_context(const cJSON *o, struct context_file *out)
{
    struct point_oscore *p = &out->oscore;
    uint32_t alg;
    struct oscore_keys keys;
    if (!cJSON_IsObject(o) || !has_known_members(o) || !read_number(o, "point", UINT32_MAX, &out->point) ||
        !read_number(o, "alg", POINT_OSCORE_CHACHA20, &alg) ||
        !read_hex(o, "master_secret", true, p->master_secret, POINT_MASTER_SECRET_MAX, &p->master_secret_size) ||
        !read_hex(o, "master_salt", false, p->master_salt, sizeof p->master_salt, &p->master_salt_size) ||
        !read_hex(o, "sender_id", true, p->point_id, sizeof p->point_id, &p->point_id_size) ||
        !read_hex(o, "recipient_id", true, p->appliance_id, sizeof p->appliance_id, &p->appliance_id_size) ||
        !read_hex(o, "id_context", false, p->id_context, sizeof p->id_context, &p->id_context_size))
        return false;
    p->alg = (enum point_oscore_alg)alg;
    bool derived = oscore_keys_derive(p, OSCORE_END_POINT, &keys);
    oscore_wipe(&keys, sizeof keys);
    return derived;
}

bool context_file_open(const char *path, struct context_file *out, char *error, size_t error_size)
{
    char text[FILE_SIZE_MAX + 1];
    *out = (struct context_file){.lock = open(path, O_RDONLY | O_CLOEXEC)};
    ssize_t size = out->lock < 0 ? -1 : read(out->lock, text, sizeof text);
    if (size < 0 || snprintf(out->sequence_path, sizeof out->sequence_path, "%s.sequence", path) >=
                        (int)sizeof out->sequence_path) {
        snprintf(error, error_size, "%s: %s", path, strerror(size < 0 ? errno : ENAMETOOLONG));
        context_file_close(out);
        return false;
    }
    const char *end = NULL;
    cJSON *json = (size_t)size < sizeof text ? cJSON_ParseWithLengthOpts(text, (size_t)size, &end, false) : NULL;
    while (json && end < text + size && strchr(" \t\r\n", *end))
        end++;
    bool read = json && end == text + size && read_context(json, out);
    cJSON_Delete(json);
    oscore_wipe(text, sizeof text);
    if (!read) {
        snprintf(error, error_size, "%s: not a security context", path);
        context_file_close(out);
    }
    return read;
}

static bool reserve(struct context_file *file)
{
    uint64_t number;
    if (flock(file->lock, LOCK_EX) != 0)
        return false;
    bool done = number_file_take(file->sequence_path, SEQUENCE_BLOCK, OSCORE_SEQUENCE_LIMIT, &number);
    flock(file->lock, LOCK_UN);
    if (!done)
        return false;
    file->next = number;
    file->end = number + SEQUENCE_BLOCK;
    return true;
}

bool context_file_take(struct context_file *file, uint64_t *sequence)
{
    if (file->next == file->end && !reserve(file))
        return false;
    *sequence = file->next++;
    return true;
}

void context_file_close(struct context_file *file)
{
    if (file->lock >= 0)
        close(file->lock);
    oscore_wipe(file, sizeof *file);
    file->lock = -1;
}
