#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/simulator/disk_sim_world.h"

struct disk {
    int64_t results[DISK_PLACES];
};

/* Counts an operation; crashes or gives the error where one is due. */
static int strike(bool takes_space)
{
    sim.operations++;
    if (sim.crash_at && sim.operations >= sim.crash_at) {
        sim.crash_at = 0;
        longjmp(*sim.crash, 1);
    }
    if (!sim.fail_at || sim.operations < sim.fail_at || (sim.fault == DISK_SIM_ENOSPC && !takes_space))
        return 0;
    if (!sim.lasting)
        sim.fail_at = 0;
    return sim.fault == DISK_SIM_ENOSPC ? -ENOSPC : -EIO;
}

static size_t shorten(size_t size)
{
    if (!sim.short_one_in || size < 2 || disk_sim_random(sim.short_one_in) > 0)
        return size;
    return 1 + disk_sim_random(size - 1);
}

int disk_open(const char *directory, bool create, struct disk **out)
{
    (void)directory;
    (void)create;
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

void disk_close(struct disk *disk)
{
    free(disk);
}

static int handle_new(unsigned file, bool direct)
{
    for (int i = 0; i < HANDLES_MAX; i++) {
        if (!sim.handles[i]) {
            sim.handles[i] = file + 1;
            sim.direct[i] = direct;
            return HANDLE_FIRST + i;
        }
    }
    abort();
}

static struct file *file_of(int handle)
{
    assert(handle >= HANDLE_FIRST && handle < HANDLE_FIRST + HANDLES_MAX && sim.handles[handle - HANDLE_FIRST]);
    return &sim.files[sim.handles[handle - HANDLE_FIRST] - 1];
}

int disk_file_open(struct disk *disk, const char *name, enum disk_use use)
{
    (void)disk;
    bool makes = use == DISK_CREATE || use == DISK_CREATE_DIRECT;
    int at = names_find(&sim.now, name), failed = strike(makes);
    if (failed)
        return failed;
    if (at < 0 && !makes)
        return -ENOENT;
    if (at < 0) {
        names_set(name, file_new());
        names_step();
        at = names_find(&sim.now, name);
    }
    unsigned file = sim.now.entries[at].file;
    if (makes && sim.files[file].cache.size > 0) {
        sim.files[file].cache.size = 0;
        remember_write(&sim.files[file], 0, NULL, 0);
    }
    return handle_new(file, use == DISK_READ_DIRECT);
}

void disk_file_close(struct disk *disk, int file)
{
    (void)disk;
    if (file < 0)
        return;
    file_of(file);
    if (sim.locked && file == sim.lock_handle)
        sim.locked = false;
    sim.handles[file - HANDLE_FIRST] = 0;
    collect_files();
}

int64_t disk_size(struct disk *disk, int file)
{
    (void)disk;
    return (int64_t)file_of(file)->cache.size;
}

int64_t disk_read(struct disk *disk, int handle, void *room, size_t size, uint64_t offset)
{
    (void)disk;
    int failed = strike(false);
    if (failed)
        return failed;
    struct file *file = file_of(handle);
    struct image direct = {0};
    const struct image *image = &file->cache;
    if (sim.direct[handle - HANDLE_FIRST]) {
        image_write(&direct, 0, file->medium.data ? file->medium.data : (const uint8_t *)"", file->medium.size);
        for (const struct write *write = file->first; write; write = write->next)
            apply_write(&direct, write);
        image = &direct;
    }
    size_t got = offset < image->size ? image->size - offset : 0;
    got = shorten(got < size ? got : size);
    if (got > 0)
        memcpy(room, image->data + offset, got);
    free(direct.data);
    return (int64_t)got;
}

int64_t disk_write(struct disk *disk, int handle, const void *data, size_t size, uint64_t offset)
{
    (void)disk;
    size = shorten(size);
    int failed = strike(true);
    struct file *file = file_of(handle);
    if (failed)
        size = disk_sim_random(size + 1); /* some of it may have been written */
    if (size > 0) {
        image_write(&file->cache, offset, data, size);
        remember_write(file, offset, data, size);
    }
    return failed ? failed : (int64_t)size;
}

int disk_sync(struct disk *disk, int handle)
{
    (void)disk;
    struct file *file = file_of(handle);
    int failed = strike(false);
    for (const struct write *write = file->first; write; write = write->next) {
        if (failed)
            settle_write(&file->medium, write); /* what is lost stays lost: the next sync has nothing to write */
        else
            apply_write(&file->medium, write);
    }
    if (!failed && file->shared)
        image_write(&file->medium, 0, file->cache.data, file->cache.size);
    forget_writes(file);
    return failed;
}

int disk_write_sync(struct disk *disk, int file, const void *data, size_t size, uint64_t offset)
{
    int result = disk_write_all(disk, file, data, size, offset);
    return result < 0 ? result : disk_sync(disk, file);
}

int disk_allocate(struct disk *disk, int file, uint64_t size)
{
    (void)disk;
    (void)file;
    (void)size;
    int failed = strike(true);
    return failed ? failed : -EOPNOTSUPP;
}

void disk_begin_read(struct disk *disk, enum disk_place place, int file, void *room, size_t size, uint64_t offset)
{
    disk->results[place] = disk_read_all(disk, file, room, size, offset);
}

void disk_begin_write(struct disk *disk, enum disk_place place, int file, const void *data, size_t size,
                      uint64_t offset)
{
    int result = disk_write_all(disk, file, data, size, offset);
    disk->results[place] = result < 0 ? result : (int64_t)size;
}

int64_t disk_end(struct disk *disk, enum disk_place place)
{
    int64_t result = disk->results[place];
    disk->results[place] = 0;
    return result;
}

int disk_truncate(struct disk *disk, int handle, uint64_t size)
{
    (void)disk;
    int failed = strike(false);
    if (failed)
        return failed;
    struct file *file = file_of(handle);
    image_resize(&file->cache, size);
    remember_write(file, size, NULL, 0);
    return 0;
}

int disk_rename(struct disk *disk, const char *from, const char *to)
{
    (void)disk;
    int failed = strike(false), at = names_find(&sim.now, from);
    if (failed)
        return failed;
    if (at < 0)
        return -ENOENT;
    unsigned file = sim.now.entries[at].file;
    names_drop(at);
    names_set(to, file);
    names_step();
    collect_files();
    return 0;
}

int disk_remove(struct disk *disk, const char *name)
{
    (void)disk;
    int failed = strike(false), at = names_find(&sim.now, name);
    if (failed)
        return failed;
    if (at < 0)
        return -ENOENT;
    names_drop(at);
    names_step();
    collect_files();
    return 0;
}

int disk_sync_directory(struct disk *disk)
{
    (void)disk;
    int failed = strike(false);
    if (failed)
        return failed;
    sim.steps[0] = sim.now;
    sim.step_count = 1;
    collect_files();
    return 0;
}

int disk_list(struct disk *disk, int (*visit)(void *context, const char *name), void *context)
{
    (void)disk;
    int result = strike(false);
    struct names names = sim.now;
    for (unsigned i = 0; i < names.count && result == 0; i++)
        result = visit(context, names.entries[i].name);
    return result;
}

int64_t disk_free_bytes(struct disk *disk)
{
    (void)disk;
    return 1 << 30;
}

int disk_lock(struct disk *disk, const char *name)
{
    if (sim.locked)
        return -EWOULDBLOCK;
    int handle = disk_file_open(disk, name, DISK_CREATE);
    if (handle < 0)
        return handle;
    sim.locked = true;
    return sim.lock_handle = handle;
}

void *disk_share(struct disk *disk, int handle, size_t size, bool writable)
{
    (void)disk;
    struct file *file = file_of(handle);
    assert(size <= file->cache.size);
    file->shared |= writable;
    return file->cache.data;
}

void disk_unshare(void *memory, size_t size)
{
    (void)memory;
    (void)size;
}

void disk_boot_id(uint8_t id[DISK_BOOT_ID_SIZE])
{
    memset(id, sim.boot + 1, DISK_BOOT_ID_SIZE);
}

/* Reads are answered when they are reaped, in an order of chance. */
struct disk_queue {
    unsigned depth;
    int file;
    uint8_t *rooms;
    unsigned waiting;
    struct {
        unsigned slot;
        int file; /* of the sim's table, so that a handle that is closed meanwhile does not matter */
        uint64_t offset;
    } reads[];
};

int disk_queue_open(unsigned depth, struct disk_queue **out)
{
    struct disk_queue *queue = calloc(1, sizeof(*queue) + depth * sizeof(queue->reads[0]));
    assert(queue);
    queue->depth = depth;
    queue->rooms = aligned_alloc(DISK_BLOCK_SIZE, (size_t)depth * DISK_BLOCK_SIZE);
    *out = queue;
    return 0;
}

int disk_queue_start(struct disk_queue *queue)
{
    (void)queue;
    return 0;
}

void disk_queue_close(struct disk_queue *queue)
{
    if (!queue)
        return;
    free(queue->rooms);
    free(queue);
}

int disk_queue_use(struct disk_queue *queue, int file)
{
    queue->file = file;
    return 0;
}

void *disk_queue_room(struct disk_queue *queue, unsigned slot)
{
    return queue->rooms + (size_t)slot * DISK_BLOCK_SIZE;
}

void disk_queue_put(struct disk_queue *queue, unsigned slot, uint64_t offset)
{
    queue->reads[queue->waiting].slot = slot;
    queue->reads[queue->waiting].file = queue->file;
    queue->reads[queue->waiting++].offset = offset;
}

int disk_queue_submit(struct disk_queue *queue)
{
    (void)queue;
    return 0;
}

unsigned disk_queue_reap(struct disk_queue *queue, struct disk_done done[], unsigned n)
{
    unsigned count = 0;
    while (count < n && queue->waiting > 0) {
        unsigned i = (unsigned)disk_sim_random(queue->waiting);
        int64_t result = disk_read(NULL, queue->reads[i].file, disk_queue_room(queue, queue->reads[i].slot),
                                   DISK_BLOCK_SIZE, queue->reads[i].offset);
        done[count++] = (struct disk_done){queue->reads[i].slot, (int)result};
        queue->reads[i] = queue->reads[--queue->waiting];
    }
    return count;
}
