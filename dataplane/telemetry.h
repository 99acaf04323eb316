/* The dataplane's numbers through DPDK's telemetry socket: /chengmen/counters, /chengmen/info. */
#pragma once

#include "dataplane/follower.h"
#include "dataplane/worker.h"

/* Registers the commands. What it is given is read for as long as the process lives. */
void telemetry_start(struct worker *const workers[], unsigned worker_count, struct follower *follower);
