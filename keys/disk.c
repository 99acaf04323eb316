#include "keys/disk.h"

#include <errno.h>

int64_t disk_read_all(struct disk *disk, int file, void *room, size_t size, uint64_t offset)
{
    size_t got = 0;
    while (got < size) {
        int64_t n = disk_read(disk, file, (uint8_t *)room + got, size - got, offset + got);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        got += (size_t)n;
        /* A direct read that ended inside a block must not be asked to go on from there. */
        if (got < size && got % DISK_BLOCK_SIZE != 0 && (int64_t)(offset + got) >= disk_size(disk, file))
            break;
    }
    return (int64_t)got;
}

int disk_write_all(struct disk *disk, int file, const void *data, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        int64_t n = disk_write(disk, file, (const uint8_t *)data + done, size - done, offset + done);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return -EIO; /* a write that makes no progress would never end */
        done += (size_t)n;
    }
    return 0;
}
