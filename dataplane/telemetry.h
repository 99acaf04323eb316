/* The dataplane's numbers through DPDK's telemetry socket: /chengmen/counters, /chengmen/info. */
#pragma once

#include "dataplane/follower.h"
#include "dataplane/worker.h"

/* Registers the commands. What it is given is read for as long as the process lives. */
void telemetry_start(struct worker *const workers[], unsigned worker_count, struct follower *follower);

/* Lets the group of `user` connect: DPDK makes its socket for root alone, and control is not root. Before the process
 * becomes that user; "" shares with nobody. False with one line in `error`. */
bool telemetry_share(const char *user, char *error, size_t error_size);
