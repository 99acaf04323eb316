/* Generations in one thread: whoever swaps knows that nobody reads. */
#include <stdlib.h>

#include "dataplane/publish.h"

struct publisher {
    struct generation *current;
};

struct publisher *publisher_new(unsigned readers)
{
    (void)readers;
    return calloc(1, sizeof(struct publisher));
}

void publisher_free(struct publisher *p)
{
    if (p->current)
        generation_free(p->current);
    free(p);
}

void publisher_swap(struct publisher *p, struct generation *next)
{
    if (p->current)
        generation_free(p->current);
    p->current = next;
}

void publisher_enter(struct publisher *p, unsigned reader)
{
    (void)p;
    (void)reader;
}

void publisher_leave(struct publisher *p, unsigned reader)
{
    (void)p;
    (void)reader;
}

const struct generation *publisher_read(const struct publisher *p)
{
    return p->current;
}

void publisher_quiescent(struct publisher *p, unsigned reader)
{
    (void)p;
    (void)reader;
}
