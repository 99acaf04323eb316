"""OSCORE bit by bit: no flipped request is taken, malformed options are refused, inner errors come back protected."""
import os

from cases_oscore_life import Point, provision
from check import case, expect, expect_equal
from formats import CONTENT_FORMAT, OSCORE, POST, PUT, REASONS, URI_PATH, Message, request, uint
from oscore_point import POST_V


def point_of(city, number):
    point = Point(city, provision(city, number))
    point.synchronise()
    return point


@case("no single-bit flip of a protected request gets a verdict")
def flips(city):
    point = point_of(city, 721)
    data, piv = point.context.protect(city.next_id(), request(4, city.code()), b"\1")
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
    found = sum(after[name] - before[name] for name in ("OSCORE_PROTECTION", "SOURCE_BUDGET"))
    expect(found > len(parsed.payload) * 7, "flips of the ciphertext are found by its tag")
    inner = point.context.unprotect(point.send(data), piv)
    expect_equal(inner and inner.code, "2.05", "the request itself, unflipped")


@case("malformed OSCORE options: 4.02")
def option_form(city):
    point = point_of(city, 722)
    for option in (b"\xe9\0abcd", b"\x0f" + b"\0" * 7 + b"abcd", b"\x0b\0", b"\x19\x01\x09ab", b"\0"):
        data, _ = point.context.protect(city.next_id(), request(4, city.code()), b"\1", option=option)
        with city.counted(OSCORE_FORM=1):
            expect_equal(point.send(data).code, "4.02", f"option {option.hex()}")


INNER = (("REQUEST_FORM", "4.00", POST, POST_V), ("COAP_METHOD", "4.05", PUT, POST_V),
         ("COAP_PATH", "4.04", POST, ((URI_PATH, b"x"), (CONTENT_FORMAT, uint(60)))),
         ("COAP_CONTENT_FORMAT", "4.15", POST, ((URI_PATH, b"v"),)))


@case("inner errors come back protected")
def inner_errors(city):
    point = point_of(city, 723)
    for reason, wanted, code, options in INNER:
        data, piv = point.context.protect(city.next_id(), b"\xa0", os.urandom(4), code=code, options=options)
        with city.counted(**{reason: 1}):
            message = point.send(data)
        expect_equal(message.code, "2.04", "outer code")
        expect_equal(point.context.unprotect(message, piv).code, wanted, "inner code")
