/* The replay window of one context (RFC 8613 section 7.4) in one word, so that workers share it by compare-and-swap:
 * above, the number after the highest that was received; below, a bit for each of the 32 numbers up to the highest,
 * lowest bit the highest. 0 is the window of a context that has received nothing since the start: before a challenge is
 * met, no number is known to be fresh. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define OSCORE_WINDOW_SIZE 32
/* Numbers from here on are not taken: the point's context has to be replaced first. */
#define OSCORE_WINDOW_LIMIT UINT64_C(0xffffffff)
#define OSCORE_WINDOW_UNSYNCHRONISED UINT64_C(0)

static inline bool window_is_fresh(uint64_t window, uint64_t sequence)
{
    uint64_t next = window >> 32;
    if (sequence >= next)
        return true;
    uint64_t behind = next - 1 - sequence;
    return behind < OSCORE_WINDOW_SIZE && !(window >> behind & 1);
}

/* The window after `sequence`, which is fresh and below OSCORE_WINDOW_LIMIT. */
static inline uint64_t window_after(uint64_t window, uint64_t sequence)
{
    uint64_t next = window >> 32, bits = window & UINT32_MAX;
    if (sequence < next)
        return window | UINT64_C(1) << (next - 1 - sequence);
    uint64_t ahead = sequence + 1 - next;
    bits = ahead < OSCORE_WINDOW_SIZE ? bits << ahead & UINT32_MAX : 0;
    return (sequence + 1) << 32 | bits | 1;
}

/* The window of a context whose challenge was met by `sequence`: nothing up to it is fresh (appendix B.1.2). */
static inline uint64_t window_synchronised(uint64_t sequence)
{
    return (sequence + 1) << 32 | UINT32_MAX;
}
