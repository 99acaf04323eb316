"""Garbage on every layer: afterwards the process runs, every buffer is back, and the counters balance."""
import os
import random
import time

import frames
from appliance import until
from check import case, expect, expect_equal
from city import OWN4, OWN6, PEER_MAC, VLAN
from formats import CON, GET, URI_PATH, coap, post_v, request, text_of
from link import dropped

ATTACK_S = 3  # so long after so many failures a plain source is still asked for an Echo (dataplane/admit.h)
CHUNK = 200  # fewer than the TAP's queue holds


def seeds(city):
    """Good frames of every kind, to be spoilt."""
    out = []
    for source, vlan in (("10.77.1.1", None), ("fd00:77::1:7", None), ("10.78.1.8", VLAN), ("fd00:78::1:9", VLAN),
                         ("192.0.2.77", None)):
        peer = city.peer(source, vlan=vlan)
        icmp = frames.ICMP if len(peer.source) == 4 else frames.ICMP6
        out += [peer.datagram(post_v(7, request(1, city.code()))),
                peer.datagram(post_v(8, request(1, text_of(city.code()), temperature=3650, consent=True, sms="x"))),
                peer.datagram(post_v(9, request(1, city.code(), **{"pass": city.code("shanghai", 4)}))),
                peer.datagram(coap(CON, GET, 3, b"", [(URI_PATH, b".well-known"), (URI_PATH, b"core")])),
                peer.datagram(coap(CON, 2, 4, b"\1", [(9, b"\x09\x01abcd"), (URI_PATH, b"v")], os.urandom(60))),
                peer.packet(icmp, frames.echo(peer.source, peer.destination, 1, 1, b"abc"))]
    out.append(frames.ethernet(b"\xff" * 6, PEER_MAC, frames.ETHERTYPE_ARP,
                               frames.arp(1, PEER_MAC, frames.address("10.77.9.9"), b"\0" * 6, OWN4)))
    out.append(frames.ethernet(frames.multicast_mac(frames.solicited_node(OWN6)), PEER_MAC, frames.ETHERTYPE_IPV6,
                               frames.solicitation(frames.address("fd00:77::1:7"), OWN6, PEER_MAC)))
    return out


def repair(frame):
    """Makes the UDP checksum good again, where there is one, so that garbage gets past it."""
    at = 18 if frame[12:14] == b"\x81\0" else 14
    if len(frame) < at + 48:
        return frame
    kind = frame[at - 2:at]
    if kind == b"\x08\0" and frame[at] == 0x45 and frame[at + 9:at + 10] == b"\x11":
        ip = bytearray(frame[at:at + 20])
        ip[2:4] = (len(frame) - at).to_bytes(2, "big")
        ip[10:12] = b"\0\0"
        ip[10:12] = frames.checksum(bytes(ip)).to_bytes(2, "big")
        udp = bytearray(frame[at + 20:])
        udp[4:6] = len(udp).to_bytes(2, "big")
        udp[6:8] = b"\0\0"
        return frame[:at] + bytes(ip) + bytes(udp)
    if kind == b"\x86\xdd" and frame[at + 6:at + 7] == b"\x11":
        head = bytearray(frame[at:at + 40])
        head[4:6] = (len(frame) - at - 40).to_bytes(2, "big")
        udp = bytearray(frame[at + 40:])
        udp[4:6] = len(udp).to_bytes(2, "big")
        udp[6:8] = b"\0\0"
        total = frames.checksum(frames.pseudo(bytes(head[8:24]), bytes(head[24:40]), 17, len(udp)) + bytes(udp))
        udp[6:8] = (total or 0xFFFF).to_bytes(2, "big")
        return frame[:at] + bytes(head) + bytes(udp)
    return frame


def spoil(rng, frame):
    frame = bytearray(frame)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        what = rng.randrange(6)
        at = rng.randrange(12, len(frame)) if len(frame) > 12 else 0
        if what < 2:
            frame[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            frame[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif what == 3:
            del frame[at:at + rng.randrange(1, 40)]
        elif what == 4:
            frame[at:at] = rng.randbytes(rng.randrange(1, 40))
        else:
            del frame[at:]
        if len(frame) < 15:
            frame += rng.randbytes(60)
    return bytes(frame[:1500])


def make(rng, seed_frames):
    kind = rng.randrange(10)
    if kind == 0:
        return rng.randbytes(rng.randrange(15, 300))
    if kind == 1:
        return rng.choice(seed_frames)[:14] + rng.randbytes(rng.randrange(0, 200))
    frame = spoil(rng, rng.choice(seed_frames))
    return repair(frame) if kind > 4 else frame


def wait_for_echo(city, marker):
    """Sends the marker until it comes back, for an appliance under garbage may not hear it; returns how often."""
    sent, end = 0, time.monotonic() + 5
    while time.monotonic() < end:
        city.link.send(marker)
        sent += 1
        again = time.monotonic() + 0.25
        while time.monotonic() < again:
            frame = city.link.receive(max(0, again - time.monotonic()))
            if frame and frame.endswith(b"marker") and frame[:6] == PEER_MAC:
                return sent
    expect(False, "the appliance does not answer any more")


def transmit(city, rng, count):
    """Sends in chunks, each ended by an echo that is answered when all before it were taken; returns the frames sent."""
    sent = 0
    seed_frames = seeds(city)
    peer = city.peer("10.77.9.9")
    marker = peer.packet(frames.ICMP, frames.echo(peer.source, peer.destination, 0xEEEE, 1, b"marker"))
    refreshed = time.monotonic()
    for start in range(0, count, CHUNK):
        for _ in range(min(CHUNK, count - start)):
            city.link.send(make(rng, seed_frames))
        sent += min(CHUNK, count - start) + wait_for_echo(city, marker)
        if time.monotonic() - refreshed > 20:
            seed_frames, refreshed = seeds(city), time.monotonic()
    return sent


@case("random and mutated frames: the process runs, buffers are back, counters balance")
def garbage(city):
    seed = int.from_bytes(os.urandom(4), "big")
    rng = random.Random(seed)
    a = city.appliance
    before, idle = city.settle(), a.info()["buffers_used"]
    began, lost = time.monotonic(), dropped(city.interface)
    try:
        sent = transmit(city, rng, city.frames)
    except Exception:
        print(f"        seed {seed}")
        raise
    after = city.settle()
    city.link.drain()
    expect_equal(after["received"] - before["received"], sent - (dropped(city.interface) - lost), f"received, seed {seed}")
    city.expect_balance(after)
    expect(a.dataplane.running(), "the dataplane ended")
    until(lambda: a.info()["buffers_used"] <= idle, 5, f"buffers are back: {a.info()['buffers_used']}, not {idle}")
    time.sleep(ATTACK_S)
    city.alive()
    rate = city.frames / (time.monotonic() - began - ATTACK_S)
    kinds = sum(after[name] != before[name] for name in after)
    print(f"        {city.frames} frames, {rate:.0f}/s, ended in {kinds} ways, seed {seed}")
