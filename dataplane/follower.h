/* The store thread's work: tails the log, builds the next generation and publishes it. */
#pragma once

#include "dataplane/config.h"
#include "dataplane/oscore.h"
#include "dataplane/publish.h"

struct follower;

/* Follows the store that the configuration names; it need not exist yet: follower_step tries again. `oscore` gets the
 * points' security contexts and `preparer` the keys whose tables are to be built; either may be NULL. NULL where memory
 * is out. */
struct follower *follower_new(const struct config *config, struct publisher *publisher, struct oscore *oscore,
                              struct key_preparer *preparer);
void follower_free(struct follower *follower);

struct follower_state {
    uint64_t sequence;        /* of the generation in force */
    uint64_t generations;     /* published since start */
    uint64_t records_refused; /* not in their form: the generation before stays in force for what they meant */
    bool reading;             /* the store is there and sound */
    struct store_info store;
    char error[256]; /* the last problem, or "" */
};

/* Reads what the log holds beyond the last step, up to a bound, and publishes. Returns true where there may be more at
 * once. */
bool follower_step(struct follower *follower);
/* As of the end of the last step. From any thread. */
void follower_state(struct follower *follower, struct follower_state *out);
