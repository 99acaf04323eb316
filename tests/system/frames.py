"""Frames, built and taken apart byte by byte: Ethernet, VLAN, ARP, IPv4, IPv6, ICMP, neighbour discovery, UDP."""
import ipaddress
import struct

ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6, ETHERTYPE_VLAN = 0x0800, 0x0806, 0x86DD, 0x8100
ICMP, UDP, ICMP6 = 1, 17, 58


def address(text):
    return ipaddress.ip_address(text).packed


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(destination, source, ethertype, payload, vlan=None):
    tag = struct.pack(">HH", ETHERTYPE_VLAN, vlan) if vlan is not None else b""
    return destination + source + tag + struct.pack(">H", ethertype) + payload


def ipv4(source, destination, protocol, payload, ttl=64, fragment=0, options=b"", identification=0, bad=0, version=4,
         total=None):
    head = struct.pack(">BBHHHBBH4s4s", version << 4 | 5 + len(options) // 4, 0,
                       20 + len(options) + len(payload) if total is None else total, identification, fragment, ttl,
                       protocol, 0, source, destination) + options
    return head[:10] + struct.pack(">H", checksum(head) ^ bad) + head[12:] + payload


def ipv6(source, destination, next_header, payload, hops=64, length=None, version=6):
    return struct.pack(">IHBB16s16s", version << 28, len(payload) if length is None else length, next_header, hops,
                       source, destination) + payload


def pseudo(source, destination, protocol, length):
    if len(source) == 4:
        return source + destination + struct.pack(">BBH", 0, protocol, length)
    return source + destination + struct.pack(">II", length, protocol)


def udp(source, destination, source_port, destination_port, payload, bad=0, length=None, none=False):
    size = 8 + len(payload)
    head = struct.pack(">HHHH", source_port, destination_port, size if length is None else length, 0)
    if none:
        return head + payload
    total = checksum(pseudo(source, destination, UDP, size) + head + payload) or 0xFFFF
    return head[:6] + struct.pack(">H", total ^ bad) + payload


def ip(source, destination, protocol, payload, **more):
    if len(source) == 4:
        return ipv4(source, destination, protocol, payload, **more)
    return ipv6(source, destination, protocol, payload, **more)


def arp(operation, source_mac, source, target_mac, target):
    return struct.pack(">HHBBH", 1, ETHERTYPE_IPV4, 6, 4, operation) + source_mac + source + target_mac + target


def echo(source, destination, identifier, sequence, payload, bad=0, kind=None):
    """An echo request of the family."""
    four = len(source) == 4
    head = struct.pack(">BBHHH", kind if kind is not None else 8 if four else 128, 0, 0, identifier, sequence)
    prefix = b"" if four else pseudo(source, destination, ICMP6, len(head) + len(payload))
    total = checksum(prefix + head + payload) ^ bad
    return head[:2] + struct.pack(">H", total) + head[4:] + payload


def solicited_node(target):
    return address("ff02::1:ff00:0")[:13] + target[13:]


def multicast_mac(group):
    return b"\x33\x33" + group[12:]


def solicitation(source, target, source_mac, destination=None, bad=0, option=True, code=0, length=None):
    """A neighbour solicitation (RFC 4861 section 4.3), IPv6 header included."""
    destination = destination or solicited_node(target)
    body = struct.pack(">BBHI", 135, code, 0, 0) + target + (b"\x01\x01" + source_mac if option else b"")
    body = body[:length] if length is not None else body
    total = checksum(pseudo(source, destination, ICMP6, len(body)) + body) ^ bad
    return ipv6(source, destination, ICMP6, body[:2] + struct.pack(">H", total) + body[4:], hops=255)


class Packet:
    """A received frame taken apart, every length and checksum checked: raises ValueError where one is wrong."""

    def __init__(self, frame, vlan=None):
        self.frame, self.vlan = frame, vlan
        self.destination_mac, self.source_mac = frame[:6], frame[6:12]
        self.ethertype, = struct.unpack(">H", frame[12:14])
        rest = frame[14:]
        if self.ethertype == ETHERTYPE_VLAN:
            tag, self.ethertype = struct.unpack(">HH", rest[:4])
            self.vlan, rest = tag & 0xFFF, rest[4:]
        self.protocol = self.data = self.source_port = None
        self.body = rest
        if self.ethertype == ETHERTYPE_IPV4:
            self._ipv4(rest)
        elif self.ethertype == ETHERTYPE_IPV6:
            self._ipv6(rest)

    def _ipv4(self, rest):
        total, = struct.unpack(">H", rest[2:4])
        if rest[0] != 0x45 or total > len(rest):
            raise ValueError("IPv4 header or length")
        if checksum(rest[:20]) != 0:
            raise ValueError("IPv4 header checksum")
        self.protocol, self.source, self.destination = rest[9], rest[12:16], rest[16:20]
        self.ttl = rest[8]
        self._transport(rest[20:total], ICMP)

    def _ipv6(self, rest):
        length, self.protocol, self.ttl = struct.unpack(">HBB", rest[4:8])
        self.source, self.destination = rest[8:24], rest[24:40]
        if rest[0] >> 4 != 6 or 40 + length > len(rest):
            raise ValueError("IPv6 header or length")
        self._transport(rest[40:40 + length], ICMP6)

    def _transport(self, body, icmp):
        self.body = body
        prefix = pseudo(self.source, self.destination, self.protocol, len(body))
        if self.protocol == UDP:
            self.source_port, self.destination_port, length, total = struct.unpack(">HHHH", body[:8])
            if length != len(body):
                raise ValueError("UDP length")
            if total == 0 and len(self.source) == 16:
                raise ValueError("UDP checksum absent over IPv6")
            if total and checksum(prefix + body) != 0:
                raise ValueError("UDP checksum")
            self.data = body[8:]
        elif self.protocol == icmp:
            if checksum((prefix if icmp == ICMP6 else b"") + body) != 0:
                raise ValueError("ICMP checksum")
            self.data = body
