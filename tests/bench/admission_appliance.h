/* The appliance that bench_admission asks: one worker on a core of its own, with a store made for the load's profile,
 * security contexts, and the overload control that production has. */
#pragma once

#include "dataplane/admit.h"
#include "dataplane/counters.h"
#include "keys/point.h"

#define APPLIANCE_ADDRESS 0x0a000001u /* 10.0.0.1 */
#define APPLIANCE_POINTS 0x0a400001u  /* 10.64.0.1: the first point's address, in the trusted prefix 10.64.0.0/10 */
#define APPLIANCE_CONTEXTS 64

struct appliance_options {
    const char *store;  /* a directory made by store_make */
    const char *device; /* DPDK's name of the port */
    unsigned core;      /* the n-th core behind main's */
    bool sheds;         /* has a backlog: under overload frames are dropped unheard */
    struct meter_rate venue, failure, failure_all;
};

struct appliance;
/* NULL: `error` has one line. The environment is started. */
struct appliance *appliance_start(const struct appliance_options *options, char *error, size_t error_size);
const uint8_t *appliance_mac(const struct appliance *appliance);
/* Of the worker; read with counted(). */
const struct counters *appliance_counters(const struct appliance *appliance);
/* The context of point n, 0 … APPLIANCE_CONTEXTS - 1, with AES-CCM. Each takes requests from number 2 on. */
struct point appliance_point(uint32_t n);
void appliance_stop(struct appliance *appliance);
