/* Frames for tests: built field by field, so that any field can be made wrong afterwards. */
#pragma once

#include "dataplane/coap.h"
#include "dataplane/wire.h"

#define FRAME_NET 14 /* offset of the IP header in an untagged frame */
#define FRAME_UDP4 (FRAME_NET + 20)
#define FRAME_UDP6 (FRAME_NET + 40)

static const uint8_t frame_our_mac[6] = {2, 0, 0, 0, 0, 1}, frame_peer_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t frame_our_ip4[4] = {10, 77, 0, 1}, frame_peer_ip4[4] = {10, 77, 0, 11};
static const uint8_t frame_our_ip6[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t frame_peer_ip6[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11};

static inline size_t frame_ethernet(uint8_t *frame, uint16_t type)
{
    memcpy(frame, frame_our_mac, 6);
    memcpy(frame + 6, frame_peer_mac, 6);
    store_be16(frame + 12, type);
    return 14;
}

static inline void frame_ip4_checksum(uint8_t *frame)
{
    store_be16(frame + FRAME_NET + 10, 0);
    checksum_store(frame + FRAME_NET + 10, checksum_add(0, frame + FRAME_NET, 20));
}

static inline uint64_t frame_pseudo_sum(const uint8_t *addresses, size_t size, uint8_t protocol, size_t length)
{
    uint8_t tail[4] = {0, protocol, (uint8_t)(length >> 8), (uint8_t)length};
    return checksum_add(checksum_add(0, addresses, size), tail, 4);
}

/* IPv4 header and the packet behind it; returns the frame's length. */
static inline size_t frame_ip4(uint8_t *frame, uint8_t protocol, const uint8_t *packet, size_t length)
{
    uint8_t *ip = frame + frame_ethernet(frame, 0x0800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    store_be16(ip + 2, (uint16_t)(20 + length));
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, frame_peer_ip4, 4);
    memcpy(ip + 16, frame_our_ip4, 4);
    frame_ip4_checksum(frame);
    memcpy(ip + 20, packet, length);
    return FRAME_NET + 20 + length;
}

static inline size_t frame_ip6(uint8_t *frame, uint8_t next_header, const uint8_t *packet, size_t length)
{
    uint8_t *ip = frame + frame_ethernet(frame, 0x86dd);
    memset(ip, 0, 8);
    ip[0] = 0x60;
    store_be16(ip + 4, (uint16_t)length);
    ip[6] = next_header;
    ip[7] = 255;
    memcpy(ip + 8, frame_peer_ip6, 16);
    memcpy(ip + 24, frame_our_ip6, 16);
    memcpy(ip + 40, packet, length);
    return FRAME_NET + 40 + length;
}

static inline size_t frame_udp(uint8_t *datagram, const uint8_t *payload, size_t length)
{
    store_be16(datagram, 40000);
    store_be16(datagram + 2, COAP_PORT);
    store_be16(datagram + 4, (uint16_t)(8 + length));
    store_be16(datagram + 6, 0);
    memcpy(datagram + 8, payload, length);
    return 8 + length;
}

static inline size_t frame_udp4(uint8_t *frame, const uint8_t *payload, size_t length)
{
    uint8_t datagram[2048];
    size_t size = frame_udp(datagram, payload, length);
    size = frame_ip4(frame, 17, datagram, size);
    uint8_t *udp = frame + FRAME_UDP4;
    checksum_store(udp + 6, checksum_add(frame_pseudo_sum(frame + FRAME_NET + 12, 8, 17, 8 + length), udp, 8 + length));
    return size;
}

static inline size_t frame_udp6(uint8_t *frame, const uint8_t *payload, size_t length)
{
    uint8_t datagram[2048];
    size_t size = frame_udp(datagram, payload, length);
    size = frame_ip6(frame, 17, datagram, size);
    uint8_t *udp = frame + FRAME_UDP6;
    checksum_store(udp + 6, checksum_add(frame_pseudo_sum(frame + FRAME_NET + 8, 32, 17, 8 + length), udp, 8 + length));
    return size;
}

/* Puts a VLAN tag into an untagged frame; returns the new length. */
static inline size_t frame_tag(uint8_t *frame, size_t length, uint16_t vlan)
{
    memmove(frame + 16, frame + 12, length - 12);
    store_be16(frame + 12, 0x8100);
    store_be16(frame + 14, vlan);
    return length + 4;
}
