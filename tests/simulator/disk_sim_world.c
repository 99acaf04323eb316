#include "tests/simulator/disk_sim_world.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

struct world sim;

uint64_t disk_sim_random(uint64_t below)
{
    /* SplitMix64. */
    uint64_t x = sim.random += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return below ? x % below : x;
}

static void image_room(struct image *image, size_t size)
{
    if (size > image->room) {
        size_t room = image->room * 2 > size ? image->room * 2 : size < SHARED_MIN ? SHARED_MIN : size;
        image->data = realloc(image->data, room);
        assert(image->data);
        image->room = room;
    }
}

void image_resize(struct image *image, size_t size)
{
    image_room(image, size);
    if (size > image->size)
        memset(image->data + image->size, 0, size - image->size);
    image->size = size;
}

void image_write(struct image *image, uint64_t offset, const void *data, size_t size)
{
    if (size == 0) /* an empty file has no memory to write to */
        return;
    if (offset + size > image->size)
        image_resize(image, offset + size);
    memcpy(image->data + offset, data, size);
}

void apply_write(struct image *image, const struct write *write)
{
    if (write->size > 0)
        image_write(image, write->offset, write->data, write->size);
    else
        image_resize(image, write->offset);
}

void forget_writes(struct file *file)
{
    while (file->first) {
        struct write *write = file->first;
        file->first = write->next;
        free(write);
    }
    file->last = &file->first;
}

void remember_write(struct file *file, uint64_t offset, const void *data, size_t size)
{
    struct write *write = malloc(sizeof(*write) + size);
    assert(write);
    *write = (struct write){.offset = offset, .size = size};
    if (size > 0)
        memcpy(write->data, data, size);
    *file->last = write;
    file->last = &write->next;
}

unsigned file_new(void)
{
    for (unsigned i = 0; i < FILES_MAX; i++) {
        struct file *file = &sim.files[i];
        if (!file->used) {
            file->used = true;
            file->cache.size = file->medium.size = 0;
            file->first = NULL;
            file->last = &file->first;
            return i;
        }
    }
    abort();
}

/* Files that no name and no handle leads to are free again. */
void collect_files(void)
{
    static bool reached[FILES_MAX];
    memset(reached, 0, sizeof(reached));
    for (unsigned i = 0; i < sim.now.count; i++)
        reached[sim.now.entries[i].file] = true;
    for (unsigned s = 0; s < sim.step_count; s++)
        for (unsigned i = 0; i < sim.steps[s].count; i++)
            reached[sim.steps[s].entries[i].file] = true;
    for (unsigned i = 0; i < HANDLES_MAX; i++)
        if (sim.handles[i])
            reached[sim.handles[i] - 1] = true;
    for (unsigned i = 0; i < FILES_MAX; i++) {
        struct file *file = &sim.files[i];
        if (!file->used || reached[i])
            continue;
        forget_writes(file);
        free(file->cache.data);
        free(file->medium.data);
        memset(file, 0, sizeof(*file));
    }
}

int names_find(const struct names *names, const char *name)
{
    for (unsigned i = 0; i < names->count; i++)
        if (strcmp(names->entries[i].name, name) == 0)
            return (int)i;
    return -1;
}

void names_step(void)
{
    if (sim.step_count == NAME_STEPS_MAX) { /* the system wrote some by itself */
        memmove(sim.steps, sim.steps + 1, (NAME_STEPS_MAX - 1) * sizeof(*sim.steps));
        sim.step_count--;
    }
    sim.steps[sim.step_count++] = sim.now;
}

void names_set(const char *name, unsigned file)
{
    int at = names_find(&sim.now, name);
    if (at < 0) {
        assert(sim.now.count < NAMES_MAX);
        at = (int)sim.now.count++;
        snprintf(sim.now.entries[at].name, DISK_NAME_MAX, "%s", name);
    }
    sim.now.entries[at].file = file;
}

void names_drop(int at)
{
    sim.now.entries[at] = sim.now.entries[--sim.now.count];
}

void disk_sim_create(uint64_t seed)
{
    disk_sim_destroy();
    sim.random = seed * 0x9e3779b97f4a7c15u + 1;
    sim.steps = calloc(NAME_STEPS_MAX, sizeof(*sim.steps));
    assert(sim.steps);
    sim.step_count = 1;
    sim.exists = true;
}

void disk_sim_destroy(void)
{
    if (!sim.exists)
        return;
    memset(sim.handles, 0, sizeof(sim.handles));
    sim.now.count = 0;
    sim.step_count = 0;
    collect_files();
    free(sim.steps);
    memset(&sim, 0, sizeof(sim));
}

uint64_t disk_sim_operations(void)
{
    return sim.operations;
}

void disk_sim_crash_at(uint64_t at, jmp_buf *where)
{
    sim.crash_at = at;
    sim.crash = where;
}

void disk_sim_fail_at(uint64_t at, enum disk_sim_fault fault, bool lasting)
{
    sim.fail_at = at;
    sim.fault = fault;
    sim.lasting = lasting;
}

void disk_sim_heal(void)
{
    sim.fail_at = 0;
}

void disk_sim_short(unsigned one_in)
{
    sim.short_one_in = one_in;
}

void disk_sim_after_kill(void)
{
    sim.crash_at = 0;
    memset(sim.handles, 0, sizeof(sim.handles));
    sim.locked = false;
    collect_files();
}

/* What the medium has of a write that was not synced. */
void settle_write(struct image *medium, const struct write *write)
{
    switch (disk_sim_random(3)) {
    case 0:
        apply_write(medium, write);
        break;
    case 1:
        break;
    default:
        for (size_t at = 0; at < write->size;) {
            uint64_t next = ((write->offset + at) / DISK_SIM_SECTOR + 1) * DISK_SIM_SECTOR - write->offset;
            size_t end = next < write->size ? (size_t)next : write->size;
            if (disk_sim_random(2))
                image_write(medium, write->offset + at, write->data + at, end - at);
            at = end;
        }
    }
}

void disk_sim_after_power_loss(void)
{
    for (unsigned i = 0; i < FILES_MAX; i++) {
        struct file *file = &sim.files[i];
        if (!file->used)
            continue;
        for (const struct write *write = file->first; write; write = write->next)
            settle_write(&file->medium, write);
        forget_writes(file);
        if (file->shared && disk_sim_random(2))
            image_write(&file->medium, 0, file->cache.data, file->cache.size);
        file->cache.size = 0;
        image_write(&file->cache, 0, file->medium.data ? file->medium.data : (const uint8_t *)"", file->medium.size);
    }
    names_step();
    sim.now = sim.steps[disk_sim_random(sim.step_count)];
    sim.steps[0] = sim.now;
    sim.step_count = 1;
    sim.boot++;
    disk_sim_after_kill();
}

bool disk_sim_flip(const char *name, uint64_t offset, uint8_t bits)
{
    int at = names_find(&sim.now, name);
    struct file *file = at < 0 ? NULL : &sim.files[sim.now.entries[at].file];
    if (!file || offset >= file->medium.size)
        return false;
    file->medium.data[offset] ^= bits;
    image_write(&file->cache, offset, &file->medium.data[offset], 1);
    return true;
}

bool disk_sim_misdirect(const char *from, uint64_t from_block, const char *to, uint64_t to_block)
{
    int a = names_find(&sim.now, from), b = names_find(&sim.now, to);
    if (a < 0 || b < 0)
        return false;
    struct file *source = &sim.files[sim.now.entries[a].file], *target = &sim.files[sim.now.entries[b].file];
    uint64_t read = from_block * DISK_BLOCK_SIZE, write = to_block * DISK_BLOCK_SIZE;
    if (read + DISK_BLOCK_SIZE > source->medium.size || write + DISK_BLOCK_SIZE > target->medium.size)
        return false;
    uint8_t block[DISK_BLOCK_SIZE];
    memcpy(block, source->medium.data + read, sizeof(block));
    image_write(&target->medium, write, block, sizeof(block));
    image_write(&target->cache, write, block, sizeof(block));
    return true;
}

bool disk_sim_choose(const char *prefix, char name[DISK_NAME_MAX], uint64_t *size)
{
    unsigned seen = 0;
    for (unsigned i = 0; i < sim.now.count; i++) {
        if (strncmp(sim.now.entries[i].name, prefix, strlen(prefix)) != 0 || disk_sim_random(++seen) > 0)
            continue;
        memcpy(name, sim.now.entries[i].name, DISK_NAME_MAX);
        *size = sim.files[sim.now.entries[i].file].medium.size;
    }
    return seen > 0;
}

bool disk_sim_lose(const char *name, uint64_t block)
{
    int at = names_find(&sim.now, name);
    struct file *file = at < 0 ? NULL : &sim.files[sim.now.entries[at].file];
    uint64_t offset = block * DISK_BLOCK_SIZE;
    if (!file || offset >= file->medium.size)
        return false;
    size_t size = file->medium.size - offset < DISK_BLOCK_SIZE ? file->medium.size - offset : DISK_BLOCK_SIZE;
    memset(file->medium.data + offset, 0, size);
    memset(file->cache.data + offset, 0, size);
    return true;
}

void disk_sim_put(const char *name, const void *content, size_t size)
{
    if (names_find(&sim.now, name) < 0)
        names_set(name, file_new());
    struct file *file = &sim.files[sim.now.entries[names_find(&sim.now, name)].file];
    file->cache.size = file->medium.size = 0;
    image_write(&file->cache, 0, content, size);
    image_write(&file->medium, 0, content, size);
    sim.steps[0] = sim.now;
    sim.step_count = 1;
}

static const char *chance_name(void)
{
    return "simulated";
}

static uint32_t chance(void)
{
    return (uint32_t)disk_sim_random(0);
}

static void chance_fill(void *room, size_t size)
{
    for (uint8_t *byte = room; size > 0; size--)
        *byte++ = (uint8_t)disk_sim_random(0);
}

static struct randombytes_implementation chances = {
    .implementation_name = chance_name, .random = chance, .buf = chance_fill};

void disk_sim_seed_randombytes(void)
{
    randombytes_set_implementation(&chances);
}
