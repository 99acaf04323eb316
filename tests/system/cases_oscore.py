"""OSCORE over the wire: points that are known by their context, and every way not to be."""
import json
import os

from check import case, expect, expect_equal
from formats import (CON, CONTENT_FORMAT, OSCORE, POST, REASONS, URI_PATH, Answer, Message, coap, request, uint)
from oscore import ECHO, Context

OPTIONS = [(URI_PATH, b"v"), (CONTENT_FORMAT, uint(60))]


class Point:
    """A point with a context of its own, at whatever address it is."""

    def __init__(self, city, number, *more, source="192.0.2.50"):
        self.city = city
        city.appliance.chengmen("point", "add", str(number), "--venue", f"gate-{number}", "--class", "hospital",
                                "--oscore", *more)
        city.appliance.wait_in_force()
        exported = city.appliance.chengmen("point", "export", str(number))
        self.context = Context.of_export(json.loads(exported))
        self.peer = city.peer(source)

    def send(self, payload, echo=None, **more):
        options = OPTIONS + ([(ECHO, echo)] if echo else [])
        data, piv = self.context.protect(self.city.next_id(), POST, options, payload, **more)
        return data, self.peer.exchange(data), piv

    def synchronise(self, code):
        """The first request after a start is challenged; the second one carries the challenge."""
        _, message, piv = self.send(request(1, code))
        expect(message is not None, "no challenge")
        inner = self.context.unprotect(message, piv)
        expect_equal(inner.code, "4.01", "code of the challenge")
        echo = inner.option(ECHO)
        expect(echo, "no Echo option in the challenge")
        _, message, piv = self.send(request(1, code), echo=echo)
        return Answer(self.context.unprotect(message, piv).payload)

    def ask(self, code, **evidence):
        _, message, piv = self.send(request(9, code, **evidence))
        expect(message is not None, "no answer")
        expect_equal(message.code, "2.04", "outer code")
        inner = self.context.unprotect(message, piv)
        expect_equal(inner.code, "2.05", "inner code")
        return Answer(inner.payload)


ALGORITHMS = ("AES-CCM-16-64-128", "ChaCha20/Poly1305")


@case("a point with a context is challenged once, then answered, from any address, with both ciphers")
def served(city):
    for number, alg, source in ((301, ALGORITHMS[0], "192.0.2.50"), (302, ALGORITHMS[1], "192.0.2.51"),
                                (303, ALGORITHMS[0], "2001:db8::50")):
        point = Point(city, number, "--oscore-alg", alg, source=source)
        with city.counted(OSCORE_ECHO=1, GREEN=1):
            city.expect_verdict(point.synchronise(city.code()), "ALLOW", "GREEN")
        for _ in range(5):
            city.expect_verdict(point.ask(city.code()), "ALLOW", "GREEN")
        city.expect_verdict(point.ask(city.code(colour=2)), "DENY", "RED")
        point.peer = city.peer("198.51.100.9")
        city.expect_verdict(point.ask(city.code()), "ALLOW", "GREEN")


@case("a retransmission gets the identical bytes; a replay in another message is refused")
def replay(city):
    point = Point(city, 311)
    point.synchronise(city.code())
    data, first, _ = point.send(request(4, city.code()))
    for _ in range(2):
        with city.counted(RETRANSMISSION=1):
            again = point.peer.exchange(data)
        expect_equal(again.raw, first.raw, "answer to a retransmission")
    other = data[:2] + bytes([data[2] ^ 0x55]) + data[3:]
    with city.counted(OSCORE_REPLAY=1):
        message = point.peer.exchange(other)
    expect_equal(message.code, "4.01", "code for a replay")


@case("no single-bit flip of a protected request gets a verdict")
def flips(city):
    point = Point(city, 321)
    point.synchronise(city.code())
    data, _ = point.context.protect(city.next_id(), POST, OPTIONS, request(4, city.code()))
    parsed = Message(data)
    start = len(data) - len(parsed.payload) - len(parsed.option(OSCORE)) - 1
    before = city.settle()
    for bit in range(start * 8, len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        city.link.send(city.peer(f"203.0.{bit // 8 % 200}.7").datagram(bytes(flipped)))
        if bit % 64 == 0:
            city.settle()
    after = city.settle()
    ended = {name for name, _ in REASONS.values() if after[name] != before[name]}
    refusals = {name for name, ending in REASONS.values() if ending in ("DROP", "MESSAGE") or ending.startswith("CODE")}
    expect(ended <= refusals, f"flipped requests ended in {ended - refusals}")
    expect(after["OSCORE_PROTECTION"] + after["SOURCE_BUDGET"] - before["OSCORE_PROTECTION"] - before["SOURCE_BUDGET"] >
           len(parsed.payload) * 7, "flips of the ciphertext are found by its tag")
    message = point.peer.exchange(data)
    expect_equal(message.code, "2.04", "the request itself")


@case("a malformed OSCORE option, an unknown context, a wrong tag, a code of one's own")
def refusals(city):
    point = Point(city, 331)
    point.synchronise(city.code())
    payload = request(4, city.code())
    for option in (b"\xe9\0abcd", b"\x0f" + b"\0" * 7 + b"abcd", b"\x0b\0", b"\x19\x01\x09ab", b"\0"):
        data, _ = point.context.protect(city.next_id(), POST, OPTIONS, payload, option=option)
        with city.counted(OSCORE_FORM=1):
            message = point.peer.exchange(data)
        expect_equal(message.code, "4.02", f"option {option.hex()}")
    data, _ = point.context.protect(city.next_id(), POST, OPTIONS, payload, option=b"\x09\x01nope")
    with city.counted(OSCORE_CONTEXT=1):
        expect_equal(point.peer.exchange(data).code, "4.01", "unknown kid")
    data, _ = point.context.protect(city.next_id(), POST, OPTIONS, payload,
                                    spoil=lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with city.counted(OSCORE_PROTECTION=1):
        expect_equal(point.peer.exchange(data).code, "4.00", "wrong tag")
    city.expect_verdict(point.ask(city.code()), "ALLOW", "GREEN")


@case("inner errors come back protected")
def inner_errors(city):
    point = Point(city, 341)
    point.synchronise(city.code())
    for reason, wanted, method, options, payload in (
            ("REQUEST_FORM", "4.00", POST, OPTIONS, b"\xa0"),
            ("COAP_PATH", "4.04", POST, [(URI_PATH, b"x"), (CONTENT_FORMAT, uint(60))], b"\xa0"),
            ("COAP_METHOD", "4.05", 3, OPTIONS, b"\xa0"),
            ("COAP_CONTENT_FORMAT", "4.15", POST, [(URI_PATH, b"v")], b"\xa0")):
        data, piv = point.context.protect(city.next_id(), method, options, payload)
        with city.counted(**{reason: 1}):
            message = point.peer.exchange(data)
        expect_equal(message.code, "2.04", "outer code")
        expect_equal(point.context.unprotect(message, piv).code, wanted, "inner code")


@case("a point that is removed is refused at once; one that gets a new context is not heard under the old one")
def removed(city):
    point = Point(city, 351)
    point.synchronise(city.code())
    old = point.context
    point = Point(city, 351)
    data, _ = old.protect(city.next_id(), POST, OPTIONS, request(4, city.code()))
    message = point.peer.exchange(data)
    expect(message is None or message.code in ("4.01", "4.00"), "the old context is still heard")
    point.synchronise(city.code())
    city.appliance.chengmen("point", "remove", "351")
    city.appliance.wait_in_force()
    data, _ = point.context.protect(city.next_id(), POST, OPTIONS, request(4, city.code()))
    with city.counted(OSCORE_CONTEXT=1):
        expect_equal(point.peer.exchange(data).code, "4.01", "removed point")


@case("after a restart of the dataplane the first request is challenged again, and no old one is taken")
def restart(city):
    point = Point(city, 361)
    point.synchronise(city.code())
    data, _, _ = point.send(request(4, city.code()))
    city.note_counters()
    city.appliance.dataplane.kill()
    city.start_dataplane()
    with city.counted(OSCORE_ECHO=1, GREEN=1):
        city.expect_verdict(point.synchronise(city.code()), "ALLOW", "GREEN")
    with city.counted(OSCORE_REPLAY=1):
        expect_equal(point.peer.exchange(data[:2] + b"\x77\x77" + data[4:]).code, "4.01", "an old request")


@case("errors that nobody authentic asked for stop after a few from one place, and others are still heard")
def source_budget(city):
    point = Point(city, 371)
    point.synchronise(city.code())
    before = city.settle()
    answered = 0
    for _ in range(60):
        data = coap(CON, POST, city.next_id(), b"\1", [(OSCORE, b"\x09\x01gone")], os.urandom(40))
        answered += city.peer("198.18.0.9").exchange(data, 0.02) is not None
    after = city.settle()
    expect(0 < answered < 60, f"{answered} of 60 answered")
    expect_equal(after["SOURCE_BUDGET"] - before["SOURCE_BUDGET"], 60 - answered, "SOURCE_BUDGET")
    city.expect_verdict(point.ask(city.code()), "ALLOW", "GREEN")
