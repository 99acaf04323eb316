/* Fetching ahead what a burst will read, so that it waits for memory once and not for each of its members. */
#pragma once

/* gcc 12 takes a function that only prefetches for one without effect, and drops the calls of it as soon as it
 * sees the body; the empty statement is an effect. */
static inline void prefetch(const void *address)
{
    __builtin_prefetch(address);
    __asm__ volatile("");
}

static inline void prefetch_to_write(const void *address)
{
    __builtin_prefetch(address, 1);
    __asm__ volatile("");
}
