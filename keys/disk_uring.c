/* The disk through io_uring (kernel 5.11 and later). Content goes through a ring; names, sizes and locks, which the
 * workers never touch, are plain system calls. */
#include "keys/disk.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RING_ENTRIES 16
static_assert(RING_ENTRIES >= DISK_PLACES + 2, "all places, and a write with its sync");

struct background {
    bool begun, write, done;
    int file, result;
    void *memory; /* only read from where `write` */
    size_t size;
    uint64_t offset;
};

struct disk {
    struct io_uring ring;
    int directory;
    struct background places[DISK_PLACES];
};

/* User data of completions: below this of the operations that are waited for, from here on of the places. */
#define PLACE_DATA 2

/* fsync of the directory that holds `directory`, so that its own name is durable. */
static int sync_parent(int directory)
{
    int parent = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return -errno;
    int result = fsync(parent) == 0 ? 0 : -errno;
    close(parent);
    return result;
}

int disk_open(const char *directory, bool create, struct disk **out)
{
    bool made = false;
    if (create) {
        made = mkdir(directory, 0750) == 0;
        if (!made && errno != EEXIST)
            return -errno;
    }
    struct disk *disk = calloc(1, sizeof(*disk));
    if (!disk)
        return -ENOMEM;
    int result;
    disk->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk->directory < 0) {
        result = -errno;
        goto no_directory;
    }
    if (made && (result = sync_parent(disk->directory)) < 0)
        goto no_ring;
    result = io_uring_queue_init(RING_ENTRIES, &disk->ring, 0);
    if (result < 0)
        goto no_ring;
    *out = disk;
    return 0;
no_ring:
    close(disk->directory);
no_directory:
    free(disk);
    return result;
}

void disk_close(struct disk *disk)
{
    if (!disk)
        return;
    io_uring_queue_exit(&disk->ring);
    close(disk->directory);
    free(disk);
}

int disk_file_open(struct disk *disk, const char *name, enum disk_use use)
{
    static const int flags[] = {
        [DISK_READ] = O_RDONLY,
        [DISK_READ_DIRECT] = O_RDONLY | O_DIRECT,
        [DISK_WRITE] = O_RDWR,
        [DISK_CREATE] = O_RDWR | O_CREAT | O_TRUNC,
        [DISK_CREATE_DIRECT] = O_RDWR | O_CREAT | O_TRUNC | O_DIRECT,
    };
    int wanted = flags[use] | O_CLOEXEC | O_NOFOLLOW;
    int file = openat(disk->directory, name, wanted, 0640);
    if (file < 0 && errno == EINVAL && (wanted & O_DIRECT))
        file = openat(disk->directory, name, wanted & ~O_DIRECT, 0640);
    return file < 0 ? -errno : file;
}

void disk_file_close(struct disk *disk, int file)
{
    (void)disk;
    if (file >= 0)
        close(file);
}

int64_t disk_size(struct disk *disk, int file)
{
    (void)disk;
    struct stat about;
    return fstat(file, &about) < 0 ? -errno : about.st_size;
}

/* Submits what was put, waits for a completion and takes all there are; `results` and `done` are for those of run. */
static int wait_some(struct disk *disk, int results[], unsigned *done)
{
    int result = io_uring_submit_and_wait(&disk->ring, 1);
    if (result < 0 && result != -EINTR)
        return result;
    struct io_uring_cqe *entry;
    while (io_uring_peek_cqe(&disk->ring, &entry) == 0) {
        if (entry->user_data >= PLACE_DATA) {
            struct background *place = &disk->places[entry->user_data - PLACE_DATA];
            place->result = entry->res;
            place->done = true;
        } else {
            results[entry->user_data] = entry->res;
            ++*done;
        }
        io_uring_cqe_seen(&disk->ring, entry);
    }
    return 0;
}

/* Runs the n operations that were put; results[i] is that of the one with user data i. */
static int run(struct disk *disk, int results[], unsigned n)
{
    for (unsigned done = 0; done < n;) {
        int result = wait_some(disk, results, &done);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Runs one operation again for as long as a signal interrupts it. */
#define RUN_ONE(disk, prepare)                                                                                         \
    int result;                                                                                                        \
    do {                                                                                                               \
        struct io_uring_sqe *entry = io_uring_get_sqe(&(disk)->ring);                                                  \
        prepare;                                                                                                       \
        io_uring_sqe_set_data64(entry, 0);                                                                             \
        int failed = run(disk, &result, 1);                                                                            \
        if (failed < 0)                                                                                                \
            result = failed;                                                                                           \
    } while (result == -EINTR || result == -EAGAIN);                                                                   \
    return result

/* One transfer carries at most 1 GiB, so that its length fits the ring's 32 bits. */
static unsigned transfer(size_t size)
{
    return size > (1u << 30) ? 1u << 30 : (unsigned)size;
}

int64_t disk_read(struct disk *disk, int file, void *room, size_t size, uint64_t offset)
{
    RUN_ONE(disk, io_uring_prep_read(entry, file, room, transfer(size), offset));
}

int64_t disk_write(struct disk *disk, int file, const void *data, size_t size, uint64_t offset)
{
    RUN_ONE(disk, io_uring_prep_write(entry, file, data, transfer(size), offset));
}

int disk_sync(struct disk *disk, int file)
{
    RUN_ONE(disk, io_uring_prep_fsync(entry, file, IORING_FSYNC_DATASYNC));
}

int disk_allocate(struct disk *disk, int file, uint64_t size)
{
    RUN_ONE(disk, io_uring_prep_fallocate(entry, file, 0, 0, (off_t)size));
}

int disk_write_sync(struct disk *disk, int file, const void *data, size_t size, uint64_t offset)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&disk->ring);
    io_uring_prep_write(entry, file, data, transfer(size), offset);
    io_uring_sqe_set_data64(entry, 0);
    entry->flags |= IOSQE_IO_LINK;
    entry = io_uring_get_sqe(&disk->ring);
    io_uring_prep_fsync(entry, file, IORING_FSYNC_DATASYNC);
    io_uring_sqe_set_data64(entry, 1);
    int results[2];
    int failed = run(disk, results, 2);
    if (failed < 0)
        return failed;
    if (results[0] == (int)transfer(size) && results[1] == 0 && transfer(size) == size)
        return 0;
    if (results[0] < 0 && results[0] != -EINTR && results[0] != -EAGAIN)
        return results[0];
    /* A sync that ran and failed has already told of the loss, once: the next one would succeed. */
    if (results[1] < 0 && results[1] != -ECANCELED)
        return results[1];
    size_t written = results[0] > 0 ? (size_t)results[0] : 0;
    int result = disk_write_all(disk, file, (const uint8_t *)data + written, size - written, offset + written);
    return result < 0 ? result : disk_sync(disk, file);
}

static void begin(struct disk *disk, enum disk_place place, const struct background *what)
{
    disk->places[place] = *what;
    disk->places[place].begun = true;
    struct io_uring_sqe *entry = io_uring_get_sqe(&disk->ring);
    if (what->write)
        io_uring_prep_write(entry, what->file, what->memory, transfer(what->size), what->offset);
    else
        io_uring_prep_read(entry, what->file, what->memory, transfer(what->size), what->offset);
    io_uring_sqe_set_data64(entry, PLACE_DATA + (unsigned)place);
    io_uring_submit(&disk->ring); /* where it fails, disk_end submits */
}

void disk_begin_read(struct disk *disk, enum disk_place place, int file, void *room, size_t size, uint64_t offset)
{
    begin(disk, place, &(struct background){.file = file, .memory = room, .size = size, .offset = offset});
}

void disk_begin_write(struct disk *disk, enum disk_place place, int file, const void *data, size_t size,
                      uint64_t offset)
{
    begin(disk, place,
          &(struct background){
              .write = true, .file = file, .memory = (void *)(uintptr_t)data, .size = size, .offset = offset});
}

int64_t disk_end(struct disk *disk, enum disk_place place)
{
    struct background *what = &disk->places[place];
    if (!what->begun)
        return 0;
    what->begun = false;
    while (!what->done) {
        unsigned none = 0;
        int failed = wait_some(disk, NULL, &none);
        if (failed < 0)
            return failed;
    }
    if (what->result < 0 && what->result != -EINTR && what->result != -EAGAIN)
        return what->result;
    size_t moved = what->result > 0 ? (size_t)what->result : 0;
    if (moved == what->size)
        return (int64_t)moved;
    uint8_t *rest = (uint8_t *)what->memory + moved;
    if (!what->write) {
        int64_t n = disk_read_all(disk, what->file, rest, what->size - moved, what->offset + moved);
        return n < 0 ? n : n + (int64_t)moved;
    }
    int result = disk_write_all(disk, what->file, rest, what->size - moved, what->offset + moved);
    return result < 0 ? result : (int64_t)what->size;
}

int disk_truncate(struct disk *disk, int file, uint64_t size)
{
    (void)disk;
    return ftruncate(file, (off_t)size) < 0 ? -errno : 0;
}

int disk_rename(struct disk *disk, const char *from, const char *to)
{
    return renameat(disk->directory, from, disk->directory, to) < 0 ? -errno : 0;
}

int disk_remove(struct disk *disk, const char *name)
{
    return unlinkat(disk->directory, name, 0) < 0 ? -errno : 0;
}

int disk_sync_directory(struct disk *disk)
{
    return fsync(disk->directory) < 0 ? -errno : 0;
}

int disk_list(struct disk *disk, int (*visit)(void *context, const char *name), void *context)
{
    int copy = openat(disk->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0)
        return -errno;
    DIR *names = fdopendir(copy);
    if (!names) {
        int result = -errno;
        close(copy);
        return result;
    }
    int result = 0;
    while (result == 0) {
        errno = 0;
        struct dirent *name = readdir(names);
        if (!name) {
            result = -errno;
            break;
        }
        if (name->d_name[0] != '.')
            result = visit(context, name->d_name);
    }
    closedir(names);
    return result;
}

int64_t disk_free_bytes(struct disk *disk)
{
    struct statvfs about;
    if (fstatvfs(disk->directory, &about) < 0)
        return -errno;
    return (int64_t)(about.f_bavail * about.f_frsize);
}

int disk_lock(struct disk *disk, const char *name)
{
    int file = openat(disk->directory, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (file < 0)
        return -errno;
    if (flock(file, LOCK_EX | LOCK_NB) < 0) {
        int result = -errno;
        close(file);
        return result;
    }
    return file;
}

void *disk_share(struct disk *disk, int file, size_t size, bool writable)
{
    (void)disk;
    void *memory = mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, file, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void disk_unshare(void *memory, size_t size)
{
    if (memory)
        munmap(memory, size);
}

void disk_boot_id(uint8_t id[DISK_BOOT_ID_SIZE])
{
    char text[40] = "";
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        if (read(file, text, sizeof(text) - 1) < 0)
            text[0] = 0;
        close(file);
    }
    memset(id, 0, DISK_BOOT_ID_SIZE);
    unsigned digits = 0;
    for (const char *c = text; *c && digits < 2 * DISK_BOOT_ID_SIZE; c++) {
        unsigned value = *c >= '0' && *c <= '9' ? (unsigned)(*c - '0') : (unsigned)(*c - 'a' + 10);
        if (value > 15)
            continue;
        id[digits / 2] = (uint8_t)((unsigned)id[digits / 2] << 4 | value);
        digits++;
    }
}

struct disk_queue {
    struct io_uring ring;
    unsigned depth;
    uint8_t *rooms; /* depth blocks, mapped: what the kernel still writes to after a close is nobody's */
};

/* Only flags that liburing 2.3 knows: of others it takes the ring's layout for granted. */
static int queue_ring(unsigned depth, struct io_uring *ring)
{
    static const unsigned flags[] = {
        IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        IORING_SETUP_R_DISABLED | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        IORING_SETUP_R_DISABLED,
    };
    int result = -EINVAL;
    for (size_t i = 0; result == -EINVAL && i < sizeof(flags) / sizeof(flags[0]); i++)
        result = io_uring_queue_init(depth, ring, flags[i]);
    return result;
}

static int queue_restrict(struct io_uring *ring)
{
    struct io_uring_restriction allowed[3] = {
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ_FIXED},
        {.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE},
        {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_FILES_UPDATE},
    };
    /* liburing 2.3 declares io_uring_register_restrictions and io_uring_enable_rings, but does not export them. */
    return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, allowed, 3);
}

int disk_queue_open(unsigned depth, struct disk_queue **out)
{
    struct disk_queue *queue = calloc(1, sizeof(*queue));
    if (!queue)
        return -ENOMEM;
    size_t size = (size_t)depth * DISK_BLOCK_SIZE;
    queue->depth = depth;
    queue->rooms = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int result = queue->rooms == MAP_FAILED ? -ENOMEM : queue_ring(depth, &queue->ring);
    if (result < 0)
        goto no_ring;
    struct iovec rooms = {queue->rooms, size};
    int none = -1;
    result = io_uring_register_buffers(&queue->ring, &rooms, 1);
    if (result >= 0)
        result = io_uring_register_files(&queue->ring, &none, 1);
    if (result >= 0)
        result = queue_restrict(&queue->ring);
    if (result >= 0) {
        *out = queue;
        return 0;
    }
    io_uring_queue_exit(&queue->ring);
no_ring:
    if (queue->rooms != MAP_FAILED)
        munmap(queue->rooms, size);
    free(queue);
    return result;
}

int disk_queue_start(struct disk_queue *queue)
{
    return io_uring_register((unsigned)queue->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

void disk_queue_close(struct disk_queue *queue)
{
    if (!queue)
        return;
    io_uring_queue_exit(&queue->ring);
    munmap(queue->rooms, (size_t)queue->depth * DISK_BLOCK_SIZE);
    free(queue);
}

int disk_queue_use(struct disk_queue *queue, int file)
{
    int result = io_uring_register_files_update(&queue->ring, 0, &file, 1);
    return result == 1 ? 0 : result < 0 ? result : -EIO;
}

void *disk_queue_room(struct disk_queue *queue, unsigned slot)
{
    return queue->rooms + (size_t)slot * DISK_BLOCK_SIZE;
}

void disk_queue_put(struct disk_queue *queue, unsigned slot, uint64_t offset)
{
    /* The ring has an entry for each slot, and a slot has one read: there is always one free. */
    struct io_uring_sqe *entry = io_uring_get_sqe(&queue->ring);
    io_uring_prep_read_fixed(entry, 0, disk_queue_room(queue, slot), DISK_BLOCK_SIZE, offset, 0);
    io_uring_sqe_set_data64(entry, slot);
    entry->flags |= IOSQE_FIXED_FILE;
}

int disk_queue_submit(struct disk_queue *queue)
{
    if (io_uring_sq_ready(&queue->ring) == 0)
        return 0;
    int result = io_uring_submit(&queue->ring);
    return result < 0 ? result : 0;
}

unsigned disk_queue_reap(struct disk_queue *queue, struct disk_done done[], unsigned n)
{
    unsigned count = 0;
    struct io_uring_cqe *entry;
    while (count < n && io_uring_peek_cqe(&queue->ring, &entry) == 0) {
        done[count++] = (struct disk_done){(unsigned)entry->user_data, entry->res};
        io_uring_cqe_seen(&queue->ring, entry);
    }
    return count;
}
