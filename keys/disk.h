/* The only disk I/O there is: one directory as one thread sees it. Linked with disk_uring.c in production and with
 * tests/simulator/disk_sim.c in the simulator. What a function returns is 0 or more, or a negative errno. A transfer
 * may be short, as the kernel's may: disk_read_all and disk_write_all go on until it is whole. */
#pragma once

#include "keys/bytes.h"

#define DISK_NAME_MAX 64
#define DISK_BLOCK_SIZE 4096
#define DISK_BOOT_ID_SIZE 16

struct disk;

/* `create` makes the directory (mode 0750) durably where it is missing. */
int disk_open(const char *directory, bool create, struct disk **out);
void disk_close(struct disk *disk);

/* Files are named without a slash. A handle is valid until disk_file_close. */
enum disk_use {
    DISK_READ,
    DISK_READ_DIRECT,  /* past the page cache: offset, size and memory are multiples of DISK_BLOCK_SIZE; where the file
                          system cannot, as DISK_READ */
    DISK_WRITE,        /* must exist */
    DISK_CREATE,       /* made or emptied; mode 0640 */
    DISK_CREATE_DIRECT /* as DISK_CREATE, written past the page cache where the file system can */
};
int disk_file_open(struct disk *disk, const char *name, enum disk_use use);
void disk_file_close(struct disk *disk, int file);

int64_t disk_size(struct disk *disk, int file);
/* Bytes transferred; a read of 0 is the end of the file. */
int64_t disk_read(struct disk *disk, int file, void *room, size_t size, uint64_t offset);
int64_t disk_write(struct disk *disk, int file, const void *data, size_t size, uint64_t offset);
/* Makes content and size durable. */
int disk_sync(struct disk *disk, int file);
/* Writes all, then syncs, in one submission where that goes. */
int disk_write_sync(struct disk *disk, int file, const void *data, size_t size, uint64_t offset);
/* Takes the blocks of [0, size) and makes the file that long; what was not written reads as zeros. */
int disk_allocate(struct disk *disk, int file, uint64_t size);
int disk_truncate(struct disk *disk, int file, uint64_t size);

/* Transfers in the background, one at a time in each place, for whoever has other work meanwhile. File and memory stay
 * the disk's until disk_end, which waits for the transfer, carries a short one on, and gives the bytes transferred
 * (fewer only at the end of the file), 0 where none was begun, or a negative errno. */
#define DISK_TABLE_DEPTH 4
#define DISK_SPILL_DEPTH 8
enum disk_place {
    DISK_PLACE_TABLE,
    DISK_PLACE_SPILL = DISK_PLACE_TABLE + DISK_TABLE_DEPTH, /* and on: a purpose has as many as it keeps under way */
    DISK_PLACES = DISK_PLACE_SPILL + DISK_SPILL_DEPTH
};
void disk_begin_read(struct disk *disk, enum disk_place place, int file, void *room, size_t size, uint64_t offset);
void disk_begin_write(struct disk *disk, enum disk_place place, int file, const void *data, size_t size,
                      uint64_t offset);
int64_t disk_end(struct disk *disk, enum disk_place place);

int disk_rename(struct disk *disk, const char *from, const char *to);
int disk_remove(struct disk *disk, const char *name);
/* Makes names durable: creations, renames, removals. */
int disk_sync_directory(struct disk *disk);
/* Calls `visit` for every name, in no order, until it returns non-zero; returns that, 0, or a negative errno. */
int disk_list(struct disk *disk, int (*visit)(void *context, const char *name), void *context);
int64_t disk_free_bytes(struct disk *disk);

/* Takes an advisory lock on a file that is made where it is missing; held until disk_file_close of the handle that is
 * returned, or the end of the process. -EWOULDBLOCK where another holds it. */
int disk_lock(struct disk *disk, const char *name);

/* Memory shared with every process that shares the same file. It reaches the disk at some time, or not at all: never
 * rely on that. NULL where it fails. */
void *disk_share(struct disk *disk, int file, size_t size, bool writable);
void disk_unshare(void *memory, size_t size);

/* Changes with every start of the machine: what was read after it came from the disk, not from a cache. */
void disk_boot_id(uint8_t id[DISK_BOOT_ID_SIZE]);

/* A queue of single page reads for one worker that never waits. Opened anywhere; from disk_queue_start on it belongs to
 * the thread that called that. The ring may do nothing but read the one registered file into the registered memory and
 * change which file that is. */
struct disk_queue;
int disk_queue_open(unsigned depth, struct disk_queue **out);
int disk_queue_start(struct disk_queue *queue);
void disk_queue_close(struct disk_queue *queue);
/* Later reads go to `file`; those submitted keep theirs. All that was put must have been submitted. */
int disk_queue_use(struct disk_queue *queue, int file);
/* The memory of place `slot`, below `depth`: one block, aligned. */
void *disk_queue_room(struct disk_queue *queue, unsigned slot);
/* Puts a read of one block into the room of `slot`, which has no other read under way. */
void disk_queue_put(struct disk_queue *queue, unsigned slot, uint64_t offset);
/* Submits all that was put in one call. A negative errno leaves what was put to a later call. */
int disk_queue_submit(struct disk_queue *queue);

struct disk_done {
    unsigned slot;
    int result; /* bytes, or a negative errno */
};
/* Takes up to n completions without waiting. */
unsigned disk_queue_reap(struct disk_queue *queue, struct disk_done done[], unsigned n);

/* Over the above, in disk.c. disk_read_all stops early only at the end of the file and returns what it got. */
int64_t disk_read_all(struct disk *disk, int file, void *room, size_t size, uint64_t offset);
int disk_write_all(struct disk *disk, int file, const void *data, size_t size, uint64_t offset);
