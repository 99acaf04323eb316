/* Echo (RFC 792, RFC 4443 section 4) and neighbour solicitations (RFC 4861 section 4.3). */
#include "dataplane/net.h"
#include "dataplane/wire.h"

#define ICMP_SIZE 8
#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8
#define ICMP6_PROTOCOL 58
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129
#define ICMP6_NEIGHBOUR_SOLICITATION 135
#define ICMP6_NEIGHBOUR_ADVERTISEMENT 136
#define NEIGHBOUR_SIZE 24       /* type, code, checksum, flags, target */
#define NEIGHBOUR_REPLY_SIZE 32 /* and our link-layer address */
#define NEIGHBOUR_SOLICITED 0x40
#define NEIGHBOUR_OVERRIDE 0x20
#define OPTION_TARGET_LINK_ADDRESS 2
#define IP6_SIZE 40

enum reason icmp4_receive(struct request *r, uint8_t *packet, size_t length)
{
    (void)r;
    if (length < ICMP_SIZE || checksum_fold(checksum_add(0, packet, length)) != 0xffff)
        return REASON_ICMP_MALFORMED;
    if (packet[0] != ICMP_ECHO || packet[1] != 0)
        return REASON_ICMP_IGNORED;
    packet[0] = ICMP_ECHO_REPLY;
    store_be16(packet + 2, 0);
    checksum_store(packet + 2, checksum_add(0, packet, length));
    return REASON_ICMP_REPLIED;
}

/* RFC 4861 section 7.1.1: options fill the rest exactly and none has length 0. */
static bool neighbour_options_valid(const uint8_t *packet, size_t length)
{
    size_t at = NEIGHBOUR_SIZE;
    while (at < length) {
        if (length - at < 8 || packet[at + 1] == 0 || (size_t)packet[at + 1] * 8 > length - at)
            return false;
        at += (size_t)packet[at + 1] * 8;
    }
    return true;
}

/* An advertisement back to who asked; to all nodes where it is duplicate address detection that asks (section 7.2.4).
 */
static enum reason neighbour_reply(const struct net *net, struct request *r, uint8_t *packet)
{
    static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1}, all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1}, zero[16];
    uint8_t *ip = r->frame.data + r->network;
    bool unspecified = memcmp(ip + 8, zero, sizeof zero) == 0;
    if (r->frame.room < r->network + IP6_SIZE + NEIGHBOUR_REPLY_SIZE)
        return REASON_FRAME_SHORT;
    memcpy(ip + 24, packet + 8, 16); /* the target answers, whichever group was asked */
    packet[0] = ICMP6_NEIGHBOUR_ADVERTISEMENT;
    packet[1] = 0;
    memset(packet + 2, 0, 6);
    packet[4] = unspecified ? NEIGHBOUR_OVERRIDE : NEIGHBOUR_SOLICITED | NEIGHBOUR_OVERRIDE;
    packet[24] = OPTION_TARGET_LINK_ADDRESS;
    packet[25] = 1;
    memcpy(packet + 26, net->mac, 6);
    ip_reply(r, NEIGHBOUR_REPLY_SIZE);
    ip[7] = 255; /* section 7.1.2: proof that no router passed it on */
    if (unspecified)
        memcpy(ip + 24, all_nodes, sizeof all_nodes);
    uint64_t sum = pseudo_header_sum(r, ICMP6_PROTOCOL, NEIGHBOUR_REPLY_SIZE);
    checksum_store(packet + 2, checksum_add(sum, packet, NEIGHBOUR_REPLY_SIZE));
    ethernet_reply(net, r, IP6_SIZE + NEIGHBOUR_REPLY_SIZE);
    if (unspecified)
        memcpy(r->frame.data, all_nodes_mac, sizeof all_nodes_mac);
    return REASON_NEIGHBOUR_REPLIED;
}

static enum reason neighbour_receive(const struct net *net, struct request *r, uint8_t *packet, size_t length)
{
    const uint8_t *ip = r->frame.data + r->network;
    if (length < NEIGHBOUR_SIZE || ip[7] != 255 || packet[1] != 0 || packet[8] == 0xff || ip[8] == 0xff ||
        !neighbour_options_valid(packet, length))
        return REASON_NEIGHBOUR_MALFORMED;
    return net_owns(net, r, 6, packet + 8) ? neighbour_reply(net, r, packet) : REASON_ICMP_IGNORED;
}

enum reason icmp6_receive(const struct net *net, struct request *r, uint8_t *packet, size_t length)
{
    const uint8_t *ip = r->frame.data + r->network;
    if (length < ICMP_SIZE ||
        checksum_fold(checksum_add(pseudo_header_sum(r, ICMP6_PROTOCOL, length), packet, length)) != 0xffff)
        return REASON_ICMP_MALFORMED;
    if (packet[0] == ICMP6_NEIGHBOUR_SOLICITATION)
        return neighbour_receive(net, r, packet, length);
    static const uint8_t zero[16];
    bool answerable = ip[8] != 0xff && memcmp(ip + 8, zero, sizeof zero) != 0;
    if (packet[0] != ICMP6_ECHO || packet[1] != 0 || !net_owns(net, r, 6, ip + 24) || !answerable)
        return REASON_ICMP_IGNORED;
    packet[0] = ICMP6_ECHO_REPLY;
    store_be16(packet + 2, 0);
    ip_reply(r, length);
    checksum_store(packet + 2, checksum_add(pseudo_header_sum(r, ICMP6_PROTOCOL, length), packet, length));
    ethernet_reply(net, r, IP6_SIZE + length);
    return REASON_ICMP_REPLIED;
}
