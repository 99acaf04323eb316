/* UDP (RFC 768): datagrams to the CoAP port. */
#include "dataplane/net.h"
#include "dataplane/wire.h"

#define UDP_SIZE 8
#define UDP_PROTOCOL 17

/* A checksum of zero means none: allowed with IPv4, not with IPv6 (RFC 8200 section 8.1). */
static bool checksum_good(const struct request *r, const uint8_t *packet, size_t length)
{
    if (r->frame.flags & FRAME_UDP_CHECKSUM_BAD)
        return false;
    if (load_be16(packet + 6) == 0)
        return r->source.family == 4;
    if (r->frame.flags & FRAME_UDP_CHECKSUM_GOOD)
        return true;
    return checksum_fold(checksum_add(pseudo_header_sum(r, UDP_PROTOCOL, length), packet, length)) == 0xffff;
}

enum reason udp_receive(const struct net *net, struct request *r, uint8_t *packet, size_t length)
{
    if (length < UDP_SIZE || load_be16(packet + 4) < UDP_SIZE || load_be16(packet + 4) > length)
        return REASON_UDP_LENGTH;
    length = load_be16(packet + 4);
    r->source.port = load_be16(packet);
    if (load_be16(packet + 2) != net->coap_port || r->source.port == 0)
        return REASON_UDP_PORT;
    if (!checksum_good(r, packet, length))
        return REASON_UDP_CHECKSUM;
    r->datagram = (uint16_t)(packet + UDP_SIZE - r->frame.data);
    r->datagram_length = (uint16_t)(length - UDP_SIZE);
    r->trusted = net_trusts(net, &r->source);
    return REASON_NONE;
}

void udp_reply(const struct net *net, struct request *r, size_t length)
{
    uint8_t *packet = r->frame.data + r->transport;
    size_t size = UDP_SIZE + length;
    uint8_t ports[2] = {packet[0], packet[1]};
    memcpy(packet, packet + 2, 2);
    memcpy(packet + 2, ports, 2);
    store_be16(packet + 4, (uint16_t)size);
    store_be16(packet + 6, 0);
    ip_reply(r, size);
    uint64_t sum = pseudo_header_sum(r, UDP_PROTOCOL, size);
    ethernet_reply(net, r, (size_t)(r->transport - r->network) + size);
    if (net->port_checksums) {
        uint16_t partial = checksum_fold(sum); /* the port adds the datagram and complements */
        memcpy(packet + 6, &partial, sizeof partial);
        r->frame.flags = r->source.family == 4 ? FRAME_UDP4_CHECKSUM : FRAME_UDP6_CHECKSUM;
        r->frame.link_size = (uint8_t)r->network;
        r->frame.network_size = (uint8_t)(r->transport - r->network);
        return;
    }
    checksum_store(packet + 6, checksum_add(sum, packet, size));
    if (load_be16(packet + 6) == 0) /* zero would mean that there is none */
        store_be16(packet + 6, 0xffff);
}
