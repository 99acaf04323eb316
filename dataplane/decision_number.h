/* A decision's number (response label 9) says when and where it was made: from the top the second since 1970, a count
 * that begins anew with it, the worker. A worker that counts further within one second takes from the next one's
 * numbers, and so does one whose clock goes back. One that starts counts from where the second is, so that what was
 * given before in it, fewer than 2^23 a second, is not given again: no number is given twice. */
#pragma once

#include "dataplane/config.h"

#define DECISION_WORKER_BITS 5
#define DECISION_COUNT_BITS 23
static_assert(CONFIG_WORKERS_MAX <= 1 << DECISION_WORKER_BITS, "a worker's number fits");

/* The first count of a second. */
static inline uint64_t decision_count_of(uint64_t now_s)
{
    return now_s << DECISION_COUNT_BITS;
}

/* The count that a worker begins with at that time. */
static inline uint64_t decision_count_at(uint64_t now_ns)
{
    return decision_count_of(now_ns / 1000000000) + ((now_ns % 1000000000) << DECISION_COUNT_BITS) / 1000000000;
}

static inline uint64_t decision_number(uint64_t count, unsigned worker)
{
    return count << DECISION_WORKER_BITS | worker;
}

static inline uint64_t decision_second(uint64_t number)
{
    return number >> (DECISION_WORKER_BITS + DECISION_COUNT_BITS);
}

static inline unsigned decision_worker(uint64_t number)
{
    return number & ((1u << DECISION_WORKER_BITS) - 1);
}
