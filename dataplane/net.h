/* Ethernet, ARP, IP, ICMP and UDP as far as a server needs them that answers where the question came from: no routes,
 * no neighbour cache, no fragments. Each function takes one frame's request, and either passes it on (REASON_NONE), or
 * ends it; an ending of kind LINK has written its answer into the frame. */
#pragma once

#include "dataplane/config.h"
#include "dataplane/request.h"

/* What the frames of one port are held against. Immutable after start. */
struct net {
    uint8_t mac[6];
    bool port_checksums; /* UDP checksums of replies are left to the port */
    uint16_t coap_port;
    uint32_t address_count;
    struct config_address addresses[CONFIG_ADDRESSES_MAX]; /* those of this port */
    uint32_t trusted_count;
    struct config_prefix trusted[CONFIG_TRUSTED_MAX];
};

void net_init(struct net *net, const struct config *config, unsigned port, const uint8_t mac[6], bool port_checksums);

/* Ethernet header and VLAN tag, then what is inside. After REASON_NONE the request is a UDP datagram to an address and
 * the CoAP port of ours: `datagram`, `source` and `trusted` are set. */
enum reason ethernet_receive(const struct net *net, struct request *r);

/* The layers below, called by ethernet.c and ip.c. */
enum reason arp_receive(const struct net *net, struct request *r);
enum reason ip4_receive(const struct net *net, struct request *r);
enum reason ip6_receive(const struct net *net, struct request *r);
enum reason icmp4_receive(struct request *r, uint8_t *packet, size_t length);
enum reason icmp6_receive(const struct net *net, struct request *r, uint8_t *packet, size_t length);
enum reason udp_receive(const struct net *net, struct request *r, uint8_t *packet, size_t length);

/* Whether `address` is ours on the VLAN that the frame came in on. */
bool net_owns(const struct net *net, const struct request *r, unsigned family, const uint8_t *address);
bool net_trusts(const struct net *net, const struct endpoint *source);

/* Turn the frame into its answer: to where it came from, `payload` bytes behind the header concerned. */
void ethernet_reply(const struct net *net, struct request *r, size_t length);
void ip_reply(struct request *r, size_t length);
void udp_reply(const struct net *net, struct request *r, size_t length);

/* The sum of the pseudo header (RFC 768, RFC 8200 section 8.1) of the request's packet. */
uint64_t pseudo_header_sum(const struct request *r, unsigned protocol, size_t length);
