"""The formats on the wire, written a second time: base45, COSE, CWT, CoAP, requests and answers.

Independent of the project's C code on purpose: cbor2 and cryptography do the work, so that a mistake in the C code is
not made here as well.
"""
import os
import re
import struct
import time

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

TYP_CREDENTIAL, TYP_STATUS_LIST, TYP_RULES = 65000, 65001, 65002
DYNAMIC, PRINTED, DELEGATED, ENTERPRISE, VENUE_PASS = range(5)
LIFE_S = {DYNAMIC: 60, PRINTED: 180 * 86400, DELEGATED: 60, ENTERPRISE: 365 * 86400, VENUE_PASS: 30 * 86400}
GREEN, YELLOW, RED, UNKNOWN = range(4)
VERDICTS = ["ALLOW", "ALLOW_WITH_OBLIGATIONS", "NEED_EVIDENCE", "REFER", "DENY", "RETRY"]
COLOURS = ["green", "yellow", "red", "unknown"]

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def reasons():
    """{number: (name, ending)} of dataplane/reasons.def."""
    text = open(os.path.join(ROOT, "dataplane", "reasons.def"), encoding="utf-8").read()
    rows = re.findall(r"^REASON\((\d+), (\w+), (\w+),", text, re.M)
    return {int(number): (name, ending) for number, name, ending in rows}


def obligations():
    text = open(os.path.join(ROOT, "dataplane", "obligations.def"), encoding="utf-8").read()
    return {int(number): name for number, name in re.findall(r"^OBLIGATION\((\d+), (\w+),", text, re.M)}


REASONS = reasons()
OBLIGATIONS = obligations()

# base45 (RFC 9285)

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def base45_encode(data):
    out = []
    for i in range(0, len(data) - 1, 2):
        value = data[i] << 8 | data[i + 1]
        out += [value % 45, value // 45 % 45, value // 2025]
    if len(data) % 2:
        out += [data[-1] % 45, data[-1] // 45]
    return "".join(ALPHABET[digit] for digit in out)


def base45_decode(text):
    digits = [ALPHABET.index(character) for character in text]
    out = bytearray()
    for i in range(0, len(digits), 3):
        group = digits[i:i + 3]
        if len(group) == 1:
            raise ValueError("base45 length")
        value = sum(digit * 45 ** place for place, digit in enumerate(group))
        if value >= 1 << 8 * (len(group) - 1):
            raise ValueError("base45 value")
        out += value.to_bytes(len(group) - 1, "big")
    return bytes(out)


# COSE_Sign1 and CWT (RFC 9052, RFC 8392)


class Key:
    """An issuer's signing key, with what the trust list says of it."""

    def __init__(self, issuer, kid=None, use="credential", seed=None, **member):
        self.secret = Ed25519PrivateKey.from_private_bytes(seed) if seed else Ed25519PrivateKey.generate()
        self.issuer = issuer
        self.kid = kid or os.urandom(8)
        self.use = use
        self.member = member

    @property
    def public(self):
        return self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def seed(self):
        return self.secret.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())

    def jwk(self):
        from base64 import urlsafe_b64encode
        x = urlsafe_b64encode(self.public).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid.hex(), "iss": self.issuer, "use": self.use,
                **self.member}


def sign1(key, payload, typ=TYP_CREDENTIAL, alg=-8, kid_unprotected=False, tags=(18,), kid=None, header=None):
    if header is None:
        header = {1: alg, 4: kid or key.kid, 16: typ}
        header = {label: value for label, value in header.items() if value is not None}
    unprotected = {}
    if kid_unprotected:
        unprotected[4] = header.pop(4)
    protected = cbor2.dumps(header)
    signature = key.secret.sign(cbor2.dumps(["Signature1", protected, b"", payload]))
    message = cbor2.dumps([protected, unprotected, payload, signature])
    for tag in reversed(tags):
        message = {18: b"\xd2", 61: b"\xd8\x3d"}[tag] + message
    return message


_made = 0


def claims(issuer="CN-310000", kind=DYNAMIC, now=None, **change):
    """Claims of a good credential of that class. A change replaces a claim; None takes it out."""
    global _made
    now = int(time.time()) if now is None else now
    city = {1: kind, 2: 310101, 3: GREEN}
    out = {1: issuer, 2: os.urandom(16), 4: now + LIFE_S[kind], 6: now}
    if kind in (DYNAMIC, DELEGATED):
        _made += 1
        out[7] = struct.pack(">II", os.getpid(), _made)
    else:
        del city[3]
    if kind == DELEGATED:
        city[6] = os.urandom(8)
    if kind == VENUE_PASS:
        city[9] = "tower"
    names = {"iss": 1, "sub": 2, "exp": 4, "nbf": 5, "iat": 6, "cti": 7, "status": 65535}
    city_names = {"class_": 1, "region": 2, "colour": 3, "proofing": 4, "needs_id": 5, "delegate": 6, "photo": 7,
                  "roles": 8, "venue": 9, "arrival": 10, "occupation": 11, "extension": 99}
    for name, value in change.items():
        place, label = (out, names[name]) if name in names else (city, city_names[name])
        if value is None:
            place.pop(label, None)
        else:
            place[label] = value
    out[-65537] = city
    return out


def credential(key, kind=DYNAMIC, now=None, issuer=None, cose=None, **change):
    return sign1(key, cbor2.dumps(claims(issuer or key.issuer, kind, now, **change)), **(cose or {}))


def text_of(cose):
    return "SC1:" + base45_encode(cose)


def status_reference(index, uri):
    return {"status_list": {"idx": index, "uri": uri}}


# The request and its answer (design section 4)

EVIDENCE = {"temperature": 1, "pass": 2, "sms": 3, "consent": 4, "id_checked": 5, "mask": 6, "registered": 7, "form": 8}


def request(number, code, time_s=None, direction=None, flags=None, **evidence):
    out = {1: number}
    if code is not None:
        out[2] = code
    if time_s is not None:
        out[3] = time_s
    if evidence:
        out[4] = {EVIDENCE[name]: value for name, value in evidence.items()}
    if direction is not None:
        out[6] = direction
    if flags is not None:
        out[7] = flags
    return cbor2.dumps(out)


class Answer:
    """A verdict as the appliance sent it; raises ValueError where it is not in the agreed form."""

    def __init__(self, payload):
        value = cbor2.loads(payload)
        if cbor2.dumps(value, canonical=True) != payload:
            raise ValueError("answer is not deterministic CBOR: " + payload.hex())
        if not {1, 2, 3, 4, 6, 7} <= set(value) <= set(range(1, 11)):
            raise ValueError(f"answer has members {sorted(value)}")
        self.id = value[1]
        self.verdict = VERDICTS[value[2]]
        self.colour = COLOURS[value[3]]
        self.reason = REASONS[value[4]][0]
        self.obligations = [OBLIGATIONS[number] for number in value.get(5, [])]
        self.ruleset, self.status_age = value[6], value[7]
        self.until, self.decision, self.rule = value.get(8), value.get(9), value.get(10)

    def __repr__(self):
        return f"{self.verdict} {self.reason} {self.colour} {self.obligations} rule {self.rule}"


# CoAP (RFC 7252)

CON, NON, ACK, RST = range(4)
GET, POST, PUT, DELETE, FETCH = 1, 2, 3, 4, 5
URI_HOST, URI_PATH, CONTENT_FORMAT, MAX_AGE, URI_QUERY, ACCEPT, OSCORE = 3, 11, 12, 14, 15, 17, 9


def code(text):
    whole, detail = text.split(".")
    return int(whole) << 5 | int(detail)


def uint(value):
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _nibble(value):
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes([value - 13])
    return 14, struct.pack(">H", value - 269)


def coap_options(options):
    out, last = b"", 0
    for number, value in sorted(options, key=lambda option: option[0]):
        delta, more_delta = _nibble(number - last)
        length, more_length = _nibble(len(value))
        out += bytes([delta << 4 | length]) + more_delta + more_length + value
        last = number
    return out


def coap(kind, method, message_id, token=b"", options=(), payload=b"", version=1):
    head = struct.pack(">BBH", version << 6 | kind << 4 | len(token), method, message_id)
    return head + token + coap_options(options) + (b"\xff" + payload if payload else b"")


def post_v(message_id, payload, kind=CON, token=b"\x01\x02", more=(), path=(b"v",), content_format=60):
    options = [(URI_PATH, part) for part in path] + list(more)
    if content_format is not None:
        options.append((CONTENT_FORMAT, uint(content_format)))
    return coap(kind, POST, message_id, token, options, payload)


class Message:
    """A CoAP message taken apart; raises ValueError where it is malformed."""

    def __init__(self, data):
        if len(data) < 4:
            raise ValueError("CoAP message below 4 bytes")
        first, self.code_number, self.id = struct.unpack(">BBH", data[:4])
        if first >> 6 != 1:
            raise ValueError("CoAP version")
        self.kind, length = first >> 4 & 3, first & 15
        if length > 8 or len(data) < 4 + length:
            raise ValueError("CoAP token")
        self.token, rest = data[4:4 + length], data[4 + length:]
        self.options, self.payload = coap_parse_options(rest)

    @property
    def code(self):
        return f"{self.code_number >> 5}.{self.code_number & 31:02d}"

    def option(self, number):
        return next((value for at, value in self.options if at == number), None)


def _take(nibble, rest):
    if nibble == 13:
        return rest[0] + 13, rest[1:]
    if nibble == 14:
        return struct.unpack(">H", rest[:2])[0] + 269, rest[2:]
    if nibble == 15:
        raise ValueError("CoAP option nibble 15")
    return nibble, rest


def coap_parse_options(rest):
    options, number = [], 0
    while rest and rest[0] != 0xFF:
        first, rest = rest[0], rest[1:]
        delta, rest = _take(first >> 4, rest)
        length, rest = _take(first & 15, rest)
        number += delta
        if length > len(rest):
            raise ValueError("CoAP option length")
        options.append((number, rest[:length]))
        rest = rest[length:]
    if rest and len(rest) == 1:
        raise ValueError("CoAP payload marker without payload")
    return options, rest[1:]


if __name__ == "__main__":
    # `formats.py request ID CODE [EVIDENCE=VALUE…]` writes a request, `formats.py answer` reads one: for other clients.
    import json
    import sys
    if sys.argv[1] == "request":
        evidence = dict(item.split("=", 1) for item in sys.argv[4:])
        evidence = {name: json.loads(value) if name not in ("sms", "form") else value for name, value in evidence.items()}
        sys.stdout.buffer.write(request(int(sys.argv[2]), sys.argv[3], **evidence))
    else:
        answer = Answer(sys.stdin.buffer.read())
        print(answer.verdict, answer.reason, answer.colour, ",".join(answer.obligations))
