/* A worker: one core's loop from receive burst to send burst, run to completion. Everything it needs it has before its
 * first step. */
#pragma once

#include "dataplane/admit.h"
#include "dataplane/answers.h"
#include "dataplane/backlog.h"
#include "dataplane/counters.h"
#include "dataplane/judge.h"
#include "dataplane/net.h"
#include "dataplane/overload.h"
#include "dataplane/park.h"
#include "dataplane/publish.h"
#include "keys/lookup.h"

struct worker {
    unsigned number;
    unsigned queue;
    uint32_t port_count;
    struct port *ports[CONFIG_PORTS_MAX];
    struct net nets[CONFIG_PORTS_MAX];
    struct publisher *publisher;
    struct answers *answers;
    struct oscore_worker *oscore;
    struct admit *admit;
    struct overload overload;
    struct backlog *backlogs[CONFIG_PORTS_MAX];
    uint64_t deadline_ns;
    struct lookup *lookup;
    struct park *park;
    struct counters counters;
    struct judge judge;
    uint64_t next_decision;
    uint16_t next_message_id;
    uint32_t ruleset_version; /* of this burst's generation */
    struct request requests[BURST_MAX];
    uint8_t plaintexts[BURST_MAX][ANSWER_PLAINTEXT_MAX + OSCORE_TAG_MAX];
};

/* What a worker is made of. It outlives the worker. */
struct worker_terms {
    unsigned number;
    unsigned queue;
    const struct config *config;
    struct port *const *ports;
    struct publisher *publisher;
    struct answers *answers;
    struct oscore_worker *oscore; /* NULL: nobody has a security context */
    struct admit *admit;          /* of all workers */
    struct replay *replay;        /* of all workers */
    struct lookup *lookup;
    struct park *park;
    struct backlog *const
        *backlogs; /* one a port; NULL: the receive queues alone hold what waits, nothing is dropped */
};
void worker_init(struct worker *worker, const struct worker_terms *terms);

/* On the worker's own thread, before its first step. False where its ring cannot be started. */
bool worker_start_thread(struct worker *worker);

/* One turn: what the store has answered, then each port's queue once. Returns the number of frames that were received.
 */
unsigned worker_step(struct worker *worker);
