#include "keys/huge_memory.h"

#include <stdint.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static size_t round_up(size_t bytes)
{
    return (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

void *huge_memory_take(size_t bytes)
{
    size_t wanted = round_up(bytes), reserved = wanted + HUGE_PAGE;
    uint8_t *start = mmap(NULL, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    uint8_t *aligned = (uint8_t *)round_up((uintptr_t)start);
    if (aligned > start)
        munmap(start, (size_t)(aligned - start));
    if (aligned + wanted < start + reserved)
        munmap(aligned + wanted, (size_t)(start + reserved - (aligned + wanted)));
    (void)madvise(aligned, wanted, MADV_HUGEPAGE);
    return aligned;
}

void huge_memory_give(void *memory, size_t bytes)
{
    if (memory)
        munmap(memory, round_up(bytes));
}
