/* Generations change hands here: one pointer, swapped by the store thread, read by the workers (publish_dpdk.c with
 * rte_rcu_qsbr, or the simulator's). Unpublish, wait, free: the old one is freed when every worker has passed a
 * quiescent state. */
#pragma once

#include "dataplane/generation.h"

struct publisher;

/* `readers` workers, numbered from 0. NULL where memory is out. Nothing is published yet. */
struct publisher *publisher_new(unsigned readers);
void publisher_free(struct publisher *publisher);

/* Store thread: swaps `next` in, waits until no worker can hold the one before, and frees that. */
void publisher_swap(struct publisher *publisher, struct generation *next);

/* Worker: registers before its first read, reports after each burst that it holds nothing, leaves at its end. */
void publisher_enter(struct publisher *publisher, unsigned reader);
void publisher_leave(struct publisher *publisher, unsigned reader);
/* NULL before the first generation. Valid until the same worker's next publisher_quiescent. */
const struct generation *publisher_read(const struct publisher *publisher);
void publisher_quiescent(struct publisher *publisher, unsigned reader);
