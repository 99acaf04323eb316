"""Credentials: what is accepted, and every reason to refuse one. Nothing signed wrongly is ever an ALLOW."""
import os
import time

import cbor2

from check import case, expect, expect_equal
from formats import (DELEGATED, DYNAMIC, ENTERPRISE, PRINTED, RED, TYP_RULES, TYP_STATUS_LIST, VENUE_PASS, YELLOW,
                     Answer, Key, claims, credential, post_v, request, sign1, text_of)


def refusal(city, reason, code, verdict="DENY", **evidence):
    with city.counted(**{reason: 1}):
        answer = city.peer().ask(code, **evidence)
    city.expect_verdict(answer, verdict, reason)
    return answer


@case("each form of a good credential is accepted: tags, kid in either header, both algorithms, text and raw")
def accepted(city):
    for tags in ((), (18,), (61, 18)):
        for alg in (-8, -19):
            for unprotected in (False, True):
                code = city.code(cose={"tags": tags, "alg": alg, "kid_unprotected": unprotected})
                for form in (code, text_of(code)):
                    city.expect_verdict(city.peer().ask(form), "ALLOW", "GREEN")


@case("map entries in any order, unknown city claims and unknown claims are accepted")
def order(city):
    value = claims()
    city_claims = dict(reversed(list(value.pop(-65537).items())))
    city_claims[99] = [1, {"a": b"x"}]
    value = dict(reversed(list({-65537: city_claims, **value, 70000: "x"}.items())))
    city.expect_verdict(city.peer().ask(sign1(city.keys["shanghai"], cbor2.dumps(value))), "ALLOW", "GREEN")


@case("what is shown is no city code")
def text(city):
    good = text_of(city.code())
    for shown in ("hello", "SC2" + good[3:], "sc1" + good[3:], good[4:], " " + good, "SC1:" + good[4:].lower(),
                  good + "=", "SC1::::", "SC1:0", good[:-1] + "é"):
        refusal(city, "CREDENTIAL_TEXT", shown)
    for shown in ("SC1:", "SC1:BB8", "SC1:UJCLQE7W581"):
        refusal(city, "CREDENTIAL_FORM", shown)


@case("malformed CBOR and COSE")
def form(city):
    good = city.code()
    body = good[1:]
    protected = cbor2.loads(body)[0]
    parts = cbor2.loads(body)
    refusal(city, "CREDENTIAL_FORM", good[:-1])
    refusal(city, "CREDENTIAL_FORM", good + b"\0")
    refusal(city, "CREDENTIAL_FORM", b"\xd1" + body)
    refusal(city, "CREDENTIAL_FORM", b"\xd2" + good)
    refusal(city, "CREDENTIAL_FORM", cbor2.dumps(parts[:3]))
    refusal(city, "CREDENTIAL_FORM", cbor2.dumps(parts + [b""]))
    refusal(city, "CREDENTIAL_FORM", cbor2.dumps([protected, {}, None, parts[3]]))
    refusal(city, "CREDENTIAL_FORM", cbor2.dumps([protected, {}, parts[2], parts[3][:63]]))
    refusal(city, "CREDENTIAL_FORM", cbor2.dumps([protected, {1: -8}, parts[2], parts[3]]))
    refusal(city, "CREDENTIAL_FORM", cbor2.dumps([b"", {}, parts[2], parts[3]]))
    refusal(city, "CREDENTIAL_FORM", b"\x9f" + body[1:] + b"\xff")
    key = city.keys["shanghai"]
    refusal(city, "CREDENTIAL_FORM", city.code(cose={"header": {1: -8, 16: 65000}}))
    refusal(city, "CREDENTIAL_FORM", city.code(cose={"kid": b"1234567"}))
    refusal(city, "CREDENTIAL_FORM", city.code(cose={"header": {1: -8, 4: key.kid, 16: 65000, 2: [16]}}))


@case("signed for another use, or by another algorithm")
def use(city):
    for typ in (TYP_STATUS_LIST, TYP_RULES, 0, None, "application/cwt"):
        refusal(city, "CREDENTIAL_TYPE", city.code(cose={"typ": typ}))
    for alg in (-7, -35, 0, 8, -9):
        refusal(city, "CREDENTIAL_ALGORITHM", city.code(cose={"alg": alg}))


@case("claims that are missing, of the wrong form, or not allowed for the class")
def claim(city):
    def refuse(kind=DYNAMIC, **change):
        answer = city.peer().ask(city.code("shanghai", kind, **change))
        expect(answer.verdict == "DENY" and answer.reason in ("CREDENTIAL_CLAIMS", "CREDENTIAL_FORM"),
               f"{kind} {change}: {answer}")
    key = city.keys["shanghai"]
    for change in ({"sub": None}, {"exp": None}, {"iat": None}, {"class_": None}, {"cti": None}):
        with city.counted(CREDENTIAL_CLAIMS=1):
            refuse(**change)
    value = claims()
    del value[1]
    refusal(city, "CREDENTIAL_CLAIMS", sign1(key, cbor2.dumps(value)))
    value = claims()
    del value[-65537]
    refusal(city, "CREDENTIAL_CLAIMS", sign1(key, cbor2.dumps(value)))
    for change in ({"sub": b"short"}, {"sub": "0" * 16}, {"cti": b"1234567"}, {"exp": "tomorrow"}, {"exp": -1},
                   {"iat": 1.5}, {"class_": 5}, {"class_": -1}, {"colour": 3}, {"region": -1}, {"region": "310101"},
                   {"iss": ""}, {"iss": "X" * 33}, {"delegate": b"x"}, {"needs_id": 1}, {"roles": ["x"] * 9},
                   {"roles": "driver"}, {"status": {"status_list": {"idx": 1}}},
                   {"status": {"status_list": {"uri": "x"}}}, {"status": []}):
        refuse(**change)
    refuse(PRINTED, colour=0)
    refuse(PRINTED, cti=b"12345678")
    refuse(DELEGATED, cti=None)
    payload = cbor2.dumps(claims())
    count = payload[0] & 31
    twice = bytes([payload[0] + 1]) + payload[1:] + b"\x06\x00"
    expect(count == 6, "a dynamic credential has six claims")
    refusal(city, "CREDENTIAL_FORM", sign1(key, twice))


@case("keys: unknown, retired, not valid yet, expired, for another use")
def key(city):
    refusal(city, "KEY_UNKNOWN", credential(Key("CN-310000")))
    for reason, name in (("KEY_RETIRED", "retired"), ("KEY_NOT_YET", "not_yet"), ("KEY_EXPIRED", "expired"),
                         ("KEY_USE", "lists")):
        refusal(city, reason, city.code(name))


@case("scope: issuer, region, class")
def scope(city):
    refusal(city, "SCOPE_ISSUER", city.code("jiangsu", issuer="CN-310000"))
    refusal(city, "SCOPE_ISSUER", city.code("shanghai", issuer="CN-31000"))
    for region in (320000, 320101, 300000, 0, 310, 309999, 320000, None):
        refusal(city, "SCOPE_REGION", city.code(region=region))
    for region in (310000, 310100, 310101, 319999):
        city.expect_verdict(city.peer().ask(city.code(region=region)), "ALLOW", "GREEN")
    refusal(city, "SCOPE_CLASS", city.code("printed_only"))
    answer = city.peer().ask(city.code("printed_only", PRINTED), id_checked=True)
    expect(answer.reason not in ("SCOPE_CLASS", "SIGNATURE"), answer.reason)


@case("forged: another key's signature, S above the group's order, R and S zero")
def forged(city):
    imposter = Key("CN-310000", kid=city.keys["shanghai"].kid)
    refusal(city, "SIGNATURE", credential(imposter))
    good = city.code()
    order = 2 ** 252 + 27742317777372353535851937790883648493
    s = int.from_bytes(good[-32:], "little")
    refusal(city, "SIGNATURE", good[:-32] + (s + order).to_bytes(32, "little"))
    refusal(city, "SIGNATURE", good[:-64] + bytes(64))
    refusal(city, "SIGNATURE", good[:-64] + b"\x01" + bytes(63))
    refusal(city, "SIGNATURE", good[:-64] + b"\xff" * 64)
    other = city.code()
    refusal(city, "SIGNATURE", good[:-64] + other[-64:])


@case("times: expired, issued in the future, a life longer than the class allows, not before")
def times(city):
    now = int(time.time())
    refusal(city, "EXPIRED", city.code(now=now - 61))
    refusal(city, "EXPIRED", city.code(iat=now - 30, exp=now))
    refusal(city, "FUTURE", city.code(now=now + 60))
    refusal(city, "FUTURE", city.code(now=now + 10))
    refusal(city, "FUTURE", city.code(nbf=now + 30))
    city.expect_verdict(city.peer().ask(city.code(now=now + 3)), "ALLOW", "GREEN")
    city.expect_verdict(city.peer().ask(city.code(now=now - 55)), "ALLOW", "GREEN")
    refusal(city, "LIFETIME", city.code(iat=now, exp=now + 61))
    refusal(city, "LIFETIME", city.code("shanghai", PRINTED, iat=now, exp=now + 180 * 86400 + 1))
    refusal(city, "LIFETIME", city.code("shanghai", ENTERPRISE, iat=now, exp=now + 366 * 86400 + 1))
    refusal(city, "LIFETIME", city.code(iat=0, exp=2 ** 36))
    refusal(city, "CREDENTIAL_CLAIMS", city.code(iat=now, exp=now - 1))


@case("yellow and red are not allowed in")
def colours(city):
    for colour in (YELLOW, RED):
        answer = city.peer().ask(city.code(colour=colour))
        expect(answer.verdict not in ("ALLOW", "ALLOW_WITH_OBLIGATIONS"), f"{answer}")
        expect_equal(answer.colour, ("green", "yellow", "red")[colour], "colour")


@case("a venue pass that does not verify, has ended, or is for another venue")
def venue_pass(city):
    ask = city.peer("10.77.1.2").ask
    now = int(time.time())
    good = city.code("shanghai", VENUE_PASS)
    bad = [good[:-1] + bytes([good[-1] ^ 1]), good[:-1], city.code(), credential(Key("CN-310000"), VENUE_PASS),
           city.code("shanghai", VENUE_PASS, venue="garden"), city.code("shanghai", VENUE_PASS, now=now - 31 * 86400),
           city.code("shanghai", VENUE_PASS, now=now + 86400), city.code("retired", VENUE_PASS), b"x",
           city.code("shanghai", VENUE_PASS, cose={"typ": TYP_RULES})]
    for shown in bad:
        with city.counted(PASS_INVALID=1):
            answer = ask(city.code(), **{"pass": shown})
        city.expect_verdict(answer, "DENY", "PASS_INVALID")
    city.expect_verdict(ask(city.code()), "NEED_EVIDENCE", "PASS_MISSING")
    city.expect_verdict(ask(city.code(), **{"pass": good}), "ALLOW", "GREEN")


@case("every single bit of a signed credential matters: none flipped is an ALLOW")
def bit_flips(city):
    good = city.code()
    peer = city.peer()
    before = city.settle()
    asked, unanswered = 0, []
    for bit in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        asked += 1
        message = peer.exchange(post_v(city.next_id(), request(asked, bytes(flipped)), token=os.urandom(4)))
        if message is None or message.code != "2.05":
            unanswered.append(bit)
            continue
        answer = Answer(message.payload)
        expect(answer.verdict == "DENY", lambda: f"bit {bit}: {answer}")
    expect(not unanswered, f"no verdict for flips of {unanswered}")
    after = city.settle()
    expect_equal(after["received"] - before["received"], asked, "received")
    expect(after["SIGNATURE"] - before["SIGNATURE"] > 64 * 8 - 1, "flips in the signature are found by its check")
    city.expect_verdict(peer.ask(good), "ALLOW", "GREEN")
