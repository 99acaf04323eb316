/* What the simulated disk is made of: shared by disk_sim.c, which does what a process asks for, and disk_sim_world.c,
 * which does what befalls it. */
#pragma once

#include "tests/simulator/disk_sim.h"

#define FILES_MAX 512
#define NAMES_MAX 128
#define NAME_STEPS_MAX 128
#define HANDLES_MAX 256
#define HANDLE_FIRST 1000 /* no handle of the simulator looks like one of the process */
#define SHARED_MIN DISK_BLOCK_SIZE

struct image {
    uint8_t *data;
    size_t size, room;
};

struct write {
    struct write *next;
    uint64_t offset; /* of data; or the new size where there is none */
    size_t size;
    uint8_t data[];
};

struct file {
    bool used;
    bool shared;                 /* processes write to the cache without a call */
    struct image cache;          /* what processes see */
    struct image medium;         /* what is synced */
    struct write *first, **last; /* written, not synced */
};

/* One state of the directory. */
struct names {
    unsigned count;
    struct {
        char name[DISK_NAME_MAX];
        unsigned file;
    } entries[NAMES_MAX];
};

struct world {
    uint64_t random;
    uint64_t operations;
    uint64_t crash_at, fail_at;
    jmp_buf *crash;
    enum disk_sim_fault fault;
    bool lasting;
    unsigned short_one_in;
    uint8_t boot;
    struct file files[FILES_MAX];
    unsigned handles[HANDLES_MAX]; /* file + 1; 0: free */
    bool direct[HANDLES_MAX];
    bool locked;
    int lock_handle;
    struct names now;
    struct names *steps; /* states since the last sync of the directory, oldest first; steps[0] is durable */
    unsigned step_count;
    bool exists;
};
extern struct world sim;

void image_resize(struct image *image, size_t size);
void image_write(struct image *image, uint64_t offset, const void *data, size_t size);
/* Brings a write to an image; settle_write by chance: all, nothing, or some sectors. */
void apply_write(struct image *image, const struct write *write);
void settle_write(struct image *medium, const struct write *write);
void remember_write(struct file *file, uint64_t offset, const void *data, size_t size);
void forget_writes(struct file *file);

unsigned file_new(void);
void collect_files(void);
int names_find(const struct names *names, const char *name);
void names_set(const char *name, unsigned file);
void names_drop(int at);
/* Notes that the directory changed since its last sync. */
void names_step(void);
