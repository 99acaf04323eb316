/* Frames: each layer's answers and refusals, both families, tagged and not. */
#include "tests/unit/unit.h"

#include "tests/unit/frames.h"
#include "tests/unit/world.h"

static struct world world;
static uint8_t frame[2048];

static enum reason why_of(size_t length, uint32_t flags)
{
    enum reason why;
    world_exchange(&world, (struct bytes){frame, length}, flags, &why);
    return why;
}

/* A CoAP ping: the shortest message that is answered. */
static const uint8_t ping[4] = {0x40, 0, 0x12, 0x34};

static void expect_reset(size_t length, size_t udp)
{
    enum reason why;
    struct bytes reply = world_exchange(&world, (struct bytes){frame, length}, 0, &why);
    assert_int_equal(why, REASON_COAP_PING);
    assert_int_equal(reply.length, length);
    assert_memory_equal(reply.data, frame_peer_mac, 6);
    assert_memory_equal(reply.data + 6, frame_our_mac, 6);
    assert_int_equal(load_be16(reply.data + udp), COAP_PORT);
    assert_int_equal(load_be16(reply.data + udp + 2), 40000);
    static const uint8_t reset[4] = {0x70, 0, 0x12, 0x34};
    assert_memory_equal(reply.data + udp + 8, reset, 4);
}

static void datagrams_are_answered_with_good_checksums(void **state)
{
    (void)state;
    enum reason why;
    size_t length = frame_udp4(frame, ping, sizeof ping);
    expect_reset(length, FRAME_UDP4);
    struct bytes reply = world_exchange(&world, (struct bytes){frame, length}, 0, &why);
    assert_int_equal(checksum_fold(checksum_add(0, reply.data + FRAME_NET, 20)), 0xffff);
    uint64_t sum = frame_pseudo_sum(reply.data + FRAME_NET + 12, 8, 17, 12);
    assert_int_equal(checksum_fold(checksum_add(sum, reply.data + FRAME_UDP4, 12)), 0xffff);
    length = frame_udp6(frame, ping, sizeof ping);
    expect_reset(length, FRAME_UDP6);
    reply = world_exchange(&world, (struct bytes){frame, length}, 0, &why);
    sum = frame_pseudo_sum(reply.data + FRAME_NET + 8, 32, 17, 12);
    assert_int_equal(checksum_fold(checksum_add(sum, reply.data + FRAME_UDP6, 12)), 0xffff);
}

static void tags_must_be_configured(void **state)
{
    (void)state;
    enum reason why;
    size_t length = frame_tag(frame, frame_udp4(frame, ping, sizeof ping), 7);
    struct bytes reply = world_exchange(&world, (struct bytes){frame, length}, 0, &why);
    assert_int_equal(why, REASON_COAP_PING);
    assert_int_equal(load_be16(reply.data + 12), 0x8100);
    assert_int_equal(load_be16(reply.data + 14), 7);
    length = frame_tag(frame, frame_udp4(frame, ping, sizeof ping), 8);
    assert_int_equal(why_of(length, 0), REASON_VLAN_NOT_OURS);
    length = frame_tag(frame, frame_udp6(frame, ping, sizeof ping), 7); /* the IPv6 address is untagged only */
    assert_int_equal(why_of(length, 0), REASON_IP_NOT_OURS);
}

/* One byte of a good frame made wrong. */
struct wrong_byte {
    size_t offset;
    uint8_t value;
    bool checksum; /* make the IPv4 header's checksum right again */
    enum reason reason;
};

static void wrong_frames_have_their_names(void **state)
{
    (void)state;
    static const struct wrong_byte in_ip4[] = {
        {0, 0x06, false, REASON_ETHERNET_NOT_OURS},
        {6, 0x03, false, REASON_ETHERNET_NOT_OURS},
        {13, 0x01, false, REASON_ETHERTYPE},
        {14, 0x55, false, REASON_IP_HEADER},
        {14, 0x44, true, REASON_IP_HEADER},
        {14, 0x46, true, REASON_IP_OPTIONS},
        {17, 200, true, REASON_IP_HEADER},
        {24, 0x99, false, REASON_IP_CHECKSUM},
        {20, 0x20, true, REASON_IP_FRAGMENT},
        {21, 0x01, true, REASON_IP_FRAGMENT},
        {33, 99, true, REASON_IP_NOT_OURS},
        {26, 127, true, REASON_IP_SOURCE},
        {26, 224, true, REASON_IP_SOURCE},
        {26, 0, true, REASON_IP_SOURCE},
        {29, 1, true, REASON_IP_SOURCE},
        {23, 6, true, REASON_IP_PROTOCOL},
        {37, 0x34, false, REASON_UDP_PORT},
        {39, 7, false, REASON_UDP_LENGTH},
        {39, 200, false, REASON_UDP_LENGTH},
        {41, 0x77, false, REASON_UDP_CHECKSUM},
        {42, 0x80, false, REASON_UDP_CHECKSUM},
    };
    for (size_t i = 0; i < sizeof in_ip4 / sizeof in_ip4[0]; i++) {
        size_t length = frame_udp4(frame, ping, sizeof ping);
        frame[in_ip4[i].offset] = in_ip4[i].value;
        if (in_ip4[i].checksum)
            frame_ip4_checksum(frame);
        enum reason why = why_of(length, 0);
        if (why != in_ip4[i].reason)
            fail_msg("IPv4 row %zu: %s", i, reason_name(why));
    }
    static const struct wrong_byte in_ip6[] = {
        {14, 0x50, false, REASON_IP_HEADER},    {19, 200, false, REASON_IP_HEADER},
        {20, 0, false, REASON_IP_OPTIONS},      {20, 43, false, REASON_IP_OPTIONS},
        {20, 60, false, REASON_IP_OPTIONS},     {20, 44, false, REASON_IP_FRAGMENT},
        {20, 6, false, REASON_IP_PROTOCOL},     {53, 2, false, REASON_IP_NOT_OURS},
        {22, 0xff, false, REASON_IP_SOURCE},    {37, 1, false, REASON_IP_SOURCE},
        {61, 0x11, false, REASON_UDP_CHECKSUM},
    };
    for (size_t i = 0; i < sizeof in_ip6 / sizeof in_ip6[0]; i++) {
        size_t length = frame_udp6(frame, ping, sizeof ping);
        frame[in_ip6[i].offset] = in_ip6[i].value;
        enum reason why = why_of(length, 0);
        if (why != in_ip6[i].reason)
            fail_msg("IPv6 row %zu: %s", i, reason_name(why));
    }
}

static void a_missing_checksum_is_allowed_with_ip4_only(void **state)
{
    (void)state;
    size_t length = frame_udp4(frame, ping, sizeof ping);
    store_be16(frame + FRAME_UDP4 + 6, 0);
    assert_int_equal(why_of(length, 0), REASON_COAP_PING);
    length = frame_udp6(frame, ping, sizeof ping);
    store_be16(frame + FRAME_UDP6 + 6, 0);
    assert_int_equal(why_of(length, 0), REASON_UDP_CHECKSUM);
}

static void what_the_port_says_of_checksums_counts(void **state)
{
    (void)state;
    size_t length = frame_udp4(frame, ping, sizeof ping);
    assert_int_equal(why_of(length, FRAME_IP_CHECKSUM_BAD), REASON_IP_CHECKSUM);
    assert_int_equal(why_of(length, FRAME_UDP_CHECKSUM_BAD), REASON_UDP_CHECKSUM);
    assert_int_equal(why_of(length, FRAME_PARTIAL), REASON_FRAME_SEGMENTED);
    store_be16(frame + FRAME_UDP4 + 6, 0x1234);
    assert_int_equal(why_of(length, FRAME_UDP_CHECKSUM_GOOD), REASON_COAP_PING);
}

static void arp_is_answered_for_our_addresses(void **state)
{
    (void)state;
    enum reason why;
    size_t length = frame_ethernet(frame, 0x0806);
    uint8_t request[28] = {0, 1, 8, 0, 6, 4, 0, 1};
    memcpy(request + 8, frame_peer_mac, 6);
    memcpy(request + 14, frame_peer_ip4, 4);
    memcpy(request + 24, frame_our_ip4, 4);
    memcpy(frame + length, request, sizeof request);
    length += sizeof request;
    struct bytes reply = world_exchange(&world, (struct bytes){frame, length}, 0, &why);
    assert_int_equal(why, REASON_ARP_REPLIED);
    assert_int_equal(reply.data[14 + 7], 2);
    assert_memory_equal(reply.data + 14 + 8, frame_our_mac, 6);
    assert_memory_equal(reply.data + 14 + 14, frame_our_ip4, 4);
    assert_memory_equal(reply.data + 14 + 18, frame_peer_mac, 6);
    assert_memory_equal(reply.data + 14 + 24, frame_peer_ip4, 4);
    frame[length - 1] = 99;
    assert_int_equal(why_of(length, 0), REASON_ARP_NOT_OURS);
    frame[14 + 4] = 5;
    assert_int_equal(why_of(length, 0), REASON_ARP_MALFORMED);
    assert_int_equal(why_of(17, 0), REASON_FRAME_SHORT);
}

static void echo_is_answered(void **state)
{
    (void)state;
    enum reason why;
    uint8_t echo[24] = {8, 0, 0, 0, 1, 2, 3, 4, 'd', 'a', 't', 'a'};
    checksum_store(echo + 2, checksum_add(0, echo, sizeof echo));
    size_t length = frame_ip4(frame, 1, echo, sizeof echo);
    struct bytes reply = world_exchange(&world, (struct bytes){frame, length}, 0, &why);
    assert_int_equal(why, REASON_ICMP_REPLIED);
    assert_int_equal(reply.data[FRAME_UDP4], 0);
    assert_memory_equal(reply.data + FRAME_UDP4 + 4, echo + 4, sizeof echo - 4);
    assert_int_equal(checksum_fold(checksum_add(0, reply.data + FRAME_UDP4, sizeof echo)), 0xffff);
    frame[FRAME_UDP4 + 9] ^= 1;
    assert_int_equal(why_of(length, 0), REASON_ICMP_MALFORMED);

    uint8_t echo6[24] = {128, 0, 0, 0, 1, 2, 3, 4, 'd', 'a', 't', 'a'};
    length = frame_ip6(frame, 58, echo6, sizeof echo6);
    uint64_t sum = frame_pseudo_sum(frame + FRAME_NET + 8, 32, 58, sizeof echo6);
    checksum_store(frame + FRAME_UDP6 + 2, checksum_add(sum, frame + FRAME_UDP6, sizeof echo6));
    reply = world_exchange(&world, (struct bytes){frame, length}, 0, &why);
    assert_int_equal(why, REASON_ICMP_REPLIED);
    assert_int_equal(reply.data[FRAME_UDP6], 129);
    sum = frame_pseudo_sum(reply.data + FRAME_NET + 8, 32, 58, sizeof echo6);
    assert_int_equal(checksum_fold(checksum_add(sum, reply.data + FRAME_UDP6, sizeof echo6)), 0xffff);
}

static size_t solicitation(const uint8_t target[16], const uint8_t source[16])
{
    uint8_t message[32] = {135, [24] = 1, [25] = 1};
    memcpy(message + 8, target, 16);
    memcpy(message + 26, frame_peer_mac, 6);
    size_t length = frame_ip6(frame, 58, message, sizeof message);
    memcpy(frame + FRAME_NET + 8, source, 16);
    uint64_t sum = frame_pseudo_sum(frame + FRAME_NET + 8, 32, 58, sizeof message);
    checksum_store(frame + FRAME_UDP6 + 2, checksum_add(sum, frame + FRAME_UDP6, sizeof message));
    return length;
}

static void solicitations_are_answered(void **state)
{
    (void)state;
    enum reason why;
    static const uint8_t unspecified[16], all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
    size_t length = solicitation(frame_our_ip6, frame_peer_ip6);
    struct bytes reply = world_exchange(&world, (struct bytes){frame, length}, 0, &why);
    assert_int_equal(why, REASON_NEIGHBOUR_REPLIED);
    assert_int_equal(reply.data[FRAME_UDP6], 136);
    assert_int_equal(reply.data[FRAME_UDP6 + 4], 0x60);
    assert_int_equal(reply.data[FRAME_NET + 7], 255);
    assert_memory_equal(reply.data + FRAME_UDP6 + 26, frame_our_mac, 6);
    uint64_t sum = frame_pseudo_sum(reply.data + FRAME_NET + 8, 32, 58, 32);
    assert_int_equal(checksum_fold(checksum_add(sum, reply.data + FRAME_UDP6, 32)), 0xffff);
    reply = world_exchange(&world, (struct bytes){frame, solicitation(frame_our_ip6, unspecified)}, 0, &why);
    assert_int_equal(why, REASON_NEIGHBOUR_REPLIED);
    assert_memory_equal(reply.data, all_nodes_mac, 6);
    assert_int_equal(why_of(solicitation(frame_peer_ip6, frame_peer_ip6), 0), REASON_ICMP_IGNORED);
    length = solicitation(frame_our_ip6, frame_peer_ip6);
    frame[FRAME_NET + 7] = 64; /* passed a router */
    assert_int_equal(why_of(length, 0), REASON_NEIGHBOUR_MALFORMED);
}

static int start(void **state)
{
    (void)state;
    world_start(&world);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    port_sim_take(world.port);
    world_stop(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_are_answered_with_good_checksums),
        cmocka_unit_test(tags_must_be_configured),
        cmocka_unit_test(wrong_frames_have_their_names),
        cmocka_unit_test(a_missing_checksum_is_allowed_with_ip4_only),
        cmocka_unit_test(what_the_port_says_of_checksums_counts),
        cmocka_unit_test(arp_is_answered_for_our_addresses),
        cmocka_unit_test(echo_is_answered),
        cmocka_unit_test(solicitations_are_answered),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
