#include "keys/secret_memory.h"

#include <sodium.h>
#include <sys/mman.h>

void *secret_memory_take(size_t size, _Bool *locked)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (madvise(memory, size, MADV_DONTDUMP) != 0 || madvise(memory, size, MADV_WIPEONFORK) != 0) {
        munmap(memory, size);
        return NULL;
    }
    _Bool held = mlock(memory, size) == 0;
    if (locked)
        *locked = held;
    return memory;
}

void secret_memory_give(void *memory, size_t size)
{
    if (!memory)
        return;
    sodium_memzero(memory, size);
    munmap(memory, size);
}
