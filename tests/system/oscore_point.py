"""A scanning point's end of OSCORE (RFC 8613), from the standard's own words; cbor2 and cryptography do the work."""
import hashlib
import hmac

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, ChaCha20Poly1305

from formats import CON, CONTENT_FORMAT, OSCORE, POST, URI_PATH, coap, coap_options, coap_parse_options, uint

ECHO = 252
POST_V = ((URI_PATH, b"v"), (CONTENT_FORMAT, uint(60)))


class Inner:
    """A message that was protected: code, options, payload."""

    def __init__(self, plain):
        self.code = f"{plain[0] >> 5}.{plain[0] & 31:02d}"
        self.options, self.payload = coap_parse_options(plain[1:])

    def option(self, number):
        return next((value for at, value in self.options if at == number), None)


class Context:
    """From the document that `chengmen point export` prints."""

    def __init__(self, document, sequence=0):
        self.alg = document["alg"]
        self.id = bytes.fromhex(document["sender_id"])
        self.other_id = bytes.fromhex(document["recipient_id"])
        self.id_context = bytes.fromhex(document["id_context"]) if "id_context" in document else None
        self.key_size, self.nonce_size = (16, 13) if self.alg == 10 else (32, 12)
        salt = bytes.fromhex(document.get("master_salt", ""))
        self.prk = hmac.digest(salt or b"\0" * 32, bytes.fromhex(document["master_secret"]), "sha256")
        self.key = self.derive(self.id, "Key", self.key_size)
        self.other_key = self.derive(self.other_id, "Key", self.key_size)
        self.iv = self.derive(b"", "IV", self.nonce_size)
        self.sequence = sequence

    def derive(self, who, kind, size):
        info = cbor2.dumps([who, self.id_context, self.alg, kind, size])
        return hmac.digest(self.prk, info + b"\1", hashlib.sha256)[:size]

    def cipher(self, key):
        return AESCCM(key, tag_length=8) if self.alg == 10 else ChaCha20Poly1305(key)

    def nonce(self, who, piv):
        plain = bytes([len(who)]) + who.rjust(self.nonce_size - 6, b"\0") + piv.rjust(5, b"\0")
        return bytes(a ^ b for a, b in zip(plain, self.iv))

    def aad(self, piv):
        return cbor2.dumps(["Encrypt0", b"", cbor2.dumps([1, [self.alg], self.id, piv, b""])])

    def option(self, piv):
        flags = len(piv) | 8 | (16 if self.id_context is not None else 0)
        context = bytes([len(self.id_context)]) + self.id_context if self.id_context is not None else b""
        return bytes([flags]) + piv + context + self.id

    def protect(self, message_id, payload, token, echo=None, kind=CON, sequence=None, code=POST, options=POST_V,
                option=None):
        """POST /v, or another request, under the next sequence number: (datagram, its Partial IV)."""
        if sequence is None:
            sequence, self.sequence = self.sequence, self.sequence + 1
        piv = uint(sequence) or b"\0"
        options = list(options) + ([(ECHO, echo)] if echo else [])
        plain = bytes([code]) + coap_options(options) + (b"\xff" + payload if payload else b"")
        sealed = self.cipher(self.key).encrypt(self.nonce(self.id, piv), plain, self.aad(piv))
        option = self.option(piv) if option is None else option
        return coap(kind, POST, message_id, token, [(OSCORE, option)], sealed), piv

    def unprotect(self, message, request_piv):
        """The inner message of an answer, or None where it is not the answer to that request."""
        value = message.option(OSCORE)
        if value is None:
            return None
        own = value[1:1 + (value[0] & 7)] if value else b""
        nonce = self.nonce(self.other_id, own) if own else self.nonce(self.id, request_piv)
        try:
            return Inner(self.cipher(self.other_key).decrypt(nonce, message.payload, self.aad(request_piv)))
        except InvalidTag:
            return None


