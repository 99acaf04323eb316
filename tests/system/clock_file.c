/* The wall clock that cases_city.py sets: seconds since 1970 stand in a file of eight bytes, which CHENGMEN_CLOCK names
 * and both map. Linked in place of clock_real.c, so that the tables' dates can be asked over packets. The clock that
 * never goes back stays the real one. */
#include "dataplane/clock.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const _Atomic uint64_t *wall_s;

/* Before main, while files may still be opened. */
__attribute__((constructor)) static void map_clock(void)
{
    const char *path = getenv("CHENGMEN_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *wall_s, PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) {
        perror("CHENGMEN_CLOCK");
        exit(1);
    }
    close(file);
    wall_s = page;
}

uint64_t clock_wall_s(void)
{
    return atomic_load_explicit(wall_s, memory_order_relaxed);
}

uint64_t clock_wall_ns(void)
{
    return clock_wall_s() * 1000000000u;
}

uint64_t clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
