#include "dataplane/epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/oscore.h"
#include "keys/number_file.h"

bool epoch_next(const char *directory, uint32_t *start, char *error, size_t error_size)
{
    char path[512];
    uint64_t taken = 0;
    snprintf(path, sizeof path, "%s/starts", directory);
    mkdir(directory, 0750); /* where control was not here yet; it takes what it finds */
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    errno = 0;
    bool next = folder >= 0 && flock(folder, LOCK_EX) == 0 && number_file_take(path, 1, OSCORE_START_MAX, &taken);
    if (!next)
        snprintf(error, error_size, "%s: %s", path,
                 errno ? strerror(errno) : "no start number is left: rotate every context, then remove the file");
    if (folder >= 0)
        close(folder);
    *start = (uint32_t)taken + 1;
    return next;
}
