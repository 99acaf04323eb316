"""What is written a second time here agrees with others' published examples: RFC 9285, RFC 8613 appendix C."""
from check import case, expect_equal
from formats import GET, URI_PATH, Message, base45_decode, base45_encode
from oscore_point import Context

h = bytes.fromhex


@case("base45 as in RFC 9285 section 4.3")
def base45(_):
    for plain, text in ((b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0")):
        expect_equal((base45_encode(plain), base45_decode(text)), (text, plain), "base45")


@case("OSCORE as in RFC 8613 appendices C.1.1, C.4 and C.7")
def oscore(_):
    context = Context({"alg": 10, "sender_id": "", "recipient_id": "01", "master_salt": "9e7ca92223786340",
                       "master_secret": "0102030405060708090a0b0c0d0e0f10"})
    expect_equal((context.key, context.other_key, context.iv),
                 (h("f0910ed7295e6ad4b54fc793154302ff"), h("ffb14e093c94c9cac9471648b4f98710"),
                  h("4622d4dd6d944168eefb54987c")), "derived keys")
    data, piv = context.protect(0x5D1F, b"", h("00003974"), sequence=20, code=GET, options=[(URI_PATH, b"tv1")])
    expect_equal(data[-13:], h("612f1092f1776f1c1668b3825e"), "ciphertext of C.4")
    answer = Message(h("64445d1f0000397490ffdbaad1e9a7e7b2a813d3c31524378303cdafae119106"))
    inner = context.unprotect(answer, piv)
    expect_equal((inner.code, inner.payload), ("2.05", b"Hello World!"), "answer of C.7")
