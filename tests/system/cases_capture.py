"""What others make of our frames: tshark decodes both directions without a complaint."""
import os
import struct
import subprocess
import time

import frames
from check import case, expect, expect_equal
from city import OWN4, OWN6, PEER_MAC, VLAN
from formats import CON, GET, NON, URI_PATH, coap, post_v, request, text_of

COMPLAINTS = "_ws.malformed || _ws.expert.severity == error || _ws.expert.severity == warning"


def capture(path, packets):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for at, frame in packets:
            file.write(struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame)


def exchanges(city):
    """Frames that are answered, of every kind."""
    yield frames.ethernet(b"\xff" * 6, PEER_MAC, frames.ETHERTYPE_ARP,
                          frames.arp(1, PEER_MAC, frames.address("10.77.1.1"), b"\0" * 6, OWN4))
    yield frames.ethernet(frames.multicast_mac(frames.solicited_node(OWN6)), PEER_MAC, frames.ETHERTYPE_IPV6,
                          frames.solicitation(frames.address("fd00:77::1:7"), OWN6, PEER_MAC))
    for source, vlan in (("10.77.1.1", None), ("fd00:77::1:7", None), ("10.78.1.8", VLAN), ("fd00:78::1:9", VLAN)):
        peer = city.peer(source, vlan=vlan)
        icmp = frames.ICMP if len(peer.source) == 4 else frames.ICMP6
        yield peer.packet(icmp, frames.echo(peer.source, peer.destination, 3, 1, b"abcdefgh"))
        bad = bytearray(city.code())
        bad[-1] ^= 1
        for kind in (CON, NON):
            for code in (city.code(), text_of(city.code()), bytes(bad), city.code("retired"), b"nothing"):
                yield peer.datagram(post_v(city.next_id(), request(77, code, temperature=3650), kind))
            yield peer.datagram(post_v(city.next_id(), b"\xa0", kind))
            yield peer.datagram(post_v(city.next_id(), b"\xa0", kind, path=(b"x",)))
            yield peer.datagram(post_v(city.next_id(), b"\xa0", kind, content_format=50))
        yield peer.datagram(coap(CON, GET, city.next_id(), b"\1", [(URI_PATH, b"v")]))
        yield peer.datagram(coap(CON, 0, city.next_id()))
        yield peer.datagram(coap(CON, GET, city.next_id(), b"", [(URI_PATH, b".well-known"), (URI_PATH, b"core")]))


def tshark(path, *arguments):
    done = subprocess.run(["tshark", "-n", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
                           *arguments], capture_output=True, text=True, timeout=120)
    expect_equal(done.returncode, 0, f"tshark: {done.stderr[-500:]}")
    return done.stdout


@case("tshark decodes requests and answers without a complaint")
def decoded(city):
    packets = []
    for frame in exchanges(city):
        city.link.drain()
        packets.append((time.time(), frame))
        city.link.send(frame)
        answer = city.link.receive(2)
        expect(answer is not None, f"no answer to {frame.hex()}")
        packets.append((time.time(), answer))
    path = os.path.join(city.appliance.directory, "exchanges.pcap")
    capture(path, packets)
    complaints = tshark(path, "-Y", COMPLAINTS, "-V")
    expect_equal(complaints, "", "tshark complains")
    sent = [tuple(row.split("\t")) for row in
            tshark(path, "-Y", "coap", "-T", "fields", "-e", "coap.code", "-e", "coap.mid").splitlines()]
    expect(len(sent) > 90, f"only {len(sent)} CoAP messages decoded")
    verbose = tshark(path, "-V")
    for words in ("Malformed", "Expert Info (Error", "Expert Info (Warn", "[Checksum Status: Bad]"):
        expect(words not in verbose, f"tshark says {words}")
    expect("Concise Binary Object Representation" in verbose, "the verdicts are not decoded as CBOR")
