# SPDX-License-Identifier: ISC
"""wss:// as a user sees it: which certificates it trusts, its errors, its options, and what it never sends."""

import datetime
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest
from conftest import BUILT_IN, WSQUERY, Running, environment, needs, run
from chains import COSTLY, authorities, keyless, pem, rsa
from pki import TLS13, fails, heard, needs_tls13, openssl, pki, version, welcome  # noqa: F401
from servers import Conn, Server, accept_of, echo, says
from test_proxy import connect, socks5
from test_redirect import redirect

pytestmark = needs("tls")
SECRET = "secret"  # of the encrypted keys


VERSIONS = [pytest.param(2, id="TLSv1.2"), pytest.param(3, id="TLSv1.3", marks=needs_tls13)]


# what a successful query shows


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("cert", ["good", "rsa", "p384", "direct", "upper", "name"])
def test_good(pki, cert, n):
    before = int(time.time())  # whole seconds, as in a certificate
    with pki.server(says("a", b"b"), cert=cert, configure=version(n)) as s:
        r = pki.query(s, "-n", 2)
        if r.status != 0 and (cert, n) == ("rsa", 2) and re.search(r"mbedtls/(3\.6|4\.1)\.", BUILT_IN):
            # Mbed-TLS issue 10668: it offers signatures for TLS 1.3 that it does not take in TLS 1.2
            fails(r, "tls", "no newer version")
            r = pki.query(s, "-n", 2, "--tls-max", "1.2")
        assert r.status == 0
        c = s.conns[-1]
    assert r.data == ["a", "Yg=="]
    tls = r.details["tls"]
    end = pki.not_after(cert + ".crt")
    assert tls["version"] == "TLSv1.%d" % n == c.version
    lines = openssl("ciphers", "-stdname", "ALL:@SECLEVEL=0").decode().splitlines()
    assert tls["cipher"] == {line.split()[2]: line.split()[0] for line in lines}[c.cipher]
    assert tls["subject"] == "CN=" + (cert if cert != "upper" else "UPPER")
    assert tls["issuer"] == "C=XX, O=Test, CN=Test " + ("Root" if cert == "direct" else "Intermediate")
    assert tls["not_after"] == datetime.datetime.fromtimestamp(end, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (end - int(time.time())) // 86400 <= tls["days_left"] <= (end - before) // 86400
    assert tls["verified"] is True
    assert r.details["timings_ms"]["tls"] > 0


def test_nothing_of_tls_on_ws():
    with Server(welcome) as s:
        assert run("-D", s.url, status=0).details["tls"] is None


def test_https_is_wss(pki):
    with pki.server() as s:
        r = run("-4", "--cacert", pki("ca.pem"), "https://localhost:%d/" % s.port, status=0)
    assert r.data == "welcome"


def test_request_and_alpn(pki):
    with pki.server(configure=lambda x: x.set_alpn_protocols(["h2", "http/1.1"])) as s:
        pki.query(s, path="/there?x", status=0)
        assert s.conn.request_line == "GET /there?x HTTP/1.1" and s.conn.header("host") == "localhost:%d" % s.port
        assert s.conn.alpn == "http/1.1"


def test_a_server_that_wants_another_protocol(pki):
    # RFC 7301 3.2: OpenSSL goes on without, others send no_application_protocol; either way no h2 is spoken
    with pki.server(configure=lambda x: x.set_alpn_protocols(["h2"])) as s:
        r = pki.query(s)
        assert r.status == 0 or r.details["reason"] == "tls"
        assert s.conn.error or s.conn.alpn is None


@pytest.mark.parametrize("host, sni", [("localhost", "localhost"), ("good.example", "good.example"), ("127.0.0.1", None)])
def test_sni_is_for_names(pki, host, sni):
    with pki.server() as s:
        pki.query(s, host=host, status=0)
        assert s.sni == [sni]


def test_sni_of_an_ipv6_address(pki):
    with pki.server(host="::1") as s:
        r = run("-D", "--cacert", pki("ca.pem"), "wss://[::1]:%d/" % s.port, status=0)
        assert s.sni == [None]
    assert r.details["address"] == "[::1]:%d" % s.port and r.details["tls"]["verified"] is True


def test_after_2038(pki):
    with pki.server(cert="long") as s:
        r = pki.query(s, status=0)
    assert r.details["tls"]["not_after"] == "2089-12-31T23:59:59Z" and r.details["tls"]["days_left"] > 20000


def test_verbose_and_total(pki):
    with pki.server() as s:
        r = pki.query(s, "-v", "-u", "joe:s3cretpw", status=0, secrets=["joe:s3cretpw", "s3cretpw"])
    assert "> GET / HTTP/1.1" in r.err


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("size", [16383, 16384, 16385, 1 << 20])
def test_over_record_boundaries(pki, n, size):
    text = "".join(chr(97 + i % 26) for i in range(size))
    with pki.server(echo, configure=version(n)) as s:
        assert pki.query(s, "-d", "@-", stdin=text.encode(), status=0).data == text


# certificates that are trusted


def test_cacert(pki, tmp_path):
    with pki.server() as s:
        for name in ("ca.pem", "ca.der", "bundle.pem"):
            assert pki.query(s, ca=name, status=0).details["tls"]["verified"] is True
        fails(pki.query(s, ca="bundle-without.pem"), "certificate", "issuer")


def test_capath(pki, tmp_path):
    with pki.server() as s:
        for directory in (pki.hashed(tmp_path / "one", "ca.crt", "other.crt"), pki("capath")):
            assert pki.query(s, "--capath", directory, ca=None, status=0).details["tls"]["verified"] is True
        without = pki.hashed(tmp_path / "two", "other.crt")
        fails(pki.query(s, "--capath", without, ca=None), "certificate", "issuer")
        pki.query(s, "--capath", without, status=0)  # and --cacert


def test_many_in_a_directory(pki, tmp_path):
    for i in range(30):
        shutil.copy(pki("other.crt" if i != 20 else "ca.crt"), tmp_path / ("%08x.0" % i))
    (tmp_path / "README").write_text("nothing of interest\n")
    with pki.server() as s:
        pki.query(s, "--capath", tmp_path, ca=None, status=0)


@pytest.mark.parametrize(
    "env",
    [
        {"WEBSOCKET_CLIENT_CA_BUNDLE": "ca.pem"},
        {"WEBSOCKET_CLIENT_CA_BUNDLE": "capath"},
        {"SSL_CERT_FILE": "ca.pem"},
        {"SSL_CERT_DIR": "capath"},
        {"SSL_CERT_FILE": "other.pem", "SSL_CERT_DIR": "capath"},
        {"SSL_CERT_FILE": "ca.pem", "SSL_CERT_DIR": "capath"},
        {"WEBSOCKET_CLIENT_CA_BUNDLE": "ca.pem", "SSL_CERT_FILE": "other.pem"},
    ],
    ids=lambda e: "+".join("%s=%s" % i for i in e.items()),
)
def test_trust_from_the_environment(pki, env):
    env = {k: pki(v) for k, v in env.items()}
    with pki.server() as s:
        assert pki.query(s, ca=None, env=env, status=0).details["tls"]["verified"] is True


def test_order_of_trust(pki):
    with pki.server() as s:
        fails(pki.query(s, ca=None, env={"WEBSOCKET_CLIENT_CA_BUNDLE": pki("other.pem"), "SSL_CERT_FILE": pki("ca.pem")}),
              "certificate")  # fmt: skip
        fails(pki.query(s, ca="other.pem", env={"SSL_CERT_FILE": pki("ca.pem")}), "certificate")
        pki.query(s, env={"SSL_CERT_FILE": pki("other.pem")}, status=0)
        # unused files are not checked
        pki.query(s, env={"SSL_CERT_FILE": pki("none.pem")}, status=0)
        pki.query(s, "-k", ca=None, env={"SSL_CERT_FILE": pki("none.pem")}, status=0)


@pytest.mark.parametrize("name", ["WEBSOCKET_CLIENT_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("what", ["none.pem", "garbage.pem", "broken.pem", "empty.pem"])
def test_a_bad_file_in_the_environment(pki, name, what):
    with pki.server(heard) as s:
        r = pki.query(s, ca=None, env={name: pki(what)})
        assert not s.conns
    fails(r, "tls", name, pki(what))
    assert r.details["address"] is None


@pytest.mark.parametrize("name", ["WEBSOCKET_CLIENT_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_bad_file_in_the_environment_is_nothing_to_ws(pki, name):
    with Server(welcome) as s:
        assert run(s.url, env={name: pki("none.pem")}, status=0).data == "welcome"


def test_an_empty_variable_is_none(pki):
    with pki.server() as s:
        pki.query(s, ca=None, env={"WEBSOCKET_CLIENT_CA_BUNDLE": "", "SSL_CERT_FILE": pki("ca.pem")}, status=0)


def test_the_system_s_bundle_does_not_know_us(pki):
    with pki.server(heard) as s:
        fails(pki.query(s, ca=None), "certificate")
        s.hears_nothing()


def test_a_trusted_self_signed_certificate(pki):
    with pki.server(cert="self") as s:
        assert pki.query(s, ca="self.pem", status=0).details["tls"]["verified"] is True


# certificates that are not trusted

BAD = [
    # certificate, host, words of the sentence
    ("expired", "localhost", ["expired", "DATE"]),
    ("future", "localhost", ["not yet valid"]),
    ("self", "localhost", ["self-signed", "--cacert", "-k"]),
    ("strange", "localhost", ["not trusted", "Another Root"]),
    ("nochain", "localhost", ["Test Intermediate", "intermediate certificate"]),
    ("oldchain", "localhost", ["Old Intermediate", "expired"]),
    ("fake", "localhost", ["good"]),
    ("rsausage", "localhost", ["usage"]),
    ("clientauth", "localhost", ["usage"]),
    ("weak", "localhost", ["weak"]),
    ("wrong", "localhost", ["localhost", "wrong.example", "www.wrong.example", "192.0.2.1"]),
    ("wrong", "127.0.0.1", ["127.0.0.1", "192.0.2.1"]),
    ("name", "127.0.0.1", ["127.0.0.1", "localhost"]),
    ("ip", "localhost", ["localhost", "127.0.0.1"]),
    ("cnonly", "localhost", ["other.example"]),
    ("many", "localhost", ["host0.many.example"]),
    ("wild", "a.b.localhost", ["*.localhost"]),
    ("wild", "foo.localhost", ["*.localhost"]),  # too wide: two labels must follow the star
    ("wild", "localhost", ["*.localhost"]),
    ("wild", "a.b.example.test", ["*.example.test"]),
    ("wild", "example.test", ["*.example.test"]),
    ("wild2", "a.example.test", ["*.a.example.test"]),
    ("wild2", "a.b.a.example.test", ["*.a.example.test"]),
]


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("cert, host, words", BAD, ids=lambda v: v if isinstance(v, str) else "")
def test_refused(pki, cert, host, words, n):
    date = datetime.datetime.fromtimestamp(pki.not_after(cert + ".crt"), datetime.timezone.utc).strftime("%Y-%m-%d")
    with pki.server(heard, cert=cert, configure=version(n)) as s:
        r = pki.query(s, host=host)
        s.hears_nothing()
    fails(r, "certificate", *[w.replace("DATE", date) for w in words])
    assert r.details["tls"]["not_after"].startswith(date) and r.details["tls"]["subject"]
    assert s.hostport in r.error or "%s:%d" % (host, s.port) in r.error


@pytest.mark.parametrize("cert, host, words", BAD, ids=lambda v: v if isinstance(v, str) else "")
def test_insecure(pki, cert, host, words):
    with pki.server(cert=cert) as s:
        r = pki.query(s, "-k", host=host, status=0)
    assert r.data == "welcome" and r.details["tls"]["verified"] is False
    assert r.details["tls"]["subject"] and r.details["tls"]["days_left"] is not None
    assert (r.details["tls"]["days_left"] < 0) == (cert == "expired")


# what a chain may cost: see chain.c

BAD_CERTIFICATE = b"\x15\x03\x03\x00\x02\x02\x2a"  # a fatal alert


@pytest.mark.parametrize("more", [[], ["-k"]], ids=["", "-k"])
@pytest.mark.parametrize("kind", COSTLY)
def test_a_costly_chain(pki, kind, more):
    make, words = COSTLY[kind]
    with Server(keyless(make())) as s:
        fails(pki.query(s.port, *more), "certificate", *words)
        s.wait()
        assert s.conn.rest == BAD_CERTIFICATE


def test_a_costly_chain_in_pieces(pki):
    make, words = COSTLY["brainpoolP512"]
    with Server(keyless(make(), piece=1000)) as s:
        r = pki.query(s.port)
    assert r.details["reason"] in ("certificate", "tls")  # not every library takes messages in pieces


def test_a_costly_chain_by_a_redirect(pki):
    make, words = COSTLY["huge exponents"]
    with Server(keyless(make())) as s, Server(redirect("wss://localhost:%d/" % s.port)) as first:
        r = run("-D", "-4", "-t", 60, "--cacert", pki("ca.pem"), first.url, status=1)
    assert r.details["reason"] == "certificate" and words[1] in r.error


@needs_tls13
@pytest.mark.parametrize("more", [[], ["-k"]], ids=["", "-k"])
def test_a_costly_chain_in_tls_1_3(pki, more):
    pki.below("", "subjectAltName = DNS:localhost")
    with open(pki("below.pem"), "w") as f:
        f.write(open(pki("below.crt")).read() + pem(authorities(4, lambda: rsa(8192, 8192), "Some Authority")[1:]))
    with pki.server(heard, cert="below", configure=version(3)) as s:
        fails(pki.query(s, *more), "certificate", "Some Authority", "public exponent has 8192 bits")
        s.hears_nothing()


# rules for a chain that mbedTLS does not check: the authority's extensions, the leaf's, the host, words of the error or None

IP_127 = "IP:127.0.0.0/255.0.0.0"
NAME = "subjectAltName = "
RULES = [
    ("nameConstraints = permitted;DNS:corp.test", NAME + "DNS:localhost", "localhost", ["Some Authority", "localhost", "name constraints"]),
    ("nameConstraints = permitted;DNS:localhost", NAME + "DNS:localhost", "localhost", None),
    ("nameConstraints = permitted;DNS:localhost", NAME + "DNS:good.localhost", "good.localhost", None),
    ("nameConstraints = permitted;DNS:LOCALHOST", NAME + "DNS:localhost", "localhost", None),
    ("nameConstraints = permitted;DNS:.localhost", NAME + "DNS:localhost", "localhost", ["name constraints"]),
    ("nameConstraints = permitted;DNS:.localhost", NAME + "DNS:good.localhost", "good.localhost", None),
    ("nameConstraints = permitted;DNS:calhost", NAME + "DNS:localhost", "localhost", ["name constraints"]),
    ("nameConstraints = permitted;DNS:corp.test,permitted;DNS:localhost", NAME + "DNS:localhost", "localhost", None),
    ("nameConstraints = permitted;DNS:localhost", NAME + "DNS:localhost,DNS:corp.test", "localhost", ["corp.test"]),
    ("nameConstraints = excluded;DNS:localhost", NAME + "DNS:localhost", "localhost", ["localhost", "name constraints"]),
    ("nameConstraints = excluded;DNS:corp.test", NAME + "DNS:localhost", "localhost", None),
    ("nameConstraints = excluded;DNS:b.a.localhost", NAME + "DNS:*.a.localhost", "c.a.localhost", ["name constraints"]),
    ("nameConstraints = permitted;" + IP_127, NAME + "IP:127.0.0.1", "127.0.0.1", None),
    ("nameConstraints = permitted;" + IP_127, NAME + "DNS:localhost", "localhost", None),
    ("nameConstraints = permitted;IP:10.0.0.0/255.0.0.0", NAME + "IP:127.0.0.1", "127.0.0.1", ["127.0.0.1", "name constraints"]),
    ("nameConstraints = permitted;IP:::/::", NAME + "IP:127.0.0.1", "127.0.0.1", ["127.0.0.1", "name constraints"]),
    ("nameConstraints = excluded;" + IP_127, NAME + "IP:127.0.0.1", "127.0.0.1", ["127.0.0.1", "name constraints"]),
    ("nameConstraints = permitted;DNS:corp.test", "", "localhost", ["localhost", "name constraints"]),  # the common name
    ("nameConstraints = permitted;DNS:localhost", "", "localhost", None),
    ("nameConstraints = permitted;dirName:dn\n[dn]\nCN = localhost", NAME + "DNS:localhost", "localhost", None),
    ("nameConstraints = permitted;dirName:dn\n[dn]\nO = Corp", NAME + "DNS:localhost", "localhost", ["CN=localhost", "name constraints"]),
    ("nameConstraints = permitted;email:corp.test", NAME + "DNS:localhost", "localhost", None),
    ("nameConstraints = permitted;email:corp.test", NAME + "DNS:localhost,email:a@b.test", "localhost", None),  # not critical
    ("extendedKeyUsage = clientAuth", NAME + "DNS:localhost", "localhost", ["Some Authority", "extended key usage"]),
    ("extendedKeyUsage = clientAuth,serverAuth", NAME + "DNS:localhost", "localhost", None),
    ("extendedKeyUsage = anyExtendedKeyUsage", NAME + "DNS:localhost", "localhost", None),
    ("", "2.5.29.17 = DER:3000", "localhost", ["localhost", "no name at all"]),
    ("", NAME + "email:a@b.test", "localhost", ["localhost", "no name at all"]),
    ("", NAME + "DNS:127.0.0.1", "127.0.0.1", ["127.0.0.1", "IP entry"]),
]


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("authority, leaf, host, words", RULES)
def test_a_rule_of_chains(pki, authority, leaf, host, words, n):
    pki.below(authority, leaf)
    with pki.server(welcome if words is None else heard, cert="below", configure=version(n)) as s:
        r = pki.query(s, host=host)
        if words is None:
            assert r.status == 0 and r.details["tls"]["verified"] is True
        else:
            fails(r, "certificate", *words)
            s.hears_nothing()


def test_an_address_as_the_common_name(pki):
    pki.below("", "", subject="127.0.0.1")
    with pki.server(heard, cert="below") as s:
        fails(pki.query(s, host="127.0.0.1"), "certificate", "127.0.0.1", "IP entry")


ROOTS = [
    ("nameConstraints = critical,permitted;DNS:localhost", NAME + "DNS:localhost", None),
    ("nameConstraints = critical,permitted;DNS:corp.test", NAME + "DNS:localhost", ["name constraints"]),
    ("nameConstraints = critical,permitted;email:corp.test", NAME + "DNS:localhost,email:a@b.test", ["kind that is not supported"]),
    ("certificatePolicies = critical,1.2.3.4", NAME + "DNS:localhost", None),
    ("extendedKeyUsage = clientAuth", NAME + "DNS:localhost", None),  # whoever trusts it decides for what
]


@pytest.mark.parametrize("authority, leaf, words", ROOTS)
def test_a_rule_of_roots(pki, authority, leaf, words):
    ca = pki.below(authority, leaf, root=True)
    with pki.server(welcome if words is None else heard, cert="below") as s:
        r = pki.query(s, ca=ca)
        if words is None:
            assert r.status == 0 and r.details["tls"]["verified"] is True
        else:
            fails(r, "certificate", *words)


# what mbedTLS cannot read: in TLS 1.3 we do not see which extension it is
LACKS = [
    ("nameConstraints = critical,permitted;DNS:localhost", "", ["Some Authority", "name constraints (2.5.29.30)"]),
    ("certificatePolicies = critical,1.2.3.4", "", ["Some Authority", "certificate policies (2.5.29.32)"]),
    ("", "\n1.2.3.4.500 = critical,DER:0500", ["the server's certificate has", "(1.2.3.4.500)"]),
]


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("authority, leaf, words", LACKS)
def test_a_critical_extension_that_is_not_known(pki, authority, leaf, words, n):
    pki.below(authority, NAME + "DNS:localhost" + leaf)
    with pki.server(heard, cert="below", configure=version(n)) as s:
        r = pki.query(s)
    fails(r, "certificate", "support", *(words if n == 2 else []))
    assert "-0x" not in r.error


def test_insecure_without_any_trust(pki):
    with pki.server() as s:
        assert pki.query(s, "-k", ca=None, status=0).details["tls"]["verified"] is False
        assert pki.query(s, "-k", status=0).details["tls"]["verified"] is False


@pytest.mark.parametrize(
    "cert, host",
    [("wild", "a.example.test"), ("wild", "A.Example.Test"), ("wild2", "b.a.example.test"), ("many", "last.many.example"), ("many", "host39.many.example"),
     ("many", "last.example")],
)  # fmt: skip
def test_names(pki, cert, host):
    with pki.server(cert=cert) as s:
        resolve = ["--resolve", "%s:%d:127.0.0.1" % (host, s.port)]
        r = pki.query(s, *resolve, host=host)
    if host == "last.many.example":
        fails(r, "certificate", host)
    else:
        assert r.status == 0 and r.details["tls"]["verified"] is True


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]"])
def test_an_address_in_the_certificate(pki, host):
    with pki.server(cert="ip") as s:
        r = pki.query(s, "-6" if ":" in host else "-4", host=host)
        if ":" in host:
            fails(r, "certificate", "127.0.0.1")  # not the same address: RFC 6125, RFC 5280 4.2.1.6 compare octets
        else:
            assert r.status == 0


def test_no_check_hostname(pki):
    with pki.server(cert="wrong") as s:
        r = pki.query(s, "--no-check-hostname", status=0)
        assert r.details["tls"]["verified"] is True
        assert s.sni == ["localhost"]
    for cert in ("expired", "self", "strange", "rsausage"):
        with pki.server(heard, cert=cert) as s:
            fails(pki.query(s, "--no-check-hostname"), "certificate")
            s.hears_nothing()


def test_server_name(pki):
    with pki.server(cert="wrong") as s:
        r = pki.query(s, "--server-name", "www.wrong.example", status=0)
        assert r.details["tls"]["verified"] is True
        assert s.sni == ["www.wrong.example"] and s.conn.header("host") == "localhost:%d" % s.port
    with pki.server(heard) as s:
        fails(pki.query(s, "--server-name", "other.example"), "certificate", "other.example", "localhost")
        assert s.sni == ["other.example"]
        s.hears_nothing()


def test_server_name_that_is_an_address(pki):
    with pki.server(cert="ip") as s:
        pki.query(s, "--server-name", "127.0.0.1", status=0)
        assert s.sni == [None]
        fails(pki.query(s, "--server-name", "127.0.0.2"), "certificate", "127.0.0.2")


def test_server_name_for_an_address(pki):
    with pki.server(cert="name") as s:
        pki.query(s, "--server-name", "localhost", host="127.0.0.1", status=0)
        assert s.sni == ["localhost"]


def test_the_host_header_is_not_what_is_verified(pki):
    with pki.server(heard, cert="wrong") as s:
        fails(pki.query(s, "--host", "wrong.example"), "certificate")
        s.hears_nothing()


def test_through_a_unix_socket(pki, tmp_path):
    path = str(tmp_path / "s")
    with pki.server(unix=path) as s:
        r = run("-D", "--cacert", pki("ca.pem"), "--unix-socket", path, "wss://good.example/", status=0)
        assert s.sni == ["good.example"]
        fails(run("-D", "--cacert", pki("ca.pem"), "--unix-socket", path, "wss://bad.example/"), "certificate", "bad.example")
    assert r.details["tls"]["verified"] is True


def test_every_try_verifies(pki):
    with pki.server(heard, cert="expired") as s:
        r = pki.query(s, "--retry", 2, "--retry-delay", "10ms")
        assert len(s.conns) == 3
        s.hears_nothing()
    fails(r, "certificate", "expired")
    assert r.details["attempts"] == 3


# client certificates


def wants_client(pki, mode=ssl.CERT_REQUIRED, n=2):
    def configure(context):
        version(n)(context)
        context.verify_mode = mode
        context.load_verify_locations(pki("ca.pem"))

    return configure


def name_of(c):
    return dict(x[0] for x in c.client["subject"])["commonName"] if c.client else None


KEYS = {
    "apart": ["--cert", "client.pem", "--key", "client.key"],
    "one file": ["--cert", "client-both.pem"],
    "DER": ["--cert", "client.der", "--key", "client-key.der"],
    "RSA": ["--cert", "clientrsa.pem", "--key", "clientrsa.key"],
    "AES": ["--cert", "client.pem", "--key", "client-enc.key", "--pass", SECRET],
    "DES": ["--cert", "client.pem", "--key", "client-des.key", "--pass", SECRET],
    "traditional": ["--cert", "client.pem", "--key", "client-old.key", "--pass", SECRET],
}


def skip_unless_read(pki, key):
    """mbedTLS 2.28 cannot read PKCS #8 with AES. A small configuration has no DES and no old formats."""
    if key in ("client-enc.key", "client-des.key", "client-old.key"):
        r = run("--cert", pki("client.pem"), "--key", pki(key), "--pass", SECRET, "ws://[", secrets=[SECRET])
        if r.status == 64:
            assert pki(key) in r.err and "lacks" in r.err
            pytest.skip("this build's TLS library cannot decrypt " + key)


def own(pki, args):
    if "--key" in args:
        skip_unless_read(pki, args[args.index("--key") + 1])
    return [pki(a) if re.search(r"\.(pem|key|der)$", a) else a for a in args]


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("how", KEYS)
def test_client_certificate(pki, how, n):
    with pki.server(configure=wants_client(pki, n=n)) as s:
        # a certificate in DER brings no intermediate one: the server has it
        s.context.load_verify_locations(pki("int.crt"))
        r = pki.query(s, *own(pki, KEYS[how]), status=0, secrets=[SECRET] if "--pass" in KEYS[how] else [])
        assert name_of(s.conn) == ("clientrsa" if how == "RSA" else "client")
    assert r.data == "welcome"


@pytest.mark.parametrize("key", ["client-des.key", "client-enc.key"])
def test_pass_from_a_file(pki, tmp_path, key):
    (tmp_path / "pass").write_text(SECRET + "\n")
    with pki.server(configure=wants_client(pki)) as s:
        args = own(pki, ["--cert", "client.pem", "--key", key])
        pki.query(s, *args, "--pass", "@%s" % (tmp_path / "pass"), status=0)
        pki.query(s, *args, "--pass", "@-", stdin=SECRET.encode(), status=0)


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("which", [None, "stranger"])
def test_a_client_that_the_server_does_not_want(pki, which, n):
    args = own(pki, ["--cert", which + ".pem", "--key", which + ".key"]) if which else []
    with pki.server(configure=wants_client(pki, n=n)) as s:
        r = pki.query(s, *args)
        assert r.status == 1 and "client certificate" in r.error
        # with TLS 1.3 the client learns it only after its handshake has ended
        assert r.details["phase"] in (("tls",) if n == 2 else ("tls", "upgrade")) and r.details["reason"] == "tls"
        s.wait()
        assert s.conn.error


def test_an_alert_before_a_reset(pki):
    """A server that sends an alert and hangs up with our messages unread: the error is about the alert, not the reset."""
    def record(c):
        head = c.read(5)
        return head + c.read(int.from_bytes(head[3:], "big"))

    def hangs_up(c):
        front = Conn(socket.create_connection(("127.0.0.1", s.port)), p)
        front.send(record(c))  # ClientHello
        for _ in range(5):  # ServerHello to ServerHelloDone
            c.send(record(front))
        c.sock.recv(1)  # the client's answer begins
        c.send(b"\x15\3\3\0\2\2\x28")
        front.sock.close()  # the unread bytes make this a reset

    with pki.server(configure=wants_client(pki)) as s, Server(hangs_up) as p:
        for _ in range(10):
            r = pki.query(p)
            fails(r, "tls", "handshake_failure", "client certificate")


def test_a_client_certificate_that_nobody_wants(pki):
    with pki.server() as s:
        pki.query(s, *own(pki, KEYS["apart"]), status=0)


USAGE = [
    # arguments; in the message, besides the last argument
    (["--cacert", "none.pem"], "--cacert"),
    (["--cacert", "emptydir"], "--cacert"),
    (["--cacert", "garbage.pem"], "--cacert"),
    (["--cacert", "broken.pem"], "--cacert"),
    (["--cacert", "empty.pem"], "--cacert"),
    (["--cacert", "good.key"], "--cacert"),
    (["--capath", "none.pem"], "--capath"),
    (["--capath", "ca.pem"], "--capath"),
    (["--capath", "emptydir"], "--capath"),
    (["--key", "client.key"], "--key"),
    (["--key", "client.key", "--cert", "none.pem"], "--cert"),
    (["--key", "client.key", "--cert", "garbage.pem"], "--cert"),
    (["--key", "client.key", "--cert", "empty.pem"], "--cert"),
    (["--key", "client.key", "--cert", "broken.pem"], "--cert"),
    (["--cert", "client.pem"], "--key"),  # no key in it
    (["--cert", "client.pem", "--key", "none.pem"], "--key"),
    (["--cert", "client.pem", "--key", "garbage.pem"], "--key"),
    (["--cert", "client.pem", "--key", "empty.pem"], "--key"),
    (["--cert", "client.pem", "--key", "client.pem"], "--key"),
    (["--cert", "client.pem", "--key", "clientrsa.key"], "--key"),  # another's
    (["--cert", "client.pem", "--key", "good.key"], "--key"),  # another certificate's key of the same kind
    (["--cert", "client.pem", "--key", "client-des.key"], "--pass"),
    (["--cert", "client.pem", "--pass", "wr0ngpass", "--key", "client-des.key"], "--pass"),
    (["--cert", "client.pem", "--key", "client-old.key"], "--pass"),
    (["--cert", "client.pem", "--pass", "wr0ngpass", "--key", "client-old.key"], "--pass"),
    (["--cert", "client.pem", "--key", "client-enc.key"], "--pass"),
    (["--cert", "client.pem", "--pass", "wr0ngpass", "--key", "client-enc.key"], "--pass"),
    (["--cert", "client.pem", "--key", "client-both.pem", "--pass", "@none.pem"], "--pass"),
    (["--tls-min", "1.1"], "--tls-min"),
    (["--tls-min", "1.4"], "--tls-min"),
    (["--tls-min", "TLSv1.2"], "--tls-min"),
    (["--tls-min="], "--tls-min"),
    (["--tls-max", "1"], "--tls-max"),
    (["--tls-max", "12"], "--tls-max"),
    (["--tls-max", "1.2", "--tls-min", "1.3"], "--tls-min"),
    (["--ciphers", "TLS_NO_SUCH"], "--ciphers"),
    (["--ciphers", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:TLS_NO_SUCH"], "--ciphers"),
    (["--ciphers="], "--ciphers"),
    (["--pinnedpubkey", "sha256//"], "--pinnedpubkey"),
    (["--pinnedpubkey", "sha256//AAAA"], "--pinnedpubkey"),
    (["--pinnedpubkey", "sha256//" + "A" * 43], "--pinnedpubkey"),
    (["--pinnedpubkey", "sha256//" + "A" * 43 + "*"], "--pinnedpubkey"),
    (["--pinnedpubkey", "sha256//" + "A" * 42 + "A=" + "x"], "--pinnedpubkey"),
    (["--pinnedpubkey", "sha1//" + "A" * 43 + "="], "--pinnedpubkey"),
    (["--pinnedpubkey", "A" * 43 + "="], "--pinnedpubkey"),
    (["--pinnedpubkey="], "--pinnedpubkey"),
    (["--cert-expiry", "soon"], "--cert-expiry"),
    (["--cert-expiry", "-1"], "--cert-expiry"),
    (["--cert-expiry", "1.5"], "--cert-expiry"),
    (["--cert-expiry", "99999999999999999999"], "--cert-expiry"),
    (["--server-name="], "--server-name"),
    (["--server-name", "a" * 300], "--server-name"),
]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("args, option", USAGE, ids=lambda v: " ".join(v)[:60] if isinstance(v, list) else "")
def test_wrong_command_line(pki, args, option, scheme):
    """These errors are found before connecting, and also for ws://."""
    for a in args:
        skip_unless_read(pki, a)
    full = [("@" + pki(a[1:]) if a[0] == "@" else pki(a)) if re.search(r"\.(pem|key|der)$|^emptydir$", a) else a for a in args]
    with Server(lambda c: c.eof()) as s:
        r = run(*full, "%s://%s/" % (scheme, s.hostport), status=64, secrets=["wr0ngpass"] if "wr0ngpass" in args else [])
        assert not s.conns
    assert option in r.err
    last = full[-1].lstrip("@")
    if last.startswith("/"):
        assert last in r.err


@pytest.mark.skipif(not os.access("/proc/self/mem", os.R_OK), reason="no /proc")
@pytest.mark.parametrize("option", ["--cacert", "--cert", "--key"])
def test_a_file_that_cannot_be_read(pki, option):
    args = ["--cert", pki("client.pem")] if option == "--key" else []
    r = run(*args, option, "/proc/self/mem", "ws://127.0.0.1:9/", status=64)
    assert option in r.err and re.search("(Input/output|I/O) error", r.err) and "no certificate" not in r.err


# files that are slow to read


@pytest.fixture
def fifo(tmp_path):
    """fifo(name, piece, pause, ...): a FIFO into which another process writes these, seconds between them."""
    writers = []

    def make(name, *steps):
        path = tmp_path / name
        os.mkfifo(path)
        code = "import sys, time\nwith open(sys.argv[1], 'wb', 0) as f:\n"
        for step in steps:
            code += "    f.write(%r)\n" % step if isinstance(step, bytes) else "    time.sleep(%r)\n" % step
        writers.append(subprocess.Popen([sys.executable, "-c", code, str(path)]))
        return path

    yield make
    for p in writers:
        p.kill()
        p.wait()


def test_a_pipe_that_pauses_is_read_to_its_end(pki, fifo):
    ca = pathlib.Path(pki("ca.pem")).read_bytes()
    with pki.server() as s:
        other = pathlib.Path(pki("other.crt")).read_bytes()
        pki.query(s, "--cacert", fifo("ca", other, 1.3, ca), ca=None, status=0)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("option", ["--cacert", "--cert", "--key"])
def test_the_deadline_holds_for_a_pipe(pki, fifo, option, scheme):
    args = ["--cert", pki("client.pem")] if option == "--key" else []
    held = fifo("held", pathlib.Path(pki("client.pem")).read_bytes(), 3600)
    r = run("-D", "-t", 0.3, *args, option, held, scheme + "://127.0.0.1:9/", status=1, within=0.3)
    assert (r.details["reason"], r.details["phase"]) == ("timeout", "input")
    assert "timed out" in r.error
    # on a slow machine the watchdog may be the one that ends it
    assert (option in r.error and str(held) in r.error) or "the files of the TLS options" in r.error


def test_the_deadline_holds_for_a_pipe_of_the_environment(fifo):
    r = run("-D", "-t", 0.3, "wss://127.0.0.1:9/", env={"SSL_CERT_FILE": fifo("held", b"x", 3600)}, status=1, within=0.3)
    assert (r.details["reason"], r.details["phase"]) == ("timeout", "input")
    assert "SSL_CERT_FILE" in r.error or "the files of the TLS options" in r.error


def test_a_signal_ends_the_waiting_for_a_pipe(fifo):
    with Running("-D", "-t", 0, "--cacert", fifo("held", 3600), "ws://127.0.0.1:9/") as p:
        time.sleep(0.5)
        p.signal(signal.SIGTERM)
        r = p.end(status=143)
    assert (r.details["reason"], r.details["phase"]) == ("interrupted", "input")


# versions and cipher suites


@pytest.mark.parametrize("args, n", [([], 2), (["--tls-min", "1.2"], 2), (["--tls-max", "1.2"], 2), (["--tls-min", "1.2", "--tls-max", "1.2"], 2)])
def test_tls_12(pki, args, n):
    with pki.server(configure=version(2)) as s:
        assert pki.query(s, *args, status=0).details["tls"]["version"] == "TLSv1.2"


@needs_tls13
@pytest.mark.parametrize("args", [[], ["--tls-min", "1.3"], ["--tls-max", "1.3"], ["--tls-min", "1.3", "--tls-max", "1.3"], ["--tls-min", "1.2"]])
def test_tls_13(pki, args):
    with pki.server() as s:
        assert pki.query(s, *args, status=0).details["tls"]["version"] == "TLSv1.3"


@needs_tls13
def test_tls_max_of_what_both_speak(pki):
    with pki.server() as s:
        assert pki.query(s, "--tls-max", "1.2", status=0).details["tls"]["version"] == "TLSv1.2"


@pytest.mark.parametrize("args, n", [(["--tls-max", "1.2"], 3), ([], 1), (["-k"], 1), pytest.param(["--tls-min", "1.3"], 2, marks=needs_tls13)])
def test_no_version_in_common(pki, args, n):
    def configure(context):
        context.set_ciphers("ALL:@SECLEVEL=0")
        version(n)(context)

    with pki.server(heard, configure=configure) as s:
        fails(pki.query(s, *args), "tls", "version")
        s.hears_nothing()


@pytest.mark.skipif(TLS13, reason="this build's TLS library has TLS 1.3")
@pytest.mark.parametrize("args", [["--tls-min", "1.3"], ["--tls-min", "1.3", "--tls-max", "1.3"]])
def test_a_version_that_the_library_lacks(pki, args):
    assert "1.3" in run(*args, "ws://127.0.0.1:1/", status=64).err


SUITE = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"


@pytest.mark.parametrize("args, chosen", [
    ([SUITE], SUITE), ([SUITE.replace("_", "-")], SUITE), ([SUITE.lower()], SUITE),
    (["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:" + SUITE], SUITE),
    (["TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384"], "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
])  # fmt: skip
def test_ciphers(pki, args, chosen):
    with pki.server() as s:
        r = pki.query(s, "--tls-max", "1.2", "--ciphers", *args, status=0)
        assert r.details["tls"]["cipher"] == chosen
        # without a suite of TLS 1.3 in the list, that is not offered either
        assert pki.query(s, "--ciphers", *args, status=0).details["tls"]["cipher"] == chosen


@needs_tls13
@pytest.mark.parametrize("name", ["TLS_AES_256_GCM_SHA384", "TLS1-3-AES-128-GCM-SHA256", "TLS_AES_128_GCM_SHA256"])
def test_ciphers_of_tls_13(pki, name):
    with pki.server() as s:
        r = pki.query(s, "--ciphers", name, status=0)
    assert (r.details["tls"]["version"], r.details["tls"]["cipher"]) == ("TLSv1.3", name.replace("TLS1-3", "TLS").replace("-", "_"))


def test_no_cipher_in_common(pki):
    def configure(context):
        version(2)(context)
        context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")

    with pki.server(heard, configure=configure) as s:
        fails(pki.query(s, "--ciphers", SUITE), "tls", "cipher")
        s.hears_nothing()


def test_no_cipher_for_the_key_in_common(pki):
    with pki.server(heard, cert="rsa", configure=version(2)) as s:
        fails(pki.query(s, "--ciphers", SUITE), "tls", "cipher")
        s.hears_nothing()


# pins, and the expiry of the certificate


@pytest.mark.parametrize("n", VERSIONS)
def test_pinned(pki, n):
    good, other = pki.pin("good.crt"), pki.pin("rsa.crt")
    with pki.server(configure=version(n)) as s:
        for pins in (good, other + ";" + good):
            assert pki.query(s, "--pinnedpubkey", pins, status=0).details["tls"]["verified"] is True
    with pki.server(heard, configure=version(n)) as s:
        for more in ([], ["-k"], ["--no-check-hostname"]):
            r = pki.query(s, "--pinnedpubkey", other, *more)
            fails(r, "certificate", "pinned", good)  # the error shows the right pin, so that the user can compare
        s.hears_nothing()


def test_pinned_but_not_verified(pki):
    pin = pki.pin("self.crt")
    with pki.server(heard, cert="self") as s:
        fails(pki.query(s, "--pinnedpubkey", pin), "certificate", "self-signed")
        s.hears_nothing()
        r = pki.query(s, "-k", "--pinnedpubkey", pki.pin("good.crt"))
        fails(r, "certificate", "pinned")
        assert "--cacert" not in r.error  # which would not help
    with pki.server(cert="self") as s:
        assert pki.query(s, "-k", "--pinnedpubkey", pin, status=0).details["tls"]["verified"] is False


def test_a_pin_is_of_the_server_not_of_its_ca(pki):
    with pki.server(heard) as s:
        fails(pki.query(s, "--pinnedpubkey", pki.pin("int.crt")), "certificate", "pinned")
        s.hears_nothing()


def test_cert_expiry(pki):
    left = int((pki.not_after("good.crt") - time.time()) // 86400)
    with pki.server() as s:
        pki.query(s, "--cert-expiry", left - 2, status=0)
        pki.query(s, "--cert-expiry", 0, status=0)
        r = pki.query(s, "--cert-expiry", left + 2, status=3)
    assert r.json["connection"] is True and r.data == "welcome"
    assert r.details["reason"] == "certificate" and r.details["tls"]["not_after"][:10] in r.error
    assert "--cert-expiry" in r.error


def test_cert_expiry_with_check(pki):
    with pki.server() as s:
        r = pki.query(s, "--check", "--cert-expiry", 3000, status=3)
    assert r.details["reason"] == "certificate" and r.details["tls"]["verified"] is True


def test_cert_expiry_of_an_expired_one(pki):
    with pki.server(cert="expired") as s:
        assert pki.query(s, "-k", "--cert-expiry", 0, status=3).details["reason"] == "certificate"
    with pki.server(heard, cert="expired") as s:
        fails(pki.query(s, "--cert-expiry", 0), "certificate", "expired")


def test_cert_expiry_is_nothing_to_ws():
    with Server(welcome) as s:
        assert run("--cert-expiry", 3000, s.url, status=0).data == "welcome"


def test_cert_expiry_hides_no_other_failure(pki):
    with pki.server(lambda c: (c.upgrade(), c.finish())) as s:
        r = pki.query(s, "-t", 2, "--cert-expiry", 3000, status=3)
    assert r.details["reason"] == "timeout"


def test_cert_expiry_for_nagios_and_prometheus(pki):
    end = pki.not_after("good.crt")
    with pki.server() as s:
        url = "wss://127.0.0.1:%d/" % s.port
        r = run("--cacert", pki("ca.pem"), "-f", "nagios", "--check", "--cert-expiry", 1, url, json=False, status=0)
        assert r.out.startswith(b"WEBSOCKET OK")
        r = run("--cacert", pki("ca.pem"), "-f", "nagios", "--check", "--cert-expiry", 3000, url, json=False)
        assert r.status in (1, 2) and b"WEBSOCKET OK" not in r.out
        r = run("--cacert", pki("ca.pem"), "-f", "nagios", "--check", "--cert-expiry", "3000,1", url, json=False, status=1)
        assert re.search(rb"^WEBSOCKET WARNING - .* but the certificate ends on 20.* cert_days=\d+;3000:;1:\n$", r.out), r.out
        r = run("--cacert", pki("ca.pem"), "-f", "nagios", "--check", "--cert-expiry", "3000,2999", url, json=False, status=2)
        assert re.search(rb"^WEBSOCKET CRITICAL - .* cert_days=\d+;3000:;2999:\n$", r.out), r.out
        run("--cacert", pki("ca.pem"), "--check", "--cert-expiry", "3000,1", url, status=0)
        r = run("--cacert", pki("ca.pem"), "-f", "prometheus", "--check", url, json=False, status=0)
    found = re.search(rb"^probe_ssl_earliest_cert_expiry(?:\{[^}]*\})? ([0-9.e+]+)$", r.out, re.M)
    assert found and float(found[1]) == end


# SSLKEYLOGFILE


@pytest.mark.parametrize("n", VERSIONS)
def test_key_log(pki, tmp_path, n):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"

    def configure(context):
        version(n)(context)
        context.keylog_filename = str(theirs)

    with pki.server(configure=configure) as s:
        for _ in range(2):  # appended
            pki.query(s, env={"SSLKEYLOGFILE": str(ours)}, status=0)
    lines = ours.read_text().splitlines()
    for line in lines:
        assert re.fullmatch(r"[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64,96}", line.lower().replace(line.split()[0].lower(), line.split()[0])), line
    labels = {"CLIENT_RANDOM"} if n == 2 else {
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0",
    }  # fmt: skip
    assert {line.split()[0] for line in lines} == labels and len(lines) == 2 * len(labels)
    server = {line.lower() for line in theirs.read_text().splitlines()}
    assert {line.lower() for line in lines} <= server, "the secrets are the server's"
    assert ours.stat().st_mode & 0o077 == 0, "secrets are for nobody else"


def test_a_key_log_that_cannot_be_written(pki, tmp_path):
    with pki.server() as s:
        r = pki.query(s, env={"SSLKEYLOGFILE": str(tmp_path / "none" / "x")})
    # whether it stops the query or not, the error names the variable
    assert "SSLKEYLOGFILE" in (r.err if r.status == 0 else r.error)


def test_no_key_log_for_ws(tmp_path):
    with Server(welcome) as s:
        run(s.url, env={"SSLKEYLOGFILE": str(tmp_path / "log")}, status=0)
    assert not (tmp_path / "log").exists() or (tmp_path / "log").read_bytes() == b""


# proxies and redirects


@needs("proxies")
@pytest.mark.parametrize("scheme, proxy", [("http", connect), ("socks5h", socks5)])
def test_through_a_proxy(pki, scheme, proxy):
    with pki.server(echo) as s, Server(proxy(to=("127.0.0.1", s.port))) as p:
        args = ["-D", "--cacert", pki("ca.pem"), "-x", "%s://%s" % (scheme, p.hostport), "-d", "@-"]
        r = run(*args, "wss://good.example:%d/" % s.port, stdin=b"x" * 200000, status=0)
        assert s.sni == ["good.example"] and s.conn.header("host") == "good.example:%d" % s.port
        assert r.data == "x" * 200000 and r.details["tls"]["verified"] is True and r.details["address"] == p.hostport
        assert p.conn.asked in ("good.example:%d" % s.port, ("good.example", s.port))
    with pki.server(heard) as s, Server(proxy(to=("127.0.0.1", s.port))) as p:
        fails(run(*args[:4], "%s://%s" % (scheme, p.hostport), "wss://bad.example:%d/" % s.port), "certificate", "bad.example")
        s.hears_nothing()


@needs("proxies")
@pytest.mark.parametrize("name, used", [("wss_proxy", True), ("https_proxy", True), ("HTTPS_PROXY", True), ("ws_proxy", False), ("http_proxy", False), ("all_proxy", True)])
def test_the_environment_s_proxy(pki, name, used):
    with pki.server() as s, Server(connect(to=("127.0.0.1", s.port))) as p:
        r = pki.query(s, host="good.example", env={name: "http://" + p.hostport}, status=0)
        assert r.data == "welcome" and len(p.conns) == used


@needs("proxies")
def test_a_proxy_gets_nothing_of_the_target(pki):
    """A proxy sees only CONNECT and then TLS of a wss query."""
    seen = []

    def script(c):
        c.read_request()
        seen.append(c.request)
        c.send(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        c.eof()
        seen.append(c.rest)

    with Server(script) as p:
        r = run(
            "-D", "-v", "-u", "joe:pa55w0rd", "-b", "id=c00kie", "-x", "http://" + p.hostport, "wss://good.example/secretpath",
            status=1, secrets=["joe:pa55w0rd", "c00kie"],
        )  # fmt: skip
        p.wait()
    assert (r.details["phase"], r.details["reason"], r.details["tls"]) == ("proxy", "proxy", None)
    for word in (b"joe", b"pa55", b"c00kie", b"secretpath"):
        assert all(word not in x for x in seen)


@needs("redirects")
def test_redirects_and_the_client_certificate(pki):
    args = own(pki, KEYS["apart"])
    with pki.server(configure=wants_client(pki, ssl.CERT_OPTIONAL)) as other:
        with pki.server(redirect("/same"), redirect(lambda: "wss://localhost:%d/" % other.port), configure=wants_client(pki)) as s:
            r = pki.query(s, *args, "-u", "joe:s3cretpw", status=0, secrets=["s3cretpw"])
            assert [name_of(c) for c in s.conns] == ["client", "client"]
        assert name_of(other.conn) is None and other.conn.header("authorization") is None
    assert r.details["url"] == "wss://localhost:%d/" % other.port and r.data == "welcome"


@needs("redirects")
def test_no_client_certificate_behind_another_origin(pki):
    optional = wants_client(pki, ssl.CERT_OPTIONAL)
    with pki.server(redirect(lambda: "wss://localhost:%d/back" % s.port), configure=optional) as other:
        with pki.server(redirect(lambda: "wss://localhost:%d/" % other.port), welcome, configure=optional) as s:
            pki.query(s, *own(pki, KEYS["apart"]), status=0)
            assert [name_of(c) for c in s.conns] == ["client", None]
        assert name_of(other.conn) is None


@needs("redirects")
def test_redirects_and_the_server_name(pki):
    with pki.server(cert="good") as other, pki.server(redirect(lambda: "wss://localhost:%d/" % other.port), cert="wrong") as s:
        pki.query(s, "--server-name", "wrong.example", status=0)
        assert s.sni == ["wrong.example"] and other.sni == ["localhost"]


@needs("redirects")
def test_redirects_are_verified_too(pki):
    with pki.server(heard, cert="expired") as other, pki.server(redirect(lambda: "wss://localhost:%d/" % other.port)) as s:
        r = pki.query(s)
        other.hears_nothing()
    assert (r.status, r.details["phase"], r.details["reason"]) == (1, "tls", "certificate") and "expired" in r.error
    assert r.details["tls"]["subject"] == "CN=expired" and r.details["tls"]["verified"] is False


@needs("redirects")
def test_pins_stay(pki):
    with pki.server(heard, cert="rsa") as other, pki.server(redirect(lambda: "wss://localhost:%d/" % other.port)) as s:
        for more in ([], ["-k"]):
            r = pki.query(s, "--pinnedpubkey", pki.pin("good.crt"), *more)
            assert (r.status, r.details["phase"], r.details["reason"]) == (1, "tls", "certificate")
        other.hears_nothing()
    with pki.server(cert="rsa") as other, pki.server(redirect(lambda: "wss://localhost:%d/" % other.port)) as s:
        pki.query(s, "--pinnedpubkey", pki.pin("good.crt") + ";" + pki.pin("rsa.crt"), status=0)


@needs("redirects")
@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_never_to_a_weaker_scheme(pki, scheme):
    with Server(welcome) as other, pki.server(redirect(lambda: "%s://%s/" % (scheme, other.hostport))) as s:
        r = pki.query(s, status=1)
        assert not other.conns
    assert (r.details["phase"], r.details["reason"]) == ("upgrade", "redirect")


@needs("redirects")
@pytest.mark.parametrize("scheme", ["wss", "https"])
def test_to_a_stronger_scheme(pki, scheme):
    with pki.server() as other, Server(redirect(lambda: "%s://localhost:%d/" % (scheme, other.port))) as s:
        r = run("-D", "-4", "--cacert", pki("ca.pem"), s.url, status=0)
    assert r.data == "welcome" and r.details["tls"]["verified"] is True


def test_a_refused_upgrade(pki):
    with pki.server(lambda c: c.refuse("404 Not Found", b"nothing here").eof()) as s:
        r = pki.query(s, status=1)
    assert (r.details["phase"], r.details["reason"], r.details["status"]) == ("upgrade", "http", 404)
    assert r.details["body"] == "nothing here" and r.details["tls"]["verified"] is True


def test_a_wrong_accept(pki):
    with pki.server(lambda c: (c.upgrade(Sec_WebSocket_Accept=accept_of(b"x")), c.eof())) as s:
        assert pki.query(s, status=1).details["reason"] == "handshake"


def test_unreadable_files(pki, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    for option in ("--cacert", "--cert"):
        path = tmp_path / "no"
        path.write_text(open(pki("ca.pem")).read())
        path.chmod(0)
        r = run(option, path, "ws://127.0.0.1:1/", status=64)
        assert option in r.err and str(path) in r.err


# a library call that computes for a very long time: cli/watchdog.c


def der(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    return bytes([tag]) + (bytes([n]) if n < 128 else b"\x82" + n.to_bytes(2, "big")) + body


def oid(text):
    return der(6, bytes.fromhex(text))


@pytest.fixture
def endless_key(pki, tmp_path):
    """The options of a key whose passphrase takes hours to try (PKCS #5, 2147483647 iterations)."""
    kdf = der(0x30, oid("2a864886f70d01050c"), der(0x30, der(4, bytes(8)), der(2, b"\x7f\xff\xff\xff")))
    cipher = der(0x30, oid("2a864886f70d0307"), der(4, bytes(8)))
    (tmp_path / "endless.key").write_bytes(
        der(0x30, der(0x30, oid("2a864886f70d01050d"), der(0x30, kdf, cipher)), der(4, bytes(64)))
    )
    args = ["--cert", pki("client.pem"), "--key", tmp_path / "endless.key", "--pass", SECRET]
    if run("-D", "-t", 0.1, *args, "ws://127.0.0.1:9/", secrets=[SECRET]).status == 64:
        pytest.skip("this TLS library lacks PBES2 with DES")
    return args


def test_a_key_that_takes_hours(endless_key):
    r = run("-D", "-t", 0.3, *endless_key, "ws://127.0.0.1:9/", status=1, within=0.3, at_least=0.3, secrets=[SECRET])
    assert (r.details["reason"], r.details["phase"]) == ("timeout", "input") and "timed out" in r.error


def test_a_key_that_takes_hours_ends_retries(endless_key):
    r = run("-D", "-t", 0.3, "--retry", 99, *endless_key, "ws://127.0.0.1:9/", status=1, within=0.3, secrets=[SECRET])
    assert r.details["attempts"] == 1  # the call cannot be interrupted safely, so there is no second try


@pytest.mark.parametrize("sig, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_a_key_takes_hours(endless_key, sig, status):
    with Running("-D", "-t", 0, *endless_key, "ws://127.0.0.1:9/") as p:
        time.sleep(0.5)
        p.signal(sig)
        r = p.end(status=status, secrets=[SECRET])
    assert r.details["reason"] == "interrupted" and r.json["connection"] is False


def test_a_key_that_takes_hours_and_a_stdout_that_nobody_reads(endless_key):
    r, w = os.pipe()
    os.set_blocking(w, False)
    while True:
        try:
            os.write(w, b"x")
        except BlockingIOError:
            break
    os.set_blocking(w, True)
    args = [str(a) for a in endless_key]
    p = subprocess.run(
        [WSQUERY, "-D", "-t", "0.3", "-b", "@-", *args, "ws://127.0.0.1:9/"],
        input=b"a=b", stdout=w, stderr=subprocess.PIPE, env=environment(), timeout=50,
    )  # fmt: skip
    os.close(r)
    os.close(w)
    assert p.returncode == 1 and b"in time" in p.stderr


def test_a_key_that_takes_hours_and_an_alarm_of_the_parent(endless_key):
    args = [str(a) for a in endless_key]
    p = subprocess.run(
        [WSQUERY, "-t", "0", *args, "ws://127.0.0.1:9/"], capture_output=True, env=environment(), timeout=50,
        preexec_fn=lambda: signal.alarm(1),
    )  # fmt: skip
    assert p.returncode == -signal.SIGALRM
