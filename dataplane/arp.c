/* ARP (RFC 826) for IPv4 over Ethernet: requests for our addresses are answered, nothing is learnt. */
#include "dataplane/net.h"
#include "dataplane/wire.h"

#define ARP_SIZE 28
#define ARP_REQUEST 1
#define ARP_REPLY 2

enum arp_field {
    ARP_OPERATION = 6,
    ARP_SENDER_MAC = 8,
    ARP_SENDER_IP = 14,
    ARP_TARGET_MAC = 18,
    ARP_TARGET_IP = 24,
};

enum reason arp_receive(const struct net *net, struct request *r)
{
    static const uint8_t ip4_over_ethernet[6] = {0, 1, 8, 0, 6, 4};
    uint8_t *arp = r->frame.data + r->network;
    if ((size_t)r->frame.length - r->network < ARP_SIZE ||
        memcmp(arp, ip4_over_ethernet, sizeof ip4_over_ethernet) != 0)
        return REASON_ARP_MALFORMED;
    if (load_be16(arp + ARP_OPERATION) != ARP_REQUEST || !net_owns(net, r, 4, arp + ARP_TARGET_IP))
        return REASON_ARP_NOT_OURS;
    uint8_t own_ip[4];
    memcpy(own_ip, arp + ARP_TARGET_IP, 4);
    store_be16(arp + ARP_OPERATION, ARP_REPLY);
    memcpy(arp + ARP_TARGET_MAC, arp + ARP_SENDER_MAC, 10); /* MAC and IP together */
    memcpy(arp + ARP_SENDER_MAC, net->mac, 6);
    memcpy(arp + ARP_SENDER_IP, own_ip, 4);
    ethernet_reply(net, r, ARP_SIZE);
    return REASON_ARP_REPLIED;
}
