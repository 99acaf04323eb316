#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/cli/cli.h"

char *cli_read_file(const char *path, size_t size_max, size_t *length)
{
    bool standard = strcmp(path, "-") == 0;
    int file = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        cli_refuse("%s: %s", path, strerror(errno));
        return NULL;
    }
    size_t room = 65536, have = 0;
    char *content = malloc(room + 1);
    while (content) {
        ssize_t got = read(file, content + have, room - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (got == 0)
                break;
            cli_refuse("%s: %s", path, strerror(errno));
            free(content);
            content = NULL;
            break;
        }
        have += (size_t)got;
        if (have > size_max) {
            cli_refuse("%s: larger than %zu bytes", path, size_max);
            free(content);
            content = NULL;
        } else if (have == room) {
            room *= 2;
            char *larger = realloc(content, room + 1);
            if (!larger)
                free(content);
            content = larger;
        }
    }
    if (!standard)
        close(file);
    if (!content)
        return NULL;
    content[have] = '\0';
    *length = have;
    return content;
}

static bool write_all(int file, struct bytes content)
{
    while (content.length > 0) {
        ssize_t put = write(file, content.data, content.length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        content.data += put;
        content.length -= (size_t)put;
    }
    return true;
}

bool cli_write_file(const char *path, struct bytes content, unsigned mode)
{
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary) {
        cli_refuse("%s: name too long", path);
        return false;
    }
    int file = mkostemp(temporary, O_CLOEXEC);
    bool ok = file >= 0 && fchmod(file, mode) == 0 && write_all(file, content) && fsync(file) == 0;
    ok = ok && rename(temporary, path) == 0;
    if (!ok) {
        cli_refuse("%s: %s", path, strerror(errno));
        if (file >= 0)
            unlink(temporary);
    }
    if (file >= 0)
        close(file);
    return ok;
}

bool cli_write_new_file(const char *path, struct bytes content, unsigned mode)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0) {
        cli_refuse("%s: %s", path, strerror(errno));
        return false;
    }
    bool ok = fchmod(file, mode) == 0 && write_all(file, content) && fsync(file) == 0;
    if (!ok) {
        cli_refuse("%s: %s", path, strerror(errno));
        unlink(path);
    }
    close(file);
    return ok;
}
