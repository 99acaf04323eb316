#include "tests/load/later.h"

#include <stdlib.h>

bool laters_open(struct laters *laters, uint32_t room)
{
    *laters = (struct laters){.heap = calloc(room ? room : 1, sizeof *laters->heap), .room = room};
    return laters->heap != NULL;
}

void laters_close(struct laters *laters)
{
    free(laters->heap);
    *laters = (struct laters){0};
}

bool laters_push(struct laters *laters, struct later item)
{
    if (laters->count == laters->room)
        return false;
    uint32_t at = laters->count++;
    while (at > 0 && laters->heap[(at - 1) / 2].due > item.due) {
        laters->heap[at] = laters->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    laters->heap[at] = item;
    return true;
}

struct later laters_pop(struct laters *laters)
{
    struct later first = laters->heap[0];
    struct later item = laters->heap[--laters->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= laters->count)
            break;
        if (child + 1 < laters->count && laters->heap[child + 1].due < laters->heap[child].due)
            child++;
        if (laters->heap[child].due >= item.due)
            break;
        laters->heap[at] = laters->heap[child];
        at = child;
    }
    laters->heap[at] = item;
    return first;
}
