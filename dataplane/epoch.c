#include "dataplane/epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/oscore.h"

#define STARTS_NAME "starts"

/* A decimal number and a line end; an empty file stands before the first start. */
static bool read_number(int file, uint64_t *out)
{
    char text[24] = "", *end;
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    if (length == 0) {
        *out = 0;
        return true;
    }
    *out = length > 0 ? strtoull(text, &end, 10) : 0;
    return length > 0 && text[0] >= '1' && text[0] <= '9' && *end == '\n';
}

static bool write_number(int file, uint64_t number)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%llu\n", (unsigned long long)number);
    return pwrite(file, text, (size_t)length, 0) == length && fsync(file) == 0;
}

bool epoch_next(const char *directory, uint32_t *start, char *error, size_t error_size)
{
    char path[512];
    uint64_t before = 0;
    snprintf(path, sizeof path, "%s/%s", directory, STARTS_NAME);
    mkdir(directory, 0750); /* where control was not here yet; it takes what it finds */
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640),
        folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool known = file >= 0 && folder >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0 && read_number(file, &before);
    if (!known)
        snprintf(error, error_size, "%s: %s", path,
                 file >= 0 && errno == 0 ? "not a number of starts" : strerror(errno));
    else if (before >= OSCORE_START_MAX)
        snprintf(error, error_size, "%s: all start numbers are spent: rotate every context, then remove it", path);
    bool next = known && before < OSCORE_START_MAX;
    if (next && (!write_number(file, before + 1) || fsync(folder) != 0)) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        next = false;
    }
    *start = (uint32_t)before + 1;
    if (folder >= 0)
        close(folder);
    if (file >= 0)
        close(file);
    return next;
}
