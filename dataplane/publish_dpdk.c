#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "dataplane/publish.h"

struct publisher {
    struct generation *current;
    struct rte_rcu_qsbr *readers;
};

struct publisher *publisher_new(unsigned readers)
{
    struct publisher *p = rte_zmalloc("publisher", sizeof *p, RTE_CACHE_LINE_SIZE);
    if (!p)
        return NULL;
    p->readers = rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(readers), RTE_CACHE_LINE_SIZE);
    if (!p->readers || rte_rcu_qsbr_init(p->readers, readers) != 0) {
        publisher_free(p);
        return NULL;
    }
    return p;
}

void publisher_free(struct publisher *p)
{
    if (p->current)
        generation_free(p->current);
    rte_free(p->readers);
    rte_free(p);
}

void publisher_swap(struct publisher *p, struct generation *next)
{
    /* Release: a worker that sees the pointer sees all of what it points to. */
    struct generation *before = __atomic_exchange_n(&p->current, next, __ATOMIC_ACQ_REL);
    rte_rcu_qsbr_synchronize(p->readers, RTE_QSBR_THRID_INVALID);
    if (before)
        generation_free(before);
}

void publisher_enter(struct publisher *p, unsigned reader)
{
    rte_rcu_qsbr_thread_register(p->readers, reader);
    rte_rcu_qsbr_thread_online(p->readers, reader);
}

void publisher_leave(struct publisher *p, unsigned reader)
{
    rte_rcu_qsbr_thread_offline(p->readers, reader);
    rte_rcu_qsbr_thread_unregister(p->readers, reader);
}

const struct generation *publisher_read(const struct publisher *p)
{
    return __atomic_load_n(&p->current, __ATOMIC_ACQUIRE);
}

void publisher_quiescent(struct publisher *p, unsigned reader)
{
    rte_rcu_qsbr_quiescent(p->readers, reader);
}
