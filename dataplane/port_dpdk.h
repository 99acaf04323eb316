/* Ports through DPDK's ethdev. */
#pragma once

#include <stddef.h>

#include "dataplane/port.h"

/* Buffers for `ports` ports with `queues` queues each: rings, bursts and parked requests. False: `error` has one line.
 */
bool port_dpdk_buffers(unsigned ports, unsigned queues, char *error, size_t error_size);
/* Opens and starts a device that EAL has probed, by its name without arguments. NULL: `error` has one line. */
struct port *port_dpdk_open(const char *name, unsigned queues, char *error, size_t error_size);
void port_dpdk_close(struct port *port);
/* Buffers in use, of all; for telemetry and for tests that look for leaks. */
void port_dpdk_buffer_use(unsigned *used, unsigned *total);
