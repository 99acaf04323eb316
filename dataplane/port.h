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
    FRAME_PARTIAL = 16,       /* only the first part is in `data` */
    FRAME_UDP4_CHECKSUM = 32, /* reply: the port makes the UDP checksum; the pseudo header's sum stands in its place */
    FRAME_UDP6_CHECKSUM = 64,
};

struct frame {
    uint8_t *data;   /* Ethernet header first, VLAN tag in place */
    uint16_t length; /* bytes of the frame; the reply's length before it is sent */
    uint16_t room;   /* bytes that fit at `data` */
    uint32_t flags;
    uint8_t link_size; /* reply with FRAME_UDP*_CHECKSUM: bytes of the Ethernet and of the IP header */
    uint8_t network_size;
    void *buffer; /* the port's own */
};

struct port;

/* Up to n frames from the worker's own queue. Never waits. */
unsigned port_receive(struct port *port, unsigned queue, struct frame frames[], unsigned n);
/* Sends n frames from the worker's queue. What the port cannot take is freed and counted by the return value: the
 * number sent. */
unsigned port_send(struct port *port, unsigned queue, struct frame frames[], unsigned n);
void port_free(struct port *port, struct frame frames[], unsigned n);
const uint8_t *port_mac(const struct port *port);
/* Whether the port makes UDP checksums of frames flagged FRAME_UDP4_CHECKSUM or FRAME_UDP6_CHECKSUM. */
bool port_makes_checksums(const struct port *port);
