"""Frames and packets: what is answered below CoAP, and every way a frame can be dropped."""
import os
import struct

import frames
from check import case, expect, expect_equal
from city import OWN4, OWN6, PEER_MAC, VLAN, VLAN_OWN4, VLAN_OWN6
from formats import coap, CON

PING = coap(CON, 0, 1)
PEER4, PEER6 = frames.address("10.77.1.1"), frames.address("fd00:77::1:7")


def arp_request(target, operation=1, vlan=None, destination=b"\xff" * 6, source="10.77.9.9"):
    body = frames.arp(operation, PEER_MAC, frames.address(source), b"\0" * 6, target)
    return frames.ethernet(destination, PEER_MAC, frames.ETHERTYPE_ARP, body, vlan)


@case("ARP is answered for each own IPv4 address in its VLAN only")
def arp(city):
    for target, vlan in ((OWN4, None), (VLAN_OWN4, VLAN)):
        with city.counted(ARP_REPLIED=1):
            answer = city.link.exchange(arp_request(target, vlan=vlan))
        expect_equal(answer.vlan, vlan, "VLAN")
        expect_equal(answer.body[:28], frames.arp(2, city.mac, target, PEER_MAC, frames.address("10.77.9.9")), "ARP")
    city.expect_dropped(arp_request(VLAN_OWN4), "ARP_NOT_OURS")
    city.expect_dropped(arp_request(OWN4, vlan=VLAN), "ARP_NOT_OURS")
    city.expect_dropped(arp_request(frames.address("10.77.0.2")), "ARP_NOT_OURS")
    city.expect_dropped(arp_request(OWN4, operation=2), "ARP_NOT_OURS")


@case("malformed ARP is dropped")
def arp_malformed(city):
    good = arp_request(OWN4)
    city.expect_dropped(good[:14 + 20], "ARP_MALFORMED")
    for at in range(14, 20):
        city.expect_dropped(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1:], "ARP_MALFORMED")


@case("neighbour solicitations are answered, duplicate detection to all nodes")
def neighbour(city):
    for own, peer, vlan in ((OWN6, PEER6, None), (VLAN_OWN6, frames.address("fd00:78::1:9"), VLAN)):
        packet = frames.solicitation(peer, own, PEER_MAC)
        destination = frames.multicast_mac(frames.solicited_node(own))
        with city.counted(NEIGHBOUR_REPLIED=1):
            answer = city.link.exchange(frames.ethernet(destination, PEER_MAC, frames.ETHERTYPE_IPV6, packet, vlan))
        expect_equal((answer.vlan, answer.ttl, answer.source, answer.destination), (vlan, 255, own, peer), "headers")
        expect_equal(answer.data[:2] + answer.data[4:], b"\x88\0" + b"\x60\0\0\0" + own + b"\x02\x01" + city.mac,
                     "advertisement")
        with city.counted(NEIGHBOUR_REPLIED=1):
            unicast = frames.solicitation(peer, own, PEER_MAC, destination=own, option=False)
            answer = city.link.exchange(frames.ethernet(city.mac, PEER_MAC, frames.ETHERTYPE_IPV6, unicast, vlan))
        expect_equal(answer.data[8:24], own, "target")
    probe = frames.solicitation(b"\0" * 16, OWN6, PEER_MAC, option=False)
    with city.counted(NEIGHBOUR_REPLIED=1):
        answer = city.link.exchange(frames.ethernet(frames.multicast_mac(frames.solicited_node(OWN6)), PEER_MAC,
                                                    frames.ETHERTYPE_IPV6, probe))
    expect_equal(answer.destination, frames.address("ff02::1"), "destination")
    expect_equal(answer.data[4:5], b"\x20", "flags")


@case("malformed neighbour solicitations are dropped, those for others ignored")
def neighbour_malformed(city):
    def wrapped(packet):
        return frames.ethernet(frames.multicast_mac(frames.solicited_node(OWN6)), PEER_MAC, frames.ETHERTYPE_IPV6,
                               packet)
    good = frames.solicitation(PEER6, OWN6, PEER_MAC)
    city.expect_dropped(wrapped(good[:7] + b"\x40" + good[8:]), "NEIGHBOUR_MALFORMED")
    city.expect_dropped(wrapped(frames.solicitation(PEER6, OWN6, PEER_MAC, code=1)), "NEIGHBOUR_MALFORMED")
    city.expect_dropped(wrapped(frames.solicitation(PEER6, OWN6, PEER_MAC, length=20)), "NEIGHBOUR_MALFORMED")
    city.expect_dropped(wrapped(frames.solicitation(PEER6, OWN6, PEER_MAC, length=28)), "NEIGHBOUR_MALFORMED")
    city.expect_dropped(wrapped(frames.solicitation(PEER6, OWN6, PEER_MAC, bad=1)), "ICMP_MALFORMED")
    other = frames.address("fd00:77::2")
    city.expect_dropped(wrapped(frames.solicitation(PEER6, other, PEER_MAC, frames.solicited_node(OWN6))),
                        "ICMP_IGNORED")


@case("echo is answered in both families, untagged and in a VLAN")
def echo(city):
    for source, vlan in (("10.77.1.1", None), ("10.78.1.8", VLAN), ("fd00:77::1:7", None), ("fd00:78::1:9", VLAN)):
        peer = city.peer(source, vlan=vlan)
        protocol = frames.ICMP if len(peer.source) == 4 else frames.ICMP6
        for size in (0, 1, 56, 1400):
            payload = os.urandom(size)
            body = frames.echo(peer.source, peer.destination, 7, 9, payload)
            with city.counted(ICMP_REPLIED=1):
                answer = city.link.exchange(peer.packet(protocol, body))
            expect_equal((answer.source, answer.destination, answer.vlan), (peer.destination, peer.source, vlan),
                         "headers")
            expect_equal(answer.data[:2], b"\0\0" if protocol == 1 else b"\x81\0", "type")
            expect_equal(answer.data[4:], struct.pack(">HH", 7, 9) + payload, "echo")


@case("wrong or needless ICMP is dropped")
def icmp(city):
    for source in ("10.77.1.1", "fd00:77::1:7"):
        peer = city.peer(source)
        protocol = frames.ICMP if len(peer.source) == 4 else frames.ICMP6
        body = frames.echo(peer.source, peer.destination, 1, 1, b"x", bad=0x0100)
        city.expect_dropped(peer.packet(protocol, body), "ICMP_MALFORMED")
        city.expect_dropped(peer.packet(protocol, b"\x08\0\0"), "ICMP_MALFORMED")
        for kind in (0, 3, 13, 129, 134, 136):
            body = frames.echo(peer.source, peer.destination, 1, 1, b"x" * 20, kind=kind)
            city.expect_dropped(peer.packet(protocol, body), "ICMP_IGNORED")


@case("frames for other stations, VLANs and protocols are dropped")
def link_layer(city):
    peer = city.peer()
    good = peer.datagram(PING)
    city.expect_dropped(frames.mac("02:00:00:00:00:55") + good[6:], "ETHERNET_NOT_OURS")
    city.expect_dropped(good[:12] + struct.pack(">HH", 0x8100, 9) + good[12:], "VLAN_NOT_OURS")
    city.expect_dropped(good[:12] + struct.pack(">HH", 0x8100, 4095) + good[12:], "VLAN_NOT_OURS")
    city.expect_dropped(good[:12] + struct.pack(">H", 0x88CC) + good[14:], "ETHERTYPE")
    tagged_twice = good[:12] + struct.pack(">HHHH", 0x8100, VLAN, 0x8100, VLAN) + good[12:]
    city.expect_dropped(tagged_twice, "ETHERTYPE")
    city.expect_dropped(good[:12] + b"\x81\0\0", "FRAME_SHORT")


@case("priority-tagged frames count as untagged")
def priority_tag(city):
    peer = city.peer()
    good = peer.datagram(PING)
    with city.counted(COAP_PING=1):
        answer = city.link.exchange(good[:12] + struct.pack(">HH", 0x8100, 5 << 13) + good[12:])
    expect(answer is not None, "no answer")


@case("IPv4: header, options, checksum, fragments, addresses, protocol")
def ip4(city):
    peer = city.peer()
    udp = frames.udp(peer.source, peer.destination, 40000, 5683, PING)
    drop = city.expect_dropped
    drop(peer.packet(frames.UDP, udp, version=5), "IP_HEADER")
    drop(peer.packet(frames.UDP, udp, total=19), "IP_HEADER")
    drop(peer.packet(frames.UDP, udp, total=2000), "IP_HEADER")
    good = peer.packet(frames.UDP, udp)
    drop(good[:14] + b"\x44" + good[15:], "IP_HEADER")
    drop(good[:14 + 19], "IP_HEADER")
    drop(peer.packet(frames.UDP, udp, options=b"\x94\x04\0\0"), "IP_OPTIONS")
    for bad in (1, 0x8000, 0xFFFF ^ 0x0100):
        drop(peer.packet(frames.UDP, udp, bad=bad), "IP_CHECKSUM")
    for fragment in (0x2000, 1, 0x2001, 0x1FFF):
        drop(peer.packet(frames.UDP, udp, fragment=fragment), "IP_FRAGMENT")
    for other in ("10.77.0.2", "10.77.255.255", "255.255.255.255", "224.0.1.187", "10.78.0.1"):
        packet = frames.ip(peer.source, frames.address(other), frames.UDP,
                           frames.udp(peer.source, frames.address(other), 40000, 5683, PING))
        drop(peer.frame(packet), "IP_NOT_OURS")
    for source in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.77.0.1"):
        drop(city.peer(source).datagram(PING), "IP_SOURCE")
    drop(peer.packet(6, udp), "IP_PROTOCOL")
    with city.counted(COAP_PING=1):
        expect(city.link.exchange(peer.packet(frames.UDP, udp, fragment=0x4000)) is not None, "don't-fragment refused")


@case("IPv6: header, extension headers, fragments, addresses, protocol")
def ip6(city):
    peer = city.peer("fd00:77::1:7")
    udp = frames.udp(peer.source, peer.destination, 40000, 5683, PING)
    drop = city.expect_dropped
    drop(peer.packet(frames.UDP, udp, version=4), "IP_HEADER")
    drop(peer.packet(frames.UDP, udp, length=1000), "IP_HEADER")
    for header in (0, 43, 51, 60):
        drop(peer.packet(header, bytes([frames.UDP, 0]) + b"\0" * 6 + udp), "IP_OPTIONS")
    drop(peer.packet(44, bytes([frames.UDP, 0, 0, 1]) + b"\0" * 4 + udp), "IP_FRAGMENT")
    for other in ("fd00:77::2", "ff02::1", "ff02::fd", "fd00:78::1"):
        packet = frames.ip(peer.source, frames.address(other), frames.UDP,
                           frames.udp(peer.source, frames.address(other), 40000, 5683, PING))
        drop(peer.frame(packet), "IP_NOT_OURS")
    for source in ("::", "::1", "ff02::1", "fd00:77::1"):
        drop(city.peer(source).datagram(PING), "IP_SOURCE")
    drop(peer.packet(6, udp), "IP_PROTOCOL")


@case("UDP: length, checksum, port")
def udp(city):
    for source in ("10.77.1.1", "fd00:77::1:7"):
        peer = city.peer(source)
        drop = city.expect_dropped
        drop(peer.datagram(PING, length=7), "UDP_LENGTH")
        drop(peer.datagram(PING, length=100), "UDP_LENGTH")
        drop(peer.packet(frames.UDP, b"\x9c\x40\x16\x33"), "UDP_LENGTH")
        for bad in (1, 0x8000):
            drop(peer.datagram(PING, bad=bad), "UDP_CHECKSUM")
        for port in (5682, 5684, 0, 65535):
            drop(peer.packet(frames.UDP, frames.udp(peer.source, peer.destination, 40000, port, PING)), "UDP_PORT")
        drop(city.peer(source, port=0).datagram(PING), "UDP_PORT")
    city.expect_dropped(city.peer("fd00:77::1:7").datagram(PING, none=True), "UDP_CHECKSUM")
    with city.counted(COAP_PING=1):
        expect(city.link.exchange(city.peer().datagram(PING, none=True)) is not None, "IPv4 without checksum refused")


@case("bytes behind the datagram (Ethernet padding) are not read")
def padding(city):
    for source in ("10.77.1.1", "fd00:77::1:7"):
        with city.counted(COAP_PING=1):
            answer = city.link.exchange(city.peer(source).datagram(PING) + b"\xa5" * 40)
        expect_equal(answer.data, b"\x70\0\0\x01", "answer")
