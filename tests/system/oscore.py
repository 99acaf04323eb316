"""OSCORE (RFC 8613), the scanning point's end, written a second time over cryptography."""
import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from formats import CON, OSCORE, POST, Message, coap, coap_options, coap_parse_options

AES_CCM, CHACHA20 = 10, 24
ECHO = 252


class Context:
    """A point's security context, as `chengmen point export` writes it."""

    def __init__(self, secret, salt, sender, recipient, id_context=b"", alg=AES_CCM):
        self.sender, self.recipient, self.id_context, self.alg = sender, recipient, id_context, alg
        self.nonce_size, self.key_size = (13, 16) if alg == AES_CCM else (12, 32)
        self.sequence = 0

        def derive(identity, what, size):
            info = cbor2.dumps([identity, id_context or None, alg, what, size])
            return HKDF(hashes.SHA256(), size, salt, info).derive(secret)
        self.sender_key = derive(sender, "Key", self.key_size)
        self.recipient_key = derive(recipient, "Key", self.key_size)
        self.common_iv = derive(b"", "IV", self.nonce_size)

    @classmethod
    def of_export(cls, document):
        part = lambda name: bytes.fromhex(document.get(name, ""))
        return cls(part("master_secret"), part("master_salt"), part("sender_id"), part("recipient_id"),
                   part("id_context"), document["alg"])

    def cipher(self, key):
        return AESCCM(key, 8) if self.alg == AES_CCM else ChaCha20Poly1305(key)

    def nonce(self, identity, piv):
        size = self.nonce_size - 6
        plain = bytes([len(identity)]) + identity.rjust(size, b"\0") + piv.rjust(5, b"\0")
        return bytes(a ^ b for a, b in zip(plain, self.common_iv))

    def aad(self, piv):
        external = cbor2.dumps([1, [self.alg], self.sender, piv, b""])
        return cbor2.dumps(["Encrypt0", b"", external])

    def protect(self, message_id, inner_code, options, payload, token=b"\x0c", kind=CON, sequence=None, outer=POST,
                spoil=lambda ciphertext: ciphertext, option=None):
        """The protected request, and its Partial IV, which the answer is bound to."""
        if sequence is None:
            sequence, self.sequence = self.sequence, self.sequence + 1
        piv = sequence.to_bytes(max(1, (sequence.bit_length() + 7) // 8), "big")
        plain = bytes([inner_code]) + coap_options(options) + (b"\xff" + payload if payload else b"")
        sealed = self.cipher(self.sender_key).encrypt(self.nonce(self.sender, piv), plain, self.aad(piv))
        if option is None:
            flags = 8 | len(piv) | (16 if self.id_context else 0)
            option = bytes([flags]) + piv
            if self.id_context:
                option += bytes([len(self.id_context)]) + self.id_context
            option += self.sender
        return coap(kind, outer, message_id, token, [(OSCORE, option)], spoil(sealed)), piv

    def unprotect(self, message, request_piv):
        """The inner answer: a Message with the inner code, options and payload. InvalidTag where it is not ours."""
        option = message.option(OSCORE)
        if option is None:
            raise InvalidTag
        piv = option[1:1 + (option[0] & 7)] if option else b""
        nonce = self.nonce(self.recipient, piv) if piv else self.nonce(self.sender, request_piv)
        plain = self.cipher(self.recipient_key).decrypt(nonce, message.payload, self.aad(request_piv))
        inner = Message(b"\x60" + plain[:1] + b"\0\0")
        inner.options, inner.payload = coap_parse_options(plain[1:])
        return inner
