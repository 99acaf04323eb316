/* Packets, behind a seam: port_dpdk.c, or the simulator's port_sim.c. A frame is one Ethernet frame in one buffer that
 * the port owns; a worker that received it must send it or free it exactly once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum frame_flags {
    FRAME_IP_CHECKSUM_GOOD = 1, /* the port verified it: need not be computed */
    FRAME_UDP_CHECKSUM_GOOD = 2,
    FRAME_IP_CHECKSUM_BAD = 4,
    FRAME_UDP_CHECKSUM_BAD = 8,
    FRAME_SEGMENTED = 16, /* only the first part is in `data` */
};

struct frame {
    uint8_t *data;   /* Ethernet header first, VLAN tag in place */
    uint16_t length; /* bytes of the frame; the reply's length before it is sent */
    uint16_t room;   /* bytes that fit at `data` */
    uint32_t flags;
    void *buffer; /* the port's own */
};

struct port;

/* Up to n frames from the worker's own queue. Never waits. */
unsigned port_receive(struct port *port, unsigned queue, struct frame frames[], unsigned n);
/* Sends n frames from the worker's queue. What the port cannot take is freed and counted by the return value: the
 * number sent. Checksums are in the frames already, unless port_checksums_udp says that the port makes them. */
unsigned port_send(struct port *port, unsigned queue, struct frame frames[], unsigned n);
void port_free(struct port *port, struct frame frames[], unsigned n);
const uint8_t *port_mac(const struct port *port);
