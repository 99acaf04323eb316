/* IPv4 (RFC 791) and IPv6 (RFC 8200) packets to our addresses. What can hide or delay work is refused: fragments,
 * options, extension headers. */
#include "dataplane/net.h"
#include "dataplane/wire.h"

#define IP4_SIZE 20
#define IP6_SIZE 40
#define HOP_LIMIT 64
#define PROTOCOL_ICMP 1
#define PROTOCOL_UDP 17
#define PROTOCOL_IP6_HOP_OPTIONS 0
#define PROTOCOL_IP6_ROUTE 43
#define PROTOCOL_IP6_FRAGMENT 44
#define PROTOCOL_IP6_AUTHENTICATION 51
#define PROTOCOL_ICMP6 58
#define PROTOCOL_IP6_DESTINATION_OPTIONS 60

/* Zero, loopback, multicast, reserved, broadcast: no host to answer. */
static bool ip4_answerable(const uint8_t *address)
{
    return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

static bool ip6_is_unspecified(const uint8_t *address)
{
    static const uint8_t zero[16];
    return memcmp(address, zero, sizeof zero) == 0;
}

static bool ip6_answerable(const uint8_t *address)
{
    static const uint8_t loopback[16] = {[15] = 1};
    return address[0] != 0xff && !ip6_is_unspecified(address) && memcmp(address, loopback, sizeof loopback) != 0;
}

enum reason ip4_receive(const struct net *net, struct request *r)
{
    uint8_t *ip = r->frame.data + r->network;
    size_t room = (size_t)r->frame.length - r->network;
    if (room < IP4_SIZE || ip[0] >> 4 != 4)
        return REASON_IP_HEADER;
    size_t length = load_be16(ip + 2);
    if ((ip[0] & 15) < 5 || length < IP4_SIZE || length > room)
        return REASON_IP_HEADER;
    if ((ip[0] & 15) > 5)
        return REASON_IP_OPTIONS;
    bool summed = r->frame.flags & FRAME_IP_CHECKSUM_GOOD;
    if (r->frame.flags & FRAME_IP_CHECKSUM_BAD || (!summed && checksum_fold(checksum_add(0, ip, IP4_SIZE)) != 0xffff))
        return REASON_IP_CHECKSUM;
    if (load_be16(ip + 6) & 0x3fff) /* more fragments, or an offset */
        return REASON_IP_FRAGMENT;
    if (!net_owns(net, r, 4, ip + 16))
        return REASON_IP_NOT_OURS;
    if (!ip4_answerable(ip + 12) || net_owns(net, r, 4, ip + 12))
        return REASON_IP_SOURCE;
    r->source.family = 4;
    memset(r->source.address, 0, sizeof r->source.address);
    memcpy(r->source.address, ip + 12, 4);
    r->transport = (uint16_t)(r->network + IP4_SIZE);
    if (ip[9] == PROTOCOL_UDP)
        return udp_receive(net, r, ip + IP4_SIZE, length - IP4_SIZE);
    if (ip[9] != PROTOCOL_ICMP)
        return REASON_IP_PROTOCOL;
    enum reason reason = icmp4_receive(r, ip + IP4_SIZE, length - IP4_SIZE);
    if (reason_ending(reason) == ENDING_LINK) {
        ip_reply(r, length - IP4_SIZE);
        ethernet_reply(net, r, length);
    }
    return reason;
}

static bool ip6_extension(unsigned next_header)
{
    return next_header == PROTOCOL_IP6_HOP_OPTIONS || next_header == PROTOCOL_IP6_ROUTE ||
           next_header == PROTOCOL_IP6_AUTHENTICATION || next_header == PROTOCOL_IP6_DESTINATION_OPTIONS;
}

enum reason ip6_receive(const struct net *net, struct request *r)
{
    uint8_t *ip = r->frame.data + r->network;
    size_t room = (size_t)r->frame.length - r->network;
    if (room < IP6_SIZE || ip[0] >> 4 != 6 || load_be16(ip + 4) > room - IP6_SIZE)
        return REASON_IP_HEADER;
    size_t length = load_be16(ip + 4);
    unsigned next_header = ip[6];
    if (next_header == PROTOCOL_IP6_FRAGMENT)
        return REASON_IP_FRAGMENT;
    if (ip6_extension(next_header))
        return REASON_IP_OPTIONS;
    r->source.family = 6;
    memcpy(r->source.address, ip + 8, 16);
    r->transport = (uint16_t)(r->network + IP6_SIZE);
    bool ours = net_owns(net, r, 6, ip + 24);
    if (next_header == PROTOCOL_ICMP6 && (ours || ip[24] == 0xff))
        return icmp6_receive(net, r, ip + IP6_SIZE, length);
    if (!ours)
        return REASON_IP_NOT_OURS;
    if (!ip6_answerable(ip + 8) || net_owns(net, r, 6, ip + 8))
        return REASON_IP_SOURCE;
    return next_header == PROTOCOL_UDP ? udp_receive(net, r, ip + IP6_SIZE, length) : REASON_IP_PROTOCOL;
}

void ip_reply(struct request *r, size_t length)
{
    uint8_t *ip = r->frame.data + r->network;
    uint8_t address[16];
    if (r->source.family == 4) {
        memcpy(address, ip + 16, 4);
        memcpy(ip + 16, ip + 12, 4);
        memcpy(ip + 12, address, 4);
        store_be16(ip + 2, (uint16_t)(IP4_SIZE + length));
        store_be16(ip + 4, 0); /* RFC 6864: an atomic datagram's id means nothing */
        store_be16(ip + 6, 0x4000);
        ip[1] = 0;
        ip[8] = HOP_LIMIT;
        store_be16(ip + 10, 0);
        checksum_store(ip + 10, checksum_add(0, ip, IP4_SIZE));
        return;
    }
    memcpy(address, ip + 24, 16);
    memcpy(ip + 24, ip + 8, 16);
    memcpy(ip + 8, address, 16);
    static const uint8_t version_only[4] = {0x60};
    memcpy(ip, version_only, sizeof version_only);
    store_be16(ip + 4, (uint16_t)length);
    ip[7] = HOP_LIMIT;
}

uint64_t pseudo_header_sum(const struct request *r, unsigned protocol, size_t length)
{
    const uint8_t *ip = r->frame.data + r->network;
    uint8_t tail[4] = {0, (uint8_t)protocol, (uint8_t)(length >> 8), (uint8_t)length};
    uint64_t sum = checksum_add(0, tail, sizeof tail);
    return r->source.family == 4 ? checksum_add(sum, ip + 12, 8) : checksum_add(sum, ip + 8, 32);
}
