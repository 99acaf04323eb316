#include "dataplane/net.h"
#include "dataplane/wire.h"

#define ETHERNET_SIZE 14
#define VLAN_TAG_SIZE 4
#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IP6 0x86dd

void net_init(struct net *net, const struct config *config, unsigned port, const uint8_t mac[6], bool port_checksums)
{
    memset(net, 0, sizeof *net);
    memcpy(net->mac, mac, sizeof net->mac);
    net->port_checksums = port_checksums;
    net->coap_port = config->coap_port;
    for (uint32_t i = 0; i < config->address_count; i++)
        if (config->addresses[i].port == port)
            net->addresses[net->address_count++] = config->addresses[i];
    net->trusted_count = config->trusted_count;
    memcpy(net->trusted, config->trusted, sizeof net->trusted);
}

bool net_owns(const struct net *net, const struct request *r, unsigned family, const uint8_t *address)
{
    size_t size = family == 4 ? 4 : 16;
    for (uint32_t i = 0; i < net->address_count; i++) {
        const struct config_address *own = &net->addresses[i];
        if (own->vlan == r->vlan && own->prefix.family == family && memcmp(own->prefix.address, address, size) == 0)
            return true;
    }
    return false;
}

static bool prefix_holds(const struct config_prefix *prefix, const struct endpoint *source)
{
    unsigned whole = prefix->length / 8, rest = prefix->length % 8;
    if (prefix->family != source->family || memcmp(prefix->address, source->address, whole) != 0)
        return false;
    return rest == 0 || (prefix->address[whole] ^ source->address[whole]) >> (8 - rest) == 0;
}

bool net_trusts(const struct net *net, const struct endpoint *source)
{
    for (uint32_t i = 0; i < net->trusted_count; i++)
        if (prefix_holds(&net->trusted[i], source))
            return true;
    return false;
}

/* Ours, broadcast, or an IPv6 multicast group (RFC 2464 section 7); a group address as source cannot be answered. */
static bool addressed_to_us(const struct net *net, const uint8_t *frame)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    bool ours =
        memcmp(frame, net->mac, 6) == 0 || memcmp(frame, broadcast, 6) == 0 || (frame[0] == 0x33 && frame[1] == 0x33);
    return ours && (frame[6] & 1) == 0;
}

static bool vlan_configured(const struct net *net, uint16_t vlan)
{
    for (uint32_t i = 0; i < net->address_count; i++)
        if (net->addresses[i].vlan == vlan)
            return true;
    return false;
}

enum reason ethernet_receive(const struct net *net, struct request *r)
{
    const uint8_t *frame = r->frame.data;
    if (r->frame.flags & FRAME_PARTIAL)
        return REASON_FRAME_SEGMENTED;
    if (r->frame.length < ETHERNET_SIZE + VLAN_TAG_SIZE)
        return REASON_FRAME_SHORT;
    if (!addressed_to_us(net, frame))
        return REASON_ETHERNET_NOT_OURS;
    uint16_t type = load_be16(frame + 12);
    r->network = ETHERNET_SIZE;
    r->vlan = 0;
    if (type == ETHERTYPE_VLAN) {
        r->vlan = load_be16(frame + 14) & 0xfff; /* 0 is a priority tag: untagged */
        type = load_be16(frame + 16);
        r->network += VLAN_TAG_SIZE;
    }
    if (!vlan_configured(net, r->vlan))
        return REASON_VLAN_NOT_OURS;
    switch (type) {
    case ETHERTYPE_IP4:
        return ip4_receive(net, r);
    case ETHERTYPE_IP6:
        return ip6_receive(net, r);
    case ETHERTYPE_ARP:
        return arp_receive(net, r);
    default:
        return REASON_ETHERTYPE;
    }
}

void ethernet_reply(const struct net *net, struct request *r, size_t length)
{
    memcpy(r->frame.data, r->frame.data + 6, 6);
    memcpy(r->frame.data + 6, net->mac, 6);
    r->frame.length = (uint16_t)(r->network + length);
    r->frame.flags = 0;
}
