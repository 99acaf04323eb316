/* What a worker counts. One writer, the worker; telemetry reads at any time and may see a burst half counted. They
 * balance: received = the sum of `ended` + under way (parked). */
#pragma once

#include "dataplane/reasons.h"

struct counters {
    uint64_t received;
    uint64_t ended[REASON_LIMIT];
    uint64_t verdicts[VERDICT_COUNT];
    uint64_t sent;
    uint64_t send_failed;    /* answers that the port did not take */
    uint64_t protect_failed; /* answers whose security context went away meanwhile */
    uint64_t parked;         /* ever */
    uint64_t parked_now;
    uint64_t replay_forgotten; /* codes that could still have been shown and are not remembered any more */
    uint64_t bursts;           /* with at least one frame */
};

static inline void count(uint64_t *counter, uint64_t more)
{
    __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

static inline uint64_t counted(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}
