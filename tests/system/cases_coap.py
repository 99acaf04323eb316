"""CoAP messages: every answer and error, retransmissions, types."""
import os

from check import case, expect, expect_equal
from city import VLAN
from formats import (ACCEPT, ACK, CON, CONTENT_FORMAT, DELETE, GET, MAX_AGE, NON, OSCORE, POST, PUT, RST, URI_HOST,
                     URI_PATH, URI_QUERY, Answer, coap, code, post_v, request, uint)

PATH = [(URI_PATH, b"v")]
CBOR = [(CONTENT_FORMAT, uint(60))]
PEERS = (("10.77.1.1", None), ("fd00:77::1:7", None), ("10.78.1.8", VLAN), ("fd00:78::1:9", VLAN))


def refused(city, reason, wanted, data, source="10.77.1.1"):
    """The message gets this error code, in an ACK with its id and token where it is confirmable."""
    peer = city.peer(source)
    with city.counted(**{reason: 1}):
        message = peer.exchange(data)
    expect(message is not None, f"no answer, {wanted} expected")
    expect_equal(message.code, wanted, "code")
    token = data[4:4 + (data[0] & 15)]
    expect_equal(message.token, token, "token")
    if data[0] >> 4 & 3 == CON:
        expect_equal((message.kind, message.id), (ACK, int.from_bytes(data[2:4], "big")), "type and id")
    else:
        expect_equal(message.kind, NON, "type")
    return message


def both(city, reason, wanted, make):
    """As a confirmable and as a non-confirmable message."""
    for kind in (CON, NON):
        refused(city, reason, wanted, make(kind, city.next_id()))


@case("a confirmable request is answered in its ACK, a non-confirmable in a NON, in both families and VLANs")
def types(city):
    for source, vlan in PEERS:
        for kind in (CON, NON):
            answer = city.peer(source, vlan=vlan).ask(city.code(), kind=kind)
            city.expect_verdict(answer, "ALLOW", "GREEN")


@case("a ping gets a Reset; an empty NON, an ACK, an RST and responses get nothing")
def ping(city):
    for source, vlan in PEERS:
        with city.counted(COAP_PING=1):
            message = city.peer(source, vlan=vlan).exchange(coap(CON, 0, 0x1234))
        expect_equal((message.raw), b"\x70\0\x12\x34", "Reset")
    peer = city.peer()
    city.expect_dropped(peer.datagram(coap(NON, 0, 1)), "COAP_TYPE")
    for kind in (ACK, RST):
        for method in (0, POST, code("2.05"), code("4.04")):
            city.expect_dropped(peer.datagram(coap(kind, method, 1)), "COAP_TYPE")
    for response in ("2.05", "4.00", "5.03"):
        city.expect_dropped(peer.datagram(coap(NON, code(response), 1)), "COAP_TYPE")


@case("too short and other versions are ignored")
def short(city):
    for size in range(4):
        city.expect_dropped(city.peer().datagram(b"\x40\x02\x01"[:size]), "COAP_SHORT")
    for version in (0, 2, 3):
        city.expect_dropped(city.peer().datagram(coap(CON, POST, 1, options=PATH, version=version)), "COAP_VERSION")


MALFORMED = [
    b"\x49\x02\x12\x34" + b"\0" * 9,      # token of 9
    b"\x44\x02\x12\x34\x01",              # token cut
    b"\x40\x02\x12\x34\xf1\x41",          # option delta 15
    b"\x40\x02\x12\x34\xbf",              # option length 15
    b"\x40\x02\x12\x34\xb5v",             # option value cut
    b"\x40\x02\x12\x34\xd1",              # extended delta cut
    b"\x40\x02\x12\x34\xb1v\xff",         # marker without payload
    b"\x40\x00\x12\x34\x01",              # empty message with bytes
    b"\x40\x22\x12\x34",                  # reserved class 1
    b"\x40\xe2\x12\x34",                  # reserved class 7
]


@case("malformed confirmable messages are rejected, malformed others ignored")
def malformed(city):
    for data in MALFORMED:
        with city.counted(COAP_FORMAT=1):
            message = city.peer().exchange(data)
        expect(message is not None, "no answer")
        expect(message.kind == RST or message.code == "4.00", f"answer is {message.kind} {message.code}")
        expect_equal(message.id, 0x1234, "id")
        city.expect_dropped(city.peer().datagram(bytes([data[0] | 0x10]) + data[1:]), "COAP_NOT_CONFIRMABLE")


@case("4.02: critical options that are not understood, or stand twice")
def options(city):
    for number in (1, 5, 13, 65001):
        both(city, "COAP_OPTION", "4.02",
             lambda kind, at, n=number: post_v(at, b"\xa0", kind, more=[(n, b"\x01")]))
    both(city, "COAP_OPTION", "4.02", lambda kind, at: post_v(at, b"\xa0", kind, more=[(ACCEPT, b"\x3c")] * 2))
    both(city, "COAP_OPTION", "4.02", lambda kind, at: post_v(at, b"\xa0", kind, more=[(URI_QUERY, b"a=b")]))


@case("5.05: it is no proxy")
def proxy(city):
    for number in (35, 39):
        both(city, "COAP_PROXY", "5.05", lambda kind, at, n=number: post_v(at, b"\xa0", kind, more=[(n, b"coap://x/")]))


@case("elective options that are not understood are passed over")
def elective(city):
    code_ = city.code()
    for number in (2, 4, 60, 258, 65000):
        message = city.peer().exchange(post_v(city.next_id(), request(1, code_), more=[(number, b"x")]))
        expect_equal(message.code, "2.05", f"option {number}")


@case("4.04: other paths")
def path(city):
    for parts in ((), (b"w",), (b"v", b""), (b"v", b"v"), (b"",), (b"V",), (b".well-known",), (b"x" * 255,)):
        both(city, "COAP_PATH", "4.04", lambda kind, at, p=parts: post_v(at, b"\xa0", kind, path=p))


@case("4.05: other methods")
def method(city):
    for number in (GET, PUT, DELETE, 5, 6, 7, 31):
        both(city, "COAP_METHOD", "4.05", lambda kind, at, n=number: coap(kind, n, at, b"\x07", PATH + CBOR, b"\xa0"))


@case("4.06: no other content format is to be had")
def accept(city):
    both(city, "COAP_ACCEPT", "4.06", lambda kind, at: post_v(at, b"\xa0", kind, more=[(ACCEPT, uint(50))]))
    message = city.peer().exchange(post_v(city.next_id(), request(1, city.code()), more=[(ACCEPT, uint(60))]))
    expect_equal(message.code, "2.05", "Accept 60")


@case("4.13: payloads above the limit")
def too_large(city):
    both(city, "COAP_TOO_LARGE", "4.13", lambda kind, at: post_v(at, b"\x41" * 1401, kind))
    refused(city, "REQUEST_FORM", "4.00", post_v(city.next_id(), b"\x41" * 1400))


@case("4.15: another or no content format")
def content_format(city):
    for other in (0, 42, 50, 61, None):
        both(city, "COAP_CONTENT_FORMAT", "4.15",
             lambda kind, at, o=other: post_v(at, b"\xa0", kind, content_format=o))


BAD_REQUESTS = [
    b"", b"\xa0", b"\xff", b"\x80", b"\xbf\xff",
    bytes.fromhex("a101"),                      # cut
    bytes.fromhex("a1010200"),                  # bytes behind
    bytes.fromhex("a20101010202"),              # cut and twice
    bytes.fromhex("a2010101020240"),            # label twice
    bytes.fromhex("a101190001"),                # not the shortest form
    bytes.fromhex("a1011b0000000100000000"),    # id above 32 bits
    bytes.fromhex("a1010120"),                  # bytes behind
    bytes.fromhex("a10120"),                    # negative id
    bytes.fromhex("a1016131"),                  # id is text
    bytes.fromhex("a2010109f6"),                # unknown label
    bytes.fromhex("a201010204"),                # code is a number
    bytes.fromhex("a1f60101"),                  # label is null
    bytes.fromhex("a2010104a10119ffff") + b"",  # 655.35 degrees
    bytes.fromhex("a2010104a10960"),            # unknown evidence
    bytes.fromhex("a2010104a10401"),            # consent is a number
    bytes.fromhex("a2010104a10360"),            # empty text
    bytes.fromhex("a20101024101ff"),
    b"\xa2\x01\x01\x02" + b"\x81" * 40 + b"\x01",  # nested
    bytes.fromhex("a201010262c328"),            # text is not UTF-8
    bytes.fromhex("a20101025f4101ff"),          # indefinite length
    bytes.fromhex("a2010102f93c00"),            # a float
    bytes.fromhex("a20101025bffffffffffffffff"),  # endless bytes
]


@case("4.00: requests that are not in the agreed form")
def form(city):
    for payload in BAD_REQUESTS:
        if payload == bytes.fromhex("a2010104a10119ffff"):
            payload = bytes.fromhex("a2010104a1011a000f4240")  # 10,000 degrees
        refused(city, "REQUEST_FORM", "4.00", post_v(city.next_id(), payload))


@case("4.01: plain CoAP from addresses that are no point's, and from outside the trusted networks")
def unknown_point(city):
    payload = request(1, city.code())
    for source in ("10.77.1.200", "fd00:77::200", "192.0.2.1", "2001:db8::1"):
        refused(city, "POINT_UNKNOWN", "4.01", post_v(city.next_id(), payload), source)


@case("resource discovery in link format")
def discovery(city):
    data = coap(CON, GET, city.next_id(), b"\x01", [(URI_PATH, b".well-known"), (URI_PATH, b"core")])
    with city.counted(COAP_DISCOVERY=1):
        message = city.peer().exchange(data)
    expect_equal((message.code, message.option(CONTENT_FORMAT)), ("2.05", uint(40)), "answer")
    expect(b"</v>" in message.payload, f"links: {message.payload}")
    refused(city, "COAP_METHOD", "4.05",
            coap(CON, POST, city.next_id(), b"\x01", [(URI_PATH, b".well-known"), (URI_PATH, b"core")]))


@case("a retransmission gets the identical bytes and is judged once")
def retransmission(city):
    for source, vlan in PEERS:
        peer = city.peer(source, vlan=vlan)
        for kind in (CON, NON):
            data = post_v(city.next_id(), request(5, city.code()), kind, os.urandom(8))
            first = peer.exchange(data)
            for _ in range(3):
                with city.counted(RETRANSMISSION=1):
                    again = peer.exchange(data)
                expect_equal(again.raw, first.raw, "answer to a retransmission")
            expect_equal(Answer(first.payload).reason, "GREEN", "reason")


@case("a message that comes twice in one burst is judged and answered once")
def twice_at_once(city):
    before = city.settle()
    for _ in range(200):
        frame = city.peer().datagram(post_v(city.next_id(), request(5, city.code()), token=os.urandom(8)))
        city.link.send(frame)
        city.link.send(frame)
    after = city.settle()
    city.link.drain()
    again = sum(after[name] - before[name] for name in ("RETRANSMISSION", "RETRANSMISSION_PENDING"))
    expect_equal((after["GREEN"] - before["GREEN"], again), (200, 200), "judged and repeated")
    expect(after["RETRANSMISSION_PENDING"] > before["RETRANSMISSION_PENDING"], "no two came in one burst")


@case("errors are retransmitted as well; another port or another byte is another message")
def retransmission_differs(city):
    data = post_v(city.next_id(), b"\xa0")
    first = city.peer().exchange(data)
    with city.counted(RETRANSMISSION=1):
        expect_equal(city.peer().exchange(data).raw, first.raw, "answer")
    with city.counted(REQUEST_FORM=1):
        city.peer(port=40001).exchange(data)
    good = request(5, city.code())
    at = city.next_id()
    one = city.peer().exchange(post_v(at, good, token=b"\x01"))
    with city.counted(GREEN=1):
        two = city.peer().exchange(post_v(at, good, token=b"\x02"))
    expect((one.token, two.token) == (b"\x01", b"\x02"), "tokens are mixed up")


@case("who is not trusted never gets more bytes than he sent, whatever he sent")
def amplification(city):
    shortest = [coap(CON, GET, city.next_id()), coap(CON, POST, city.next_id(), options=PATH),
                coap(CON, PUT, city.next_id(), options=PATH), coap(CON, 0, city.next_id()),
                coap(NON, POST, city.next_id(), options=PATH + CBOR, payload=b"\xa0")]
    for data in shortest:
        message = city.peer("192.0.2.9").exchange(data, 0.3)
        expect(message is None or len(message.raw) <= len(data), lambda: f"{len(message.raw)} bytes for {len(data)}")
