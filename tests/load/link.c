#include "tests/load/link.h"

#include <stdio.h>

enum { ETHERNET = 0, IP = 14, UDP = 34, ARP = 14 };
enum { ETHERTYPE_IP = 0x0800, ETHERTYPE_ARP = 0x0806, PROTOCOL_ICMP = 1, PROTOCOL_UDP = 17, ICMP_UNREACHABLE = 3 };

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

uint64_t link_sum(const uint8_t *data, size_t length)
{
    uint64_t sum = 0;
    uint32_t words;
    uint16_t word;
    for (; length >= 4; data += 4, length -= 4) {
        memcpy(&words, data, 4);
        sum += words;
    }
    if (length >= 2) {
        memcpy(&word, data, 2);
        sum += word;
        data += 2;
        length -= 2;
    }
    if (length) {
        word = 0;
        memcpy(&word, data, 1);
        sum += word;
    }
    return sum;
}

uint16_t link_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* In memory order, as link_sum adds. */
static void put_checksum(uint8_t *at, uint64_t sum)
{
    uint16_t folded = (uint16_t)~link_fold(sum);
    memcpy(at, &folded, 2);
}

static uint32_t in_memory_order(uint32_t host)
{
    uint8_t wire[4];
    uint32_t word;
    put32(wire, host);
    memcpy(&word, wire, 4);
    return word;
}

static uint16_t in_memory_order16(uint32_t host)
{
    uint8_t wire[2];
    uint16_t word;
    put16(wire, host);
    memcpy(&word, wire, 2);
    return word;
}

static bool is_unicast(uint32_t address)
{
    uint32_t top = address >> 24;
    return top != 0 && top != 127 && top < 224;
}

bool link_open(struct link *link, const uint8_t mac[6], uint32_t target, uint16_t target_port, uint32_t first,
               uint32_t points, char *error, size_t error_size)
{
    *link = (struct link){.target = target, .first = first, .points = points, .target_port = target_port};
    memcpy(link->mac, mac, 6);
    const char *why = NULL;
    if (!is_unicast(target) || target_port == 0)
        why = "the target is not a unicast address and a port";
    else if (points == 0 || first > UINT32_MAX - points || !is_unicast(first) || !is_unicast(first + points - 1))
        why = "the points' addresses are not all unicast";
    else if (target >= first && target - first < points)
        why = "the target's address is one of the points'";
    if (why) {
        snprintf(error, error_size, "%s", why);
        return false;
    }
    uint8_t *h = link->headers;
    memcpy(h + 6, mac, 6);
    put16(h + 12, ETHERTYPE_IP);
    h[IP] = 0x45;
    h[IP + 6] = 0x40; /* do not fragment */
    h[IP + 8] = 64;
    h[IP + 9] = PROTOCOL_UDP;
    put32(h + IP + 16, target);
    put16(h + UDP + 2, target_port);
    link->ip_sum = (uint32_t)link_fold(link_sum(h + IP, 20));
    uint8_t shared[6] = {0, PROTOCOL_UDP};
    put16(shared + 2, target_port);
    link->udp_sum = (uint32_t)link_fold(link_sum(h + IP + 16, 4) + link_sum(shared, 4));
    return true;
}

void link_set_target_mac(struct link *link, const uint8_t mac[6])
{
    memcpy(link->target_mac, mac, 6);
    memcpy(link->headers, mac, 6);
}

static uint64_t put_variable(const struct link_message *message, uint8_t *out)
{
    uint64_t sum = in_memory_order16(message->message_id);
    put16(out + 2, message->message_id);
    if (message->token_free) {
        memcpy(out + 4, &message->token, TOKEN_SIZE);
        sum += (uint64_t)message->token.salt + message->token.sequence;
    }
    if (message->id_at) {
        put32(out + message->id_at, message->id);
        sum += in_memory_order(message->id);
    }
    return sum;
}

/* Headers of a message whose words sum to `sum`. */
static uint16_t put_headers(const struct link *link, uint32_t point, uint16_t port, uint16_t length, uint64_t sum,
                            uint8_t *out)
{
    uint32_t source = link->first + point, source_port = LINK_PORT_FIRST + (uint32_t)port;
    uint32_t udp_length = 8u + length, ip_length = 20 + udp_length;
    memcpy(out, link->headers, LINK_HEADERS_SIZE);
    put16(out + IP + 2, ip_length);
    put32(out + IP + 12, source);
    put_checksum(out + IP + 10, (uint64_t)link->ip_sum + in_memory_order(source) + in_memory_order16(ip_length));
    put16(out + UDP, source_port);
    put16(out + UDP + 4, udp_length);
    sum += (uint64_t)link->udp_sum + in_memory_order(source) + in_memory_order16(source_port) +
           2ull * in_memory_order16(udp_length);
    put_checksum(out + UDP + 6, sum);
    if (out[UDP + 6] == 0 && out[UDP + 7] == 0)
        out[UDP + 6] = out[UDP + 7] = 0xff; /* zero would mean: no checksum (RFC 768) */
    return (uint16_t)(LINK_HEADERS_SIZE + length);
}

uint16_t link_write(const struct link *link, uint32_t point, uint16_t port, const struct link_message *message,
                    uint8_t *out)
{
    memcpy(out + LINK_HEADERS_SIZE, message->data, message->length);
    uint64_t sum = message->sum + put_variable(message, out + LINK_HEADERS_SIZE);
    return put_headers(link, point, port, message->length, sum, out);
}

uint16_t link_wrap(const struct link *link, uint32_t point, uint16_t port, uint16_t length, uint8_t *out)
{
    return put_headers(link, point, port, length, link_sum(out + LINK_HEADERS_SIZE, length), out);
}

static enum link_kind read_arp(const struct link *link, const uint8_t *frame, size_t length)
{
    static const uint8_t ethernet_ip[6] = {0, 1, 8, 0, 6, 4};
    if (length < LINK_ARP_SIZE || memcmp(frame + ARP, ethernet_ip, sizeof ethernet_ip) != 0)
        return LINK_OTHER;
    uint32_t operation = get16(frame + ARP + 6), sender = get32(frame + ARP + 14), wanted = get32(frame + ARP + 24);
    if (operation == 1 && wanted - link->first < link->points)
        return LINK_ARP_REQUEST;
    return operation == 2 && sender == link->target ? LINK_ARP_REPLY : LINK_OTHER;
}

static enum link_kind read_udp(const struct link *link, const uint8_t *frame, size_t ip_length, struct link_answer *out)
{
    size_t udp_length = get16(frame + UDP + 4);
    uint32_t port = get16(frame + UDP + 2) - LINK_PORT_FIRST;
    if (get16(frame + UDP) != link->target_port || port >= LINK_PORTS)
        return LINK_OTHER;
    if (udp_length < 8 || udp_length > ip_length - 20 || link_fold(link_sum(frame + IP, 20)) != 0xffff)
        return LINK_CHECKSUM_BAD;
    if (get16(frame + UDP + 6) != 0) {
        uint8_t pseudo[4] = {0, PROTOCOL_UDP, frame[UDP + 4], frame[UDP + 5]};
        uint64_t sum = link_sum(frame + IP + 12, 8) + link_sum(pseudo, 4) + link_sum(frame + UDP, udp_length);
        if (link_fold(sum) != 0xffff)
            return LINK_CHECKSUM_BAD;
    }
    out->port = (uint16_t)port;
    out->message = (struct bytes){frame + LINK_HEADERS_SIZE, udp_length - 8};
    return LINK_ANSWER;
}

/* Destination unreachable with the head of a datagram that we sent to the target. */
static bool is_unreachable(const struct link *link, const uint8_t *frame, size_t ip_length)
{
    return ip_length >= 20 + 8 + 28 && frame[UDP] == ICMP_UNREACHABLE && get32(frame + UDP + 8 + 16) == link->target;
}

enum link_kind link_read(const struct link *link, const uint8_t *frame, size_t length, struct link_answer *out)
{
    if (length < LINK_HEADERS_SIZE)
        return LINK_OTHER;
    uint32_t ethertype = get16(frame + 12);
    if (ethertype == ETHERTYPE_ARP)
        return read_arp(link, frame, length);
    size_t ip_length = get16(frame + IP + 2);
    uint32_t point = get32(frame + IP + 16) - link->first;
    if (ethertype != ETHERTYPE_IP || frame[IP] != 0x45 || ip_length < 28 || ip_length > length - IP ||
        point >= link->points)
        return LINK_OTHER;
    if (frame[IP + 9] == PROTOCOL_ICMP)
        return is_unreachable(link, frame, ip_length) ? LINK_UNREACHABLE : LINK_OTHER;
    if (frame[IP + 9] != PROTOCOL_UDP || get32(frame + IP + 12) != link->target)
        return LINK_OTHER;
    out->point = point;
    return read_udp(link, frame, ip_length, out);
}

static void put_arp(uint8_t *out, uint16_t operation, const uint8_t *from, uint32_t from_address, const uint8_t *to,
                    uint32_t to_address)
{
    static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};
    memcpy(out + 6, from, 6);
    put16(out + 12, ETHERTYPE_ARP);
    memcpy(out + ARP, head, sizeof head);
    put16(out + ARP + 6, operation);
    memcpy(out + ARP + 8, from, 6);
    put32(out + ARP + 14, from_address);
    memcpy(out + ARP + 18, to, 6);
    put32(out + ARP + 24, to_address);
}

void link_arp_request(const struct link *link, uint8_t *out)
{
    static const uint8_t nobody[6];
    memset(out, 0xff, 6);
    put_arp(out, 1, link->mac, link->first, nobody, link->target);
}

void link_arp_answer(const struct link *link, uint8_t *frame)
{
    uint8_t asker[6];
    memcpy(asker, frame + ARP + 8, 6);
    uint32_t asker_address = get32(frame + ARP + 14), wanted = get32(frame + ARP + 24);
    memcpy(frame, asker, 6);
    put_arp(frame, 2, link->mac, wanted, asker, asker_address);
}

const uint8_t *link_arp_mac(const uint8_t *frame)
{
    return frame + ARP + 8;
}
