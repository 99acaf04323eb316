/* The dataplane's numbers, asked over DPDK's telemetry socket (a Unix SOCK_SEQPACKET one: a banner on connecting, then
 * one packet a command and one an answer). */
#pragma once

#include "control/json.h"

/* Each is the object behind the command, or NULL where the dataplane did not answer. */
struct telemetry {
    cJSON *counters; /* /chengmen/counters: frames by the name of the reason they ended with, and sums */
    cJSON *verdicts; /* /chengmen/verdicts */
    cJSON *info;     /* /chengmen/info: engine, generation, store, buffers */
};

/* Asks now; takes at most half a second. Returns false where the dataplane cannot be reached. */
bool telemetry_read(const char *path, struct telemetry *out);
void telemetry_free(struct telemetry *telemetry);
