/* Frames between many points and one target: Ethernet, IPv4, UDP, and ARP for both sides. The generator stands where a
 * router would: all points' frames come from its hardware address, and it answers ARP for every point.
 *
 * A link sends to one address and one port, given when it is opened; there is no way to change them. */
#pragma once

#include "tests/load/answer.h"

#define LINK_HEADERS_SIZE 42 /* Ethernet 14, IPv4 20, UDP 8 */
#define LINK_ARP_SIZE 42
#define LINK_PORTS 64
#define LINK_PORT_FIRST 49152 /* a point's ports: this one and the next LINK_PORTS - 1 */
#define LINK_MESSAGE_MAX 1400

struct link {
    uint8_t mac[6];
    uint8_t target_mac[6];
    uint32_t target; /* addresses in host order */
    uint32_t first;  /* address of point 0; point i has first + i */
    uint32_t points;
    uint16_t target_port;
    uint8_t headers[LINK_HEADERS_SIZE]; /* of a frame of point 0 without lengths and checksums */
    uint32_t udp_sum;                   /* of what all frames' pseudo headers share */
    uint32_t ip_sum;
};

/* False where target or points may not be used: target not unicast, or points beyond the end of the address space or
 * covering the target. `error` gets one line. The target's hardware address comes later (link_set_target_mac). */
bool link_open(struct link *link, const uint8_t mac[6], uint32_t target, uint16_t target_port, uint32_t first,
               uint32_t points, char *error, size_t error_size);
void link_set_target_mac(struct link *link, const uint8_t mac[6]);

/* The sum of 16-bit words that Internet checksums are made of (RFC 1071), in memory order. */
uint64_t link_sum(const uint8_t *data, size_t length);
uint16_t link_fold(uint64_t sum);

/* Fields of a message that differ from one sending to the next. */
struct link_message {
    const uint8_t *data; /* CoAP message with zeros in those fields */
    uint16_t length;
    uint16_t sum;    /* link_sum of data, folded */
    uint16_t id_at;  /* where the request map's 4-byte id stands; 0: nowhere */
    bool token_free; /* the message has a token of TOKEN_SIZE to fill in */
    uint16_t message_id;
    struct token token;
    uint32_t id;
};

static inline uint32_t message_request_id(uint32_t sequence)
{
    return sequence | 0x80000000u; /* CBOR's shortest form is always the long one then */
}

/* Writes the whole frame to `out`, which has room for LINK_HEADERS_SIZE + message->length bytes; returns its length. */
uint16_t link_write(const struct link *link, uint32_t point, uint16_t port, const struct link_message *message,
                    uint8_t *out);

/* The same for a message that stands already where it belongs, LINK_HEADERS_SIZE bytes into `out`. */
uint16_t link_wrap(const struct link *link, uint32_t point, uint16_t port, uint16_t length, uint8_t *out);

enum link_kind {
    LINK_ANSWER,       /* from the target's address and port to one of our points: see the fields */
    LINK_ARP_REQUEST,  /* for a point's address: link_arp_answer */
    LINK_ARP_REPLY,    /* of the target */
    LINK_CHECKSUM_BAD, /* the target's, but IPv4 or UDP checksum or length is wrong */
    LINK_UNREACHABLE,  /* ICMP: the target or its port does not exist */
    LINK_OTHER,        /* not for us */
};

struct link_answer {
    uint32_t point;
    uint16_t port; /* offset from LINK_PORT_FIRST */
    struct bytes message;
};

enum link_kind link_read(const struct link *link, const uint8_t *frame, size_t length, struct link_answer *out);
/* Writes a request for the target's hardware address in the name of point 0; LINK_ARP_SIZE bytes. */
void link_arp_request(const struct link *link, uint8_t *out);
/* Turns a frame of kind LINK_ARP_REQUEST into its answer. */
void link_arp_answer(const struct link *link, uint8_t *frame);
/* The hardware address in a frame of kind LINK_ARP_REPLY. */
const uint8_t *link_arp_mac(const uint8_t *frame);
