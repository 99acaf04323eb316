#include "keys/number_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NUMBER_TEXT_MAX 24

/* The number that stands in the file; 0 where there is no file yet. */
static bool load_number(const char *path, uint64_t *number)
{
    char text[NUMBER_TEXT_MAX + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *number = 0;
    if (fd < 0)
        return errno == ENOENT;
    ssize_t size = read(fd, text, NUMBER_TEXT_MAX);
    close(fd);
    if (size <= 1 || text[size - 1] != '\n')
        return false;
    text[size - 1] = 0;
    if (text[strspn(text, "0123456789")])
        return false;
    errno = 0;
    *number = strtoull(text, NULL, 10);
    return errno == 0;
}

static bool sync_folder(const char *path)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

/* The old number or the new one, whatever happens. */
static bool store_number(const char *path, uint64_t number)
{
    char text[NUMBER_TEXT_MAX], fresh[4096 + 8];
    int size = snprintf(text, sizeof text, "%" PRIu64 "\n", number);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool written = write(fd, text, (size_t)size) == size && fsync(fd) == 0;
    return close(fd) == 0 && written && rename(fresh, path) == 0 && sync_folder(path);
}

bool number_file_take(const char *path, uint64_t count, uint64_t limit, uint64_t *first)
{
    errno = 0;
    return load_number(path, first) && *first <= limit && limit - *first >= count && store_number(path, *first + count);
}
