# SPDX-License-Identifier: ISC
"""Chains of certificates that no CA would issue, in raw DER, and a server of TLS 1.2 that sends them without owning a key."""

import base64
import os
import random

from pki import openssl


def der(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        length = bytes([len(body)])
    else:
        n = (len(body).bit_length() + 7) // 8
        length = bytes([0x80 | n]) + len(body).to_bytes(n, "big")
    return bytes([tag]) + length + body


def integer(n):
    return der(0x02, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = b""
    for n in [first * 40 + second, *rest]:
        part = [n & 0x7F]
        while n > 0x7F:
            n >>= 7
            part.insert(0, 0x80 | n & 0x7F)
        out += bytes(part)
    return der(0x06, out)


def common_name(cn):
    return der(0x30, der(0x31, der(0x30, oid("2.5.4.3"), der(0x0C, cn.encode()))))


def odd(bits):
    """A random number with this many bits."""
    return random.getrandbits(bits) | 1 << (bits - 1) | 1


def rsa(bits=2048, exponent_bits=17):
    """A public key whose private key nobody knows."""
    modulus = odd(bits) | 1 << (bits - 2)  # larger than any exponent used here
    exponent = 65537 if exponent_bits == 17 else odd(exponent_bits) & ~(1 << (exponent_bits - 2))
    key = der(0x30, integer(modulus), integer(exponent))
    return der(0x30, der(0x30, oid("1.2.840.113549.1.1.1"), der(0x05)), der(0x03, b"\0", key))


def ec(curve):
    key = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve, "-pkeyopt", "ec_param_enc:named_curve")
    return openssl("pkey", "-pubout", "-outform", "DER", stdin=key)


def ed25519():
    return der(0x30, der(0x30, oid("1.3.101.112")), der(0x03, b"\0", os.urandom(32)))


EXPIRED = ("200101000000Z", "200102000000Z")
VALID = ("200101000000Z", "491231235959Z")
CA = der(0x30, oid("2.5.29.19"), der(0x01, b"\xff"), der(0x04, der(0x30, der(0x01, b"\xff"))))


def extension(number, *value, critical=False):
    return der(0x30, oid(number), der(0x01, b"\xff") if critical else b"", der(0x04, *value))


def certificate(subject, issuer, key, dates=VALID, extensions=CA):
    """A certificate whose signature is random: for RSA as long as that of the largest key, for ECDSA two numbers."""
    is_ec = oid("1.2.840.10045.2.1") in key
    algorithm = der(0x30, oid("1.2.840.10045.4.3.4") if is_ec else oid("1.2.840.113549.1.1.11") + der(0x05))
    signature = der(0x30, integer(odd(500)), integer(odd(500))) if is_ec else os.urandom(1024)
    tbs = der(
        0x30, der(0xA0, integer(2)), integer(odd(60)), algorithm, common_name(issuer),
        der(0x30, *[der(0x17, d.encode()) for d in dates]), common_name(subject), key, der(0xA3, der(0x30, extensions)),
    )  # fmt: skip
    return der(0x30, tbs, algorithm, der(0x03, b"\0", signature))


def authorities(n, key, name="X"):
    """A leaf, and n certificates that may have issued it. If they have expired, the library tries each of them."""
    return [certificate("leaf", name, key())] + [certificate(name, name, key(), EXPIRED) for _ in range(n)]


def repeated(make, *args):
    """A key that takes long to make, again and again."""
    made = []
    return lambda: made[0] if made else made.append(make(*args)) or made[0]


# What a chain is, how it is made, and a part of the error
COSTLY = {
    "huge exponents": (lambda: authorities(4, lambda: rsa(8192, 8192)), ["RSA", "public exponent has 8192 bits"]),
    "a huge exponent": (lambda: [certificate("leaf", "X", rsa(2048, 2048))], ["public exponent has 2048 bits"]),
    "an exponent of 33 bits": (lambda: authorities(1, lambda: rsa(2048, 33)), ["public exponent has 33 bits"]),
    "a huge key": (lambda: [certificate("leaf", "X", rsa(8193))], ["RSA key of 8193 bits"]),
    "an authority's huge key": (lambda: [certificate("leaf", "X", rsa()), certificate("X", "X", rsa(16000))], ['"CN=X"', "16000"]),
    "brainpoolP512": (lambda: authorities(37, repeated(ec, "brainpoolP512r1")), ["38 certificates"]),
    "few of brainpoolP512": (lambda: authorities(3, repeated(ec, "brainpoolP512r1")), ["elliptic curve"]),
    "secp192r1": (lambda: authorities(1, repeated(ec, "prime192v1")), ["elliptic curve"]),
    "secp256k1": (lambda: authorities(1, repeated(ec, "secp256k1")), ["elliptic curve"]),
    "many of P-521": (lambda: authorities(10, repeated(ec, "P-521")), ["11 certificates"]),
    "many of one name": (lambda: authorities(4, repeated(ec, "P-521")), ["4 certificates of the same name", '"CN=X"']),
    "Ed25519": (lambda: [certificate("leaf", "X", ed25519())], ["neither RSA nor ECDSA"]),
    "over 16 KiB": (lambda: authorities(18, rsa), ["16 KiB"]),
    "garbage": (lambda: [b"\x30\x03\x02\x01\x00"], ["cannot be read"]),
}


def record(kind, body):
    return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body


def message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def certificate_message(chain):
    chain = b"".join(len(c).to_bytes(3, "big") + c for c in chain)
    return message(11, len(chain).to_bytes(3, "big") + chain)


def keyless(chain, suite=0xC02F, more=b"", piece=16384):
    """A script: ServerHello, Certificate and, if given, more messages; then it listens to the end. A server needs no key
    for that. piece: bytes of a record."""

    def script(c):
        head = c.read(5)
        c.read(int.from_bytes(head[3:], "big"))
        extensions = b"\xff\x01\x00\x01\x00"  # secure renegotiation, RFC 5746
        hello = b"\x03\x03" + os.urandom(32) + b"\0" + suite.to_bytes(2, "big") + b"\0" + len(extensions).to_bytes(2, "big")
        c.send(record(22, message(2, hello + extensions)))
        out = certificate_message(chain) + more
        c.send(*[record(22, out[i : i + piece]) for i in range(0, len(out), piece)])
        c.eof()

    return script


def pem(chain):
    return "".join("-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" % base64.encodebytes(c).decode() for c in chain)
